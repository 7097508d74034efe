/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "announcer.h"

#include <limits.h>
#include <stdlib.h>

#include "coverage.h"
#include "dp-packet.h"
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
    const struct port *port;
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

struct announcement *
announcer_start(struct announcer *announcer, const struct port *port,
                struct nve *nve, unsigned int count, void *owner,
                long long int now)
{
    struct announcement *a = xzalloc(sizeof *a);

    a->port = port;
    a->nve = nve;
    a->owner = owner;
    a->n_left = count;
    a->next_at = now;
    a->interval = INTERVAL_MS;
    heap_insert(&announcer->heap, &a->node, priority(a));
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

/* Sends 'p' out of 'uplink' and forgets it. */
static void
send_packet(struct announcer *announcer, const struct uplink *uplink,
            struct nve *nve, struct dp_packet *p)
{
    if (uplink->vlan) {
        eth_push_vlan(p, htons(ETH_TYPE_VLAN), htons(uplink->vlan));
    }
    announcer->class->send(nve, packet_out_to(dp_packet_data(p),
                                           dp_packet_size(p), uplink->ofport),
                           announcer->aux);
    dp_packet_clear(p);
}

/* What the VM would say, once. */
static void
announce(struct announcer *announcer, struct announcement *a)
{
    static const struct in6_addr all_nodes = IN6ADDR_ALL_HOSTS_INIT;
    static const struct eth_addr all_nodes_mac
        = ETH_ADDR_C(33,33,00,00,00,01);
    const struct uplink *uplink = topology_find_uplink(a->nve, a->port->vn);
    struct eth_addr mac = a->port->mac;
    struct dp_packet p;

    if (!uplink) {
        return;
    }
    COVERAGE_INC(announcer_sent);
    dp_packet_init(&p, 0);
    compose_rarp(&p, mac);
    send_packet(announcer, uplink, a->nve, &p);
    for (size_t i = 0; i < a->port->n_ips; i++) {
        const struct in6_addr *ip = &a->port->ips[i];

        if (topology_is_ipv4(ip)) {
            ovs_be32 ip4 = in6_addr_get_mapped_ipv4(ip);

            compose_arp(&p, ARP_OP_REQUEST, mac, eth_addr_zero, true, ip4,
                        ip4);
        } else {
            compose_nd_na(&p, mac, all_nodes_mac, ip, &all_nodes,
                          htonl(ND_RSO_OVERRIDE));
        }
        send_packet(announcer, uplink, a->nve, &p);
    }
    dp_packet_uninit(&p);
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
