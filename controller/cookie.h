/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef COOKIE_H
#define COOKIE_H 1

/* OpenFlow cookies: from a flow to the row that caused it. */

#include <stdint.h>

struct uuid;

/* What a cookie is about.  A cookie is a kind in the upper 16 bits and the
 * first 48 bits of the UUID of a row, so that it survives a restart of the
 * controller and leads to the row (C7).  The kinds whose table is null are for
 * what is in no table; their number has been counted up (mcast.h). */
#define COOKIES                                                             \
    COOKIE(NVE, 1, "nve", "NVE",                                            \
           "The ways from table to table, tunnels, answers to ND.")         \
    COOKIE(VN, 2, "vn", "Virtual_Network",                                  \
           "What happens to unicast for an unknown address.")               \
    COOKIE(FLOOD_LOCAL, 3, "flood-local", "Virtual_Network",                \
           "Copies of broadcast and multicast for ports at this NVE.")      \
    COOKIE(FLOOD_REMOTE, 4, "flood-remote", "Virtual_Network",              \
           "Copies of broadcast and multicast for other NVEs.")             \
    COOKIE(PORT, 5, "port", "Port",                                         \
           "Where the port is, its security if it is here, answers to ARP " \
           "and ND for it.")                                                \
    COOKIE(MOVE, 6, "move", "Migration",                                    \
           "Armed: switches the port's mapping when it is heard at its "    \
           "new NVE.")                                                      \
    COOKIE(LEARNED, 7, "learned", "Migration",                              \
           "Cut over: the mapping to the new place, the redirect of late "  \
           "packets, the mark of the commit.")                              \
    COOKIE(DENIED, 8, "denied", "NVE",                                      \
           "Reports of what port security denies.")                         \
    COOKIE(PROBE, 9, "probe", "Migration",                                  \
           "Brings the controller what the VM answers when it is asked "    \
           "where it is.")                                                  \
    COOKIE(UPLINK, 10, "uplink", "Virtual_Network",                         \
           "The way between VMs at this NVE and a physical network.")       \
    COOKIE(GROUP_LOCAL, 11, "group-local", NULL,                            \
           "Copies of a multicast group's traffic for members here.")       \
    COOKIE(GROUP_REMOTE, 12, "group-remote", NULL,                          \
           "Copies of a multicast group's traffic for NVEs with members.")  \
    COOKIE(ROUTER, 16, "router", "Virtual_Network",                         \
           "Answers to ARP and ND for the VN's gateways; what is for them.") \
    COOKIE(GATEWAY, 17, "gateway", "Gateway",                               \
           "What the gateway routes, by its policy.")                       \
    COOKIE(GATEWAY_SELF, 18, "gateway-self", "Gateway",                     \
           "What the gateway says by itself: echo replies, time exceeded.") \
    COOKIE(HOST, 19, "host", "Port",                                        \
           "The MAC address of the port, for what a gateway here routes.")  \
    COOKIE(LATE, 20, "late", "Port",                                        \
           "What becomes of packets that come where the port has been, or " \
           "where its VM is stopped.")

enum cookie_kind {
#define COOKIE(NAME, N, STRING, TABLE, MEANING) COOKIE_##NAME = N,
    COOKIES
#undef COOKIE
};

/* Composes and takes apart cookies. */
uint64_t cookie_make(enum cookie_kind, uint64_t id);
enum cookie_kind cookie_kind(uint64_t cookie);
uint64_t cookie_id(uint64_t cookie);

/* Returns "port" and so on, or null if 'cookie' is none of ours. */
const char *cookie_kind_name(uint64_t cookie);

/* Returns the table of the NVA database that 'cookie' leads to, or null if it
 * leads to none. */
const char *cookie_table(uint64_t cookie);

/* Returns the 48 bits of 'uuid' that stand for its row in a cookie. */
uint64_t cookie_id_from_uuid(const struct uuid *);

#endif /* cookie.h */
