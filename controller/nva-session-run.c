/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <limits.h>

#include "clock.h"
#include "util.h"

/* Which sessions get a look in a turn of the main loop: those with news, and
 * those whose deadline has come.  Thousands may wait for one, as the status of
 * each NVE of a move does, so they are not walked. */

/* For how long a new status of an NVE waits.  Each move makes all of its NVEs
 * out of step for some ms, which is worth no transaction. */
#define STATUS_DELAY_MS 200

/* Something of 's' may have changed. */

static void
forget_deadline(struct session *s)
{
    if (s->waiting) {
        s->waiting = false;
        heap_remove(&s->nva->waiting_sessions, &s->waiting_node);
    }
}

void
nva_session_unschedule(struct session *s)
{
    forget_deadline(s);
    if (s->dirty) {
        s->dirty = false;
        ovs_list_remove(&s->dirty_node);
    }
}

/* Has nva_sessions_run() look at 's'. */
void
nva_session_wants_run(struct session *s)
{
    if (!s->dirty) {
        forget_deadline(s);
        s->dirty = true;
        ovs_list_push_back(&s->nva->dirty_sessions, &s->dirty_node);
    }
}

/* The status of 's' in the database may be out of date. */
void
nva_session_dirty(struct session *s)
{
    if (!s->status_dirty) {
        s->status_dirty = true;
        /* So that those of many NVEs go together. */
        s->write_at = ROUND_UP(clock_msec() + STATUS_DELAY_MS,
                               STATUS_DELAY_MS);
    }
    if (nva_session_is_connected(s) != s->told_connected) {
        s->write_at = 0;
    }
    nva_session_wants_run(s);
}

/* Turns of the main loop. */

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

    s->told_connected = status.connected;
    db_write_nve(s->nva->db, &s->uuid, &status);
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

static void
session_run(struct session *s, long long int now)
{
    if (s->db_peer) {
        if (s->synced) {
            nva_hypervisor_digest(s);
        }
        nva_uplinks_run(s);
        hvdb_run(s->db_peer->hvdb, now);
        nva_session_try_start(s);
    }
    ofsync_run(s->nve->ofsync, now);
    if (s->status_dirty && now >= s->write_at) {
        write_status(s);
        s->status_dirty = false;
    }
}

/* Has 's' get another look at its deadline, if it has one. */
static void
schedule(struct session *s)
{
    long long int deadline = session_deadline(s);

    if (deadline != LLONG_MAX) {
        s->waiting = true;
        /* heap.h has the highest first. */
        heap_insert(&s->nva->waiting_sessions, &s->waiting_node,
                    UINT64_MAX - deadline);
    }
}

/* Returns what schedule() found. */
static long long int
waiting_until(const struct session *s)
{
    return UINT64_MAX - s->waiting_node.priority;
}

/* Returns the session whose deadline is next, or null if none has one. */
static struct session *
first_waiting(const struct nva *nva)
{
    return (heap_is_empty(&nva->waiting_sessions) ? NULL
            : CONTAINER_OF(heap_max(&nva->waiting_sessions), struct session,
                           waiting_node));
}

void
nva_sessions_run(struct nva *nva, long long int now)
{
    struct session *s;

    while ((s = first_waiting(nva)) && waiting_until(s) <= now) {
        nva_session_wants_run(s);
    }
    LIST_FOR_EACH_SAFE (s, dirty_node, &nva->dirty_sessions) {
        session_run(s, now);
        nva_session_unschedule(s);
        schedule(s);
    }
    nva_peers_reap(&nva->dead_peers);
}

long long int
nva_sessions_deadline(const struct nva *nva)
{
    const struct session *s = first_waiting(nva);

    return (!ovs_list_is_empty(&nva->dirty_sessions) ? 0
            : s ? waiting_until(s) : LLONG_MAX);
}
