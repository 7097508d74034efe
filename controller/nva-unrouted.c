/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include "coverage.h"
#include "flow-tables.h"
#include "gateway.h"
#include "icmp-error.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "packet-out.h"
#include "pipeline.h"

VLOG_DEFINE_THIS_MODULE(nva_unrouted);

COVERAGE_DEFINE(nva_unrouted_answered);
COVERAGE_DEFINE(nva_unrouted_unanswered);

/* What a gateway says of packets that it does not send on (RFC 1812 sections
 * 4.3.3.1, 4.3.3.4 and 5.2.7, RFC 4443 section 3). */

/* Returns the gateway at 's' of the VN with VNI 'vni', or null if it has gone
 * meanwhile. */
static const struct gateway *
find_gateway(const struct session *s, uint32_t vni)
{
    const struct gateway *gw;

    LIST_FOR_EACH (gw, nve_node, &s->nve->gateways) {
        if (gw->vn->vni == vni) {
            return gw;
        }
    }
    return NULL;
}

/* Has 'gw' say 'e' with its own addresses: the first of each version, if there
 * is one that is not link-local. */
static void
set_sender(struct icmp_error *e, const struct gateway *gw)
{
    e->mac = gw->config->mac;
    for (size_t i = 0; i < gw->config->n_ips; i++) {
        const struct in6_addr *ip = &gw->config->ips[i].ip;

        if (!topology_is_ipv4(ip)) {
            if (ipv6_is_zero(&e->ip6) || IN6_IS_ADDR_LINKLOCAL(&e->ip6)) {
                e->ip6 = *ip;
            }
        } else if (!e->ip4) {
            e->ip4 = in6_addr_get_mapped_ipv4(ip);
        }
    }
}

void
nva_unrouted_packet_in(struct session *s, const struct ofputil_packet_in *pin)
{
    const struct flow *flow = &pin->flow_metadata.flow;
    const struct gateway *gw = find_gateway(s,
                                            flow->regs[FLOW_REG_VN_IN]);
    struct icmp_error e = { .mtu = flow->regs[FLOW_REG_MTU] };
    struct ds actions = DS_EMPTY_INITIALIZER;
    struct ofpbuf frame;
    const char *error;

    if (!gw || pin->userdata_len < 2
        || pin->userdata[1] >= ICMP_ERROR_N_CAUSES) {
        return;
    }
    e.cause = pin->userdata[1];
    set_sender(&e, gw);
    ofpbuf_init(&frame, ICMP_ERROR_MAX_FRAME);
    error = icmp_error_put(&frame, pin->packet, pin->packet_len, &e);
    if (error) {
        COVERAGE_INC(nva_unrouted_unanswered);
        VLOG_DBG("%s: %s not said by gateway %s: %s", s->nve->name,
                 icmp_error_cause_to_string(e.cause), gw->name, error);
    } else {
        COVERAGE_INC(nva_unrouted_answered);
        pipeline_put_routed(&actions, gw, flow->ct_zone);
        ofconn_send(s->of_peer->ofconn,
                    packet_out_encode(frame.data, frame.size, OFPP_CONTROLLER,
                                      ds_cstr(&actions)));
    }
    ofpbuf_uninit(&frame);
    ds_destroy(&actions);
}
