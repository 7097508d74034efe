/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* A dialogue between an ofsync and a fake switch.
 *
 * Reads commands from stdin and prints each with what it makes ofsync send,
 * and "*" with what ofsync tells its owner.  Units and cookies are in hex; a
 * flow is TABLE/PRIORITY/MATCH/ACTIONS.
 *
 *   connect | disconnect | resync
 *   set UNIT [meter=ID:RATE:BURST[:LINGER]] [FLOW...]   what a unit wants
 *   unset UNIT
 *   many UNIT N                    N flows that differ in their match
 *   delete COOKIE TABLE
 *   run [MS]                       after MS ms
 *   answer                         hand over the switch's answers
 *   go                             run and answer until nothing happens
 *   count COOKIE METER
 *   learned COOKIE TABLE           ask for such flows
 *   relearn N                      add them once more, N higher in priority
 *   keep COOKIE                    the owner keeps such flows
 *   stage NAME UNIT FLOW... | stage NAME UNIT none | stage NAME delete COOKIE
 *   open|commit|revert|destroy|state NAME
 *   auto-revert                    every stage when it is refused
 *   confirmed | format
 *
 * and on the side of the switch
 *
 *   flows                          print flows and meters
 *   foreign FLOW-IN-OVS-OFCTL-SYNTAX
 *   wipe                           lose all flows and meters
 *   traffic METER N
 *   fail add|commit|meter|stats ERROR   refuse the next one
 *   mislead                        answer the next question with nonsense
 *   expire                         all open bundles
 *   quiet | loud                   whether to print messages
 *   buffers                        print "--" before what is sent at once */

#include <config.h>

#include "test-nva.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "byte-order.h"
#include "fake-switch.h"
#include "flow-list.h"
#include "ofsync.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofpbuf.h"
#include "util.h"

struct dialogue {
    struct fake_switch sw;
    struct ofsync *os;
    struct ds log;
    long long int now;
    uint64_t keep;
    int relearn;
    bool auto_revert;
    bool show_buffers;
    bool running;               /* In ofsync_run(). */
    bool may_send;              /* It was asked for. */
    bool wanted_run;            /* Since the last run. */
    struct ofsync_stage *stages[26];    /* By name, "A" to "Z". */
};

static void
on_send(struct ofsync *os OVS_UNUSED, struct ofpbuf *msg, void *d_)
{
    struct dialogue *d = d_;

    if (d->running && !d->may_send) {
        ds_put_cstr(&d->log, "* has something to send, but did not ask\n");
    }
    if (d->show_buffers) {
        ds_put_cstr(&d->log, "--\n");
    }
    fake_switch_receive_all(&d->sw, msg);
}

static void
on_confirmation(struct ofsync *os, void *d_)
{
    struct dialogue *d = d_;

    ds_put_format(&d->log, "* %s\n", ofsync_is_confirmed(os) ? "confirmed"
                                     : "not confirmed");
}

static void
on_wants_run(struct ofsync *os OVS_UNUSED, void *d_)
{
    struct dialogue *d = d_;

    d->wanted_run = true;
}

static char
stage_name(const struct dialogue *d, const struct ofsync_stage *stage)
{
    for (int i = 0; i < ARRAY_SIZE(d->stages); i++) {
        if (d->stages[i] == stage) {
            return 'A' + i;
        }
    }
    OVS_NOT_REACHED();
}

static void
put_stage(struct dialogue *d, const struct ofsync_stage *stage)
{
    const char *error = ofsync_stage_get_error(stage);

    ds_put_format(&d->log, "* stage %c %s%s%s\n", stage_name(d, stage),
                  ofsync_stage_state_to_string(
                      ofsync_stage_get_state(stage)),
                  error ? ": " : "", error ? error : "");
}

static void
on_stage_changed(struct ofsync_stage *stage, void *stage_aux OVS_UNUSED,
                 void *d_)
{
    struct dialogue *d = d_;

    put_stage(d, stage);
    if (d->auto_revert
        && ofsync_stage_get_state(stage) == OFSYNC_STAGE_REFUSED) {
        ofsync_stage_revert(stage);
    }
}

static bool
on_keep(struct ofsync *os OVS_UNUSED, const struct ofputil_flow_stats *fs,
        void *d_)
{
    struct dialogue *d = d_;

    return d->keep && ntohll(fs->cookie) == d->keep;
}

static void
on_counted(struct ofsync *os OVS_UNUSED, uint64_t cookie, uint64_t n_packets,
           uint64_t n_bytes, void *d_)
{
    struct dialogue *d = d_;

    ds_put_format(&d->log, "* counted %#"PRIx64": %"PRIu64" packets, %"PRIu64
                  " bytes\n", cookie, n_packets, n_bytes);
}

static void
on_learned(struct ofsync *os, uint64_t cookie,
           const struct ofputil_flow_stats *fs, void *d_)
{
    struct dialogue *d = d_;

    ds_put_format(&d->log, "* learned %#"PRIx64": ", cookie);
    if (fs) {
        struct ofputil_flow_stats copy = *fs;

        match_format(&fs->match, NULL, &d->log, fs->priority);
        ds_put_char(&d->log, '\n');
        copy.priority += d->relearn;
        if (d->relearn) {
            ofsync_add_learned(os, &copy);
        }
    } else {
        ds_put_cstr(&d->log, "no more\n");
    }
}

static void
on_problem(struct ofsync *os OVS_UNUSED, const char *error, void *d_)
{
    struct dialogue *d = d_;

    ds_put_format(&d->log, "* problem: %s\n", error);
}

static const struct ofsync_class class = {
    .send = on_send,
    .wants_run = on_wants_run,
    .confirmation = on_confirmation,
    .stage_changed = on_stage_changed,
    .keep = on_keep,
    .learned = on_learned,
    .counted = on_counted,
    .problem = on_problem,
};

/* Parsing. */

static char *
next_word(char **save)
{
    char *word = strtok_r(NULL, " ", save);

    if (!word) {
        ovs_fatal(0, "argument missing");
    }
    return word;
}

static uint64_t
next_hex(char **save)
{
    return strtoull(next_word(save), NULL, 16);
}

static void
add_flow(struct flow_list *fl, uint64_t unit, char *word)
{
    char *table = strsep(&word, "/");
    char *priority = strsep(&word, "/");
    char *match = strsep(&word, "/");

    ovs_assert(word);
    flow_list_add(fl, atoi(table), atoi(priority), unit, match, "%s", word);
}

static struct flow_list *
parse_list(uint64_t unit, char **save)
{
    struct flow_list *fl = flow_list_create();
    char *word;

    while ((word = strtok_r(NULL, " ", save))) {
        if (!strncmp(word, "meter=", 6)) {
            sscanf(word, "meter=%"SCNu32":%"SCNu32":%"SCNu32":%"SCNu32,
                   &fl->meter.id, &fl->meter.rate, &fl->meter.burst,
                   &fl->meter.linger_ms);
        } else {
            add_flow(fl, unit, word);
        }
    }
    return flow_list_finish(fl);
}

static struct flow_list *
make_many(uint64_t unit, int n)
{
    struct flow_list *fl = flow_list_create();

    for (int i = 0; i < n; i++) {
        char *match = xasprintf("metadata=%d", i + 1);

        flow_list_add(fl, FLOW_TABLE_MAPPING, FLOW_PRIO_NORMAL, unit, match,
                      "%s", "drop");
        free(match);
    }
    return flow_list_finish(fl);
}

/* Commands. */

static void
set_unit(struct dialogue *d, uint64_t unit, struct flow_list *fl)
{
    ofsync_set(d->os, unit, fl);
    flow_list_unref(fl);
}

static void
fill_stage(struct dialogue *d, struct ofsync_stage **stage, char **save)
{
    const char *word = next_word(save);

    if (!*stage) {
        *stage = ofsync_stage_create(d->os, NULL);
    }
    if (!strcmp(word, "delete")) {
        ofsync_stage_delete_cookie(*stage, next_hex(save), UINT8_MAX);
    } else {
        uint64_t unit = strtoull(word, NULL, 16);
        struct flow_list *fl = NULL;

        if (!strcmp(*save, "none")) {
            *save += strlen(*save);
        } else {
            fl = parse_list(unit, save);
        }
        ofsync_stage_set(*stage, unit, fl);
        flow_list_unref(fl);
    }
}

/* Returns false if 'command' is not about stages. */
static bool
do_stage(struct dialogue *d, const char *command, char **save)
{
    static const char *const commands[] = {
        "stage", "open", "commit", "revert", "destroy", "state"
    };
    struct ofsync_stage **stage;
    int i;

    for (i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(command, commands[i])) {
            break;
        }
    }
    if (i == ARRAY_SIZE(commands)) {
        return false;
    }

    stage = &d->stages[(next_word(save)[0] - 'A') % ARRAY_SIZE(d->stages)];
    if (!strcmp(command, "stage")) {
        fill_stage(d, stage, save);
    } else if (!strcmp(command, "open")) {
        ofsync_stage_open(*stage);
    } else if (!strcmp(command, "commit")) {
        ofsync_stage_commit(*stage);
    } else if (!strcmp(command, "revert")) {
        ofsync_stage_revert(*stage);
    } else if (!strcmp(command, "destroy")) {
        ofsync_stage_destroy(*stage);
        *stage = NULL;
    } else {
        put_stage(d, *stage);
    }
    return true;
}

static void
do_fail(struct dialogue *d, char **save)
{
    const char *what = next_word(save);
    enum ofperr error = ofperr_from_name(next_word(save));

    ovs_assert(error);
    if (!strcmp(what, "add")) {
        d->sw.fault.add = error;
    } else if (!strcmp(what, "commit")) {
        d->sw.fault.commit = error;
    } else if (!strcmp(what, "meter")) {
        d->sw.fault.meter = error;
    } else {
        ovs_assert(!strcmp(what, "stats"));
        d->sw.fault.stats = error;
    }
}

/* Returns false if 'command' is not about the switch. */
static bool
do_switch(struct dialogue *d, const char *command, char **save)
{
    if (!strcmp(command, "flows")) {
        fake_switch_format(&d->sw, &d->log);
    } else if (!strcmp(command, "foreign")) {
        fake_switch_add_flow(&d->sw, *save);
        *save += strlen(*save);
    } else if (!strcmp(command, "wipe")) {
        fake_switch_uninit(&d->sw);
        fake_switch_init(&d->sw);
        d->sw.log = &d->log;
    } else if (!strcmp(command, "traffic")) {
        uint32_t meter = atoi(next_word(save));

        fake_switch_traffic(&d->sw, meter, atoi(next_word(save)));
    } else if (!strcmp(command, "fail")) {
        do_fail(d, save);
    } else if (!strcmp(command, "mislead")) {
        d->sw.fault.mislead = true;
    } else if (!strcmp(command, "expire")) {
        fake_switch_expire(&d->sw);
    } else if (!strcmp(command, "quiet")) {
        d->sw.log = NULL;
    } else if (!strcmp(command, "loud")) {
        d->sw.log = &d->log;
    } else if (!strcmp(command, "buffers")) {
        d->show_buffers = true;
    } else {
        return false;
    }
    return true;
}

/* Runs as the main loop does, but also if nobody asked for it, in order to
 * find out who forgot to ask. */
static void
run(struct dialogue *d)
{
    d->may_send = d->wanted_run || ofsync_deadline(d->os) <= d->now;
    d->wanted_run = false;
    d->running = true;
    ofsync_run(d->os, d->now);
    d->running = false;
}

/* Returns false if 'command' is not about the session. */
static bool
do_session(struct dialogue *d, const char *command, char **save)
{
    if (!strcmp(command, "connect")) {
        ofsync_connected(d->os);
    } else if (!strcmp(command, "disconnect")) {
        fake_switch_disconnect(&d->sw);
        ofsync_disconnected(d->os);
    } else if (!strcmp(command, "resync")) {
        ofsync_resync(d->os);
    } else if (!strcmp(command, "run")) {
        const char *ms = strtok_r(NULL, " ", save);

        d->now += ms ? atoi(ms) : 0;
        run(d);
    } else if (!strcmp(command, "answer")) {
        fake_switch_answer(&d->sw, d->os);
    } else if (!strcmp(command, "go")) {
        do {
            run(d);
        } while (fake_switch_answer(&d->sw, d->os));
    } else {
        return false;
    }
    return true;
}

/* Returns false if 'command' is not about what is wanted. */
static bool
do_owner(struct dialogue *d, const char *command, char **save)
{
    uint64_t id;

    if (!strcmp(command, "set")) {
        id = next_hex(save);
        set_unit(d, id, parse_list(id, save));
    } else if (!strcmp(command, "unset")) {
        set_unit(d, next_hex(save), NULL);
    } else if (!strcmp(command, "many")) {
        id = next_hex(save);
        set_unit(d, id, make_many(id, atoi(next_word(save))));
    } else if (!strcmp(command, "delete")) {
        id = next_hex(save);
        ofsync_delete_cookie(d->os, id, atoi(next_word(save)));
    } else if (!strcmp(command, "count")) {
        id = next_hex(save);
        ofsync_count(d->os, id, atoi(next_word(save)));
    } else if (!strcmp(command, "learned")) {
        id = next_hex(save);
        ofsync_dump_learned(d->os, id, atoi(next_word(save)));
    } else if (!strcmp(command, "relearn")) {
        d->relearn = atoi(next_word(save));
    } else if (!strcmp(command, "keep")) {
        d->keep = next_hex(save);
    } else if (!strcmp(command, "auto-revert")) {
        d->auto_revert = true;
    } else if (!strcmp(command, "confirmed")) {
        on_confirmation(d->os, d);
    } else if (!strcmp(command, "format")) {
        ofsync_format(d->os, &d->log);
    } else {
        return false;
    }
    return true;
}

static void
do_line(struct dialogue *d, char *line)
{
    char *save, *command;

    line[strcspn(line, "\n")] = '\0';
    if (!line[0] || line[0] == '#') {
        return;
    }
    printf("### %s\n", line);
    command = strtok_r(line, " ", &save);
    if (!do_session(d, command, &save) && !do_owner(d, command, &save)
        && !do_stage(d, command, &save) && !do_switch(d, command, &save)) {
        ovs_fatal(0, "unknown command %s", command);
    }
    fputs(ds_cstr(&d->log), stdout);
    ds_clear(&d->log);
    fflush(stdout);
}

int
test_ofsync(int argc OVS_UNUSED, char *argv[] OVS_UNUSED)
{
    struct dialogue d = { .log = DS_EMPTY_INITIALIZER };
    char line[4096];

    fake_switch_init(&d.sw);
    d.sw.log = &d.log;
    d.os = ofsync_create(&class, &d);
    while (fgets(line, sizeof line, stdin)) {
        do_line(&d, line);
    }
    for (int i = 0; i < ARRAY_SIZE(d.stages); i++) {
        ofsync_stage_destroy(d.stages[i]);
    }
    ofsync_destroy(d.os);
    fake_switch_uninit(&d.sw);
    ds_destroy(&d.log);
    return EXIT_SUCCESS;
}
