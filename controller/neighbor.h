/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef NEIGHBOR_H
#define NEIGHBOR_H 1

/* Resolved underlay neighbors (C1).
 *
 * Open vSwitch looks up the MAC address of a tunnel's remote end when the
 * first packet wants to go there, and drops packets until it knows: a tenant
 * would lose its first packet, and a move its announcement.  So for every pair
 * of NVEs that have a VN in common, this module has each send probes to the
 * other through the tunnel, until one arrives, which proves the way.  Because
 * entries age, each NVE uses all of its ways from time to time.
 *
 * A probe is a frame of its own Ethernet type in VNI 0, which no VM can send;
 * its receiver hands it to the controller.
 *
 * Thread-safety: none; use from one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ds;
struct neighbors;
struct nve;
struct ofpbuf;

/* A message that makes 'from' send a probe. */
typedef void neighbor_send_cb(struct nve *from, struct ofpbuf *, void *aux);

/* The way from 'from' to 'to' has been proved, or is in doubt again. */
typedef void neighbor_changed_cb(struct nve *from, struct nve *to, void *aux);

struct neighbors *neighbors_create(neighbor_send_cb *, neighbor_changed_cb *,
                                   void *aux);
void neighbors_destroy(struct neighbors *);

/* 'a' and 'b' have one more, or one fewer, reason to reach each other. */
void neighbors_link(struct neighbors *, struct nve *a, struct nve *b);
void neighbors_unlink(struct neighbors *, struct nve *a, struct nve *b);

/* The session with 'nve' came up or its tunnels changed: its ways are proved
 * anew. */
void neighbors_nve_changed(struct neighbors *, struct nve *nve);

/* The session with 'nve' is gone. */
void neighbors_nve_down(struct neighbors *, struct nve *nve);

/* Tells whether 'nve' has changes to carry out.  Probes wait behind them in
 * its connection, so a second one is put off meanwhile, for up to ten
 * intervals. */
void neighbors_set_busy(struct neighbors *, const struct nve *, bool busy);

/* Returns true if 'from' is known to reach 'to'. */
bool neighbors_is_resolved(const struct neighbors *, const struct nve *from,
                           const struct nve *to);

/* Has 'hub' and each of the 'n' 'others' send to each other, if both are up,
 * so that they have the flows cached that the packets between them take. */
void neighbors_warm(struct neighbors *, const struct nve *hub,
                    const struct nve *const others[], size_t n);

/* If only one of 'a' and 'b' is up, has it probe the other, which proves
 * nothing, for nobody tells whether it arrives, but makes it resolve the
 * other's address.  Not if it has probed lately: each such probe to an NVE
 * that is dead is a broadcast in the underlay. */
void neighbors_resolve_blindly(struct neighbors *, const struct nve *a,
                               const struct nve *b, long long int now);

/* Number of ways between NVEs that are up which have not been proved. */
size_t neighbors_count_pending(const struct neighbors *);

/* A probe with 'payload' arrived at 'at'. */
void neighbors_probe_received(struct neighbors *, struct nve *at,
                              const void *payload, size_t size,
                              long long int now);

void neighbors_run(struct neighbors *, long long int now);
long long int neighbors_deadline(const struct neighbors *);

#endif /* neighbor.h */
