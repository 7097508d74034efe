/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef FAULT_H
#define FAULT_H 1

/* Faults on order, for tests: has the controller die, stop, or lose an NVE at
 * a named point of the procedure of a move.
 *
 * There is one only if the controller was started with --enable-faults.  All
 * functions take a null pointer, and then do nothing.
 *
 * Registers the command nva/fault of ovs-appctl.  Thread-safety: none; use
 * from one thread. */

#include <stdbool.h>

struct faults;

/* Points at which something can be ordered to happen.  C name, name in the
 * command, meaning.  Each is reached when what it says has just happened. */
#define FAULT_POINTS                                                        \
    FAULT_POINT(NOW, "now", "the command itself")                           \
    FAULT_POINT(REQUESTED, "move-requested",                                \
                "all NVEs have been told to prepare")                       \
    FAULT_POINT(PREPARED, "move-prepared", "all have confirmed")            \
    FAULT_POINT(TRIGGERED, "triggered", "the VM was heard")                 \
    FAULT_POINT(COMMIT_NEW_SENT, "commit-new-sent",                         \
                "COMMIT was sent to the new NVE")                           \
    FAULT_POINT(COMMITTED_NEW, "committed-new",                             \
                "the new NVE has confirmed: no way back")                   \
    FAULT_POINT(COMMIT_REST_SENT, "commit-rest-sent",                       \
                "COMMIT was sent to the old NVE and all peers")             \
    FAULT_POINT(COMMITTED_OLD, "committed-old",                             \
                "the old NVE has confirmed")                                \
    FAULT_POINT(PEERS_SWITCHED, "peers-switched",                           \
                "all that are connected have confirmed")                    \
    FAULT_POINT(DRAINING, "draining",                                       \
                "the counter of the redirect was read")                     \
    FAULT_POINT(RECORDING, "recording",                                     \
                "the new place is being written to the database")           \
    FAULT_POINT(RECORDED, "before-remove", "it has been written")           \
    FAULT_POINT(REMOVED, "removed", "the traces of the move were removed")  \
    FAULT_POINT(UNDONE, "undone", "a move that failed was taken back")

enum fault_point {
#define FAULT_POINT(NAME, STRING, MEANING) FAULT_##NAME,
    FAULT_POINTS
#undef FAULT_POINT
    N_FAULT_POINTS
};

/* Drops the connections of the NVE called 'name', as if it were the network;
 * returns false if there is no such NVE. */
typedef bool fault_disconnect_cb(const char *name, void *aux);

struct faults *faults_create(fault_disconnect_cb *, void *aux);
void faults_destroy(struct faults *);

/* 'point' has been reached: carries out what was ordered for it, once. */
void faults_reached(struct faults *, enum fault_point point);

#endif /* fault.h */
