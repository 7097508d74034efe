/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "wiring-private.h"

#include "flow-list.h"
#include "gateway.h"
#include "ofsync.h"
#include "pipeline.h"
#include "topology.h"

void
wiring_set_router__(struct nve *nve, const struct vn *vn)
{
    wiring_set_unit__(nve, COOKIE_ROUTER, vn->id, pipeline_router(vn));
}

/* The address of the gateways of 'vn' may have changed. */
static void
router_changed(struct vn *vn)
{
    struct member *m;

    HMAP_FOR_EACH (m, vn_node, &vn->members) {
        wiring_set_router__(m->nve, vn);
    }
}

static void
set_gateway(const struct gateway *gw)
{
    wiring_set_unit__(gw->nve, COOKIE_GATEWAY, gw->id, pipeline_gateway(gw));
    wiring_set_unit__(gw->nve, COOKIE_GATEWAY_SELF, gw->id,
                      pipeline_gateway_self(gw));
    wiring_set_unit__(gw->nve, COOKIE_NAT, gw->id, pipeline_nat(gw));
}

/* Those at 'nve' that route into 'vn' have to know its gateway there. */
static void
neighbors_changed(const struct nve *nve, const struct vn *vn)
{
    struct gateway *gw, *other;

    LIST_FOR_EACH (gw, nve_node, &nve->gateways) {
        if (gw->vn != vn) {
            for (size_t i = 0; i < gw->config->n_vns; i++) {
                if (gw->config->vns[i] == vn->id) {
                    set_gateway(gw);
                }
            }
        }
    }
    other = gateway_at(vn, nve);
    if (other) {
        set_gateway(other);
    }
}

static void
set_host(const struct gateway *gw, const struct port *port)
{
    wiring_set_unit__(gw->nve, COOKIE_HOST, port->id,
                      pipeline_host(gw, port));
}

void
wiring_set_hosts__(const struct port *port)
{
    const struct gateway *gw;

    LIST_FOR_EACH (gw, vn_node, &port->vn->gateways) {
        set_host(gw, port);
    }
}

void
wiring_remove_hosts__(const struct port *port)
{
    const struct gateway *gw;

    LIST_FOR_EACH (gw, vn_node, &port->vn->gateways) {
        wiring_set_unit__(gw->nve, COOKIE_HOST, port->id, NULL);
    }
}

void
wiring_gateway_changed(struct topology *t, struct gateway *gw)
{
    struct vn *vn = gw->vn;
    struct port *port;

    if (topology_add_gateway_member(t, gw->nve, vn)) {
        wiring_member_added__(t, gw->nve, vn);
    }
    router_changed(vn);
    neighbors_changed(gw->nve, vn);
    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        set_host(gw, port);
        if (port->gateway) {
            wiring_way_out_changed(t, port);
        }
    }
}

void
wiring_gateway_outside_changed(const struct gateway *gw)
{
    /* Those that translate answer ARP there. */
    neighbors_changed(gw->nve, gw->vn);
}

void
wiring_gateway_removed(struct topology *t, struct gateway *gw)
{
    struct nve *nve = gw->nve;
    struct vn *vn = gw->vn;
    struct port *port;

    wiring_set_unit__(nve, COOKIE_GATEWAY, gw->id, NULL);
    wiring_set_unit__(nve, COOKIE_GATEWAY_SELF, gw->id, NULL);
    wiring_set_unit__(nve, COOKIE_NAT, gw->id, NULL);
    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        wiring_set_unit__(nve, COOKIE_HOST, port->id, NULL);
        wiring_way_out_changed(t, port);
    }
    neighbors_changed(nve, vn);
    router_changed(vn);
    if (topology_remove_gateway_member(t, nve, vn)) {
        wiring_member_removed__(nve, vn);
    }
}

void
wiring_gateways_moved__(struct topology *t, const struct nve *nve)
{
    const struct gateway *gw;
    struct port *port;

    LIST_FOR_EACH (gw, nve_node, &nve->gateways) {
        set_gateway(gw);
        HMAP_FOR_EACH (port, vn_node, &gw->vn->ports) {
            if (port->gateway == gw
                || (port->keep && port->keep->gw == gw)) {
                wiring_way_out_changed(t, port);
            }
        }
    }
}

void
wiring_gateway_uplinks_changed__(const struct nve *nve)
{
    const struct gateway *gw;

    LIST_FOR_EACH (gw, nve_node, &nve->gateways) {
        set_gateway(gw);
    }
}

void
wiring_vn_gateways_changed__(struct topology *t, struct vn *vn)
{
    struct gateway *gw;

    LIST_FOR_EACH (gw, vn_node, &vn->gateways) {
        wiring_gateway_changed(t, gw);
    }
}

void
wiring_check_gateways__(struct wiring_comparison *c, const struct nve *nve,
                        const struct vn *vn)
{
    const struct gateway *gw = gateway_at(vn, nve);
    const struct port *port;

    wiring_check_unit__(c, nve, COOKIE_ROUTER, vn->id, pipeline_router(vn));
    if (gw) {
        wiring_check_unit__(c, nve, COOKIE_GATEWAY, gw->id,
                            pipeline_gateway(gw));
        wiring_check_unit__(c, nve, COOKIE_GATEWAY_SELF, gw->id,
                            pipeline_gateway_self(gw));
        wiring_check_unit__(c, nve, COOKIE_NAT, gw->id, pipeline_nat(gw));
    }
    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        wiring_check_unit__(c, nve, COOKIE_HOST, port->id,
                            gw ? pipeline_host(gw, port) : NULL);
    }
}
