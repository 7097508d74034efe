/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Gateways for tests of other modules. */

#include <config.h>

#include "test-nva.h"

#include <stdlib.h>

#include "cookie.h"
#include "gateway.h"
#include "ofsync.h"
#include "random.h"
#include "topology.h"
#include "util.h"
#include "wiring.h"

/* A configuration with one address that is that of 'vn', so that all of its
 * gateways have the same. */
static struct gateway_config *
create_config(const struct topology *t, const struct vn *own)
{
    struct gateway_config *config = xzalloc(sizeof *config);
    char *ip = xasprintf("172.16.%u.254", own->vni % 250);
    const struct port *port;
    const struct vn *vn;

    config->mac = (struct eth_addr) ETH_ADDR_C(02,00,00,00,01,00);
    config->ips = xmalloc(sizeof *config->ips);
    config->ips[config->n_ips++] = (struct gateway_prefix) { test_ip(ip),
                                                             120 };
    config->rate = random_uint32() % 2;
    config->burst = 1;
    config->reject = random_uint32() % 2;
    simap_init(&config->metrics);
    config->vns = xmalloc(hmap_count(&t->vns) * sizeof *config->vns);
    HMAP_FOR_EACH (vn, name_node, &t->vns) {
        if (vn != own) {
            config->vns[config->n_vns++] = vn->id;
        }
    }
    /* Some port is the router. */
    HMAP_FOR_EACH (port, vn_node, &own->ports) {
        config->next_hops[0] = port->ips[0];
        config->n_next_hops = 1;
    }
    free(ip);
    return config;
}

/* Has connections of 'port' stay with some gateway, or none. */
static void
toggle_keep(struct port *port)
{
    struct gateway *gw;

    free(port->keep);
    port->keep = NULL;
    LIST_FOR_EACH (gw, vn_node, &port->vn->gateways) {
        if (gw != port->gateway && !port->keep && random_uint32() % 2) {
            port->keep = xzalloc(sizeof *port->keep);
            port->keep->gw = gw;
            port->keep->stage = random_uint32() % (KEEP_KNOWN + 1);
        }
    }
}

static void
remove_gateway(struct topology *t, struct gateway *gw)
{
    struct gateway_config *config = CONST_CAST(struct gateway_config *,
                                               gw->config);
    struct port *port;

    HMAP_FOR_EACH (port, vn_node, &gw->vn->ports) {
        if (port->keep && port->keep->gw == gw) {
            free(port->keep);
            port->keep = NULL;
        }
        if (port->gateway == gw) {
            port->gateway = NULL;
        }
    }
    gateway_unlink(gw);
    wiring_gateway_removed(t, gw);
    ovs_assert(!ofsync_get(gw->nve->ofsync,
                           cookie_make(COOKIE_GATEWAY, gw->id))
               && !ofsync_get(gw->nve->ofsync,
                              cookie_make(COOKIE_GATEWAY_SELF, gw->id))
               && !ofsync_get(gw->nve->ofsync,
                              cookie_make(COOKIE_NAT, gw->id)));
    free(config->ips);
    free(config->vns);
    free(config);
    gateway_free(gw);
}

void
test_toggle_gateway(struct topology *t, struct vn *vn, struct nve *nve,
                    uint64_t id)
{
    struct gateway *gw = gateway_at(vn, nve);
    struct port *port;

    if (gw) {
        remove_gateway(t, gw);
    } else {
        char *name = xasprintf("gw%"PRIu64, id);

        gw = gateway_add(name, id, vn, nve);
        gw->config = create_config(t, vn);
        if (random_uint32() % 2) {
            char *s = xasprintf("192.0.2.%u", vn->vni % 250);
            struct in6_addr ip = test_ip(s);

            gateway_set_snat(gw, &ip);
            free(s);
        }
        wiring_gateway_changed(t, gw);
        free(name);
    }
    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        if (random_uint32() % 2) {
            port->gateway = gateway_nearest(vn, nve, GATEWAY_USABLE);
            toggle_keep(port);
            wiring_way_out_changed(t, port);
        }
    }
}

void
test_remove_gateways(struct topology *t)
{
    struct gateway *gw;
    struct vn *vn;

    HMAP_FOR_EACH (vn, name_node, &t->vns) {
        LIST_FOR_EACH_SAFE (gw, vn_node, &vn->gateways) {
            remove_gateway(t, gw);
        }
    }
}
