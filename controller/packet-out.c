/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "packet-out.h"

#include <stdio.h>
#include <string.h>

#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-protocol.h"
#include "openvswitch/ofpbuf.h"
#include "util.h"

struct ofpbuf *
packet_out_compose(const void *frame, size_t size, ofp_port_t in_port,
                   const struct ofpbuf *ofpacts)
{
    struct ofputil_packet_out po;

    memset(&po, 0, sizeof po);
    match_init_catchall(&po.flow_metadata);
    match_set_in_port(&po.flow_metadata, in_port);
    po.packet = frame;
    po.packet_len = size;
    po.buffer_id = UINT32_MAX;
    po.ofpacts = ofpacts->data;
    po.ofpacts_len = ofpacts->size;
    return ofputil_encode_packet_out(&po, OFPUTIL_P_OF15_OXM);
}

struct ofpbuf *
packet_out_encode(const void *frame, size_t size, ofp_port_t in_port,
                  const char *actions)
{
    enum ofputil_protocol usable;
    struct ofpbuf ofpacts, *msg;
    char *error;

    ofpbuf_init(&ofpacts, 256);
    error = ofpacts_parse_actions(actions, &(struct ofpact_parse_params) {
        .ofpacts = &ofpacts, .usable_protocols = &usable });
    ovs_assert(!error);
    msg = packet_out_compose(frame, size, in_port, &ofpacts);
    ofpbuf_uninit(&ofpacts);
    return msg;
}

struct ofpbuf *
packet_out_to(const void *frame, size_t size, ofp_port_t ofport)
{
    char actions[32];

    snprintf(actions, sizeof actions, "output:%"PRIu32, ofport);
    return packet_out_encode(frame, size, OFPP_CONTROLLER, actions);
}
