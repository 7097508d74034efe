/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flow.h"
#include "flow-tables.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "socket-util.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(hypervisor);

/* What the database of a hypervisor says, and what it shall hold. */

static bool
is_attachable(const struct hvdb_interface *iface)
{
    return (iface && iface->iface_id && iface->iface_id[0]
            && iface->ofport > 0 && iface->ofport < ofp_to_u16(OFPP_MAX));
}

/* Returns the attachment that 'iface' has been taken for, or null. */
static struct attachment *
find_attachment(const struct session *s, const struct hvdb_interface *iface)
{
    struct attachment *a;

    HMAP_FOR_EACH_WITH_HASH (a, iface_node, hash_string(iface->iface_id, 0),
                             &s->nva->topology.attachments) {
        if (a->nve == s->nve && !strcmp(a->ifname, iface->name)
            && !strcmp(a->port_name, iface->iface_id)) {
            return a;
        }
    }
    return NULL;
}

static void
detach(struct session *s, const struct hvdb_interface *iface)
{
    struct attachment *a = find_attachment(s, iface);

    if (a) {
        topology_detach(&s->nva->topology, a);
    }
}

/* There may be an attachment from another connection to the hypervisor. */
static void
attach(struct session *s, const struct hvdb_interface *iface)
{
    detach(s, iface);
    topology_attach(&s->nva->topology, s->nve, iface->iface_id, iface->name,
                    u16_to_ofp(iface->ofport));
}

/* The interfaces of port 'name' have changed. */
static void
attachments_changed(struct nva *nva, const char *name)
{
    struct port *port = topology_find_port(&nva->topology, name);

    if (port) {
        nva_rebind(nva, port);
        nva_write_port(nva, port);
    }
    nva_mig_try(nva, name);
}

static void
session_interface_changed(struct session *s, const struct hvdb_interface *old,
                          const struct hvdb_interface *new)
{
    char *old_id = is_attachable(old) ? xstrdup(old->iface_id) : NULL;
    char *new_id = is_attachable(new) ? xstrdup(new->iface_id) : NULL;

    nva_uplink_changed(s, old, new);
    nva_watch_interface(s, old, new);
    if (old_id && new_id && !strcmp(old_id, new_id)
        && old->ofport == new->ofport) {
        /* The same attachment, perhaps with a word about its VM. */
        if (!nullable_string_is_equal(old->vm_word, new->vm_word)) {
            nva_mig_word(s->nva, s->nve, new_id, new->vm_word);
        }
        free(old_id);
        free(new_id);
        return;
    }
    if (old_id) {
        detach(s, old);
    }
    if (new_id) {
        attach(s, new);
    }
    if (old_id && !nullable_string_is_equal(old_id, new_id)) {
        attachments_changed(s->nva, old_id);
    }
    if (new_id) {
        attachments_changed(s->nva, new_id);
    }
    free(old_id);
    free(new_id);
}

static void
hv_interface_changed(struct hvdb *hvdb OVS_UNUSED,
                     const struct hvdb_interface *old,
                     const struct hvdb_interface *new, void *peer_)
{
    struct peer *peer = peer_;

    if (peer->session) {
        session_interface_changed(peer->session, old, new);
    }
}

/* The facts of the hypervisor's database have changed. */
static void
facts_changed(struct session *s)
{
    struct hvdb *hvdb = s->db_peer->hvdb;
    ofp_port_t geneve = u16_to_ofp(MAX(0, hvdb_get_tunnel_ofport(hvdb,
                                                                 "geneve")));
    ofp_port_t vxlan = u16_to_ofp(MAX(0, hvdb_get_tunnel_ofport(hvdb,
                                                                "vxlan")));
    uint64_t datapath_id = hvdb_get_datapath_id(hvdb);

    struct eth_addr host_mac;

    /* Open vSwitch makes a bridge's datapath ID of its MAC address. */
    eth_addr_from_uint64(datapath_id, &host_mac);
    if (geneve != s->nve->geneve_ofport || vxlan != s->nve->vxlan_ofport
        || !eth_addr_equals(host_mac, s->nve->host_mac)) {
        s->nve->geneve_ofport = geneve;
        s->nve->vxlan_ofport = vxlan;
        s->nve->host_mac = host_mac;
        wiring_nve_changed(s->nve, &s->nva->wiring);
        s->probing = false;     /* Starts again when confirmed. */
    }
    if (!s->ovsdb[0] && s->known) {
        /* Where the hypervisor reaches us may be known only now. */
        nva_hypervisor_want(s);
    }
    if (datapath_id) {
        char *remote = nva_session_openflow_remote(s);

        nva_session_set_datapath(s, datapath_id);
        if (remote) {
            nva_session_start_openflow(s, remote);
        } else if (!s->of_peer) {
            nva_session_adopt_openflow(s);
        }
        free(remote);
    }
    nva_session_try_start(s);
    nva_session_dirty(s);
}

/* Returns the target that the hypervisor of 's' shall connect to with
 * OpenFlow, or null if there is none. */
static char *
controller_target(const struct session *s, const struct hvdb *hvdb)
{
    const struct nva *nva = s->nva;
    const char *manager = hvdb_get_manager_target(hvdb);
    char *host = NULL;
    char *target;

    if (s->openflow[0] || !strncmp(s->ovsdb, "unix:", 5)) {
        return NULL;
    } else if (nva->openflow_target) {
        return xstrdup(nva->openflow_target);
    } else if (!nva->openflow_port) {
        return NULL;
    }

    if (!s->ovsdb[0] && manager) {
        /* It reached us at this address. */
        const char *end = strrchr(manager, ':');

        if (end && strchr(manager, ':') != end) {
            host = xmemdup0(manager, end - manager);
            target = xasprintf("%s:%s", host, nva->openflow_port);
            free(host);
            return target;
        }
    } else if (s->ovsdb[0]) {
        /* We reach it from this address. */
        struct sockaddr_storage ss;
        socklen_t len = sizeof ss;
        struct ds name = DS_EMPTY_INITIALIZER;
        int fd;

        if (inet_parse_active(strchr(s->ovsdb, ':') + 1, 0, &ss, false,
                              NULL)) {
            fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            if (fd >= 0
                && !connect(fd, (struct sockaddr *) &ss, ss_length(&ss))
                && !getsockname(fd, (struct sockaddr *) &ss, &len)) {
                ds_put_format(&name, "%.3s:", s->ovsdb);
                ss_format_address(&ss, &name);
                ds_put_format(&name, ":%s", nva->openflow_port);
            }
            if (fd >= 0) {
                close(fd);
            }
        }
        if (name.length) {
            return ds_steal_cstr(&name);
        }
        ds_destroy(&name);
    }
    return NULL;
}

/* Says what the hypervisor's database shall hold. */
void
nva_hypervisor_want(struct session *s)
{
    static const struct hvdb_table tables[] = {
#define FLOW_TABLE(ID, NAME, STRING, READS, WRITES, PURPOSE) { ID, STRING },
        FLOW_TABLES
#undef FLOW_TABLE
    };
    struct hvdb_wanted wanted;
    char *controller = controller_target(s, s->db_peer->hvdb);

    memset(&wanted, 0, sizeof wanted);
    wanted.bridge = s->bridge;
    wanted.datapath_type = s->datapath_type;
    wanted.controller = controller;
    wanted.inactivity_probe = s->nva->inactivity_probe;
    /* Both, because others tunnel to us with ours and we with theirs. */
    wanted.geneve = wanted.vxlan = true;
    wanted.tables = tables;
    wanted.n_tables = ARRAY_SIZE(tables);
    wanted.bundle_idle_timeout = NVA_BUNDLE_IDLE_TIMEOUT;
    nva_watch_get(s, &wanted);
    hvdb_set_wanted(s->db_peer->hvdb, &wanted);
    nva_watch_free(&wanted);
    free(controller);
}

/* Ports that the database says to be here, but are not. */
static void
rebind_all(struct session *s)
{
    struct member *m, *next_m;
    struct presence *p, *next_p;

    HMAP_FOR_EACH_SAFE (m, next_m, nve_node, &s->nve->members) {
        HMAP_FOR_EACH_SAFE (p, next_p, node, &m->ports) {
            bool last = hmap_count(&m->ports) == 1;

            nva_rebind(s->nva, p->port);
            if (last) {
                break;          /* 'm' may be gone. */
            }
        }
    }
}

/* Forgets interfaces that were there when the hypervisor was connected last,
 * on another connection. */
static void
forget_stale(struct session *s)
{
    struct topology *t = &s->nva->topology;
    struct attachment *a, *next;

    HMAP_FOR_EACH_SAFE (a, next, nve_node, &s->nve->attachments) {
        const struct hvdb_interface *iface
            = hvdb_find_interface(s->db_peer->hvdb, a->ifname);

        if (!is_attachable(iface) || strcmp(iface->iface_id, a->port_name)) {
            char *name = xstrdup(a->port_name);

            topology_detach(t, a);
            attachments_changed(s->nva, name);
            free(name);
        }
    }
}

static void
session_synced(struct session *s)
{
    nva_session_set_error(s, NULL);
    nva_hypervisor_want(s);
    /* The interfaces of a bridge that was not wanted before are reported after
     * this callback, so the rest waits for session_run(). */
    s->synced = true;
    nva_session_dirty(s);
}

/* Acts on a snapshot of the hypervisor's database that is complete. */
void
nva_hypervisor_digest(struct session *s)
{
    s->synced = false;
    s->known = true;
    nva_uplinks_run(s);
    forget_stale(s);
    rebind_all(s);
    facts_changed(s);
    nva_watch_judge(s);
}

/* Gives the connection 'peer', on which a hypervisor dialled in, to the
 * session of its NVE. */
void
nva_hypervisor_adopt(struct peer *peer, struct session *s)
{
    const struct hvdb_interface *iface;

    VLOG_INFO("%s dialled in from %s", s->nve->name,
              hvdb_get_name(peer->hvdb));
    nva_peer_kill(s->db_peer);
    s->db_peer = peer;
    nva_peer_join(peer, s);
    HMAP_FOR_EACH (iface, name_node, hvdb_get_interfaces(peer->hvdb)) {
        session_interface_changed(s, iface, iface);
    }
    session_synced(s);
}

/* Registers the hypervisor of 'peer' if it says how it is reached. */
static void
register_hypervisor(struct peer *peer, const char *name)
{
    const char *ip = hvdb_get_external_id(peer->hvdb, "nva-encap-ip");
    const char *type = hvdb_get_external_id(peer->hvdb, "nva-encap-type");
    const char *bridge = hvdb_get_external_id(peer->hvdb, "nva-bridge");
    char *copy, *save_ptr = NULL, *word;
    char *ips[TOPOLOGY_MAX_ENCAP_IPS];
    struct db_nve nve;

    if (!ip) {
        VLOG_WARN("hypervisor \"%s\" dialled in from %s but is not known: use "
                  "\"nva-ctl nve-add %s ENCAP_IP\", or set "
                  "external_ids:nva-encap-ip in its database", name,
                  hvdb_get_name(peer->hvdb), name);
        return;
    }
    memset(&nve, 0, sizeof nve);
    nve.name = name;
    nve.encap_type = type && !strcmp(type, "vxlan") ? "vxlan" : "geneve";
    nve.bridge = bridge ? bridge : "br-int";
    nve.encap_ips = ips;
    copy = xstrdup(ip);
    for (word = strtok_r(copy, ", ", &save_ptr);
         word && nve.n_encap_ips < ARRAY_SIZE(ips);
         word = strtok_r(NULL, ", ", &save_ptr)) {
        ips[nve.n_encap_ips++] = word;
    }
    VLOG_INFO("registering hypervisor \"%s\", which dialled in from %s", name,
              hvdb_get_name(peer->hvdb));
    db_add_nve(peer->nva->db, &nve);
    free(copy);
}

/* Finds out whose 'peer' is, if that is known by now. */
static void
identify(struct peer *peer)
{
    const char *name = hvdb_get_external_id(peer->hvdb, "system-id");
    struct nve *nve = (name ? topology_find_nve(&peer->nva->topology, name)
                       : NULL);

    if (nve) {
        struct session *s = nve->session;

        if (s->ovsdb[0]) {
            VLOG_WARN("hypervisor \"%s\" dialled in, but is configured to be "
                      "connected to at %s; closing", name, s->ovsdb);
            nva_peer_kill(peer);
        } else {
            nva_hypervisor_adopt(peer, s);
        }
    } else if (!peer->announced) {
        peer->announced = true;
        if (name) {
            register_hypervisor(peer, name);
        } else {
            VLOG_WARN("a hypervisor dialled in from %s without "
                      "external_ids:system-id", hvdb_get_name(peer->hvdb));
        }
    }
}

static void
hv_synced(struct hvdb *hvdb OVS_UNUSED, void *peer_)
{
    struct peer *peer = peer_;

    if (peer->session) {
        session_synced(peer->session);
    } else if (!peer->dead) {
        identify(peer);
    }
}

static void
hv_changed(struct hvdb *hvdb OVS_UNUSED, void *peer_)
{
    struct peer *peer = peer_;

    if (peer->session) {
        facts_changed(peer->session);
    } else if (!peer->dead && hvdb_is_synced(peer->hvdb)) {
        peer->announced = false;
        identify(peer);
    }
}

static void
hv_lost(struct hvdb *hvdb OVS_UNUSED, const char *reason, void *peer_)
{
    struct peer *peer = peer_;
    struct session *s = peer->session;

    if (!s) {
        nva_peer_kill(peer);
        return;
    }
    VLOG_INFO("%s: lost its database: %s", s->nve->name, reason);
    nva_session_set_error(s, reason);
    if (!s->ovsdb[0]) {
        /* It dialled in, and is going to do so again. */
        s->db_peer = NULL;
        nva_peer_kill(peer);
    }
    nva_watch_judge(s);
    nva_session_dirty(s);
}

/* Has session_run() call hvdb_run(), which may have something to retry. */
static void
hv_refused(struct hvdb *hvdb OVS_UNUSED, const char *error, void *peer_)
{
    struct peer *peer = peer_;

    if (peer->session) {
        nva_session_set_error(peer->session, error);
        nva_session_wants_run(peer->session);
    }
}

const struct hvdb_class nva_hvdb_class = {
    .synced = hv_synced,
    .lost = hv_lost,
    .interface_changed = hv_interface_changed,
    .changed = hv_changed,
    .refused = hv_refused,
};
