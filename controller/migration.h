/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef MIGRATION_H
#define MIGRATION_H 1

/* The procedure of one move, as a state machine (C4, V7).
 *
 * This module decides; it does not act.  The caller feeds it events, it moves
 * the machine and returns the one thing that the caller must do next.  It
 * never reads the clock, sends a message or touches a flow, so that every path
 * through it can be tested without a switch.  What the actions mean for flows
 * is in move.h.
 *
 * Thread-safety: none; use from one thread. */

#include <stdbool.h>
#include <stdio.h>

/* Phases: C name, name in the database, how long it may last in ms (0 for
 * ever), meaning. */
#define MIGRATION_PHASES                                                    \
    MIGRATION_PHASE(REQUESTED, "requested", 30000,                          \
        "The new NVE, the old NVE and the peers are being prepared.  "      \
        "All traffic goes to the old place.")                               \
    MIGRATION_PHASE(PREPARED, "prepared", 0,                                \
        "All have confirmed their preparation.  Traffic still goes to the " \
        "old place; the VM is awaited at the new one.")                     \
    MIGRATION_PHASE(CUTOVER_NEW, "cutover", 0,                              \
        "The new NVE has been told to commit.  It may still refuse.")       \
    MIGRATION_PHASE(CUTOVER_REST, "cutover", 0,                             \
        "The new NVE has confirmed, so there is no way back.  The old NVE " \
        "and the peers are being told to commit.")                          \
    MIGRATION_PHASE(HOLD_NEW, "cutover", 0,                                 \
        "As CUTOVER_NEW, but the VM does not run at the new place yet.")    \
    MIGRATION_PHASE(HOLD_REST, "cutover", 0,                                \
        "The new NVE has confirmed.  The peers are being told to commit, "  \
        "and when they have, the old NVE, and then nothing may come to "    \
        "the old interface any more.")                                      \
    MIGRATION_PHASE(HELD, "held", 0,                                        \
        "All that are connected have switched.  Packets wait in the new "   \
        "interface for the VM.")                                            \
    MIGRATION_PHASE(RELEASING, "held", 1000,                                \
        "A hold has been taken back: all traffic goes to the old place.  "  \
        "What waits in the new interface is being counted.")                \
    MIGRATION_PHASE(DRAINING, "draining", 0,                                \
        "The VM runs at the new place.  The old NVE redirects late "        \
        "packets.")                                                         \
    MIGRATION_PHASE(REMOVING, "draining", 0,                                \
        "No late packets come any more.  The new place is being recorded "  \
        "in the database before the traces of the move are removed.")       \
    MIGRATION_PHASE(DONE, "done", 0,                                        \
        "The move is history.")                                             \
    MIGRATION_PHASE(CANCELLED, "cancelled", 0,                              \
        "Taken back on request; everything is as it was before.")           \
    MIGRATION_PHASE(FAILED, "failed", 0,                                    \
        "Could not be done; everything is as it was before.")

enum migration_phase {
#define MIGRATION_PHASE(NAME, STRING, TIMEOUT, MEANING) MIGRATION_##NAME,
    MIGRATION_PHASES
#undef MIGRATION_PHASE
    N_MIGRATION_PHASES
};

#define MIGRATION_EVENTS                                                    \
    MIGRATION_EVENT(READY)      /* All are prepared, staged, reachable. */  \
    MIGRATION_EVENT(TRIGGER)    /* The VM runs at the new place. */         \
    MIGRATION_EVENT(HOLD)       /* It is going to, or it has stopped. */    \
    MIGRATION_EVENT(REFUSED)    /* An NVE does not take its part. */        \
    MIGRATION_EVENT(COMMITTED)  /* The new NVE has confirmed. */            \
    MIGRATION_EVENT(SWITCHED)   /* So have the old NVE and the peers. */    \
    MIGRATION_EVENT(COUNTED)    /* What a hold cost is known. */            \
    MIGRATION_EVENT(QUIET)      /* The redirect's counter is still. */      \
    MIGRATION_EVENT(RECORDED)   /* The database has the new place. */       \
    MIGRATION_EVENT(CANCEL)     /* Somebody wants it back. */               \
    MIGRATION_EVENT(TIMEOUT)    /* The phase lasted too long. */

enum migration_event {
#define MIGRATION_EVENT(NAME) MIGRATION_EV_##NAME,
    MIGRATION_EVENTS
#undef MIGRATION_EVENT
    N_MIGRATION_EVENTS
};

#define MIGRATION_ACTIONS                                                   \
    MIGRATION_ACTION(NONE)                                                  \
    MIGRATION_ACTION(COMMIT_NEW)    /* COMMIT to the new NVE. */            \
    MIGRATION_ACTION(COMMIT_REST)   /* To the old NVE and all peers. */     \
    MIGRATION_ACTION(RELEASE)       /* Undo, and count what it cost. */     \
    MIGRATION_ACTION(WATCH)         /* Watch the redirect. */               \
    MIGRATION_ACTION(RECORD)        /* Write the new place. */              \
    MIGRATION_ACTION(REMOVE)        /* Remove what is left of the move. */  \
    MIGRATION_ACTION(UNDO)          /* Remove all of it. */

enum migration_action {
#define MIGRATION_ACTION(NAME) MIGRATION_DO_##NAME,
    MIGRATION_ACTIONS
#undef MIGRATION_ACTION
};

struct migration {
    enum migration_phase phase; /* Set by migration_step() only. */
    long long int since;        /* When it was entered, in ms. */
    unsigned int n_unexpected;  /* Events that had no edge. */
    enum migration_event last_event;
};

/* Times are in ms on the monotonic clock. */
void migration_init(struct migration *, long long int now);

/* Applies 'event' at time 'now' and returns what the caller must do next.  An
 * event with no edge from the current phase changes nothing but a count. */
enum migration_action migration_step(struct migration *, enum migration_event,
                                     long long int now);

/* Returns the time at which the caller must report MIGRATION_EV_TIMEOUT, or
 * LLONG_MAX if the current phase may last for ever. */
long long int migration_deadline(const struct migration *);

/* Returns true if the procedure is over. */
bool migration_is_over(const struct migration *);

/* Returns true before the cut-over. */
bool migration_is_revocable(const struct migration *);

/* Returns true if 'event' would be expected now. */
bool migration_expects(const struct migration *, enum migration_event);

/* The name as in Migration:phase.  REMOVING has that of DRAINING. */
const char *migration_phase_to_string(enum migration_phase);
const char *migration_event_to_string(enum migration_event);
const char *migration_action_to_string(enum migration_action);
bool migration_phase_from_string(const char *, enum migration_phase *);
bool migration_event_from_string(const char *, enum migration_event *);

/* Prints phases and edges as reStructuredText.  The test suite compares this
 * with Documentation/topics/moving.rst. */
void migration_format(FILE *);

#endif /* migration.h */
