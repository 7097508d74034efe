/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "pipeline-private.h"

#include "cookie.h"
#include "flow.h"
#include "icmp-error.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"

/* The meter that limits the late packets of a VN that the controller has to
 * answer, in packets/s; RFC 4443 section 2.4 (f) suggests such a one.  Its
 * number is that of the VN plus this, so that no VN takes from another. */
#define LATE_METER_BASE 0x1000000
#define LATE_METER_RATE 10

/* Bits of REG_PLACE that distinguish places where packets are on their way
 * (local, redirect) from those where they are late. */
#define LATE_PLACES 0
#define LATE_PLACES_MASK (UINT32_MAX & ~(FLOW_PLACE_REMOTE                  \
                                         | FLOW_PLACE_CLOSED))
BUILD_ASSERT_DECL((FLOW_PLACE_UNKNOWN & LATE_PLACES_MASK) == LATE_PLACES
                  && (FLOW_PLACE_REMOTE & LATE_PLACES_MASK) == LATE_PLACES
                  && (FLOW_PLACE_CLOSED & LATE_PLACES_MASK) == LATE_PLACES
                  && (FLOW_PLACE_LOCAL & LATE_PLACES_MASK) != LATE_PLACES
                  && (FLOW_PLACE_REDIRECT & LATE_PLACES_MASK) != LATE_PLACES);

void
pipeline_add_unanswerable__(struct flow_list *fl, uint64_t cookie)
{
    static const char *const matches[] = {
        "icmp,icmp_type=3", "icmp,icmp_type=4", "icmp,icmp_type=5",
        "icmp,icmp_type=11", "icmp,icmp_type=12",
        "icmp6,icmp_type=1", "icmp6,icmp_type=2", "icmp6,icmp_type=3",
        "icmp6,icmp_type=4", "icmp6,icmp_type=137",
        "ip,nw_frag=later", "ipv6,nw_frag=later"
    };

    for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
        flow_list_add(fl, FLOW_TABLE_LATE, FLOW_PRIO_OVERRIDE, cookie,
                      matches[i], "drop");
    }
}

/* The controller gets what it can answer, all of what an answer quotes. */
static void
add_answers(struct flow_list *fl, const struct port *port, uint64_t cookie)
{
    static const char *const protocols[] = { "ip", "ipv6" };
    struct ds m = DS_EMPTY_INITIALIZER;

    fl->meter.id = LATE_METER_BASE + port->vn->vni;
    fl->meter.rate = fl->meter.burst = LATE_METER_RATE;
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        flow_list_add(fl, FLOW_TABLE_LATE, FLOW_PRIO_NORMAL, cookie,
                      fmt(&m, "metadata=%"PRIu32",dl_dst="ETH_ADDR_FMT",%s",
                          port->vn->vni, ETH_ADDR_ARGS(port->mac),
                          protocols[i]),
                      "meter:%"PRIu32",controller(max_len=%d,userdata=%02x)",
                      fl->meter.id, ICMP_ERROR_MAX_FRAME, PIPELINE_PUNT_LATE);
    }
    ds_destroy(&m);
}

/* Adds 'actions' for what arrives for 'port' with the register fields
 * 'from'. */
static void
add_late_output(struct flow_list *fl, const struct port *port,
                uint64_t cookie, const char *from, const char *actions)
{
    struct ds m = DS_EMPTY_INITIALIZER;

    flow_list_add(fl, FLOW_TABLE_OUTPUT, FLOW_PRIO_REDIRECT, cookie,
                  fmt(&m, "%s,metadata=%"PRIu32",dl_dst="ETH_ADDR_FMT, from,
                      port->vn->vni, ETH_ADDR_ARGS(port->mac)),
                  "%s", actions);
    ds_destroy(&m);
}

struct flow_list *
pipeline_late(const struct port *port, const struct nve *here, bool closed,
              const struct nve *there, int ip)
{
    uint64_t cookie = cookie_make(COOKIE_LATE, port->id);
    bool answer = port->vn->late == VN_LATE_ICMP_UNREACHABLE;
    bool forward = (port->vn->late == VN_LATE_FORWARD && !closed && there
                    && ip >= 0);
    struct ds from = DS_EMPTY_INITIALIZER;
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;
    struct flow_list *fl;

    /* The end of table 'output' drops what is of no other use, and counts. */
    if (!answer && !forward) {
        return NULL;
    }

    fl = flow_list_create();
    ds_put_format(&a, "resubmit(,%d)",
                  answer ? FLOW_TABLE_LATE : FLOW_TABLE_TUNNEL);
    add_late_output(fl, port, cookie,
                    fmt(&from, REG_PLACE"=%d/%#"PRIx32","REG_ORIGIN"=%d",
                        LATE_PLACES, LATE_PLACES_MASK, FLOW_FROM_TUNNEL),
                    ds_cstr(&a));
    pipeline_add_ila_local__(fl, port, here, FLOW_PRIO_LOW, cookie);
    if (answer) {
        add_answers(fl, port, cookie);
    }
    if (closed) {
        add_late_output(fl, port, cookie,
                        fmt(&from, REG_PLACE"=%d,"REG_ORIGIN"=%d",
                            FLOW_PLACE_CLOSED, FLOW_FROM_VM), ds_cstr(&a));
    }
    if (forward) {
        /* Below the mapping that the NVE has if it is in the VN. */
        ds_clear(&a);
        pipeline_put_tunnel_to__(&a, there, ip);
        flow_list_add(fl, FLOW_TABLE_MAPPING, FLOW_PRIO_LOW, cookie,
                      fmt(&m, REG_ORIGIN"=%d,metadata=%"PRIu32
                          ",dl_dst="ETH_ADDR_FMT, FLOW_FROM_TUNNEL,
                          port->vn->vni, ETH_ADDR_ARGS(port->mac)),
                      "set_field:%d->"REG_PLACE",%s", FLOW_PLACE_REMOTE,
                      ds_cstr(&a));
    }
    ds_destroy(&from);
    ds_destroy(&m);
    ds_destroy(&a);
    return flow_list_finish(fl);
}
