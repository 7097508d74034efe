/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "pipeline-private.h"

#include "cookie.h"
#include "flow.h"
#include "ila.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"

/* VMs behind identifiers and locators (V5), see ila.h.
 *
 * What is sent to a VM elsewhere, to its address with the SIR prefix, leaves
 * by the bridge's local port with the locator instead, and the host routes it.
 * All else goes through tunnels as in any virtual network: group addresses,
 * neighbor discovery, what an NVE redirects, and what is sent to a place that
 * has just been learned in the data path. */

/* Returns true if 'ip' is an address of 'vn' that is translated for 'nve'. */
static bool
is_translated(const struct vn *vn, const struct nve *nve,
              const struct in6_addr *ip)
{
    return (ipv6_addr_is_set(&vn->sir) && ipv6_addr_is_set(&nve->locator)
            && ila_has_prefix(ip, &vn->sir));
}

void
pipeline_add_ila_nve__(struct flow_list *fl, const struct nve *nve)
{
    uint64_t cookie = cookie_make(COOKIE_NVE, nve->id);
    struct ds m = DS_EMPTY_INITIALIZER;

    if (!ipv6_addr_is_set(&nve->locator) || eth_addr_is_zero(nve->host_mac)) {
        return;
    }

    /* The host has a route for its locator by this neighbor. */
    flow_list_add(fl, FLOW_TABLE_CLASSIFY, FLOW_PRIO_OVERRIDE, cookie,
                  "in_port=LOCAL,icmp6,icmp_type=135,icmp_code=0,"
                  "nd_target="FLOW_NVA_LLA,
                  "set_field:%#"PRIx64"->"FLOW_XREG_ND_MAC","
                  "set_field:2->"REG_ND_OPTION",set_field:136->icmpv6_type,"
                  "resubmit(,%d)", eth_addr_to_uint64(flow_nva_mac()),
                  FLOW_TABLE_ND_REPLY);

    flow_list_add(fl, FLOW_TABLE_OUTPUT, FLOW_PRIO_OVERRIDE, cookie,
                  fmt(&m, "ipv6,"REG_PLACE"=%d,"REG_ORIGIN"=%d",
                      FLOW_PLACE_REMOTE, FLOW_FROM_VM),
                  "resubmit(,%d)", FLOW_TABLE_ILA);

    /* Neighbor discovery must not be routed (RFC 4861 section 11.2). */
    for (int type = 133; type <= 137; type++) {
        flow_list_add(fl, FLOW_TABLE_ILA, FLOW_PRIO_OVERRIDE, cookie,
                      fmt(&m, "icmp6,icmp_type=%d", type), "resubmit(,%d)",
                      FLOW_TABLE_TUNNEL);
    }
    flow_list_add(fl, FLOW_TABLE_ILA, FLOW_PRIO_DEFAULT, cookie, "",
                  "resubmit(,%d)", pipeline_to_tunnel__(nve));
    flow_list_add(fl, FLOW_TABLE_ILA_OUTPUT, FLOW_PRIO_DEFAULT, cookie, "",
                  "set_field:"FLOW_NVA_MAC"->eth_src,"
                  "set_field:"ETH_ADDR_FMT"->eth_dst,output:LOCAL",
                  ETH_ADDR_ARGS(nve->host_mac));
    ds_destroy(&m);
}

/* The locator takes the place of the SIR prefix.  Only on the way to the NVE
 * that has this locator: one that was learned in the data path is another. */
void
pipeline_add_ila_remote__(struct flow_list *fl, const struct port *port,
                          const struct nve *there, int ip)
{
    for (size_t i = 0; i < port->n_ips; i++) {
        if (is_translated(port->vn, there, &port->ips[i])) {
            struct in6_addr a = ila_translate(&port->ips[i], &there->locator);
            struct ds m = DS_EMPTY_INITIALIZER;
            char dst[INET6_ADDRSTRLEN];

            ipv6_string_mapped(dst, &a);
            ds_put_format(&m, "ipv6,metadata=%"PRIu32",dl_dst="ETH_ADDR_FMT
                          ",ipv6_dst=", port->vn->vni,
                          ETH_ADDR_ARGS(port->mac));
            ipv6_format_addr(&port->ips[i], &m);
            ds_put_format(&m, ",%s=", topology_is_ipv4(&there->ips[ip])
                                      ? "tun_dst" : "tun_ipv6_dst");
            ipv6_format_mapped(&there->ips[ip], &m);
            flow_list_add(fl, FLOW_TABLE_ILA, FLOW_PRIO_NORMAL,
                          cookie_make(COOKIE_PORT, port->id), ds_cstr(&m),
                          "set_field:%s->ipv6_dst,resubmit(,%d)", dst,
                          FLOW_TABLE_ILA_OUTPUT);
            ds_destroy(&m);
        }
    }
}

/* The SIR prefix takes the place of the locator of 'here'.  From there on a
 * packet is one that a tunnel brought. */
void
pipeline_add_ila_local__(struct flow_list *fl, const struct port *port,
                         const struct nve *here, int priority,
                         uint64_t cookie)
{
    for (size_t i = 0; i < port->n_ips; i++) {
        if (is_translated(port->vn, here, &port->ips[i])) {
            struct in6_addr a = ila_translate(&port->ips[i], &here->locator);
            struct ds m = DS_EMPTY_INITIALIZER;
            char sir[INET6_ADDRSTRLEN];

            ipv6_string_mapped(sir, &port->ips[i]);
            ds_put_cstr(&m, "in_port=LOCAL,ipv6,ipv6_dst=");
            ipv6_format_addr(&a, &m);
            flow_list_add(fl, FLOW_TABLE_CLASSIFY, priority, cookie,
                          ds_cstr(&m), "set_field:%s->ipv6_dst,"
                          "set_field:"FLOW_NVA_MAC"->eth_src,"
                          "set_field:"ETH_ADDR_FMT"->eth_dst,"
                          "set_field:%"PRIu32"->metadata,"
                          "set_field:%d->"REG_ORIGIN","
                          "load:0xffff->NXM_OF_IN_PORT[],resubmit(,%d)", sir,
                          ETH_ADDR_ARGS(port->mac), port->vn->vni,
                          FLOW_FROM_TUNNEL, FLOW_TABLE_LOOKUP);
            ds_destroy(&m);
        }
    }
}
