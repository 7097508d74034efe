/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "move-private.h"

#include <limits.h>
#include <stdlib.h>

#include "cookie.h"
#include "coverage.h"
#include "flow-list.h"
#include "neighbor.h"
#include "ofsync.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "pipeline.h"
#include "util.h"
#include "wiring.h"

VLOG_DEFINE_THIS_MODULE(move);

COVERAGE_DEFINE(move_cached);
COVERAGE_DEFINE(move_done);
COVERAGE_DEFINE(move_failed);
COVERAGE_DEFINE(move_restaged);

/* A switch confirms a change when its tables have it; cached flows follow
 * within a few ms.  One that drops packets for the VM may be cached at the new
 * NVE, if the VM was there a short time ago.  Then, if it was not the data
 * path that cut over, the others are told only so long after the new NVE has
 * confirmed that it is prepared. */
#define SETTLE_MS 10

/* How often the new NVE and the others exchange a packet while the move is
 * prepared.  Open vSwitch forgets a cached flow after 10 s without a packet,
 * and the VM's first frame would have to wait for several to be made anew. */
#define WARM_INTERVAL_MS 3000

/* How long the switches have for themselves when they switch in the data
 * path.  Each COMMIT has the switch revalidate all its cached flows once more,
 * which would delay those that it is just changing. */
#define COMMIT_DELAY_MS 3

/* After how long in a phase, and how often then, the owner is told for which
 * NVEs a move waits.  Most end before: to write the names of thousands of NVEs
 * would delay them. */
#define REPORT_INTERVAL_MS 500

/* A staged bundle is staged afresh before the switch's bundle-idle-timeout
 * (600 s, see nva.c) ends. */
#define RESTAGE_MS 240000

static void act(struct move *, enum migration_action, long long int now,
                long long int wall);

void
move_reached__(struct move *move, enum fault_point point)
{
    if (move->class->reached) {
        move->class->reached(move, point, move->aux);
    }
}

void
move_step__(struct move *move, enum migration_event event, long long int now,
            long long int wall)
{
    enum migration_action action = migration_step(&move->migration, event,
                                                  now);

    move->report_at = MAX(move->report_at,
                          move->migration.since + REPORT_INTERVAL_MS);
    act(move, action, now, wall);
}

bool
move_takes_long(const struct move *move, long long int now)
{
    return now >= move->migration.since + REPORT_INTERVAL_MS;
}

/* Life. */

/* Goes on with a move whose commit point was passed before the controller was
 * restarted: everybody wants the state after it, whoever connects first. */
static void
resume_cut(struct move *move, long long int now, long long int wall)
{
    struct move_part *part;

    move->triggered_by = (move->hold ? move_hold_to_string(move->hold)
                          : "resumed");
    move->cut_peers = move->cut_old = true;
    move_gate__(move, true);
    wiring_port_groups_changed(move->topology, move->port);
    LIST_FOR_EACH (part, move_node, &move->parts) {
        move_part_build__(part, now);
    }
    move_step__(move, (move->hold ? MIGRATION_EV_HOLD
                       : MIGRATION_EV_TRIGGER), now, wall);
    LIST_FOR_EACH (part, move_node, &move->parts) {
        move_part_commit__(part, now);
    }
}

struct move *
move_create(const struct move_class *class, void *aux, struct topology *t,
            struct neighbors *neighbors, const struct move_config *config,
            long long int now, long long int wall)
{
    struct move *move = xzalloc(sizeof *move);
    struct move_part *part;
    struct member *m;

    move->class = class;
    move->aux = aux;
    move->topology = t;
    move->neighbors = neighbors;
    migration_init(&move->migration, now);
    move->id = config->id;
    move->trigger = config->trigger;
    move->patient = config->patient;
    move->cached = config->cached;
    move->hold = config->hold;
    move->drain_max_ms = config->drain_max_ms;
    move->port = config->port;
    move->old_nve = config->port->place.nve;
    move->new_nve = config->new_nve;
    move->there.nve = config->new_nve;
    move->drain_at = move->commit_at = LLONG_MAX;
    move->rest_at = move->old_at = move->release_at = LLONG_MAX;
    move->look_at = move->cut_old_at = LLONG_MAX;
    move->report_at = now + REPORT_INTERVAL_MS;
    if (move_interface_at__(move, move->old_nve)) {
        move->old_ofport = move_interface_at__(move, move->old_nve)->ofport;
    }
    move->times[MOVE_REQUESTED] = wall;
    ovs_list_init(&move->parts);

    config->port->move = move;
    wiring_join(t, move->new_nve, move->port);
    move->new_part = move_part_add__(move, move->new_nve);
    move->old_part = move_part_add__(move, move->old_nve);
    HMAP_FOR_EACH (m, vn_node, &move->port->vn->members) {
        if (m->nve != move->old_nve && m->nve != move->new_nve) {
            move_part_add__(move, m->nve);
        }
    }

    if (config->is_cut) {
        resume_cut(move, now, wall);
        return move;
    }
    LIST_FOR_EACH (part, move_node, &move->parts) {
        move_part_set__(part, false);
    }
    LIST_FOR_EACH (part, move_node, &move->parts) {
        move_part_stage__(part, now);
    }
    move_reached__(move, FAULT_REQUESTED);
    LIST_FOR_EACH_SAFE (part, move_node, &move->parts) {
        move_part_update(part, now, wall);
    }
    return move;
}

/* Returns true if the NVE of 'part' wants the state after the cut-over. */
static bool
is_cut(const struct move_part *part)
{
    const struct move *move = part->move;

    return (part == move->new_part ? move->cut_new
            : part == move->old_part ? move->cut_old
            : move->cut_peers);
}

void
move_refresh(struct move *move)
{
    struct move_part *part;

    LIST_FOR_EACH (part, move_node, &move->parts) {
        move_part_set__(part, is_cut(part));

        /* What it needs afterwards may have changed even if what it has now
         * is the same. */
        part->outdated = true;
        move_part_set_ready__(part, false);
    }
    move->restage = true;
}

void
move_told_new(struct move *move)
{
    move->new_part->confirmed = false;
    move_part_set_ready__(move->new_part, false);
}

void
move_add_peer(struct move *move, struct nve *nve, long long int now,
              long long int wall)
{
    struct move_part *part;

    /* Once the others have been told to switch, a new peer is told the new
     * place at once.  Until then it must switch with them.  When a hold is
     * taken back it has nothing to do. */
    LIST_FOR_EACH (part, nve_node, &nve->move_parts) {
        if (part->move == move) {
            return;
        }
    }
    if (!move->cut_peers && move->migration.phase < MIGRATION_RELEASING) {
        part = move_part_add__(move, nve);
        move_part_set__(part, false);
        move_part_stage__(part, now);
        move_part_update(part, now, wall);
    }
}

void
move_remove_peer(struct move *move, struct nve *nve, long long int now,
                 long long int wall)
{
    struct move_part *part;

    LIST_FOR_EACH_SAFE (part, nve_node, &nve->move_parts) {
        if (part->move == move && part != move->new_part
            && part != move->old_part) {
            move_part_revert__(part);
            move_part_free__(part);
            move_part_update(move->new_part, now, wall);
        }
    }
}

void
move_undo__(struct move *move)
{
    struct port *port = move->port;
    struct move_part *part;

    move->commit_at = move->rest_at = move->old_at = LLONG_MAX;
    move->look_at = LLONG_MAX;
    move_gate__(move, false);
    LIST_FOR_EACH (part, move_node, &move->parts) {
        if (ofsync_stage_get_state(part->stage) == OFSYNC_STAGE_REFUSED
            && is_cut(part)) {
            ofsync_stage_revert(part->stage);
        }
        move_part_revert__(part);
    }
    move_free_parts__(move);
    wiring_forget(port);
    port->move = NULL;
    wiring_leave(move->topology, move->new_nve, port);
    wiring_port_changed(move->topology, port);
}

/* Makes the new place the only one and removes what is left of the move. */
static void
complete(struct move *move)
{
    struct port *port = move->port;
    struct move_part *part;

    move->look_at = LLONG_MAX;
    LIST_FOR_EACH (part, move_node, &move->parts) {
        /* With what was learned once more: when Open vSwitch discards a cached
         * flow, it carries out its learn() for the packets that it has not
         * accounted for yet.  This may happen after the COMMIT, which was the
         * cause to discard it. */
        move_part_revert__(part);
    }
    move_free_parts__(move);
    wiring_forget(port);
    port->move = NULL;
    port->closed = false;
    port->place.nve = move->new_nve;
    wiring_leave(move->topology, move->old_nve, port);
    wiring_port_changed(move->topology, port);
}

void
move_destroy(struct move *move)
{
    if (move) {
        if (move->new_part) {
            if (move->cut_peers) {
                complete(move);
            } else {
                move_undo__(move);
            }
        }
        ovs_assert(ovs_list_is_empty(&move->parts));
        move_free_gates__(move);
        free(move->slowest_peer);
        free(move->error);
        free(move);
    }
}

/* Actions. */

/* Tells the old NVE to commit. */
static void
commit_old(struct move *move, long long int now, long long int wall)
{
    move->cut_old = true;
    move_gate__(move, true);
    move_part_commit__(move->old_part, now);
    wiring_port_groups_changed(move->topology, move->port);
    move_stage_changed(move->old_part, now, wall);
}

/* Tells the old NVE and the peers to commit; of a VM that is going to stop,
 * the peers only. */
static void
commit_rest(struct move *move, long long int now, long long int wall)
{
    struct move_part *part;

    move->cut_peers = true;
    if (move->hold != MOVE_HOLD) {
        move->cut_old = true;
        move_gate__(move, true);
    }
    LIST_FOR_EACH (part, move_node, &move->parts) {
        if (part != move->new_part && is_cut(part)) {
            move_part_commit__(part, now);
        }
    }
    if (move->hold) {
        move_look__(move, now);
    }
    move_reached__(move, FAULT_COMMIT_REST_SENT);
    wiring_port_groups_changed(move->topology, move->port);
    LIST_FOR_EACH_SAFE (part, move_node, &move->parts) {
        move_stage_changed(part, now, wall);
    }
    move_check_switched__(move, now, wall);
}

static void
act(struct move *move, enum migration_action action, long long int now,
    long long int wall)
{
    switch (action) {
    case MIGRATION_DO_COMMIT_NEW:
        move->cut_new = true;
        move_part_commit__(move->new_part, now);
        move_reached__(move, FAULT_COMMIT_NEW_SENT);
        move_stage_changed(move->new_part, now, wall);
        break;

    case MIGRATION_DO_COMMIT_REST:
        /* By move_run(), as this may be a callback of the new NVE's. */
        move->rest_at = now;
        if (!move->heard && move->cached) {
            COVERAGE_INC(move_cached);
            move->rest_at = MAX(now,
                                move->new_part->confirmed_at + SETTLE_MS);
        }
        break;

    case MIGRATION_DO_RELEASE:
        move_release__(move, now);
        break;

    case MIGRATION_DO_WATCH:
        move->drain_at = now;
        move->n_quiet = -1;
        break;

    case MIGRATION_DO_RECORD:
        move->drain_at = LLONG_MAX;
        move->times[MOVE_DRAINED] = wall;
        move->class->record(move, move->aux);
        move_reached__(move, FAULT_RECORDING);
        break;

    case MIGRATION_DO_REMOVE:
        COVERAGE_INC(move_done);
        complete(move);
        move->times[MOVE_DONE] = wall;
        move_reached__(move, FAULT_REMOVED);
        break;

    case MIGRATION_DO_UNDO:
        COVERAGE_INC(move_failed);
        move_undo__(move);
        move->times[MOVE_DONE] = wall;
        move_reached__(move, FAULT_UNDONE);
        break;

    case MIGRATION_DO_NONE:
    default:
        if (!migration_is_over(&move->migration)) {
            return;
        }
        move->times[MOVE_DONE] = wall;
        break;
    }
    move->class->changed(move, move->aux);
}

/* The VM runs at its new place. */
static void
note_trigger(struct move *move, const char *by, long long int wall)
{
    move->n_triggers++;
    if (!migration_is_revocable(&move->migration)
        && (move->hold ? move->times[MOVE_RESUMED] != 0
            : move->triggered_by != NULL)) {
        move->n_late_triggers++;
    }
    if (!move->triggered_by) {
        move->triggered_by = by;
        move->times[MOVE_TRIGGERED] = wall;
        move_reached__(move, FAULT_TRIGGERED);
    }
    if (move->hold && !move->times[MOVE_RESUMED]) {
        move->times[MOVE_RESUMED] = wall;
    }
}

void
move_trigger(struct move *move, const char *by, long long int now,
             long long int wall)
{
    note_trigger(move, by, wall);
    move_step__(move, MIGRATION_EV_TRIGGER, now, wall);
}

void
move_heard(struct move *move, const char *by, long long int now,
           long long int wall)
{
    if (migration_is_revocable(&move->migration)) {
        if (move->commit_at == LLONG_MAX) {
            move->heard = true;
            move_gate__(move, true);
            /* Not only at the end of the turn. */
            ofsync_run(move->old_nve->ofsync, now);
            move->commit_at = now + COMMIT_DELAY_MS;
        }
        note_trigger(move, by, wall);
    } else if (!migration_is_over(&move->migration)) {
        note_trigger(move, by, wall);
        if (migration_expects(&move->migration, MIGRATION_EV_TRIGGER)) {
            move_step__(move, MIGRATION_EV_TRIGGER, now, wall);
        }
    }
}

static void
set_error(struct move *move, const char *reason)
{
    if (!move->error) {
        move->error = xstrdup(reason);
    }
}

bool
move_cancel(struct move *move, const char *reason, long long int now,
            long long int wall)
{
    if (!migration_expects(&move->migration, MIGRATION_EV_CANCEL)) {
        return false;
    }
    set_error(move, reason);
    move_step__(move, MIGRATION_EV_CANCEL, now, wall);
    return true;
}

void
move_fail(struct move *move, const char *reason, long long int now,
          long long int wall)
{
    set_error(move, reason);
    move_step__(move, MIGRATION_EV_REFUSED, now, wall);
}

void
move_recorded(struct move *move, long long int now, long long int wall)
{
    move_reached__(move, FAULT_RECORDED);
    move_step__(move, MIGRATION_EV_RECORDED, now, wall);
}

/* What happens at the NVEs. */

static void
part_refused(struct move_part *part, long long int now, long long int wall)
{
    char *error = xasprintf("%s refused: %s", part->nve->name,
                            ofsync_stage_get_error(part->stage));

    move_fail(part->move, error, now, wall);
    free(error);
}

/* Peer 'part' has confirmed, as the last one until now. */
static void
note_slowest(const struct move_part *part, long long int wall)
{
    struct move *move = part->move;

    free(move->slowest_peer);
    move->slowest_peer = xstrdup(part->nve->name);
    move->slowest_us = (move->times[MOVE_TRIGGERED]
                        ? wall - move->times[MOVE_TRIGGERED] : 0);
}

void
move_check_switched__(struct move *move, long long int now,
                      long long int wall)
{
    struct move_part *part;

    if (!move->cut_peers) {
        return;
    }

    /* Parts whose NVE is away follow when it is back; the redirect stays.
     * Those that have committed are at the end of the list. */
    LIST_FOR_EACH (part, move_node, &move->parts) {
        if (part->committed) {
            break;
        } else if (move_is_connected__(part->nve) && is_cut(part)) {
            return;
        }
    }
    if (!move->cut_old) {
        move->old_at = MIN(move->old_at, now);
        return;
    }
    if (!move->times[MOVE_PEERS_SWITCHED]) {
        move->times[MOVE_PEERS_SWITCHED] = wall;
        move_reached__(move, FAULT_PEERS_SWITCHED);
    }
    if (migration_expects(&move->migration, MIGRATION_EV_SWITCHED)
        && move_is_old_quiet__(move)) {
        move_step__(move, MIGRATION_EV_SWITCHED, now, wall);
        if (move->migration.phase == MIGRATION_HELD) {
            move->times[MOVE_HELD] = wall;
            move->class->changed(move, move->aux);
        }
    }
}

void
move_stage_changed(struct move_part *part, long long int now,
                   long long int wall)
{
    struct move *move = part->move;

    switch (ofsync_stage_get_state(part->stage)) {
    case OFSYNC_STAGE_STAGED:
        move_part_update(part, now, wall);
        break;

    case OFSYNC_STAGE_STALE:
        /* Not at once: this is called in the middle of the change that made
         * it stale. */
        move_part_set_ready__(part, false);
        move->restage = true;
        break;

    case OFSYNC_STAGE_REFUSED:
        if (part == move->new_part || !is_cut(part)) {
            part_refused(part, now, wall);
        } else {
            /* Rolls forward: it is what is wanted, so it is tried again. */
            ofsync_stage_insist(part->stage);
        }
        break;

    case OFSYNC_STAGE_COMMITTED:
        if (part->committed) {
            break;
        }
        move_part_set_committed__(part);
        if (part == move->new_part) {
            move->times[MOVE_COMMITTED_NEW] = wall;
            move_reached__(move, FAULT_COMMITTED_NEW);
            move_step__(move, MIGRATION_EV_COMMITTED, now, wall);
        } else {
            if (part == move->old_part) {
                move->times[MOVE_COMMITTED_OLD] = wall;
                move_reached__(move, FAULT_COMMITTED_OLD);
                move->cut_old_at = now;
            } else {
                note_slowest(part, wall);
            }
            move_check_switched__(move, now, wall);
        }
        break;

    case OFSYNC_STAGE_NEW:
    case OFSYNC_STAGE_OFFLINE:
    case OFSYNC_STAGE_OPENING:
    case OFSYNC_STAGE_COMMITTING:
    default:
        break;
    }
}

void
move_part_update(struct move_part *part, long long int now,
                 long long int wall)
{
    struct move *move = part->move;

    if (!part->stage) {
        return;                 /* The move is just being created. */
    }
    if (move->cut_peers) {
        /* One that went away or left does not hold up the others. */
        move_check_switched__(move, now, wall);
        return;
    }
    if (!migration_is_revocable(&move->migration) || !part->stage) {
        return;
    }

    if (move_is_connected__(part->nve)
        && ofsync_stage_get_state(part->stage) == OFSYNC_STAGE_OFFLINE) {
        move_part_stage__(part, now);
    }
    move_part_set_ready__(part, move_part_is_ready__(part, now));
    if (move->n_ready == move->n_parts
        && move->migration.phase == MIGRATION_REQUESTED) {
        move->times[MOVE_PREPARED] = wall;
        move_step__(move, MIGRATION_EV_READY, now, wall);
        move_reached__(move, FAULT_PREPARED);
        move->class->changed(move, move->aux);
        if (move->trigger == MOVE_ON_READY) {
            move_trigger(move, "now", now, wall);
        }
    }
}

/* Running. */

static void
name_waiting(struct move *move)
{
    char *names = move_format_waiting__(move);
    char *error = xasprintf("not prepared in time by %s", names);

    set_error(move, error);
    free(error);
    free(names);
}

/* Those that are away are not going to say that they are ready. */
static void
update_away(struct move *move, long long int now, long long int wall)
{
    struct move_part *part;

    LIST_FOR_EACH (part, move_node, &move->parts) {
        if (!move_is_connected__(part->nve)) {
            move_part_update(part, now, wall);
            if (move->migration.phase != MIGRATION_REQUESTED) {
                break;          /* That was the last one. */
            }
        }
    }
}

void
move_run(struct move *move, long long int now, long long int wall)
{
    struct move_part *part;

    if (now >= move_deadline_of_phase__(move)) {
        if (move->migration.phase != MIGRATION_RELEASING) {
            name_waiting(move);
        }
        move_step__(move, MIGRATION_EV_TIMEOUT, now, wall);
    }
    if (migration_is_revocable(&move->migration) && now >= move->warm_at) {
        move->warm_at = now + WARM_INTERVAL_MS;
        move_warm__(move, now);
    }
    if (now >= move->rest_at) {
        move->rest_at = LLONG_MAX;
        commit_rest(move, now, wall);
        move->class->changed(move, move->aux);
    }
    if (move_is_waiting__(move) && now >= move->report_at) {
        move->report_at = now + REPORT_INTERVAL_MS;
        move->class->changed(move, move->aux);
    }
    move_release_run__(move, now, wall);
    move_look_run__(move, now, wall);
    if (now >= move->old_at) {
        move->old_at = move_in_order_at__(move);
        if (now >= move->old_at) {
            move->old_at = LLONG_MAX;
            commit_old(move, now, wall);
            move->class->changed(move, move->aux);
        }
    }
    if (now >= move->commit_at) {
        move->commit_at = LLONG_MAX;
        move_step__(move, MIGRATION_EV_TRIGGER, now, wall);
    }
    if (now >= move->drain_at) {
        move_drain__(move, now, wall);
    }
    if (migration_is_revocable(&move->migration)
        && (move->restage
            || now >= move->new_part->staged_at + RESTAGE_MS)) {
        bool all = !move->restage;

        move->restage = false;
        LIST_FOR_EACH (part, move_node, &move->parts) {
            if (all || part->outdated
                || (ofsync_stage_get_state(part->stage)
                    == OFSYNC_STAGE_STALE)) {
                COVERAGE_INC(move_restaged);
                move_part_stage__(part, now);
            }
        }
        update_away(move, now, wall);
    }
}

long long int
move_deadline(const struct move *move)
{
    long long int deadline = MIN(move_deadline_of_phase__(move),
                                 move->drain_at);

    deadline = MIN(deadline, MIN(move->commit_at,
                                 MIN(move->rest_at, move->old_at)));
    deadline = MIN(deadline, MIN(move->release_at, move->look_at));
    if (move_is_waiting__(move)) {
        deadline = MIN(deadline, move->report_at);
    }

    if (migration_is_revocable(&move->migration)) {
        if (move->restage) {
            return 0;
        }
        deadline = MIN(deadline, move->new_part->staged_at + RESTAGE_MS);
        deadline = MIN(deadline, move->warm_at);
    }
    return deadline;
}

/* Questions. */

void
move_format(const struct move *move, struct ds *s, long long int now)
{
    ds_put_format(s, "%s: %s -> %s, %s for %lld ms, last event %s, "
                  "%"PRIuSIZE" NVEs, %"PRIuSIZE" ready, %"PRIuSIZE
                  " committed, %u unexpected events",
                  move->port->name, move->old_nve->name, move->new_nve->name,
                  migration_phase_to_string(move->migration.phase),
                  now - move->migration.since,
                  migration_event_to_string(move->migration.last_event),
                  move->n_parts, move->n_ready, move->n_committed,
                  move->migration.n_unexpected);
}
