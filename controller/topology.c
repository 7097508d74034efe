/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "topology.h"

#include <stdlib.h>
#include <string.h>

#include "flow-list.h"
#include "flow.h"
#include "hash.h"
#include "util.h"

void
topology_init(struct topology *t)
{
    t->member_cb = NULL;
    t->aux = NULL;
    hmap_init(&t->nves);
    hmap_init(&t->nves_by_id);
    hmap_init(&t->vns);
    hmap_init(&t->vns_by_id);
    hmap_init(&t->ports);
    hmap_init(&t->ports_by_id);
    hmap_init(&t->attachments);
}

void
topology_uninit(struct topology *t)
{
    struct attachment *a;
    struct port *port;
    struct nve *nve;
    struct vn *vn;

    HMAP_FOR_EACH_SAFE (port, name_node, &t->ports) {
        topology_remove_port(t, port);
    }
    HMAP_FOR_EACH_SAFE (a, iface_node, &t->attachments) {
        topology_detach(t, a);
    }
    HMAP_FOR_EACH_SAFE (vn, name_node, &t->vns) {
        topology_remove_vn(t, vn);
    }
    HMAP_FOR_EACH_SAFE (nve, name_node, &t->nves) {
        topology_remove_nve(t, nve);
    }
    hmap_destroy(&t->nves);
    hmap_destroy(&t->nves_by_id);
    hmap_destroy(&t->vns);
    hmap_destroy(&t->vns_by_id);
    hmap_destroy(&t->ports);
    hmap_destroy(&t->ports_by_id);
    hmap_destroy(&t->attachments);
}

/* NVEs. */

struct nve *
topology_add_nve(struct topology *t, const char *name, uint64_t id)
{
    struct nve *nve = xzalloc(sizeof *nve);

    nve->name = xstrdup(name);
    nve->id = id;
    nve->encap = ENCAP_GENEVE;
    hmap_init(&nve->members);
    hmap_init(&nve->attachments);
    ovs_list_init(&nve->move_parts);
    ovs_list_init(&nve->uplinks);
    ovs_list_init(&nve->gateways);
    ovs_list_init(&nve->watches);
    hmap_insert(&t->nves, &nve->name_node, hash_string(name, 0));
    hmap_insert(&t->nves_by_id, &nve->id_node, hash_uint64(id));
    return nve;
}

void
topology_remove_nve(struct topology *t, struct nve *nve)
{
    topology_clear_uplinks(nve);
    ovs_assert(hmap_is_empty(&nve->members)
               && hmap_is_empty(&nve->attachments)
               && ovs_list_is_empty(&nve->move_parts)
               && ovs_list_is_empty(&nve->gateways));
    hmap_remove(&t->nves, &nve->name_node);
    hmap_remove(&t->nves_by_id, &nve->id_node);
    hmap_destroy(&nve->members);
    hmap_destroy(&nve->attachments);
    free(nve->name);
    free(nve);
}

int
topology_compare_nves(const void *a_, const void *b_)
{
    const struct nve *const *a = a_;
    const struct nve *const *b = b_;

    return strcmp((*a)->name, (*b)->name);
}

struct nve *
topology_find_nve(const struct topology *t, const char *name)
{
    struct nve *nve;

    HMAP_FOR_EACH_WITH_HASH (nve, name_node, hash_string(name, 0), &t->nves) {
        if (!strcmp(nve->name, name)) {
            return nve;
        }
    }
    return NULL;
}

struct nve *
topology_find_nve_by_id(const struct topology *t, uint64_t id)
{
    struct nve *nve;

    HMAP_FOR_EACH_WITH_HASH (nve, id_node, hash_uint64(id), &t->nves_by_id) {
        if (nve->id == id) {
            return nve;
        }
    }
    return NULL;
}

int
topology_tunnel_address(const struct nve *from, const struct nve *to)
{
    for (size_t i = 0; i < to->n_ips; i++) {
        for (size_t j = 0; j < from->n_ips; j++) {
            if (topology_is_ipv4(&from->ips[j])
                == topology_is_ipv4(&to->ips[i])) {
                return i;
            }
        }
    }
    return -1;
}

void
topology_add_uplink(struct nve *nve, const char *vn_name, const char *ifname,
                    ofp_port_t ofport, uint16_t vlan, bool down)
{
    struct uplink *uplink = xzalloc(sizeof *uplink);

    uplink->vn_name = xstrdup(vn_name);
    uplink->ifname = xstrdup(ifname);
    uplink->ofport = ofport;
    uplink->vlan = vlan;
    uplink->down = down;
    ovs_list_push_back(&nve->uplinks, &uplink->nve_node);
}

void
topology_clear_uplinks(struct nve *nve)
{
    struct uplink *uplink;

    LIST_FOR_EACH_POP (uplink, nve_node, &nve->uplinks) {
        free(uplink->vn_name);
        free(uplink->ifname);
        free(uplink);
    }
}

const struct uplink *
topology_find_uplink(const struct nve *nve, const struct vn *vn)
{
    const struct uplink *uplink;

    LIST_FOR_EACH (uplink, nve_node, &nve->uplinks) {
        if (!strcmp(uplink->vn_name, vn->name)) {
            return uplink;
        }
    }
    return NULL;
}

/* Virtual networks. */

struct vn *
topology_add_vn(struct topology *t, const char *name, uint64_t id)
{
    struct vn *vn = xzalloc(sizeof *vn);

    vn->name = xstrdup(name);
    vn->id = id;
    hmap_init(&vn->ports);
    hmap_init(&vn->addresses);
    hmap_init(&vn->members);
    hmap_init(&vn->groups);
    ovs_list_init(&vn->gateways);
    ovs_list_init(&vn->gateways_node);
    hmap_insert(&t->vns, &vn->name_node, hash_string(name, 0));
    hmap_insert(&t->vns_by_id, &vn->id_node, hash_uint64(id));
    return vn;
}

void
topology_remove_vn(struct topology *t, struct vn *vn)
{
    ovs_assert(hmap_is_empty(&vn->ports) && hmap_is_empty(&vn->members)
               && hmap_is_empty(&vn->groups)
               && ovs_list_is_empty(&vn->gateways));
    ovs_list_remove(&vn->gateways_node);
    hmap_remove(&t->vns, &vn->name_node);
    hmap_remove(&t->vns_by_id, &vn->id_node);
    hmap_destroy(&vn->ports);
    hmap_destroy(&vn->addresses);
    hmap_destroy(&vn->members);
    hmap_destroy(&vn->groups);
    for (size_t i = 0; i < ARRAY_SIZE(vn->flood); i++) {
        flow_list_unref(vn->flood[i]);
    }
    flow_list_unref(vn->list);
    free(vn->name);
    free(vn);
}

struct vn *
topology_find_vn(const struct topology *t, const char *name)
{
    struct vn *vn;

    HMAP_FOR_EACH_WITH_HASH (vn, name_node, hash_string(name, 0), &t->vns) {
        if (!strcmp(vn->name, name)) {
            return vn;
        }
    }
    return NULL;
}

struct vn *
topology_find_vn_by_id(const struct topology *t, uint64_t id)
{
    struct vn *vn;

    HMAP_FOR_EACH_WITH_HASH (vn, id_node, hash_uint64(id), &t->vns_by_id) {
        if (vn->id == id) {
            return vn;
        }
    }
    return NULL;
}

/* Ports. */

struct port *
topology_add_port(struct topology *t, const char *name, uint64_t id,
                  struct vn *vn)
{
    struct port *port = xzalloc(sizeof *port);

    port->name = xstrdup(name);
    port->id = id;
    port->vn = vn;
    ovs_list_init(&port->lates);
    ovs_list_init(&port->memberships);
    ovs_list_init(&port->query_node);
    hmap_insert(&t->ports, &port->name_node, hash_string(name, 0));
    hmap_insert(&t->ports_by_id, &port->id_node, hash_uint64(id));
    hmap_insert(&vn->ports, &port->vn_node, hash_pointer(port, 0));
    return port;
}

static uint32_t
hash_ip(const struct in6_addr *ip)
{
    return hash_bytes(ip, sizeof *ip, 0);
}

static void
forget_addresses(struct port *port)
{
    for (size_t i = 0; i < port->n_ips; i++) {
        hmap_remove(&port->vn->addresses, &port->addresses[i].node);
    }
    free(port->addresses);
    port->addresses = NULL;
}

void
topology_set_ips(struct port *port, struct in6_addr *ips, size_t n)
{
    forget_addresses(port);
    free(port->ips);
    port->ips = ips;
    port->n_ips = n;
    port->addresses = xmalloc(MAX(1, n) * sizeof *port->addresses);
    for (size_t i = 0; i < n; i++) {
        struct address *a = &port->addresses[i];

        a->ip = &ips[i];
        a->port = port;
        hmap_insert(&port->vn->addresses, &a->node, hash_ip(a->ip));
    }
}

struct port *
topology_find_port_by_ip(const struct vn *vn, const struct in6_addr *ip,
                         const struct port *except)
{
    const struct address *a;

    HMAP_FOR_EACH_WITH_HASH (a, node, hash_ip(ip), &vn->addresses) {
        if (a->port != except && ipv6_addr_equals(a->ip, ip)) {
            return a->port;
        }
    }
    return NULL;
}

void
topology_remove_port(struct topology *t, struct port *port)
{
    struct member *m;

    ovs_assert(!port->move && ovs_list_is_empty(&port->memberships)
               && ovs_list_is_empty(&port->lates)
               && ovs_list_is_empty(&port->query_node));
    HMAP_FOR_EACH_SAFE (m, vn_node, &port->vn->members) {
        topology_remove_presence(t, m->nve, port);
    }
    hmap_remove(&t->ports, &port->name_node);
    hmap_remove(&t->ports_by_id, &port->id_node);
    hmap_remove(&port->vn->ports, &port->vn_node);
    for (size_t i = 0; i < ARRAY_SIZE(port->place.lists); i++) {
        flow_list_unref(port->place.lists[i]);
    }
    free(port->gateway_wanted);
    free(port->gateway_last);
    free(port->gateway_before);
    forget_addresses(port);
    free(port->ips);
    free(port->name);
    free(port);
}

struct port *
topology_find_port(const struct topology *t, const char *name)
{
    struct port *port;

    HMAP_FOR_EACH_WITH_HASH (port, name_node, hash_string(name, 0),
                             &t->ports) {
        if (!strcmp(port->name, name)) {
            return port;
        }
    }
    return NULL;
}

struct port *
topology_find_port_by_id(const struct topology *t, uint64_t id)
{
    struct port *port;

    HMAP_FOR_EACH_WITH_HASH (port, id_node, hash_uint64(id),
                             &t->ports_by_id) {
        if (port->id == id) {
            return port;
        }
    }
    return NULL;
}

struct late *
topology_find_late(const struct port *port, const struct nve *nve)
{
    struct late *late;

    LIST_FOR_EACH (late, port_node, &port->lates) {
        if (late->nve == nve) {
            return late;
        }
    }
    return NULL;
}

/* Attachments. */

struct attachment *
topology_attach(struct topology *t, struct nve *nve, const char *port_name,
                const char *ifname, ofp_port_t ofport)
{
    struct attachment *a = xzalloc(sizeof *a);

    a->port_name = xstrdup(port_name);
    a->ifname = xstrdup(ifname);
    a->nve = nve;
    a->ofport = ofport;
    hmap_insert(&t->attachments, &a->iface_node, hash_string(port_name, 0));
    hmap_insert(&nve->attachments, &a->nve_node, hash_ofp_port(ofport));
    return a;
}

void
topology_detach(struct topology *t, struct attachment *a)
{
    hmap_remove(&t->attachments, &a->iface_node);
    hmap_remove(&a->nve->attachments, &a->nve_node);
    free(a->port_name);
    free(a->ifname);
    free(a);
}

struct attachment *
topology_find_attachment(const struct topology *t, const char *port_name,
                         const struct nve *nve)
{
    struct attachment *best = NULL;
    struct attachment *a;

    HMAP_FOR_EACH_WITH_HASH (a, iface_node, hash_string(port_name, 0),
                             &t->attachments) {
        if (a->nve == nve && !strcmp(a->port_name, port_name)
            && (!best || strcmp(a->ifname, best->ifname) < 0)) {
            best = a;
        }
    }
    return best;
}

const struct attachment *
topology_find_ignored(const struct topology *t, const char *port_name)
{
    const struct attachment *a;

    HMAP_FOR_EACH_WITH_HASH (a, iface_node, hash_string(port_name, 0),
                             &t->attachments) {
        if (!strcmp(a->port_name, port_name)
            && a != topology_find_attachment(t, port_name, a->nve)) {
            return a;
        }
    }
    return NULL;
}

const struct attachment *
topology_find_ofport(const struct nve *nve, ofp_port_t ofport)
{
    const struct attachment *a;

    HMAP_FOR_EACH_WITH_HASH (a, nve_node, hash_ofp_port(ofport),
                             &nve->attachments) {
        if (a->ofport == ofport) {
            return a;
        }
    }
    return NULL;
}

struct attachment *
topology_find_any_attachment(const struct topology *t, const char *port_name)
{
    struct attachment *best = NULL;
    struct attachment *a;

    HMAP_FOR_EACH_WITH_HASH (a, iface_node, hash_string(port_name, 0),
                             &t->attachments) {
        if (!strcmp(a->port_name, port_name)
            && (!best || strcmp(a->nve->name, best->nve->name) < 0)) {
            best = a;
        }
    }
    return best;
}

/* Members. */

struct member *
topology_find_member(const struct nve *nve, const struct vn *vn)
{
    struct member *m;

    HMAP_FOR_EACH_WITH_HASH (m, nve_node, hash_pointer(vn, 0),
                             &nve->members) {
        if (m->vn == vn) {
            return m;
        }
    }
    return NULL;
}

static struct presence *
find_presence(const struct member *m, const struct port *port)
{
    struct presence *p;

    HMAP_FOR_EACH_WITH_HASH (p, node, hash_pointer(port, 0), &m->ports) {
        if (p->port == port) {
            return p;
        }
    }
    return NULL;
}

bool
topology_is_present(const struct nve *nve, const struct port *port)
{
    const struct member *m = topology_find_member(nve, port->vn);

    return m && find_presence(m, port);
}

/* Returns what 'nve' has to do with 'vn', and in '*created' if it
 * had nothing to do with it before. */
static struct member *
get_member(struct topology *t, struct nve *nve, struct vn *vn, bool *created)
{
    struct member *m = topology_find_member(nve, vn);

    *created = !m;
    if (!m) {
        m = xzalloc(sizeof *m);
        m->nve = nve;
        m->vn = vn;
        hmap_init(&m->ports);
        hmap_insert(&nve->members, &m->nve_node, hash_pointer(vn, 0));
        hmap_insert(&vn->members, &m->vn_node, hash_pointer(nve, 0));
        if (t->member_cb) {
            t->member_cb(m, true, t->aux);
        }
    }
    return m;
}

/* Removes 'm' if there is no reason for it any more.  Returns true if so. */
static bool
put_member(struct topology *t, struct member *m)
{
    if (m->is_gateway || !hmap_is_empty(&m->ports)) {
        return false;
    }
    if (t->member_cb) {
        t->member_cb(m, false, t->aux);
    }
    hmap_remove(&m->nve->members, &m->nve_node);
    hmap_remove(&m->vn->members, &m->vn_node);
    hmap_destroy(&m->ports);
    free(m);
    return true;
}

bool
topology_add_presence(struct topology *t, struct nve *nve, struct port *port)
{
    bool created;
    struct member *m = get_member(t, nve, port->vn, &created);

    if (!find_presence(m, port)) {
        struct presence *p = xmalloc(sizeof *p);

        p->port = port;
        hmap_insert(&m->ports, &p->node, hash_pointer(port, 0));
    }
    return created;
}

bool
topology_remove_presence(struct topology *t, struct nve *nve,
                         struct port *port)
{
    struct member *m = topology_find_member(nve, port->vn);
    struct presence *p = m ? find_presence(m, port) : NULL;

    if (p) {
        hmap_remove(&m->ports, &p->node);
        free(p);
    }
    return m && put_member(t, m);
}

bool
topology_add_gateway_member(struct topology *t, struct nve *nve,
                            struct vn *vn)
{
    bool created;

    get_member(t, nve, vn, &created)->is_gateway = true;
    return created;
}

bool
topology_remove_gateway_member(struct topology *t, struct nve *nve,
                               struct vn *vn)
{
    struct member *m = topology_find_member(nve, vn);

    m->is_gateway = false;
    return put_member(t, m);
}
