/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "packet-out.h"

#include "dp-packet.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-protocol.h"
#include "openvswitch/ofpbuf.h"

struct ofpbuf *
packet_out_encode(const struct dp_packet *p, ofp_port_t ofport)
{
    struct ofputil_packet_out po;
    struct ofpbuf ofpacts, *msg;

    ofpbuf_init(&ofpacts, 64);
    ofpact_put_OUTPUT(&ofpacts)->port = ofport;

    memset(&po, 0, sizeof po);
    match_init_catchall(&po.flow_metadata);
    match_set_in_port(&po.flow_metadata, OFPP_CONTROLLER);
    po.packet = dp_packet_data(p);
    po.packet_len = dp_packet_size(p);
    po.buffer_id = UINT32_MAX;
    po.ofpacts = ofpacts.data;
    po.ofpacts_len = ofpacts.size;
    msg = ofputil_encode_packet_out(&po, OFPUTIL_P_OF15_OXM);
    ofpbuf_uninit(&ofpacts);
    return msg;
}
