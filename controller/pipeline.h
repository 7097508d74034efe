/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef PIPELINE_H
#define PIPELINE_H 1

/* The flows of an NVE, object by object.
 *
 * Each function builds the flow list of one object as one NVE needs it, from
 * its arguments alone: no state, no decision about who needs what (wiring.h).
 * The tables are those of flow-tables.h; Documentation/topics/pipeline.rst
 * tells what each flow is for and what breaks without it.
 *
 * Every function returns a finished list with one reference, the caller's. */

#include <stdint.h>
#include "flow-list.h"
#include "openvswitch/types.h"
#include "topology.h"

struct ds;
struct gateway;
struct mcast_group;

/* Userdata of packet-ins, first byte. */
enum pipeline_punt {
    PIPELINE_PUNT_ACTIVATION = 1,   /* A VM was heard at its new NVE. */
    PIPELINE_PUNT_PROBE = 3,        /* A probe of the underlay arrived. */
    PIPELINE_PUNT_RARP = 4,         /* A VM asks for its address. */
    PIPELINE_PUNT_DENIED = 5,       /* A VM sent what it may not send. */
    PIPELINE_PUNT_ANSWER = 6,       /* A VM answered a request of ours. */
    PIPELINE_PUNT_SEEN = 7,         /* An uplink brought a frame for a VM. */
    PIPELINE_PUNT_MEMBERSHIP = 8,   /* A VM sent IGMP or MLD. */
    PIPELINE_PUNT_TOO_BIG = 9,      /* What a VM sent fits into no tunnel. */
    PIPELINE_PUNT_UNROUTED = 16,    /* A gateway does not send on a packet;
                                     * the second byte is why, an enum
                                     * icmp_error_cause. */
    PIPELINE_PUNT_LATE = 20         /* A packet came for a VM that has left. */
};

/* What an NVE needs whatever its ports are: 'geneve' and 'vxlan' are the
 * OpenFlow ports of its tunnels, 0 if it has none; 'packet_in_rate' limits
 * the packets that it sends to the controller, in packets/s (C3). */
struct flow_list *pipeline_nve(const struct nve *, ofp_port_t geneve,
                               ofp_port_t vxlan, uint32_t packet_in_rate);

/* What becomes of frames that port security denies. */
struct flow_list *pipeline_denied(const struct nve *);

/* What an NVE needs for each virtual network it takes part in. */
struct flow_list *pipeline_vn(const struct vn *);

/* What an NVE needs for the VN if its interface 'ofport' leads to a physical
 * network that is the same LAN, in 'vlan' there or, if that is 0, untagged
 * (A9). */
struct flow_list *pipeline_uplink(const struct vn *, ofp_port_t ofport,
                                  uint16_t vlan);

/* Broadcast copies for 'n' ports of the VN at this NVE. */
struct flow_list *pipeline_flood_local(const struct vn *,
                                       const ofp_port_t ports[], size_t n);

/* Broadcast copies for other NVEs: 'remotes' are the 'n' members to which
 * 'from', or any other NVE with the same address families, can tunnel. */
struct flow_list *pipeline_flood_remote(const struct vn *,
                                        const struct nve *from,
                                        const struct nve *const remotes[],
                                        size_t n);

/* The same for the traffic of a multicast group: 'ports' and 'remotes' are its
 * members.  If there are none, there are no copies. */
struct flow_list *pipeline_group_local(const struct mcast_group *,
                                       const ofp_port_t ports[], size_t n);
struct flow_list *pipeline_group_remote(const struct mcast_group *,
                                        const struct nve *from,
                                        const struct nve *const remotes[],
                                        size_t n);

/* Appends actions, for a packet-out, that flood what a VM of the VN sent and
 * the controller got.  The uplink, if there is one, has it already. */
void pipeline_put_flood(struct ds *, const struct vn *);

/* 'port' is at 'nve', at its address 'ip'; the answers to ARP and ND for it
 * are included. */
struct flow_list *pipeline_port_remote(const struct port *,
                                       const struct nve *, int ip);

/* Every tenant may send IPv6 packets of 1280 bytes (RFC 8200 section 5), in
 * tunnels over IPv6. */
#define PIPELINE_UNDERLAY_MTU_MIN 1350

/* 'port' has the interface 'ofport' at 'here'.  If 'there' is nonnull, then it
 * may send from here but is there, at address 'ip': here is the new NVE before
 * the cut-over of a move, or the old one after it.  If 'closed', its VM is
 * stopped and nothing is delivered (V9). */
struct flow_list *pipeline_port_local(const struct port *,
                                      const struct nve *here,
                                      ofp_port_t ofport,
                                      const struct nve *there, int ip,
                                      bool closed);

/* Gateways. */

/* What each NVE of a VN that has gateways needs for that: the answers to ARP
 * and ND for their common address, and the way of what is sent there.  Null if
 * there are none. */
struct flow_list *pipeline_router(const struct vn *);

/* What 'gw' routes, at its NVE. */
struct flow_list *pipeline_gateway(const struct gateway *gw);

/* What 'gw' says by itself, at its NVE. */
struct flow_list *pipeline_gateway_self(const struct gateway *gw);

/* What 'gw' needs at its NVE to translate addresses, beside its routes.  Null
 * if it does not. */
struct flow_list *pipeline_nat(const struct gateway *gw);

/* What 'gw' needs at its NVE for a port of its VN. */
struct flow_list *pipeline_host(const struct gateway *gw, const struct port *);

/* Appends actions, for a packet-out at the NVE of 'gw', that send a frame of
 * it to a port of its VN.  An ICMP error about a packet that has been
 * translated in 'zone', unless that is 0, says what the packet was before. */
void pipeline_put_routed(struct ds *, const struct gateway *gw, uint16_t zone);

/* A move of 'port', whose migration has id 'id'. */

/* At the new NVE, before the cut-over: what others send here reaches 'ofport',
 * and what 'port' sends from there tells all others and the controller, or is
 * dropped if it is not to 'announce' anything. */
struct flow_list *pipeline_move_arrival(const struct port *, uint64_t id,
                                        ofp_port_t ofport, bool announce);

/* At the new NVE from the cut-over on: the controller hears the VM, for which
 * it may have to wait after a hold.  This is also the mark by which a
 * controller that has been restarted knows that the commit point has been
 * passed. */
struct flow_list *pipeline_move_mark(uint64_t id, ofp_port_t ofport);

/* At an NVE other than 'new', before the cut-over: hearing the VM from 'new'
 * switches the mapping to address 'ip' of 'new'.  'old_ofport' is the port's
 * interface if this is the old NVE, 0 if it is a peer. */
struct flow_list *pipeline_move_arm(const struct port *, uint64_t id,
                                    const struct nve *new, int ip,
                                    ofp_port_t old_ofport);

/* At the old NVE until drained: what is for the interface 'old_ofport' meets
 * the gate of the old place, and a copy of it that of the new place, which is
 * address 'ip' of 'new'.  One gate is 'open', the other is not.  The gates are
 * meters, which switch at once; flows that are cached follow when the switch
 * has looked at all of them. */
struct flow_list *pipeline_move_gate_old(const struct port *, uint64_t id,
                                         ofp_port_t old_ofport, bool open);
struct flow_list *pipeline_move_gate_new(const struct port *, uint64_t id,
                                         ofp_port_t old_ofport,
                                         const struct nve *new, int ip,
                                         bool open);

/* At 'old' from the cut-over until drained: late packets from tunnels go to
 * address 'ip' of 'new' (V7), counted by the meter of 'old_ofport'. */
struct flow_list *pipeline_move_redirect(const struct port *, uint64_t id,
                                         const struct nve *old,
                                         const struct nve *new, int ip,
                                         ofp_port_t old_ofport);

/* At the old and the new NVE of a move whose VM is asked where it is: what it
 * answers from 'ofport' goes to the controller.  So does, if 'is_new', what an
 * uplink brings for it. */
struct flow_list *pipeline_move_answers(const struct port *, uint64_t id,
                                        ofp_port_t ofport, bool is_new);

/* At 'here', which 'port' has left, or, if 'closed', where its VM is stopped:
 * what the VN has as its policy for packets that still come (V5).  It is now
 * at 'there', address 'ip'; null and -1 if nobody knows.  Returns null if the
 * packets are dropped, as they are without a flow of their own. */
struct flow_list *pipeline_late(const struct port *, const struct nve *here,
                                bool closed, const struct nve *there, int ip);

/* Returns the meter through which late packets for 'old_ofport' pass. */
uint32_t pipeline_redirect_meter(ofp_port_t old_ofport);

#endif /* pipeline.h */
