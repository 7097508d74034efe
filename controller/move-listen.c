/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* Whether the VM has spoken at its new place although nobody has told (A3).
 *
 * Of a VM that speaks the controller hears by a packet from the old NVE, or
 * from the new one if the old one is away.  It may be lost on its way, and
 * there may be none: a switch that has cached how to forward such a frame goes
 * on to do so until its revalidator comes round, a few ms after the flows have
 * changed.  Then it counts the frame for the flow that it should have matched,
 * and learns what that flow says, but it does not make up for the packet to
 * the controller.
 *
 * So while the VM is awaited, the new NVE is asked again and again how many
 * packets have come to table announce.  Its count is late by up to 500 ms. */

#include "move-private.h"

#include <limits.h>

#include "flow-tables.h"
#include "ofsync.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(move_listen);

/* The first time to ask; and how long it takes until the next time at most.
 * In between the time doubles. */
#define LISTEN_MIN_MS 100
#define LISTEN_MAX_MS 3000

bool
move_awaits_vm(const struct move *move)
{
    return (move->migration.phase == MIGRATION_HELD
            || (move->migration.phase == MIGRATION_PREPARED
                && move->trigger == MOVE_ON_ANNOUNCE && !move->heard));
}

void
move_listen_run__(struct move *move, long long int now)
{
    if (!move_awaits_vm(move)) {
        move->listen_at = LLONG_MAX;
    } else if (now >= move->listen_at || move->listen_at == LLONG_MAX) {
        long long int waited = now - move->migration.since;

        if (move->listen_at != LLONG_MAX) {
            ofsync_count_flows_of(move->new_nve->ofsync, move_unit__(move),
                                  FLOW_TABLE_ANNOUNCE);
        }
        move->listen_at = now + MIN(MAX(waited, LISTEN_MIN_MS), LISTEN_MAX_MS);
    }
}

void
move_passed(struct move *move, uint64_t n_packets, long long int now,
            long long int wall)
{
    if (n_packets && move_awaits_vm(move)) {
        VLOG_INFO("%s has spoken at %s, but nobody has told",
                  move->port->name, move->new_nve->name);
        move_heard(move, "data path", now, wall);
    }
}
