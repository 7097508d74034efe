/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef QMP_IO_H
#define QMP_IO_H 1

/* What happens outside of nva-qmp-migrate: connections that carry lines of
 * text, child processes, signals and time.
 *
 * A program that does one step after the other is easier to read than one made
 * of callbacks, so there are none here: qmp_io_turn() waits until something
 * has happened, and the caller looks at what it was waiting for. */

#include <stdbool.h>
#include <stddef.h>

struct qmp_io;
struct qmp_io_conn;
struct qmp_io_child;

/* From now on, SIGINT, SIGTERM and SIGHUP do not end the process but are told
 * by qmp_io_signal(). */
struct qmp_io *qmp_io_create(void);
void qmp_io_destroy(struct qmp_io *);

/* Returns the time in ms, by a clock that never jumps. */
double qmp_io_now(void);

/* Waits until something has happened, at most until 'deadline', a time of
 * qmp_io_now(). */
void qmp_io_turn(struct qmp_io *, double deadline);

/* Returns the number of the last signal that wants us to end, 0 if none
 * came. */
int qmp_io_signal(const struct qmp_io *);

/* Connects to 'remote', which is "unix:FILE", a FILE with a slash in it, or
 * "tcp:HOST:PORT".  Stores the connection in '*connp' and returns null, or
 * returns what is wrong, to be freed by the caller. */
char *qmp_io_connect(struct qmp_io *, const char *remote,
                     struct qmp_io_conn **connp);
void qmp_io_disconnect(struct qmp_io_conn *);
void qmp_io_write(struct qmp_io_conn *, const char *text);

/* Returns the next line that was received, to be freed by the caller, or null
 * if there is none yet. */
char *qmp_io_read_line(struct qmp_io_conn *);

/* Has the other side closed the connection, or was it lost?  There may still
 * be lines to read. */
bool qmp_io_is_closed(const struct qmp_io_conn *);

/* Starts the program argv[0], searched for in PATH.  Its standard output is
 * kept, its standard error is ours.  It is out of the way of the terminal's
 * signals, which are for us to pass on.  Returns null if it cannot be started,
 * with errno set. */
struct qmp_io_child *qmp_io_spawn(struct qmp_io *, const char *const argv[]);
bool qmp_io_child_has_ended(const struct qmp_io_child *);

/* Frees 'child', ending it before if it still runs.  Returns whether it ended
 * by itself with exit status 0.  If 'outputp' is nonnull, stores in it what
 * the program has printed, to be freed by the caller. */
bool qmp_io_reap(struct qmp_io_child *, char **outputp);

#endif /* qmp-io.h */
