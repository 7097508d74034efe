/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* Commands on virtual networks. */

#include "nva-ctl.h"

#include <ctype.h>
#include <string.h>

#include "nva-ctl-addr.h"
#include "svec.h"
#include "util.h"

#define MAX_VNI 16777214

/* vn-add */

static void
pre_vn_add(struct ctl_context *ctx)
{
    nva_ctl_pre_vn(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_virtual_network_col_vni);
    ovsdb_idl_add_column(ctx->idl, &nvarec_virtual_network_col_subnets);
}

/* Parses VNI 'arg', which no VN but 'vn' (which may be null) may have. */
static bool
parse_vni(struct ctl_context *ctx, const char *arg,
          const struct nvarec_virtual_network *vn, unsigned int *vni)
{
    const struct nvarec_virtual_network *other;

    if (!isdigit((unsigned char) arg[0]) || !str_to_uint(arg, 10, vni)
        || *vni < 1 || *vni > MAX_VNI) {
        ctl_error(ctx, "VNI \"%s\" is not a number from 1 to %d",
                  arg, MAX_VNI);
        return false;
    }
    NVAREC_VIRTUAL_NETWORK_FOR_EACH (other, ctx->idl) {
        if (other != vn && other->vni == *vni) {
            ctl_error(ctx, "VNI %u is that of VN %s already; \"nva-ctl "
                      "vn-list\" lists those in use", *vni, other->name);
            return false;
        }
    }
    return true;
}

/* Parses the arguments from argv[3] on into 'subnets', in canonical form. */
static bool
parse_subnets(struct ctl_context *ctx, struct svec *subnets)
{
    struct nva_ctl_subnet *parsed = xcalloc(ctx->argc, sizeof *parsed);

    for (int i = 3; i < ctx->argc && !ctx->error; i++) {
        ctx->error = nva_ctl_addr_parse_subnet(ctx->argv[i], &parsed[i]);
        for (int j = 3; j < i && !ctx->error; j++) {
            if (nva_ctl_addr_subnets_overlap(&parsed[i], &parsed[j])) {
                ctl_error(ctx, "subnets %s and %s overlap; leave one out",
                          ctx->argv[j], ctx->argv[i]);
            }
        }
        if (!ctx->error) {
            svec_add_nocopy(subnets, nva_ctl_addr_format_subnet(&parsed[i]));
        }
    }
    free(parsed);
    return !ctx->error;
}

static void
check_existing_vn(struct ctl_context *ctx,
                  const struct nvarec_virtual_network *vn, unsigned int vni,
                  const struct svec *subnets)
{
    if (vn->vni != vni) {
        ctl_error(ctx, "VN %s exists already, with VNI %"PRId64"; use this "
                  "VNI, or another name", vn->name, vn->vni);
    } else if (!nva_ctl_same_set(vn->subnets, vn->n_subnets,
                                 subnets->names, subnets->n)) {
        ctl_error(ctx, "VN %s exists already, with other subnets; change them "
                  "with \"nva-ctl set Virtual_Network %s subnets=...\"",
                  vn->name, vn->name);
    }
}

static void
cmd_vn_add(struct ctl_context *ctx)
{
    const char *name = ctx->argv[1];
    bool may_exist = shash_find(&ctx->options, "--may-exist");
    struct svec subnets = SVEC_EMPTY_INITIALIZER;
    unsigned int vni;

    if (nva_ctl_check_name(ctx, "VN", name)) {
        const struct nvarec_virtual_network *vn = nva_ctl_find_vn(ctx, name);

        if (vn && !may_exist) {
            ctl_error(ctx, "VN %s exists already; choose another name, or use "
                      "--may-exist", name);
        } else if (parse_vni(ctx, ctx->argv[2], vn, &vni)
                   && parse_subnets(ctx, &subnets)) {
            if (vn) {
                check_existing_vn(ctx, vn, vni, &subnets);
            } else {
                vn = nvarec_virtual_network_insert(ctx->txn);
                nvarec_virtual_network_set_name(vn, name);
                nvarec_virtual_network_set_vni(vn, vni);
                nvarec_virtual_network_set_subnets(
                    vn, (const char **) subnets.names, subnets.n);
            }
        }
    }
    svec_destroy(&subnets);
}

/* vn-del */

static void
pre_vn_del(struct ctl_context *ctx)
{
    nva_ctl_pre_vn(ctx);
    nva_ctl_pre_port(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_port_col_vn);
    ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_col_name);
    ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_col_vn);
}

static bool
vn_is_used(struct ctl_context *ctx, const struct nvarec_virtual_network *vn)
{
    const struct nvarec_gateway *gw;
    const struct nvarec_port *port;
    const char *example = NULL;
    size_t n = 0;

    NVAREC_GATEWAY_FOR_EACH (gw, ctx->idl) {
        if (gw->vn == vn) {
            ctl_error(ctx, "VN %s has gateway %s; delete it first, with "
                      "\"nva-ctl gw-del %s\"", vn->name, gw->name, gw->name);
            return true;
        }
    }
    NVAREC_PORT_FOR_EACH (port, ctx->idl) {
        if (port->vn == vn) {
            example = !n++ || strcmp(port->name, example) < 0 ? port->name
                                                              : example;
        }
    }
    if (n) {
        ctl_error(ctx, "VN %s has %"PRIuSIZE" port%s, such as %s; delete %s "
                  "first, with \"nva-ctl port-del PORT...\"",
                  vn->name, n, n == 1 ? "" : "s", example,
                  n == 1 ? "it" : "them");
    }
    return n > 0;
}

static void
cmd_vn_del(struct ctl_context *ctx)
{
    bool must_exist = !shash_find(&ctx->options, "--if-exists");

    for (int i = 1; i < ctx->argc; i++) {
        const char *name = ctx->argv[i];
        const struct nvarec_virtual_network *vn
            = must_exist ? nva_ctl_get_vn(ctx, name)
                         : nva_ctl_find_vn(ctx, name);
        if (ctx->error || (vn && vn_is_used(ctx, vn))) {
            return;
        }
        if (vn) {
            nvarec_virtual_network_delete(vn);
        }
    }
}

/* vn-list */

static void
pre_vn_list(struct ctl_context *ctx)
{
    pre_vn_add(ctx);
    pre_vn_del(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_virtual_network_col_options);
    ovsdb_idl_add_column(ctx->idl, &nvarec_virtual_network_col_error);
}

static void
put_options(struct nva_ctl_listing *l, size_t column, const struct smap *smap)
{
    const struct smap_node **sorted = smap_sort(smap);
    struct svec s = SVEC_EMPTY_INITIALIZER;

    for (size_t i = 0; i < smap_count(smap); i++) {
        svec_add_nocopy(&s, xasprintf("%s=%s", sorted[i]->key,
                                      sorted[i]->value));
    }
    nva_ctl_listing_put_set(l, column, s.names, s.n);
    svec_destroy(&s);
    free(sorted);
}

/* Counts the ports of each VN into '*counts', its name to a size_t. */
static void
count_ports(struct ctl_context *ctx, struct shash *counts)
{
    const struct nvarec_port *port;

    NVAREC_PORT_FOR_EACH (port, ctx->idl) {
        if (port->vn) {
            size_t *n = shash_find_data(counts, port->vn->name);
            if (!n) {
                n = xzalloc(sizeof *n);
                shash_add(counts, port->vn->name, n);
            }
            ++*n;
        }
    }
}

static void
cmd_vn_list(struct ctl_context *ctx)
{
    enum { NAME, VNI, SUBNETS, PORTS, OPTIONS, ERR, N };
    static const char *const headings[N] = {
        "name", "vni", "subnets", "ports", "options", "error"
    };
    struct nva_ctl_listing l;
    if (!nva_ctl_listing_init(&l, ctx, headings, N)) {
        return;
    }

    struct shash counts = SHASH_INITIALIZER(&counts);
    struct shash vns = SHASH_INITIALIZER(&vns);
    const struct nvarec_virtual_network *vn;
    count_ports(ctx, &counts);
    NVAREC_VIRTUAL_NETWORK_FOR_EACH (vn, ctx->idl) {
        shash_add(&vns, vn->name, vn);
    }

    const struct shash_node **sorted = shash_sort(&vns);
    for (size_t i = 0; i < shash_count(&vns); i++) {
        vn = sorted[i]->data;
        const size_t *n = shash_find_data(&counts, vn->name);
        nva_ctl_listing_put(&l, NAME, vn->name);
        nva_ctl_listing_put_integer(&l, VNI, vn->vni);
        nva_ctl_listing_put_set(&l, SUBNETS, vn->subnets, vn->n_subnets);
        nva_ctl_listing_put_integer(&l, PORTS, n ? *n : 0);
        put_options(&l, OPTIONS, &vn->options);
        nva_ctl_listing_put(&l, ERR, vn->error);
        nva_ctl_listing_end_row(&l);
    }
    free(sorted);
    shash_destroy(&vns);
    shash_destroy_free_data(&counts);
    nva_ctl_listing_uninit(&l);
}

/* vn-set-option */

enum { OPT_UNKNOWN_UNICAST, OPT_RESPONDER_RATE, OPT_RESPONDER_BURST,
       OPT_MULTICAST, OPT_MULTICAST_GROUPS, OPT_ANNOUNCE_COUNT, OPT_LATE,
       OPT_LATE_TIME, OPT_ILA, OPT_GATEWAY_POLICY, OPT_GATEWAY_CHANGE,
       OPT_CONNECTION_IDLE, N_VN_OPTS };

/* The controller takes no more, for the intervals double. */
#define ANNOUNCE_COUNT_MAX 10

/* A day, in s. */
#define LATE_TIME_MAX 86400

/* In s, what OpenFlow can say. */
#define CONNECTION_IDLE_MAX 65535

static void
pre_vn_set_option(struct ctl_context *ctx)
{
    nva_ctl_pre_vn(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_virtual_network_col_options);
}

static bool
check_number(struct ctl_context *ctx, const struct nva_ctl_opt *opt,
             int min, int max)
{
    int n;

    if (!opt->given || !opt->value[0]
        || (isdigit((unsigned char) opt->value[0])
            && str_to_int(opt->value, 10, &n) && n >= min && n <= max)) {
        return true;
    }
    ctl_error(ctx, "%s=%s: must be a number from %d to %d", opt->key,
              opt->value, min, max);
    return false;
}

/* What locators take the place of. */
static bool
check_sir(struct ctl_context *ctx, const struct nva_ctl_opt *opt)
{
    struct nva_ctl_subnet subnet;

    if (!opt->given || !opt->value[0]) {
        return true;
    }
    ctx->error = nva_ctl_addr_parse_subnet(opt->value, &subnet);
    if (!ctx->error && (subnet.plen != 64
                        || IN6_IS_ADDR_V4MAPPED(&subnet.ip))) {
        ctl_error(ctx, "%s=%s: must be an IPv6 prefix of 64 bits, such as "
                  "2001:db8:0:1::/64", opt->key, opt->value);
    }
    return !ctx->error;
}

static void
cmd_vn_set_option(struct ctl_context *ctx)
{
    struct nva_ctl_opt opts[N_VN_OPTS] = {
        [OPT_UNKNOWN_UNICAST] = {
            "unknown_unicast", "drop,flood", "", false, true
        },
        [OPT_RESPONDER_RATE] = { "responder_rate", NULL, "", false, true },
        [OPT_RESPONDER_BURST] = { "responder_burst", NULL, "", false, true },
        [OPT_MULTICAST] = { "multicast", "snoop,flood", "", false, true },
        [OPT_MULTICAST_GROUPS] = { "multicast_groups", NULL, "", false, true },
        [OPT_ANNOUNCE_COUNT] = { "announce_count", NULL, "", false, true },
        [OPT_LATE] = {
            "late", "drop,icmp-unreachable,forward", "", false, true
        },
        [OPT_LATE_TIME] = { "late_time", NULL, "", false, true },
        [OPT_ILA] = { "ila", NULL, "", false, true },
        [OPT_GATEWAY_POLICY] = {
            "gateway_policy", "stay,nearest", "", false, true
        },
        [OPT_GATEWAY_CHANGE] = {
            "gateway_change", "all,new", "", false, true
        },
        [OPT_CONNECTION_IDLE] = { "connection_idle", NULL, "", false, true },
    };
    const struct nvarec_virtual_network *vn;

    vn = nva_ctl_get_vn(ctx, ctx->argv[1]);
    if (!vn
        || !nva_ctl_take_opts(ctx, 2, opts, N_VN_OPTS, NULL)
        || !check_number(ctx, &opts[OPT_RESPONDER_RATE], 0, INT_MAX)
        || !check_number(ctx, &opts[OPT_RESPONDER_BURST], 1, INT_MAX)
        || !check_number(ctx, &opts[OPT_MULTICAST_GROUPS], 1, INT_MAX)
        || !check_number(ctx, &opts[OPT_ANNOUNCE_COUNT], 0,
                         ANNOUNCE_COUNT_MAX)
        || !check_sir(ctx, &opts[OPT_ILA])
        || !check_number(ctx, &opts[OPT_LATE_TIME], 0, LATE_TIME_MAX)
        || !check_number(ctx, &opts[OPT_CONNECTION_IDLE], 1,
                         CONNECTION_IDLE_MAX)) {
        return;
    }
    for (size_t i = 0; i < N_VN_OPTS; i++) {
        if (!opts[i].given) {
            continue;
        }
        if (opts[i].value[0]) {
            nvarec_virtual_network_update_options_setkey(vn, opts[i].key,
                                                         opts[i].value);
        } else {
            nvarec_virtual_network_update_options_delkey(vn, opts[i].key);
        }
    }
}

const struct ctl_command_syntax nva_ctl_vn_commands[] = {
    {"vn-add", 2, INT_MAX, "NAME VNI [SUBNET]...", pre_vn_add, cmd_vn_add,
     NULL, "--may-exist", RW},
    {"vn-del", 1, INT_MAX, "VN...", pre_vn_del, cmd_vn_del, NULL,
     "--if-exists", RW},
    {"vn-list", 0, 0, "", pre_vn_list, cmd_vn_list, NULL, "--columns=", RO},
    {"vn-set-option", 2, INT_MAX, "VN KEY=VALUE...", pre_vn_set_option,
     cmd_vn_set_option, NULL, "", RW},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO},
};
