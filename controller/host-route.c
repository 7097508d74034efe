/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "host-route.h"

#include <stdlib.h>
#include <string.h>

#include "gateway.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "topology.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(host_route);

struct route {
    struct in6_addr ip;         /* v4-mapped if IPv4. */
    struct in6_addr next_hop;
    const struct port *port;
};

struct routes {
    struct route *routes;
    size_t n, allocated;
};

/* Returns the gateway by which 'gw' leads outside, of several the one whose
 * name sorts first, or null. */
static const struct gateway *
find_exit(const struct topology *t, const struct gateway *gw)
{
    const struct gateway *best = NULL;

    for (size_t i = 0; i < gw->config->n_vns; i++) {
        const struct vn *vn = topology_find_vn_by_id(t, gw->config->vns[i]);
        const struct gateway *out = vn ? gateway_at(vn, gw->nve) : NULL;
        struct gateway *back;

        if (out && out->config->export
            && gateway_reaches(out, gw->vn, &back)
            && (!best || strcmp(out->name, best->name) < 0)) {
            best = out;
        }
    }
    return best;
}

/* Returns the first address of 'out' of the version of 'ip' that is not
 * link-local, or null. */
static const struct in6_addr *
find_next_hop(const struct gateway *out, const struct in6_addr *ip)
{
    for (size_t i = 0; i < out->config->n_ips; i++) {
        const struct gateway_prefix *p = &out->config->ips[i];

        if (topology_is_ipv4(&p->ip) == topology_is_ipv4(ip)
            && !gateway_is_link_local(p)) {
            return &p->ip;
        }
    }
    return NULL;
}

/* Returns true if 'gw' routes to 'ip', and the outside knows that address. */
static bool
is_routed(const struct gateway *gw, const struct in6_addr *ip)
{
    if (ipv6_addr_is_set(&gw->snat) && topology_is_ipv4(ip)) {
        return false;
    }
    for (size_t i = 0; i < gw->config->n_ips; i++) {
        const struct gateway_prefix *p = &gw->config->ips[i];

        if (!gateway_is_link_local(p) && gateway_prefix_contains(p, ip)) {
            return true;
        }
    }
    return false;
}

static void
add_port(struct routes *r, const struct topology *t, const struct port *port)
{
    const struct gateway *gw = port->gateway;
    const struct gateway *out = gw ? find_exit(t, gw) : NULL;

    for (size_t i = 0; out && i < port->n_ips; i++) {
        const struct in6_addr *ip = &port->ips[i];
        const struct in6_addr *next_hop = find_next_hop(out, ip);

        if (next_hop && is_routed(gw, ip)) {
            if (r->n >= r->allocated) {
                r->routes = x2nrealloc(r->routes, &r->allocated,
                                       sizeof *r->routes);
            }
            r->routes[r->n++] = (struct route) { *ip, *next_hop, port };
        }
    }
}

static int
compare_routes(const void *a_, const void *b_)
{
    const struct route *a = a_;
    const struct route *b = b_;
    int cmp = memcmp(&a->ip, &b->ip, sizeof a->ip);

    return cmp ? cmp : strcmp(a->port->vn->name, b->port->vn->name);
}

/* Leaves one route for each address. */
static void
sort_routes(struct routes *r)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);
    size_t n = 0;

    if (r->n) {
        qsort(r->routes, r->n, sizeof *r->routes, compare_routes);
    }
    for (size_t i = 0; i < r->n; i++) {
        const struct route *route = &r->routes[i];

        if (n && ipv6_addr_equals(&r->routes[n - 1].ip, &route->ip)) {
            const struct port *port = r->routes[n - 1].port;
            char s[INET6_ADDRSTRLEN];

            ipv6_string_mapped(s, &route->ip);
            VLOG_WARN_RL(&rl, "port %s of VN %s gets no host route, for port "
                         "%s of VN %s has its address %s, too",
                         route->port->name, route->port->vn->name, port->name,
                         port->vn->name, s);
        } else {
            r->routes[n++] = *route;
        }
    }
    r->n = n;
}

static void
format_version(const struct routes *r, bool ipv4, struct ds *s)
{
    ds_put_format(s, "protocol static nva_%s {\n    %s;\n",
                  ipv4 ? "ipv4" : "ipv6", ipv4 ? "ipv4" : "ipv6");
    for (size_t i = 0; i < r->n; i++) {
        if (topology_is_ipv4(&r->routes[i].ip) == ipv4) {
            ds_put_cstr(s, "    route ");
            ipv6_format_mapped(&r->routes[i].ip, s);
            ds_put_format(s, "/%d via ", ipv4 ? 32 : 128);
            ipv6_format_mapped(&r->routes[i].next_hop, s);
            ds_put_cstr(s, ";\n");
        }
    }
    ds_put_cstr(s, "}\n");
}

size_t
host_routes_format(const struct topology *t, struct ds *s)
{
    struct routes r = { .n = 0 };
    const struct port *port;
    const struct vn *vn;

    HMAP_FOR_EACH (vn, name_node, &t->vns) {
        if (!ovs_list_is_empty(&vn->gateways)) {
            HMAP_FOR_EACH (port, vn_node, &vn->ports) {
                add_port(&r, t, port);
            }
        }
    }
    sort_routes(&r);
    format_version(&r, true, s);
    format_version(&r, false, s);
    free(r.routes);
    return r.n;
}
