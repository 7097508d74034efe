/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "prober.h"

#include <limits.h>
#include <stdlib.h>

#include "coverage.h"
#include "dp-packet.h"
#include "flow-tables.h"
#include "heap.h"
#include "openvswitch/ofpbuf.h"
#include "packet-out.h"
#include "packets.h"
#include "topology.h"
#include "util.h"

COVERAGE_DEFINE(prober_sent);
COVERAGE_DEFINE(prober_answered);

/* Intervals at the new place: the shortest, the longest, and the longest while
 * the VM may be there. */
#define NEW_MIN_MS 500
#define NEW_MAX_MS 60000
#define NEW_AWAITED_MAX_MS 5000

/* Interval at the old place. */
#define OLD_MS 5000

/* A place where the VM may be. */
struct spot {
    struct nve *nve;
    unsigned int n_rounds;      /* How often the VM has been asked here. */
    bool asked;                 /* Had it been here, it would have answered
                                 * the last time. */
};

struct probe {
    struct heap_node node;      /* In the prober's 'heap'. */
    const struct port *port;
    void *owner;
    struct spot old, new;
    long long int old_at, new_at; /* When to ask there next. */
    long long int interval;     /* At the new place. */
    bool old_alive;             /* The VM is at the old place, ... */
    bool old_answered;          /* ... and answered the last request there. */
    long long int heard_at;     /* Of the last answer, or of the start. */
    bool silent;
    unsigned int n_sent;
};

struct prober {
    const struct topology *topology;
    const struct prober_class *class;
    void *aux;
    long long int timeout_ms;
    struct heap heap;           /* Contains "struct probe"s, next one first. */
};

struct prober *
prober_create(const struct topology *t, const struct prober_class *class,
              void *aux)
{
    struct prober *prober = xzalloc(sizeof *prober);

    prober->topology = t;
    prober->class = class;
    prober->aux = aux;
    heap_init(&prober->heap);
    return prober;
}

void
prober_destroy(struct prober *prober)
{
    if (prober) {
        while (!heap_is_empty(&prober->heap)) {
            free(CONTAINER_OF(heap_pop(&prober->heap), struct probe, node));
        }
        heap_destroy(&prober->heap);
        free(prober);
    }
}

void
prober_set_timeout(struct prober *prober, long long int timeout_ms)
{
    prober->timeout_ms = timeout_ms;
}

static long long int
probe_deadline(const struct probe *probe)
{
    return MIN(probe->old_at, probe->new_at);
}

/* The heap has the highest priority first. */
static uint64_t
probe_priority(const struct probe *probe)
{
    return UINT64_MAX - probe_deadline(probe);
}

struct probe *
prober_add(struct prober *prober, const struct port *port, struct nve *old,
           struct nve *new, void *owner, long long int now)
{
    struct probe *probe = xzalloc(sizeof *probe);

    probe->port = port;
    probe->owner = owner;
    probe->old.nve = old;
    probe->new.nve = new;
    probe->interval = NEW_MIN_MS;
    probe->old_at = probe->new_at = now + NEW_MIN_MS;
    probe->heard_at = now;
    heap_insert(&prober->heap, &probe->node, probe_priority(probe));
    return probe;
}

void
prober_remove(struct prober *prober, struct probe *probe)
{
    if (probe) {
        heap_remove(&prober->heap, &probe->node);
        free(probe);
    }
}

static void
set_silent(struct prober *prober, struct probe *probe, bool silent)
{
    if (probe->silent != silent) {
        probe->silent = silent;
        prober->class->changed(probe->owner, prober->aux);
    }
}

void
prober_answered(struct prober *prober, struct probe *probe,
                const struct nve *at, long long int now)
{
    COVERAGE_INC(prober_answered);
    if (at == probe->old.nve) {
        probe->old_answered = probe->old_alive = true;
    }
    probe->heard_at = now;
    set_silent(prober, probe, false);
}

bool
prober_is_silent(const struct probe *probe)
{
    return probe->silent;
}

long long int
prober_get_heard(const struct probe *probe)
{
    return probe->heard_at;
}

unsigned int
prober_count(const struct probe *probe)
{
    return probe->n_sent;
}

/* Requests. */

/* Returns the address of 'port' for request number 'round', or null if it has
 * none of that family. */
static const struct in6_addr *
pick_ip(const struct port *port, bool ipv4, unsigned int round)
{
    unsigned int n = 0;

    for (size_t i = 0; i < port->n_ips; i++) {
        n += topology_is_ipv4(&port->ips[i]) == ipv4;
    }
    if (n) {
        unsigned int skip = round % n;

        for (size_t i = 0; i < port->n_ips; i++) {
            if (topology_is_ipv4(&port->ips[i]) == ipv4 && !skip--) {
                return &port->ips[i];
            }
        }
    }
    return NULL;
}

/* RFC 5227 section 2.1.1: "An ARP Probe MUST be sent [...] with an all-zero
 * 'sender IP address'", lest it changes anybody's ARP cache.  Whoever has the
 * address answers it to the sender's MAC address. */
static void
compose_arp_probe(struct dp_packet *p, const struct port *port, ovs_be32 ip)
{
    compose_arp(p, ARP_OP_REQUEST, flow_nva_mac(), eth_addr_zero, false, 0,
                ip);
    ((struct eth_header *) dp_packet_eth(p))->eth_dst = port->mac;
}

/* RFC 4861 section 7.3.1: unicast, as in neighbor unreachability detection. */
static void
compose_unicast_ns(struct dp_packet *p, const struct port *port,
                   const struct in6_addr *ip)
{
    struct in6_addr lla;

    in6_generate_lla(flow_nva_mac(), &lla);
    compose_nd_ns(p, flow_nva_mac(), &lla, ip);
    packet_set_ipv6(p, &lla, ip, 0, 0, 255);
    ((struct eth_header *) dp_packet_eth(p))->eth_dst = port->mac;
}

/* Sends a request for 'ip' to 'ofport' at 'spot'. */
static void
send_request(struct prober *prober, struct probe *probe, struct spot *spot,
             const struct in6_addr *ip, ofp_port_t ofport)
{
    struct dp_packet p;

    dp_packet_init(&p, 0);
    if (topology_is_ipv4(ip)) {
        compose_arp_probe(&p, probe->port, in6_addr_get_mapped_ipv4(ip));
    } else {
        compose_unicast_ns(&p, probe->port, ip);
    }
    struct ofpbuf *msg = packet_out_to(dp_packet_data(&p), dp_packet_size(&p),
                                       ofport);
    if (prober->class->send(spot->nve, msg, prober->aux)) {
        COVERAGE_INC(prober_sent);
        probe->n_sent++;
    } else {
        spot->asked = false;
    }
    dp_packet_uninit(&p);
}

/* Asks the VM whether it is at 'spot', once in each family. */
static void
ask(struct prober *prober, struct probe *probe, struct spot *spot)
{
    const struct port *port = probe->port;
    const struct attachment *a;

    /* Where it has no interface it cannot be, and that needs no request. */
    spot->asked = port->n_ips > 0;
    a = topology_find_attachment(prober->topology, port->name, spot->nve);
    if (a) {
        for (int ipv4 = 0; ipv4 < 2; ipv4++) {
            const struct in6_addr *ip = pick_ip(port, ipv4, spot->n_rounds);

            if (ip) {
                send_request(prober, probe, spot, ip, a->ofport);
            }
        }
    }
    spot->n_rounds++;
}

static void
ask_new(struct prober *prober, struct probe *probe, long long int now)
{
    ask(prober, probe, &probe->new);
    probe->interval = MIN(2 * probe->interval,
                          probe->old_alive ? NEW_MAX_MS : NEW_AWAITED_MAX_MS);
    probe->new_at = now + probe->interval;
}

/* Draws conclusions from the last request at the old place. */
static void
look_back(struct prober *prober, struct probe *probe, long long int now)
{
    if (!probe->old.asked || !probe->new.asked) {
        probe->heard_at = now;  /* It had no chance. */
    } else if (!probe->old_answered) {
        if (probe->old_alive) {
            /* It has left. */
            probe->old_alive = false;
            probe->interval = NEW_MIN_MS;
            probe->new_at = now + NEW_MIN_MS;
        }
        if (prober->timeout_ms
            && now - probe->heard_at >= prober->timeout_ms) {
            set_silent(prober, probe, true);
        }
    }
}

static void
ask_old(struct prober *prober, struct probe *probe, long long int now)
{
    look_back(prober, probe, now);
    probe->old_answered = false;
    ask(prober, probe, &probe->old);
    probe->old_at = now + OLD_MS;
}

void
prober_run(struct prober *prober, long long int now)
{
    while (prober_deadline(prober) <= now) {
        struct probe *probe = CONTAINER_OF(heap_max(&prober->heap),
                                           struct probe, node);

        if (now >= probe->new_at) {
            ask_new(prober, probe, now);
        }
        if (now >= probe->old_at) {
            ask_old(prober, probe, now);
        }
        heap_change(&prober->heap, &probe->node, probe_priority(probe));
    }
}

long long int
prober_deadline(const struct prober *prober)
{
    return (heap_is_empty(&prober->heap) ? LLONG_MAX
            : probe_deadline(CONTAINER_OF(heap_max(&prober->heap),
                                          struct probe, node)));
}
