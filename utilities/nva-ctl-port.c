/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* Commands on ports. */

#include "nva-ctl.h"

#include <string.h>

#include "nva-ctl-addr.h"
#include "svec.h"
#include "util.h"

/* port-add */

enum { OPT_SECURITY, OPT_TENANT, N_PORT_OPTS };

/* What port-add wants a port to be. */
struct wanted_port {
    const char *name;
    const struct nvarec_virtual_network *vn;
    char *mac;
    struct svec ips;
    struct nva_ctl_opt opts[N_PORT_OPTS];
};

static void
pre_port_add(struct ctl_context *ctx)
{
    nva_ctl_pre_addresses(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_virtual_network_col_subnets);
    ovsdb_idl_add_column(ctx->idl, &nvarec_port_col_port_security);
    ovsdb_idl_add_column(ctx->idl, &nvarec_port_col_tenant);
    nva_ctl_pre_snat(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_col_mac);
    ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_col_ips);
}

/* Checks that no gateway, and no port of the VN but 'w' itself, has
 * 'address'. */
static bool
address_is_free(struct ctl_context *ctx, const struct wanted_port *w,
                const char *what, const char *address)
{
    const struct nvarec_port *port = nva_ctl_find_address(ctx, w->vn, address);
    const struct nvarec_gateway *gw = nva_ctl_find_gateway_by_address(
        ctx, w->vn, address);

    if (gw) {
        ctl_error(ctx, "%s %s is that of gateway %s of VN %s already; give "
                  "the port one of its own", what, address, gw->name,
                  w->vn->name);
        return false;
    }
    if (port && strcmp(port->name, w->name)) {
        ctl_error(ctx, "%s %s is that of port %s in VN %s already; give each "
                  "port its own", what, address, port->name, w->vn->name);
        return false;
    }
    return nva_ctl_is_no_snat(ctx, w->vn, address);
}

static bool
parse_mac(struct ctl_context *ctx, const char *arg, struct wanted_port *w)
{
    ctx->error = nva_ctl_addr_parse_mac(arg, &w->mac);
    return !ctx->error && address_is_free(ctx, w, "MAC", w->mac);
}

/* Checks that 'ip', or 's' as text, is one that a host in 'vn' can have. */
static bool
ip_suits_vn(struct ctl_context *ctx, const struct nvarec_virtual_network *vn,
            const struct in6_addr *ip, const char *s)
{
    struct svec subnets = SVEC_EMPTY_INITIALIZER;
    bool inside = !vn->n_subnets || nva_ctl_addr_is_link_local(ip);
    bool reserved = false;

    for (size_t i = 0; i < vn->n_subnets; i++) {
        struct nva_ctl_subnet subnet;
        char *error = nva_ctl_addr_parse_subnet(vn->subnets[i], &subnet);

        if (!error && nva_ctl_addr_subnet_contains(&subnet, ip)) {
            inside = true;
            reserved |= nva_ctl_addr_is_reserved(&subnet, ip);
        }
        free(error);
        svec_add(&subnets, vn->subnets[i]);
    }
    if (!inside) {
        char *list = svec_join(&subnets, ", ", "");
        ctl_error(ctx, "IP %s is in no subnet of VN %s, which has %s",
                  s, vn->name, list);
        free(list);
    } else if (reserved) {
        ctl_error(ctx, "IP %s is the network or the broadcast address of a "
                  "subnet of VN %s, but that of a single host is needed",
                  s, vn->name);
    }
    svec_destroy(&subnets);
    return !ctx->error;
}

static bool
parse_ips(struct ctl_context *ctx, const struct svec *args,
          struct wanted_port *w)
{
    for (size_t i = 0; i < args->n; i++) {
        struct in6_addr ip;

        ctx->error = nva_ctl_addr_parse_ip(args->names[i], "IP", &ip);
        if (ctx->error) {
            return false;
        }

        char *s = nva_ctl_addr_format_ip(&ip);
        if (svec_contains_unsorted(&w->ips, s)) {
            ctl_error(ctx, "IP %s is given twice; give it once", s);
        } else if (ip_suits_vn(ctx, w->vn, &ip, s)
                   && address_is_free(ctx, w, "IP", s)) {
            svec_add(&w->ips, s);
        }
        free(s);
        if (ctx->error) {
            return false;
        }
    }
    return true;
}

static bool
parse_wanted_port(struct ctl_context *ctx, struct wanted_port *w)
{
    struct svec rest = SVEC_EMPTY_INITIALIZER;

    w->vn = nva_ctl_get_vn(ctx, ctx->argv[2]);
    bool ok = (w->vn
               && parse_mac(ctx, ctx->argv[3], w)
               && nva_ctl_take_opts(ctx, 4, w->opts, N_PORT_OPTS, &rest)
               && parse_ips(ctx, &rest, w));
    svec_destroy(&rest);
    return ok;
}

static bool
wants_security(const struct wanted_port *w)
{
    return !strcmp(w->opts[OPT_SECURITY].value, "on");
}

/* Checks with --may-exist that 'port' is as the command line wants it. */
static void
check_existing_port(struct ctl_context *ctx, const struct nvarec_port *port,
                    const struct wanted_port *w)
{
    const char *other
        = (port->vn != w->vn ? "in another VN"
           : strcasecmp(port->mac, w->mac) ? "with another MAC"
           : !nva_ctl_same_set(port->ips, port->n_ips, w->ips.names, w->ips.n)
           ? "with other IPs"
           : (w->opts[OPT_SECURITY].given
              && port->port_security != wants_security(w))
           ? "with another security="
           : (w->opts[OPT_TENANT].given
              && strcmp(port->tenant, w->opts[OPT_TENANT].value))
           ? "with another tenant="
           : NULL);
    if (other) {
        ctl_error(ctx, "port %s exists already, %s; change it with \"nva-ctl "
                  "set Port %s ...\"", port->name, other, port->name);
    }
}

static void
insert_port(struct ctl_context *ctx, const struct wanted_port *w)
{
    const struct nvarec_port *port = nvarec_port_insert(ctx->txn);

    nvarec_port_set_name(port, w->name);
    nvarec_port_set_vn(port, w->vn);
    nvarec_port_set_mac(port, w->mac);
    nvarec_port_set_ips(port, (const char **) w->ips.names, w->ips.n);
    nvarec_port_set_tenant(port, w->opts[OPT_TENANT].value);
    nvarec_port_set_port_security(port, wants_security(w));
    nvarec_port_set_state(port, "unbound");

    nva_ctl_add_address(ctx, w->vn, w->mac, port);
    for (size_t i = 0; i < w->ips.n; i++) {
        nva_ctl_add_address(ctx, w->vn, w->ips.names[i], port);
    }
}

static void
cmd_port_add(struct ctl_context *ctx)
{
    bool may_exist = shash_find(&ctx->options, "--may-exist");
    struct wanted_port w = {
        .name = ctx->argv[1],
        .ips = SVEC_EMPTY_INITIALIZER,
        .opts = {
            [OPT_SECURITY] = { "security", "on,off", "on", false },
            [OPT_TENANT] = { "tenant", NULL, "", false },
        },
    };

    if (nva_ctl_check_name(ctx, "port", w.name)) {
        const struct nvarec_port *port = nva_ctl_find_port(ctx, w.name);

        if (port && !may_exist) {
            ctl_error(ctx, "port %s exists already, in VN %s; choose another "
                      "name, or use --may-exist",
                      w.name, port->vn ? port->vn->name : "(none)");
        } else if (parse_wanted_port(ctx, &w)) {
            if (port) {
                check_existing_port(ctx, port, &w);
            } else {
                insert_port(ctx, &w);
            }
        }
    }
    free(w.mac);
    svec_destroy(&w.ips);
}

/* port-del */

static void
cmd_port_del(struct ctl_context *ctx)
{
    bool must_exist = !shash_find(&ctx->options, "--if-exists");

    for (int i = 1; i < ctx->argc; i++) {
        const struct nvarec_port *port
            = must_exist ? nva_ctl_get_port(ctx, ctx->argv[i])
                         : nva_ctl_find_port(ctx, ctx->argv[i]);
        if (ctx->error) {
            return;
        }
        if (port) {
            nvarec_port_delete(port);
        }
    }
    nva_ctl_invalidate_addresses(ctx);
}

/* port-list */

static void
pre_port_list(struct ctl_context *ctx)
{
    pre_port_add(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_port_col_nve);
    ovsdb_idl_add_column(ctx->idl, &nvarec_port_col_state);
    ovsdb_idl_add_column(ctx->idl, &nvarec_port_col_error);
}

static void
cmd_port_list(struct ctl_context *ctx)
{
    enum { NAME, VN, MAC, IPS, NVE, STATE, SECURITY, TENANT, ERR, N };
    static const char *const headings[N] = {
        "name", "vn", "mac", "ips", "nve", "state", "security", "tenant",
        "error"
    };
    const struct nvarec_virtual_network *vn = NULL;
    struct nva_ctl_listing l;

    if (ctx->argc > 1) {
        vn = nva_ctl_get_vn(ctx, ctx->argv[1]);
    }
    if (ctx->error || !nva_ctl_listing_init(&l, ctx, headings, N)) {
        return;
    }

    struct shash ports = SHASH_INITIALIZER(&ports);
    const struct nvarec_port *port;
    NVAREC_PORT_FOR_EACH (port, ctx->idl) {
        if (!vn || port->vn == vn) {
            shash_add(&ports, port->name, port);
        }
    }

    const struct shash_node **sorted = shash_sort(&ports);
    for (size_t i = 0; i < shash_count(&ports); i++) {
        port = sorted[i]->data;
        nva_ctl_listing_put(&l, NAME, port->name);
        nva_ctl_listing_put(&l, VN, port->vn ? port->vn->name : "");
        nva_ctl_listing_put(&l, MAC, port->mac);
        nva_ctl_listing_put_set(&l, IPS, port->ips, port->n_ips);
        nva_ctl_listing_put(&l, NVE, port->nve ? port->nve : "");
        nva_ctl_listing_put(&l, STATE, nva_ctl_port_state(port));
        nva_ctl_listing_put(&l, SECURITY, port->port_security ? "on" : "off");
        nva_ctl_listing_put(&l, TENANT, port->tenant);
        nva_ctl_listing_put(&l, ERR, port->error);
        nva_ctl_listing_end_row(&l);
    }
    free(sorted);
    shash_destroy(&ports);
    nva_ctl_listing_uninit(&l);
}

const struct ctl_command_syntax nva_ctl_port_commands[] = {
    {"port-add", 3, INT_MAX,
     "NAME VN MAC [IP]... [security=SECURITY] [tenant=TENANT]",
     pre_port_add, cmd_port_add, NULL, "--may-exist", RW},
    {"port-del", 1, INT_MAX, "PORT...", nva_ctl_pre_port, cmd_port_del, NULL,
     "--if-exists", RW},
    {"port-list", 0, 1, "[VN]", pre_port_list, cmd_port_list, NULL,
     "--columns=", RO},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO},
};
