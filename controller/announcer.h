/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef ANNOUNCER_H
#define ANNOUNCER_H 1

/* Telling a physical network, on behalf of a VM or a gateway, that it has
 * moved (A9, N8).
 *
 * Switches behind the uplink of an NVE learn from what they see where an
 * address is, and hosts there keep ARP entries.  So after a cut-over the new
 * NVE sends out of its uplink what the VM could have sent: a RARP with its MAC
 * address, a gratuitous ARP request for each of its IPv4 addresses, an
 * unsolicited neighbor advertisement for each of its IPv6 addresses.  They may
 * get lost, so they are repeated after 50, 100, 200... ms, as often as the
 * owner says, or until he has seen that they had an effect and stops them.
 * The same goes for the addresses of a gateway that another NVE had before,
 * whose announcements are made to the end.
 *
 * The module does no I/O.
 *
 * Thread-safety: none; use from one thread. */

struct announcement;
struct announcer;
struct gateway;
struct nve;
struct ofpbuf;
struct port;

struct announcer_class {
    /* A packet-out for 'at', which becomes the callee's. */
    void (*send)(struct nve *at, struct ofpbuf *, void *aux);

    /* The announcement of 'owner' has been made as often as it shall be, and
     * there was time for an effect.  The callee may stop it. */
    void (*finished)(void *owner, void *aux);
};

struct announcer *announcer_create(const struct announcer_class *, void *aux);

/* Also stops all announcements that are left. */
void announcer_destroy(struct announcer *);

/* Begins to announce 'port' through the uplink of 'nve' into its VN, 'count'
 * times.  Both must stay until announcer_stop(). */
struct announcement *announcer_start(struct announcer *, const struct port *,
                                     struct nve *, unsigned int count,
                                     void *owner, long long int now);

/* The same for the addresses of 'gw' in its VN.  It is the owner. */
struct announcement *announcer_start_gateway(struct announcer *,
                                             struct gateway *gw,
                                             unsigned int count,
                                             long long int now);
void announcer_stop(struct announcer *, struct announcement *);

/* Returns how often it has been made. */
unsigned int announcer_count(const struct announcement *);

void announcer_run(struct announcer *, long long int now);
long long int announcer_deadline(const struct announcer *);

#endif /* announcer.h */
