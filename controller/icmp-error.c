/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "icmp-error.h"

#include <stdbool.h>
#include <string.h>

#include "csum.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "unaligned.h"
#include "util.h"

/* Lengths, in bytes. */
enum {
    ICMP_LEN = 8,               /* Of the header of either version. */
    MAX4_LEN = 576,             /* Of the IP packet with the error. */
    MAX6_LEN = 1280
};

/* How far the answer may go, as with any host. */
#define ANSWER_TTL 64

static const struct {
    const char *name;
    uint8_t type4, code4, type6, code6;
} causes[] = {
#define ICMP_ERROR_CAUSE(NAME, STRING, TYPE4, CODE4, TYPE6, CODE6)          \
    [ICMP_ERROR_##NAME] = { STRING, TYPE4, CODE4, TYPE6, CODE6 },
    ICMP_ERROR_CAUSES
#undef ICMP_ERROR_CAUSE
};

const char *
icmp_error_cause_to_string(enum icmp_error_cause cause)
{
    return causes[cause].name;
}

static uint16_t
get_u16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

static void
put_u16(uint8_t *p, uint16_t value)
{
    p[0] = value >> 8;
    p[1] = value;
}

static ovs_be32
get_ip4(const uint8_t *p)
{
    return get_unaligned_be32((const void *) p);
}

static struct in6_addr
get_ip6(const uint8_t *p)
{
    struct in6_addr ip;

    memcpy(&ip, p, sizeof ip);
    return ip;
}

/* What may be answered. */

/* Returns true if 'ip' does not stand for a single host that could be answered
 * (RFC 1812 sections 4.3.2.7 and 4.2.2.11): "this host", loopback, multicast,
 * reserved, broadcast. */
static bool
ip4_is_no_host(ovs_be32 ip)
{
    uint8_t first = ntohl(ip) >> 24;

    return first == 0 || first == 127 || first >= 224;
}

/* The same for IPv6: unspecified, loopback, multicast, v4-mapped. */
static bool
ip6_is_no_host(const struct in6_addr *ip)
{
    return (ipv6_is_zero(ip) || IN6_IS_ADDR_LOOPBACK(ip)
            || ipv6_addr_is_multicast(ip) || IN6_IS_ADDR_V4MAPPED(ip));
}

/* The types of RFC 792 and RFC 1812 section 4.3.2.7 that report errors. */
static bool
icmp4_is_error(uint8_t type)
{
    switch (type) {
    case 3:                     /* Destination unreachable. */
    case 4:                     /* Source quench. */
    case 5:                     /* Redirect. */
    case 11:                    /* Time exceeded. */
    case 12:                    /* Parameter problem. */
        return true;
    default:
        return false;
    }
}

/* RFC 4443 section 2.1: errors have the upper bit clear; and redirects. */
static bool
icmp6_is_error(uint8_t type)
{
    return type < 128 || type == 137;
}

/* Checks the IPv4 packet of which the 'size' bytes at 'ip' are there. */
static const char *
check_ipv4(const uint8_t *ip, size_t size)
{
    size_t header_len, total_len;

    if (size < IP_HEADER_LEN) {
        return "IPv4 header is cut off";
    }
    header_len = (ip[0] & 0xf) * 4;
    total_len = get_u16(ip + 2);
    if (ip[0] >> 4 != 4 || header_len < IP_HEADER_LEN
        || total_len < header_len) {
        return "not a valid IPv4 header";
    } else if (size < header_len) {
        return "IPv4 header is cut off";
    } else if (csum(ip, header_len)) {
        return "wrong IPv4 checksum";
    } else if (ip4_is_no_host(get_ip4(ip + 12))) {
        return "source is not the address of a host";
    } else if (ip4_is_no_host(get_ip4(ip + 16))) {
        return "destination is not the address of a host";
    } else if (get_u16(ip + 6) & 0x1fff) {
        return "fragment other than the first";
    } else if (ip[9] == IPPROTO_ICMP) {
        if (MIN(size, total_len) <= header_len) {
            return "ICMP header is cut off";
        } else if (icmp4_is_error(ip[header_len])) {
            return "is an ICMP error itself";
        }
    }
    return NULL;
}

/* Looks for ICMPv6 behind extension headers, the first of which has type
 * 'next' and is in the 'size' bytes at 'p'. */
static const char *
check_ipv6_payload(uint8_t next, const uint8_t *p, size_t size)
{
    for (;;) {
        size_t len;

        switch (next) {
        case IPPROTO_HOPOPTS:
        case IPPROTO_ROUTING:
        case IPPROTO_DSTOPTS:
            len = size >= 8 ? p[1] * 8 + 8 : SIZE_MAX;
            break;
        case IPPROTO_AH:
            len = size >= 8 ? p[1] * 4 + 8 : SIZE_MAX;
            break;
        case IPPROTO_FRAGMENT:
            len = 8;
            if (size >= len && get_u16(p + 2) & 0xfff8) {
                return "fragment other than the first";
            }
            break;
        case IPPROTO_ICMPV6:
            return (!size ? "ICMPv6 header is cut off"
                    : icmp6_is_error(p[0]) ? "is an ICMP error itself"
                    : NULL);
        default:
            return NULL;
        }
        if (len > size) {
            return "IPv6 extension header is cut off";
        }
        next = p[0];
        p += len;
        size -= len;
    }
}

/* The same for IPv6. */
static const char *
check_ipv6(const uint8_t *ip, size_t size)
{
    struct in6_addr src, dst;

    if (size < IPV6_HEADER_LEN) {
        return "IPv6 header is cut off";
    } else if (ip[0] >> 4 != 6) {
        return "not a valid IPv6 header";
    }
    src = get_ip6(ip + 8);
    dst = get_ip6(ip + 24);
    if (ip6_is_no_host(&src)) {
        return "source is not the address of a host";
    } else if (ip6_is_no_host(&dst)) {
        return "destination is not the address of a host";
    }
    size = MIN(size - IPV6_HEADER_LEN, get_u16(ip + 4));
    return check_ipv6_payload(ip[6], ip + IPV6_HEADER_LEN, size);
}

/* Checks the Ethernet frame in the 'size' bytes at 'frame' and sets '*ipv6' if
 * there is nothing wrong with it. */
static const char *
check_frame(const uint8_t *frame, size_t size, bool *ipv6)
{
    if (size < ETH_HEADER_LEN) {
        return "Ethernet header is cut off";
    } else if (frame[0] & 1) {
        return "sent to an Ethernet group address";
    } else if (frame[ETH_ADDR_LEN] & 1) {
        return "sent from an Ethernet group address";
    }
    *ipv6 = get_u16(frame + 12) == ETH_TYPE_IPV6;
    if (!*ipv6 && get_u16(frame + 12) != ETH_TYPE_IP) {
        return "neither IPv4 nor IPv6";
    }
    return (*ipv6 ? check_ipv6 : check_ipv4)(frame + ETH_HEADER_LEN,
                                             size - ETH_HEADER_LEN);
}

/* Answers. */

/* Appends the IPv4 packet that answers 'ip', of which 'size' bytes are
 * there. */
static void
put_ipv4(struct ofpbuf *answer, const uint8_t *ip, size_t size,
         const struct icmp_error *e)
{
    size_t quoted = MIN(MIN(size, get_u16(ip + 2)),
                        MAX4_LEN - IP_HEADER_LEN - ICMP_LEN);
    size_t len = IP_HEADER_LEN + ICMP_LEN + quoted;
    uint8_t *p = ofpbuf_put_zeros(answer, len);
    uint8_t *icmp = p + IP_HEADER_LEN;

    p[0] = 0x45;
    /* RFC 1812 section 4.3.2.5: the precedence is "internetwork control", the
     * rest is that of the packet; RFC 3168 section 5: but not its ECN. */
    p[1] = 0xc0 | (ip[1] & 0x1c);
    put_u16(p + 2, len);
    p[8] = ANSWER_TTL;
    p[9] = IPPROTO_ICMP;
    put_unaligned_be32((void *) (p + 12), e->ip4 ? e->ip4 : get_ip4(ip + 16));
    memcpy(p + 16, ip + 12, sizeof(ovs_be32));
    put_unaligned_be16((void *) (p + 10), csum(p, IP_HEADER_LEN));

    icmp[0] = causes[e->cause].type4;
    icmp[1] = causes[e->cause].code4;
    if (e->cause == ICMP_ERROR_TOO_BIG) {
        put_u16(icmp + 6, e->mtu);          /* RFC 1191 section 4. */
    }
    memcpy(icmp + ICMP_LEN, ip, quoted);
    put_unaligned_be16((void *) (icmp + 2), csum(icmp, ICMP_LEN + quoted));
}

/* The same for IPv6. */
static void
put_ipv6(struct ofpbuf *answer, const uint8_t *ip, size_t size,
         const struct icmp_error *e)
{
    size_t quoted = MIN(MIN(size, IPV6_HEADER_LEN + get_u16(ip + 4)),
                        MAX6_LEN - IPV6_HEADER_LEN - ICMP_LEN);
    size_t len = ICMP_LEN + quoted;
    uint8_t *p = ofpbuf_put_zeros(answer, IPV6_HEADER_LEN + len);
    uint8_t *icmp = p + IPV6_HEADER_LEN;
    struct ovs_16aligned_ip6_hdr pseudo;

    p[0] = 0x60;
    put_u16(p + 4, len);
    p[6] = IPPROTO_ICMPV6;
    p[7] = ANSWER_TTL;
    memcpy(p + 8, ipv6_is_zero(&e->ip6) ? ip + 24 : e->ip6.s6_addr,
           sizeof e->ip6);
    memcpy(p + 24, ip + 8, sizeof e->ip6);

    icmp[0] = causes[e->cause].type6;
    icmp[1] = causes[e->cause].code6;
    if (e->cause == ICMP_ERROR_TOO_BIG) {
        put_u16(icmp + 6, e->mtu);
    }
    memcpy(icmp + ICMP_LEN, ip, quoted);
    memcpy(&pseudo, p, sizeof pseudo);
    put_unaligned_be16((void *) (icmp + 2),
                       csum_finish(csum_continue(
                           packet_csum_pseudoheader6(&pseudo), icmp, len)));
}

const char *
icmp_error_put(struct ofpbuf *answer, const void *frame_, size_t size,
               const struct icmp_error *e)
{
    const uint8_t *frame = frame_;
    const char *error;
    struct eth_header *eth;
    bool ipv6;

    error = check_frame(frame, size, &ipv6);
    if (error) {
        return error;
    } else if (e->cause == ICMP_ERROR_TOO_BIG && !ipv6
               && !(get_u16(frame + ETH_HEADER_LEN + 6) & IP_DONT_FRAGMENT)) {
        return "may be fragmented";
    }
    eth = ofpbuf_put_zeros(answer, sizeof *eth);
    memcpy(&eth->eth_dst, frame + ETH_ADDR_LEN, ETH_ADDR_LEN);
    eth->eth_src = e->mac;
    eth->eth_type = htons(ipv6 ? ETH_TYPE_IPV6 : ETH_TYPE_IP);
    (ipv6 ? put_ipv6 : put_ipv4)(answer, frame + ETH_HEADER_LEN,
                                 size - ETH_HEADER_LEN, e);
    return NULL;
}
