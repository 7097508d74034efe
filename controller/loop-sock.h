/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef LOOP_SOCK_H
#define LOOP_SOCK_H 1

/* A connected socket, with or without TLS, and the bytes that wait for it.
 *
 * Never blocks; when to try again is for the owner to find out. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "openvswitch/list.h"

struct loop_tls_conn;
struct ofpbuf;

struct loop_sock {
    int fd;                     /* -1 if closed. */
    struct loop_tls_conn *tls;  /* Or null. */
    struct ovs_list out;        /* Contains "struct ofpbuf"s. */
    size_t out_bytes;           /* In 'out'. */
};

void loop_sock_init(struct loop_sock *);

/* Closes the socket, if it is open, and drops what waits for it. */
void loop_sock_close(struct loop_sock *);

/* Returns 0 or why connecting failed, as a positive errno value. */
int loop_sock_connect_error(const struct loop_sock *);

/* Queues 'msg', of which it takes ownership. */
void loop_sock_put(struct loop_sock *, struct ofpbuf *msg);

/* Writes what waits, as far as the socket takes it.  Returns null or why it
 * takes no more ever, which the caller must free. */
char *loop_sock_flush(struct loop_sock *);

/* Returns as loop_tls_read() does. */
ssize_t loop_sock_read(struct loop_sock *, void *, size_t, char **error);

/* Whether the socket has to become writable before there can be progress. */
bool loop_sock_wants_write(const struct loop_sock *);

#endif /* loop-sock.h */
