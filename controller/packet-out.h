/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef PACKET_OUT_H
#define PACKET_OUT_H 1

/* Packets that the controller has a switch send. */

#include <stddef.h>
#include "openvswitch/types.h"

struct ofpbuf;

/* Returns an OpenFlow 1.5 packet-out of the 'size' bytes of 'frame', as if
 * they had come in by 'in_port', with 'actions' in the syntax of ovs-ofctl.
 * The caller must free it. */
struct ofpbuf *packet_out_encode(const void *frame, size_t size,
                                 ofp_port_t in_port, const char *actions);

/* The same, from the controller to 'ofport'. */
struct ofpbuf *packet_out_to(const void *frame, size_t size,
                             ofp_port_t ofport);

/* The same with actions that have been composed, for those that are sent by
 * the thousands. */
struct ofpbuf *packet_out_compose(const void *frame, size_t size,
                                  ofp_port_t in_port,
                                  const struct ofpbuf *ofpacts);

#endif /* packet-out.h */
