/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "migration.h"

#include <limits.h>
#include <string.h>

#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(migration);

/* Every transition there is.  A pair of phase and event that is not listed is
 * unexpected: it is counted, and the machine stays where it is. */
#define MIGRATION_EDGES                                                     \
    /*   from          event      to            action */                   \
    EDGE(REQUESTED,    READY,     PREPARED,     NONE)                       \
    EDGE(REQUESTED,    TRIGGER,   CUTOVER_NEW,  COMMIT_NEW)                 \
    EDGE(REQUESTED,    HOLD,      HOLD_NEW,     COMMIT_NEW)                 \
    EDGE(REQUESTED,    REFUSED,   FAILED,       UNDO)                       \
    EDGE(REQUESTED,    CANCEL,    CANCELLED,    UNDO)                       \
    EDGE(REQUESTED,    TIMEOUT,   FAILED,       UNDO)                       \
    EDGE(PREPARED,     TRIGGER,   CUTOVER_NEW,  COMMIT_NEW)                 \
    EDGE(PREPARED,     HOLD,      HOLD_NEW,     COMMIT_NEW)                 \
    EDGE(PREPARED,     REFUSED,   FAILED,       UNDO)                       \
    EDGE(PREPARED,     CANCEL,    CANCELLED,    UNDO)                       \
    EDGE(CUTOVER_NEW,  COMMITTED, CUTOVER_REST, COMMIT_REST)                \
    EDGE(CUTOVER_NEW,  REFUSED,   FAILED,       UNDO)                       \
    EDGE(CUTOVER_REST, SWITCHED,  DRAINING,     WATCH)                      \
    EDGE(HOLD_NEW,     COMMITTED, HOLD_REST,    COMMIT_REST)                \
    EDGE(HOLD_NEW,     REFUSED,   FAILED,       UNDO)                       \
    EDGE(HOLD_NEW,     TRIGGER,   CUTOVER_NEW,  NONE)                       \
    EDGE(HOLD_REST,    SWITCHED,  HELD,         NONE)                       \
    EDGE(HOLD_REST,    TRIGGER,   CUTOVER_REST, NONE)                       \
    EDGE(HOLD_REST,    CANCEL,    RELEASING,    RELEASE)                    \
    EDGE(HELD,         TRIGGER,   DRAINING,     WATCH)                      \
    EDGE(HELD,         CANCEL,    RELEASING,    RELEASE)                    \
    EDGE(RELEASING,    COUNTED,   CANCELLED,    NONE)                       \
    EDGE(RELEASING,    TIMEOUT,   CANCELLED,    NONE)                       \
    EDGE(DRAINING,     QUIET,     REMOVING,     RECORD)                     \
    EDGE(REMOVING,     RECORDED,  DONE,         REMOVE)

struct edge {
    bool valid;
    enum migration_phase to;
    enum migration_action action;
};

static const struct edge edges[N_MIGRATION_PHASES][N_MIGRATION_EVENTS] = {
#define EDGE(FROM, EVENT, TO, ACTION)                                       \
    [MIGRATION_##FROM][MIGRATION_EV_##EVENT]                                \
        = { true, MIGRATION_##TO, MIGRATION_DO_##ACTION },
    MIGRATION_EDGES
#undef EDGE
};

static const struct {
    const char *name;
    const char *c_name;
    int timeout_ms;
    const char *meaning;
} phases[N_MIGRATION_PHASES] = {
#define MIGRATION_PHASE(NAME, STRING, TIMEOUT, MEANING)                     \
    [MIGRATION_##NAME] = { STRING, #NAME, TIMEOUT, MEANING },
    MIGRATION_PHASES
#undef MIGRATION_PHASE
};

void
migration_init(struct migration *m, long long int now)
{
    *m = (struct migration) { .phase = MIGRATION_REQUESTED, .since = now };
}

/* The only assignment to 'm->phase'. */
static void
set_phase(struct migration *m, enum migration_phase phase, long long int now)
{
    if (m->phase != phase) {
        VLOG_DBG("%s -> %s after %lld ms", phases[m->phase].c_name,
                 phases[phase].c_name, now - m->since);
        m->phase = phase;
        m->since = now;
    }
}

enum migration_action
migration_step(struct migration *m, enum migration_event event,
               long long int now)
{
    const struct edge *e = &edges[m->phase][event];

    m->last_event = event;
    if (!e->valid) {
        m->n_unexpected++;
        return MIGRATION_DO_NONE;
    }
    set_phase(m, e->to, now);
    return e->action;
}

long long int
migration_deadline(const struct migration *m)
{
    int timeout = phases[m->phase].timeout_ms;

    return timeout ? m->since + timeout : LLONG_MAX;
}

bool
migration_is_over(const struct migration *m)
{
    return m->phase >= MIGRATION_DONE;
}

bool
migration_is_revocable(const struct migration *m)
{
    return m->phase <= MIGRATION_PREPARED;
}

bool
migration_expects(const struct migration *m, enum migration_event event)
{
    return edges[m->phase][event].valid;
}

const char *
migration_phase_to_string(enum migration_phase phase)
{
    return phases[phase].name;
}

const char *
migration_event_to_string(enum migration_event event)
{
    static const char *const names[N_MIGRATION_EVENTS] = {
#define MIGRATION_EVENT(NAME) [MIGRATION_EV_##NAME] = #NAME,
        MIGRATION_EVENTS
#undef MIGRATION_EVENT
    };
    return names[event];
}

const char *
migration_action_to_string(enum migration_action action)
{
    static const char *const names[] = {
#define MIGRATION_ACTION(NAME) [MIGRATION_DO_##NAME] = #NAME,
        MIGRATION_ACTIONS
#undef MIGRATION_ACTION
    };
    return names[action];
}

bool
migration_phase_from_string(const char *s, enum migration_phase *phase)
{
    for (int i = 0; i < N_MIGRATION_PHASES; i++) {
        if (!strcmp(s, phases[i].name)) {
            *phase = i;
            return true;
        }
    }
    return false;
}

bool
migration_event_from_string(const char *s, enum migration_event *event)
{
    for (int i = 0; i < N_MIGRATION_EVENTS; i++) {
        if (!strcmp(s, migration_event_to_string(i))) {
            *event = i;
            return true;
        }
    }
    return false;
}

void
migration_format(FILE *stream)
{
    for (int i = 0; i < N_MIGRATION_PHASES; i++) {
        fprintf(stream, "%s\n    %s\n", phases[i].c_name, phases[i].meaning);
    }

    fprintf(stream, "\n============  =========  ============  ===========\n"
            "from          event      to            action\n"
            "============  =========  ============  ===========\n");
#define EDGE(FROM, EVENT, TO, ACTION)                                       \
    fprintf(stream, "%-12s  %-9s  %-12s  %s\n", #FROM, #EVENT, #TO, #ACTION);
    MIGRATION_EDGES
#undef EDGE
    fprintf(stream, "============  =========  ============  ===========\n");
}
