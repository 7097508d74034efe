/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <stdlib.h>

#include "gateway.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(nva_takeover);

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

/* Returns the gateway that shall serve 'port': the one asked for; otherwise
 * the one that did or does, wherever the port is now (C2); otherwise the
 * nearest.  One that takes over from another must be able to serve before
 * anybody sends to it; without any, all stays as it is. */
static struct gateway *
choose(const struct port *port)
{
    struct gateway *gw = gateway_find(port->vn, port->gateway_wanted);
    const struct nve *at = port->place.nve;
    struct gateway *other = NULL;

    if (gw && gateway_is_usable(gw)) {
        return gw;
    }
    gw = port->gateway;
    if (!gw && port->gateway_last) {
        gw = gateway_find(port->vn, port->gateway_last);
    }
    if (gw && gateway_is_usable(gw)) {
        return gw;
    }
    if (!at && gw) {
        at = gw->nve;
    }
    if (at && port->gateway_last) {
        other = gateway_nearest(port->vn, at, true);
    }
    if (at && !other && !gw) {
        other = gateway_nearest(port->vn, at, false);
    }
    return other ? other : gw;
}

/* What depends on the number of ports of 'gw', may be null, is out of date. */
static void
count_changed(struct nva *nva, const struct gateway *gw)
{
    if (gw && !gateway_is_usable(gw)) {
        nva_gateways_changed(nva);
    }
}

/* Decides which gateway serves 'port', and has it do so. */
void
nva_takeover_assign(struct nva *nva, struct port *port)
{
    struct gateway *gw = choose(port);

    if (gw != port->gateway) {
        VLOG_DBG("%s: served by %s", port->name, gw ? gw->name : "no gateway");
        count_changed(nva, port->gateway);
        nva_takeover_serve(port, gw);
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
    } else if (!port->gateway && port->place.nve
               && !ovs_list_is_empty(&port->vn->gateways)) {
        return xasprintf("no gateway of VN %s takes ports", port->vn->name);
    }
    return NULL;
}

/* Gateways that leave their ports to others. */

/* 'gw', which may be new, is looked at. */
static void
prepare(struct gateway *gw)
{
    struct session *s = gw->nve->session;

    if (!gw->ready) {
        gw->ready = s->up && ofsync_is_confirmed(gw->nve->ofsync);
        s->gateways_wait |= !gw->ready;
    }
}

/* To be called before ports are assigned. */
void
nva_takeover_prepare(struct nva *nva)
{
    struct gateway *gw;
    struct vn *vn;

    HMAP_FOR_EACH (vn, name_node, &nva->topology.vns) {
        LIST_FOR_EACH (gw, vn_node, &vn->gateways) {
            prepare(gw);
        }
    }
}

/* Returns what Gateway:state is to say about 'gw'. */
const char *
nva_takeover_state(const struct gateway *gw)
{
    return (!gw->config->drain ? "active"
            : gw->n_ports ? "draining" : "drained");
}

/* Returns what is wrong with 'gw', for the caller to free, or null. */
char *
nva_takeover_get_error(const struct gateway *gw)
{
    return (gw->config->drain && gw->n_ports
            ? xasprintf("options:drain: no other gateway of VN %s can serve; "
                        "it keeps its ports (%"PRIuSIZE")", gw->vn->name,
                        gw->n_ports)
            : NULL);
}

/* The NVE of 's' has confirmed all that it shall have. */
void
nva_takeover_confirmed(struct session *s)
{
    if (s->gateways_wait) {
        s->gateways_wait = false;
        nva_gateways_changed(s->nva);
    }
}

/* The NVE of 's' cannot be told anything any more. */
void
nva_takeover_stopped(struct session *s)
{
    struct gateway *gw;

    LIST_FOR_EACH (gw, nve_node, &s->nve->gateways) {
        gw->ready = false;
        s->gateways_wait = true;
    }
}
