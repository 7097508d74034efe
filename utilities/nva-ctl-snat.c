/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* The external addresses of gateways (source NAT). */

#include "nva-ctl.h"

#include <stdlib.h>
#include <string.h>

#include "nva-ctl-addr.h"
#include "packets.h"
#include "smap.h"
#include "util.h"

void
nva_ctl_pre_snat(struct ctl_context *ctx)
{
    ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_col_name);
    ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_col_vn);
    ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_col_vns);
    ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_col_options);
}

const struct nvarec_gateway *
nva_ctl_find_gateway_by_address(struct ctl_context *ctx,
                                const struct nvarec_virtual_network *vn,
                                const char *address)
{
    const struct nvarec_gateway *best = NULL;
    const struct nvarec_gateway *gw;

    NVAREC_GATEWAY_FOR_EACH (gw, ctx->idl) {
        bool found = gw->vn == vn && !strcasecmp(gw->mac, address);

        for (size_t i = 0; gw->vn == vn && i < gw->n_ips; i++) {
            size_t n = strcspn(gw->ips[i], "/");

            found |= (strlen(address) == n
                      && !strncmp(gw->ips[i], address, n));
        }
        if (found && (!best || strcmp(gw->name, best->name) < 0)) {
            best = gw;
        }
    }
    return best;
}

static bool
leads_to(const struct nvarec_gateway *gw,
         const struct nvarec_virtual_network *vn)
{
    for (size_t i = 0; i < gw->n_vns; i++) {
        if (gw->vns[i] == vn) {
            return true;
        }
    }
    return gw->vn == vn;
}

bool
nva_ctl_is_no_snat(struct ctl_context *ctx,
                   const struct nvarec_virtual_network *vn,
                   const char *address)
{
    const struct nvarec_gateway *best = NULL;
    const struct nvarec_gateway *gw;

    NVAREC_GATEWAY_FOR_EACH (gw, ctx->idl) {
        const char *snat = smap_get(&gw->options, "snat");

        if (snat && !strcmp(snat, address) && leads_to(gw, vn)
            && (!best || strcmp(gw->name, best->name) < 0)) {
            best = gw;
        }
    }
    if (best) {
        ctl_error(ctx, "gateway %s translates to %s already; choose another "
                  "address", best->name, address);
    }
    return !best;
}

bool
nva_ctl_has_neighbor(char *const ips[], size_t n, const struct in6_addr *ip)
{
    for (size_t i = 0; i < n; i++) {
        struct nva_ctl_subnet subnet = { .plen = 0 };
        char *error = ipv6_parse_cidr(ips[i], &subnet.ip, &subnet.plen);
        struct in6_addr mask;

        if (error) {
            ovs_be32 ip4 = 0;

            free(error);
            free(ip_parse_cidr(ips[i], &ip4, &subnet.plen));
            subnet.ip = in6_addr_mapped_ipv4(ip4);
            subnet.plen += 96;
        }
        mask = ipv6_create_mask(subnet.plen);
        subnet.ip = ipv6_addr_bitand(&subnet.ip, &mask);
        if (nva_ctl_addr_subnet_contains(&subnet, ip)) {
            return true;
        }
    }
    return false;
}

/* gw-set-snat */

static void
pre_gw_set_snat(struct ctl_context *ctx)
{
    nva_ctl_pre_addresses(ctx);
    nva_ctl_pre_snat(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_col_ips);
    ovsdb_idl_add_column(ctx->idl, &nvarec_gateway_col_mac);
}

/* Checks that 'ip' is no address in 'vn'. */
static bool
address_is_free(struct ctl_context *ctx,
                const struct nvarec_virtual_network *vn, const char *ip)
{
    const struct nvarec_port *port = nva_ctl_find_address(ctx, vn, ip);
    const struct nvarec_gateway *gw = nva_ctl_find_gateway_by_address(
        ctx, vn, ip);

    if (port || gw) {
        ctl_error(ctx, "IP %s is that of %s %s in VN %s already; choose one "
                  "that nobody has", ip, port ? "port" : "gateway",
                  port ? port->name : gw->name, vn->name);
    }
    return !port && !gw;
}

static bool
is_taken(struct ctl_context *ctx, const struct nvarec_gateway *gw,
         const char *ip)
{
    const struct nvarec_gateway *other;

    NVAREC_GATEWAY_FOR_EACH (other, ctx->idl) {
        const char *snat = smap_get(&other->options, "snat");

        if (other != gw && snat && !strcmp(snat, ip)) {
            ctl_error(ctx, "gateway %s translates to %s already; choose "
                      "another address", other->name, ip);
            return true;
        }
    }
    return false;
}

static bool
parse_snat(struct ctl_context *ctx, const struct nvarec_gateway *gw,
           const char *arg)
{
    struct in6_addr ip;

    ctx->error = nva_ctl_addr_parse_ip(arg, "IP", &ip);
    if (ctx->error) {
        return false;
    } else if (!IN6_IS_ADDR_V4MAPPED(&ip)) {
        ctl_error(ctx, "IP %s: only IPv4 is translated; give an IPv4 address",
                  arg);
    } else if (nva_ctl_has_neighbor(gw->ips, gw->n_ips, &ip)) {
        ctl_error(ctx, "IP %s is in the network of gateway %s itself; give "
                  "an address outside", arg, gw->name);
    } else if (!is_taken(ctx, gw, arg)
               && (!gw->vn || address_is_free(ctx, gw->vn, arg))) {
        for (size_t i = 0; i < gw->n_vns && !ctx->error; i++) {
            address_is_free(ctx, gw->vns[i], arg);
        }
    }
    return !ctx->error;
}

static void
cmd_gw_set_snat(struct ctl_context *ctx)
{
    const struct nvarec_gateway *gw = nva_ctl_get_gateway(ctx, ctx->argv[1]);
    struct smap options;

    if (!gw || (ctx->argc > 2 && !parse_snat(ctx, gw, ctx->argv[2]))) {
        return;
    }
    /* The whole column, so that further commands of this transaction see
     * it. */
    smap_clone(&options, &gw->options);
    smap_remove(&options, "snat");
    if (ctx->argc > 2) {
        smap_add(&options, "snat", ctx->argv[2]);
    }
    nvarec_gateway_verify_options(gw);
    nvarec_gateway_set_options(gw, &options);
    smap_destroy(&options);
}

const struct ctl_command_syntax nva_ctl_snat_commands[] = {
    {"gw-set-snat", 1, 2, "GATEWAY [IP]", pre_gw_set_snat, cmd_gw_set_snat,
     NULL, "", RW},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO},
};
