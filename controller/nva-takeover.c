/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <limits.h>
#include <stdlib.h>

#include "clock.h"
#include "cookie.h"
#include "gateway.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(nva_takeover);

/* How long after the COMMIT of what lets a gateway take what comes from
 * outside its switch does so: it may have cached flows for that which drop,
 * and looks at those by and by. */
#define SETTLE_MS 100

/* Which gateway serves a port. */

/* Has 'gw', null for none, serve 'port'; nobody else is told. */
void
nva_takeover_serve(struct port *port, struct gateway *gw)
{
    if (port->gateway) {
        port->gateway->n_ports--;
    }
    port->gateway = gw;
    if (gw) {
        gw->n_ports++;
        if (!port->gateway_last || strcmp(port->gateway_last, gw->name)) {
            free(port->gateway_last);
            port->gateway_last = xstrdup(gw->name);
        }
    }
}

/* Returns true if 'port' may be given a nearer gateway than it has.  One
 * change at a time: its connections stay with one other gateway at most. */
static bool
may_change(const struct port *port)
{
    return (port->vn->gateway_nearest && port->place.nve && !port->move
            && !port->keep);
}

/* Returns the gateway that shall serve 'port': the one asked for, otherwise
 * the one that did or does, wherever the port is now (C2), unless ports of the
 * VN go to the nearest; otherwise the nearest.  One that takes over from
 * another, also if it was asked for, must be able to serve before anybody
 * sends to it; without any, all stays as it is.  If all have failed, a port
 * that has none gets one of these: its NVE may serve all the same. */
static struct gateway *
choose(const struct port *port)
{
    struct gateway *wanted = gateway_find(port->vn, port->gateway_wanted);
    const struct nve *at = port->place.nve;
    struct gateway *gw = port->gateway;
    struct gateway *other = NULL;

    if (!gw && port->gateway_last) {
        gw = gateway_find(port->vn, port->gateway_last);
    }
    if (wanted && gateway_is_usable(wanted)
        && (wanted->ready || wanted == gw || !gw
            || !gateway_is_usable(gw))) {
        return wanted;
    }
    if (gw && gateway_is_usable(gw)) {
        other = may_change(port) ? gateway_nearest(port->vn, at,
                                                   GATEWAY_USABLE) : gw;
        return other->ready ? other : gw;
    }
    if (!at && gw) {
        at = gw->nve;
    }
    if (at && port->gateway_last) {
        other = gateway_nearest(port->vn, at, GATEWAY_READY);
    }
    if (at && !other && !gw) {
        other = gateway_nearest(port->vn, at, GATEWAY_USABLE);
        if (!other) {
            other = gateway_nearest(port->vn, at, GATEWAY_FAILED);
        }
    }
    return other ? other : gw;
}

/* What a gateway says that leaves its ports to others, of what it still has,
 * is out of date; 'gw' may be null. */
static void
count_changed(struct nva *nva, const struct gateway *gw)
{
    if (gw && !gateway_is_usable(gw)) {
        nva_gateways_vn_changed(nva, gw->vn);
    }
}

/* Decides which gateway serves 'port', and has it do so. */
void
nva_takeover_assign(struct nva *nva, struct port *port)
{
    struct gateway *old = port->gateway;
    struct gateway *gw;

    nva_keep_check(nva, port);
    gw = choose(port);
    if (gw != old) {
        VLOG_DBG("%s: served by %s", port->name, gw ? gw->name : "no gateway");
        count_changed(nva, old);
        nva_takeover_serve(port, gw);
        nva_keep_gateway_changed(nva, port, old);
        nva_routes_changed(nva);
        wiring_way_out_changed(&nva->topology, port);
        if (port->move) {
            move_refresh(port->move);
        }
        nva_write_port(nva, port);
    } else if (!gw && !ovs_list_is_empty(&port->vn->gateways)) {
        nva_write_port(nva, port);  /* Its error may have changed. */
    }
}

void
nva_takeover_port_gone(struct nva *nva, struct port *port)
{
    nva_keep_stop(nva, port, "the port was deleted");
    count_changed(nva, port->gateway);
    nva_takeover_serve(port, NULL);
}

/* Returns why 'port' is not served by the gateway that it asks for, or by
 * none, for the caller to free, or null if all is well. */
char *
nva_takeover_get_port_error(const struct port *port)
{
    const struct gateway *gw = gateway_find(port->vn, port->gateway_wanted);

    if (port->gateway_wanted[0] && !gw) {
        return xasprintf("gateway: VN %s has no gateway %s in service",
                         port->vn->name, port->gateway_wanted);
    } else if (gw && gw != port->gateway && !gateway_is_usable(gw)) {
        return xasprintf("gateway: %s is %s", gw->name,
                         nva_takeover_state(gw));
    } else if (gw && gw != port->gateway && port->gateway) {
        return xasprintf("gateway: %s is not ready, its NVE %s has not "
                         "confirmed its flows yet", gw->name, gw->nve->name);
    } else if (!port->gateway && port->place.nve
               && !ovs_list_is_empty(&port->vn->gateways)) {
        return xasprintf("no gateway of VN %s takes ports", port->vn->name);
    }
    return NULL;
}

/* The outside. */

/* Returns true if 'gw' may be the one that speaks for the addresses of its VN
 * in the physical network.  Before its hypervisor has told, one that spoke may
 * have an uplink. */
static bool
can_speak(const struct gateway *gw)
{
    const struct session *s = gw->nve->session;

    return (topology_find_uplink(gw->nve, gw->vn)
            || (gw->outside == GATEWAY_SPEAKS && !s->known));
}

static void
set_outside(struct nva *nva, struct gateway *gw, enum gateway_outside outside)
{
    if (gw->outside != outside) {
        if (gw->outside == GATEWAY_COMES) {
            ovs_list_remove(&gw->coming_node);
        } else if (outside == GATEWAY_COMES) {
            gw->settle_at = LLONG_MAX;
            ovs_list_push_back(&nva->coming, &gw->coming_node);
        }
        gw->outside = outside;
        wiring_gateway_outside_changed(gw);
    }
}

/* Returns the best gateway of 'vn' of those that can speak outside and are
 * 'min' or better; or null. */
static struct gateway *
best_speaker(const struct vn *vn, enum gateway_fitness min)
{
    struct gateway *best = NULL;
    struct gateway *gw;

    LIST_FOR_EACH (gw, vn_node, &vn->gateways) {
        if (can_speak(gw) && gateway_fitness(gw) >= min
            && (!best || gateway_precedes(gw, best))) {
            best = gw;
        }
    }
    return best;
}

/* Returns the gateway of 'vn' that is to speak outside, null for none, if
 * 'old' did, which may be null.  There is no change without need. */
static struct gateway *
choose_speaker(const struct vn *vn, struct gateway *old)
{
    struct gateway *new;

    if (old && can_speak(old) && gateway_is_usable(old)) {
        return old;
    }
    new = best_speaker(vn, old ? GATEWAY_READY : GATEWAY_USABLE);
    if (!new && old && can_speak(old)) {
        return old;
    }
    return new ? new : best_speaker(vn, GATEWAY_FAILED);
}

/* The physical network need not be told of 'gw' any more.  Others of its VN
 * that have been waiting for that take nothing from there any more. */
static void
announced(struct nva *nva, struct gateway *gw)
{
    struct gateway *other;

    if (gw->announcement) {
        announcer_stop(nva->gateway_announcer, gw->announcement);
        gw->announcement = NULL;
        wiring_gateway_outside_changed(gw);
    }
    gw->announce_due = false;
    if (gw->outside == GATEWAY_SPEAKS) {
        LIST_FOR_EACH (other, vn_node, &gw->vn->gateways) {
            if (other->outside == GATEWAY_LEAVES) {
                set_outside(nva, other, GATEWAY_SILENT);
            }
        }
    }
}

/* Tells the physical network of 'gw', if that is due, when its NVE is known to
 * do what it is announced for. */
static void
try_announce(struct nva *nva, struct gateway *gw)
{
    struct session *s = gw->nve->session;

    if (!gw->announce_due) {
        return;
    } else if (!s->up || !ofsync_is_confirmed(gw->nve->ofsync)) {
        s->gateways_wait = true;
    } else if (!gw->vn->announce_count) {
        announced(nva, gw);
    } else {
        gw->announce_due = gw->announcement_seen = false;
        gw->announcement = announcer_start_gateway(nva->gateway_announcer, gw,
                                                   gw->vn->announce_count,
                                                   clock_msec());
        wiring_gateway_outside_changed(gw);
    }
}

/* Returns true if 'gw' is known to take what comes from outside. */
static bool
takes_what_comes(const struct gateway *gw)
{
    return (gw->outside == GATEWAY_SPEAKS || gw->outside == GATEWAY_LEAVES
            || (gw->outside == GATEWAY_COMES
                && clock_msec() >= gw->settle_at));
}

/* Has 'gw' take what comes from outside, and takes note when it does. */
static void
let_come(struct nva *nva, struct gateway *gw)
{
    struct session *s = gw->nve->session;

    set_outside(nva, gw, GATEWAY_COMES);
    if (gw->settle_at == LLONG_MAX) {
        if (s->up && ofsync_is_confirmed(gw->nve->ofsync)) {
            gw->settle_at = clock_msec() + SETTLE_MS;
        } else {
            s->gateways_wait = true;
        }
    }
}

/* Sees to it that one gateway of 'vn' speaks outside, if one can. */
static void
elect(struct nva *nva, struct vn *vn)
{
    struct gateway *old = NULL;
    struct gateway *gw, *new;

    LIST_FOR_EACH (gw, vn_node, &vn->gateways) {
        if (gw->outside == GATEWAY_SPEAKS) {
            old = gw;
        }
    }
    new = choose_speaker(vn, old);
    LIST_FOR_EACH (gw, vn_node, &vn->gateways) {
        if (gw != new && gw->outside == GATEWAY_COMES) {
            set_outside(nva, gw, GATEWAY_SILENT);
        }
    }
    if (new == old) {
        return;
    } else if (old && new && !takes_what_comes(new)) {
        /* Once 'new' speaks, the network sends to it at once. */
        let_come(nva, new);
        return;
    }
    if (old) {
        announced(nva, old);
        set_outside(nva, old, GATEWAY_LEAVES);
    }
    if (new) {
        VLOG_INFO("gateway %s at %s has the addresses of %s outside%s%s",
                  new->name, new->nve->name, vn->name, old ? " after " : "",
                  old ? old->nve->name : "");
        set_outside(nva, new, GATEWAY_SPEAKS);
        new->announce_due = true;
    }
}

/* 'gw' is about to vanish. */
void
nva_takeover_gone(struct nva *nva, struct gateway *gw)
{
    announced(nva, gw);
    set_outside(nva, gw, GATEWAY_SILENT);
}

/* What came to 's' with 'cookie' shows that the physical network sends to a
 * gateway there.  The one that was there before goes on taking what comes
 * until the announcements end: a switch that works off flows it has cached may
 * send with the old address a little longer, which draws the network back. */
void
nva_takeover_seen(struct session *s, uint64_t cookie)
{
    struct gateway *gw;

    LIST_FOR_EACH (gw, nve_node, &s->nve->gateways) {
        if (cookie == cookie_make(COOKIE_GATEWAY_SELF, gw->id)
            && gw->announcement && !gw->announcement_seen
            && announcer_count(gw->announcement)) {
            VLOG_INFO("gateway %s: the network outside sends to %s", gw->name,
                      gw->nve->name);
            gw->announcement_seen = true;
            wiring_gateway_outside_changed(gw);
        }
    }
}

static void
announce_finished(void *gw, void *nva)
{
    announced(nva, gw);
}

const struct announcer_class nva_takeover_announcer_class = {
    .send = nva_announce_send,
    .finished = announce_finished,
};

/* Gateways that leave what they do to others. */

/* Looks anew who does what in 'vn', which has gateways. */
void
nva_takeover_refresh(struct nva *nva, struct vn *vn)
{
    struct gateway *gw;
    struct port *port;

    LIST_FOR_EACH (gw, vn_node, &vn->gateways) {
        const struct uplink *lost = gateway_lost_uplink(gw, &nva->topology);
        struct session *s = gw->nve->session;

        free(gw->lost_uplink);
        gw->lost_uplink = nullable_xstrdup(lost ? lost->ifname : NULL);
        if (!gw->ready) {
            gw->ready = s->up && ofsync_is_confirmed(gw->nve->ofsync);
            s->gateways_wait |= !gw->ready;
        }
    }
    elect(nva, vn);
    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        nva_takeover_assign(nva, port);
        if (port->gateway_wanted[0]) {
            nva_write_port(nva, port);  /* Its error may have changed. */
        }
    }
    LIST_FOR_EACH (gw, vn_node, &vn->gateways) {
        try_announce(nva, gw);
        nva_gateway_write(nva, gw);
    }
}

/* Returns what Gateway:state is to say about 'gw'. */
const char *
nva_takeover_state(const struct gateway *gw)
{
    return (gw->nve->failed ? "failed"
            : gw->lost_uplink ? "cut-off"
            : !gw->config->drain ? "active"
            : gw->n_ports || gw->n_kept ? "draining" : "drained");
}

/* Returns what Gateway:outside is to say about 'gw'. */
const char *
nva_takeover_outside(const struct gateway *gw)
{
    return (gw->outside == GATEWAY_SPEAKS ? "active"
            : topology_find_uplink(gw->nve, gw->vn) ? "standby" : "");
}

/* Returns what is wrong with 'gw', for the caller to free, or null. */
char *
nva_takeover_get_error(const struct gateway *gw)
{
    return (gw->nve->failed ? nva_watch_get_error(gw->nve)
            : gw->lost_uplink
            ? xasprintf("uplink %s of NVE %s has no link", gw->lost_uplink,
                        gw->nve->name)
            : gw->config->drain && gw->n_ports
            ? xasprintf("options:drain: no other gateway of VN %s can serve; "
                        "it keeps its ports (%"PRIuSIZE")", gw->vn->name,
                        gw->n_ports)
            : NULL);
}

/* Has nva_takeover_run() look at the gateways at the NVE of 's'. */
void
nva_takeover_wants_run(struct session *s)
{
    if (!s->takeover_due) {
        s->takeover_due = true;
        ovs_list_push_back(&s->nva->takeovers, &s->takeover_node);
    }
}

/* The NVE of 's' has confirmed all that it shall have. */
void
nva_takeover_confirmed(struct session *s)
{
    if (s->gateways_wait) {
        s->gateways_wait = false;
        nva_takeover_wants_run(s);
    }
}

/* The NVE of 's' cannot be told anything any more. */
void
nva_takeover_stopped(struct session *s)
{
    struct gateway *gw;

    LIST_FOR_EACH (gw, nve_node, &s->nve->gateways) {
        gw->ready = false;
        gw->settle_at = LLONG_MAX;
        s->gateways_wait = true;
    }
}

void
nva_takeover_run(struct nva *nva, long long int now)
{
    struct gateway *coming;
    struct session *s;

    announcer_run(nva->gateway_announcer, now);
    LIST_FOR_EACH (coming, coming_node, &nva->coming) {
        if (now >= coming->settle_at) {
            nva_takeover_wants_run(coming->nve->session);
        }
    }
    LIST_FOR_EACH_POP (s, takeover_node, &nva->takeovers) {
        struct gateway *gw;

        s->takeover_due = false;
        LIST_FOR_EACH (gw, nve_node, &s->nve->gateways) {
            nva_takeover_refresh(nva, gw->vn);
        }
    }
}

long long int
nva_takeover_deadline(const struct nva *nva)
{
    long long int deadline = announcer_deadline(nva->gateway_announcer);
    const struct gateway *gw;

    LIST_FOR_EACH (gw, coming_node, &nva->coming) {
        deadline = MIN(deadline, gw->settle_at);
    }
    return ovs_list_is_empty(&nva->takeovers) ? deadline : 0;
}
