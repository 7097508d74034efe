/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef PROBER_H
#define PROBER_H 1

/* Asking a VM on the move whether it is there (A3, A5, N4).
 *
 * A VM that runs at its new place and says nothing would stay unreachable: the
 * announcement that the hypervisor sends may be lost, or there is none.  So
 * while a move is prepared, this module has both NVEs send unicast ARP
 * requests and neighbor solicitations to the VM's interface.  What the VM
 * answers at the new place is a frame like any other and switches the move in
 * the data path.  What it answers at the old place says only that it has not
 * left yet.  A VM that answers at neither is silent, which is reported once,
 * and so is its return.
 *
 * The new place is asked after 0.5 s and then with intervals that double, for
 * the requests wait in the queue of an interface where nobody runs yet: up to
 * 60 s while the VM answers at the old place, up to 5 s otherwise.  The old
 * place is asked every 5 s; when a VM that has answered there does not any
 * more, the intervals at the new place begin anew.
 *
 * A port without IP addresses cannot be asked and is never silent.  Of
 * several addresses of a family each request takes the next one.
 *
 * The module does no I/O and belongs to no move: its owner says what to probe
 * and passes answers on.
 *
 * Thread-safety: none; use from one thread. */

#include <stdbool.h>

struct nve;
struct ofpbuf;
struct port;
struct probe;
struct prober;
struct topology;

struct prober_class {
    /* A packet-out for 'at', which becomes the callee's.  Returns false if
     * 'at' cannot be reached: then nothing follows from there being no
     * answer. */
    bool (*send)(struct nve *at, struct ofpbuf *, void *aux);

    /* prober_is_silent() of the probe of 'owner' has changed. */
    void (*changed)(void *owner, void *aux);
};

struct prober *prober_create(const struct topology *,
                             const struct prober_class *, void *aux);

/* Also removes all probes that are left. */
void prober_destroy(struct prober *);

/* A VM that has not answered for 'timeout_ms' is silent; 0 for never.  This is
 * looked at whenever the old place is asked. */
void prober_set_timeout(struct prober *, long long int timeout_ms);

/* Begins to ask for 'port' at 'old' and 'new'.  All three must stay until
 * prober_remove(). */
struct probe *prober_add(struct prober *, const struct port *,
                         struct nve *old, struct nve *new, void *owner,
                         long long int now);
void prober_remove(struct prober *, struct probe *);

/* The VM answered 'at' one of its places. */
void prober_answered(struct prober *, struct probe *, const struct nve *at,
                     long long int now);

/* Returns true if the VM answers nowhere. */
bool prober_is_silent(const struct probe *);

/* Returns when the VM answered last, or was asked first. */
long long int prober_get_heard(const struct probe *);

/* Returns how many requests have been sent. */
unsigned int prober_count(const struct probe *);

void prober_run(struct prober *, long long int now);
long long int prober_deadline(const struct prober *);

#endif /* prober.h */
