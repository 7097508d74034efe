/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* The end of a move: the old NVE redirects late packets until no more come and
 * everybody has switched (V7). */

#include "move-private.h"

#include <stdlib.h>

#include "cookie.h"
#include "ofsync.h"
#include "openvswitch/vlog.h"
#include "pipeline.h"

VLOG_DEFINE_THIS_MODULE(move_drain);

/* How often the counter of a redirect is read, and how many times in a row it
 * must be still (V7). */
#define DRAIN_INTERVAL_MS 20
#define DRAIN_N_QUIET 4

void
move_counted(struct move *move, uint64_t n_packets, uint64_t n_bytes,
             long long int now, long long int wall)
{
    if (move->migration.phase != MIGRATION_DRAINING) {
        return;
    }
    if (n_packets > move->redirected_packets) {
        move->times[MOVE_LAST_REDIRECTED] = wall;
        if (!move->redirected_packets) {
            move->times[MOVE_FIRST_REDIRECTED] = wall;
        }
    }
    move->redirected_packets = n_packets;
    move->redirected_bytes = n_bytes;
    move->n_quiet = n_packets == move->last_packets ? move->n_quiet + 1 : 0;
    move->last_packets = n_packets;
    move_reached__(move, FAULT_DRAINING);
    if (move->n_quiet < DRAIN_N_QUIET
        || (move->announcing && !move->hurry)) {
        return;
    }
    if (move->n_committed == move->n_parts) {
        move_step__(move, MIGRATION_EV_QUIET, now, wall);
    } else if (move_may_leave_behind__(move, now)) {
        char *names = move_format_waiting__(move);

        VLOG_WARN("%s: the redirect from %s to %s ends although %s has not "
                  "switched: what it sends to the port is lost until it is "
                  "connected again", move->port->name, move->old_nve->name,
                  move->new_nve->name, names);
        free(names);
        move_step__(move, MIGRATION_EV_QUIET, now, wall);
    }
}

void
move_drain__(struct move *move, long long int now, long long int wall)
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

void
move_hurry(struct move *move, long long int now, long long int wall)
{
    if (!move->hurry) {
        move->hurry = true;
        move_counted(move, move->last_packets, move->redirected_bytes, now,
                     wall);
    }
}
