/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "announcer.h"

#include <limits.h>
#include <stdlib.h>

#include "coverage.h"
#include "dp-packet.h"
#include "gateway.h"
#include "heap.h"
#include "openvswitch/ofpbuf.h"
#include "packet-out.h"
#include "packets.h"
#include "topology.h"
#include "util.h"

COVERAGE_DEFINE(announcer_sent);

/* The first interval. */
#define INTERVAL_MS 50

/* How long to wait for an effect of the last one. */
#define LAST_MS 100

struct announcement {
    struct heap_node node;      /* In the announcer's 'heap'. */
    const struct port *port;    /* Either this ... */
    const struct gateway *gw;   /* ... or this. */
    struct nve *nve;
    void *owner;
    unsigned int n_left, n_sent;
    long long int next_at;
    long long int interval;
};

struct announcer {
    const struct announcer_class *class;
    void *aux;
    struct heap heap;           /* Contains "struct announcement"s, the next
                                 * one first. */
};

struct announcer *
announcer_create(const struct announcer_class *class, void *aux)
{
    struct announcer *announcer = xzalloc(sizeof *announcer);

    announcer->class = class;
    announcer->aux = aux;
    heap_init(&announcer->heap);
    return announcer;
}

void
announcer_destroy(struct announcer *announcer)
{
    if (announcer) {
        while (!heap_is_empty(&announcer->heap)) {
            free(CONTAINER_OF(heap_pop(&announcer->heap),
                              struct announcement, node));
        }
        heap_destroy(&announcer->heap);
        free(announcer);
    }
}

/* The heap has the highest priority first. */
static uint64_t
priority(const struct announcement *a)
{
    return UINT64_MAX - a->next_at;
}

static struct announcement *
start(struct announcer *announcer, struct nve *nve, unsigned int count,
      void *owner, long long int now)
{
    struct announcement *a = xzalloc(sizeof *a);

    a->nve = nve;
    a->owner = owner;
    a->n_left = count;
    a->next_at = now;
    a->interval = INTERVAL_MS;
    heap_insert(&announcer->heap, &a->node, priority(a));
    return a;
}

struct announcement *
announcer_start(struct announcer *announcer, const struct port *port,
                struct nve *nve, unsigned int count, void *owner,
                long long int now)
{
    struct announcement *a = start(announcer, nve, count, owner, now);

    a->port = port;
    return a;
}

struct announcement *
announcer_start_gateway(struct announcer *announcer, struct gateway *gw,
                        unsigned int count, long long int now)
{
    struct announcement *a = start(announcer, gw->nve, count, gw, now);

    a->gw = gw;
    return a;
}

void
announcer_stop(struct announcer *announcer, struct announcement *a)
{
    if (a) {
        heap_remove(&announcer->heap, &a->node);
        free(a);
    }
}

unsigned int
announcer_count(const struct announcement *a)
{
    return a->n_sent;
}

/* What is said once: by whom, and where. */
struct speech {
    struct announcer *announcer;
    const struct uplink *uplink;
    struct nve *nve;
    struct eth_addr mac;
    ovs_be32 rso;               /* Flags of neighbor advertisements. */
};

/* Sends 'p' and forgets it. */
static void
send_packet(const struct speech *s, struct dp_packet *p)
{
    if (s->uplink->vlan) {
        eth_push_vlan(p, htons(ETH_TYPE_VLAN), htons(s->uplink->vlan));
    }
    s->announcer->class->send(s->nve,
                              packet_out_to(dp_packet_data(p),
                                            dp_packet_size(p),
                                            s->uplink->ofport),
                              s->announcer->aux);
    dp_packet_clear(p);
}

static void
send_address(const struct speech *s, const struct in6_addr *ip)
{
    static const struct in6_addr all_nodes = IN6ADDR_ALL_HOSTS_INIT;
    static const struct eth_addr all_nodes_mac
        = ETH_ADDR_C(33,33,00,00,00,01);
    struct dp_packet p;

    dp_packet_init(&p, 0);
    if (topology_is_ipv4(ip)) {
        ovs_be32 ip4 = in6_addr_get_mapped_ipv4(ip);

        compose_arp(&p, ARP_OP_REQUEST, s->mac, eth_addr_zero, true, ip4, ip4);
    } else {
        compose_nd_na(&p, s->mac, all_nodes_mac, ip, &all_nodes, s->rso);
    }
    send_packet(s, &p);
    dp_packet_uninit(&p);
}

/* What the VM would say, or the gateway, once.  An advertisement of a router
 * that did not say so would take it from the list of routers (RFC 4861 section
 * 7.2.5). */
static void
announce(struct announcer *announcer, struct announcement *a)
{
    const struct vn *vn = a->gw ? a->gw->vn : a->port->vn;
    struct speech s = {
        .announcer = announcer,
        .uplink = topology_find_uplink(a->nve, vn),
        .nve = a->nve,
        .mac = a->gw ? a->gw->config->mac : a->port->mac,
        .rso = htonl(ND_RSO_OVERRIDE | (a->gw ? ND_RSO_ROUTER : 0)),
    };
    struct dp_packet p;

    if (!s.uplink) {
        return;
    }
    COVERAGE_INC(announcer_sent);
    dp_packet_init(&p, 0);
    compose_rarp(&p, s.mac);
    send_packet(&s, &p);
    dp_packet_uninit(&p);
    for (size_t i = 0; a->port && i < a->port->n_ips; i++) {
        send_address(&s, &a->port->ips[i]);
    }
    for (size_t i = 0; a->gw && i < a->gw->config->n_ips; i++) {
        send_address(&s, &a->gw->config->ips[i].ip);
    }
}

void
announcer_run(struct announcer *announcer, long long int now)
{
    while (announcer_deadline(announcer) <= now) {
        struct announcement *a = CONTAINER_OF(heap_max(&announcer->heap),
                                              struct announcement, node);
        bool finished = !a->n_left;

        if (finished) {
            a->next_at = LLONG_MAX;
        } else {
            announce(announcer, a);
            a->n_sent++;
            a->next_at = now + (--a->n_left ? a->interval : LAST_MS);
            a->interval *= 2;
        }
        heap_change(&announcer->heap, &a->node, priority(a));
        if (finished) {
            announcer->class->finished(a->owner, announcer->aux);
        }
    }
}

long long int
announcer_deadline(const struct announcer *announcer)
{
    return (heap_is_empty(&announcer->heap) ? LLONG_MAX
            : CONTAINER_OF(heap_max(&announcer->heap),
                           struct announcement, node)->next_at);
}
