/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* What the database says of a migration. */

#include "nva-private.h"

#include <string.h>

#include "clock.h"
#include "util.h"

static void
put_number(struct smap *map, const char *key, long long int value)
{
    if (value) {
        smap_add_format(map, key, "%lld", value);
    }
}

/* Returns true if nobody waits for what there is to say of 'mig', which is of
 * 'phase' now.  Others do wait for a phase, and a controller that is started
 * anew needs to know that a move has been cut over, and whether it was
 * held. */
static bool
is_passing(const struct mig *mig, const char *phase)
{
    const struct move *move = mig->move;

    return (!move->error && !move->hold
            && (move->migration.phase == MIGRATION_REQUESTED
                || (mig->told && !strcmp(mig->told, phase))));
}

static void
write_move(struct mig *mig, struct db_migration_status *status)
{
    static const char *const keys[N_MOVE_TIMES] = {
#define MOVE_TIME(NAME, KEY) [MOVE_##NAME] = KEY,
        MOVE_TIMES
#undef MOVE_TIME
    };
    const struct move *move = mig->move;

    status->phase = migration_phase_to_string(move->migration.phase);
    status->triggered_by = move->triggered_by;
    status->slowest_peer = move->slowest_peer;
    status->error = move->error;
    for (size_t i = 0; i < N_MOVE_TIMES; i++) {
        put_number(&status->times, keys[i], move->times[i]);
    }
    put_number(&status->counters, "triggers", move->n_triggers);
    put_number(&status->counters, "late-triggers", move->n_late_triggers);
    put_number(&status->counters, "slowest-peer-us", move->slowest_us);
    put_number(&status->counters, "probes", nva_probe_count(mig));
    if (nva_announce_count(mig)) {
        smap_add_format(&status->counters, "announcements", "%u",
                        nva_announce_count(mig));
        smap_add_format(&status->counters, "announcements-seen", "%d",
                        mig->announcement_seen);
    }
    if (move->times[MOVE_PEERS_SWITCHED]) {
        smap_add_format(&status->counters, "redirected-packets", "%"PRIu64,
                        move->redirected_packets);
        smap_add_format(&status->counters, "redirected-bytes", "%"PRIu64,
                        move->redirected_bytes);
    }
    if (move->hold == MOVE_PAUSED && move->times[MOVE_COMMITTED_OLD]) {
        smap_add_format(&status->counters, "lost-at-old", "%"PRIu64,
                        move->at_old.n_packets);
    }
    if (move->hold && move->migration.phase == MIGRATION_CANCELLED) {
        smap_add_format(&status->counters, "lost-in-queue", "%"PRIu64,
                        move->at_new.n_packets);
    }
    smap_add_format(&status->counters, "peers", "%"PRIuSIZE, move->n_peers);
    if (!migration_is_over(&move->migration)
        && move_takes_long(move, clock_msec())) {
        move_get_waiting(move, &status->waiting_for);
    }
    status->lazy = is_passing(mig, status->phase);
    mig->told = status->phase;
}

uint64_t
nva_mig_write(struct mig *mig, const char *phase, const char *error)
{
    struct db_migration_status status = {
        .old_nve = mig->old_nve,
        .phase = phase,
        .error = error,
    };
    uint64_t seqno;

    smap_init(&status.times);
    smap_init(&status.counters);
    sset_init(&status.waiting_for);
    if (mig->move) {
        write_move(mig, &status);
    } else {
        put_number(&status.times, "requested", mig->requested);
        if (!strcmp(phase, "requested")) {
            sset_add(&status.waiting_for, mig->new_nve);
        }
    }
    seqno = db_write_migration(mig->nva->db, &mig->uuid, &status);
    smap_destroy(&status.times);
    smap_destroy(&status.counters);
    sset_destroy(&status.waiting_for);
    return seqno;
}
