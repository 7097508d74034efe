/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "loop-pulse.h"

#include "util.h"

#define LOOP_PULSE_BACKOFF_MIN_MS 100
#define LOOP_PULSE_BACKOFF_MAX_MS 8000
#define LOOP_PULSE_STABLE_MS 3000       /* Up this long resets the back-off. */
#define LOOP_PULSE_PROBE_MS 5000
#define LOOP_PULSE_N_PROBES 2

int
loop_pulse_up(struct loop_pulse *pulse, long long int now)
{
    pulse->up = pulse->received = pulse->probed = now;
    pulse->n_probes = 0;
    return LOOP_PULSE_PROBE_MS;
}

void
loop_pulse_received(struct loop_pulse *pulse, long long int now)
{
    pulse->received = now;
    pulse->n_probes = 0;
}

enum loop_pulse_action
loop_pulse_run(struct loop_pulse *pulse, long long int now, int *delay)
{
    /* Counting from the last probe too, a peer has the time to answer even if
     * nobody called for long, say because this machine was suspended. */
    long long int deadline = (MAX(pulse->received, pulse->probed)
                              + LOOP_PULSE_PROBE_MS);

    *delay = LOOP_PULSE_PROBE_MS;
    if (now < deadline) {
        *delay = deadline - now;
        return LOOP_PULSE_WAIT;
    } else if (pulse->n_probes >= LOOP_PULSE_N_PROBES) {
        return LOOP_PULSE_GIVE_UP;
    }
    pulse->n_probes++;
    pulse->probed = now;
    return LOOP_PULSE_PROBE;
}

int
loop_pulse_down(struct loop_pulse *pulse, long long int now, bool was_up)
{
    bool stable = was_up && now - pulse->up >= LOOP_PULSE_STABLE_MS;

    pulse->backoff = (stable || !pulse->backoff
                      ? LOOP_PULSE_BACKOFF_MIN_MS
                      : MIN(2 * pulse->backoff, LOOP_PULSE_BACKOFF_MAX_MS));
    return pulse->backoff;
}

bool
loop_pulse_is_hopeless(const struct loop_pulse *pulse)
{
    return pulse->backoff >= LOOP_PULSE_BACKOFF_MAX_MS;
}
