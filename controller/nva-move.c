/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <limits.h>
#include <stdlib.h>

#include "clock.h"
#include "cookie.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(nva_move);

/* How long a requested migration waits for what it needs. */
#define START_TIMEOUT_MS 30000

/* How long after a cached flow's time is up a busy switch may look at it. */
#define IDLE_SLACK_MS 5000

static const struct move_class move_class;

static bool
is_word(const char *s, const char *word)
{
    return !strcmp(s, word);
}

struct mig *
nva_mig_find(const struct nva *nva, uint64_t id)
{
    struct mig *mig;

    HMAP_FOR_EACH_WITH_HASH (mig, node, hash_uint64(id), &nva->migs) {
        if (mig->id == id) {
            return mig;
        }
    }
    return NULL;
}

static void
free_mig(struct mig *mig)
{
    hmap_remove(&mig->nva->migs, &mig->node);
    free(mig->port);
    free(mig->new_nve);
    free(mig->old_nve);
    free(mig->request);
    free(mig);
}

/* Has nva_migs_run() look at 'mig'. */
void
nva_mig_dirty(struct mig *mig)
{
    mig->dirty = mig->nva->migs_dirty = true;
}

/* 'mig' becomes history. */
static void
set_over(struct mig *mig)
{
    if (!mig->over) {
        nva_announce_stop(mig);
        mig->over = true;
        mig->nva->n_starting -= !mig->started;
        nva_mig_dirty(mig);
    }
}

/* Opens or closes the old place of a cold migration. */
static void
set_closed(struct mig *mig, bool closed)
{
    struct port *port = topology_find_port(&mig->nva->topology, mig->port);

    if (mig->kind == MIG_COLD && port && port->closed != closed) {
        port->closed = closed;
        wiring_port_changed(&mig->nva->topology, port);
        nva_late_port_changed(mig->nva, port);
        nva_write_port(mig->nva, port);
    }
}

/* 'port' has left its old NVE for good, at 'wall'. */
static void
leave(struct mig *mig, struct port *port, long long int wall)
{
    struct nva *nva = mig->nva;
    struct nve *nve = topology_find_nve(&nva->topology, mig->old_nve);

    if (nve) {
        nva_late_left(nva, port, nve, wall);
    }
}

/* The migration of 'mig' ends before it has begun. */
static void
end_early(struct mig *mig, const char *phase, const char *error)
{
    set_closed(mig, false);
    nva_mig_write(mig, phase, error);
    set_over(mig);
}

static void
give_up(struct mig *mig, const char *error)
{
    VLOG_WARN("migration of %s to %s failed: %s", mig->port, mig->new_nve,
              error);
    end_early(mig, "failed", error);
}

/* Callbacks of move.h. */

static void
mig_changed(struct move *move, void *mig_)
{
    struct mig *mig = mig_;

    nva_mig_dirty(mig);
    nva_probe_update(mig, move);
    nva_announce_update(mig, move);
    if (migration_is_over(&move->migration)) {
        set_over(mig);
    }
}

static void
mig_record(struct move *move, void *mig_)
{
    struct mig *mig = mig_;

    /* What is not sent at once so far goes along. */
    nva_record_port(mig->nva, move->port, move->new_nve);
    mig->recording = nva_mig_write(mig, NULL, NULL);
}

static void
mig_reached(struct move *move OVS_UNUSED, enum fault_point point, void *mig_)
{
    struct mig *mig = mig_;

    faults_reached(mig->nva->faults, point);
}

static const struct move_class move_class = {
    .changed = mig_changed,
    .record = mig_record,
    .reached = mig_reached,
};

void
nva_mig_written(struct nva *nva, uint64_t seqno)
{
    struct mig *mig;

    LIST_FOR_EACH (mig, active_node, &nva->active) {
        if (mig->recording && seqno >= mig->recording) {
            mig->recording = 0;
            move_recorded(mig->move, clock_msec(), clock_wall_usec());
        }
    }
}

/* Starting. */

/* Returns what 'mig' still lacks before it can start, or null. */
static const char *
check_start(const struct mig *mig, struct port **portp, struct nve **nvep)
{
    const struct topology *t = &mig->nva->topology;
    struct port *port = topology_find_port(t, mig->port);
    struct nve *nve = topology_find_nve(t, mig->new_nve);

    *portp = port;
    *nvep = nve;
    if (!port) {
        return "no such port; see \"nva-ctl port-list\"";
    } else if (!nve) {
        return "no such NVE; see \"nva-ctl nve-list\"";
    } else if (!port->place.nve) {
        return "the port is not bound to any NVE";
    } else if (port->move) {
        return "the port is already on the move";
    } else if (!nva_session_is_connected(nve->session)) {
        return "the new NVE is not connected";
    } else if (!topology_find_attachment(t, port->name, nve)) {
        return "the new NVE has no interface with this iface-id; plug it "
               "there first";
    }
    return NULL;
}

/* Returns what cuts the move of 'mig' over. */
static enum move_trigger
trigger_of(const struct mig *mig)
{
    return (mig->kind == MIG_WARM ? MOVE_ON_WORD
            : mig->immediate ? MOVE_ON_READY : MOVE_ON_ANNOUNCE);
}

/* Returns true if the switch of 'nve', which is connected, may have cached
 * flows that drop packets for 'port', which is not there.  They are made by
 * packets for it, and nobody sends it any there unless it left it a short time
 * ago, or is an NVE that has been away meanwhile.  Also before a controller
 * that has just been started knows either. */
static bool
may_be_cached(const struct port *port, const struct nve *nve)
{
    const struct session *s = nve->session;
    long long int since = MAX(port->moved_at, s->nva->synced_at);

    return clock_msec() < (since + hvdb_get_max_idle(s->db_peer->hvdb)
                           + IDLE_SLACK_MS);
}

static void
start_move(struct mig *mig, struct port *port, struct nve *nve, bool is_cut)
{
    struct nva *nva = mig->nva;
    struct move_config config = {
        .id = mig->id,
        .port = port,
        .new_nve = nve,
        .trigger = trigger_of(mig),
        .patient = mig->kind != MIG_HOT,
        .cached = is_cut || may_be_cached(port, nve),
        .drain_max_ms = mig->nva->drain_max_ms,
        .is_cut = is_cut,
        .hold = mig->was_held,
    };

    free(mig->old_nve);
    mig->old_nve = xstrdup(port->place.nve->name);
    mig->started = true;
    nva->n_starting--;
    VLOG_INFO("moving %s from %s to %s", port->name, mig->old_nve, nve->name);
    nva_keep_move_begins(nva, port, nve, is_cut);
    mig->move = move_create(&move_class, mig, &nva->topology, nva->neighbors,
                            &config, clock_msec(), mig->requested);
    ovs_list_push_back(&nva->active, &mig->active_node);
    nva_write_port(nva, port);
    nva_mig_dirty(mig);
}

static void
try_start(struct mig *mig)
{
    struct port *port;
    struct nve *nve;
    const char *lacks;

    if (mig->move || mig->over) {
        return;
    }
    lacks = check_start(mig, &port, &nve);
    if (mig->kind == MIG_COLD && port && port->place.nve && !port->move
        && !mig->old_nve[0]) {
        free(mig->old_nve);
        mig->old_nve = xstrdup(port->place.nve->name);
    }

    if (mig->kind == MIG_COLD && port && port->place.nve && !port->move
        && strcmp(port->place.nve->name, mig->old_nve)) {
        /* Its old interface went away and it started elsewhere. */
        leave(mig, port, clock_wall_usec());
        end_early(mig, "done", NULL);
    } else if (!lacks && port->place.nve == nve) {
        give_up(mig, "the port is already there");
    } else if (!lacks) {
        set_closed(mig, true);
        start_move(mig, port, nve, false);
    } else if (port && port->move && port->move->id != mig->id) {
        move_hurry(port->move, clock_msec(), clock_wall_usec());
    } else if (mig->kind == MIG_COLD && port && !port->closed) {
        set_closed(mig, true);
        nva_mig_write(mig, "requested", NULL);
    }
    if (!mig->move && !mig->over && mig->kind == MIG_HOT
        && clock_msec() >= mig->start_by) {
        char *error = xasprintf("%s -> %s: %s", mig->port, mig->new_nve,
                                lacks);

        give_up(mig, error);
        free(error);
    }
}

/* Goes on with a migration that had passed its commit point before this
 * controller was started. */
static void
resume(struct mig *mig)
{
    const struct topology *t = &mig->nva->topology;
    struct port *port = topology_find_port(t, mig->port);
    struct nve *nve = topology_find_nve(t, mig->new_nve);

    if (!port || !nve || !port->place.nve || port->place.nve == nve) {
        /* Only the last line of its history had not been written. */
        nva_mig_write(mig, "done", NULL);
        set_over(mig);
    } else {
        start_move(mig, port, nve, true);
    }
}

/* Returns what 'mig->request' says about the VM. */
static enum move_hold
requested_hold(const struct mig *mig)
{
    return move_hold_from_string(mig->request ? mig->request : "");
}

/* Returns how a move was held when 'row' was written.  By now 'row->request'
 * may say something else. */
static enum move_hold
hold_of_row(const struct db_migration *row)
{
    bool held = is_word(row->phase, "held");
    enum move_hold hold = move_hold_from_string(row->triggered_by);

    return (!held && !is_word(row->phase, "cutover") ? MOVE_NOT_HELD
            : held && !hold ? MOVE_PAUSED : hold);
}

/* Returns false if that is not possible now. */
static bool
try_cancel(struct mig *mig)
{
    const char *reason = "cancelled on request";

    if (mig->move) {
        return move_cancel(mig->move, reason, clock_msec(),
                           clock_wall_usec());
    }
    end_early(mig, "cancelled", reason);
    return true;
}

/* Cancels a migration if that is possible now. */
void
nva_mig_cancel(struct nva *nva, const struct uuid *uuid)
{
    struct mig *mig = nva_mig_find(nva, cookie_id_from_uuid(uuid));

    if (mig && !mig->over) {
        try_cancel(mig);
    }
}

/* Carries 'mig->request' out as soon as that is possible. */
static void
run_request(struct mig *mig)
{
    const char *request = mig->request ? mig->request : "";
    struct move *move = mig->move;
    long long int now = clock_msec();
    long long int wall = clock_wall_usec();

    if (mig->requested_done || mig->over) {
        return;
    }
    if (is_word(request, "activate")) {
        if (move) {
            mig->requested_done = true;
            move_trigger(move, "activate", now, wall);
        }
    } else if (requested_hold(mig)) {
        if (move && move->migration.phase != MIGRATION_REQUESTED) {
            mig->requested_done = true;
            move_hold(move, requested_hold(mig), now, wall);
        }
    } else if (is_word(request, "cancel")) {
        if (try_cancel(mig)) {
            mig->requested_done = true;
        } else if (move->migration.phase >= MIGRATION_DRAINING) {
            mig->requested_done = true;
            VLOG_WARN("migration of %s: too late to cancel, it is in phase "
                      "%s", mig->port,
                      migration_phase_to_string(move->migration.phase));
        }
    }
}

static void
handle_request(struct mig *mig, const char *request)
{
    if (nullable_string_is_equal(mig->request, request)) {
        return;
    }
    free(mig->request);
    mig->request = xstrdup(request);
    mig->requested_done = false;
    run_request(mig);
}

/* The hypervisor of 'nve' says 'word' about the VM of port 'port_name', in
 * external_ids:nva-vm of its interface. */
void
nva_mig_word(struct nva *nva, const struct nve *nve, const char *port_name,
             const char *word)
{
    struct port *port = topology_find_port(&nva->topology, port_name);
    struct move *move = port ? port->move : NULL;
    struct mig *mig = move ? nva_mig_find(nva, move->id) : NULL;

    if (!mig || mig->over || !word) {
        return;
    }
    if (nve == move->old_nve && (is_word(word, "hold")
                                 || is_word(word, "paused"))) {
        handle_request(mig, word);
    } else if (nve == move->new_nve && is_word(word, "running")) {
        handle_request(mig, "activate");
    } else {
        VLOG_WARN("%s: external_ids:nva-vm=%s of port %s is ignored: it may "
                  "be \"hold\" or \"paused\" at the old NVE of a move, and "
                  "\"running\" at the new one", nve->name, word, port_name);
    }
}

static enum mig_kind
kind_from_string(const char *kind)
{
    return (is_word(kind, "warm") ? MIG_WARM
            : is_word(kind, "cold") ? MIG_COLD : MIG_HOT);
}

void
nva_mig_row(struct nva *nva, const struct db_migration *row)
{
    uint64_t id = cookie_id_from_uuid(&row->uuid);
    struct mig *mig = nva_mig_find(nva, id);
    enum migration_phase phase = MIGRATION_REQUESTED;

    migration_phase_from_string(row->phase, &phase);
    if (!mig) {
        if (phase >= MIGRATION_DONE) {
            return;             /* History. */
        }
        mig = xzalloc(sizeof *mig);
        mig->nva = nva;
        mig->uuid = row->uuid;
        mig->id = id;
        mig->port = xstrdup(row->port);
        mig->new_nve = xstrdup(row->new_nve);
        mig->old_nve = xstrdup(row->old_nve);
        mig->kind = kind_from_string(row->kind);
        mig->immediate = is_word(row->trigger, "now");
        mig->was_held = hold_of_row(row);
        mig->start_by = clock_msec() + START_TIMEOUT_MS;
        mig->requested = clock_wall_usec();
        hmap_insert(&nva->migs, &mig->node, hash_uint64(id));
        nva->n_starting++;
        if (phase >= MIGRATION_CUTOVER_NEW) {
            resume(mig);
        } else {
            try_start(mig);
        }
    }
    if (!mig->over && !mig->move && strcmp(mig->new_nve, row->new_nve)) {
        free(mig->new_nve);
        mig->new_nve = xstrdup(row->new_nve);
        nva_mig_dirty(mig);
    }
    if (!mig->over) {
        handle_request(mig, row->request);
    }
}

/* The move of 'mig' must end now. */
static void
end_move(struct mig *mig, const char *reason)
{
    struct move *move = mig->move;

    if (!move) {
        give_up(mig, reason);
    } else if (migration_is_revocable(&move->migration)) {
        move_fail(move, reason, clock_msec(), clock_wall_usec());
    } else if (!migration_is_over(&move->migration)) {
        /* Completes it, without waiting for anything. */
        struct port *port = move->port;

        set_over(mig);
        ovs_list_remove(&mig->active_node);
        move_destroy(move);
        mig->move = NULL;
        nva_keep_move_ended(mig->nva, port);
        nva_write_port(mig->nva, port);
        nva_mig_write(mig, "failed", reason);
    }
}

void
nva_mig_deleted(struct nva *nva, const struct uuid *uuid)
{
    struct mig *mig = nva_mig_find(nva, cookie_id_from_uuid(uuid));

    if (mig && !mig->over) {
        end_move(mig, "its row was deleted");
    }
}

void
nva_mig_port_gone(struct nva *nva, struct port *port)
{
    struct mig *mig;

    LIST_FOR_EACH_SAFE (mig, active_node, &nva->active) {
        if (!mig->over && mig->move->port == port) {
            end_move(mig, "the port was deleted");
        }
    }
}

void
nva_mig_nve_gone(struct nva *nva, struct nve *nve)
{
    struct mig *mig;

    LIST_FOR_EACH_SAFE (mig, active_node, &nva->active) {
        struct move *move = mig->move;

        if (mig->over) {
            continue;
        }
        if (move->old_nve == nve || move->new_nve == nve) {
            end_move(mig, "one of its NVEs was deleted");
        } else {
            move_remove_peer(move, nve, clock_msec(), clock_wall_usec());
        }
    }
}

void
nva_mig_try(struct nva *nva, const char *port_name)
{
    struct mig *mig;

    if (nva->n_starting) {
        HMAP_FOR_EACH (mig, node, &nva->migs) {
            if (!mig->move && is_word(mig->port, port_name)) {
                nva_mig_dirty(mig);
            }
        }
    }
}

void
nva_mig_member(struct nva *nva, struct member *m, bool joined)
{
    struct mig *mig;

    LIST_FOR_EACH (mig, active_node, &nva->active) {
        struct move *move = mig->move;

        if (mig->over || move->port->vn != m->vn
            || m->nve == move->new_nve || m->nve == move->old_nve) {
            continue;
        }
        if (joined) {
            move_add_peer(move, m->nve, clock_msec(), clock_wall_usec());
        } else {
            move_remove_peer(move, m->nve, clock_msec(), clock_wall_usec());
        }
    }
}

/* What the switches say. */

void
nva_mig_packet_in(struct nva *nva, struct nve *nve, uint64_t cookie)
{
    struct mig *mig = nva_mig_find(nva, cookie_id(cookie));

    if (mig && mig->move && cookie_kind(cookie) == COOKIE_MOVE) {
        VLOG_DBG("%s: heard at %s", mig->port, nve->name);
        move_heard(mig->move, "new NVE", clock_msec(), clock_wall_usec());
    }
}

/* Returns true if 'nve' has been told to commit its part of 'move': what it
 * has learned in the data path is not needed any more. */
static bool
is_told(const struct move *move, const struct nve *nve)
{
    return (nve == move->new_nve ? move->cut_new
            : nve == move->old_nve ? move->cut_old
            : move->cut_peers);
}

/* Returns true if 'nve' takes part in the move of 'mig', which may not have
 * started yet. */
static bool
takes_part(const struct mig *mig, const struct nve *nve)
{
    const struct port *port = topology_find_port(&mig->nva->topology,
                                                 mig->port);

    return port && (topology_find_member(nve, port->vn)
                    || !strcmp(mig->new_nve, nve->name));
}

/* Returns true if 'nve' may have a flow that was learned for the move of
 * 'mig', see move-part.c. */
static bool
may_have_learned(const struct mig *mig, const struct nve *nve)
{
    return (trigger_of(mig) == MOVE_ON_ANNOUNCE
            || !strcmp(mig->new_nve, nve->name)
            || !strcmp(mig->old_nve, nve->name));
}

/* A comparison with 'nve' found a flow that was learned in the data path, or
 * that marks a commit: the move was cut over while we were away.  Returns
 * false if the flow is not to stay: it belongs to no move, or to one whose
 * commit has deleted it, or would have if the switch had not been away; or
 * 'nve' has left the VN, so that nobody would ever delete it. */
bool
nva_mig_found(struct nva *nva, struct nve *nve, uint64_t cookie)
{
    struct mig *mig = nva_mig_find(nva, cookie_id(cookie));

    if (cookie_kind(cookie) != COOKIE_LEARNED || !mig || mig->over
        || !takes_part(mig, nve) || !may_have_learned(mig, nve)
        || (mig->move && is_told(mig->move, nve))) {
        return false;
    }
    VLOG_INFO("%s: %s has already switched", mig->port, nve->name);
    mig->trigger = true;
    nva_mig_dirty(mig);
    return true;
}

/* Running. */

/* Goes on with a migration that has been found cut over: by the VM, unless
 * its hypervisor has said that it does not run yet. */
static void
go_on(struct mig *mig, long long int now)
{
    enum move_hold hold = requested_hold(mig);

    if (!hold) {
        move_trigger(mig->move, "data path", now, clock_wall_usec());
    } else if (migration_is_revocable(&mig->move->migration)) {
        mig->requested_done = true;
        move_hold(mig->move, hold, now, clock_wall_usec());
    }
}

/* Looks after 'mig'.  Its row is written only if something has changed, for
 * else there would be something to write each time. */
static void
mig_run(struct mig *mig, long long int now)
{
    bool changed = mig->dirty;

    mig->dirty = false;
    if (!mig->move && !mig->over) {
        try_start(mig);
    }
    if (mig->trigger && mig->move) {
        mig->trigger = false;
        go_on(mig, now);
    }
    run_request(mig);
    if (mig->move && (changed || mig->dirty)) {
        nva_mig_write(mig, NULL, NULL);
    }
    if (mig->over) {
        struct nva *nva = mig->nva;

        set_closed(mig, false);
        if (mig->move) {
            enum migration_phase phase = mig->move->migration.phase;
            long long int ended = mig->move->times[MOVE_DONE];
            const char *error = mig->move->error;
            struct port *port;

            VLOG_INFO("moving %s to %s: %s%s%s", mig->port, mig->new_nve,
                      migration_phase_to_string(phase), error ? ": " : "",
                      error ? error : "");
            ovs_list_remove(&mig->active_node);
            move_destroy(mig->move);
            mig->move = NULL;
            port = topology_find_port(&nva->topology, mig->port);
            if (port) {
                port->moved_at = now;
                if (phase == MIGRATION_DONE) {
                    leave(mig, port, ended);
                }
                nva_keep_move_ended(nva, port);
                nva_write_port(nva, port);
                nva_rebind(nva, port);
            }
        }
        free_mig(mig);
    }
}

void
nva_migs_run(struct nva *nva, long long int now)
{
    struct mig *mig;

    LIST_FOR_EACH (mig, active_node, &nva->active) {
        move_run(mig->move, now, clock_wall_usec());
    }
    if (nva->migs_dirty || nva->n_starting) {
        nva->migs_dirty = false;
        HMAP_FOR_EACH_SAFE (mig, node, &nva->migs) {
            /* One without a move may wait for anything. */
            if (mig->dirty || !mig->move) {
                mig_run(mig, now);
            }
        }
    }
}

void
nva_migs_destroy(struct nva *nva)
{
    struct mig *mig;

    HMAP_FOR_EACH_SAFE (mig, node, &nva->migs) {
        if (mig->move) {
            ovs_list_remove(&mig->active_node);
            move_destroy(mig->move);
        }
        free_mig(mig);
    }
    hmap_destroy(&nva->migs);
}

long long int
nva_migs_deadline(const struct nva *nva)
{
    long long int deadline = LLONG_MAX;
    const struct mig *mig;

    if (nva->migs_dirty) {
        return 0;
    }
    LIST_FOR_EACH (mig, active_node, &nva->active) {
        deadline = MIN(deadline, move_deadline(mig->move));
    }
    if (nva->n_starting) {
        HMAP_FOR_EACH (mig, node, &nva->migs) {
            if (!mig->move) {
                deadline = MIN(deadline, mig->start_by);
            }
        }
    }
    return deadline;
}
