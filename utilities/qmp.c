/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include "qmp.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qmp-io.h"

enum { ANSWER_TIMEOUT_MS = 10000 };

/* An event in the queue. */
struct queued {
    struct qmp_event event;
    struct queued *next;
};

struct qmp {
    const char *name;
    struct qmp_io *io;
    struct qmp_io_conn *conn;
    struct json_object *answer; /* Not an event, or null. */
    struct json_object *result; /* Of the last command, or null. */
    struct queued *first;       /* Not returned yet. */
    struct queued **tail;
    struct queued *current;     /* Returned last, or null. */
};

static void
free_queued(struct queued *q)
{
    if (q) {
        free(q->event.name);
        free(q->event.status);
        free(q);
    }
}

static char *
make_error(const struct qmp *qmp, const char *what, const char *why)
{
    char *error;

    if (asprintf(&error, "%s QEMU: %s%s%s", qmp->name, what ? what : "",
                 what ? ": " : "", why) < 0) {
        abort();
    }
    return error;
}

/* Returns the value at 'path' in 'object', null if there is none. */
static struct json_object *
find(struct json_object *object, const char *path)
{
    while (object && *path) {
        size_t n = strcspn(path, ".");
        char name[64];

        if (n >= sizeof name) {
            return NULL;
        }
        memcpy(name, path, n);
        name[n] = '\0';
        if (!json_object_is_type(object, json_type_object)
            || !json_object_object_get_ex(object, name, &object)) {
            return NULL;
        }
        path += n + (path[n] == '.');
    }
    return object;
}

static char *
dup_string(struct json_object *object, const char *path)
{
    struct json_object *value = find(object, path);

    return value ? strdup(json_object_get_string(value)) : NULL;
}

static void
queue_event(struct qmp *qmp, struct json_object *object)
{
    struct queued *q = calloc(1, sizeof *q);

    if (!q) {
        abort();
    }
    q->event.name = dup_string(object, "event");
    q->event.status = dup_string(object, "data.status");
    q->event.seen_ms = qmp_io_now();
    q->event.time =
        json_object_get_int64(find(object, "timestamp.seconds"))
        + json_object_get_int64(find(object, "timestamp.microseconds")) / 1e6;
    *qmp->tail = q;
    qmp->tail = &q->next;
}

/* Takes in the lines that have come. */
static char *
receive(struct qmp *qmp)
{
    char *line;

    while ((line = qmp_io_read_line(qmp->conn)) != NULL) {
        struct json_object *object = json_tokener_parse(line);
        bool ok = json_object_is_type(object, json_type_object);

        free(line);
        if (!ok) {
            json_object_put(object);
            return make_error(qmp, NULL, "what it says is not QMP; give the "
                              "socket of -qmp, not that of -monitor");
        } else if (find(object, "event")) {
            queue_event(qmp, object);
            json_object_put(object);
        } else {
            json_object_put(qmp->answer);
            qmp->answer = object;
        }
    }
    return (qmp_io_is_closed(qmp->conn)
            ? make_error(qmp, NULL, "it closed the connection") : NULL);
}

/* Waits for an answer to 'what'. */
static char *
wait_for_answer(struct qmp *qmp, const char *what)
{
    double deadline = qmp_io_now() + ANSWER_TIMEOUT_MS;
    char *error;

    for (;;) {
        error = receive(qmp);
        if (qmp->answer) {
            /* If the connection is lost, too, the next one learns of it. */
            free(error);
            return NULL;
        } else if (error) {
            return error;
        } else if (qmp_io_now() >= deadline) {
            return make_error(qmp, what, "it does not answer; its monitor "
                              "may be in use by somebody else");
        }
        qmp_io_turn(qmp->io, deadline);
    }
}

char *
qmp_command(struct qmp *qmp, const char *command, const char *arguments)
{
    char *text, *error;

    json_object_put(qmp->result);
    json_object_put(qmp->answer);
    qmp->result = qmp->answer = NULL;
    if (asprintf(&text, "{\"execute\": \"%s\"%s%s}\n", command,
                 arguments ? ", \"arguments\": " : "",
                 arguments ? arguments : "") < 0) {
        abort();
    }
    qmp_io_write(qmp->conn, text);
    free(text);
    error = wait_for_answer(qmp, command);
    if (error) {
        return error;
    }
    if (find(qmp->answer, "error")) {
        char *why = dup_string(qmp->answer, "error.desc");

        error = make_error(qmp, command, why ? why : "refused");
        free(why);
        return error;
    }
    qmp->result = json_object_get(find(qmp->answer, "return"));
    return NULL;
}

char *
qmp_open(struct qmp_io *io, const char *name, const char *remote,
         struct qmp **qmpp)
{
    struct qmp *qmp = calloc(1, sizeof *qmp);
    char *error;

    if (!qmp) {
        abort();
    }
    *qmpp = qmp;
    qmp->name = name;
    qmp->io = io;
    qmp->tail = &qmp->first;
    error = qmp_io_connect(io, remote, &qmp->conn);
    if (error) {
        char *with_name = make_error(qmp, "cannot connect to its monitor",
                                     error);

        free(error);
        return with_name;
    }
    error = wait_for_answer(qmp, "greeting");
    if (!error && !find(qmp->answer, "QMP")) {
        error = make_error(qmp, NULL, "it did not greet as QEMU does");
    }
    return error ? error : qmp_command(qmp, "qmp_capabilities", NULL);
}

void
qmp_close(struct qmp *qmp)
{
    if (qmp) {
        qmp_io_disconnect(qmp->conn);
        json_object_put(qmp->answer);
        json_object_put(qmp->result);
        free_queued(qmp->current);
        while (qmp->first) {
            struct queued *next = qmp->first->next;

            free_queued(qmp->first);
            qmp->first = next;
        }
        free(qmp);
    }
}

const char *
qmp_name(const struct qmp *qmp)
{
    return qmp->name;
}

int64_t
qmp_int(const struct qmp *qmp, const char *path)
{
    return json_object_get_int64(find(qmp->result, path));
}

double
qmp_double(const struct qmp *qmp, const char *path)
{
    return json_object_get_double(find(qmp->result, path));
}

const char *
qmp_string(const struct qmp *qmp, const char *path)
{
    return json_object_get_string(find(qmp->result, path));
}

char *
qmp_next_event(struct qmp *qmp, const struct qmp_event **event)
{
    char *error = receive(qmp);

    free_queued(qmp->current);
    qmp->current = qmp->first;
    *event = NULL;
    if (qmp->current) {
        qmp->first = qmp->current->next;
        if (!qmp->first) {
            qmp->tail = &qmp->first;
        }
        *event = &qmp->current->event;
        /* What it said before it left comes first. */
        free(error);
        return NULL;
    }
    return error;
}

char *
qmp_quote(const char *string)
{
    struct json_object *object = json_object_new_string(string);
    char *quoted = strdup(json_object_to_json_string(object));

    json_object_put(object);
    return quoted;
}
