/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "gateway.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "topology.h"
#include "util.h"

/* Life. */

static bool
number_is_taken(const struct nve *nve, uint16_t number)
{
    const struct gateway *gw;

    LIST_FOR_EACH (gw, nve_node, &nve->gateways) {
        if (gw->number == number) {
            return true;
        }
    }
    return false;
}

struct gateway *
gateway_add(const char *name, uint64_t id, struct vn *vn, struct nve *nve)
{
    struct gateway *gw = xzalloc(sizeof *gw);

    ovs_assert(!gateway_at(vn, nve));
    gw->name = xstrdup(name);
    gw->id = id;
    gw->vn = vn;
    gw->nve = nve;

    /* The same after a restart, if nothing gets into its way. */
    gw->number = hash_uint64(id);
    while (number_is_taken(nve, gw->number)) {
        gw->number++;
    }
    ovs_list_push_back(&vn->gateways, &gw->vn_node);
    ovs_list_push_back(&nve->gateways, &gw->nve_node);
    return gw;
}

/* Each gateway of an NVE that translates has a zone of its own. */
static bool
zone_is_taken(const struct gateway *gw, uint16_t zone)
{
    const struct gateway *other;

    LIST_FOR_EACH (other, nve_node, &gw->nve->gateways) {
        if (other != gw && other->zone == zone) {
            return true;
        }
    }
    return false;
}

void
gateway_set_snat(struct gateway *gw, const struct in6_addr *ip)
{
    if (ipv6_addr_equals(&gw->snat, ip)) {
        return;
    }
    gw->snat = *ip;
    gw->zone = 0;
    if (ipv6_addr_is_set(ip)) {
        /* The same after a restart, if nothing gets into its way. */
        gw->zone = (GATEWAY_MIN_ZONE
                    | hash_bytes(ip, sizeof *ip, hash_uint64(gw->id)));
        while (zone_is_taken(gw, gw->zone)) {
            gw->zone = GATEWAY_MIN_ZONE | (gw->zone + 1);
        }
    }
}

void
gateway_unlink(struct gateway *gw)
{
    ovs_list_remove(&gw->vn_node);
    ovs_list_remove(&gw->nve_node);
}

void
gateway_free(struct gateway *gw)
{
    free(gw->lost_uplink);
    free(gw->name);
    free(gw);
}

/* Questions. */

struct gateway *
gateway_find(const struct vn *vn, const char *name)
{
    struct gateway *gw;

    LIST_FOR_EACH (gw, vn_node, &vn->gateways) {
        if (!strcmp(gw->name, name)) {
            return gw;
        }
    }
    return NULL;
}

struct gateway *
gateway_find_by_id(const struct topology *t, uint64_t id)
{
    struct gateway *gw;
    struct vn *vn;

    HMAP_FOR_EACH (vn, name_node, &t->vns) {
        LIST_FOR_EACH (gw, vn_node, &vn->gateways) {
            if (gw->id == id) {
                return gw;
            }
        }
    }
    return NULL;
}

struct gateway *
gateway_at(const struct vn *vn, const struct nve *nve)
{
    struct gateway *gw;

    LIST_FOR_EACH (gw, vn_node, &vn->gateways) {
        if (gw->nve == nve) {
            return gw;
        }
    }
    return NULL;
}

static int
metric_at(const struct gateway *gw, const struct nve *nve)
{
    const struct simap_node *node = simap_find(&gw->config->metrics,
                                               nve->name);

    return node ? (int) node->data : gw->config->metric;
}

/* Returns true if ports at 'nve' prefer 'a' to 'b'. */
static bool
is_nearer(const struct gateway *a, const struct gateway *b,
          const struct nve *nve)
{
    int ma = metric_at(a, nve);
    int mb = metric_at(b, nve);

    return (ma != mb ? ma < mb
            : (a->nve == nve) != (b->nve == nve) ? a->nve == nve
            : strcmp(a->name, b->name) < 0);
}

const struct uplink *
gateway_lost_uplink(const struct gateway *gw, const struct topology *t)
{
    const struct uplink *uplink;

    LIST_FOR_EACH (uplink, nve_node, &gw->nve->uplinks) {
        if (uplink->down) {
            const struct vn *vn = topology_find_vn(t, uplink->vn_name);

            if (vn && (vn == gw->vn || gateway_names(gw->config, vn))) {
                return uplink;
            }
        }
    }
    return NULL;
}

bool
gateway_has_failed(const struct gateway *gw)
{
    return gw->nve->failed || gw->lost_uplink;
}

enum gateway_fitness
gateway_fitness(const struct gateway *gw)
{
    return (gw->config->drain ? GATEWAY_DRAINED
            : gateway_has_failed(gw) ? GATEWAY_FAILED
            : gw->ready ? GATEWAY_READY : GATEWAY_USABLE);
}

bool
gateway_is_usable(const struct gateway *gw)
{
    return gateway_fitness(gw) >= GATEWAY_USABLE;
}

struct gateway *
gateway_nearest(const struct vn *vn, const struct nve *nve,
                enum gateway_fitness min)
{
    struct gateway *best = NULL;
    struct gateway *gw;

    LIST_FOR_EACH (gw, vn_node, &vn->gateways) {
        if (gateway_fitness(gw) >= min
            && (!best || is_nearer(gw, best, nve))) {
            best = gw;
        }
    }
    return best;
}

struct eth_addr
gateway_own_mac(const struct gateway *gw)
{
    struct eth_addr mac;

    eth_addr_from_uint64(gw->id, &mac);
    eth_addr_mark_random(&mac);
    return mac;
}

bool
gateway_precedes(const struct gateway *a, const struct gateway *b)
{
    int ma = a->config->metric;
    int mb = b->config->metric;

    return ma != mb ? ma < mb : strcmp(a->name, b->name) < 0;
}

bool
gateway_names(const struct gateway_config *config, const struct vn *vn)
{
    for (size_t i = 0; i < config->n_vns; i++) {
        if (config->vns[i] == vn->id) {
            return true;
        }
    }
    return false;
}

bool
gateway_reaches(const struct gateway *gw, const struct vn *vn,
                struct gateway **other)
{
    *other = gateway_names(gw->config, vn) ? gateway_at(vn, gw->nve) : NULL;
    return *other != NULL;
}

bool
gateway_is_exit(const struct gateway *gw)
{
    return gw->config->n_next_hops || topology_find_uplink(gw->nve, gw->vn);
}

/* Returns any gateway of 'vn', or null.  All have the same addresses. */
static const struct gateway *
any_gateway(const struct vn *vn)
{
    return (ovs_list_is_empty(&vn->gateways) ? NULL
            : CONTAINER_OF(ovs_list_front(&vn->gateways), struct gateway,
                           vn_node));
}

const struct gateway *
gateway_find_by_mac(const struct vn *vn, struct eth_addr mac)
{
    const struct gateway *gw = any_gateway(vn);

    return gw && eth_addr_equals(gw->config->mac, mac) ? gw : NULL;
}

const struct gateway *
gateway_find_by_ip(const struct vn *vn, const struct in6_addr *ip)
{
    const struct gateway *gw = any_gateway(vn);

    for (size_t i = 0; gw && i < gw->config->n_ips; i++) {
        if (ipv6_addr_equals(&gw->config->ips[i].ip, ip)) {
            return gw;
        }
    }
    return NULL;
}

bool
gateway_has_next_hop(const struct gateway *gw, const struct in6_addr *ip)
{
    for (size_t i = 0; i < gw->config->n_next_hops; i++) {
        if (ipv6_addr_equals(&gw->config->next_hops[i], ip)) {
            return true;
        }
    }
    return false;
}

bool
gateway_is_neighbor(const struct gateway_config *config,
                    const struct in6_addr *ip)
{
    for (size_t i = 0; i < config->n_ips; i++) {
        if (gateway_prefix_contains(&config->ips[i], ip)) {
            return true;
        }
    }
    return false;
}

/* Prefixes. */

bool
gateway_parse_prefix(const char *s, struct gateway_prefix *prefix)
{
    char *error;
    ovs_be32 ip4;

    if (!strchr(s, '/')) {
        return false;
    }
    error = ip_parse_cidr(s, &ip4, &prefix->plen);
    if (!error) {
        prefix->ip = in6_addr_mapped_ipv4(ip4);
        prefix->plen += 96;
        return true;
    }
    free(error);
    error = ipv6_parse_cidr(s, &prefix->ip, &prefix->plen);
    if (error) {
        free(error);
        return false;
    }
    return !IN6_IS_ADDR_V4MAPPED(&prefix->ip);
}

bool
gateway_is_link_local(const struct gateway_prefix *prefix)
{
    return IN6_IS_ADDR_LINKLOCAL(&prefix->ip);
}

static struct in6_addr
prefix_network(const struct gateway_prefix *prefix)
{
    struct in6_addr mask = ipv6_create_mask(prefix->plen);

    return ipv6_addr_bitand(&prefix->ip, &mask);
}

bool
gateway_prefix_contains(const struct gateway_prefix *prefix,
                        const struct in6_addr *ip)
{
    const struct gateway_prefix other = { *ip, prefix->plen };

    return !gateway_compare_prefixes(prefix, &other);
}

void
gateway_put_match(struct ds *s, const struct gateway_prefix *prefix,
                  const char *field)
{
    struct in6_addr network = prefix_network(prefix);

    if (IN6_IS_ADDR_V4MAPPED(&prefix->ip)) {
        ds_put_format(s, "ip,nw_%s="IP_FMT"/%u", field,
                      IP_ARGS(in6_addr_get_mapped_ipv4(&network)),
                      prefix->plen - 96);
    } else {
        ds_put_format(s, "ipv6,ipv6_%s=", field);
        ipv6_format_addr(&network, s);
        ds_put_format(s, "/%u", prefix->plen);
    }
}

int
gateway_compare_prefixes(const struct gateway_prefix *a,
                         const struct gateway_prefix *b)
{
    struct in6_addr na = prefix_network(a);
    struct in6_addr nb = prefix_network(b);

    return (a->plen != b->plen ? (a->plen < b->plen ? -1 : 1)
            : memcmp(&na, &nb, sizeof na));
}
