/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef TRAFFIC_REPORT_H
#define TRAFFIC_REPORT_H 1

/* Judges a run of nva-traffic: which packets were lost, doubled, reordered or
 * brought to the wrong place.  Pure: it reads a quiet 'struct traffic' and
 * does no input or output but to the stream that it prints to.
 *
 * The rules:
 *
 *     - Only packets sent from 'count_ns' on count.
 *
 *     - The VM receives what arrives at a place while it is alive there.  A
 *       place with a queue also keeps, until the VM is resumed there, the
 *       first 'queue' packets that arrive earlier.  With 'drain_ns', a VM
 *       that was just paused still reads, for so long, what was sent before.
 *
 *     - A packet is lost if it was sent and not received.  One to the VM that
 *       was sent while the VM was paused is counted apart, as the VM's own
 *       pause lost it.  Nothing else is excused.
 *
 *     - A packet is doubled each time that it is received again, and
 *       reordered if a later one of its flow was received before.
 *
 *     - A packet is misdelivered if it arrives at a place where the VM is not
 *       alive (unless the place queues it, or the VM is paused there), or at
 *       a peer that it is not for.  A packet sent during a pause has
 *       TRAFFIC_REPORT_GRACE_NS after the resume to hit the old place: it is
 *       lost in any case. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "traffic.h"

#define TRAFFIC_REPORT_GRACE_NS (5 * TRAFFIC_NS_PER_MS)

/* When a packet was sent, in the life of the VM. */
enum traffic_phase {
    TRAFFIC_BEFORE,             /* Before its first pause. */
    TRAFFIC_PAUSED,             /* During a pause. */
    TRAFFIC_AFTER,              /* After a resume. */
    TRAFFIC_N_PHASES
};

/* One direction. */
struct traffic_count {
    uint64_t sent[TRAFFIC_N_PHASES];
    uint64_t lost[TRAFFIC_N_PHASES];
    uint64_t doubled;
    uint64_t reordered;
    uint64_t misdelivered;
    uint64_t gap_ns;            /* Longest time without a packet, any flow. */
    uint64_t gap_at_ns;         /* When it began. */
    uint64_t gap_pause_ns;      /* How much of it the VM was paused. */
    uint64_t max_delay_ns;      /* Longest way, of packets not queued. */
};

struct traffic_report {
    struct traffic_count dirs[TRAFFIC_N_DIRS];
    uint64_t pause_ns;          /* All pauses together. */
    uint64_t resume_ns;         /* The last resume, or 0. */

    /* To the VM, at its places. */
    uint64_t early;             /* Before the VM was ever alive there. */
    uint64_t late;              /* After it was resumed elsewhere. */
    uint64_t late_excused;      /* The same, sent during the pause. */
    uint64_t hit_paused;        /* Where the VM was paused. */
    uint64_t drained;           /* Received thanks to 'drain_ns'. */
    uint64_t queued;            /* Received from a place's queue. */
    uint64_t overflow;          /* That a place's queue had no room for. */
    uint64_t first_ns;          /* First received at the last place. */

    /* On the underlay. */
    uint64_t tunnelled[TRAFFIC_MAX_NVES][TRAFFIC_N_DIRS][TRAFFIC_N_PHASES];
    uint64_t redirected[TRAFFIC_N_PHASES]; /* Tunnelled by two NVEs. */
    uint64_t redirected_since;  /* ...by the second since the last resume. */
    uint64_t redirect_end_ns;   /* Last of these. */
};

/* Judges what 't' holds.  Sorts its records. */
void traffic_report_make(struct traffic_report *, struct traffic *);

/* Print. */
void traffic_report_text(const struct traffic_report *,
                         const struct traffic *, FILE *);
void traffic_report_json(const struct traffic_report *,
                         const struct traffic *, FILE *);

/* The line for machines: "sent=N lost=N ...". */
void traffic_report_line(const struct traffic_report *, FILE *);

/* Is there nothing to complain about? */
bool traffic_report_is_clean(const struct traffic_report *);

/* Did the instrument itself see everything? */
bool traffic_report_is_valid(const struct traffic *);

#endif /* traffic-report.h */
