/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* A hold: the cut-over is done before the VM runs at its new place, where
 * packets wait for it (N1).  Interfaces count what is delivered to them, which
 * tells what a hold cost: what had reached the old interface of a VM that was
 * said to have stopped, or what waits in the new one if the hold is taken
 * back. */

#include "move-private.h"

#include <limits.h>

#include "ofsync.h"
#include "openvswitch/vlog.h"
#include "wiring.h"

VLOG_DEFINE_THIS_MODULE(move_hold);

/* How long packets may be under way to the new NVE when all others have taken
 * a hold back, and how long it goes on working off flows that it has cached
 * when it has, too. */
#define RELEASE_SETTLE_MS 20

/* How often it is looked whether they have, and how long an NVE that is
 * connected may take to confirm or to count. */
#define RELEASE_POLL_MS 5
#define RELEASE_MAX_MS 1000

/* An NVE that has confirmed a change goes on working off the flows that it has
 * cached until it has looked at them all: some ms, or 50 if there are ten
 * thousand.  So a hold is reached when nothing has been delivered to the old
 * interface for QUIET_MS, and for QUIET_GAPS times as long as packets were
 * apart since the peers were told, but not sooner than QUIET_MIN_MS and not
 * later than QUIET_MAX_MS after the old NVE has confirmed. */
#define QUIET_MS 20
#define QUIET_GAPS 3
#define QUIET_MIN_MS 5
#define QUIET_MAX_MS 1000

/* Before, the old NVE goes on delivering until nothing has come for QUIET_MS,
 * lest it redirects what a peer sends by a cached flow and the peer's next
 * packets, by its new mapping, overtake that.  Not later than ORDER_MAX_MS
 * after the peers were told, for VMs at the old NVE itself never cease. */
#define ORDER_MAX_MS 60

/* If the old NVE has had its gates for so long, all flows that are cached have
 * them, and it delivers nothing any more as soon as it has confirmed. */
#define GATED_MS 500

/* How often it is looked. */
#define QUIET_POLL_MS 5

static const char *const words[] = {
    [MOVE_NOT_HELD] = "",
    [MOVE_HOLD] = "hold",
    [MOVE_PAUSED] = "paused",
};

const char *
move_hold_to_string(enum move_hold hold)
{
    return words[hold];
}

enum move_hold
move_hold_from_string(const char *word)
{
    return (!strcmp(word, words[MOVE_HOLD]) ? MOVE_HOLD
            : !strcmp(word, words[MOVE_PAUSED]) ? MOVE_PAUSED
            : MOVE_NOT_HELD);
}

void
move_hold(struct move *move, enum move_hold hold, long long int now,
          long long int wall)
{
    struct attachment *new = move_interface_at__(move, move->new_nve);

    if (!migration_expects(&move->migration, MIGRATION_EV_HOLD)) {
        return;
    }
    move->hold = hold;
    move->triggered_by = move_hold_to_string(hold);
    move->times[MOVE_TRIGGERED] = wall;
    if (move->old_ofport) {
        ofsync_count_port(move->old_nve->ofsync, move_unit__(move),
                          move->old_ofport);
    }
    if (new) {
        move->new_ofport = new->ofport;
        ofsync_count_port(move->new_nve->ofsync, move_unit__(move),
                          move->new_ofport);
    }
    move_step__(move, MIGRATION_EV_HOLD, now, wall);
}

void
move_delivered(struct move *move, const struct nve *nve, uint64_t n_packets,
               long long int now, long long int wall)
{
    struct move_delivery *d = (nve == move->old_nve ? &move->at_old
                               : &move->at_new);

    if (!d->started) {
        d->started = true;
        d->base = n_packets;
    }
    if (d->n_packets != n_packets - d->base) {
        d->n_packets = n_packets - d->base;
        d->changed_at = now;
    }
    if (d == &move->at_old && move->look_packets == UINT64_MAX) {
        move->look_packets = d->n_packets;
    }
    if (d == &move->at_new && move->migration.phase == MIGRATION_RELEASING) {
        move_step__(move, MIGRATION_EV_COUNTED, now, wall);
    }
}

/* Until the old interface is quiet. */

void
move_look__(struct move *move, long long int now)
{
    move->gated = (move_has_gates__(move) && move->old_part->confirmed
                   && now >= move->old_part->confirmed_at + GATED_MS);
    if (move->old_ofport
        && (move->hold == MOVE_HOLD || move->at_old.started)) {
        move->look_since = move->at_old.changed_at = now;
        move->look_packets = UINT64_MAX;
        move->look_at = now;
    }
}

/* Returns when the old interface is quiet if nothing else is delivered. */
static long long int
quiet_at(const struct move *move)
{
    long long int changed = move->at_old.changed_at;
    uint64_t n = (move->look_packets == UINT64_MAX ? 0
                  : move->at_old.n_packets - move->look_packets);
    long long int gap = n ? (changed - move->look_since) / n : 0;

    if (move->cut_old_at == LLONG_MAX) {
        return LLONG_MAX;
    } else if (move->gated && move->hold == MOVE_HOLD) {
        return move->cut_old_at;
    }
    return MIN(MAX(changed + MAX(QUIET_MS, QUIET_GAPS * gap),
                   move->cut_old_at + QUIET_MIN_MS),
               move->cut_old_at + QUIET_MAX_MS);
}

void
move_look_run__(struct move *move, long long int now, long long int wall)
{
    /* It does not matter any more once the VM runs at its new place, unless it
     * had stopped before and what is lost is counted. */
    bool matters = (move->migration.phase == MIGRATION_HOLD_REST
                    || move->hold == MOVE_PAUSED);

    if (now < move->look_at) {
        return;
    } else if (matters && now < quiet_at(move)
               && move_is_connected__(move->old_nve)) {
        ofsync_count_port(move->old_nve->ofsync, move_unit__(move),
                          move->old_ofport);
        move->look_at = now + QUIET_POLL_MS;
    } else {
        move->look_at = LLONG_MAX;
        move_check_switched__(move, now, wall);
    }
}

long long int
move_in_order_at__(const struct move *move)
{
    return (move->look_at == LLONG_MAX ? 0
            : MIN(move->at_old.changed_at + QUIET_MS,
                  move->look_since + ORDER_MAX_MS));
}

bool
move_is_old_quiet__(const struct move *move)
{
    return move->look_at == LLONG_MAX || move->hold != MOVE_HOLD;
}

/* Taking a hold back. */

/* Has 'move' wait for 'release', and look at 'at' whether that is so. */
static void
set_release(struct move *move, enum move_release release, long long int at)
{
    move->release = release;
    move->release_at = at;
}

void
move_release__(struct move *move, long long int now)
{
    struct move_part *part;

    /* All but the new NVE, where what is under way may still arrive. */
    move->rest_at = move->old_at = move->look_at = LLONG_MAX;
    move->cut_old = move->cut_peers = false;
    move_gate__(move, false);
    LIST_FOR_EACH (part, move_node, &move->parts) {
        part->confirmed = false;
        if (part != move->new_part) {
            move_part_revert__(part);
        }
    }
    wiring_port_changed(move->topology, move->port);
    /* When flows have been sent. */
    set_release(move, MOVE_RELEASE_OTHERS, now + RELEASE_POLL_MS);
}

bool
move_part_is_released__(const struct move_part *part)
{
    return (move_is_connected__(part->nve)
            && (part == part->move->new_part || part->confirmed));
}

/* Returns true if 'part' need not be waited for, or not any more. */
static bool
is_released(const struct move_part *part, long long int now)
{
    const struct move *move = part->move;

    return (move_part_is_released__(part)
            || (move_is_connected__(part->nve)
                ? now >= move->migration.since + RELEASE_MAX_MS
                : move_may_leave_behind__(move, now)));
}

/* The old NVE and the peers first.  Until an NVE that is away has been told,
 * what its own VMs send to the port goes to the new interface. */
static bool
others_are_released(struct move *move, long long int now)
{
    struct move_part *part;

    LIST_FOR_EACH (part, move_node, &move->parts) {
        if (ofsync_is_confirmed(part->nve->ofsync)) {
            part->confirmed = true;
        }
        if (part != move->new_part && !is_released(part, now)) {
            return false;
        }
    }
    return true;
}

/* Removes the hold from the new NVE, too. */
static void
release_new(struct move *move)
{
    char *names = move_format_waiting__(move);

    if (names[0]) {
        VLOG_WARN("%s: a hold has been taken back, but not at %s: what its "
                  "own VMs send to the port is lost until it is connected "
                  "again", move->port->name, names);
    }
    free(names);
    move_undo__(move);
}

/* Has what the hold cost counted. */
static void
count(struct move *move, long long int now)
{
    set_release(move, MOVE_RELEASE_COUNT, now);
    if (move->at_new.started && move_is_connected__(move->new_nve)) {
        ofsync_count_port(move->new_nve->ofsync, move_unit__(move),
                          move->new_ofport);
        move->release_at = now + RELEASE_MAX_MS;
    }
}

void
move_release_run__(struct move *move, long long int now, long long int wall)
{
    if (now < move->release_at) {
        return;
    }
    move->release_at = now + RELEASE_POLL_MS;
    switch (move->release) {
    case MOVE_RELEASE_OTHERS:
        if (others_are_released(move, now)) {
            set_release(move, MOVE_RELEASE_UNDER_WAY, now + RELEASE_SETTLE_MS);
        }
        break;

    case MOVE_RELEASE_UNDER_WAY:
        if (is_released(move->new_part, now)) {
            release_new(move);
            move->release_by = now + RELEASE_MAX_MS;
            set_release(move, MOVE_RELEASE_NEW, now + RELEASE_POLL_MS);
        }
        break;

    case MOVE_RELEASE_NEW:
        if (ofsync_is_confirmed(move->new_nve->ofsync)
            || !move_is_connected__(move->new_nve)
            || now >= move->release_by) {
            set_release(move, MOVE_RELEASE_CACHED, now + RELEASE_SETTLE_MS);
        }
        break;

    case MOVE_RELEASE_CACHED:
        count(move, now);
        break;

    case MOVE_RELEASE_COUNT:
    default:
        move->release_at = LLONG_MAX;
        move_step__(move, MIGRATION_EV_COUNTED, now, wall);
        break;
    }
}
