/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef PIPELINE_PRIVATE_H
#define PIPELINE_PRIVATE_H 1

/* What the files of pipeline share.  For them only. */

#include "openvswitch/compiler.h"
#include "pipeline.h"

struct ds;

/* Names of registers and tables in flow syntax. */
#define R_(N) "reg" #N
#define R(N) R_(N)
#define REG_ND_FLAGS    R(1)
#define REG_ND_OPTION   R(2)
#define REG_CHUNK       R(9)
#define REG_ORIGIN      R(10)
#define REG_PLACE       R(11)
#define REG_PORT        R(12)
#define REG_ENCAP       R(13)
BUILD_ASSERT_DECL(FLOW_REG_ND_FLAGS == 1 && FLOW_REG_ND_OPTION == 2
                  && FLOW_REG_CHUNK == 9 && FLOW_REG_ORIGIN == 10
                  && FLOW_REG_PLACE == 11 && FLOW_REG_PORT == 12
                  && FLOW_REG_ENCAP == 13);

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

/* Adds that late packets which must not be answered do not reach the
 * controller, so that they use up nobody's meter; icmp-error.h decides. */
void pipeline_add_unanswerable__(struct flow_list *, uint64_t cookie);

/* Adds what has the controller hear of the multicast memberships of the VN's
 * VMs. */
void pipeline_add_snooping__(struct flow_list *, const struct vn *);

#endif /* pipeline-private.h */
