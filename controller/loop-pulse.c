/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "loop-pulse.h"

#include <limits.h>
#include <string.h>

#include "util.h"

#define LOOP_PULSE_BACKOFF_MIN_MS 100
#define LOOP_PULSE_BACKOFF_MAX_MS 8000
#define LOOP_PULSE_STABLE_MS 3000       /* Up this long resets the back-off. */
#define LOOP_PULSE_PROBE_MS 5000
#define LOOP_PULSE_N_PROBES 2

void
loop_pulse_init(struct loop_pulse *pulse)
{
    memset(pulse, 0, sizeof *pulse);
    pulse->interval = LOOP_PULSE_PROBE_MS;
    pulse->sent = LLONG_MAX;
}

int
loop_pulse_up(struct loop_pulse *pulse, long long int now)
{
    loop_pulse_received(pulse, now);
    pulse->up = pulse->probed = now;
    return pulse->interval;
}

void
loop_pulse_received(struct loop_pulse *pulse, long long int now)
{
    pulse->received = now;
    pulse->sent = LLONG_MAX;
    pulse->n_probes = 0;
}

/* Returns when a peer of which nothing more is heard is to be asked again. */
static long long int
pulse_deadline(const struct loop_pulse *pulse)
{
    long long int idle = pulse->received + pulse->interval;

    /* Counting from the last probe, a peer has the time to answer even if
     * nobody called for long, say because this machine was suspended. */
    return (pulse->n_probes ? pulse->probed + LOOP_PULSE_PROBE_MS
            : pulse->sent < idle - LOOP_PULSE_PROBE_MS
            ? pulse->sent + LOOP_PULSE_PROBE_MS
            : idle);
}

bool
loop_pulse_sent(struct loop_pulse *pulse, long long int now, int *delay)
{
    long long int before = pulse_deadline(pulse);

    pulse->sent = MIN(pulse->sent, now);
    *delay = MAX(0, pulse_deadline(pulse) - now);
    return pulse_deadline(pulse) < before;
}

enum loop_pulse_action
loop_pulse_run(struct loop_pulse *pulse, long long int now, int *delay)
{
    long long int deadline = pulse_deadline(pulse);

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
