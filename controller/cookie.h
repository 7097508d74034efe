/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef COOKIE_H
#define COOKIE_H 1

/* OpenFlow cookies: from a flow to the row that caused it. */

#include <stdint.h>

struct uuid;

/* What a cookie is about.  A cookie is a kind in the upper 16 bits and the
 * first 48 bits of the UUID of a row, so that it survives a restart of the
 * controller and leads to the row (C7).  Multicast groups are in no table;
 * their number has been counted up (mcast.h). */
#define COOKIES                                                             \
    COOKIE(NVE, 1, "nve", NVE,                                              \
           "The ways from table to table, tunnels, answers to ND.")         \
    COOKIE(VN, 2, "vn", VN,                                                 \
           "What happens to unicast for an unknown address.")               \
    COOKIE(FLOOD_LOCAL, 3, "flood-local", VN,                               \
           "Copies of broadcast and multicast for ports at this NVE.")      \
    COOKIE(FLOOD_REMOTE, 4, "flood-remote", VN,                             \
           "Copies of broadcast and multicast for other NVEs.")             \
    COOKIE(PORT, 5, "port", PORT,                                           \
           "Where the port is, its security if it is here, answers to ARP " \
           "and ND for it.")                                                \
    COOKIE(MOVE, 6, "move", MIGRATION,                                      \
           "Armed: switches the port's mapping when it is heard at its "    \
           "new NVE.")                                                      \
    COOKIE(LEARNED, 7, "learned", MIGRATION,                                \
           "Cut over: the mapping to the new place, the redirect of late "  \
           "packets, the mark of the commit.")                              \
    COOKIE(DENIED, 8, "denied", NVE,                                        \
           "Reports of what port security denies.")                         \
    COOKIE(PROBE, 9, "probe", MIGRATION,                                    \
           "Brings the controller what the VM answers when it is asked "    \
           "where it is.")                                                  \
    COOKIE(UPLINK, 10, "uplink", VN,                                        \
           "The way between VMs at this NVE and a physical network.")       \
    COOKIE(GROUP_LOCAL, 11, "group-local", GROUP,                           \
           "Copies of a multicast group's traffic for members here.")       \
    COOKIE(GROUP_REMOTE, 12, "group-remote", GROUP,                         \
           "Copies of a multicast group's traffic for NVEs with members.")  \
    COOKIE(ROUTER, 16, "router", VN,                                        \
           "Answers to ARP and ND for the VN's gateways; what is for them.") \
    COOKIE(GATEWAY, 17, "gateway", GATEWAY,                                 \
           "What the gateway routes, by its policy.")                       \
    COOKIE(GATEWAY_SELF, 18, "gateway-self", GATEWAY,                       \
           "What the gateway says by itself: echo replies, time exceeded.") \
    COOKIE(HOST, 19, "host", PORT,                                          \
           "The MAC address of the port, for what a gateway here routes.")  \
    COOKIE(LATE, 20, "late", PORT,                                          \
           "What becomes of packets that come where the port has been, or " \
           "where its VM is stopped.")                                      \
    COOKIE(NAT, 21, "nat", GATEWAY,                                         \
           "The external address of a gateway: answers to ARP for it, what " \
           "is translated from it, and what becomes of the rest.")          \
    COOKIE(KEPT, 22, "kept", PORT,                                          \
           "Connections that stay with the gateway that served the port.")  \
    COOKIE(BEGUN, 23, "begun", PORT,                                        \
           "TCP connections that the port has begun since it has another "  \
           "gateway.")                                                      \
    COOKIE(GATE_OLD, 24, "gate-old", MIGRATION,                             \
           "Gate of the old place: open until the cut-over, then shut.")    \
    COOKIE(GATE_NEW, 25, "gate-new", MIGRATION,                             \
           "Gate of the new place: shut until the cut-over, then open.")

enum cookie_kind {
#define COOKIE(NAME, N, STRING, OBJECT, MEANING) COOKIE_##NAME = N,
    COOKIES
#undef COOKIE
};

/* Of what a flow is. */
enum cookie_object {
    COOKIE_OF_NOTHING,          /* Not ours. */
    COOKIE_OF_NVE,
    COOKIE_OF_VN,
    COOKIE_OF_PORT,
    COOKIE_OF_MIGRATION,
    COOKIE_OF_GATEWAY,
    COOKIE_OF_GROUP
};

/* Composes and takes apart cookies. */
uint64_t cookie_make(enum cookie_kind, uint64_t id);
enum cookie_kind cookie_kind(uint64_t cookie);
uint64_t cookie_id(uint64_t cookie);
enum cookie_object cookie_object(uint64_t cookie);

/* Returns "port" and so on, or null if 'cookie' is none of ours. */
const char *cookie_kind_name(uint64_t cookie);

/* Returns the table of the NVA database that 'cookie' leads to, or null if it
 * leads to none. */
const char *cookie_table(uint64_t cookie);

/* Returns the 48 bits of 'uuid' that stand for its row in a cookie. */
uint64_t cookie_id_from_uuid(const struct uuid *);

#endif /* cookie.h */
