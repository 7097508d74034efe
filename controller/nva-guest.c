/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <netinet/icmp6.h>
#include <netinet/ip6.h>

#include "cookie.h"
#include "coverage.h"
#include "flow-tables.h"
#include "icmp-error.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "packet-out.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(guest);

COVERAGE_DEFINE(nva_too_big_answered);
COVERAGE_DEFINE(nva_too_big_unanswered);

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

/* RFC 903: ar$tha asks for its address and gets it as ar$tpa.  We have no
 * address in the virtual network, so ar$spa is 0. */
static void
answer_rarp(struct session *s, ofp_port_t ofport,
            const struct arp_eth_header *request, ovs_be32 ip)
{
    struct eth_addr mac = flow_nva_mac();
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
    ofconn_send(s->of_peer->ofconn,
                packet_out_to(frame.data, frame.size, ofport));
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

/* What port security has denied. */

/* Appends that 'port' claims to be 'mac', and whose that is. */
static void
put_mac(struct ds *s, const struct port *port, struct eth_addr mac)
{
    const struct port *owner = find_mac(port->vn, mac);

    ds_put_format(s, "%s"ETH_ADDR_FMT, s->length ? " and " : "",
                  ETH_ADDR_ARGS(mac));
    if (owner) {
        ds_put_format(s, " (port %s%s)", owner->name,
                      owner->move ? ", which is on the move" : "");
    }
}

/* The same for address 'ip', unless the port has it. */
static void
put_ip(struct ds *s, const struct port *port, const struct in6_addr *ip)
{
    struct in6_addr lla;

    in6_generate_lla(port->mac, &lla);
    for (size_t i = 0; i < port->n_ips; i++) {
        if (ipv6_addr_equals(&port->ips[i], ip)) {
            return;
        }
    }
    if (!ipv6_is_zero(ip) && !ipv6_addr_equals(&lla, ip)
        && (!topology_is_ipv4(ip) || in6_addr_get_mapped_ipv4(ip))) {
        const struct port *owner = topology_find_port_by_ip(port->vn, ip,
                                                            NULL);

        ds_put_cstr(s, s->length ? " and " : "");
        ipv6_format_mapped(ip, s);
        if (owner) {
            ds_put_format(s, " (port %s)", owner->name);
        }
    }
}

static void
put_ip4(struct ds *s, const struct port *port, const void *ip)
{
    struct in6_addr addr = in6_addr_mapped_ipv4(get_unaligned_be32(ip));

    put_ip(s, port, &addr);
}

static void
put_ip6(struct ds *s, const struct port *port, const uint8_t *ip)
{
    struct in6_addr addr;

    memcpy(&addr, ip, sizeof addr);
    put_ip(s, port, &addr);
}

static void
put_arp(struct ds *s, const struct port *port, struct eth_addr eth_src,
        const struct arp_eth_header *arp)
{
    if (!eth_addr_equals(arp->ar_sha, port->mac)
        && !eth_addr_equals(arp->ar_sha, eth_src)) {
        put_mac(s, port, arp->ar_sha);
    }
    put_ip4(s, port, &arp->ar_spa);
}

/* 'ip6' is an IPv6 packet of 'len' bytes at least as long as its header. */
static void
put_ipv6(struct ds *s, const struct port *port, const uint8_t *ip6, size_t len)
{
    /* Of ICMPv6, where a neighbor advertisement has its target. */
    enum { ND_TARGET = IPV6_HEADER_LEN + 8 };

    const uint8_t *src = ip6 + offsetof(struct ovs_16aligned_ip6_hdr, ip6_src);

    put_ip6(s, port, src);
    if (ip6[offsetof(struct ovs_16aligned_ip6_hdr, ip6_nxt)] == IPPROTO_ICMPV6
        && len >= ND_TARGET + sizeof(struct in6_addr)
        && ip6[IPV6_HEADER_LEN] == ND_NEIGHBOR_ADVERT
        && memcmp(src, ip6 + ND_TARGET, sizeof(struct in6_addr))) {
        put_ip6(s, port, ip6 + ND_TARGET);
    }
}

/* Appends who 'port' claims to be by the 'len' bytes at 'frame'; nothing if it
 * claims to be itself. */
static void
describe_claim(const struct port *port, const uint8_t *frame, size_t len,
               struct ds *s)
{
    const struct eth_header *eth = ALIGNED_CAST(const struct eth_header *,
                                                frame);
    const uint8_t *l3 = frame + ETH_HEADER_LEN;
    size_t l3_len = len - ETH_HEADER_LEN;

    if (!eth_addr_equals(eth->eth_src, port->mac)) {
        put_mac(s, port, eth->eth_src);
    }
    switch (ntohs(eth->eth_type)) {
    case ETH_TYPE_ARP:
    case ETH_TYPE_RARP:
        if (l3_len >= ARP_ETH_HEADER_LEN) {
            put_arp(s, port, eth->eth_src,
                    ALIGNED_CAST(const struct arp_eth_header *, l3));
        }
        break;
    case ETH_TYPE_IP:
        if (l3_len >= IP_HEADER_LEN) {
            put_ip4(s, port, l3 + offsetof(struct ip_header, ip_src));
        }
        break;
    case ETH_TYPE_IPV6:
        if (l3_len >= IPV6_HEADER_LEN) {
            put_ipv6(s, port, l3, l3_len);
        }
        break;
    default:
        break;
    }
}

void
nva_guest_denied(struct session *s, const struct ofputil_packet_in *pin)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 20);
    const struct attachment *a;
    struct port *port;
    struct ds claim = DS_EMPTY_INITIALIZER;

    a = topology_find_ofport(s->nve,
                             pin->flow_metadata.flow.in_port.ofp_port);
    port = a ? topology_find_port(&s->nva->topology, a->port_name) : NULL;
    if (!port || pin->packet_len < ETH_HEADER_LEN) {
        return;
    }
    port->n_spoofed++;
    nva_write_port(s->nva, port);
    describe_claim(port, pin->packet, pin->packet_len, &claim);
    if (claim.length) {
        VLOG_WARN_RL(&rl, "%s: port %s (interface %s) claims to be %s; its "
                     "frame was dropped", s->nve->name, port->name, a->ifname,
                     ds_cstr(&claim));
    } else {
        VLOG_WARN_RL(&rl, "%s: port %s (interface %s) sent what only routers "
                     "and servers send; its frame was dropped", s->nve->name,
                     port->name, a->ifname);
    }
    ds_destroy(&claim);
}

/* Path MTU. */

void
nva_guest_too_big(struct session *s, const struct ofputil_packet_in *pin)
{
    const struct flow *flow = &pin->flow_metadata.flow;
    const struct icmp_error e = {
        .cause = ICMP_ERROR_TOO_BIG,
        .mtu = flow->regs[FLOW_REG_MTU],
        .mac = flow_nva_mac(),
    };
    struct ds actions = DS_EMPTY_INITIALIZER;
    struct ofpbuf frame;
    const char *error;

    ofpbuf_init(&frame, ICMP_ERROR_MAX_FRAME);
    error = icmp_error_put(&frame, pin->packet, pin->packet_len, &e);
    if (error) {
        COVERAGE_INC(nva_too_big_unanswered);
        VLOG_DBG("%s: packet that is too big not answered: %s", s->nve->name,
                 error);
    } else {
        COVERAGE_INC(nva_too_big_answered);
        ds_put_format(&actions, "output:%"PRIu32, flow->in_port.ofp_port);
        ofconn_send(s->of_peer->ofconn,
                    packet_out_encode(frame.data, frame.size,
                                      OFPP_CONTROLLER, ds_cstr(&actions)));
    }
    ofpbuf_uninit(&frame);
    ds_destroy(&actions);
}
