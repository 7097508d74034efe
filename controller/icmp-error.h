/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef ICMP_ERROR_H
#define ICMP_ERROR_H 1

/* ICMP (RFC 792) and ICMPv6 (RFC 4443) error messages as bytes.
 *
 * Makes the error message that answers a packet which could not be delivered,
 * and decides whether it may be answered at all: one error that answers
 * another, or a packet to many, would make a storm.  How often errors may be
 * sent is not decided here; a meter limits that before the controller hears of
 * a packet.
 *
 * The bytes come from a VM, or from anywhere, so nothing about them is
 * believed before it has been checked. */

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include "openvswitch/types.h"
#include "packets.h"

struct ofpbuf;

/* C name, word, type and code of ICMP, type and code of ICMPv6. */
#define ICMP_ERROR_CAUSES                                                   \
    ICMP_ERROR_CAUSE(HOST, "host-unreachable", 3, 1, 1, 3)                  \
    ICMP_ERROR_CAUSE(PORT, "port-unreachable", 3, 3, 1, 4)                  \
    ICMP_ERROR_CAUSE(PROHIBITED, "prohibited", 3, 13, 1, 1)                 \
    ICMP_ERROR_CAUSE(TTL, "ttl-exceeded", 11, 0, 3, 0)                      \
    ICMP_ERROR_CAUSE(TOO_BIG, "too-big", 3, 4, 2, 0)                        \
    ICMP_ERROR_CAUSE(NETWORK, "network-unreachable", 3, 0, 1, 0)

enum icmp_error_cause {
#define ICMP_ERROR_CAUSE(NAME, STRING, TYPE4, CODE4, TYPE6, CODE6)          \
    ICMP_ERROR_##NAME,
    ICMP_ERROR_CAUSES
#undef ICMP_ERROR_CAUSE
    ICMP_ERROR_N_CAUSES
};

/* The longest frame of an answer, in bytes; of no packet is more quoted. */
#define ICMP_ERROR_MAX_FRAME (ETH_HEADER_LEN + 1280)

/* What to say, and who says it. */
struct icmp_error {
    enum icmp_error_cause cause;
    uint16_t mtu;               /* Of the next hop, with ICMP_ERROR_TOO_BIG:
                                 * the longest IP packet, in bytes. */
    struct eth_addr mac;        /* Of who says it. */
    ovs_be32 ip4;               /* Its addresses.  0: the one that the packet
                                 * was sent to, in whose place it is said
                                 * (RFC 4443 section 2.2 (a)). */
    struct in6_addr ip6;
};

/* Appends to 'answer' the untagged Ethernet frame of an error message to the
 * sender of the 'size' bytes at 'frame', an untagged Ethernet frame with an IP
 * packet, of which the end may be missing.  As much of the packet is quoted as
 * is there and RFC 1812 section 4.3.2.3 (576 bytes in all) or RFC 4443 section
 * 2.4 (c) (1280) lets.
 *
 * Returns null, or why there is no answer; then nothing is appended.  There is
 * none (RFC 1122 section 3.2.2, RFC 1812 section 4.3.2.7, RFC 4443 section 2.4
 * (e)) to
 *
 *     - what is no whole IP header, or no valid one;
 *     - an ICMP error, or an ICMPv6 error or redirect;
 *     - a packet that is sent to a group, by its IP or its Ethernet address;
 *     - one whose source is not the address of a single host;
 *     - a fragment other than the first;
 *     - one that is too big and may be fragmented (RFC 1191 section 4).
 *
 * RFC 4443 would allow "packet too big" for multicast, too; this does not.
 * The broadcast address of a subnet cannot be told from that of a host here;
 * such a packet is known by its Ethernet address. */
const char *icmp_error_put(struct ofpbuf *answer, const void *frame,
                           size_t size, const struct icmp_error *);

/* Returns the word for 'cause'. */
const char *icmp_error_cause_to_string(enum icmp_error_cause);

#endif /* icmp-error.h */
