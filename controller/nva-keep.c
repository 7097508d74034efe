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
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(nva_keep);

/* Connections that stay with the gateway that served their port before, when
 * it is given another one (C2, Virtual_Network:options:gateway_change).
 *
 * What connections there are is known to the NVE of the port alone, which
 * learns them in the data path (pipeline-keep.c).  First it surveys, for as
 * long as a connection may be silent; then it goes on until none is left.
 * Nothing is brought along if the port moves: that ends it. */

/* How long all connections are taken for old, from when the NVE does so, in
 * ms: Open vSwitch looks at all that it has cached twice a second. */
#define ALL_MS 2000

/* How often to ask how many connections are left. */
#define POLL_MS 1000

static void
forget_learned(const struct keep *keep)
{
    static const enum cookie_kind kinds[] = { COOKIE_KEPT, COOKIE_BEGUN };

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        ofsync_delete_cookie(keep->nve->ofsync,
                             cookie_make(kinds[i], keep->port->id),
                             FLOW_TABLE_CONNECTION);
    }
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
    /* Of another time. */
    forget_learned(keep);
}

void
nva_keep_stop(struct nva *nva, struct port *port, const char *why)
{
    struct keep *keep = port->keep;

    if (keep) {
        VLOG_INFO("%s: no connection stays with gateway %s any more: %s",
                  port->name, keep->gw->name, why);
        forget_learned(keep);
        ovs_list_remove(&keep->node);
        free(keep);
        port->keep = NULL;
        wiring_way_out_changed(&nva->topology, port);
        nva_write_port(nva, port);
    }
}

/* Ends what has no reason any more. */
void
nva_keep_check(struct nva *nva, struct port *port)
{
    const struct keep *keep = port->keep;
    const char *why;

    if (keep) {
        why = (keep->nve != port->place.nve ? "the port is at another NVE"
               : !gateway_is_usable(keep->gw) ? "that leaves its ports"
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
    nva_keep_stop(nva, port, "it is served by yet another one");
    if (!old && port->gateway_before) {
        /* So it was before a restart. */
        old = gateway_find(port->vn, port->gateway_before);
    }
    free(port->gateway_before);
    port->gateway_before = NULL;
    if (old && port->gateway && old != port->gateway && port->place.nve
        && !port->move && port->vn->keeps_connections
        && gateway_is_usable(old)) {
        start(nva, port, old);
    }
}

void
nva_keep_nve_gone(struct nva *nva, const struct nve *nve)
{
    struct keep *keep;

    LIST_FOR_EACH_SAFE (keep, node, &nva->keeps) {
        if (keep->nve == nve) {
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
    return port && port->keep && port->keep->nve == s->nve;
}

/* The NVE of 's' has learned 'n' flows with 'cookie'. */
void
nva_keep_counted(struct session *s, uint64_t cookie, uint64_t n)
{
    struct port *port;

    port = topology_find_port_by_id(&s->nva->topology, cookie_id(cookie));
    if (!n && port && port->keep && port->keep->nve == s->nve
        && port->keep->stage == KEEP_KNOWN) {
        nva_keep_stop(s->nva, port, "all are over");
    }
}

static void
set_stage(struct nva *nva, struct keep *keep, enum keep_stage stage)
{
    keep->stage = stage;
    wiring_way_out_changed(&nva->topology, keep->port);
}

static void
poll(struct nva *nva, struct keep *keep, long long int now)
{
    struct ofsync *os = keep->nve->ofsync;
    long long int idle_ms = keep->port->vn->connection_idle * 1000LL;

    keep->poll_at = now + POLL_MS;
    ovs_list_remove(&keep->node);
    ovs_list_push_back(&nva->keeps, &keep->node);
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
