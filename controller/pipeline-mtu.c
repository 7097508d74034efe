/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "pipeline-private.h"

#include "cookie.h"
#include "flow.h"
#include "gateway.h"
#include "icmp-error.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"

/* The path MTU of what VMs send into tunnels (N6).
 *
 * An NVE that knows its underlay's MTU compares each packet with the MTU that
 * is left of that of the NVE where it goes, if known, and of its own.  One
 * that does not fit goes to the controller, which tells the VM.  So does what
 * a gateway has routed, and who sent it is told. */

/* Bytes of the underlay's MTU that encapsulation takes: inner Ethernet header,
 * UDP, Geneve without options or VXLAN, and outer IP. */
enum {
    TAKEN_IPV4 = ETH_HEADER_LEN + UDP_HEADER_LEN + 8 + IP_HEADER_LEN,
    TAKEN_IPV6 = ETH_HEADER_LEN + UDP_HEADER_LEN + 8 + IPV6_HEADER_LEN
};
BUILD_ASSERT_DECL(PIPELINE_UNDERLAY_MTU_MIN == 1280 + TAKEN_IPV6);

/* Adds a flow that compares what is left of the MTU of 'nve' for tunnels over
 * IPv6 or IPv4, and goes on in 'next'. */
static void
add_check(struct flow_list *fl, enum flow_table table, int priority,
          uint64_t cookie, const char *match, const struct nve *nve, bool ipv6,
          enum flow_table next)
{
    int mtu = nve->underlay_mtu - (ipv6 ? TAKEN_IPV6 : TAKEN_IPV4);

    flow_list_add(fl, table, priority, cookie, match,
                  "set_field:%d->"REG_MTU",check_pkt_larger(%d)->"REG_TOO_BIG
                  "[0],resubmit(,%d)", mtu, mtu + ETH_HEADER_LEN, next);
}

void
pipeline_add_mtu_nve__(struct flow_list *fl, const struct nve *nve)
{
    uint64_t cookie = cookie_make(COOKIE_NVE, nve->id);
    bool has[2] = { false, false };

    if (!nve->underlay_mtu) {
        return;
    }
    for (size_t i = 0; i < nve->n_ips; i++) {
        has[!topology_is_ipv4(&nve->ips[i])] = true;
    }

    flow_list_add(fl, FLOW_TABLE_PATH_MTU, FLOW_PRIO_DEFAULT, cookie, "",
                  "resubmit(,%d)", FLOW_TABLE_OWN_MTU);
    flow_list_add(fl, FLOW_TABLE_OWN_MTU, FLOW_PRIO_OVERRIDE, cookie,
                  REG_TOO_BIG"=1", "resubmit(,%d)", FLOW_TABLE_TOO_BIG);
    if (has[false]) {
        add_check(fl, FLOW_TABLE_OWN_MTU, FLOW_PRIO_DEFAULT, cookie, "", nve,
                  false, FLOW_TABLE_TOO_BIG);
    }
    if (has[true]) {
        add_check(fl, FLOW_TABLE_OWN_MTU, FLOW_PRIO_LOW, cookie,
                  "tun_dst=0.0.0.0", nve, true, FLOW_TABLE_TOO_BIG);
    }

    /* A flow of its own counts those that nobody answers. */
    flow_list_add(fl, FLOW_TABLE_TOO_BIG, FLOW_PRIO_LOW, cookie,
                  REG_TOO_BIG"=1", "drop");
    flow_list_add(fl, FLOW_TABLE_TOO_BIG, FLOW_PRIO_DEFAULT, cookie, "",
                  "resubmit(,%d)", FLOW_TABLE_TUNNEL);
}

void
pipeline_add_mtu_remote__(struct flow_list *fl, const struct port *port,
                          const struct nve *there, int ip)
{
    struct ds m = DS_EMPTY_INITIALIZER;

    if (there->underlay_mtu) {
        add_check(fl, FLOW_TABLE_PATH_MTU, FLOW_PRIO_NORMAL,
                  cookie_make(COOKIE_PORT, port->id),
                  fmt(&m, "metadata=%"PRIu32",dl_dst="ETH_ADDR_FMT,
                      port->vn->vni, ETH_ADDR_ARGS(port->mac)),
                  there, !topology_is_ipv4(&there->ips[ip]),
                  FLOW_TABLE_OWN_MTU);
    }
    ds_destroy(&m);
}

void
pipeline_add_mtu_local__(struct flow_list *fl, const struct port *port,
                         const struct nve *here, ofp_port_t ofport)
{
    static const char *const protocols[] = { "ip", "ipv6" };
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;

    if (fl->meter.id) {
        ds_put_format(&a, "meter:%"PRIu32",", fl->meter.id);
    }
    for (size_t i = 0; here->underlay_mtu && i < ARRAY_SIZE(protocols); i++) {
        flow_list_add(fl, FLOW_TABLE_TOO_BIG, FLOW_PRIO_NORMAL,
                      cookie_make(COOKIE_PORT, port->id),
                      fmt(&m, REG_TOO_BIG"=1,in_port=%"PRIu32",%s", ofport,
                          protocols[i]),
                      "%scontroller(max_len=%d,userdata=%02x)", ds_cstr(&a),
                      ICMP_ERROR_MAX_FRAME, PIPELINE_PUNT_TOO_BIG);
    }
    ds_destroy(&m);
    ds_destroy(&a);
}

/* Returns the gateway whose NVE is what limits the packets of 'port' at 'here'
 * that are to be routed, or null if none does. */
static const struct gateway *
narrowest_gateway(const struct port *port, const struct nve *here)
{
    const struct gateway *gws[] = {
        port->gateway, port->keep ? port->keep->gw : NULL
    };
    const struct gateway *best = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(gws); i++) {
        const struct gateway *gw = gws[i];

        if (gw && gw->nve != here && gw->nve->underlay_mtu
            && topology_tunnel_address(here, gw->nve) >= 0
            && (!best || gw->nve->underlay_mtu < best->nve->underlay_mtu)) {
            best = gw;
        }
    }
    return here->underlay_mtu ? best : NULL;
}

void
pipeline_add_mtu_way_out__(struct flow_list *fl, const struct port *port,
                           const struct nve *here, ofp_port_t ofport)
{
    const struct gateway *gw = narrowest_gateway(port, here);
    struct ds m = DS_EMPTY_INITIALIZER;

    if (gw) {
        int ip = topology_tunnel_address(here, gw->nve);

        add_check(fl, FLOW_TABLE_PATH_MTU, FLOW_PRIO_NORMAL,
                  cookie_make(COOKIE_PORT, port->id),
                  fmt(&m, "in_port=%"PRIu32",metadata=%"PRIu32
                      ",dl_dst="ETH_ADDR_FMT, ofport, port->vn->vni,
                      ETH_ADDR_ARGS(gw->config->mac)),
                  gw->nve, !topology_is_ipv4(&gw->nve->ips[ip]),
                  FLOW_TABLE_OWN_MTU);
    }
    ds_destroy(&m);
}

/* A packet that has been routed has the MAC address of another gateway as
 * source; the answer is for the one it came from. */
void
pipeline_add_mtu_gateway__(struct flow_list *fl, const struct gateway *gw)
{
    static const char *const protocols[] = { "ip", "ipv6" };
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;

    pipeline_put_unrouted__(&a, fl, ICMP_ERROR_TOO_BIG);
    for (size_t i = 0; (gw->nve->underlay_mtu
                        && i < ARRAY_SIZE(protocols)); i++) {
        flow_list_add(fl, FLOW_TABLE_TOO_BIG, FLOW_PRIO_NORMAL,
                      cookie_make(COOKIE_GATEWAY_SELF, gw->id),
                      fmt(&m, REG_TOO_BIG"=1,"REG_VN_IN"=%"PRIu32",%s",
                          gw->vn->vni, protocols[i]),
                      "move:"PIPELINE_MAC_IN"->NXM_OF_ETH_SRC[],%s",
                      ds_cstr(&a));
    }
    ds_destroy(&m);
    ds_destroy(&a);
}
