/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <limits.h>
#include <malloc.h>
#include <stdlib.h>

#include "clock.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(nva);

/* How long --wait=nve waits for underlay neighbors besides the flows. */
#define NEIGHBORS_MAX_MS 3000

/* How many events of the I/O thread are taken in one turn at most, so that
 * flows are sent in between. */
#define EVENTS_MAX 1000

/* How many bytes have been exchanged with switches before freed memory is
 * given back to the system. */
#define TRIM_AFTER (16 * 1024 * 1024)

/* For how long probes of the underlay may wait for events to be taken. */
#define PROBES_MAX_MS 1000

static void
send_probe(struct nve *from, struct ofpbuf *msg, void *nva OVS_UNUSED)
{
    struct session *s = from->session;

    if (s->of_peer && s->of_peer->ofconn) {
        ofconn_send(s->of_peer->ofconn, msg);
    } else {
        ofpbuf_delete(msg);
    }
}

static void
way_changed(struct nve *from, struct nve *to, void *nva OVS_UNUSED)
{
    struct nve *ends[] = { from, to };

    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        struct move_part *part;

        LIST_FOR_EACH_SAFE (part, nve_node, &ends[i]->move_parts) {
            move_part_update(part, clock_msec(), clock_wall_usec());
        }
    }
}

static void
member_changed(struct member *m, bool joined, void *nva_)
{
    struct nva *nva = nva_;
    struct member *other;

    HMAP_FOR_EACH (other, vn_node, &m->vn->members) {
        if (other != m) {
            if (joined) {
                neighbors_link(nva->neighbors, m->nve, other->nve);
            } else {
                neighbors_unlink(nva->neighbors, m->nve, other->nve);
            }
        }
    }
    if (joined) {
        nva_watch_member(nva, m);
    }
    nva_mig_member(nva, m, joined);
}

/* For 'nva->faults'. */
static bool
disconnect(const char *name, void *nva_)
{
    struct nva *nva = nva_;
    struct nve *nve = topology_find_nve(&nva->topology, name);

    if (nve) {
        nva_session_disconnect(nve->session, "a test wants it");
    }
    return nve != NULL;
}

static char *
start_listeners(struct nva *nva, const struct nva_config *config)
{
    char *error = NULL;

    if (config->ovsdb_listen) {
        error = loop_listen(nva->loop, config->ovsdb_listen, LOOP_JSONRPC);
    }
    if (!error && config->openflow_listen) {
        const char *port = strchr(config->openflow_listen, ':');

        error = loop_listen(nva->loop, config->openflow_listen,
                            LOOP_OPENFLOW);
        if (!error && strncmp(config->openflow_listen, "punix:", 6)) {
            nva->openflow_port = xmemdup0(port + 1,
                                          strcspn(port + 1, ":"));
        }
    }
    return error;
}

char *
nva_create(const struct nva_config *config, struct nva **nvap)
{
    struct nva *nva = xzalloc(sizeof *nva);
    struct smap defaults;
    char *error;

    *nvap = NULL;
    error = loop_create(config->tls, &nva->loop);
    if (error) {
        free(nva);
        return error;
    }
    topology_init(&nva->topology);
    nva->topology.member_cb = member_changed;
    nva->topology.aux = nva;
    nva->neighbors = neighbors_create(send_probe, way_changed, nva);
    nva->prober = prober_create(&nva->topology, &nva_prober_class, nva);
    nva->announcer = announcer_create(&nva_announcer_class, nva);
    nva->gateway_announcer = announcer_create(&nva_takeover_announcer_class,
                                              nva);
    ovs_list_init(&nva->takeovers);
    ovs_list_init(&nva->due_gateways);
    ovs_list_init(&nva->gateway_vns);
    ovs_list_init(&nva->coming);
    ovs_list_init(&nva->keeps);
    ovs_list_init(&nva->watchers);
    ovs_list_init(&nva->failed);
    ovs_list_init(&nva->peers);
    ovs_list_init(&nva->strangers);
    ovs_list_init(&nva->dead_peers);
    hmap_init(&nva->datapaths);
    ovs_list_init(&nva->dirty_sessions);
    heap_init(&nva->waiting_sessions);
    ovs_list_init(&nva->active);
    ovs_list_init(&nva->behind);
    ovs_list_init(&nva->lates);
    hmap_init(&nva->migs);
    hmap_init(&nva->gateways);
    shash_init(&nva->snats);
    ovs_list_init(&nva->evacuations);
    nva->history = nva_history_create();
    /* The row NVA_Global may be missing, and is not reported while it has
     * nothing but defaults. */
    smap_init(&defaults);
    nva_configure(nva, &defaults);
    nva_mcast_create(nva);
    nva->db = db_create(config->db, &nva_db_class, nva);
    nva_ctl_register(nva);
    nva->routes = nva_routes_create(nva, config->route_file, config->bird);
    if (config->enable_faults) {
        nva->faults = faults_create(disconnect, nva);
    }
    error = start_listeners(nva, config);
    if (error) {
        nva_destroy(nva);
        return error;
    }
    *nvap = nva;
    return NULL;
}

/* Leaves the switches as they are: a controller that goes away disturbs no
 * packet. */
void
nva_destroy(struct nva *nva)
{
    struct port *port;
    struct nve *nve;

    if (!nva) {
        return;
    }
    nva_peers_destroy(nva);
    nva_evacuations_destroy(nva);
    nva_migs_destroy(nva);
    nva_gateways_destroy(nva);
    HMAP_FOR_EACH_SAFE (port, name_node, &nva->topology.ports) {
        nva_late_port_gone(port);
        nva_mcast_port_gone(nva, port);
        wiring_port_removed(&nva->topology, port);
        topology_remove_port(&nva->topology, port);
    }
    HMAP_FOR_EACH_SAFE (nve, name_node, &nva->topology.nves) {
        nva_session_destroy(nve->session);
        topology_remove_nve(&nva->topology, nve);
    }
    hmap_destroy(&nva->datapaths);
    heap_destroy(&nva->waiting_sessions);
    topology_uninit(&nva->topology);
    mcast_destroy(nva->mcast);
    neighbors_destroy(nva->neighbors);
    nva_history_destroy(nva->history);
    prober_destroy(nva->prober);
    announcer_destroy(nva->announcer);
    announcer_destroy(nva->gateway_announcer);
    db_destroy(nva->db);
    loop_destroy(nva->loop);
    faults_destroy(nva->faults);
    nva_routes_destroy(nva->routes);
    free(nva->openflow_target);
    free(nva->openflow_port);
    free(nva);
}

/* --wait=nve. */

/* Notes which NVEs have to confirm 'nb_cfg'. */
static void
start_owing(struct nva *nva, long long int now)
{
    struct session *s;

    nva->owed_cfg = nva->nb_cfg;
    nva->owing_since = now;
    LIST_FOR_EACH (s, behind_node, &nva->behind) {
        if (!s->owes && s->up) {
            s->owes = true;
            nva->n_owing++;
        }
    }
}

static void
run_nve_cfg(struct nva *nva, long long int now)
{
    if (nva->nb_cfg != nva->owed_cfg) {
        start_owing(nva, now);
    }
    if (nva->nve_cfg != nva->owed_cfg && !nva->n_owing
        && (!neighbors_count_pending(nva->neighbors)
            || now >= nva->owing_since + NEIGHBORS_MAX_MS)) {
        nva->nve_cfg = nva->owed_cfg;
        db_write_nve_cfg(nva->db, nva->nve_cfg);
    }
}

/* Gives memory back to the system that a large comparison or change has used,
 * when it is over and no move waits. */
static void
trim_memory(struct nva *nva)
{
    if (nva->n_exchanged >= TRIM_AFTER && ovs_list_is_empty(&nva->behind)
        && ovs_list_is_empty(&nva->active)) {
        nva->n_exchanged = 0;
#ifdef __GLIBC__
        malloc_trim(0);
#endif
    }
}

void
nva_run(struct nva *nva)
{
    long long int now;
    struct loop_event event;
    int n;

    nva->active_here = db_run(nva->db);
    if (!nva->active_here) {
        return;
    }
    nva_sessions_set_probe(nva);
    nva_gateways_run(nva);
    db_send(nva->db);
    /* Before what hypervisors say, lest one that is heard of for the first
     * time loses the sessions that it has. */
    nva_watch_run(nva, clock_msec());
    for (n = 0; n < EVENTS_MAX && loop_next_event(nva->loop, &event); n++) {
        nva_session_event(nva, &event);
    }
    now = clock_msec();
    if (n < EVENTS_MAX || now >= nva->probed + PROBES_MAX_MS) {
        /* Otherwise answers may be waiting. */
        neighbors_run(nva->neighbors, now);
        nva->probed = now;
    }
    prober_run(nva->prober, now);
    announcer_run(nva->announcer, now);
    nva_takeover_run(nva, now);
    nva_keep_run(nva, now);
    nva_migs_run(nva, now);
    nva_evacuations_run(nva);
    nva_history_run(nva);
    nva_late_run(nva, now);
    run_nve_cfg(nva, now);
    nva_sessions_run(nva, now);
    nva_mcast_run(nva, now);
    nva_routes_run(nva, now);
    trim_memory(nva);
}

void
nva_wait(struct nva *nva)
{
    long long int deadline;

    db_wait(nva->db);
    if (!nva->active_here) {
        return;
    }
    loop_wait(nva->loop);
    deadline = MIN(MIN(neighbors_deadline(nva->neighbors),
                       nva_migs_deadline(nva)),
                   nva_sessions_deadline(nva));
    deadline = MIN(deadline, nva_history_deadline(nva->history));
    deadline = MIN(deadline, nva_mcast_deadline(nva));
    deadline = MIN(deadline, nva_late_deadline(nva));
    if (nva->evacuations_dirty || nva->gateways_dirty) {
        deadline = 0;
    }
    nva_routes_wait(nva);
    deadline = MIN(deadline, prober_deadline(nva->prober));
    deadline = MIN(deadline, announcer_deadline(nva->announcer));
    deadline = MIN(deadline, nva_takeover_deadline(nva));
    deadline = MIN(deadline, nva_keep_deadline(nva));
    deadline = MIN(deadline, nva_watch_deadline(nva));
    if (nva->nve_cfg != nva->owed_cfg) {
        deadline = MIN(deadline, nva->owing_since + NEIGHBORS_MAX_MS);
    }
    if (deadline != LLONG_MAX) {
        poll_timer_wait_until(deadline);
    }
}
