/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "move-private.h"

#include <stdlib.h>

#include "cookie.h"
#include "flow-list.h"
#include "gateway.h"
#include "neighbor.h"
#include "ofsync.h"
#include "pipeline.h"
#include "util.h"
#include "wiring.h"

/* Units. */

uint64_t
move_unit__(const struct move *move)
{
    return cookie_make(COOKIE_MOVE, move->id);
}

struct attachment *
move_interface_at__(const struct move *move, const struct nve *nve)
{
    return topology_find_attachment(move->topology, move->port->name, nve);
}

/* Returns what the NVE of 'part' needs for the move itself, before or after
 * the cut-over; null for nothing. */
static struct flow_list *
part_list(const struct move_part *part, bool after)
{
    const struct move *move = part->move;
    struct attachment *a = move_interface_at__(move, part->nve);
    int ip = topology_tunnel_address(part->nve, move->new_nve);

    if (part == move->new_part) {
        return (!a ? NULL
                : after ? pipeline_move_mark(move->id, a->ofport)
                : pipeline_move_arrival(move->port, move->id, a->ofport,
                                        move->trigger == MOVE_ON_ANNOUNCE));
    } else if (ip < 0) {
        return NULL;
    } else if (after) {
        return (part == move->old_part
                ? pipeline_move_redirect(move->port, move->id, part->nve,
                                         move->new_nve, ip, move->old_ofport)
                : NULL);
    } else if (move->trigger != MOVE_ON_ANNOUNCE) {
        return NULL;
    } else {
        return pipeline_move_arm(move->port, move->id, move->new_nve, ip,
                                 (part == move->old_part
                                  ? move->old_ofport : 0));
    }
}

/* Where the VM may be, its answers to the controller are let through from the
 * preparation until the move is over. */
static void
set_answers(struct move_part *part)
{
    const struct move *move = part->move;
    struct attachment *a = move_interface_at__(move, part->nve);
    struct flow_list *fl = NULL;

    if ((part == move->new_part || part == move->old_part)
        && a && move->trigger != MOVE_ON_READY) {
        fl = pipeline_move_answers(move->port, move->id, a->ofport,
                                   part == move->new_part);
    }
    ofsync_set(part->nve->ofsync, cookie_make(COOKIE_PROBE, move->id), fl);
    flow_list_unref(fl);
}

bool
move_has_gates__(const struct move *move)
{
    return ofsync_get(move->old_nve->ofsync,
                      cookie_make(COOKIE_GATE_OLD, move->id)) != NULL;
}

void
move_free_gates__(struct move *move)
{
    for (int i = 0; i < 2; i++) {
        flow_list_unref(move->gates[i].old);
        flow_list_unref(move->gates[i].new);
        move->gates[i].old = move->gates[i].new = NULL;
    }
}

/* Makes the gates for both directions ahead of time.  A move that is cut over
 * as soon as it is prepared needs none: there is no time to cache flows that
 * have them. */
static void
build_gates(struct move *move)
{
    struct attachment *a = move_interface_at__(move, move->old_nve);
    int ip = topology_tunnel_address(move->old_nve, move->new_nve);

    move_free_gates__(move);
    if (a && ip >= 0 && move->trigger != MOVE_ON_READY) {
        for (int to_new = 0; to_new < 2; to_new++) {
            move->gates[to_new].old = pipeline_move_gate_old(
                move->port, move->id, a->ofport, !to_new);
            move->gates[to_new].new = pipeline_move_gate_new(
                move->port, move->id, a->ofport, move->new_nve, ip, to_new);
        }
    }
}

static void
set_gates(struct move *move)
{
    const struct move_gates *gates = &move->gates[move->to_new];
    struct ofsync *os = move->old_nve->ofsync;

    ofsync_set(os, cookie_make(COOKIE_GATE_OLD, move->id), gates->old);
    ofsync_set(os, cookie_make(COOKIE_GATE_NEW, move->id), gates->new);
}

void
move_gate__(struct move *move, bool to_new)
{
    if (move->to_new != to_new) {
        move->to_new = to_new;
        if (!move->gates[to_new].old) {
            build_gates(move);
        }
        set_gates(move);
    }
}

void
move_part_set__(struct move_part *part, bool after)
{
    struct flow_list *fl = part_list(part, after);

    part->confirmed = false;
    ofsync_set(part->nve->ofsync, move_unit__(part->move), fl);
    flow_list_unref(fl);
    set_answers(part);
    if (part == part->move->old_part) {
        build_gates(part->move);
        set_gates(part->move);
    }
}

/* Returns true if the NVE of 'part' may have learned in the data path where
 * the VM is, or is told what looks the same.  Peers are only armed for a VM
 * that announces itself. */
static bool
learns(const struct move_part *part)
{
    const struct move *move = part->move;

    return (move->trigger == MOVE_ON_ANNOUNCE
            || part == move->new_part || part == move->old_part);
}

void
move_part_revert__(struct move_part *part)
{
    struct ofsync *os = part->nve->ofsync;
    uint64_t id = part->move->id;

    if (learns(part)) {
        ofsync_delete_cookie(os, cookie_make(COOKIE_LEARNED, id), UINT8_MAX);
    }
    ofsync_set(os, move_unit__(part->move), NULL);
    ofsync_set(os, cookie_make(COOKIE_PROBE, id), NULL);
    if (part == part->move->old_part) {
        ofsync_set(os, cookie_make(COOKIE_GATE_OLD, id), NULL);
        ofsync_set(os, cookie_make(COOKIE_GATE_NEW, id), NULL);
    }
}

/* Parts. */

struct move_part *
move_part_add__(struct move *move, struct nve *nve)
{
    struct move_part *part = xzalloc(sizeof *part);

    part->move = move;
    part->nve = nve;
    ovs_list_push_back(&move->parts, &part->move_node);
    ovs_list_push_back(&nve->move_parts, &part->nve_node);
    move->n_parts++;
    move->n_peers += move->n_parts > 2;
    return part;
}

void
move_part_set_ready__(struct move_part *part, bool ready)
{
    part->move->n_ready += ready - part->ready;
    part->ready = ready;
}

void
move_part_set_committed__(struct move_part *part)
{
    if (!part->committed) {
        part->committed = true;
        part->move->n_committed++;
        /* So that move_check_switched__() finds those first that it waits
         * for. */
        ovs_list_remove(&part->move_node);
        ovs_list_push_back(&part->move->parts, &part->move_node);
    }
}

bool
move_is_connected__(const struct nve *nve)
{
    return ofsync_is_synced(nve->ofsync);
}

/* Returns true if the new NVE knows which connections of 'port' stay with the
 * gateway before. */
static bool
knows_kept(const struct port *port)
{
    const struct keep *keep = port->keep;

    return !keep || !keep->to || keep->carry == KEEP_CARRY_DONE;
}

/* Returns true if 'part' is prepared as far as it can be: a peer that is away
 * holds up nobody, the new NVE must be there. */
bool
move_part_is_ready__(struct move_part *part, long long int now)
{
    const struct move *move = part->move;

    if (!move_is_connected__(part->nve)) {
        part->confirmed = false;
        return part != move->new_part;
    }

    /* What is changed at the NVE afterwards is not of this move; where many
     * moves are under way, there is always something to be confirmed. */
    if (!part->confirmed && ofsync_is_confirmed(part->nve->ofsync)) {
        part->confirmed = true;
        part->confirmed_at = now;
    }
    if (part == move->new_part && !knows_kept(move->port)) {
        return false;
    }
    if (part->outdated || !part->confirmed
        || ofsync_stage_get_state(part->stage) != OFSYNC_STAGE_STAGED) {
        return false;
    }
    return (part == move->new_part
            || !move_is_connected__(move->new_nve)
            || (neighbors_is_resolved(move->neighbors, part->nve,
                                      move->new_nve)
                && neighbors_is_resolved(move->neighbors, move->new_nve,
                                         part->nve)));
}

/* Makes the stage of what 'part' is going to commit. */
void
move_part_build__(struct move_part *part, long long int now)
{
    struct move *move = part->move;
    struct topology *t = move->topology;
    struct port *port = move->port;
    struct ofsync_stage *old = part->stage;
    struct flow_list *fl;

    part->stage = ofsync_stage_create(part->nve->ofsync, part);
    part->staged_at = now;
    part->outdated = false;

    if (part != move->old_part && learns(part)) {
        /* What has been learned in the data path is base mapping now.  The old
         * NVE's stays: it is the redirect. */
        ofsync_stage_delete_cookie(part->stage,
                                   cookie_make(COOKIE_LEARNED, move->id),
                                   FLOW_TABLE_MAPPING);
    }

    fl = part_list(part, true);
    ofsync_stage_set(part->stage, move_unit__(move), fl);
    flow_list_unref(fl);

    fl = wiring_port_list(t, port, part->nve, true);
    ofsync_stage_set(part->stage, cookie_make(COOKIE_PORT, port->id), fl);
    flow_list_unref(fl);

    /* Last, for meters that both need, and because it may take back the
     * confirmation of the NVE and thus call move_part_update(). */
    ofsync_stage_destroy(old);
}

/* Brings it to the switch. */
void
move_part_stage__(struct move_part *part, long long int now)
{
    move_part_build__(part, now);
    ofsync_stage_open(part->stage);
}

/* Who gets broadcasts changes with each move of the VN, and would make the
 * stages of all others stale. */
static void
set_flood(struct move_part *part)
{
    struct move *move = part->move;
    const struct vn *vn = move->port->vn;

    if (part == move->new_part || part == move->old_part) {
        struct flow_list *fl = wiring_flood_local_list(move->topology,
                                                       part->nve, vn);

        ofsync_stage_set(part->stage,
                         cookie_make(COOKIE_FLOOD_LOCAL, vn->id), fl);
        flow_list_unref(fl);
    }
}

void
move_part_commit__(struct move_part *part, long long int now)
{
    enum ofsync_stage_state state = ofsync_stage_get_state(part->stage);

    if (state == OFSYNC_STAGE_COMMITTING || state == OFSYNC_STAGE_COMMITTED) {
        return;
    } else if (state != OFSYNC_STAGE_STAGED || part->outdated) {
        /* Not there or not up to date: an ordinary change does the same. */
        move_part_build__(part, now);
    }
    set_flood(part);
    ofsync_stage_commit(part->stage);
}

/* Prepares the ways through the underlay that the move brings about.  Only if
 * it waits for its trigger is there time to cache flows for them. */
void
move_warm__(struct move *move, long long int now)
{
    const struct nve **nves = xmalloc(move->n_parts * sizeof *nves);
    struct move_part *part;
    size_t n = 0;

    LIST_FOR_EACH (part, move_node, &move->parts) {
        if (part != move->new_part) {
            neighbors_resolve_blindly(move->neighbors, move->new_nve,
                                      part->nve, now);
            nves[n++] = part->nve;
        }
    }
    if (move->trigger != MOVE_ON_READY) {
        neighbors_warm(move->neighbors, move->new_nve, nves, n);
    }
    free(nves);
}

void
move_part_free__(struct move_part *part)
{
    struct move *move = part->move;

    move->n_parts--;
    move->n_ready -= part->ready;
    move->n_committed -= part->committed;
    ovs_list_remove(&part->move_node);
    ovs_list_remove(&part->nve_node);
    ofsync_stage_destroy(part->stage);
    free(part);
}

void
move_free_parts__(struct move *move)
{
    struct move_part *part;

    LIST_FOR_EACH_SAFE (part, move_node, &move->parts) {
        move_part_free__(part);
    }
    move->old_part = move->new_part = NULL;
}
