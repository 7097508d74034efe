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
#include "sset.h"
#include "util.h"
#include "wiring.h"

VLOG_DEFINE_THIS_MODULE(move);

COVERAGE_DEFINE(move_done);
COVERAGE_DEFINE(move_failed);
COVERAGE_DEFINE(move_restaged);

/* How often the counter of a redirect is read, and how many times in a row it
 * must be still (V7). */
#define DRAIN_INTERVAL_MS 20
#define DRAIN_N_QUIET 4

/* How long an NVE that is away may hold up the end of a redirect. */
#define DRAIN_MAX_MS 30000

/* A switch confirms a COMMIT when its tables have changed; cached flows follow
 * within a few ms.  One that drops packets for the VM may be cached at the new
 * NVE, if the VM was there a short time ago.  So if it was not the data path
 * that cut over, the others are told only after that. */
#define SETTLE_MS 10

/* How often the new NVE and the others exchange a packet while the move is
 * prepared.  Open vSwitch forgets a cached flow after 10 s without a packet,
 * and the VM's first frame would have to wait for several to be made anew. */
#define WARM_INTERVAL_MS 3000

/* How long the switches have for themselves when they switch in the data
 * path.  Each COMMIT has the switch revalidate all its cached flows once more,
 * which would delay those that it is just changing. */
#define COMMIT_DELAY_MS 3

/* A staged bundle is staged afresh before the switch's bundle-idle-timeout
 * (600 s, see nva.c) ends. */
#define RESTAGE_MS 240000

static void act(struct move *, enum migration_action, long long int now,
                long long int wall);

static void
step(struct move *move, enum migration_event event, long long int now,
     long long int wall)
{
    act(move, migration_step(&move->migration, event, now), now, wall);
}

/* Life. */

/* Goes on with a move whose commit point was passed before the controller was
 * restarted: everybody wants the state after it, whoever connects first. */
static void
resume_cut(struct move *move, long long int now, long long int wall)
{
    struct move_part *part;

    move->triggered_by = "resumed";
    move->cut_rest = true;
    LIST_FOR_EACH (part, move_node, &move->parts) {
        move_part_build__(part, now);
    }
    step(move, MIGRATION_EV_TRIGGER, now, wall);
    LIST_FOR_EACH (part, move_node, &move->parts) {
        move_part_commit__(part, now);
    }
}

/* Returns what the new NVE has to do when it hears the VM.  The old NVE tells
 * the controller if it can, a moment later: each packet to the controller
 * takes time from those that are being switched. */
static enum pipeline_arrival
arrival_wanted(const struct move *move)
{
    if (move->immediate) {
        return PIPELINE_ARRIVAL_UNHEARD;
    } else if (move_is_connected__(move->old_nve) && move->old_ofport
               && topology_tunnel_address(move->old_nve,
                                          move->new_nve) >= 0) {
        return PIPELINE_ARRIVAL_ANNOUNCED;
    } else {
        return PIPELINE_ARRIVAL_PUNTED;
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
    move->immediate = config->immediate;
    move->port = config->port;
    move->old_nve = config->port->place.nve;
    move->new_nve = config->new_nve;
    move->there.nve = config->new_nve;
    move->drain_at = move->commit_at = move->rest_at = LLONG_MAX;
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
    move->arrival = arrival_wanted(move);
    LIST_FOR_EACH (part, move_node, &move->parts) {
        move_part_set__(part, false);
    }
    LIST_FOR_EACH (part, move_node, &move->parts) {
        move_part_stage__(part, now);
    }
    LIST_FOR_EACH_SAFE (part, move_node, &move->parts) {
        move_part_update(part, now, wall);
    }
    return move;
}

void
move_refresh(struct move *move)
{
    struct move_part *part;

    LIST_FOR_EACH (part, move_node, &move->parts) {
        move_part_set__(part, (part == move->new_part ? move->cut_new
                        : move->cut_rest));

        /* What it needs afterwards may have changed even if what it has now
         * is the same. */
        part->outdated = true;
        move_part_set_ready__(part, false);
    }
    move->restage = true;
}

void
move_add_peer(struct move *move, struct nve *nve, long long int now,
              long long int wall)
{
    struct move_part *part;

    /* Once the others have been told to switch, a new peer is told the new
     * place at once.  Until then it must switch with them. */
    LIST_FOR_EACH (part, nve_node, &nve->move_parts) {
        if (part->move == move) {
            return;
        }
    }
    if (!move->cut_rest && !migration_is_over(&move->migration)) {
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
            ofsync_set(nve->ofsync, move_unit__(move), NULL);
            move_part_free__(part);
            move_part_update(move->new_part, now, wall);
        }
    }
}

/* Makes everything as it was before. */
static void
undo(struct move *move)
{
    uint64_t learned = cookie_make(COOKIE_LEARNED, move->id);
    struct port *port = move->port;
    struct move_part *part;

    LIST_FOR_EACH (part, move_node, &move->parts) {
        if (ofsync_stage_get_state(part->stage) == OFSYNC_STAGE_REFUSED
            && (part == move->new_part ? move->cut_new : move->cut_rest)) {
            ofsync_stage_revert(part->stage);
        }
        ofsync_delete_cookie(part->nve->ofsync, learned, UINT8_MAX);
        ofsync_set(part->nve->ofsync, move_unit__(move), NULL);
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

    LIST_FOR_EACH (part, move_node, &move->parts) {
        ofsync_set(part->nve->ofsync, move_unit__(move), NULL);
    }
    move_free_parts__(move);
    wiring_forget(port);
    port->move = NULL;
    port->place.nve = move->new_nve;
    wiring_leave(move->topology, move->old_nve, port);
    wiring_port_changed(move->topology, port);
}

void
move_destroy(struct move *move)
{
    if (move) {
        if (!migration_is_over(&move->migration)) {
            if (move->cut_rest) {
                complete(move);
            } else {
                undo(move);
            }
        }
        free(move->error);
        free(move);
    }
}

/* Actions. */

static void
commit_rest(struct move *move, long long int now, long long int wall)
{
    struct move_part *part;

    move->cut_rest = true;
    LIST_FOR_EACH (part, move_node, &move->parts) {
        if (part != move->new_part) {
            move_part_commit__(part, now);
        }
    }
    LIST_FOR_EACH_SAFE (part, move_node, &move->parts) {
        move_stage_changed(part, now, wall);
    }
}

static void
act(struct move *move, enum migration_action action, long long int now,
    long long int wall)
{
    switch (action) {
    case MIGRATION_DO_COMMIT_NEW:
        move->cut_new = true;
        move_part_commit__(move->new_part, now);
        move_stage_changed(move->new_part, now, wall);
        break;

    case MIGRATION_DO_COMMIT_REST:
        if (move->heard) {
            commit_rest(move, now, wall);
        } else {
            move->rest_at = now + SETTLE_MS;
        }
        break;

    case MIGRATION_DO_WATCH:
        move->drain_at = now;
        move->n_quiet = -1;
        break;

    case MIGRATION_DO_RECORD:
        move->drain_at = LLONG_MAX;
        move->times[MOVE_DRAINED] = wall;
        move->class->record(move, move->aux);
        break;

    case MIGRATION_DO_REMOVE:
        COVERAGE_INC(move_done);
        complete(move);
        move->times[MOVE_DONE] = wall;
        break;

    case MIGRATION_DO_UNDO:
        COVERAGE_INC(move_failed);
        undo(move);
        move->times[MOVE_DONE] = wall;
        break;

    case MIGRATION_DO_NONE:
    default:
        return;
    }
    move->class->changed(move, move->aux);
}

void
move_trigger(struct move *move, const char *by, long long int now,
             long long int wall)
{
    move->n_triggers++;
    if (!move->triggered_by) {
        move->triggered_by = by;
        move->times[MOVE_TRIGGERED] = wall;
    }
    step(move, MIGRATION_EV_TRIGGER, now, wall);
}

void
move_heard(struct move *move, const char *by, long long int now,
           long long int wall)
{
    if (migration_is_revocable(&move->migration)
        && move->commit_at == LLONG_MAX) {
        move->n_triggers++;
        move->heard = true;
        move->triggered_by = by;
        move->times[MOVE_TRIGGERED] = wall;
        move->commit_at = now + COMMIT_DELAY_MS;
    } else if (!migration_is_over(&move->migration)) {
        move->n_triggers++;
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
move_cancel(struct move *move, const char *reason, long long int now)
{
    if (!migration_is_revocable(&move->migration)) {
        return false;
    }
    set_error(move, reason);
    step(move, MIGRATION_EV_CANCEL, now, 0);
    return true;
}

void
move_fail(struct move *move, const char *reason, long long int now)
{
    set_error(move, reason);
    step(move, MIGRATION_EV_REFUSED, now, 0);
}

void
move_recorded(struct move *move, long long int now, long long int wall)
{
    step(move, MIGRATION_EV_RECORDED, now, wall);
}

/* What happens at the NVEs. */

static void
part_refused(struct move_part *part, long long int now)
{
    char *error = xasprintf("%s refused: %s", part->nve->name,
                            ofsync_stage_get_error(part->stage));

    move_fail(part->move, error, now);
    free(error);
}

static void
check_switched(struct move *move, long long int now, long long int wall)
{
    struct move_part *part;

    /* Parts whose NVE is away follow when it is back; the redirect stays. */
    LIST_FOR_EACH (part, move_node, &move->parts) {
        if (!part->committed && move_is_connected__(part->nve)) {
            return;
        }
    }
    move->times[MOVE_PEERS_SWITCHED] = wall;
    step(move, MIGRATION_EV_SWITCHED, now, wall);
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
        if (part == move->new_part || !move->cut_rest) {
            part_refused(part, now);
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
            step(move, MIGRATION_EV_COMMITTED, now, wall);
        } else {
            if (part == move->old_part) {
                move->times[MOVE_COMMITTED_OLD] = wall;
            }
            check_switched(move, now, wall);
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
    if (move->cut_rest) {
        /* One that went away or left does not hold up the others. */
        if (move->migration.phase == MIGRATION_CUTOVER) {
            check_switched(move, now, wall);
        }
        return;
    }
    if (!migration_is_revocable(&move->migration) || !part->stage) {
        return;
    }

    if (part == move->old_part && move->arrival != arrival_wanted(move)) {
        move->arrival = arrival_wanted(move);
        move_part_set__(move->new_part, false);
    }
    if (move_is_connected__(part->nve)
        && ofsync_stage_get_state(part->stage) == OFSYNC_STAGE_OFFLINE) {
        move_part_stage__(part, now);
    }
    move_part_set_ready__(part, move_part_is_ready__(part));
    if (move->n_ready == move->n_parts
        && move->migration.phase == MIGRATION_REQUESTED) {
        move->times[MOVE_PREPARED] = wall;
        step(move, MIGRATION_EV_READY, now, wall);
        move->class->changed(move, move->aux);
        if (move->immediate) {
            move_trigger(move, "now", now, wall);
        }
    }
}

/* Draining. */

void
move_counted(struct move *move, uint64_t n_packets, uint64_t n_bytes,
             long long int now, long long int wall)
{
    if (move->migration.phase != MIGRATION_DRAINING) {
        return;
    }
    move->redirected_packets = n_packets;
    move->redirected_bytes = n_bytes;
    move->n_quiet = n_packets == move->last_packets ? move->n_quiet + 1 : 0;
    move->last_packets = n_packets;
    if (move->n_quiet >= DRAIN_N_QUIET
        && (move->n_committed == move->n_parts
            || now >= move->migration.since + DRAIN_MAX_MS)) {
        step(move, MIGRATION_EV_QUIET, now, wall);
    }
}

static void
drain(struct move *move, long long int now, long long int wall)
{
    struct ofsync *os = move->old_nve->ofsync;

    move->drain_at = now + DRAIN_INTERVAL_MS;
    if (ofsync_is_synced(os) && move->old_ofport
        && topology_tunnel_address(move->old_nve, move->new_nve) >= 0) {
        ofsync_count(os, cookie_make(COOKIE_LEARNED, move->id),
                     pipeline_redirect_meter(move->old_ofport));
    } else {
        move_counted(move, move->last_packets, move->redirected_bytes, now,
                     wall);
    }
}

static void
name_waiting(struct move *move)
{
    struct sset names = SSET_INITIALIZER(&names);
    struct ds s = DS_EMPTY_INITIALIZER;
    const char *name;

    move_get_waiting(move, &names);
    ds_put_cstr(&s, "not prepared in time by");
    SSET_FOR_EACH (name, &names) {
        ds_put_format(&s, " %s", name);
    }
    set_error(move, ds_cstr(&s));
    ds_destroy(&s);
    sset_destroy(&names);
}

static void
warm(struct move *move, long long int now)
{
    struct move_part *part;

    move->warm_at = now + WARM_INTERVAL_MS;
    LIST_FOR_EACH (part, move_node, &move->parts) {
        if (part != move->new_part) {
            neighbors_warm(move->neighbors, move->new_nve, part->nve);
        }
    }
}

void
move_run(struct move *move, long long int now, long long int wall)
{
    struct move_part *part;

    if (now >= migration_deadline(&move->migration)) {
        name_waiting(move);
        step(move, MIGRATION_EV_TIMEOUT, now, wall);
    }
    if (migration_is_revocable(&move->migration) && now >= move->warm_at) {
        warm(move, now);
    }
    if (now >= move->rest_at) {
        move->rest_at = LLONG_MAX;
        commit_rest(move, now, wall);
        move->class->changed(move, move->aux);
    }
    if (now >= move->commit_at) {
        move->commit_at = LLONG_MAX;
        step(move, MIGRATION_EV_TRIGGER, now, wall);
    }
    if (now >= move->drain_at) {
        drain(move, now, wall);
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
    }
}

long long int
move_deadline(const struct move *move)
{
    long long int deadline = MIN(migration_deadline(&move->migration),
                                 MIN(move->drain_at,
                                     MIN(move->commit_at, move->rest_at)));

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
move_get_waiting(const struct move *move, struct sset *names)
{
    const struct move_part *part;

    LIST_FOR_EACH (part, move_node, &move->parts) {
        if (migration_is_revocable(&move->migration) ? !part->ready
            : !part->committed) {
            sset_add(names, part->nve->name);
        }
    }
}

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
