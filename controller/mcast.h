/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef MCAST_H
#define MCAST_H 1

/* Which ports are members of which multicast groups (V17).
 *
 * Knows what ports have said (igmp.h), and for how long it holds.  A group of
 * which nobody is a member does not exist here; its traffic is flooded, as if
 * there were no such module.  What flows there are because of a group is
 * decided in wiring.h.
 *
 * A membership is of a port, not of a place: it moves with the port.
 *
 * Some ports get the traffic of every group: those that have sent a query,
 * which must be multicast routers, and those that are members of more groups
 * than are tracked for a port.  They are members of the group "::".
 *
 * Time is in ms, monotonic.  Thread-safety: none; use from one thread. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"

struct ds;
struct flow_list;
struct igmp_message;
struct mcast;
struct port;
struct topology;
struct vn;

/* Unless it is repeated, a membership ends after this (RFC 3376 section 8.4,
 * RFC 3810 section 9.4), and if it has been taken back, after that: until then
 * somebody else behind the same port may repeat it. */
#define MCAST_MEMBER_MS 260000
#define MCAST_LEAVE_MS 2000

/* How often members must be asked. */
#define MCAST_QUERY_MS 125000

/* How many routers of a VN there are at most. */
#define MCAST_MAX_ROUTERS 8

struct mcast_group {
    struct hmap_node node;      /* In the VN's 'groups', by 'ip'. */
    struct vn *vn;
    struct in6_addr ip;         /* v4-mapped if IPv4; "::" is every group. */
    uint64_t id;                /* For cookies; never used again. */
    struct ovs_list members;    /* Contains "struct mcast_member"s. */
    struct flow_list *remote[4]; /* Caches of wiring.c: copies for other NVEs,
                                  * by address families, */
    struct flow_list *nobody;   /* and for an NVE without a member. */
};

struct mcast_member {
    struct ovs_list group_node; /* In the group's 'members'. */
    struct ovs_list port_node;  /* In the port's 'memberships'. */
    struct ovs_list expiry_node; /* In a queue, sorted by 'expires'. */
    struct mcast_group *group;
    struct port *port;
    long long int expires;
    bool leaving;               /* Has been taken back. */
    bool is_router;             /* Of every group only. */
};

/* Called when the members of a group have changed.  If it has none any more,
 * it vanishes after the call. */
typedef void mcast_changed_cb(struct mcast_group *, void *aux);

struct mcast *mcast_create(mcast_changed_cb *, void *aux);

/* Destroys 'm'.  All members must have been forgotten. */
void mcast_destroy(struct mcast *);

/* 'port' has sent 'msg'.  Returns true if it is to be asked what it still is a
 * member of, because it has left a group. */
bool mcast_receive(struct mcast *, struct port *, struct igmp_message *,
                   long long int now);

/* The same for one group, whatever it is. */
void mcast_join(struct mcast *, struct port *, const struct in6_addr *group,
                long long int now);
bool mcast_leave(struct mcast *, struct port *, const struct in6_addr *group,
                 long long int now);

/* Ends all memberships of 'port', or of all ports of 'vn'. */
void mcast_forget_port(struct mcast *, struct port *);
void mcast_forget_vn(struct mcast *, struct vn *);

/* Ends memberships that have not been repeated. */
void mcast_run(struct mcast *, long long int now);
long long int mcast_deadline(const struct mcast *);

/* Returns group 'ip' of 'vn', or null if it has no members. */
struct mcast_group *mcast_find(const struct vn *, const struct in6_addr *ip);

/* Returns the group, of any VN, that has 'id', or null. */
const struct mcast_group *mcast_find_by_id(const struct topology *,
                                           uint64_t id);

/* Returns the group of 'vn' whose members get the traffic of every group, or
 * null if there are none. */
struct mcast_group *mcast_every_group(const struct vn *);

/* Returns true if 'group' is that one. */
bool mcast_is_every_group(const struct mcast_group *);

/* Appends the name of 'group'. */
void mcast_format_group(const struct mcast_group *, struct ds *);

#endif /* mcast.h */
