/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "mcast.h"

#include <limits.h>
#include <stdlib.h>

#include "coverage.h"
#include "flow-list.h"
#include "hash.h"
#include "igmp.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "topology.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(mcast);

COVERAGE_DEFINE(mcast_join);
COVERAGE_DEFINE(mcast_too_many_groups);
COVERAGE_DEFINE(mcast_too_many_routers);

struct mcast {
    mcast_changed_cb *changed;
    void *aux;
    uint64_t next_id;

    /* Each queue has one interval, so that it is sorted by 'expires'. */
    struct ovs_list staying, leaving;
};

struct mcast *
mcast_create(mcast_changed_cb *changed, void *aux)
{
    struct mcast *m = xzalloc(sizeof *m);

    m->changed = changed;
    m->aux = aux;
    m->next_id = 1;
    ovs_list_init(&m->staying);
    ovs_list_init(&m->leaving);
    return m;
}

void
mcast_destroy(struct mcast *m)
{
    if (m) {
        ovs_assert(ovs_list_is_empty(&m->staying)
                   && ovs_list_is_empty(&m->leaving));
        free(m);
    }
}

/* Groups. */

struct mcast_group *
mcast_find(const struct vn *vn, const struct in6_addr *ip)
{
    struct mcast_group *g;

    HMAP_FOR_EACH_WITH_HASH (g, node, hash_bytes(ip, sizeof *ip, 0),
                             &vn->groups) {
        if (ipv6_addr_equals(&g->ip, ip)) {
            return g;
        }
    }
    return NULL;
}

const struct mcast_group *
mcast_find_by_id(const struct topology *t, uint64_t id)
{
    const struct mcast_group *g;
    const struct vn *vn;

    HMAP_FOR_EACH (vn, name_node, &t->vns) {
        HMAP_FOR_EACH (g, node, &vn->groups) {
            if (g->id == id) {
                return g;
            }
        }
    }
    return NULL;
}

struct mcast_group *
mcast_every_group(const struct vn *vn)
{
    return mcast_find(vn, &in6addr_any);
}

bool
mcast_is_every_group(const struct mcast_group *g)
{
    return ipv6_addr_equals(&g->ip, &in6addr_any);
}

static struct mcast_group *
add_group(struct mcast *m, struct vn *vn, const struct in6_addr *ip)
{
    struct mcast_group *g = xzalloc(sizeof *g);

    g->vn = vn;
    g->ip = *ip;
    g->id = m->next_id++;
    ovs_list_init(&g->members);
    hmap_insert(&vn->groups, &g->node, hash_bytes(ip, sizeof *ip, 0));
    return g;
}

/* The members of 'g' have changed. */
static void
group_changed(struct mcast *m, struct mcast_group *g)
{
    m->changed(g, m->aux);
    if (ovs_list_is_empty(&g->members)) {
        hmap_remove(&g->vn->groups, &g->node);
        for (size_t i = 0; i < ARRAY_SIZE(g->remote); i++) {
            flow_list_unref(g->remote[i]);
        }
        flow_list_unref(g->nobody);
        free(g);
    }
}

void
mcast_format_group(const struct mcast_group *g, struct ds *s)
{
    if (mcast_is_every_group(g)) {
        ds_put_cstr(s, "every group");
    } else {
        ipv6_format_mapped(&g->ip, s);
    }
}

/* Members. */

static struct mcast_member *
find_member(const struct port *port, const struct in6_addr *ip)
{
    struct mcast_member *member;

    LIST_FOR_EACH (member, port_node, &port->memberships) {
        if (ipv6_addr_equals(&member->group->ip, ip)) {
            return member;
        }
    }
    return NULL;
}

/* Lets 'member' expire at the end of its interval. */
static void
start_interval(struct mcast *m, struct mcast_member *member, bool leaving,
               long long int now)
{
    ovs_list_remove(&member->expiry_node);
    member->leaving = leaving;
    if (leaving) {
        member->expires = now + MCAST_LEAVE_MS;
        ovs_list_push_back(&m->leaving, &member->expiry_node);
    } else {
        member->expires = now + MCAST_MEMBER_MS;
        ovs_list_push_back(&m->staying, &member->expiry_node);
    }
}

static void
remove_member(struct mcast *m, struct mcast_member *member)
{
    struct mcast_group *g = member->group;

    ovs_list_remove(&member->group_node);
    ovs_list_remove(&member->port_node);
    ovs_list_remove(&member->expiry_node);
    free(member);
    group_changed(m, g);
}

/* Makes 'port' a member of 'ip', or one for longer. */
static struct mcast_member *
put_member(struct mcast *m, struct port *port, const struct in6_addr *ip,
           long long int now)
{
    struct mcast_member *member = find_member(port, ip);

    if (member) {
        start_interval(m, member, false, now);
    } else {
        struct mcast_group *g = mcast_find(port->vn, ip);

        COVERAGE_INC(mcast_join);
        member = xzalloc(sizeof *member);
        member->group = g ? g : add_group(m, port->vn, ip);
        member->port = port;
        ovs_list_push_back(&member->group->members, &member->group_node);
        ovs_list_push_back(&port->memberships, &member->port_node);
        ovs_list_init(&member->expiry_node);
        start_interval(m, member, false, now);
        group_changed(m, member->group);
    }
    return member;
}

/* Returns the number of groups of which 'port' is a member. */
static size_t
count_groups(const struct port *port)
{
    return (ovs_list_size(&port->memberships)
            - !!find_member(port, &in6addr_any));
}

void
mcast_join(struct mcast *m, struct port *port, const struct in6_addr *ip,
           long long int now)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

    if (find_member(port, ip) || count_groups(port) < port->vn->max_groups) {
        put_member(m, port, ip, now);
        return;
    }
    COVERAGE_INC(mcast_too_many_groups);
    VLOG_WARN_RL(&rl, "%s: is a member of more than %"PRIu32" multicast "
                 "groups, so it gets the traffic of every group of %s",
                 port->name, port->vn->max_groups, port->vn->name);
    put_member(m, port, &in6addr_any, now);
}

bool
mcast_leave(struct mcast *m, struct port *port, const struct in6_addr *ip,
            long long int now)
{
    struct mcast_member *member = find_member(port, ip);

    if (!member || member->leaving) {
        return false;
    }
    start_interval(m, member, true, now);
    return true;
}

static size_t
count_routers(const struct vn *vn)
{
    const struct mcast_group *g = mcast_every_group(vn);
    const struct mcast_member *member;
    size_t n = 0;

    if (g) {
        LIST_FOR_EACH (member, group_node, &g->members) {
            n += member->is_router;
        }
    }
    return n;
}

/* Who asks wants the traffic of those who answer. */
static void
router_heard(struct mcast *m, struct port *port, long long int now)
{
    struct mcast_member *member = put_member(m, port, &in6addr_any, now);

    if (!member->is_router) {
        if (count_routers(port->vn) < MCAST_MAX_ROUTERS) {
            member->is_router = true;
        } else {
            COVERAGE_INC(mcast_too_many_routers);
        }
    }
}

bool
mcast_receive(struct mcast *m, struct port *port, struct igmp_message *msg,
              long long int now)
{
    struct igmp_change change;
    bool ask = false;

    if (msg->type == IGMP_QUERY) {
        /* Not from 0.0.0.0, as of a snooping switch behind the port. */
        if (!IN6_IS_ADDR_V4MAPPED(&msg->src)
            || in6_addr_get_mapped_ipv4(&msg->src)) {
            router_heard(m, port, now);
        }
        return false;
    }
    while (igmp_next(msg, &change)) {
        if (!igmp_is_tracked(&change.group)) {
            continue;
        } else if (change.join) {
            mcast_join(m, port, &change.group, now);
        } else {
            ask |= mcast_leave(m, port, &change.group, now);
        }
    }
    return ask;
}

void
mcast_forget_port(struct mcast *m, struct port *port)
{
    struct mcast_member *member;

    LIST_FOR_EACH_SAFE (member, port_node, &port->memberships) {
        remove_member(m, member);
    }
}

void
mcast_forget_vn(struct mcast *m, struct vn *vn)
{
    struct port *port;

    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        mcast_forget_port(m, port);
    }
}

/* Time. */

static void
run_queue(struct mcast *m, struct ovs_list *queue, long long int now)
{
    while (!ovs_list_is_empty(queue)) {
        struct mcast_member *member = CONTAINER_OF(
            ovs_list_front(queue), struct mcast_member, expiry_node);

        if (member->expires > now) {
            break;
        }
        remove_member(m, member);
    }
}

void
mcast_run(struct mcast *m, long long int now)
{
    run_queue(m, &m->staying, now);
    run_queue(m, &m->leaving, now);
}

static long long int
queue_deadline(const struct ovs_list *queue)
{
    return (ovs_list_is_empty(queue) ? LLONG_MAX
            : CONTAINER_OF(ovs_list_front(queue), struct mcast_member,
                           expiry_node)->expires);
}

long long int
mcast_deadline(const struct mcast *m)
{
    return MIN(queue_deadline(&m->staying), queue_deadline(&m->leaving));
}
