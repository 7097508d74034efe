/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "wiring-private.h"

#include <stdlib.h>

#include "flow.h"
#include "flow-list.h"
#include "hash.h"
#include "mcast.h"
#include "move.h"
#include "ofsync.h"
#include "openvswitch/dynamic-string.h"
#include "pipeline.h"
#include "topology.h"
#include "util.h"

void
wiring_set_unit__(struct nve *nve, enum cookie_kind kind, uint64_t id,
                  struct flow_list *fl)
{
    ofsync_set(nve->ofsync, cookie_make(kind, id), fl);
    flow_list_unref(fl);
}

void
wiring_nve_changed(struct nve *nve, const struct wiring_config *config)
{
    wiring_set_unit__(nve, COOKIE_NVE, nve->id,
                      pipeline_nve(nve, nve->geneve_ofport, nve->vxlan_ofport,
                                   config->packet_in_rate));
    wiring_set_unit__(nve, COOKIE_DENIED, nve->id, pipeline_denied(nve));
}

/* Ports. */

/* Returns the list for a port that is at 'place' for 'nve', from the cache of
 * the place.  The reference is the cache's. */
static struct flow_list *
remote_list(const struct port *port, struct place *place,
            const struct nve *nve)
{
    int ip = place->nve ? topology_tunnel_address(nve, place->nve) : -1;
    struct flow_list **list = &place->lists[MAX(ip, 0)];

    if (ip < 0 && place->nve) {
        return NULL;
    }
    if (!*list) {
        *list = pipeline_port_remote(port, place->nve, ip);
    }
    return *list;
}

static void
forget_place(struct place *place)
{
    for (size_t i = 0; i < ARRAY_SIZE(place->lists); i++) {
        flow_list_unref(place->lists[i]);
        place->lists[i] = NULL;
    }
}

void
wiring_forget(struct port *port)
{
    forget_place(&port->place);
    if (port->move) {
        forget_place(&port->move->there);
    }
}

/* Returns where 'port' is for others, before or after its move. */
static struct place *
place_of(struct port *port, bool after)
{
    return port->move && after ? &port->move->there : &port->place;
}

/* Returns true if 'nve' treats the move of 'port', if any, as cut over. */
static bool
is_after(const struct port *port, const struct nve *nve)
{
    const struct move *move = port->move;

    return move && (nve == move->new_nve ? move->cut_new
                    : nve == move->old_nve ? move->cut_old
                    : move->cut_peers);
}

/* Returns true if nothing is delivered to 'port' although it is at 'place'. */
static bool
is_closed(const struct port *port, const struct place *place)
{
    return port->closed && place == &port->place;
}

struct flow_list *
wiring_port_list(struct topology *t, struct port *port, struct nve *nve,
                 bool after)
{
    struct place *place = place_of(port, after);
    struct move *move = port->move;
    struct attachment *a = NULL;

    if (nve == place->nve || (move && (nve == move->old_nve
                                       || nve == move->new_nve))) {
        a = topology_find_attachment(t, port->name, nve);
    }
    if (!a) {
        return flow_list_ref(remote_list(port, place, nve));
    } else if (nve == place->nve) {
        return pipeline_port_local(port, nve, a->ofport, NULL, -1,
                                   is_closed(port, place));
    } else {
        int ip = (place->nve ? topology_tunnel_address(nve, place->nve) : -1);

        return pipeline_port_local(port, nve, a->ofport, place->nve, ip,
                                   false);
    }
}

/* Tells 'nve' what it needs for 'port' now. */
static void
set_port(struct topology *t, struct port *port, struct nve *nve)
{
    wiring_set_unit__(nve, COOKIE_PORT, port->id,
                      wiring_port_list(t, port, nve, is_after(port, nve)));
}

/* Broadcast copies. */

static int
compare_ofports(const void *a_, const void *b_)
{
    const ofp_port_t *a = a_;
    const ofp_port_t *b = b_;

    return ofp_to_u16(*a) < ofp_to_u16(*b) ? -1
           : ofp_to_u16(*a) > ofp_to_u16(*b);
}

struct flow_list *
wiring_flood_local_list(struct topology *t, struct nve *nve,
                        const struct vn *vn)
{
    struct member *m = topology_find_member(nve, vn);
    struct flow_list *fl;
    struct presence *p;
    ofp_port_t *ports;
    size_t n = 0;

    ports = xmalloc(MAX(1, m ? hmap_count(&m->ports) : 0) * sizeof *ports);
    if (m) {
        HMAP_FOR_EACH (p, node, &m->ports) {
            struct place *place = place_of(p->port, is_after(p->port, nve));
            struct attachment *a;

            if (place->nve != nve || is_closed(p->port, place)) {
                continue;
            }
            a = topology_find_attachment(t, p->port->name, nve);
            if (a) {
                ports[n++] = a->ofport;
            }
        }
    }
    qsort(ports, n, sizeof *ports, compare_ofports);
    fl = pipeline_flood_local(vn, ports, n);
    free(ports);
    return fl;
}

void
wiring_flood_local_changed(struct topology *t, struct nve *nve,
                           const struct vn *vn)
{
    wiring_set_unit__(nve, COOKIE_FLOOD_LOCAL, vn->id,
                      wiring_flood_local_list(t, nve, vn));
}

/* Returns which address families 'nve' has, as an index of vn->flood. */
static int
families(const struct nve *nve)
{
    int mask = 0;

    for (size_t i = 0; i < nve->n_ips; i++) {
        mask |= topology_is_ipv4(&nve->ips[i]) ? 1 : 2;
    }
    return mask;
}

/* Returns the copies that 'nve' sends to the other members of 'vn'.  The
 * reference is the cache's. */
static struct flow_list *
flood_remote_list(struct vn *vn, const struct nve *nve)
{
    struct flow_list **list = &vn->flood[families(nve)];

    if (!*list) {
        const struct nve **nves;
        struct member *m;
        size_t n = 0;

        nves = xmalloc(MAX(1, hmap_count(&vn->members)) * sizeof *nves);
        HMAP_FOR_EACH (m, vn_node, &vn->members) {
            nves[n++] = m->nve;
        }
        qsort(nves, n, sizeof *nves, topology_compare_nves);
        *list = pipeline_flood_remote(vn, nve, nves, n);
        free(nves);
    }
    return *list;
}

/* The members of 'vn' changed. */
static void
flood_remote_changed(struct vn *vn)
{
    struct member *m;

    for (size_t i = 0; i < ARRAY_SIZE(vn->flood); i++) {
        flow_list_unref(vn->flood[i]);
        vn->flood[i] = NULL;
    }
    HMAP_FOR_EACH (m, vn_node, &vn->members) {
        ofsync_set(m->nve->ofsync, cookie_make(COOKIE_FLOOD_REMOTE, vn->id),
                   flood_remote_list(vn, m->nve));
    }
}

/* Copies for multicast groups. */

typedef void group_member_cb(struct mcast_member *, void *aux);

/* Calls 'cb' for each member of 'g', and for each port that gets the traffic
 * of every group. */
static void
for_each_member(const struct mcast_group *g, group_member_cb *cb, void *aux)
{
    const struct mcast_group *groups[] = { g, mcast_every_group(g->vn) };
    struct mcast_member *member;

    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        if (groups[i]) {
            LIST_FOR_EACH (member, group_node, &groups[i]->members) {
                cb(member, aux);
            }
        }
    }
}

/* Lists that for_each_member() fills. */
struct group_lists {
    struct topology *t;
    const struct nve *nve;
    ofp_port_t *ports;
    size_t n_ports, allocated_ports;
    const struct nve **nves;
    size_t n_nves, allocated_nves;
};

/* Adds the interface of 'member' if its port is at 'lists->nve'.  All NVEs
 * agree that a port on the move is at the new place when the old one has been
 * told to switch, so that its traffic is delivered at one of them. */
static void
add_group_port(struct mcast_member *member, void *lists_)
{
    struct group_lists *lists = lists_;
    struct port *port = member->port;
    struct place *place = place_of(port, port->move && port->move->cut_old);
    struct attachment *a;

    if (place->nve != lists->nve || is_closed(port, place)) {
        return;
    }
    a = topology_find_attachment(lists->t, port->name, lists->nve);
    if (a) {
        if (lists->n_ports >= lists->allocated_ports) {
            lists->ports = x2nrealloc(lists->ports, &lists->allocated_ports,
                                      sizeof *lists->ports);
        }
        lists->ports[lists->n_ports++] = a->ofport;
    }
}

static void
add_group_nve(struct group_lists *lists, const struct nve *nve)
{
    if (lists->n_nves >= lists->allocated_nves) {
        lists->nves = x2nrealloc(lists->nves, &lists->allocated_nves,
                                 sizeof *lists->nves);
    }
    lists->nves[lists->n_nves++] = nve;
}

/* Adds the places of 'member', both if it is on the move. */
static void
add_group_nves(struct mcast_member *member, void *lists)
{
    const struct port *port = member->port;

    if (port->place.nve) {
        add_group_nve(lists, port->place.nve);
    }
    if (port->move) {
        add_group_nve(lists, port->move->new_nve);
    }
}

/* Returns the copies of the traffic of 'g' for members at 'nve'.  The caller
 * owns the reference. */
static struct flow_list *
group_local_list(struct topology *t, const struct nve *nve,
                 struct mcast_group *g)
{
    struct group_lists lists = { .t = t, .nve = nve };
    struct flow_list *fl;
    size_t n = 0;

    for_each_member(g, add_group_port, &lists);
    if (!lists.n_ports) {
        if (!g->nobody) {
            g->nobody = pipeline_group_local(g, NULL, 0);
        }
        return flow_list_ref(g->nobody);
    }
    qsort(lists.ports, lists.n_ports, sizeof *lists.ports, compare_ofports);
    for (size_t i = 0; i < lists.n_ports; i++) {
        if (!i || lists.ports[i] != lists.ports[n - 1]) {
            lists.ports[n++] = lists.ports[i];
        }
    }
    fl = pipeline_group_local(g, lists.ports, n);
    free(lists.ports);
    return fl;
}

/* The same for other NVEs with members.  The reference is the cache's. */
static struct flow_list *
group_remote_list(struct mcast_group *g, const struct nve *nve)
{
    struct flow_list **list = &g->remote[families(nve)];

    if (!*list) {
        struct group_lists lists = { .nve = nve };
        size_t n = 0;

        for_each_member(g, add_group_nves, &lists);
        if (lists.n_nves) {
            qsort(lists.nves, lists.n_nves, sizeof *lists.nves,
                  topology_compare_nves);
        }
        for (size_t i = 0; i < lists.n_nves; i++) {
            if (!i || lists.nves[i] != lists.nves[n - 1]) {
                lists.nves[n++] = lists.nves[i];
            }
        }
        *list = pipeline_group_remote(g, nve, lists.nves, n);
        free(lists.nves);
    }
    return *list;
}

static void
forget_group(struct mcast_group *g)
{
    for (size_t i = 0; i < ARRAY_SIZE(g->remote); i++) {
        flow_list_unref(g->remote[i]);
        g->remote[i] = NULL;
    }
    flow_list_unref(g->nobody);
    g->nobody = NULL;
}

static void
remove_group(struct nve *nve, const struct mcast_group *g)
{
    ofsync_set(nve->ofsync, cookie_make(COOKIE_GROUP_LOCAL, g->id), NULL);
    ofsync_set(nve->ofsync, cookie_make(COOKIE_GROUP_REMOTE, g->id), NULL);
}

/* Tells 'nve' what it needs for 'g' now. */
static void
set_group(struct topology *t, struct nve *nve, struct mcast_group *g)
{
    if (mcast_is_every_group(g)) {
        return;                 /* It is in the lists of the others. */
    } else if (ovs_list_is_empty(&g->members)) {
        remove_group(nve, g);
    } else {
        wiring_set_unit__(nve, COOKIE_GROUP_LOCAL, g->id,
                          group_local_list(t, nve, g));
        ofsync_set(nve->ofsync, cookie_make(COOKIE_GROUP_REMOTE, g->id),
                   group_remote_list(g, nve));
    }
}

/* The same for all groups of 'vn'. */
static void
set_groups(struct topology *t, struct nve *nve, struct vn *vn)
{
    struct mcast_group *g;

    HMAP_FOR_EACH (g, node, &vn->groups) {
        set_group(t, nve, g);
    }
}

static void
groups_changed(struct topology *t, struct vn *vn)
{
    struct mcast_group *g;
    struct member *m;

    HMAP_FOR_EACH (g, node, &vn->groups) {
        forget_group(g);
    }
    HMAP_FOR_EACH (m, vn_node, &vn->members) {
        set_groups(t, m->nve, vn);
    }
}

void
wiring_group_changed(struct topology *t, struct mcast_group *g)
{
    struct member *m;

    if (mcast_is_every_group(g)) {
        groups_changed(t, g->vn);
        return;
    }
    forget_group(g);
    HMAP_FOR_EACH (m, vn_node, &g->vn->members) {
        set_group(t, m->nve, g);
    }
}

void
wiring_port_groups_changed(struct topology *t, struct port *port)
{
    struct mcast_member *member;

    LIST_FOR_EACH (member, port_node, &port->memberships) {
        wiring_group_changed(t, member->group);
    }
}

/* Uplinks. */

/* Returns what 'nve' needs for its uplink into 'vn', or null if it has
 * none. */
static struct flow_list *
uplink_list(const struct nve *nve, const struct vn *vn)
{
    const struct uplink *uplink = topology_find_uplink(nve, vn);

    return uplink ? pipeline_uplink(vn, uplink->ofport, uplink->vlan) : NULL;
}

void
wiring_uplinks_changed(struct nve *nve)
{
    struct member *m;

    HMAP_FOR_EACH (m, nve_node, &nve->members) {
        wiring_set_unit__(nve, COOKIE_UPLINK, m->vn->id,
                          uplink_list(nve, m->vn));
    }
    wiring_gateway_uplinks_changed__(nve);
}

/* Late packets. */

static struct flow_list *
late_list(const struct late *late)
{
    const struct nve *there = late->port->place.nve;

    return pipeline_late(late->port, late->nve, there == late->nve, there,
                         there ? topology_tunnel_address(late->nve, there)
                         : -1);
}

void
wiring_late_changed(const struct late *late)
{
    wiring_set_unit__(late->nve, COOKIE_LATE, late->port->id,
                      late_list(late));
}

/* Members. */

/* Returns what all NVEs need for 'vn' itself.  The reference is the
 * cache's. */
static struct flow_list *
vn_list(struct vn *vn)
{
    if (!vn->list) {
        vn->list = pipeline_vn(vn);
    }
    return vn->list;
}

static void
forget_vn_list(struct vn *vn)
{
    flow_list_unref(vn->list);
    vn->list = NULL;
}

/* Brings all of 'vn' to 'nve'. */
static void
bring_vn(struct topology *t, struct nve *nve, struct vn *vn)
{
    struct port *port;

    ofsync_set(nve->ofsync, cookie_make(COOKIE_VN, vn->id), vn_list(vn));
    wiring_set_unit__(nve, COOKIE_UPLINK, vn->id, uplink_list(nve, vn));
    wiring_set_router__(nve, vn);
    wiring_flood_local_changed(t, nve, vn);
    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        set_port(t, port, nve);
    }
    set_groups(t, nve, vn);
}

/* Removes all of 'vn' from 'nve'. */
static void
remove_vn(struct nve *nve, struct vn *vn)
{
    struct mcast_group *g;
    struct port *port;

    ofsync_set(nve->ofsync, cookie_make(COOKIE_VN, vn->id), NULL);
    ofsync_set(nve->ofsync, cookie_make(COOKIE_UPLINK, vn->id), NULL);
    ofsync_set(nve->ofsync, cookie_make(COOKIE_ROUTER, vn->id), NULL);
    ofsync_set(nve->ofsync, cookie_make(COOKIE_FLOOD_LOCAL, vn->id), NULL);
    ofsync_set(nve->ofsync, cookie_make(COOKIE_FLOOD_REMOTE, vn->id), NULL);
    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        ofsync_set(nve->ofsync, cookie_make(COOKIE_PORT, port->id), NULL);
    }
    HMAP_FOR_EACH (g, node, &vn->groups) {
        remove_group(nve, g);
    }
}

void
wiring_member_added__(struct topology *t, struct nve *nve, struct vn *vn)
{
    bring_vn(t, nve, vn);
    flood_remote_changed(vn);
}

void
wiring_member_removed__(struct nve *nve, struct vn *vn)
{
    remove_vn(nve, vn);
    flood_remote_changed(vn);
}

void
wiring_join(struct topology *t, struct nve *nve, struct port *port)
{
    if (topology_add_presence(t, nve, port)) {
        wiring_member_added__(t, nve, port->vn);
    } else {
        set_port(t, port, nve);
        wiring_flood_local_changed(t, nve, port->vn);
    }
    wiring_port_groups_changed(t, port);
}

void
wiring_leave(struct topology *t, struct nve *nve, struct port *port)
{
    if (topology_remove_presence(t, nve, port)) {
        wiring_member_removed__(nve, port->vn);
    } else if (topology_find_member(nve, port->vn)) {
        set_port(t, port, nve);
        wiring_flood_local_changed(t, nve, port->vn);
    }
    wiring_port_groups_changed(t, port);
}

/* Changes. */

void
wiring_port_changed(struct topology *t, struct port *port)
{
    struct move *move = port->move;
    struct member *m;

    wiring_forget(port);
    HMAP_FOR_EACH (m, vn_node, &port->vn->members) {
        set_port(t, port, m->nve);
        if (m->nve == port->place.nve
            || (move && (m->nve == move->old_nve
                         || m->nve == move->new_nve))) {
            wiring_flood_local_changed(t, m->nve, port->vn);
        }
    }
    wiring_set_hosts__(port);
    wiring_port_groups_changed(t, port);
}

void
wiring_way_out_changed(struct topology *t, struct port *port)
{
    struct move *move = port->move;
    struct nve *nves[] = { port->place.nve, move ? move->old_nve : NULL,
                           move ? move->new_nve : NULL };

    for (size_t i = 0; i < ARRAY_SIZE(nves); i++) {
        if (nves[i]) {
            set_port(t, port, nves[i]);
        }
    }
}

void
wiring_place_port(struct topology *t, struct port *port, struct nve *nve)
{
    struct nve *old = port->place.nve;

    if (old != nve) {
        port->place.nve = nve;
        wiring_forget(port);
        if (nve) {
            wiring_join(t, nve, port);
        }
        if (old) {
            wiring_leave(t, old, port);
        }
        wiring_port_changed(t, port);
    }
}

void
wiring_port_removed(struct topology *t, struct port *port)
{
    struct member *m;

    wiring_place_port(t, port, NULL);
    HMAP_FOR_EACH_SAFE (m, vn_node, &port->vn->members) {
        if (topology_is_present(m->nve, port)) {
            wiring_leave(t, m->nve, port);
        }
    }
    HMAP_FOR_EACH (m, vn_node, &port->vn->members) {
        ofsync_set(m->nve->ofsync, cookie_make(COOKIE_PORT, port->id), NULL);
    }
    wiring_remove_hosts__(port);
}

void
wiring_vn_changed(struct topology *t, struct vn *vn)
{
    struct member *m;
    struct port *port;

    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        wiring_forget(port);
    }
    forget_vn_list(vn);
    flood_remote_changed(vn);
    groups_changed(t, vn);
    HMAP_FOR_EACH (m, vn_node, &vn->members) {
        bring_vn(t, m->nve, vn);
    }
    wiring_vn_gateways_changed__(t, vn);
}

void
wiring_nve_moved(struct topology *t, struct nve *nve)
{
    struct member *m, *other;
    struct port *port;

    wiring_gateways_moved__(t, nve);
    HMAP_FOR_EACH (m, nve_node, &nve->members) {
        flood_remote_changed(m->vn);
        groups_changed(t, m->vn);
        HMAP_FOR_EACH (port, vn_node, &m->vn->ports) {
            if (port->place.nve != nve
                && !(port->move && port->move->new_nve == nve)) {
                /* Which address of others it uses depends on its own. */
                set_port(t, port, nve);
                continue;
            }
            wiring_forget(port);
            HMAP_FOR_EACH (other, vn_node, &m->vn->members) {
                set_port(t, port, other->nve);
            }
        }
    }
}

/* The oracle. */

static void
report_difference(const struct flow_entry *fe, bool add, void *check_)
{
    struct wiring_comparison *check = check_;

    ds_put_format(check->out, "%s: %s ", check->nve,
                  add ? "missing" : "too much");
    flow_entry_format(fe, check->out);
    ds_put_char(check->out, '\n');
    check->n++;
}

void
wiring_check_unit__(struct wiring_comparison *check, const struct nve *nve,
                    enum cookie_kind kind, uint64_t id, struct flow_list *fl)
{
    flow_list_diff(ofsync_get(nve->ofsync, cookie_make(kind, id)), fl,
                   report_difference, check);
    flow_list_unref(fl);
}

/* The same for all groups of 'vn'. */
static void
check_groups(struct wiring_comparison *check, struct topology *t,
             struct nve *nve, struct vn *vn)
{
    struct mcast_group *g;

    HMAP_FOR_EACH (g, node, &vn->groups) {
        if (!mcast_is_every_group(g)) {
            forget_group(g);
            wiring_check_unit__(check, nve, COOKIE_GROUP_LOCAL, g->id,
                                group_local_list(t, nve, g));
            wiring_check_unit__(check, nve, COOKIE_GROUP_REMOTE, g->id,
                                flow_list_ref(group_remote_list(g, nve)));
        }
    }
}

size_t
wiring_check(struct topology *t, struct nve *nve,
             const struct wiring_config *config, struct ds *out)
{
    struct wiring_comparison check = { .nve = nve->name, .out = out };
    struct member *m;
    struct port *port;

    wiring_check_unit__(&check, nve, COOKIE_NVE, nve->id,
                        pipeline_nve(nve, nve->geneve_ofport,
                                     nve->vxlan_ofport,
                                     config->packet_in_rate));
    wiring_check_unit__(&check, nve, COOKIE_DENIED, nve->id,
                        pipeline_denied(nve));
    HMAP_FOR_EACH (m, nve_node, &nve->members) {
        struct vn *vn = m->vn;

        flow_list_unref(vn->flood[families(nve)]);
        vn->flood[families(nve)] = NULL;
        wiring_check_unit__(&check, nve, COOKIE_VN, vn->id, pipeline_vn(vn));
        wiring_check_unit__(&check, nve, COOKIE_UPLINK, vn->id,
                            uplink_list(nve, vn));
        wiring_check_unit__(&check, nve, COOKIE_FLOOD_LOCAL, vn->id,
                            wiring_flood_local_list(t, nve, vn));
        wiring_check_unit__(&check, nve, COOKIE_FLOOD_REMOTE, vn->id,
                            flow_list_ref(flood_remote_list(vn, nve)));
        HMAP_FOR_EACH (port, vn_node, &vn->ports) {
            wiring_forget(port);
            wiring_check_unit__(&check, nve, COOKIE_PORT, port->id,
                                wiring_port_list(t, port, nve,
                                                 is_after(port, nve)));
        }
        check_groups(&check, t, nve, vn);
        wiring_check_gateways__(&check, nve, vn);
    }
    HMAP_FOR_EACH (port, name_node, &t->ports) {
        const struct late *late = topology_find_late(port, nve);

        wiring_check_unit__(&check, nve, COOKIE_LATE, port->id,
                            late ? late_list(late) : NULL);
    }
    return check.n;
}
