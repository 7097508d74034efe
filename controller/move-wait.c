/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* For which NVEs a move waits, and for how long (N5). */

#include "move-private.h"

#include <limits.h>

#include "openvswitch/dynamic-string.h"
#include "sset.h"

/* Returns true if 'move' waits for the NVE of 'part'. */
static bool
part_is_waited_for(const struct move_part *part)
{
    const struct migration *migration = &part->move->migration;

    return (migration_is_revocable(migration) ? !part->ready
            : migration->phase == MIGRATION_RELEASING
            ? !move_part_is_released__(part) : !part->committed);
}

bool
move_is_waiting__(const struct move *move)
{
    const struct move_part *part;

    if (move->migration.phase != MIGRATION_RELEASING) {
        return (migration_is_revocable(&move->migration)
                ? move->n_ready < move->n_parts
                : move->n_committed < move->n_parts);
    }
    LIST_FOR_EACH (part, move_node, &move->parts) {
        if (part_is_waited_for(part)) {
            return true;
        }
    }
    return false;
}

long long int
move_deadline_of_phase__(const struct move *move)
{
    long long int deadline = migration_deadline(&move->migration);

    /* move_release_run__() knows how long to wait for an NVE that is away. */
    return (move->patient && migration_is_revocable(&move->migration)
            ? LLONG_MAX
            : move->migration.phase == MIGRATION_RELEASING
            ? deadline + move->drain_max_ms : deadline);
}

void
move_get_waiting(const struct move *move, struct sset *names)
{
    const struct move_part *part;

    LIST_FOR_EACH (part, move_node, &move->parts) {
        if (part_is_waited_for(part)) {
            sset_add(names, part->nve->name);
        }
    }
}

char *
move_format_waiting__(const struct move *move)
{
    struct sset names = SSET_INITIALIZER(&names);
    struct ds s = DS_EMPTY_INITIALIZER;
    const char *name;

    move_get_waiting(move, &names);
    SSET_FOR_EACH (name, &names) {
        ds_put_format(&s, "%s%s", s.length ? ", " : "", name);
    }
    sset_destroy(&names);
    return ds_steal_cstr(&s);
}

bool
move_may_leave_behind__(const struct move *move, long long int now)
{
    return (move->hurry
            || now >= move->migration.since + move->drain_max_ms);
}
