/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "cookie.h"
#include "flow.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/vlog.h"
#include "pipeline.h"
#include "socket-util.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(session);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* How often the status of an NVE is written at most. */
#define STATUS_INTERVAL_MS 200

static const struct hvdb_class hvdb_class;
static const struct ofconn_class ofconn_class;
static const struct ofsync_class ofsync_class;

/* Status. */

/* Has nva_sessions_run() look at 's'. */
void
nva_session_wants_run(struct session *s)
{
    if (!s->dirty) {
        s->dirty = true;
        ovs_list_push_back(&s->nva->dirty_sessions, &s->dirty_node);
    }
}

/* The status of 's' in the database may be out of date. */
void
nva_session_dirty(struct session *s)
{
    s->status_dirty = true;
    nva_session_wants_run(s);
}

void
nva_session_set_error(struct session *s, const char *error)
{
    if (!nullable_string_is_equal(s->error, error)) {
        if (error) {
            VLOG_WARN_RL(&rl, "%s: %s", s->nve->name, error);
        }
        free(s->error);
        s->error = nullable_xstrdup(error);
        nva_session_dirty(s);
    }
}

bool
nva_session_is_connected(const struct session *s)
{
    return s->db_peer && hvdb_is_synced(s->db_peer->hvdb) && s->up;
}

static void
write_status(struct session *s)
{
    struct db_nve_status status = {
        .connected = nva_session_is_connected(s),
        .synced = ofsync_is_confirmed(s->nve->ofsync),
        .ovs_version = (s->db_peer
                        ? hvdb_get_ovs_version(s->db_peer->hvdb) : NULL),
        .n_flows = ofsync_count_flows(s->nve->ofsync),
        .error = s->error,
    };

    db_write_nve(s->nva->db, &s->uuid, &status);
}

/* Peers. */

static struct peer *
peer_create(struct nva *nva, struct session *s)
{
    struct peer *peer = xzalloc(sizeof *peer);

    peer->nva = nva;
    peer->session = s;
    ovs_list_push_back(&nva->peers, &peer->node);
    return peer;
}

void
nva_peer_destroy(struct peer *peer)
{
    ovs_list_remove(&peer->node);
    hvdb_destroy(peer->hvdb);
    ofconn_destroy(peer->ofconn);
    free(peer);
}

/* Separates 'peer' from its session; it is destroyed when no callback of it
 * can be running. */
static void
peer_kill(struct peer *peer)
{
    if (peer) {
        peer->dead = true;
        peer->session = NULL;
    }
}

/* Keeps the list of those that are up and have not confirmed. */
static void
update_behind(struct session *s)
{
    bool behind = s->up && !ofsync_is_confirmed(s->nve->ofsync);

    if (behind && !s->is_behind) {
        ovs_list_push_back(&s->nva->behind, &s->behind_node);
    } else if (!behind && s->is_behind) {
        ovs_list_remove(&s->behind_node);
        s->nva->n_owing -= s->owes;
        s->owes = false;
    }
    s->is_behind = behind;
}

/* Flows may be compared when it is known which tunnel ports there are, since
 * the flows that use them would vanish otherwise. */
static void
try_start(struct session *s)
{
    if (s->known && !s->up
        && s->of_peer && s->of_peer->datapath_id && s->db_peer
        && hvdb_is_synced(s->db_peer->hvdb)
        && hvdb_is_settled(s->db_peer->hvdb)
        && (s->nve->geneve_ofport || s->nve->vxlan_ofport)) {
        s->up = true;
        ofsync_connected(s->nve->ofsync);
        update_behind(s);
        nva_session_dirty(s);
    }
}

static void
stop(struct session *s)
{
    if (s->up) {
        s->up = false;
        s->probing = false;
        ofsync_disconnected(s->nve->ofsync);
        update_behind(s);
        neighbors_nve_down(s->nva->neighbors, s->nve);
        nva_session_dirty(s);
    }
}

/* The hypervisor's database. */

static void
attach(struct session *s, const struct hvdb_interface *iface)
{
    struct nva *nva = s->nva;

    topology_attach(&nva->topology, s->nve, iface->iface_id, iface->name,
                    u16_to_ofp(iface->ofport));
}

static bool
is_attachable(const struct hvdb_interface *iface)
{
    return (iface && iface->iface_id && iface->iface_id[0]
            && iface->ofport > 0 && iface->ofport < ofp_to_u16(OFPP_MAX));
}

static void
detach(struct session *s, const struct hvdb_interface *iface)
{
    struct topology *t = &s->nva->topology;
    struct attachment *a;

    HMAP_FOR_EACH_WITH_HASH (a, iface_node, hash_string(iface->iface_id, 0),
                             &t->attachments) {
        if (a->nve == s->nve && !strcmp(a->ifname, iface->name)
            && !strcmp(a->port_name, iface->iface_id)) {
            topology_detach(t, a);
            return;
        }
    }
}

/* The interfaces of port 'name' have changed. */
static void
attachments_changed(struct nva *nva, const char *name)
{
    struct port *port = topology_find_port(&nva->topology, name);

    if (port) {
        nva_rebind(nva, port);
    }
    nva_mig_try(nva, name);
}

static void
session_interface_changed(struct session *s, const struct hvdb_interface *old,
                          const struct hvdb_interface *new)
{
    char *old_id = is_attachable(old) ? xstrdup(old->iface_id) : NULL;
    char *new_id = is_attachable(new) ? xstrdup(new->iface_id) : NULL;

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

static void
start_openflow(struct session *s, const char *remote)
{
    struct nva *nva = s->nva;

    if (!s->of_peer) {
        s->of_peer = peer_create(nva, s);
        s->of_peer->ofconn = ofconn_connect(nva->loop, remote, &ofconn_class,
                                            s->of_peer);
    }
}

/* Gives 's' the OpenFlow connection that its switch has opened, if any. */
static void
adopt_openflow(struct session *s)
{
    struct peer *peer;

    LIST_FOR_EACH (peer, node, &s->nva->peers) {
        if (peer->ofconn && !peer->session && !peer->dead
            && peer->datapath_id && peer->datapath_id == s->datapath_id) {
            peer_kill(s->of_peer);
            stop(s);
            s->of_peer = peer;
            peer->session = s;
            try_start(s);
            return;
        }
    }
}

/* Returns the remote for OpenFlow if we connect to the switch, or null if it
 * connects to us. */
static char *
openflow_remote(const struct session *s)
{
    if (s->openflow[0]) {
        return xstrdup(s->openflow);
    } else if (!strncmp(s->ovsdb, "unix:", 5)) {
        /* The management socket is beside that of the database. */
        char *dir = dir_name(s->ovsdb + 5);
        char *remote = xasprintf("unix:%s/%s.mgmt", dir, s->bridge);

        free(dir);
        return remote;
    }
    return NULL;
}

/* The facts of the hypervisor's database have changed. */
static void
session_facts_changed(struct session *s)
{
    struct hvdb *hvdb = s->db_peer->hvdb;
    ofp_port_t geneve = u16_to_ofp(MAX(0, hvdb_get_tunnel_ofport(hvdb,
                                                                 "geneve")));
    ofp_port_t vxlan = u16_to_ofp(MAX(0, hvdb_get_tunnel_ofport(hvdb,
                                                                "vxlan")));
    uint64_t datapath_id = hvdb_get_datapath_id(hvdb);

    if (geneve != s->nve->geneve_ofport || vxlan != s->nve->vxlan_ofport) {
        s->nve->geneve_ofport = geneve;
        s->nve->vxlan_ofport = vxlan;
        wiring_nve_changed(s->nve, &s->nva->wiring);
        s->probing = false;     /* Starts again when confirmed. */
    }
    if (datapath_id) {
        char *remote = openflow_remote(s);

        s->datapath_id = datapath_id;
        if (remote) {
            start_openflow(s, remote);
        } else if (!s->of_peer) {
            adopt_openflow(s);
        }
        free(remote);
    }
    try_start(s);
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
static void
want(struct session *s)
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
    /* Both, because others tunnel to us with ours and we with theirs. */
    wanted.geneve = wanted.vxlan = true;
    wanted.tables = tables;
    wanted.n_tables = ARRAY_SIZE(tables);
    wanted.bundle_idle_timeout = NVA_BUNDLE_IDLE_TIMEOUT;
    hvdb_set_wanted(s->db_peer->hvdb, &wanted);
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

static void
session_synced(struct session *s)
{
    nva_session_set_error(s, NULL);
    want(s);
    /* The interfaces of a bridge that was not wanted before are reported after
     * this callback, so the rest waits for session_run(). */
    s->synced = true;
    nva_session_dirty(s);
}

/* Acts on a snapshot of the hypervisor's database that is complete. */
static void
digest_snapshot(struct session *s)
{
    s->synced = false;
    s->known = true;
    rebind_all(s);
    session_facts_changed(s);
}

/* Gives the connection 'peer', on which a hypervisor dialled in, to the
 * session of its NVE. */
static void
adopt_hvdb(struct peer *peer, struct session *s)
{
    const struct hvdb_interface *iface;

    VLOG_INFO("%s dialled in from %s", s->nve->name,
              hvdb_get_name(peer->hvdb));
    peer_kill(s->db_peer);
    s->db_peer = peer;
    peer->session = s;
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
            peer_kill(peer);
        } else {
            adopt_hvdb(peer, s);
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
        session_facts_changed(peer->session);
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
        peer->dead = true;
        return;
    }
    VLOG_INFO("%s: lost its database: %s", s->nve->name, reason);
    nva_session_set_error(s, reason);
    if (!s->ovsdb[0]) {
        /* It dialled in, and is going to do so again. */
        s->db_peer = NULL;
        peer_kill(peer);
    }
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

static const struct hvdb_class hvdb_class = {
    .synced = hv_synced,
    .lost = hv_lost,
    .interface_changed = hv_interface_changed,
    .changed = hv_changed,
    .refused = hv_refused,
};

/* OpenFlow. */

static void
of_up(struct ofconn *oc OVS_UNUSED, uint64_t datapath_id, void *peer_)
{
    struct peer *peer = peer_;
    struct session *s = peer->session;

    peer->datapath_id = datapath_id;
    if (s) {
        try_start(s);
    } else {
        struct nve *nve;

        /* Only for those that dial in; a handful at a time. */
        HMAP_FOR_EACH (nve, name_node, &peer->nva->topology.nves) {
            s = nve->session;
            if (s->datapath_id == datapath_id && !s->of_peer) {
                adopt_openflow(s);
                break;
            }
        }
    }
}

static void
of_down(struct ofconn *oc OVS_UNUSED, const char *reason, void *peer_)
{
    struct peer *peer = peer_;
    struct session *s = peer->session;

    peer->datapath_id = 0;
    if (!s) {
        peer->dead = true;
        return;
    }
    if (s->up) {
        VLOG_INFO("%s: lost OpenFlow: %s", s->nve->name, reason);
    }
    stop(s);
    nva_session_set_error(s, reason);
    if (!s->openflow[0] && strncmp(s->ovsdb, "unix:", 5)) {
        s->of_peer = NULL;
        peer_kill(peer);
    }
}

static void
of_message(struct ofconn *oc OVS_UNUSED, const struct ofp_header *oh,
           void *peer_)
{
    struct peer *peer = peer_;

    if (peer->session) {
        ofsync_handle(peer->session->nve->ofsync, oh);
    }
}

static void
of_packet_in(struct ofconn *oc OVS_UNUSED, const struct ofputil_packet_in *pin,
             void *peer_)
{
    struct peer *peer = peer_;
    struct session *s = peer->session;

    if (!s || !pin->userdata_len) {
        return;
    }
    switch (pin->userdata[0]) {
    case PIPELINE_PUNT_ACTIVATION:
        nva_mig_packet_in(s->nva, s->nve, ntohll(pin->cookie), "new NVE");
        break;
    case PIPELINE_PUNT_REDIRECT:
        nva_mig_packet_in(s->nva, s->nve, ntohll(pin->cookie), "old NVE");
        break;
    case PIPELINE_PUNT_PROBE:
        if (pin->packet_len > ETH_HEADER_LEN) {
            neighbors_probe_received(s->nva->neighbors, s->nve,
                                     (const uint8_t *) pin->packet
                                     + ETH_HEADER_LEN,
                                     pin->packet_len - ETH_HEADER_LEN,
                                     clock_msec());
        }
        break;
    default:
        break;
    }
}

static const struct ofconn_class ofconn_class = {
    .up = of_up,
    .down = of_down,
    .message = of_message,
    .packet_in = of_packet_in,
};

/* Flows. */

static void
os_send(struct ofsync *os OVS_UNUSED, struct ofpbuf *msg, void *s_)
{
    struct session *s = s_;

    if (s->of_peer && s->of_peer->ofconn) {
        ofconn_send(s->of_peer->ofconn, msg);
    } else {
        ofpbuf_delete(msg);
    }
}

static void
os_confirmation(struct ofsync *os, void *s_)
{
    struct session *s = s_;
    struct move_part *part;

    update_behind(s);

    if (ofsync_is_confirmed(os) && !s->probing) {
        s->probing = true;
        neighbors_nve_changed(s->nva->neighbors, s->nve);
    }
    LIST_FOR_EACH_SAFE (part, nve_node, &s->nve->move_parts) {
        move_part_update(part, clock_msec(), clock_wall_usec());
    }
    nva_session_dirty(s);
}

static void
os_wants_run(struct ofsync *os OVS_UNUSED, void *s)
{
    nva_session_wants_run(s);
}

static void
os_stage_changed(struct ofsync_stage *stage OVS_UNUSED, void *part,
                 void *s_ OVS_UNUSED)
{
    move_stage_changed(part, clock_msec(), clock_wall_usec());
}

static bool
os_keep(struct ofsync *os OVS_UNUSED, const struct ofputil_flow_stats *fs,
        void *s_)
{
    struct session *s = s_;

    return nva_mig_found(s->nva, s->nve, ntohll(fs->cookie));
}

static void
os_counted(struct ofsync *os OVS_UNUSED, uint64_t cookie, uint64_t n_packets,
           uint64_t n_bytes, void *s_)
{
    struct session *s = s_;
    struct mig *mig = nva_mig_find(s->nva, cookie_id(cookie));

    if (mig && mig->move) {
        move_counted(mig->move, n_packets, n_bytes, clock_msec(),
                     clock_wall_usec());
    }
}

static void
os_problem(struct ofsync *os OVS_UNUSED, const char *error, void *s_)
{
    struct session *s = s_;
    char *msg = xasprintf("the switch refused a change: %s", error);

    nva_session_set_error(s, msg);
    free(msg);
}

static const struct ofsync_class ofsync_class = {
    .send = os_send,
    .confirmation = os_confirmation,
    .wants_run = os_wants_run,
    .stage_changed = os_stage_changed,
    .keep = os_keep,
    .counted = os_counted,
    .problem = os_problem,
};

/* Life. */

static bool
same(const char *a, const char *b)
{
    return a && !strcmp(a, b);
}

void
nva_session_configure(struct nva *nva, struct nve *nve,
                      const struct db_nve *row)
{
    struct session *s = nve->session;
    const char *bridge = row->bridge[0] ? row->bridge : "br-int";
    struct peer *peer;
    char *error;

    if (!s) {
        s = nve->session = xzalloc(sizeof *s);
        s->nva = nva;
        s->nve = nve;
        s->uuid = row->uuid;
        nve->ofsync = ofsync_create(&ofsync_class, s);
        wiring_nve_changed(nve, &nva->wiring);
    } else if (same(s->ovsdb, row->ovsdb) && same(s->openflow, row->openflow)
               && same(s->bridge, bridge)
               && same(s->datapath_type, row->datapath_type)) {
        return;
    }

    stop(s);
    peer_kill(s->db_peer);
    peer_kill(s->of_peer);
    s->db_peer = s->of_peer = NULL;
    free(s->ovsdb);
    free(s->openflow);
    free(s->bridge);
    free(s->datapath_type);
    s->ovsdb = xstrdup(row->ovsdb);
    s->openflow = xstrdup(row->openflow);
    s->bridge = xstrdup(bridge);
    s->datapath_type = xstrdup(row->datapath_type);
    nva_session_set_error(s, NULL);
    nva_session_dirty(s);

    error = row->ovsdb[0] ? loop_check_remote(nva->loop, row->ovsdb) : NULL;
    if (!error && row->openflow[0]) {
        error = loop_check_remote(nva->loop, row->openflow);
    }
    if (error) {
        nva_session_set_error(s, error);
        free(error);
    } else if (row->ovsdb[0]) {
        s->db_peer = peer_create(nva, s);
        s->db_peer->hvdb = hvdb_connect(nva->loop, row->ovsdb, &hvdb_class,
                                        s->db_peer);
        want(s);
    } else {
        LIST_FOR_EACH (peer, node, &nva->peers) {
            const char *name;

            if (!peer->hvdb || peer->session || peer->dead
                || !hvdb_is_synced(peer->hvdb)) {
                continue;
            }
            name = hvdb_get_external_id(peer->hvdb, "system-id");
            if (name && !strcmp(name, nve->name)) {
                adopt_hvdb(peer, s);
                break;
            }
        }
    }
}

void
nva_session_destroy(struct session *s)
{
    struct attachment *a;

    HMAP_FOR_EACH_SAFE (a, iface_node, &s->nva->topology.attachments) {
        if (a->nve == s->nve) {
            topology_detach(&s->nva->topology, a);
        }
    }
    stop(s);
    neighbors_nve_down(s->nva->neighbors, s->nve);
    peer_kill(s->db_peer);
    peer_kill(s->of_peer);
    if (s->dirty) {
        ovs_list_remove(&s->dirty_node);
    }
    ofsync_destroy(s->nve->ofsync);
    free(s->ovsdb);
    free(s->openflow);
    free(s->bridge);
    free(s->datapath_type);
    free(s->error);
    free(s);
}

/* Running. */

void
nva_session_event(struct nva *nva, struct loop_event *event)
{
    if (event->type == LOOP_ACCEPTED) {
        struct peer *peer = peer_create(nva, NULL);

        if (event->protocol == LOOP_JSONRPC) {
            peer->hvdb = hvdb_accept(event->conn, &hvdb_class, peer);
        } else {
            peer->ofconn = ofconn_accept(event->conn, &ofconn_class, peer);
        }
    } else if (event->protocol == LOOP_JSONRPC) {
        struct hvdb *hvdb = loop_conn_get_aux(event->conn);
        struct peer *peer = hvdb_get_aux(hvdb);

        hvdb_process(hvdb, event);
        if (peer->session) {
            nva_session_wants_run(peer->session);
        }
    } else {
        ofconn_process(loop_conn_get_aux(event->conn), event);
    }
}

static long long int
session_deadline(const struct session *s)
{
    long long int deadline = ofsync_deadline(s->nve->ofsync);

    if (s->db_peer) {
        deadline = MIN(deadline, hvdb_deadline(s->db_peer->hvdb));
    }
    return s->status_dirty ? MIN(deadline, s->write_at) : deadline;
}

/* Returns true if 's' needs another look at a later time. */
static bool
session_run(struct session *s, long long int now)
{
    if (s->db_peer) {
        if (s->synced) {
            digest_snapshot(s);
        }
        hvdb_run(s->db_peer->hvdb, now);
        try_start(s);
    }
    ofsync_run(s->nve->ofsync, now);
    if (s->status_dirty && now >= s->write_at) {
        write_status(s);
        s->status_dirty = false;
        s->write_at = now + STATUS_INTERVAL_MS;
    }
    return session_deadline(s) != LLONG_MAX;
}

void
nva_sessions_run(struct nva *nva, long long int now)
{
    struct session *s;
    struct peer *peer;

    LIST_FOR_EACH_SAFE (s, dirty_node, &nva->dirty_sessions) {
        if (!session_run(s, now)) {
            ovs_list_remove(&s->dirty_node);
            s->dirty = false;
        }
    }
    LIST_FOR_EACH_SAFE (peer, node, &nva->peers) {
        if (peer->dead) {
            nva_peer_destroy(peer);
        }
    }
}

long long int
nva_sessions_deadline(const struct nva *nva)
{
    long long int deadline = LLONG_MAX;
    struct session *s;

    LIST_FOR_EACH (s, dirty_node, &nva->dirty_sessions) {
        deadline = MIN(deadline, session_deadline(s));
    }
    return deadline;
}
