/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include "qmp-move.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qmp.h"
#include "qmp-io.h"

enum {
    POLL_MS = 10,               /* How often QEMU is asked how far it is. */
    QEMU_WINDOW_MS = 100,       /* How often QEMU looks at its limits. */
    NVA_CTL_TIMEOUT_S = 20,     /* Of an nva-ctl that does not wait for us. */
    UNDO_TIMEOUT_MS = 30000
};

/* Below this QEMU cannot send a page within 1 ms twice over. */
#define SLOWEST ((int64_t) 8 << 20)

/* Assumed if QEMU has no limit. */
#define FASTEST ((int64_t) 10 << 30)

struct mover {
    const struct qmp_move_options *o;
    struct qmp_io *io;
    struct qmp *source, *destination;
    double start, deadline;     /* By qmp_io_now(). */
    char *id;                   /* Of the network's move; null before it. */
    struct qmp_io_child *watcher;       /* Ends when the network's move does;
                                         * null if it does not run. */
    int64_t was_bandwidth, was_downtime;        /* Of the source. */
    bool limits_changed;
    bool migrating;             /* QEMU was told to. */
    bool moved;                 /* The VM runs at the destination. */
    bool say_paused;            /* To be said when the VM has stopped, */
    bool say_activate;          /* and when it runs at its new place. */
    unsigned int n_events;      /* How many QEMUs have told. */
    char *status;               /* Of QEMU's migration, by its events. */
    double stopped, resumed;    /* By the clocks of QEMU's hosts; 0 before. */
};

/* Prints a line of the timeline. */
static void
note(const struct mover *m, double when, const char *who, const char *format,
     ...)
{
    va_list args;

    printf("%10.3f  %-11s  ", when - m->start, who);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static char *
xasprintf(const char *format, ...)
{
    va_list args;
    char *error;

    va_start(args, format);
    if (vasprintf(&error, format, args) < 0) {
        abort();
    }
    va_end(args);
    return error;
}

/* Waiting. */

static void
take_event(struct mover *m, const struct qmp *qmp,
           const struct qmp_event *event)
{
    if (event->status) {
        note(m, event->seen_ms, qmp_name(qmp), "migration %s",
             event->status);
        if (qmp == m->source) {
            free(m->status);
            m->status = strdup(event->status);
        }
    } else if (qmp == m->source && !strcmp(event->name, "STOP")) {
        m->stopped = event->time;
        note(m, event->seen_ms, qmp_name(qmp), "STOP: the VM has stopped");
    } else if (qmp == m->destination && !strcmp(event->name, "RESUME")) {
        m->resumed = event->time;
        note(m, event->seen_ms, qmp_name(qmp), "RESUME: the VM runs");
    } else if (qmp == m->source && !strcmp(event->name, "RESUME")) {
        m->stopped = 0;
        note(m, event->seen_ms, qmp_name(qmp), "RESUME: the VM runs on");
    }
}

static char *
take_events(struct mover *m, struct qmp *qmp)
{
    const struct qmp_event *event;
    char *error;

    do {
        error = qmp_next_event(qmp, &event);
        if (event) {
            m->n_events++;
            take_event(m, qmp, event);
        }
    } while (event);
    return error;
}

static bool
has_status(const struct mover *m, const char *status)
{
    return m->status && !strcmp(m->status, status);
}

/* Returns why the migration failed. */
static char *
explain_failure(struct mover *m)
{
    const char *why = NULL;
    char *error = qmp_command(m->source, "query-migrate", NULL);

    if (!error) {
        why = qmp_string(m->source, "error-desc");
    }
    free(error);
    return xasprintf("source QEMU: migration %s%s%s", m->status,
                      why ? ": " : "", why ? why : "");
}

/* Looks at what has happened.  Returns an error if there is no sense in
 * waiting, among others for 'what'. */
static char *
look(struct mover *m, const char *what)
{
    char *error = NULL;

    if (!m->moved) {
        error = take_events(m, m->source);
        if (!error) {
            error = take_events(m, m->destination);
        }
    }
    if (error) {
        return error;
    } else if (has_status(m, "failed") || has_status(m, "cancelled")) {
        return explain_failure(m);
    } else if (qmp_io_signal(m->io)) {
        return xasprintf("interrupted by a signal (%s) while waiting for %s",
                          strsignal(qmp_io_signal(m->io)), what);
    } else if (qmp_io_now() >= m->deadline) {
        return xasprintf("the time of %u s is over while waiting for %s; "
                          "--timeout sets it", m->o->timeout_s, what);
    } else if (m->watcher && qmp_io_child_has_ended(m->watcher)) {
        bool ok = qmp_io_reap(m->watcher, NULL);

        m->watcher = NULL;
        return ok ? NULL
               : xasprintf("the network has given its move up, see above");
    }
    return NULL;
}

/* Waits until something happens, at most until 'until'; not if it has happened
 * already, perhaps while a command was under way: that wakes nobody any more.
 * Returns the same. */
static char *
turn(struct mover *m, double until, const char *what)
{
    const struct qmp_io_child *watcher = m->watcher;
    unsigned int n_events = m->n_events;
    char *error = look(m, what);

    if (error || m->n_events != n_events || m->watcher != watcher) {
        return error;
    }
    qmp_io_turn(m->io, until < m->deadline ? until : m->deadline);
    return look(m, what);
}

/* nva-ctl. */

/* Starts nva-ctl with 'command' and two arguments, which may be null. */
static char *
start_nva_ctl(struct mover *m, const char *command, const char *arg1,
              const char *arg2, struct qmp_io_child **childp)
{
    char timeout[32], *db = NULL, *error = NULL;
    const char *argv[10];
    int argc = 0;

    snprintf(timeout, sizeof timeout, "--timeout=%u",
             !strcmp(command, "migrate-wait") ? m->o->timeout_s
             : NVA_CTL_TIMEOUT_S);
    argv[argc++] = "nva-ctl";
    if (m->o->db) {
        db = xasprintf("--db=%s", m->o->db);
        argv[argc++] = db;
    }
    argv[argc++] = timeout;
    if (!strcmp(command, "migrate-list")) {
        argv[argc++] = "--format=csv";
        argv[argc++] = "--columns=id,phase";
    }
    argv[argc++] = command;
    argv[argc++] = arg1;
    argv[argc++] = arg2;
    argv[argc] = NULL;
    *childp = qmp_io_spawn(m->io, argv);
    if (!*childp) {
        error = xasprintf("nva-ctl cannot be run: %s; is it in PATH?",
                           strerror(errno));
    }
    free(db);
    return error;
}

/* Runs nva-ctl to its end, which is not far. */
static char *
run_nva_ctl(struct mover *m, const char *command, const char *arg1,
            const char *arg2, char **outputp)
{
    struct qmp_io_child *child;
    char *error = start_nva_ctl(m, command, arg1, arg2, &child);

    if (error) {
        if (outputp) {
            *outputp = NULL;
        }
        return error;
    }
    while (!qmp_io_child_has_ended(child)) {
        qmp_io_turn(m->io, qmp_io_now() + NVA_CTL_TIMEOUT_S * 1e3);
    }
    return (qmp_io_reap(child, outputp) ? NULL
            : xasprintf("\"nva-ctl %s %s\" failed, see above", command,
                         arg1));
}

/* Asks the network for the move, and waits until it is prepared. */
static char *
prepare_network(struct mover *m)
{
    struct qmp_io_child *child;
    char *output, *error;
    bool ok;

    error = run_nva_ctl(m, "migrate", m->o->port, m->o->nve, &output);
    if (error) {
        free(output);
        return error;
    }
    output[strcspn(output, "\n")] = '\0';
    m->id = output;
    note(m, qmp_io_now(), "network", "asked to move %s to %s: migration %s",
         m->o->port, m->o->nve, m->id);

    error = start_nva_ctl(m, "migrate-wait", m->id, "prepared", &child);
    if (error) {
        return error;
    }
    while (!error && !qmp_io_child_has_ended(child)) {
        error = turn(m, m->deadline, "the network to be prepared");
    }
    ok = qmp_io_reap(child, NULL);
    if (error || !ok) {
        return error ? error
               : xasprintf("the network could not be prepared, see above");
    }
    note(m, qmp_io_now(), "network", "prepared");

    /* From now on it is of interest when the move ends, however it does. */
    return start_nva_ctl(m, "migrate-wait", m->id, "done", &m->watcher);
}

/* QEMU. */

/* Connects to both and checks that one has what the other waits for. */
static char *
connect_both(struct mover *m)
{
    const char *state;
    char *error;

    error = qmp_open(m->io, "source", m->o->source, &m->source);
    if (!error) {
        error = qmp_open(m->io, "destination", m->o->destination,
                         &m->destination);
    }
    if (!error) {
        error = qmp_command(m->source, "query-status", NULL);
    }
    if (error) {
        return error;
    }
    state = qmp_string(m->source, "status");
    if (!state || strcmp(state, "running")) {
        return xasprintf("source QEMU: its VM is in state %s, but only one "
                          "that is running can be moved this way",
                          state ? state : "?");
    }
    error = qmp_command(m->destination, "query-status", NULL);
    if (error) {
        return error;
    }
    state = qmp_string(m->destination, "status");
    if (!state || strcmp(state, "inmigrate")) {
        return xasprintf("destination QEMU: it is in state %s, but must wait "
                          "for the VM; start it with \"-incoming URI\"",
                          state ? state : "?");
    }
    return NULL;
}

static char *
set_limits(struct mover *m, int64_t bandwidth, int64_t downtime_ms)
{
    char *arguments, *error;

    arguments = xasprintf("{\"max-bandwidth\": %"PRId64", "
                           "\"downtime-limit\": %"PRId64"}", bandwidth,
                           downtime_ms);
    error = qmp_command(m->source, "migrate-set-parameters", arguments);
    free(arguments);
    m->limits_changed = m->limits_changed || !error;
    return error;
}

/* Returns the bandwidth that QEMU may use unless it has to be slow. */
static int64_t
full_bandwidth(const struct mover *m)
{
    return (m->o->bandwidth ? m->o->bandwidth
            : m->was_bandwidth ? m->was_bandwidth : FASTEST);
}

static char *
start_migration(struct mover *m)
{
    static const char events[] = "{\"capabilities\": "
        "[{\"capability\": \"events\", \"state\": true}]}";
    char *uri, *arguments, *error;

    error = qmp_command(m->source, "migrate-set-capabilities", events);
    if (!error) {
        error = qmp_command(m->source, "query-migrate-parameters", NULL);
    }
    if (error) {
        return error;
    }
    m->was_bandwidth = qmp_int(m->source, "max-bandwidth");
    m->was_downtime = qmp_int(m->source, "downtime-limit");
    error = set_limits(m, full_bandwidth(m), (m->o->trigger == QMP_MOVE_HOLD
                                              ? 1 : m->o->downtime_ms));
    if (error) {
        return error;
    }
    uri = qmp_quote(m->o->uri);
    arguments = xasprintf("{\"uri\": %s}", uri);
    m->migrating = true;
    error = qmp_command(m->source, "migrate", arguments);
    free(arguments);
    free(uri);
    return error;
}

/* Returns the bandwidth with which the rest of a pass over the memory takes
 * some time, so that its end does not come between two looks at it. */
static int64_t
braked_bandwidth(int64_t full, int64_t remaining)
{
    int64_t bandwidth = full;

    while (bandwidth > SLOWEST
           && remaining < bandwidth / 1000 * 2 * QEMU_WINDOW_MS) {
        bandwidth /= 4;
    }
    return (bandwidth > SLOWEST ? bandwidth
            : full < SLOWEST ? full : SLOWEST);
}

/* Waits until so little memory is left that the VM can be stopped for it, but
 * keeps QEMU from doing so. */
static char *
approach(struct mover *m)
{
    const int64_t full = full_bandwidth(m);
    int64_t bandwidth = full;
    double best = 0;            /* In bytes/ms. */

    while (!m->stopped) {
        int64_t remaining, wanted, passes;
        double speed;
        char *error = qmp_command(m->source, "query-migrate", NULL);

        if (error) {
            return error;
        }
        remaining = qmp_int(m->source, "ram.remaining");
        passes = qmp_int(m->source, "ram.dirty-sync-count");
        speed = qmp_double(m->source, "ram.mbps") * 1e6 / 8 / 1e3;
        best = speed > best ? speed : best;

        /* What is dirty is known at the end of a pass only. */
        if (passes > 1 && remaining <= best * m->o->downtime_ms) {
            note(m, qmp_io_now(), qmp_name(m->source), "%"PRId64" kB left "
                 "after %"PRId64" passes at up to %.0f MB/s",
                 remaining / 1024, passes - 1, best / 1e3);
            return NULL;
        }
        wanted = (passes ? braked_bandwidth(full, remaining) : full);
        if (wanted != bandwidth) {
            bandwidth = wanted;
            error = set_limits(m, bandwidth, 1);
        }
        if (!error) {
            error = turn(m, qmp_io_now() + POLL_MS, "QEMU to send the memory");
        }
        if (error) {
            return error;
        }
    }
    return NULL;
}

/* Returns the phase of the network's move, to be freed by the caller, null if
 * that cannot be learned. */
static char *
network_phase(struct mover *m)
{
    char *output, *phase = NULL, *save = NULL;
    char *error = run_nva_ctl(m, "migrate-list", m->o->port, NULL, &output);

    for (char *line = strtok_r(output, "\n", &save); line && !error;
         line = strtok_r(NULL, "\n", &save)) {
        char id[37], word[32];

        if (sscanf(line, "%36[^,],%31s", id, word) == 2
            && !strcmp(id, m->id)) {
            phase = strdup(word);
        }
    }
    free(output);
    free(error);
    return phase;
}

/* Tells the network by 'command' how far the VM is. */
static char *
tell_network(struct mover *m, const char *command, const char *what)
{
    char *error = run_nva_ctl(m, command, m->o->port, NULL, NULL);

    if (error) {
        /* It may have heard the VM itself, and have finished since. */
        char *phase = network_phase(m);

        if (phase && !strcmp(phase, "done")) {
            free(error);
            error = NULL;
        }
        free(phase);
    }
    if (!error) {
        note(m, qmp_io_now(), "network", "%s", what);
    }
    return error;
}

/* Has the network hold the packets, and only then lets QEMU finish. */
static char *
hold_and_release(struct mover *m)
{
    const int64_t full = full_bandwidth(m);
    char *error = approach(m);

    if (!error && !m->stopped) {
        error = set_limits(m, SLOWEST < full ? SLOWEST : full, 1);
        if (!error) {
            error = tell_network(m, "migrate-hold", "holds");
        }
        if (!error) {
            /* Last chance to give up while the VM runs. */
            error = turn(m, qmp_io_now(), "the VM to stop");
        }
    }
    free(take_events(m, m->source));
    if (m->stopped) {
        note(m, qmp_io_now(), "network", "the VM stopped before all held; "
             "packets may be lost");
        free(error);
        m->say_paused = true;
        return NULL;
    }
    return error ? error : set_limits(m, full, m->o->downtime_ms);
}

/* Waits until the VM runs at the destination and the source knows it. */
static char *
finish_migration(struct mover *m)
{
    char *error = NULL;

    while (!error && (!m->resumed || !has_status(m, "completed"))) {
        if (m->stopped && m->say_paused) {
            m->say_paused = false;
            error = tell_network(m, "migrate-paused", "was told that the VM "
                                 "has stopped, and holds");
        }
        if (!error && !m->resumed) {
            error = turn(m, m->deadline, "the VM to run at the destination");
        } else if (!error) {
            error = turn(m, m->deadline, "the source to be done");
        }
    }
    m->moved = !error;
    if (!error && m->say_activate && m->watcher) {
        error = tell_network(m, "migrate-activate", "was told that the VM "
                             "runs");
    }
    return error;
}

/* Waits until nothing is left of the network's move. */
static char *
finish_network(struct mover *m)
{
    char *error = NULL;

    while (!error && m->watcher) {
        error = turn(m, m->deadline, "the network to be done");
    }
    if (!error) {
        note(m, qmp_io_now(), "network", "done");
    }
    return error;
}

/* Carries out the move. */
static char *
move(struct mover *m)
{
    char *error = connect_both(m);

    if (!error) {
        error = prepare_network(m);
    }
    if (!error) {
        error = start_migration(m);
    }
    if (!error && m->o->trigger == QMP_MOVE_HOLD) {
        error = hold_and_release(m);
    }
    if (!error) {
        error = finish_migration(m);
    }
    return error ? error : finish_network(m);
}

/* Taking it back. */

/* Waits until QEMU's migration is over, one way or another, and returns its
 * status.  Returns null if that cannot be learned. */
static const char *
wait_for_end(struct mover *m)
{
    static const char *const ends[] = {
        "completed", "cancelled", "failed", "none"
    };

    while (qmp_io_now() < m->deadline) {
        char *error = qmp_command(m->source, "query-migrate", NULL);
        const char *status;

        if (error) {
            fprintf(stderr, "nva-qmp-migrate: %s\n", error);
            free(error);
            return NULL;
        }
        /* There is no status if there never was a migration. */
        status = qmp_string(m->source, "status");
        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
            if (!strcmp(status ? status : "none", ends[i])) {
                return ends[i];
            }
        }
        qmp_io_turn(m->io, qmp_io_now() + POLL_MS);
        free(take_events(m, m->source));
    }
    fprintf(stderr, "nva-qmp-migrate: source QEMU: its migration does not "
            "end\n");
    return NULL;
}

/* Makes QEMU keep the VM.  Returns false if it has gone, or might have. */
static bool
undo_migration(struct mover *m)
{
    const char *status;
    char *error;

    if (!m->migrating) {
        return true;
    }
    error = qmp_command(m->source, "migrate_cancel", NULL);
    status = error ? NULL : wait_for_end(m);
    if (!error && status && !strcmp(status, "completed")) {
        note(m, qmp_io_now(), "source", "too late to cancel: the VM has gone "
             "to the destination");
        return false;
    }
    if (!error && status) {
        note(m, qmp_io_now(), "source", "migration is over (%s)", status);
        error = qmp_command(m->source, "query-status", NULL);
    }
    if (!error && status) {
        const char *state = qmp_string(m->source, "status");

        if (!state || strcmp(state, "running")) {
            error = xasprintf("source QEMU: its VM is in state %s now",
                               state ? state : "?");
        }
    }
    if (!error && status && m->limits_changed) {
        error = set_limits(m, m->was_bandwidth, m->was_downtime);
    }
    if (error) {
        fprintf(stderr, "nva-qmp-migrate: %s\n", error);
    }
    free(error);
    return !error && status;
}

/* Makes the network leave the port where it was.  Returns false if it did not
 * confirm that. */
static bool
undo_network(struct mover *m)
{
    char *phase, *error = NULL;
    bool ok;

    if (!m->id) {
        return true;
    }
    phase = network_phase(m);
    if (!phase || (strcmp(phase, "failed") && strcmp(phase, "cancelled"))) {
        error = run_nva_ctl(m, "migrate-cancel", m->o->port, NULL, NULL);
        if (!error) {
            error = run_nva_ctl(m, "migrate-wait", m->id, "cancelled", NULL);
        }
    }
    ok = !error;
    if (ok) {
        note(m, qmp_io_now(), "network", "%s is where it was", m->o->port);
    } else {
        fprintf(stderr, "nva-qmp-migrate: %s\n", error);
    }
    free(error);
    free(phase);
    return ok;
}

/* Takes back what can be, after 'error'.  Returns the exit status. */
static int
undo(struct mover *m, const char *error)
{
    fflush(stdout);
    fprintf(stderr, "nva-qmp-migrate: %s\n", error);
    if (m->watcher) {
        qmp_io_reap(m->watcher, NULL);
        m->watcher = NULL;
    }
    m->deadline = qmp_io_now() + UNDO_TIMEOUT_MS;
    if (m->moved || !undo_migration(m)) {
        fprintf(stderr, "nva-qmp-migrate: the VM %s; the move of its network, "
                "migration %s, was left as it is: look at it with \"nva-ctl "
                "migrate-show %s\"\n",
                m->moved ? "has moved" : "may have moved", m->id, m->id);
        return QMP_MOVE_UNCLEAR;
    }
    return undo_network(m) ? QMP_MOVE_NOT_MOVED : QMP_MOVE_UNCLEAR;
}

int
qmp_move(const struct qmp_move_options *o)
{
    struct mover m = {
        .o = o,
        .io = qmp_io_create(),
        .start = qmp_io_now(),
        .deadline = qmp_io_now() + o->timeout_s * 1e3,
        .say_paused = o->trigger == QMP_MOVE_PAUSED,
        /* The VM may be silent.  If it is not, this comes second. */
        .say_activate = o->trigger != QMP_MOVE_ANNOUNCE,
    };
    char *error = move(&m);
    int status = 0;

    if (error) {
        status = undo(&m, error);
    } else {
        printf("stop=%.6f resume=%.6f pause_ms=%.3f\n", m.stopped, m.resumed,
               (m.resumed - m.stopped) * 1e3);
    }
    free(error);
    qmp_close(m.source);
    qmp_close(m.destination);
    qmp_io_destroy(m.io);
    free(m.status);
    free(m.id);
    return status;
}
