/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef QMP_H
#define QMP_H 1

/* A session with a QEMU by the QEMU Machine Protocol: commands with their
 * results, and events.  Nothing outside of qmp.c sees JSON but what it gives
 * as arguments.
 *
 * Errors are strings that name the QEMU, the command and QEMU's reason; null
 * means that all is fine; the caller frees them. */

#include <stdbool.h>
#include <stdint.h>

struct qmp;
struct qmp_io;

struct qmp_event {
    char *name;                 /* "STOP". */
    char *status;               /* Of a MIGRATION event, else null. */
    double seen_ms;             /* When it was read, by qmp_io_now(). */
    double time;                /* In seconds, by the clock of QEMU's host. */
};

/* Connects to the monitor at 'remote' and negotiates.  'name' is what to call
 * this QEMU in errors; it must outlive the session. */
char *qmp_open(struct qmp_io *, const char *name, const char *remote,
               struct qmp **qmpp);
void qmp_close(struct qmp *);
const char *qmp_name(const struct qmp *);

/* Has 'command' carried out, with 'arguments', which is a JSON object, or null
 * for none.  Its result is what qmp_int() and the like look into, until the
 * next command. */
char *qmp_command(struct qmp *, const char *command, const char *arguments);

/* These return the value at 'path' in the result of the last command, which is
 * the names of members with dots between them, or 0 or null if there is no
 * such value. */
int64_t qmp_int(const struct qmp *, const char *path);
double qmp_double(const struct qmp *, const char *path);
const char *qmp_string(const struct qmp *, const char *path);

/* Takes in what has come since the last call, and stores in '*event' the
 * oldest event that was not returned yet, null if there is none.  It is valid
 * until the next call.  Returns an error if the connection is lost or QEMU
 * does not speak QMP. */
char *qmp_next_event(struct qmp *, const struct qmp_event **event);

/* Returns 'string' as a JSON string, with quotes, to be freed by the
 * caller. */
char *qmp_quote(const char *string);

#endif /* qmp.h */
