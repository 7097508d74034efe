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
#include "hash.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/vlog.h"
#include "pipeline.h"
#include "socket-util.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(session);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* See probe_by_size().  An NVE has two connections. */
#define PROBES_PER_S 500
#define PROBE_MAX_MS 60000

static const struct ofconn_class ofconn_class;
static const struct ofsync_class ofsync_class;

/* Status. */

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
        s->write_at = 0;
    }
}

bool
nva_session_is_connected(const struct session *s)
{
    return s->db_peer && hvdb_is_synced(s->db_peer->hvdb) && s->up;
}

/* Peers. */

static struct peer *
peer_create(struct nva *nva, struct session *s)
{
    struct peer *peer = xzalloc(sizeof *peer);

    peer->nva = nva;
    peer->session = s;
    ovs_list_push_back(s ? &nva->peers : &nva->strangers, &peer->node);
    return peer;
}

/* 'peer', a stranger so far, turns out to be that of 's'. */
void
nva_peer_join(struct peer *peer, struct session *s)
{
    peer->session = s;
    ovs_list_remove(&peer->node);
    ovs_list_push_back(&peer->nva->peers, &peer->node);
}

static void
destroy_peer(struct peer *peer)
{
    ovs_list_remove(&peer->node);
    hvdb_destroy(peer->hvdb);
    ofconn_destroy(peer->ofconn);
    free(peer);
}

/* Separates 'peer' from its session; it is destroyed when no callback of it
 * can be running. */
void
nva_peer_kill(struct peer *peer)
{
    if (peer) {
        peer->dead = true;
        peer->session = NULL;
        ovs_list_remove(&peer->node);
        ovs_list_push_back(&peer->nva->dead_peers, &peer->node);
    }
}

void
nva_peers_reap(struct ovs_list *peers)
{
    struct peer *peer;

    LIST_FOR_EACH_SAFE (peer, node, peers) {
        destroy_peer(peer);
    }
}

void
nva_peers_destroy(struct nva *nva)
{
    struct peer *peer;

    LIST_FOR_EACH (peer, node, &nva->peers) {
        struct session *s = peer->session;

        s->up = false;
        ofsync_disconnected(s->nve->ofsync);
        s->db_peer = s->of_peer = NULL;
    }
    nva_peers_reap(&nva->peers);
    nva_peers_reap(&nva->strangers);
    nva_peers_reap(&nva->dead_peers);
}

/* Keeps the list of those that are up and have not confirmed. */
static void
update_behind(struct session *s)
{
    bool behind = s->up && !ofsync_is_confirmed(s->nve->ofsync);

    if (behind != s->is_behind) {
        neighbors_set_busy(s->nva->neighbors, s->nve, behind);
    }
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
void
nva_session_try_start(struct session *s)
{
    if (s->known && !s->up
        && s->of_peer && s->of_peer->datapath_id && s->db_peer
        && hvdb_is_synced(s->db_peer->hvdb)
        && hvdb_is_settled(s->db_peer->hvdb)
        && (s->nve->geneve_ofport || s->nve->vxlan_ofport)) {
        s->up = true;
        ofconn_set_probe(s->of_peer->ofconn, s->nva->inactivity_probe);
        ofsync_connected(s->nve->ofsync);
        update_behind(s);
        nva_session_dirty(s);
        nva_evacuations_retry(s->nva);
        nva_watch_judge(s);
    }
}

/* Drops both connections of 's', which are going to be made anew. */
void
nva_session_disconnect(struct session *s, const char *reason)
{
    if (s->db_peer) {
        hvdb_disconnect(s->db_peer->hvdb, reason);
    }
    if (s->of_peer) {
        ofconn_disconnect(s->of_peer->ofconn, reason);
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
        nva_takeover_stopped(s);
        nva_watch_judge(s);
        nva_session_dirty(s);
    }
}

/* OpenFlow. */

void
nva_session_start_openflow(struct session *s, const char *remote)
{
    struct nva *nva = s->nva;

    if (!s->of_peer) {
        s->of_peer = peer_create(nva, s);
        s->of_peer->ofconn = ofconn_connect(nva->loop, remote, &ofconn_class,
                                            s->of_peer);
    }
}

/* 'datapath_id', not 0, is that of the bridge of 's'. */
void
nva_session_set_datapath(struct session *s, uint64_t datapath_id)
{
    if (datapath_id != s->datapath_id) {
        if (s->datapath_id) {
            hmap_remove(&s->nva->datapaths, &s->datapath_node);
        }
        s->datapath_id = datapath_id;
        hmap_insert(&s->nva->datapaths, &s->datapath_node,
                    hash_uint64(datapath_id));
    }
}

static void
adopt_openflow(struct session *s, struct peer *peer)
{
    nva_peer_kill(s->of_peer);
    stop(s);
    s->of_peer = peer;
    nva_peer_join(peer, s);
    nva_session_try_start(s);
}

/* Gives 's' the OpenFlow connection that its switch has opened, if any. */
void
nva_session_adopt_openflow(struct session *s)
{
    struct peer *peer;

    LIST_FOR_EACH (peer, node, &s->nva->strangers) {
        if (peer->datapath_id && peer->datapath_id == s->datapath_id) {
            adopt_openflow(s, peer);
            return;
        }
    }
}

/* Returns the remote for OpenFlow if we connect to the switch, or null if it
 * connects to us. */
char *
nva_session_openflow_remote(const struct session *s)
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

static void
of_up(struct ofconn *oc OVS_UNUSED, uint64_t datapath_id, void *peer_)
{
    struct peer *peer = peer_;
    struct session *s = peer->session;

    peer->datapath_id = datapath_id;
    if (s) {
        nva_session_try_start(s);
    } else {
        HMAP_FOR_EACH_WITH_HASH (s, datapath_node, hash_uint64(datapath_id),
                                 &peer->nva->datapaths) {
            if (s->datapath_id == datapath_id && !s->of_peer) {
                adopt_openflow(s, peer);
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
        nva_peer_kill(peer);
        return;
    }
    if (s->up) {
        VLOG_INFO("%s: lost OpenFlow: %s", s->nve->name, reason);
    }
    stop(s);
    nva_session_set_error(s, reason);
    if (!s->openflow[0] && strncmp(s->ovsdb, "unix:", 5)) {
        s->of_peer = NULL;
        nva_peer_kill(peer);
    }
}

static void
of_message(struct ofconn *oc OVS_UNUSED, const struct ofp_header *oh,
           void *peer_)
{
    struct peer *peer = peer_;

    if (peer->session) {
        peer->session->nva->n_exchanged += ntohs(oh->length);
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
        nva_mig_packet_in(s->nva, s->nve, ntohll(pin->cookie));
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
    case PIPELINE_PUNT_RARP:
        nva_guest_rarp(s, pin);
        break;
    case PIPELINE_PUNT_DENIED:
        nva_guest_denied(s, pin);
        break;
    case PIPELINE_PUNT_ANSWER:
        nva_probe_answered(s->nva, s->nve, ntohll(pin->cookie));
        break;
    case PIPELINE_PUNT_SEEN:
        nva_announce_seen(s->nva, s->nve, ntohll(pin->cookie));
        nva_takeover_seen(s, ntohll(pin->cookie));
        break;
    case PIPELINE_PUNT_UNROUTED:
        nva_unrouted_packet_in(s, pin);
        break;
    case PIPELINE_PUNT_MEMBERSHIP:
        nva_mcast_packet_in(s->nva, s->nve, pin);
        break;
    case PIPELINE_PUNT_TOO_BIG:
        nva_guest_too_big(s, pin);
        break;
    case PIPELINE_PUNT_LATE:
        nva_late_packet_in(s, pin);
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
os_send(struct ofsync *os OVS_UNUSED, struct ofpbuf *msgs, void *s_)
{
    struct session *s = s_;

    s->nva->n_exchanged += msgs->size;
    if (s->of_peer && s->of_peer->ofconn) {
        ofconn_send_many(s->of_peer->ofconn, msgs);
    } else {
        ofpbuf_delete(msgs);
    }
}

static void
os_confirmation(struct ofsync *os, void *s_)
{
    struct session *s = s_;
    struct move_part *part;

    update_behind(s);

    if (ofsync_is_confirmed(os)) {
        nva_takeover_confirmed(s);
    }
    if (ofsync_is_confirmed(os) && !s->probing) {
        s->probing = true;
        s->nva->synced_at = clock_msec();
        neighbors_nve_changed(s->nva->neighbors, s->nve);
        nva_mcast_query_nve(s->nva, s->nve);
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

    return (nva_keep_found(s, ntohll(fs->cookie))
            || nva_mig_found(s->nva, s->nve, ntohll(fs->cookie)));
}

static void
os_counted(struct ofsync *os OVS_UNUSED, uint64_t cookie, uint64_t n_packets,
           uint64_t n_bytes, void *s_)
{
    struct session *s = s_;
    struct mig *mig = nva_mig_find(s->nva, cookie_id(cookie));

    if (cookie_kind(cookie) == COOKIE_KEPT) {
        nva_keep_counted(s, cookie, n_packets);
    } else if (!mig || !mig->move) {
        return;
    } else if (cookie_kind(cookie) == COOKIE_MOVE) {
        move_delivered(mig->move, s->nve, n_packets, clock_msec(),
                       clock_wall_usec());
    } else {
        move_counted(mig->move, n_packets, n_bytes, clock_msec(),
                     clock_wall_usec());
    }
}

static void
os_learned(struct ofsync *os OVS_UNUSED, uint64_t cookie,
           const struct ofputil_flow_stats *fs, void *s)
{
    nva_keep_learned(s, cookie, fs);
}

static void
os_problem(struct ofsync *os OVS_UNUSED, const char *error, void *s_)
{
    struct session *s = s_;
    char *msg = xasprintf("the switch refused a change: %s", error);
    struct move_part *part;

    nva_session_set_error(s, msg);
    free(msg);

    /* What it cannot prepare for fails, which takes back what it refused. */
    msg = xasprintf("%s refused: %s", s->nve->name, error);
    LIST_FOR_EACH_SAFE (part, nve_node, &s->nve->move_parts) {
        if (!part->ready
            && part->move->migration.phase == MIGRATION_REQUESTED) {
            move_fail(part->move, msg, clock_msec(), clock_wall_usec());
        }
    }
    free(msg);
}

static const struct ofsync_class ofsync_class = {
    .send = os_send,
    .confirmation = os_confirmation,
    .wants_run = os_wants_run,
    .stage_changed = os_stage_changed,
    .keep = os_keep,
    .counted = os_counted,
    .learned = os_learned,
    .problem = os_problem,
};

/* Life. */

static bool
same(const char *a, const char *b)
{
    return a && !strcmp(a, b);
}

/* Gives 's' the hypervisor of its name if that has dialed in already. */
static void
adopt_dialed_in(struct session *s)
{
    struct peer *peer;

    LIST_FOR_EACH (peer, node, &s->nva->strangers) {
        const char *name;

        if (!peer->hvdb || !hvdb_is_synced(peer->hvdb)) {
            continue;
        }
        name = hvdb_get_external_id(peer->hvdb, "system-id");
        if (name && !strcmp(name, s->nve->name)) {
            nva_hypervisor_adopt(peer, s);
            break;
        }
    }
}

void
nva_session_configure(struct nva *nva, struct nve *nve,
                      const struct db_nve *row)
{
    struct session *s = nve->session;
    const char *bridge = row->bridge[0] ? row->bridge : "br-int";
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
    nva_peer_kill(s->db_peer);
    nva_peer_kill(s->of_peer);
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
        s->db_peer->hvdb = hvdb_connect(nva->loop, row->ovsdb, &nva_hvdb_class,
                                        s->db_peer);
        nva_hypervisor_want(s);
    } else {
        adopt_dialed_in(s);
    }
}

void
nva_session_destroy(struct session *s)
{
    struct attachment *a;

    HMAP_FOR_EACH_SAFE (a, nve_node, &s->nve->attachments) {
        topology_detach(&s->nva->topology, a);
    }
    stop(s);
    neighbors_nve_down(s->nva->neighbors, s->nve);
    nva_peer_kill(s->db_peer);
    nva_peer_kill(s->of_peer);
    if (s->datapath_id) {
        hmap_remove(&s->nva->datapaths, &s->datapath_node);
    }
    nva_session_unschedule(s);
    nva_watch_gone(s);
    if (s->takeover_due) {
        ovs_list_remove(&s->takeover_node);
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
            peer->hvdb = hvdb_accept(event->conn, &nva_hvdb_class, peer);
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

/* Returns how long the peer of a connection may be silent before it is asked
 * for a sign of life: a default, or a multiple by a power of 2, for which
 * 'n_nves' idle ones are asked no more than PROBES_PER_S times. */
static int
probe_by_size(size_t n_nves)
{
    int interval = HVDB_INACTIVITY_PROBE_MS;

    while (interval < PROBE_MAX_MS
           && 2 * n_nves * 1000 > (size_t) PROBES_PER_S * interval) {
        interval *= 2;
    }
    return MIN(interval, PROBE_MAX_MS);
}

/* An NVE that comes and goes makes nobody change to and fro. */
void
nva_sessions_set_probe(struct nva *nva)
{
    size_t n = hmap_count(&nva->topology.nves);
    int interval = nva->inactivity_option;
    struct nve *nve;

    if (!interval) {
        interval = MIN(MAX(nva->inactivity_probe, probe_by_size(n)),
                       probe_by_size(2 * n));
    }
    if (interval == nva->inactivity_probe) {
        return;
    }
    nva->inactivity_probe = interval;
    HMAP_FOR_EACH (nve, name_node, &nva->topology.nves) {
        struct session *s = nve->session;

        if (s->db_peer) {
            nva_hypervisor_want(s);
        }
        if (s->up) {
            ofconn_set_probe(s->of_peer->ofconn, interval);
        }
    }
}
