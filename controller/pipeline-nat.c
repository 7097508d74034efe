/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "pipeline-private.h"

#include "cookie.h"
#include "gateway.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"

/* Source NAT (RFC 3022).  It is a part of two routes: that from the VN into
 * the outside gives a packet its external source, and that of the external
 * address outside, which is longer than any other, gives a reply its inner
 * destination and leads into the VN.  So each VN, and its policy, sees none
 * but its own addresses; and what has other ways passes no ct(). */

/* The meter that limits answers to ARP for the external address has the number
 * of the gateway plus this; in packets/s. */
#define NAT_METER_BASE 0xa0000
#define NAT_METER_RATE 100

/* The longest prefix of a route. */
#define HOST_ROUTE (FLOW_PRIO_ROUTE + 128)

bool
pipeline_translates__(const struct gateway *gw, const struct gateway *other)
{
    return ipv6_addr_is_set(&gw->snat) && gateway_is_exit(other);
}

static ovs_be32
external_ip(const struct gateway *gw)
{
    return in6_addr_get_mapped_ipv4(&gw->snat);
}

void
pipeline_put_translation__(struct ds *s, const struct gateway *gw)
{
    ds_put_format(s, "ct(commit,table=%d,zone=%"PRIu16",nat(src="IP_FMT"))",
                  FLOW_TABLE_NAT, gw->zone, IP_ARGS(external_ip(gw)));
}

static void
add_answers(struct flow_list *fl, uint64_t cookie, const struct gateway *gw,
            const struct gateway *exit)
{
    if (!gateway_is_neighbor(exit->config, &gw->snat)) {
        return;                 /* Routers have a route for it. */
    }
    pipeline_add_answer__(fl, &(struct pipeline_answer) {
            .vn = exit->vn, .cookie = cookie, .mac = exit->config->mac,
            .is_router = true,
        }, &gw->snat);
    pipeline_add_uplink_answer__(fl, cookie, exit, &gw->snat);
}

/* In the VN of 'exit', which the table "nat" enters: only what has got the
 * external address goes on.  Open vSwitch may have found no free port for it,
 * or not have taken it for a connection at all. */
static void
add_exit(struct flow_list *fl, uint64_t cookie, const struct gateway *gw,
         const struct gateway *exit)
{
    struct ds m = DS_EMPTY_INITIALIZER;

    flow_list_add(fl, FLOW_TABLE_NAT, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, "metadata=%"PRIu32",ct_zone=%"PRIu16","
                      "ct_state=+trk-inv,ip,nw_src="IP_FMT, exit->vn->vni,
                      gw->zone, IP_ARGS(external_ip(gw))),
                  "resubmit(,%d)", FLOW_TABLE_POLICY_IN);
    flow_list_add(fl, FLOW_TABLE_ROUTE, HOST_ROUTE, cookie,
                  fmt(&m, "metadata=%"PRIu32",ip,nw_dst="IP_FMT,
                      exit->vn->vni, IP_ARGS(external_ip(gw))),
                  "set_field:%"PRIu32"->metadata,"
                  "ct(table=%d,zone=%"PRIu16",nat)", gw->vn->vni,
                  FLOW_TABLE_NAT, gw->zone);
    add_answers(fl, cookie, gw, exit);
    ds_destroy(&m);
}

struct flow_list *
pipeline_nat(const struct gateway *gw)
{
    uint64_t cookie = cookie_make(COOKIE_NAT, gw->id);
    const struct gateway *exit;
    struct flow_list *fl;
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;

    if (!ipv6_addr_is_set(&gw->snat)) {
        return NULL;
    }
    fl = flow_list_create();
    fl->meter.id = NAT_METER_BASE + gw->number;
    fl->meter.rate = fl->meter.burst = NAT_METER_RATE;
    LIST_FOR_EACH (exit, nve_node, &gw->nve->gateways) {
        struct gateway *other;

        if (exit != gw && gateway_reaches(gw, exit->vn, &other)
            && pipeline_translates__(gw, exit)) {
            add_exit(fl, cookie, gw, exit);
        }
    }

    /* Replies, ICMP errors among them, have got their destination. */
    flow_list_add(fl, FLOW_TABLE_NAT, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, "metadata=%"PRIu32",ct_zone=%"PRIu16","
                      "ct_state=+trk+rpl-inv", gw->vn->vni, gw->zone),
                  "resubmit(,%d)", FLOW_TABLE_POLICY_IN);
    /* What the controller says of a packet that had been translated. */
    pipeline_put_send_routed__(&a);
    flow_list_add(fl, FLOW_TABLE_NAT, FLOW_PRIO_OVERRIDE, cookie,
                  fmt(&m, "ct_zone=%"PRIu16",ct_state=+trk+rel-inv,"
                      REG_ORIGIN"=%d,ip", gw->zone, FLOW_ROUTED), "%s",
                  ds_cstr(&a));
    /* Connections from outside, which nobody here has begun; counted. */
    flow_list_add(fl, FLOW_TABLE_NAT, FLOW_PRIO_DEFAULT, cookie,
                  fmt(&m, "ct_zone=%"PRIu16, gw->zone), "drop");
    /* A VM has no business with it. */
    flow_list_add(fl, FLOW_TABLE_ROUTE, HOST_ROUTE, cookie,
                  fmt(&m, "metadata=%"PRIu32",ip,nw_dst="IP_FMT, gw->vn->vni,
                      IP_ARGS(external_ip(gw))), "drop");
    ds_destroy(&m);
    ds_destroy(&a);
    return flow_list_finish(fl);
}
