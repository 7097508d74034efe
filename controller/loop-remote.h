/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef LOOP_REMOTE_H
#define LOOP_REMOTE_H 1

/* Where a connection of the I/O thread goes to, or a listener is at.
 *
 * Takes the text form of a remote apart and makes sockets of it.  No function
 * blocks, logs, or looks up a name: hosts are given by address. */

#include <stdbool.h>
#include <sys/socket.h>

struct loop_remote {
    bool tls;                   /* ssl: or pssl:. */
    char *path;                 /* unix: or punix:, otherwise null. */
    struct sockaddr_storage ss; /* If 'path' is null. */
};

/* Parses 's' ("tcp:IP:PORT", "ssl:IP:PORT", "unix:/PATH", or, if 'passive',
 * "ptcp:PORT[:IP]", "pssl:PORT[:IP]", "punix:/PATH") into '*remote'; those
 * with TLS are refused unless 'have_tls'.  Returns null on success; then
 * loop_remote_uninit() is the caller's duty.  Otherwise returns an error
 * message of one line, which names 's' and which the caller must free. */
char *loop_remote_parse(const char *s, bool passive, bool have_tls,
                        struct loop_remote *);
void loop_remote_uninit(struct loop_remote *);

/* Returns true if whoever connects to 'active' may reach what listens on
 * 'passive': "tcp:192.0.2.1:6640" reaches "ptcp:6640:192.0.2.1" and
 * "ptcp:6640:0.0.0.0".  What cannot be parsed is not reached. */
bool loop_remote_reaches(const char *active, const char *passive);

/* Starts to connect to 'remote'.  Returns a non-blocking socket, which is
 * writable when the attempt has come to an end, or a negative errno value. */
int loop_remote_connect(const struct loop_remote *);

/* Returns a non-blocking socket that listens on 'remote', or a negative errno
 * value.  A file in the way of a punix: one is removed. */
int loop_remote_listen(const struct loop_remote *);

/* Takes a connection from 'fd', which listens on 'remote'.  Returns its
 * non-blocking socket and stores its name, "tcp:IP:PORT" and so on, in
 * '*name', which the caller must free; peers on a Unix socket have no
 * name, so they are numbered with 'id'.  Otherwise returns a negative errno
 * value. */
int loop_remote_accept(const struct loop_remote *, int fd, unsigned int id,
                       char **name);

#endif /* loop-remote.h */
