/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef QMP_MOVE_H
#define QMP_MOVE_H 1

/* The move of a VM and of its network, from the first question to the last
 * confirmation, or back to where it began.  It prints a timeline on standard
 * output and errors on standard error.
 *
 * With QMP_MOVE_HOLD the network is told *before* the VM stops, and so nobody
 * but us may decide when it stops.  QEMU does that as soon as what is left of
 * the memory can be sent within its "downtime-limit".  Hence the limit is 1 ms
 * until the network holds, and the bandwidth is lowered as the end of each
 * pass over the memory comes near: by how fast it was in the last 100 ms, QEMU
 * reckons what it can send within the limit, and with so little it cannot
 * finish.  (A guest that writes to none of its memory is left to finish.) */

#include <stdint.h>

enum qmp_move_trigger {
    QMP_MOVE_HOLD,              /* The network is told before the VM stops, */
    QMP_MOVE_PAUSED,            /* when it has stopped, */
    QMP_MOVE_ACTIVATE,          /* when it runs at its new place, */
    QMP_MOVE_ANNOUNCE           /* or nothing: it hears the VM speak. */
};

struct qmp_move_options {
    enum qmp_move_trigger trigger;
    const char *db;             /* Null: what nva-ctl takes by itself. */
    int64_t bandwidth;          /* In bytes/s; 0: what QEMU is set to. */
    unsigned int downtime_ms;
    unsigned int timeout_s;
    const char *source, *destination;   /* Monitors, for qmp_open(). */
    const char *uri;
    const char *port, *nve;
};

/* Exit status: 0 if the VM and its network have moved, else: */
enum {
    QMP_MOVE_NOT_MOVED = 1,     /* All is as it was before. */
    QMP_MOVE_UNCLEAR = 2        /* Somebody has to look. */
};

/* Returns the exit status. */
int qmp_move(const struct qmp_move_options *);

#endif /* qmp-move.h */
