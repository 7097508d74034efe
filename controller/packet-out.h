/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef PACKET_OUT_H
#define PACKET_OUT_H 1

/* Packets that the controller has a switch send. */

#include "openvswitch/types.h"

struct dp_packet;
struct ofpbuf;

/* Returns an OpenFlow 1.5 packet-out of the packet to a port, for the caller
 * to free. */
struct ofpbuf *packet_out_encode(const struct dp_packet *, ofp_port_t);

#endif /* packet-out.h */
