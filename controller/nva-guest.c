/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include "cookie.h"
#include "flow-tables.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(guest);

/* What VMs say that the switches leave to us. */

/* RFC 903; packets.h has the request only. */
#define RARP_OP_REPLY 4

/* Returns the port for whose interface the flow is that sent us 'pin', or
 * null if it has gone meanwhile. */
static struct port *
find_sender(const struct session *s, const struct ofputil_packet_in *pin)
{
    uint64_t cookie = ntohll(pin->cookie);

    return (cookie_kind(cookie) == COOKIE_PORT
            ? topology_find_port_by_id(&s->nva->topology, cookie_id(cookie))
            : NULL);
}

static const struct port *
find_mac(const struct vn *vn, struct eth_addr mac)
{
    const struct port *port;

    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        if (eth_addr_equals(port->mac, mac)) {
            return port;
        }
    }
    return NULL;
}

/* Has the switch of 's' send 'frame' to 'ofport'. */
static void
send_frame(struct session *s, ofp_port_t ofport, const struct ofpbuf *frame)
{
    struct ofputil_packet_out po = {
        .packet = frame->data,
        .packet_len = frame->size,
        .buffer_id = UINT32_MAX,
    };
    struct ofpbuf ofpacts;

    ofpbuf_init(&ofpacts, 64);
    ofpact_put_OUTPUT(&ofpacts)->port = ofport;
    match_init_catchall(&po.flow_metadata);
    match_set_in_port(&po.flow_metadata, OFPP_CONTROLLER);
    po.ofpacts = ofpacts.data;
    po.ofpacts_len = ofpacts.size;
    ofconn_send(s->of_peer->ofconn,
                ofputil_encode_packet_out(&po, OFPUTIL_P_OF15_OXM));
    ofpbuf_uninit(&ofpacts);
}

/* RFC 903: ar$tha asks for its address and gets it as ar$tpa.  We have no
 * address in the virtual network, so ar$spa is 0. */
static void
answer_rarp(struct session *s, ofp_port_t ofport,
            const struct arp_eth_header *request, ovs_be32 ip)
{
    struct eth_addr mac = FLOW_NVA_MAC;
    struct arp_eth_header *arp;
    struct eth_header *eth;
    struct ofpbuf frame;

    ofpbuf_init(&frame, ETH_TOTAL_MIN);
    eth = ofpbuf_put_zeros(&frame, ETH_TOTAL_MIN);
    eth->eth_dst = request->ar_sha;
    eth->eth_src = mac;
    eth->eth_type = htons(ETH_TYPE_RARP);
    arp = ALIGNED_CAST(struct arp_eth_header *, eth + 1);
    *arp = *request;
    arp->ar_op = htons(RARP_OP_REPLY);
    arp->ar_sha = mac;
    put_16aligned_be32(&arp->ar_spa, htonl(0));
    put_16aligned_be32(&arp->ar_tpa, ip);
    send_frame(s, ofport, &frame);
    ofpbuf_uninit(&frame);
}

void
nva_guest_rarp(struct session *s, const struct ofputil_packet_in *pin)
{
    const struct port *sender = find_sender(s, pin);
    const struct arp_eth_header *arp;
    const struct port *port;

    if (!sender || pin->packet_len < ETH_HEADER_LEN + ARP_ETH_HEADER_LEN) {
        return;
    }
    arp = ALIGNED_CAST(const struct arp_eth_header *,
                       (const char *) pin->packet + ETH_HEADER_LEN);
    port = find_mac(sender->vn, arp->ar_tha);
    for (size_t i = 0; port && i < port->n_ips; i++) {
        if (topology_is_ipv4(&port->ips[i])) {
            VLOG_DBG("%s: %s asks for the address of %s", s->nve->name,
                     sender->name, port->name);
            answer_rarp(s, pin->flow_metadata.flow.in_port.ofp_port, arp,
                        in6_addr_get_mapped_ipv4(&port->ips[i]));
            return;
        }
    }
}
