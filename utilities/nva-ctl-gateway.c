/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* Commands on gateways. */

#include "nva-ctl.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "nva-ctl-addr.h"
#include "packets.h"
#include "svec.h"
#include "util.h"

/* As many rules as the database takes. */
#define MAX_RULES 1000

static const struct nvarec_gateway *
find_gateway(struct ctl_context *ctx, const char *name)
{
    const struct nvarec_gateway *gw;

    NVAREC_GATEWAY_FOR_EACH (gw, ctx->idl) {
        if (!strcmp(gw->name, name)) {
            return gw;
        }
    }
    return NULL;
}

const struct nvarec_gateway *
nva_ctl_get_gateway(struct ctl_context *ctx, const char *name)
{
    const struct nvarec_gateway *gw = find_gateway(ctx, name);

    if (!gw) {
        ctl_error(ctx, "no gateway is named \"%s\"; \"nva-ctl gw-list\" lists "
                  "them", name);
    }
    return gw;
}

/* gw-add */

enum {
    OPT_METRIC, OPT_VNS, OPT_POLICY, OPT_RATE, OPT_NEXT_HOP, N_GW_OPTS
};

/* What gw-add wants a gateway to be. */
struct wanted {
    const struct nvarec_virtual_network *vn;
    char *mac;
    struct svec ips;
    int metric, rate;
    struct nvarec_virtual_network **vns;
    size_t n_vns;
    struct svec policy;
    struct svec next_hops;
    struct nva_ctl_opt opts[N_GW_OPTS];
};

static void
pre_gw_add(struct ctl_context *ctx)
{
    nva_ctl_pre_nve(ctx);
    nva_ctl_pre_addresses(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_virtual_network_col_subnets);
    for (size_t i = 0; i < NVAREC_GATEWAY_N_COLUMNS; i++) {
        ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_columns[i]);
    }
}

/* Returns the subnet of 'vn' in which 'ip' is, for the caller to free, or
 * null. */
static char *
find_subnet(const struct nvarec_virtual_network *vn, const struct in6_addr *ip)
{
    for (size_t i = 0; i < vn->n_subnets; i++) {
        struct nva_ctl_subnet subnet;
        char *error = nva_ctl_addr_parse_subnet(vn->subnets[i], &subnet);

        if (!error && nva_ctl_addr_subnet_contains(&subnet, ip)) {
            return nva_ctl_addr_format_subnet(&subnet);
        }
        free(error);
    }
    return NULL;
}

/* Returns the length of the prefix of 'ip', which 'arg' says after a "/" or a
 * subnet of the VN does; null after an error. */
static char *
get_length(struct ctl_context *ctx, const struct wanted *w, const char *arg,
           const struct in6_addr *ip)
{
    const char *slash = strchr(arg, '/');
    int max = IN6_IS_ADDR_V4MAPPED(ip) ? 32 : 128;
    char *subnet, *length;
    int n;

    if (slash) {
        if (!isdigit((unsigned char) slash[1])
            || !str_to_int(slash + 1, 10, &n) || n < 1 || n > max) {
            ctl_error(ctx, "IP %s: the length of its prefix must be a number "
                      "from 1 to %d", arg, max);
            return NULL;
        }
        return xasprintf("%d", n);
    } else if (nva_ctl_addr_is_link_local(ip)) {
        return xstrdup("64");
    }
    subnet = find_subnet(w->vn, ip);
    if (!subnet) {
        ctl_error(ctx, "IP %s is in no subnet of VN %s; say the length of its "
                  "prefix, as in %s/%d", arg, w->vn->name, arg,
                  max == 32 ? 24 : 64);
        return NULL;
    }
    length = xstrdup(strchr(subnet, '/') + 1);
    free(subnet);
    return length;
}

/* Checks that no port of the VN has 'address'. */
static bool
address_is_free(struct ctl_context *ctx, const struct wanted *w,
                const char *what, const char *address)
{
    const struct nvarec_port *port = nva_ctl_find_address(ctx, w->vn, address);

    if (port) {
        ctl_error(ctx, "%s %s is that of port %s in VN %s already; give the "
                  "gateway one of its own", what, address, port->name,
                  w->vn->name);
    }
    return !port && nva_ctl_is_no_snat(ctx, w->vn, address);
}

/* Returns true if 'ip' is an address that a host can have in a network whose
 * prefix has the given length. */
static bool
is_host(const struct in6_addr *ip, const char *length)
{
    struct nva_ctl_subnet subnet = { .plen = atoi(length) };
    struct in6_addr mask;

    if (IN6_IS_ADDR_V4MAPPED(ip)) {
        subnet.plen += 96;
    }
    mask = ipv6_create_mask(subnet.plen);
    subnet.ip = ipv6_addr_bitand(ip, &mask);
    return !nva_ctl_addr_is_reserved(&subnet, ip);
}

/* Returns true if 'ips', addresses with lengths of prefixes, contains 's',
 * which has none. */
static bool
contains_ip(const struct svec *ips, const char *s)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < ips->n; i++) {
        if (!strncmp(ips->names[i], s, n) && ips->names[i][n] == '/') {
            return true;
        }
    }
    return false;
}

static bool
parse_ip(struct ctl_context *ctx, const char *arg, struct wanted *w)
{
    char *bare = xmemdup0(arg, strcspn(arg, "/"));
    char *s = NULL, *length = NULL;
    struct in6_addr ip;

    ctx->error = nva_ctl_addr_parse_ip(bare, "IP", &ip);
    if (!ctx->error) {
        s = nva_ctl_addr_format_ip(&ip);
        length = get_length(ctx, w, arg, &ip);
    }
    if (!ctx->error && address_is_free(ctx, w, "IP", s)) {
        if (contains_ip(&w->ips, s)) {
            ctl_error(ctx, "IP %s is given twice; give it once", s);
        } else if (!is_host(&ip, length)) {
            ctl_error(ctx, "IP %s/%s is that of the network or of all its "
                      "hosts; give that of a single host", s, length);
        } else {
            svec_add_nocopy(&w->ips, xasprintf("%s/%s", s, length));
        }
    }
    free(bare);
    free(s);
    free(length);
    return !ctx->error;
}

static bool
parse_number(struct ctl_context *ctx, const struct nva_ctl_opt *opt, int *n)
{
    if (isdigit((unsigned char) opt->value[0])
        && str_to_int(opt->value, 10, n)) {
        return true;
    }
    ctl_error(ctx, "%s=%s: must be a number from 0 to %d", opt->key,
              opt->value, INT_MAX);
    return false;
}

/* Parses a comma-separated list of VNs. */
static bool
parse_vns(struct ctl_context *ctx, const char *arg, struct wanted *w)
{
    char *copy = xstrdup(arg), *save_ptr = NULL;

    w->vns = xmalloc((strlen(arg) + 1) * sizeof *w->vns);
    for (char *name = strtok_r(copy, ",", &save_ptr); name && !ctx->error;
         name = strtok_r(NULL, ",", &save_ptr)) {
        const struct nvarec_virtual_network *vn = nva_ctl_get_vn(ctx, name);

        if (vn == w->vn) {
            ctl_error(ctx, "vns=%s: the gateway is in VN %s itself; leave it "
                      "out", arg, name);
        } else if (vn) {
            w->vns[w->n_vns++]
                = CONST_CAST(struct nvarec_virtual_network *, vn);
        }
    }
    free(copy);
    return !ctx->error;
}

/* Parses a comma-separated list of rules allow:PREFIX and deny:PREFIX. */
static bool
parse_policy(struct ctl_context *ctx, const char *arg, struct wanted *w)
{
    char *copy = xstrdup(arg), *save_ptr = NULL;

    for (char *rule = strtok_r(copy, ",", &save_ptr); rule && !ctx->error;
         rule = strtok_r(NULL, ",", &save_ptr)) {
        size_t n = strcspn(rule, ":");
        struct nva_ctl_subnet subnet;

        if (strncmp(rule, "allow:", n + 1) && strncmp(rule, "deny:", n + 1)) {
            ctl_error(ctx, "policy=%s: \"%s\" is neither allow:SUBNET nor "
                      "deny:SUBNET", arg, rule);
        } else if (w->policy.n >= MAX_RULES) {
            ctl_error(ctx, "policy: a gateway has at most %d rules; a "
                      "shorter prefix may take the place of several",
                      MAX_RULES);
        } else {
            ctx->error = nva_ctl_addr_parse_subnet(rule + n + 1, &subnet);
        }
        if (!ctx->error) {
            char *s = nva_ctl_addr_format_subnet(&subnet);

            svec_add_nocopy(&w->policy, xasprintf("%.*s %s", (int) n, rule,
                                                  s));
            free(s);
        }
    }
    free(copy);
    return !ctx->error;
}

/* Parses a comma-separated list of routers' addresses. */
static bool
parse_next_hops(struct ctl_context *ctx, const char *arg, struct wanted *w)
{
    char *copy = xstrdup(arg), *save_ptr = NULL;
    bool seen[2] = { false, false };

    for (char *s = strtok_r(copy, ",", &save_ptr); s && !ctx->error;
         s = strtok_r(NULL, ",", &save_ptr)) {
        struct in6_addr ip;

        ctx->error = nva_ctl_addr_parse_ip(s, "next hop", &ip);
        if (ctx->error) {
            break;
        }
        if (!nva_ctl_has_neighbor(w->ips.names, w->ips.n, &ip)) {
            ctl_error(ctx, "next hop %s is in no network of the gateway; give "
                      "the address of a router in VN %s", s, w->vn->name);
        } else if (seen[!!IN6_IS_ADDR_V4MAPPED(&ip)]) {
            ctl_error(ctx, "next-hop=%s: give one address of each version at "
                      "most", arg);
        } else {
            seen[!!IN6_IS_ADDR_V4MAPPED(&ip)] = true;
            svec_add_nocopy(&w->next_hops, nva_ctl_addr_format_ip(&ip));
        }
    }
    free(copy);
    return !ctx->error;
}

/* Checks against the other gateways of the VN. */
static bool
check_others(struct ctl_context *ctx, const struct wanted *w, const char *nve)
{
    const struct nvarec_gateway *different = NULL;
    const struct nvarec_gateway *gw;

    NVAREC_GATEWAY_FOR_EACH (gw, ctx->idl) {
        if (gw->vn != w->vn) {
            continue;
        } else if (!strcmp(gw->nve, nve)) {
            ctl_error(ctx, "NVE %s has gateway %s of VN %s already; choose "
                      "another NVE", nve, gw->name, w->vn->name);
            return false;
        } else if ((strcasecmp(gw->mac, w->mac)
                    || !nva_ctl_same_set(gw->ips, gw->n_ips, w->ips.names,
                                         w->ips.n))
                   && (!different
                       || strcmp(gw->name, different->name) < 0)) {
            different = gw;
        }
    }
    if (different) {
        ctl_error(ctx, "all gateways of a VN have the same addresses, but "
                  "%s has others; see \"nva-ctl gw-list %s\"",
                  different->name, w->vn->name);
    }
    return !different;
}

static bool
parse_wanted(struct ctl_context *ctx, struct wanted *w)
{
    struct svec rest = SVEC_EMPTY_INITIALIZER;

    w->vn = nva_ctl_get_vn(ctx, ctx->argv[2]);
    if (w->vn && nva_ctl_get_nve(ctx, ctx->argv[3])) {
        ctx->error = nva_ctl_addr_parse_mac(ctx->argv[4], &w->mac);
    }
    if (!ctx->error && address_is_free(ctx, w, "MAC", w->mac)
        && nva_ctl_take_opts(ctx, 5, w->opts, N_GW_OPTS, &rest)) {
        for (size_t i = 0; i < rest.n && !ctx->error; i++) {
            parse_ip(ctx, rest.names[i], w);
        }
        if (!ctx->error && !w->ips.n) {
            ctl_error(ctx, "gateway %s has no IP; give one at least",
                      ctx->argv[1]);
        }
    }
    svec_destroy(&rest);
    return (!ctx->error
            && parse_number(ctx, &w->opts[OPT_METRIC], &w->metric)
            && parse_number(ctx, &w->opts[OPT_RATE], &w->rate)
            && parse_vns(ctx, w->opts[OPT_VNS].value, w)
            && parse_policy(ctx, w->opts[OPT_POLICY].value, w)
            && parse_next_hops(ctx, w->opts[OPT_NEXT_HOP].value, w)
            && check_others(ctx, w, ctx->argv[3]));
}

static void
insert_gateway(struct ctl_context *ctx, const struct wanted *w)
{
    const struct nvarec_gateway *gw = nvarec_gateway_insert(ctx->txn);
    int64_t *numbers = xmalloc(MAX(1, w->policy.n) * sizeof *numbers);

    nvarec_gateway_set_name(gw, ctx->argv[1]);
    nvarec_gateway_set_vn(gw, w->vn);
    nvarec_gateway_set_nve(gw, ctx->argv[3]);
    nvarec_gateway_set_mac(gw, w->mac);
    nvarec_gateway_set_ips(gw, (const char **) w->ips.names, w->ips.n);
    nvarec_gateway_set_metric(gw, w->metric);
    nvarec_gateway_set_vns(gw, w->vns, w->n_vns);
    nvarec_gateway_set_next_hops(gw, (const char **) w->next_hops.names,
                                 w->next_hops.n);
    for (size_t i = 0; i < w->policy.n; i++) {
        numbers[i] = i + 1;
    }
    nvarec_gateway_set_policy(gw, numbers, (const char **) w->policy.names,
                              w->policy.n);
    if (w->rate) {
        nvarec_gateway_update_options_setkey(gw, "rate",
                                             w->opts[OPT_RATE].value);
    }
    free(numbers);
}

static void
cmd_gw_add(struct ctl_context *ctx)
{
    const char *name = ctx->argv[1];
    bool may_exist = shash_find(&ctx->options, "--may-exist");
    struct wanted w = {
        .ips = SVEC_EMPTY_INITIALIZER,
        .policy = SVEC_EMPTY_INITIALIZER,
        .next_hops = SVEC_EMPTY_INITIALIZER,
        .opts = {
            [OPT_METRIC] = { "metric", NULL, "0", false, false },
            [OPT_VNS] = { "vns", NULL, "", false, false },
            [OPT_POLICY] = { "policy", NULL, "", false, false },
            [OPT_RATE] = { "rate", NULL, "0", false, false },
            [OPT_NEXT_HOP] = { "next-hop", NULL, "", false, false },
        },
    };

    if (nva_ctl_check_name(ctx, "gateway", name)) {
        const struct nvarec_gateway *gw = find_gateway(ctx, name);

        if (gw && !may_exist) {
            ctl_error(ctx, "gateway %s exists already; choose another name, "
                      "or use --may-exist", name);
        } else if (gw) {
            if (!gw->vn || strcmp(gw->vn->name, ctx->argv[2])
                || strcmp(gw->nve, ctx->argv[3])
                || strcasecmp(gw->mac, ctx->argv[4])) {
                ctl_error(ctx, "gateway %s exists already, with another VN, "
                          "NVE or MAC; change it with \"nva-ctl set Gateway "
                          "%s ...\"", name, name);
            }
        } else if (parse_wanted(ctx, &w)) {
            insert_gateway(ctx, &w);
        }
    }
    free(w.mac);
    free(w.vns);
    svec_destroy(&w.ips);
    svec_destroy(&w.policy);
    svec_destroy(&w.next_hops);
}

/* gw-del */

static void
pre_gateway(struct ctl_context *ctx)
{
    ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_col_name);
    ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_col_vn);
    nva_ctl_pre_vn(ctx);
}

static void
cmd_gw_del(struct ctl_context *ctx)
{
    bool must_exist = !shash_find(&ctx->options, "--if-exists");

    for (int i = 1; i < ctx->argc; i++) {
        const struct nvarec_gateway *gw
            = must_exist ? nva_ctl_get_gateway(ctx, ctx->argv[i])
                         : find_gateway(ctx, ctx->argv[i]);
        if (ctx->error) {
            return;
        }
        if (gw) {
            nvarec_gateway_delete(gw);
        }
    }
}

/* gw-relocate */

static void
pre_gw_relocate(struct ctl_context *ctx)
{
    pre_gateway(ctx);
    nva_ctl_pre_port(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_port_col_vn);
    ovsdb_idl_add_column(ctx->idl, &nvarec_port_col_gateway);
}

static void
cmd_gw_relocate(struct ctl_context *ctx)
{
    const struct nvarec_port *port = nva_ctl_get_port(ctx, ctx->argv[1]);
    const struct nvarec_gateway *gw
        = port ? nva_ctl_get_gateway(ctx, ctx->argv[2]) : NULL;

    if (!gw) {
        return;
    } else if (gw->vn != port->vn) {
        ctl_error(ctx, "gateway %s is in VN %s, but port %s is in VN %s; "
                  "choose a gateway of that, see \"nva-ctl gw-list %s\"",
                  gw->name, gw->vn ? gw->vn->name : "(none)", port->name,
                  port->vn ? port->vn->name : "(none)",
                  port->vn ? port->vn->name : "");
    } else {
        nvarec_port_set_gateway(port, gw->name);
    }
}

/* gw-drain, gw-undrain */

static void
pre_gw_drain(struct ctl_context *ctx)
{
    pre_gateway(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_col_options);
}

static void
cmd_gw_drain(struct ctl_context *ctx)
{
    bool drain = !strcmp(ctx->argv[0], "gw-drain");

    for (size_t i = 1; i < ctx->argc; i++) {
        const struct nvarec_gateway *gw = nva_ctl_get_gateway(ctx,
                                                              ctx->argv[i]);

        if (!gw) {
            return;
        } else if (drain) {
            nvarec_gateway_update_options_setkey(gw, "drain", "true");
        } else {
            nvarec_gateway_update_options_delkey(gw, "drain");
        }
    }
}

/* gw-list */

static void
pre_gw_list(struct ctl_context *ctx)
{
    pre_gw_add(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_port_col_served_by);
}

/* Counts the ports that 'gw' serves. */
static size_t
count_ports(struct ctl_context *ctx, const struct nvarec_gateway *gw)
{
    const struct nvarec_port *port;
    size_t n = 0;

    NVAREC_PORT_FOR_EACH (port, ctx->idl) {
        n += port->vn == gw->vn && !strcmp(port->served_by, gw->name);
    }
    return n;
}

static int
compare_gateways(const void *a_, const void *b_)
{
    const struct nvarec_gateway *const *a = a_, *const *b = b_;

    return strcmp((*a)->name, (*b)->name);
}

const struct nvarec_gateway **
nva_ctl_sort_gateways(struct ctl_context *ctx,
                      const struct nvarec_virtual_network *vn, size_t *n)
{
    const struct nvarec_gateway **gws = NULL;
    const struct nvarec_gateway *gw;
    size_t allocated = 0;

    *n = 0;
    NVAREC_GATEWAY_FOR_EACH (gw, ctx->idl) {
        if (!vn || gw->vn == vn) {
            if (*n >= allocated) {
                gws = x2nrealloc(gws, &allocated, sizeof *gws);
            }
            gws[(*n)++] = gw;
        }
    }
    if (*n) {
        qsort(gws, *n, sizeof *gws, compare_gateways);
    }
    return gws;
}

static void
put_gateway(struct nva_ctl_listing *l, struct ctl_context *ctx,
            const struct nvarec_gateway *gw)
{
    enum { NAME, VN, NVE, MAC, IPS, METRIC, VNS, PORTS, STATE, ERR };
    struct svec vns = SVEC_EMPTY_INITIALIZER;

    for (size_t i = 0; i < gw->n_vns; i++) {
        svec_add(&vns, gw->vns[i]->name);
    }
    svec_sort(&vns);
    nva_ctl_listing_put(l, NAME, gw->name);
    nva_ctl_listing_put(l, VN, gw->vn ? gw->vn->name : "");
    nva_ctl_listing_put(l, NVE, gw->nve);
    nva_ctl_listing_put(l, MAC, gw->mac);
    nva_ctl_listing_put_set(l, IPS, gw->ips, gw->n_ips);
    nva_ctl_listing_put_integer(l, METRIC, gw->metric);
    nva_ctl_listing_put_set(l, VNS, vns.names, vns.n);
    nva_ctl_listing_put_integer(l, PORTS, count_ports(ctx, gw));
    nva_ctl_listing_put(l, STATE, gw->state);
    nva_ctl_listing_put(l, ERR, gw->error);
    nva_ctl_listing_end_row(l);
    svec_destroy(&vns);
}

static void
cmd_gw_list(struct ctl_context *ctx)
{
    static const char *const headings[] = {
        "name", "vn", "nve", "mac", "ips", "metric", "vns", "ports", "state",
        "error"
    };
    const struct nvarec_virtual_network *vn = NULL;
    const struct nvarec_gateway **gws;
    size_t n;
    struct nva_ctl_listing l;

    if (ctx->argc > 1) {
        vn = nva_ctl_get_vn(ctx, ctx->argv[1]);
    }
    if (ctx->error
        || !nva_ctl_listing_init(&l, ctx, headings, ARRAY_SIZE(headings))) {
        return;
    }
    gws = nva_ctl_sort_gateways(ctx, vn, &n);
    for (size_t i = 0; i < n; i++) {
        put_gateway(&l, ctx, gws[i]);
    }
    free(gws);
    nva_ctl_listing_uninit(&l);
}

const struct ctl_command_syntax nva_ctl_gateway_commands[] = {
    {"gw-add", 5, INT_MAX,
     "NAME VN NVE MAC IP... [metric=METRIC] [vns=VNS] [policy=POLICY] "
     "[rate=RATE] [next-hop=IP]",
     pre_gw_add, cmd_gw_add, NULL, "--may-exist", RW},
    {"gw-del", 1, INT_MAX, "GATEWAY...", pre_gateway, cmd_gw_del, NULL,
     "--if-exists", RW},
    {"gw-list", 0, 1, "[VN]", pre_gw_list, cmd_gw_list, NULL, "--columns=",
     RO},
    {"gw-relocate", 2, 2, "PORT GATEWAY", pre_gw_relocate, cmd_gw_relocate,
     NULL, "", RW},
    {"gw-drain", 1, INT_MAX, "GATEWAY...", pre_gw_drain, cmd_gw_drain, NULL,
     "", RW},
    {"gw-undrain", 1, INT_MAX, "GATEWAY...", pre_gw_drain, cmd_gw_drain, NULL,
     "", RW},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO},
};
