/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef TRACE_H
#define TRACE_H 1

/* Follows a packet through the flows that NVEs shall have, from hypervisor to
 * hypervisor (C7).
 *
 * What "ovs-appctl ofproto/trace" is for the flows of one bridge, this is for
 * the desired flows of all: it finds out what the controller wants to happen
 * to a packet, without asking a switch.  What a move has learned in the data
 * path and the controller does not know of is not seen, nor does a trace have
 * any effect: it prints what would be learned or sent to the controller.
 *
 * The cost is that of walking all flows of each NVE that the packet visits,
 * once per table: this is for people, not for the path of a move.
 *
 * Thread-safety: none; use from one thread. */

struct ds;
struct port;
struct topology;

/* Appends to 'out' the way of 'microflow', in ovs-ofctl syntax, from 'port'
 * on, and in the last line what becomes of it.  Returns null, or else an error
 * message that the caller must free, with 'out' unchanged.
 *
 * The packet starts at the NVE where 'port' is, which from the cut-over of a
 * move on is the new one.  'microflow' must not have an in_port; its source
 * MAC address is that of the port unless it says otherwise. */
char *trace_packet(const struct topology *, const struct port *,
                   const char *microflow, struct ds *out);

#endif /* trace.h */
