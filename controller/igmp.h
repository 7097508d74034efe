/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef IGMP_H
#define IGMP_H 1

/* IGMP (RFC 1112, 2236, 3376) and MLD (RFC 2710, 3810) as bytes.
 *
 * Takes messages of VMs apart, and makes queries.  The bytes come from a VM,
 * so nothing about them is believed before it has been checked.
 *
 * Memberships are seen as those of an ASM receiver: a record that includes or
 * excludes sources makes its sender a member of the group.  One that includes
 * no source ends that; one that only blocks or allows no sources changes
 * nothing. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ofpbuf;

/* The link-local groups of IPv4, which are always flooded. */
#define IGMP_LINK_LOCAL "224.0.0.0/24"

enum igmp_type {
    IGMP_QUERY,
    IGMP_REPORT,                /* IGMPv1, IGMPv2, MLDv1: of one group.  Who
                                 * hears it keeps silent about its own. */
    IGMP_REPORTS,               /* IGMPv3, MLDv2: of any number of groups. */
    IGMP_LEAVE                  /* IGMPv2, MLDv1. */
};

struct igmp_message {
    enum igmp_type type;
    struct in6_addr src;        /* Addresses are v4-mapped if IPv4. */
    struct in6_addr dst;
    struct in6_addr group;      /* Not of IGMP_REPORTS. */

    /* Private. */
    const uint8_t *records;     /* Those that igmp_next() has not returned. */
    size_t n_records;
    bool ipv6;
};

/* What a message says about one group. */
struct igmp_change {
    struct in6_addr group;
    bool join;                  /* Otherwise leave. */
};

/* Takes the Ethernet frame in the 'size' bytes at 'frame' apart, which must
 * stay there as long as 'msg' is used.  Returns what is wrong with it, or
 * null. */
const char *igmp_parse(const void *frame, size_t size, struct igmp_message *);

/* Returns the next thing that a report or a leave says, or false if there is
 * none (left). */
bool igmp_next(struct igmp_message *, struct igmp_change *);

/* Returns true if memberships of 'group' matter.  Traffic to link-local groups
 * is always flooded (RFC 4541 sections 2.1.2 and 3): 224.0.0.0/24, and all
 * IPv6 groups of link-local or smaller scope, solicited-node groups among
 * them. */
bool igmp_is_tracked(const struct in6_addr *group);

/* Appends the Ethernet frame of a general query, of IGMPv3 or MLDv2, that is
 * to be answered within 'seconds', at most 12.  It is sent from 0.0.0.0 (RFC
 * 4541 section 2.1.1) or a link-local address of the NVA's own, so that it
 * does not take part in the election of a querier, or loses it. */
void igmp_put_query(struct ofpbuf *frame, bool ipv6, unsigned int seconds);

#endif /* igmp.h */
