/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef PIPELINE_PRIVATE_H
#define PIPELINE_PRIVATE_H 1

/* What the files of pipeline share.  For them only. */

#include "flow-tables.h"
#include "openvswitch/compiler.h"
#include "pipeline.h"
#include "topology.h"

struct ds;
struct gateway;

/* Names of registers and tables in flow syntax. */
#define R_(N) "reg" #N
#define R(N) R_(N)
#define REG_WAY         R(0)
#define REG_ND_FLAGS    R(1)
#define REG_ND_OPTION   R(2)
#define REG_ANNOUNCED   R(3)
#define REG_VN_IN       R(8)
#define REG_CHUNK       R(9)
#define REG_ORIGIN      R(10)
#define REG_PLACE       R(11)
#define REG_PORT        R(12)
#define REG_ENCAP       R(13)
#define REG_MTU         R(14)
#define REG_TOO_BIG     R(15)
BUILD_ASSERT_DECL(FLOW_REG_WAY == 0
                  && FLOW_REG_ND_FLAGS == 1 && FLOW_REG_ND_OPTION == 2
                  && FLOW_REG_ANNOUNCED == 3
                  && FLOW_REG_VN_IN == 8 && FLOW_REG_CHUNK == 9
                  && FLOW_REG_ORIGIN == 10 && FLOW_REG_PLACE == 11
                  && FLOW_REG_PORT == 12 && FLOW_REG_ENCAP == 13
                  && FLOW_REG_MTU == 14 && FLOW_REG_TOO_BIG == 15);

/* Where the MAC address is kept from which a gateway got a packet. */
#define PIPELINE_MAC_IN "OXM_OF_PKT_REG2[0..47]"

/* Formats into 's', replacing what was there, and returns the string. */
const char *pipeline_fmt__(struct ds *s, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);
#define fmt pipeline_fmt__

/* Appends the actions that address a tunnel packet to address 'ip' of
 * 'nve'. */
void pipeline_put_tunnel_to__(struct ds *, const struct nve *, int ip);

/* Appends actions that make copies of what a VM sent, for all for whom it
 * is. */
void pipeline_put_copies__(struct ds *);

/* Adds that whoever asks a VN by ARP or ND for 'ip' is told 'mac'.  A router
 * says so of itself, and answers unicast requests, too. */
struct pipeline_answer {
    const struct vn *vn;
    uint64_t cookie;
    struct eth_addr mac;
    bool is_router;
};
void pipeline_add_answer__(struct flow_list *, const struct pipeline_answer *,
                           const struct in6_addr *ip);

/* Adds what a port of a VN with gateways needs where it has the interface
 * 'ofport'. */
void pipeline_add_way_out__(struct flow_list *, const struct port *,
                            const struct nve *here, ofp_port_t ofport);

/* The same for what tells its connections apart while some of them stay with
 * another gateway: 'way' and 'old' are the actions that bring a packet to the
 * gateway that serves it, and to the one before. */
void pipeline_add_kept__(struct flow_list *, const struct port *,
                         ofp_port_t ofport, const char *way, const char *old);

/* Adds that a gateway with an uplink into its VN answers there to ARP or ND
 * for 'ip', within the meter that the list has already. */
void pipeline_add_uplink_answer__(struct flow_list *, uint64_t cookie,
                                  const struct gateway *,
                                  const struct in6_addr *ip);

/* Appends the actions that send what has been routed to a MAC address of the
 * VN that 'metadata' says. */
void pipeline_put_send_routed__(struct ds *);

/* Returns true if what 'gw' routes into the VN of 'other', a gateway at the
 * same NVE, is translated; IPv4 only. */
bool pipeline_translates__(const struct gateway *gw,
                           const struct gateway *other);

/* Appends the actions that translate the source of a packet and have it enter
 * the VN that 'metadata' says. */
void pipeline_put_translation__(struct ds *, const struct gateway *);

/* Add what has VMs reached by locators in the underlay: what each NVE needs
 * for that; for 'port' at 'there', to whose address 'ip' others tunnel; and
 * for what comes for 'port' to 'here', where it is, is going to be or has
 * been.  These have different priorities, for an NVE may be all of that at the
 * same time.  They add nothing unless the NVE has a locator and the VN a SIR
 * prefix. */
void pipeline_add_ila_nve__(struct flow_list *, const struct nve *);
void pipeline_add_ila_remote__(struct flow_list *, const struct port *,
                               const struct nve *there, int ip);
void pipeline_add_ila_local__(struct flow_list *, const struct port *,
                              const struct nve *here, int priority,
                              uint64_t cookie);

/* Add what has VMs told that a packet is too big for the underlay: what each
 * NVE needs for that; for what goes to 'port' at 'there', to whose address
 * 'ip' others tunnel; and for what 'port' sends from 'ofport' at 'here', with
 * the meter that 'fl' has already.  They add nothing unless the NVE has an
 * 'underlay_mtu'. */
void pipeline_add_mtu_nve__(struct flow_list *, const struct nve *);
void pipeline_add_mtu_remote__(struct flow_list *, const struct port *,
                               const struct nve *there, int ip);
void pipeline_add_mtu_local__(struct flow_list *, const struct port *,
                              const struct nve *here, ofp_port_t ofport);

/* The same for gateways: for what 'port' at 'here' sends to those that serve
 * it; and for what 'gw' has routed, with the meter that 'fl' has already. */
void pipeline_add_mtu_way_out__(struct flow_list *, const struct port *,
                                const struct nve *here, ofp_port_t ofport);
void pipeline_add_mtu_gateway__(struct flow_list *, const struct gateway *gw);

/* Adds what 'gw' does with packets that it does not route, with the meter that
 * 'fl' has already if it tells who sent them. */
void pipeline_add_refusals__(struct flow_list *, const struct gateway *gw,
                             uint64_t cookie);

/* Appends actions that have the controller tell who sent a packet to a gateway
 * that it is not sent on because of 'cause', an enum icmp_error_cause, within
 * the meter of 'fl'.  REG_VN_IN says which gateway that is. */
void pipeline_put_unrouted__(struct ds *, const struct flow_list *,
                             int cause);

/* Returns the table where what a VM sent goes into a tunnel from 'nve'. */
static inline enum flow_table
pipeline_to_tunnel__(const struct nve *nve)
{
    return nve->underlay_mtu ? FLOW_TABLE_PATH_MTU : FLOW_TABLE_TUNNEL;
}

/* Adds that late packets which must not be answered do not reach the
 * controller, so that they use up nobody's meter; icmp-error.h decides. */
void pipeline_add_unanswerable__(struct flow_list *, uint64_t cookie);

/* Adds what has the controller hear of the multicast memberships of the VN's
 * VMs. */
void pipeline_add_snooping__(struct flow_list *, const struct vn *);

#endif /* pipeline-private.h */
