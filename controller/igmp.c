/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "igmp.h"

#include <netinet/ip6.h>
#include <string.h>

#include "csum.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "unaligned.h"
#include "util.h"

/* Types of messages. */
enum {
    IGMP_TYPE_QUERY = 0x11,
    IGMP_TYPE_V1_REPORT = 0x12,
    IGMP_TYPE_V2_REPORT = 0x16,
    IGMP_TYPE_LEAVE = 0x17,
    IGMP_TYPE_V3_REPORT = 0x22,
    MLD_TYPE_QUERY = 130,
    MLD_TYPE_REPORT = 131,
    MLD_TYPE_DONE = 132,
    MLD_TYPE_V2_REPORT = 143
};

/* Types of records (RFC 3376 section 4.2.12, RFC 3810 section 5.2.12). */
enum {
    MODE_IS_INCLUDE = 1,
    MODE_IS_EXCLUDE = 2,
    CHANGE_TO_INCLUDE = 3,
    CHANGE_TO_EXCLUDE = 4,
    ALLOW_NEW_SOURCES = 5,
    BLOCK_OLD_SOURCES = 6
};

/* Lengths. */
enum {
    IGMP_LEN = 8,               /* Of all that is before records or sources. */
    MLD_LEN = 24,
    MLD_V2_REPORT_LEN = 8,
    IPV6_OPTIONS_LEN = 8        /* Hop-by-hop options with router alert. */
};

static uint16_t
get_u16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

static struct in6_addr
get_ip(const uint8_t *p, bool ipv6)
{
    struct in6_addr ip;

    if (ipv6) {
        memcpy(&ip, p, sizeof ip);
    } else {
        ip = in6_addr_mapped_ipv4(get_unaligned_be32((const void *) p));
    }
    return ip;
}

static bool
is_multicast(const struct in6_addr *ip)
{
    return (IN6_IS_ADDR_V4MAPPED(ip)
            ? ip_is_multicast(in6_addr_get_mapped_ipv4(ip))
            : ipv6_addr_is_multicast(ip));
}

/* Records. */

/* Returns the length of the record at 'p', of which there are 'size' bytes; 0
 * if it is longer than that. */
static size_t
record_len(const uint8_t *p, size_t size, bool ipv6)
{
    size_t ip_len = ipv6 ? 16 : 4;
    size_t len;

    if (size < 4 + ip_len) {
        return 0;
    }
    len = 4 + ip_len + get_u16(p + 2) * ip_len + p[1] * 4;
    return len <= size ? len : 0;
}

/* Checks the 'n' records in the 'size' bytes at 'p' and has 'msg' begin with
 * the first one. */
static const char *
parse_records(struct igmp_message *msg, const uint8_t *p, size_t size,
              size_t n)
{
    msg->type = IGMP_REPORTS;
    msg->records = p;
    msg->n_records = n;
    for (size_t i = 0; i < n; i++) {
        size_t len = record_len(p, size, msg->ipv6);
        struct in6_addr group;

        if (!len) {
            return "record is cut off";
        }
        group = get_ip(p + 4, msg->ipv6);
        if (!is_multicast(&group)) {
            return "group is not a multicast address";
        }
        p += len;
        size -= len;
    }
    return NULL;
}

/* Returns true if a record of 'type' with 'n_sources' says something, which it
 * stores in '*join'. */
static bool
record_says(uint8_t type, uint16_t n_sources, bool *join)
{
    switch (type) {
    case MODE_IS_INCLUDE:
    case CHANGE_TO_INCLUDE:
        *join = n_sources > 0;
        return true;
    case MODE_IS_EXCLUDE:
    case CHANGE_TO_EXCLUDE:
        *join = true;
        return true;
    case ALLOW_NEW_SOURCES:
        *join = true;
        return n_sources > 0;
    case BLOCK_OLD_SOURCES:
    default:
        return false;
    }
}

bool
igmp_next(struct igmp_message *msg, struct igmp_change *change)
{
    if (msg->type != IGMP_REPORTS) {
        bool first = msg->n_records == 1;

        msg->n_records = 0;
        change->group = msg->group;
        change->join = msg->type == IGMP_REPORT;
        return first;
    }
    while (msg->n_records) {
        const uint8_t *p = msg->records;

        msg->records += record_len(p, SIZE_MAX, msg->ipv6);
        msg->n_records--;
        if (record_says(p[0], get_u16(p + 2), &change->join)) {
            change->group = get_ip(p + 4, msg->ipv6);
            return true;
        }
    }
    return false;
}

/* Messages. */

/* A message about one group, which is at 'group'. */
static const char *
parse_simple(struct igmp_message *msg, enum igmp_type type,
             const uint8_t *group)
{
    msg->type = type;
    msg->group = get_ip(group, msg->ipv6);
    if (type == IGMP_QUERY) {
        return NULL;
    }
    msg->n_records = 1;
    return (is_multicast(&msg->group) ? NULL
            : "group is not a multicast address");
}

static const char *
parse_igmp(struct igmp_message *msg, const uint8_t *p, size_t size)
{
    if (size < IGMP_LEN) {
        return "IGMP message is cut off";
    } else if (csum(p, size)) {
        return "wrong IGMP checksum";
    }
    switch (p[0]) {
    case IGMP_TYPE_QUERY:
        return parse_simple(msg, IGMP_QUERY, p + 4);
    case IGMP_TYPE_V1_REPORT:
    case IGMP_TYPE_V2_REPORT:
        return parse_simple(msg, IGMP_REPORT, p + 4);
    case IGMP_TYPE_LEAVE:
        return parse_simple(msg, IGMP_LEAVE, p + 4);
    case IGMP_TYPE_V3_REPORT:
        return parse_records(msg, p + IGMP_LEN, size - IGMP_LEN,
                             get_u16(p + 6));
    default:
        return "unknown type of IGMP message";
    }
}

static const char *
parse_mld(struct igmp_message *msg, const uint8_t *p, size_t size)
{
    if (size < MLD_LEN && (size < MLD_V2_REPORT_LEN
                           || p[0] != MLD_TYPE_V2_REPORT)) {
        return "MLD message is cut off";
    }
    switch (p[0]) {
    case MLD_TYPE_QUERY:
        return parse_simple(msg, IGMP_QUERY, p + 8);
    case MLD_TYPE_REPORT:
        return parse_simple(msg, IGMP_REPORT, p + 8);
    case MLD_TYPE_DONE:
        return parse_simple(msg, IGMP_LEAVE, p + 8);
    case MLD_TYPE_V2_REPORT:
        return parse_records(msg, p + MLD_V2_REPORT_LEN,
                             size - MLD_V2_REPORT_LEN, get_u16(p + 6));
    default:
        return "unknown type of ICMPv6 message";
    }
}

/* Packets. */

static const char *
parse_ipv4(struct igmp_message *msg, const uint8_t *p, size_t size)
{
    size_t header_len, total_len;

    if (size < IP_HEADER_LEN) {
        return "IPv4 header is cut off";
    }
    header_len = (p[0] & 0xf) * 4;
    total_len = get_u16(p + 2);
    if (p[0] >> 4 != 4 || header_len < IP_HEADER_LEN
        || total_len < header_len || total_len > size) {
        return "IPv4 header is wrong";
    } else if (get_u16(p + 6) & (IP_MORE_FRAGMENTS | IP_FRAG_OFF_MASK)) {
        return "fragment";
    } else if (p[9] != IPPROTO_IGMP) {
        return "not IGMP";
    }
    msg->src = get_ip(p + 12, false);
    msg->dst = get_ip(p + 16, false);
    return parse_igmp(msg, p + header_len, total_len - header_len);
}

static const char *
parse_ipv6(struct igmp_message *msg, const uint8_t *p, size_t size)
{
    const uint8_t *payload = p + IPV6_HEADER_LEN;
    struct ovs_16aligned_ip6_hdr pseudo;
    size_t payload_len;
    uint8_t next;

    if (size < IPV6_HEADER_LEN) {
        return "IPv6 header is cut off";
    }
    payload_len = get_u16(p + 4);
    if (p[0] >> 4 != 6 || payload_len > size - IPV6_HEADER_LEN) {
        return "IPv6 header is wrong";
    } else if (p[7] != 1) {
        return "hop limit is not 1";
    }
    msg->ipv6 = true;
    msg->src = get_ip(p + 8, true);
    msg->dst = get_ip(p + 24, true);
    next = p[6];
    if (next == IPPROTO_HOPOPTS) {
        size_t len = payload_len < 8 ? SIZE_MAX : payload[1] * 8 + 8;

        if (len > payload_len) {
            return "hop-by-hop options are cut off";
        }
        next = payload[0];
        payload += len;
        payload_len -= len;
    }
    if (next != IPPROTO_ICMPV6) {
        return "not ICMPv6";
    }

    memcpy(&pseudo, p, sizeof pseudo);
    pseudo.ip6_plen = htons(payload_len);
    pseudo.ip6_nxt = IPPROTO_ICMPV6;
    if (csum_finish(csum_continue(packet_csum_pseudoheader6(&pseudo), payload,
                                  payload_len))) {
        return "wrong ICMPv6 checksum";
    }
    return parse_mld(msg, payload, payload_len);
}

const char *
igmp_parse(const void *frame, size_t size, struct igmp_message *msg)
{
    const uint8_t *p = frame;

    memset(msg, 0, sizeof *msg);
    if (size < ETH_HEADER_LEN) {
        return "Ethernet header is cut off";
    }
    switch (get_u16(p + 12)) {
    case ETH_TYPE_IP:
        return parse_ipv4(msg, p + ETH_HEADER_LEN, size - ETH_HEADER_LEN);
    case ETH_TYPE_IPV6:
        return parse_ipv6(msg, p + ETH_HEADER_LEN, size - ETH_HEADER_LEN);
    default:
        return "neither IPv4 nor IPv6";
    }
}

bool
igmp_is_tracked(const struct in6_addr *group)
{
    if (IN6_IS_ADDR_V4MAPPED(group)) {
        return ((in6_addr_get_mapped_ipv4(group) & htonl(0xffffff00))
                != htonl(0xe0000000));
    } else {
        return (group->s6_addr[1] & 0xf) > 2;
    }
}

/* Queries. */

/* How often queries are sent, in s, and how many answers may be lost. */
#define QQIC 125
#define QRV 2

/* Where queries come from. */
#define QUERIER_MAC ETH_ADDR_C(02,00,00,00,00,00)

static void
put_query_igmp(struct ofpbuf *frame, unsigned int seconds)
{
    static const uint8_t router_alert[] = { 0x94, 4, 0, 0 };
    const size_t header_len = IP_HEADER_LEN + sizeof router_alert;
    const size_t igmp_len = 12;
    uint8_t *ip = ofpbuf_put_zeros(frame, header_len + igmp_len);
    uint8_t *igmp = ip + header_len;

    ip[0] = 0x40 | header_len / 4;
    ip[1] = 0xc0;               /* RFC 3376 section 4. */
    ip[3] = header_len + igmp_len;
    ip[8] = 1;
    ip[9] = IPPROTO_IGMP;
    put_unaligned_be32((void *) (ip + 16), htonl(0xe0000001));
    memcpy(ip + IP_HEADER_LEN, router_alert, sizeof router_alert);
    put_unaligned_be16((void *) (ip + 10), csum(ip, header_len));

    igmp[0] = IGMP_TYPE_QUERY;
    igmp[1] = seconds * 10;
    igmp[8] = QRV;
    igmp[9] = QQIC;
    put_unaligned_be16((void *) (igmp + 2), csum(igmp, igmp_len));
}

static void
put_query_mld(struct ofpbuf *frame, unsigned int seconds)
{
    static const uint8_t options[IPV6_OPTIONS_LEN] = {
        IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0
    };
    const size_t mld_len = MLD_LEN + 4;
    struct ovs_16aligned_ip6_hdr pseudo;
    struct in6_addr src;
    uint8_t *ip = ofpbuf_put_zeros(frame, IPV6_HEADER_LEN + sizeof options
                                   + mld_len);
    uint8_t *mld = ip + IPV6_HEADER_LEN + sizeof options;

    in6_generate_lla((struct eth_addr) QUERIER_MAC, &src);
    ip[0] = 0x60;
    ip[5] = sizeof options + mld_len;
    ip[6] = IPPROTO_HOPOPTS;
    ip[7] = 1;
    memcpy(ip + 8, &src, sizeof src);
    ip[24] = 0xff;
    ip[25] = 2;
    ip[39] = 1;
    memcpy(ip + IPV6_HEADER_LEN, options, sizeof options);

    mld[0] = MLD_TYPE_QUERY;
    put_unaligned_be16((void *) (mld + 4), htons(seconds * 1000));
    mld[24] = QRV;
    mld[25] = QQIC;
    memcpy(&pseudo, ip, sizeof pseudo);
    pseudo.ip6_plen = htons(mld_len);
    pseudo.ip6_nxt = IPPROTO_ICMPV6;
    put_unaligned_be16((void *) (mld + 2),
                       csum_finish(csum_continue(
                           packet_csum_pseudoheader6(&pseudo), mld,
                           mld_len)));
}

void
igmp_put_query(struct ofpbuf *frame, bool ipv6, unsigned int seconds)
{
    static const struct eth_addr all_v4 = ETH_ADDR_C(01,00,5e,00,00,01);
    static const struct eth_addr all_v6 = ETH_ADDR_C(33,33,00,00,00,01);
    struct eth_header *eth = ofpbuf_put_zeros(frame, sizeof *eth);

    eth->eth_dst = ipv6 ? all_v6 : all_v4;
    eth->eth_src = (struct eth_addr) QUERIER_MAC;
    eth->eth_type = htons(ipv6 ? ETH_TYPE_IPV6 : ETH_TYPE_IP);
    if (ipv6) {
        put_query_mld(frame, seconds);
    } else {
        put_query_igmp(frame, seconds);
    }
}
