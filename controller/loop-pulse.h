/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef LOOP_PULSE_H
#define LOOP_PULSE_H 1

/* When to ask a silent peer for a sign of life, when to give it up, and how
 * long to wait before the next attempt to connect.
 *
 * A peer to which something was sent is asked soon, one that is idle seldom:
 * with many connections, to ask and to be asked is all that there is to do.
 *
 * Does no I/O and reads no clock: 'now' is in ms, and so is what the functions
 * return. */

#include <stdbool.h>

struct loop_pulse {
    int backoff;
    int interval;               /* How long one that is idle may be silent. */
    int n_probes;               /* Since 'received'. */
    long long int up;           /* When it came up. */
    long long int received;     /* When something was last received. */
    long long int sent;         /* When something was first sent after that;
                                 * LLONG_MAX if it was not. */
    long long int probed;       /* When the peer was last asked. */
};

enum loop_pulse_action {
    LOOP_PULSE_WAIT,
    LOOP_PULSE_PROBE,           /* Send an echo request. */
    LOOP_PULSE_GIVE_UP
};

/* Makes it that of a connection that never was up, with the interval that is
 * the default. */
void loop_pulse_init(struct loop_pulse *);

/* Notes that the connection is up; returns when to call loop_pulse_run(). */
int loop_pulse_up(struct loop_pulse *, long long int now);

/* Notes that something was received. */
void loop_pulse_received(struct loop_pulse *, long long int now);

/* Notes that something was sent.  Returns true if loop_pulse_run() now wants
 * to be called sooner than it has said before, after '*delay'. */
bool loop_pulse_sent(struct loop_pulse *, long long int now, int *delay);

/* Returns what to do about a connection that is up, and stores in '*delay'
 * after how long to ask again. */
enum loop_pulse_action loop_pulse_run(struct loop_pulse *, long long int now,
                                      int *delay);

/* Returns how long to wait before the next attempt, after a failed one, or, if
 * 'was_up', after the connection was lost. */
int loop_pulse_down(struct loop_pulse *, long long int now, bool was_up);

/* Whether attempts have failed for so long that the delay grows no more. */
bool loop_pulse_is_hopeless(const struct loop_pulse *);

#endif /* loop-pulse.h */
