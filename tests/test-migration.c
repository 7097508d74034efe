/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Feeds events to the state machine of a move.
 *
 * Reads lines "TIME EVENT" from stdin; "TIME every" tries every event in every
 * phase.  With the argument "table", prints phases and edges. */

#include <config.h>

#include "test-nva.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migration.h"
#include "util.h"

/* The shortest way to each phase. */
static const enum migration_event ways[N_MIGRATION_PHASES][8] = {
#define END N_MIGRATION_EVENTS
    [MIGRATION_REQUESTED] = { END },
    [MIGRATION_PREPARED] = { MIGRATION_EV_READY, END },
    [MIGRATION_CUTOVER_NEW] = { MIGRATION_EV_TRIGGER, END },
    [MIGRATION_CUTOVER_REST] = { MIGRATION_EV_TRIGGER, MIGRATION_EV_COMMITTED,
                                 END },
    [MIGRATION_HOLD_NEW] = { MIGRATION_EV_HOLD, END },
    [MIGRATION_HOLD_REST] = { MIGRATION_EV_HOLD, MIGRATION_EV_COMMITTED,
                              END },
    [MIGRATION_HELD] = { MIGRATION_EV_HOLD, MIGRATION_EV_COMMITTED,
                         MIGRATION_EV_SWITCHED, END },
    [MIGRATION_RELEASING] = { MIGRATION_EV_HOLD, MIGRATION_EV_COMMITTED,
                              MIGRATION_EV_CANCEL, END },
    [MIGRATION_DRAINING] = { MIGRATION_EV_TRIGGER, MIGRATION_EV_COMMITTED,
                             MIGRATION_EV_SWITCHED, END },
    [MIGRATION_REMOVING] = { MIGRATION_EV_TRIGGER, MIGRATION_EV_COMMITTED,
                             MIGRATION_EV_SWITCHED, MIGRATION_EV_QUIET, END },
    [MIGRATION_DONE] = { MIGRATION_EV_TRIGGER, MIGRATION_EV_COMMITTED,
                         MIGRATION_EV_SWITCHED, MIGRATION_EV_QUIET,
                         MIGRATION_EV_RECORDED, END },
    [MIGRATION_CANCELLED] = { MIGRATION_EV_CANCEL, END },
    [MIGRATION_FAILED] = { MIGRATION_EV_REFUSED, END },
};

/* As in the source: unlike the names in the database, no two are the same. */
static const char *const phases[N_MIGRATION_PHASES] = {
#define MIGRATION_PHASE(NAME, STRING, TIMEOUT, MEANING)                     \
    [MIGRATION_##NAME] = #NAME,
    MIGRATION_PHASES
#undef MIGRATION_PHASE
};

static void
go_to(struct migration *m, enum migration_phase phase, long long int now)
{
    migration_init(m, now);
    for (int i = 0; ways[phase][i] != END; i++) {
        migration_step(m, ways[phase][i], now);
    }
    ovs_assert(m->phase == phase);
}

static void
put_machine(const struct migration *m)
{
    printf("%s since %lld", phases[m->phase], m->since);
    if (migration_deadline(m) != LLONG_MAX) {
        printf(", until %lld", migration_deadline(m));
    }
    printf("%s%s\n", migration_is_revocable(m) ? ", revocable" : "",
           migration_is_over(m) ? ", over" : "");
}

static void
put_step(struct migration *m, enum migration_event event, long long int now)
{
    unsigned int n = m->n_unexpected;
    enum migration_action action = migration_step(m, event, now);

    printf("%s: ", migration_event_to_string(event));
    if (m->n_unexpected > n) {
        ovs_assert(action == MIGRATION_DO_NONE);
        printf("unexpected, ");
    } else {
        printf("%s, ", migration_action_to_string(action));
    }
    put_machine(m);
}

static void
try_every(long long int now)
{
    for (int phase = 0; phase < N_MIGRATION_PHASES; phase++) {
        printf("%s\n", phases[phase]);
        for (int event = 0; event < N_MIGRATION_EVENTS; event++) {
            struct migration m;

            go_to(&m, phase, now);
            printf("  ");
            put_step(&m, event, now + 1);
        }
    }
}

int
test_migration(int argc, char *argv[])
{
    struct migration m;
    char line[128];

    if (argc && !strcmp(argv[0], "table")) {
        migration_format(stdout);
        return EXIT_SUCCESS;
    }

    migration_init(&m, 0);
    while (fgets(line, sizeof line, stdin)) {
        enum migration_event event;
        long long int now;
        char word[32];

        if (!ovs_scan(line, "%lld %31s", &now, word)) {
            ovs_fatal(0, "%s: not TIME EVENT", line);
        } else if (!strcmp(word, "every")) {
            try_every(now);
        } else if (migration_event_from_string(word, &event)) {
            put_step(&m, event, now);
        } else {
            ovs_fatal(0, "%s: not an event", word);
        }
    }
    return EXIT_SUCCESS;
}
