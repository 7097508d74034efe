/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef WATCH_H
#define WATCH_H 1

/* Which NVEs watch each other, and what follows from what they see (V10).
 *
 * An NVE with a gateway of a VN that has others is watched by other NVEs, with
 * a BFD session (RFC 5880) through the underlay for each two.  The gateways of
 * a VN are a ring in the order of the names of their NVEs.  If there are only
 * two, they cannot tell which of them is cut off; so a third NVE of the VN,
 * the witness, watches both.  Sessions serve all VNs that have a use for them.
 *
 * A session is two "struct watch_end"s, each with what its NVE reports of the
 * other one.  Who opens sessions and hears of them is the owner's business.
 *
 * Thread-safety: none; use from one thread. */

#include <stdbool.h>
#include <stddef.h>
#include "openvswitch/list.h"

struct nve;
struct topology;
struct vn;

enum watch_report { WATCH_UNKNOWN, WATCH_UP, WATCH_DOWN };

struct watch_end {
    struct ovs_list nve_node;   /* In the 'watches' of 'nve'. */
    struct nve *nve;            /* Who watches ... */
    struct nve *other;          /* ... whom. */
    struct watch_end *reverse;
    enum watch_report report;
    bool wanted;                /* False only while watch_plan() runs. */
};

/* The sessions of 'nve' are others than before. */
typedef void watch_changed_cb(struct nve *, void *aux);

/* Makes the sessions those that the gateways want; none at all if not
 * 'enabled'.  A witness stays one as long as it can.  Returns how many VNs
 * have two gateways and no witness. */
size_t watch_plan(struct topology *, bool enabled, watch_changed_cb *,
                  void *aux);

/* Returns true if 'vn' has two gateways, and nobody watches both NVEs. */
bool watch_lacks_witness(const struct vn *);

/* 'nve' is about to vanish: ends its sessions. */
void watch_nve_gone(struct nve *, watch_changed_cb *, void *aux);

/* Returns the end with which 'nve' watches 'other', or null. */
struct watch_end *watch_find(const struct nve *, const struct nve *other);

enum watch_verdict {
    WATCH_NO_VERDICT,           /* Nobody knows, or nobody can be sure. */
    WATCH_ALIVE,                /* Somebody hears it. */
    WATCH_FAILED
};

/* Returns what is to be thought of 'nve'.  Only the reports of NVEs for which
 * 'is_credible' is true count.  It has failed if none of them hears it, though
 * one of them hears yet another NVE, and so is not cut off itself; or if
 * 'is_credible' is false for 'nve', too. */
enum watch_verdict watch_judge(const struct nve *nve,
                               bool (*is_credible)(const struct nve *));

#endif /* watch.h */
