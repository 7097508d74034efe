/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <limits.h>
#include <stdlib.h>

#include "clock.h"
#include "cookie.h"
#include "flow-tables.h"
#include "gateway.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(nva_keep);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 20);

/* Connections that stay with the gateway that served their port before, when
 * it is given another one (C2, Virtual_Network:options:gateway_change), also
 * because that one is drained.
 *
 * What connections there are is known to the NVE of the port alone, which
 * learns them in the data path (pipeline-keep.c).  First it surveys, for as
 * long as a connection may be silent; then it goes on until none is left.
 *
 * If the port moves, what the old NVE has learned is carried to the new one
 * before the move is prepared.  From then on nothing new begins, so that what
 * is carried is complete, whenever the VM moves.  Until it does, it is carried
 * over and over, because nothing passes at the new NVE that would keep it from
 * expiring there.  If the VM runs at its new place before all is prepared, it
 * is carried as soon as that can be. */

/* How long all connections are taken for old, from when the NVE does so, in
 * ms: Open vSwitch looks at all that it has cached twice a second. */
#define ALL_MS 2000

/* How often to ask how many connections are left. */
#define POLL_MS 1000

/* How often to look at what is carried, and how long the old NVE may hold up a
 * move with it. */
#define CARRY_MS 5
#define ANSWER_MS 2000

/* What is carried does not expire sooner than that, in s, so that it is
 * carried again before. */
#define CARRIED_IDLE_MIN (2 * POLL_MS / 1000)

static const enum cookie_kind learned_kinds[] = { COOKIE_KEPT, COOKIE_BEGUN };

static void
forget_learned(const struct keep *keep, struct nve *nve)
{
    for (size_t i = 0; i < ARRAY_SIZE(learned_kinds); i++) {
        ofsync_delete_cookie(nve->ofsync,
                             cookie_make(learned_kinds[i], keep->port->id),
                             FLOW_TABLE_CONNECTION);
    }
}

/* Has nva_keep_run() look at 'keep' first, at 'at'. */
static void
hurry(struct nva *nva, struct keep *keep, long long int at)
{
    keep->poll_at = at;
    ovs_list_remove(&keep->node);
    ovs_list_push_front(&nva->keeps, &keep->node);
}

/* Those that 'port' has now stay with 'gw'. */
static void
start(struct nva *nva, struct port *port, struct gateway *gw)
{
    struct keep *keep = xmalloc(sizeof *keep);
    long long int now = clock_msec();

    VLOG_INFO("%s: its connections stay with gateway %s, new ones go by %s",
              port->name, gw->name, port->gateway->name);
    *keep = (struct keep) {
        .gw = gw,
        .stage = KEEP_ALL,
        .port = port,
        .nve = port->place.nve,
        .since = now,
        .poll_at = now + POLL_MS,
    };
    ovs_list_push_back(&nva->keeps, &keep->node);
    port->keep = keep;
    gw->n_kept++;
    /* Of another time. */
    forget_learned(keep, keep->nve);
}

void
nva_keep_stop(struct nva *nva, struct port *port, const char *why)
{
    struct keep *keep = port->keep;

    if (keep) {
        VLOG_INFO("%s: no connection stays with gateway %s any more: %s",
                  port->name, keep->gw->name, why);
        forget_learned(keep, keep->nve);
        if (keep->to) {
            forget_learned(keep, keep->to);
        }
        ovs_list_remove(&keep->node);
        keep->gw->n_kept--;
        if (!keep->gw->n_ports) {
            nva_gateway_write(nva, keep->gw);   /* It may be drained now. */
        }
        free(keep);
        port->keep = NULL;
        wiring_way_out_changed(&nva->topology, port);
        if (port->move) {
            move_refresh(port->move);
        }
        nva_write_port(nva, port);
    }
}

/* 'port' is about to move to 'to', or is known to have done so. */
void
nva_keep_move_begins(struct nva *nva, struct port *port, struct nve *to,
                     bool is_cut)
{
    struct keep *keep = port->keep;

    if (keep) {
        long long int now = clock_msec();

        if (keep->to) {
            forget_learned(keep, keep->to);
        }
        keep->to = to;
        keep->carry = is_cut ? KEEP_CARRY_DONE : KEEP_CARRY_LEARN;
        keep->answer_by = now + ANSWER_MS;
        wiring_way_out_changed(&nva->topology, port);
        hurry(nva, keep, now);
    }
}

/* 'port' moves no more. */
void
nva_keep_move_ended(struct nva *nva, struct port *port)
{
    struct keep *keep = port->keep;

    if (!keep || !keep->to || port->move) {
        return;
    } else if (keep->to != port->place.nve) {
        forget_learned(keep, keep->to);
    } else if (keep->carry != KEEP_CARRY_DONE) {
        return;                 /* See carry_on(). */
    } else {
        forget_learned(keep, keep->nve);
        keep->nve = keep->to;
    }
    keep->to = NULL;
    wiring_way_out_changed(&nva->topology, port);
}

/* Ends what has no reason any more. */
void
nva_keep_check(struct nva *nva, struct port *port)
{
    const struct keep *keep = port->keep;
    const char *why;

    nva_keep_move_ended(nva, port);
    if (keep) {
        why = (keep->nve != port->place.nve && keep->to != port->place.nve
               ? "the port is at another NVE"
               : gateway_has_failed(keep->gw) ? "that has failed"
               : !port->vn->keeps_connections ? "it is not wanted any more"
               : NULL);
        if (why) {
            nva_keep_stop(nva, port, why);
        }
    }
}

/* 'port' is served by another gateway than 'old', null for none. */
void
nva_keep_gateway_changed(struct nva *nva, struct port *port,
                         struct gateway *old)
{
    const struct move *move = port->move;
    bool is_restart = !old && port->gateway_before;

    nva_keep_stop(nva, port, "it is served by yet another one");
    if (is_restart) {
        old = gateway_find(port->vn, port->gateway_before);
    }
    free(port->gateway_before);
    port->gateway_before = NULL;
    if (old && port->gateway && old != port->gateway && port->place.nve
        && (!move || is_restart) && port->vn->keeps_connections
        && !gateway_has_failed(old)) {
        start(nva, port, old);
        if (move) {
            nva_keep_move_begins(nva, port, move->new_nve,
                                 !migration_is_revocable(&move->migration));
        }
    }
}

void
nva_keep_nve_gone(struct nva *nva, const struct nve *nve)
{
    struct keep *keep;

    LIST_FOR_EACH_SAFE (keep, node, &nva->keeps) {
        nva_keep_move_ended(nva, keep->port);
        if (keep->nve == nve || keep->to == nve) {
            nva_keep_stop(nva, keep->port, "its NVE was deleted");
        }
    }
}

/* How long connections of 'vn' may be silent has changed, perhaps. */
void
nva_keep_vn_changed(struct nva *nva, const struct vn *vn)
{
    struct keep *keep;

    LIST_FOR_EACH (keep, node, &nva->keeps) {
        if (keep->port->vn == vn) {
            wiring_way_out_changed(&nva->topology, keep->port);
        }
    }
}

/* Returns true if a flow with 'cookie' was learned at the NVE of 's' and shall
 * stay there. */
bool
nva_keep_found(const struct session *s, uint64_t cookie)
{
    enum cookie_kind kind = cookie_kind(cookie);
    const struct port *port;

    if (kind != COOKIE_KEPT && kind != COOKIE_BEGUN) {
        return false;
    }
    port = topology_find_port_by_id(&s->nva->topology, cookie_id(cookie));
    return port && port->keep && (port->keep->nve == s->nve
                                  || port->keep->to == s->nve);
}

/* Returns what stays of the port of 'cookie', if the NVE of 's' has learned
 * it; otherwise null. */
static struct keep *
find_keep(const struct session *s, uint64_t cookie)
{
    const struct port *port;

    port = topology_find_port_by_id(&s->nva->topology, cookie_id(cookie));
    return (port && port->keep && port->keep->nve == s->nve
            ? port->keep : NULL);
}

/* The NVE of 's' has learned 'n' flows with 'cookie'. */
void
nva_keep_counted(struct session *s, uint64_t cookie, uint64_t n)
{
    const struct keep *keep = find_keep(s, cookie);

    if (!n && keep && keep->stage == KEEP_KNOWN && !keep->to) {
        struct port *port = keep->port;

        nva_keep_stop(s->nva, port, "all are over");
        /* Meanwhile another one may have come nearer. */
        nva_takeover_assign(s->nva, port);
    }
}

/* Returns true if 'fs' is something that pipeline-keep.c has an NVE learn as
 * 'cookie'.  Another NVE is not told anything else. */
static bool
is_sound(const struct ofputil_flow_stats *fs, uint64_t cookie)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, fs->ofpacts, fs->ofpacts_len) {
        if (a->type != OFPACT_FIN_TIMEOUT
            && (a->type != OFPACT_SET_FIELD
                || (ofpact_get_SET_FIELD(a)->field->id
                    != MFF_REG0 + FLOW_REG_WAY))) {
            return false;
        }
    }
    return (ntohll(fs->cookie) == cookie
            && fs->table_id == FLOW_TABLE_CONNECTION);
}

/* The NVE of 's' has learned flow 'fs' with 'cookie'; null after the last. */
void
nva_keep_learned(struct session *s, uint64_t cookie,
                 const struct ofputil_flow_stats *fs)
{
    const struct topology *t = &s->nva->topology;
    struct keep *keep = find_keep(s, cookie);
    const struct attachment *a;

    if (!keep || !keep->to || !keep->n_answers) {
        return;
    } else if (!fs) {
        keep->n_answers--;
        return;
    }
    if (!is_sound(fs, cookie)
        || keep->n_carried >= ARRAY_SIZE(learned_kinds) * KEEP_MAX) {
        VLOG_WARN_RL(&rl, "%s tells of a connection of port %s that it cannot "
                     "have learned; it is ignored", s->nve->name,
                     keep->port->name);
        return;
    }
    a = topology_find_attachment(t, keep->port->name, keep->to);
    if (a) {
        struct ofputil_flow_stats there = *fs;

        match_set_in_port(&there.match, a->ofport);
        there.idle_timeout = MAX(there.idle_timeout, CARRIED_IDLE_MIN);
        ofsync_add_learned(keep->to->ofsync, &there);
        keep->n_carried++;
    }
}

static void
set_stage(struct nva *nva, struct keep *keep, enum keep_stage stage)
{
    keep->stage = stage;
    wiring_way_out_changed(&nva->topology, keep->port);
}

/* Returns true if the switch of 'os' has confirmed what there was when 'part'
 * of a move, or null, was told. */
static bool
is_confirmed(const struct ofsync *os, const struct move_part *part)
{
    return (part && part->confirmed) || ofsync_is_confirmed(os);
}

/* Has the new NVE told what the old one has learned by now. */
static void
ask(struct keep *keep, long long int now)
{
    for (size_t i = 0; i < ARRAY_SIZE(learned_kinds); i++) {
        ofsync_dump_learned(keep->nve->ofsync,
                            cookie_make(learned_kinds[i], keep->port->id),
                            FLOW_TABLE_CONNECTION);
    }
    keep->n_answers = ARRAY_SIZE(learned_kinds);
    keep->n_carried = 0;
    keep->carried_at = now;
}

/* Does what is next so that the new NVE of 'move', null if that is over, knows
 * what the old one has learned.  Returns false if that does not tell. */
static bool
carry(struct keep *keep, struct move *move, long long int now)
{
    struct ofsync *from = keep->nve->ofsync;
    struct ofsync *to = keep->to->ofsync;

    if (!ofsync_is_synced(to)) {
        keep->carry = KEEP_CARRY_LEARN;
        keep->answer_by = now + ANSWER_MS;
    } else if (!ofsync_is_synced(from) && keep->carry != KEEP_CARRY_TOLD) {
        keep->carry = KEEP_CARRY_LEARN;
    } else if (keep->carry == KEEP_CARRY_LEARN
               && is_confirmed(from, move ? move->old_part : NULL)) {
        forget_learned(keep, keep->to);
        ask(keep, now);
        keep->carry = KEEP_CARRY_ASKED;
    } else if (keep->carry == KEEP_CARRY_ASKED && !keep->n_answers) {
        if (move) {
            move_told_new(move);
        }
        keep->carry = KEEP_CARRY_TOLD;
    }
    return keep->carry == KEEP_CARRY_TOLD || now < keep->answer_by;
}

/* The same, until the new NVE has confirmed it. */
static void
carry_on(struct nva *nva, struct keep *keep, long long int now)
{
    struct move *move = keep->port->move;

    if (!carry(keep, move, now)) {
        nva_keep_stop(nva, keep->port, "the NVE that knows them says nothing");
    } else if (keep->carry == KEEP_CARRY_TOLD
               && is_confirmed(keep->to->ofsync,
                               move ? move->new_part : NULL)) {
        keep->carry = KEEP_CARRY_DONE;
        if (move) {
            move_part_update(move->new_part, now, clock_wall_usec());
        } else {
            nva_keep_move_ended(nva, keep->port);
        }
    } else {
        hurry(nva, keep, now + CARRY_MS);
    }
}

static void
poll(struct nva *nva, struct keep *keep, long long int now)
{
    struct ofsync *os = keep->nve->ofsync;
    long long int idle_ms = keep->port->vn->connection_idle * 1000LL;

    keep->poll_at = now + POLL_MS;
    ovs_list_remove(&keep->node);
    ovs_list_push_back(&nva->keeps, &keep->node);
    if (keep->to) {
        const struct move *move = keep->port->move;

        if (keep->carry != KEEP_CARRY_DONE) {
            carry_on(nva, keep, now);
        } else if (move && move->migration.phase < MIGRATION_DRAINING
                   && now >= keep->carried_at + idle_ms / 2) {
            ask(keep, now);
        }
        return;
    }
    switch (keep->stage) {
    case KEEP_ALL:
        if (!ofsync_is_confirmed(os)) {
            keep->since = now;
        } else if (now >= keep->since + ALL_MS) {
            set_stage(nva, keep, KEEP_SURVEY);
        }
        break;

    case KEEP_SURVEY:
        if (now >= keep->since + MAX(ALL_MS, idle_ms)) {
            set_stage(nva, keep, KEEP_KNOWN);
        }
        break;

    case KEEP_KNOWN:
    default:
        ofsync_count_learned(os, cookie_make(COOKIE_KEPT, keep->port->id),
                             FLOW_TABLE_CONNECTION);
        break;
    }
}

void
nva_keep_run(struct nva *nva, long long int now)
{
    struct keep *keep;

    LIST_FOR_EACH_SAFE (keep, node, &nva->keeps) {
        if (now < keep->poll_at) {
            break;
        }
        poll(nva, keep, now);
    }
}

long long int
nva_keep_deadline(const struct nva *nva)
{
    return (ovs_list_is_empty(&nva->keeps) ? LLONG_MAX
            : CONTAINER_OF(ovs_list_front(&nva->keeps), struct keep,
                           node)->poll_at);
}
