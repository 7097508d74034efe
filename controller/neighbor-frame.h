/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef NEIGHBOR_FRAME_H
#define NEIGHBOR_FRAME_H 1

/* The frames by which NVEs reach each other for neighbor.h, as packet-outs.
 *
 * Thread-safety: none; use from one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "neighbor.h"
#include "openvswitch/ofpbuf.h"

/* Returns a packet-out that makes 'from' send a probe to 'to', or null if it
 * has no tunnel for that. */
struct ofpbuf *neighbor_encode_probe(const struct nve *from,
                                     const struct nve *to);

/* Sets '*from' and '*to' to the ids of NVEs in a probe with 'payload'.
 * Returns false if it is none. */
bool neighbor_decode_probe(const void *payload, size_t size, uint64_t *from,
                           uint64_t *to);

/* Messages that make 'from' send a frame that nobody answers to several
 * NVEs. */
struct neighbor_batch {
    struct nve *from;
    neighbor_send_cb *send;
    void *aux;
    struct ofpbuf ofpacts;
    size_t n;
};

void neighbor_batch_init(struct neighbor_batch *, struct nve *from,
                         neighbor_send_cb *, void *aux);

/* Has 'batch->from' send to 'to', too, if it has a tunnel for that. */
void neighbor_batch_add(struct neighbor_batch *, const struct nve *to);

/* Sends what has not been sent, and frees what 'batch' holds. */
void neighbor_batch_finish(struct neighbor_batch *);

#endif /* neighbor-frame.h */
