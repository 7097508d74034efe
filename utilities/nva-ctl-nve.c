/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* Commands on the database as a whole and on NVEs. */

#include "nva-ctl.h"

#include <ctype.h>
#include <string.h>

#include "nva-ctl-addr.h"
#include "svec.h"
#include "util.h"

/* As many as NVE:encap_ips may hold. */
#define MAX_ENCAP_IPS 8

static void
pre_init(struct ctl_context *ctx)
{
    ovsdb_idl_add_table(ctx->idl, &nvarec_table_nva_global);
}

static void
cmd_init(struct ctl_context *ctx)
{
    if (!nvarec_nva_global_first(ctx->idl)) {
        nvarec_nva_global_insert(ctx->txn);
    }
}

/* nve-add */

enum { OPT_OVSDB, OPT_ENCAP, OPT_BRIDGE, OPT_DATAPATH, N_NVE_OPTS };

static void
pre_nve_add(struct ctl_context *ctx)
{
    nva_ctl_pre_nve(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_nve_col_encap_ips);
    ovsdb_idl_add_column(ctx->idl, &nvarec_nve_col_encap_type);
    ovsdb_idl_add_column(ctx->idl, &nvarec_nve_col_ovsdb);
    ovsdb_idl_add_column(ctx->idl, &nvarec_nve_col_bridge);
    ovsdb_idl_add_column(ctx->idl, &nvarec_nve_col_datapath_type);
}

/* Returns the NVE that has 'ip', given in canonical form, or null. */
static const struct nvarec_nve *
find_nve_by_ip(struct ctl_context *ctx, const char *ip)
{
    const struct nvarec_nve *nve;

    NVAREC_NVE_FOR_EACH (nve, ctx->idl) {
        for (size_t i = 0; i < nve->n_encap_ips; i++) {
            char *s = nva_ctl_addr_canonicalize(nve->encap_ips[i]);
            bool same = !strcmp(s, ip);

            free(s);
            if (same) {
                return nve;
            }
        }
    }
    return NULL;
}

/* Adds 'arg' in canonical form to 'ips', the tunnel addresses of the NVE with
 * the given name. */
static bool
add_encap_ip(struct ctl_context *ctx, const char *arg, const char *name,
             struct svec *ips)
{
    struct in6_addr ip;

    ctx->error = nva_ctl_addr_parse_ip(arg, "ENCAP_IP", &ip);
    if (ctx->error) {
        return false;
    }

    char *s = nva_ctl_addr_format_ip(&ip);
    const struct nvarec_nve *other = find_nve_by_ip(ctx, s);
    if (other && strcmp(other->name, name)) {
        ctl_error(ctx, "ENCAP_IP %s is that of NVE %s already; give each NVE "
                  "its own", s, other->name);
    } else if (svec_contains_unsorted(ips, s)) {
        ctl_error(ctx, "ENCAP_IP %s is given twice; give it once", s);
    } else if (ips->n >= MAX_ENCAP_IPS) {
        ctl_error(ctx, "an NVE has at most %d ENCAP_IPs; leave some out",
                  MAX_ENCAP_IPS);
    } else {
        svec_add(ips, s);
    }
    free(s);
    return !ctx->error;
}

static bool
parse_encap_ips(struct ctl_context *ctx, const char *arg, const char *name,
                struct svec *ips)
{
    char *copy = xstrdup(arg);
    char *p = copy;
    const char *ip;
    bool ok = true;

    while (ok && (ip = strsep(&p, ",")) != NULL) {
        ok = add_encap_ip(ctx, ip, name, ips);
    }
    free(copy);
    return ok;
}

static bool
check_bridge(struct ctl_context *ctx, const char *bridge)
{
    bool ok = bridge[0] && strlen(bridge) < 16;

    for (const char *p = bridge; *p; p++) {
        ok = ok && isgraph((unsigned char) *p) && *p != '/';
    }
    if (!ok) {
        ctl_error(ctx, "bridge=%s: the name of a bridge must have 1 to 15 "
                  "characters, no blank and no \"/\"", bridge);
    }
    return ok;
}

static bool
check_nve_opts(struct ctl_context *ctx, const struct nva_ctl_opt opts[])
{
    if (opts[OPT_OVSDB].given) {
        ctx->error = nva_ctl_addr_check_remote(opts[OPT_OVSDB].value);
        if (ctx->error) {
            return false;
        }
    }
    return check_bridge(ctx, opts[OPT_BRIDGE].value);
}

/* Checks with --may-exist that 'nve' is as the command line wants it. */
static void
check_existing_nve(struct ctl_context *ctx, const struct nvarec_nve *nve,
                   const struct svec *ips, const struct nva_ctl_opt opts[])
{
    const char *have[N_NVE_OPTS] = {
        [OPT_OVSDB] = nve->ovsdb,
        [OPT_ENCAP] = nve->encap_type,
        [OPT_BRIDGE] = nve->bridge,
        [OPT_DATAPATH] = nve->datapath_type,
    };

    if (!nva_ctl_same_set(nve->encap_ips, nve->n_encap_ips,
                          ips->names, ips->n)) {
        ctl_error(ctx, "NVE %s exists already, with other ENCAP_IPs; change "
                  "it with \"nva-ctl set NVE %s encap_ips=...\"",
                  nve->name, nve->name);
        return;
    }
    for (size_t i = 0; i < N_NVE_OPTS; i++) {
        if (opts[i].given && strcmp(opts[i].value, have[i])) {
            ctl_error(ctx, "NVE %s exists already, with %s=%s; change it with "
                      "\"nva-ctl set NVE %s ...\"",
                      nve->name, opts[i].key, have[i], nve->name);
            return;
        }
    }
}

static void
insert_nve(struct ctl_context *ctx, const char *name, const struct svec *ips,
           const struct nva_ctl_opt opts[])
{
    const struct nvarec_nve *nve = nvarec_nve_insert(ctx->txn);

    nvarec_nve_set_name(nve, name);
    nvarec_nve_set_encap_ips(nve, (const char **) ips->names, ips->n);
    nvarec_nve_set_encap_type(nve, opts[OPT_ENCAP].value);
    nvarec_nve_set_ovsdb(nve, opts[OPT_OVSDB].value);
    nvarec_nve_set_bridge(nve, opts[OPT_BRIDGE].value);
    nvarec_nve_set_datapath_type(nve, opts[OPT_DATAPATH].value);
}

static void
cmd_nve_add(struct ctl_context *ctx)
{
    const char *name = ctx->argv[1];
    bool may_exist = shash_find(&ctx->options, "--may-exist");
    struct nva_ctl_opt opts[N_NVE_OPTS] = {
        [OPT_OVSDB] = { "ovsdb", NULL, "", false },
        [OPT_ENCAP] = { "encap", "geneve,vxlan", "geneve", false },
        [OPT_BRIDGE] = { "bridge", NULL, "br-int", false },
        [OPT_DATAPATH] = { "datapath", "netdev,system", "", false },
    };
    struct svec ips = SVEC_EMPTY_INITIALIZER;

    if (nva_ctl_check_name(ctx, "NVE", name)) {
        const struct nvarec_nve *nve = nva_ctl_find_nve(ctx, name);

        if (nve && !may_exist) {
            ctl_error(ctx, "NVE %s exists already; choose another name, or "
                      "use --may-exist", name);
        } else if (parse_encap_ips(ctx, ctx->argv[2], name, &ips)
                   && nva_ctl_take_opts(ctx, 3, opts, N_NVE_OPTS, NULL)
                   && check_nve_opts(ctx, opts)) {
            if (nve) {
                check_existing_nve(ctx, nve, &ips, opts);
            } else {
                insert_nve(ctx, name, &ips, opts);
            }
        }
    }
    svec_destroy(&ips);
}

/* nve-del */

static void
pre_nve_del(struct ctl_context *ctx)
{
    nva_ctl_pre_nve(ctx);
    nva_ctl_pre_port(ctx);
    nva_ctl_pre_migration(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_port_col_nve);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_new_nve);
    ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_col_name);
    ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_col_nve);
}

static bool
nve_is_used(struct ctl_context *ctx, const char *name)
{
    const struct nvarec_migration *m;
    const struct nvarec_gateway *gw;
    const struct nvarec_port *port;
    const char *example = NULL;
    size_t n = 0;

    NVAREC_GATEWAY_FOR_EACH (gw, ctx->idl) {
        if (!strcmp(gw->nve, name)) {
            ctl_error(ctx, "gateway %s is at NVE %s; delete it first, with "
                      "\"nva-ctl gw-del %s\"", gw->name, name, gw->name);
            return true;
        }
    }
    NVAREC_PORT_FOR_EACH (port, ctx->idl) {
        if (port->nve && !strcmp(port->nve, name)) {
            example = !n++ || strcmp(port->name, example) < 0 ? port->name
                                                              : example;
        }
    }
    if (n) {
        ctl_error(ctx, "NVE %s has %"PRIuSIZE" port%s bound, such as %s; move "
                  "%s away first, with \"nva-ctl migrate PORT NEW_NVE\"",
                  name, n, n == 1 ? "" : "s", example,
                  n == 1 ? "it" : "them");
        return true;
    }
    NVAREC_MIGRATION_FOR_EACH (m, ctx->idl) {
        if (!strcmp(m->new_nve, name) && nva_ctl_migration_is_active(m)) {
            ctl_error(ctx, "port %s is moving to NVE %s; wait for the end, or "
                      "use \"nva-ctl migrate-cancel %s\"",
                      m->port, name, m->port);
            return true;
        }
    }
    return false;
}

static void
cmd_nve_del(struct ctl_context *ctx)
{
    bool must_exist = !shash_find(&ctx->options, "--if-exists");

    for (int i = 1; i < ctx->argc; i++) {
        const char *name = ctx->argv[i];
        const struct nvarec_nve *nve = (must_exist
                                        ? nva_ctl_get_nve(ctx, name)
                                        : nva_ctl_find_nve(ctx, name));
        if (ctx->error || (nve && nve_is_used(ctx, name))) {
            return;
        }
        if (nve) {
            nvarec_nve_delete(nve);
        }
    }
}

/* nve-list */

static void
pre_nve_list(struct ctl_context *ctx)
{
    pre_nve_add(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_nve_col_connected);
    ovsdb_idl_add_column(ctx->idl, &nvarec_nve_col_synced);
    ovsdb_idl_add_column(ctx->idl, &nvarec_nve_col_ovs_version);
    ovsdb_idl_add_column(ctx->idl, &nvarec_nve_col_n_flows);
    ovsdb_idl_add_column(ctx->idl, &nvarec_nve_col_error);
}

static void
cmd_nve_list(struct ctl_context *ctx)
{
    enum { NAME, STATUS, ENCAP, ENCAP_IPS, BRIDGE, DATAPATH, OVSDB, FLOWS,
           OVS_VERSION, ERR, N };
    static const char *const headings[N] = {
        "name", "status", "encap", "encap_ips", "bridge", "datapath", "ovsdb",
        "flows", "ovs_version", "error"
    };
    struct nva_ctl_listing l;
    if (!nva_ctl_listing_init(&l, ctx, headings, N)) {
        return;
    }

    struct shash nves = SHASH_INITIALIZER(&nves);
    const struct nvarec_nve *nve;
    NVAREC_NVE_FOR_EACH (nve, ctx->idl) {
        shash_add(&nves, nve->name, nve);
    }

    const struct shash_node **sorted = shash_sort(&nves);
    for (size_t i = 0; i < shash_count(&nves); i++) {
        nve = sorted[i]->data;
        nva_ctl_listing_put(&l, NAME, nve->name);
        nva_ctl_listing_put(&l, STATUS, nva_ctl_nve_status(nve));
        nva_ctl_listing_put(&l, ENCAP, nve->encap_type);
        nva_ctl_listing_put_set(&l, ENCAP_IPS, nve->encap_ips,
                                nve->n_encap_ips);
        nva_ctl_listing_put(&l, BRIDGE, nve->bridge);
        nva_ctl_listing_put(&l, DATAPATH, nve->datapath_type);
        nva_ctl_listing_put(&l, OVSDB, nve->ovsdb);
        nva_ctl_listing_put_integer(&l, FLOWS, nve->n_flows);
        nva_ctl_listing_put(&l, OVS_VERSION, nve->ovs_version);
        nva_ctl_listing_put(&l, ERR, nve->error);
        nva_ctl_listing_end_row(&l);
    }
    free(sorted);
    shash_destroy(&nves);
    nva_ctl_listing_uninit(&l);
}

const struct ctl_command_syntax nva_ctl_nve_commands[] = {
    {"init", 0, 0, "", pre_init, cmd_init, NULL, "", RW},
    {"nve-add", 2, INT_MAX,
     "NAME ENCAP_IPS [ovsdb=REMOTE] [encap=ENCAP] [bridge=BRIDGE] "
     "[datapath=DATAPATH]",
     pre_nve_add, cmd_nve_add, NULL, "--may-exist", RW},
    {"nve-del", 1, INT_MAX, "NVE...", pre_nve_del, cmd_nve_del, NULL,
     "--if-exists", RW},
    {"nve-list", 0, 0, "", pre_nve_list, cmd_nve_list, NULL, "--columns=", RO},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO},
};
