/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef LOOP_TLS_H
#define LOOP_TLS_H 1

/* TLS for the connections of the I/O thread, over OpenSSL.
 *
 * As with the ssl: of Open vSwitch, each side must show a certificate that the
 * certification authority signed; names in certificates are not looked at.
 * TLS 1.2 is the least that is spoken.
 *
 * The functions that do I/O never block and return the number of bytes (for
 * loop_tls_handshake(), 1), 0 at the end of the connection, LOOP_TLS_AGAIN if
 * the socket has to become readable or writable first, or LOOP_TLS_ERROR, and
 * then '*error' says why and is the caller's to free.
 *
 * Thread-safety: a 'struct loop_tls' may be made in one thread and used in
 * another. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct loop_tls;
struct loop_tls_conn;
struct loop_tls_files;

#define LOOP_TLS_AGAIN -1
#define LOOP_TLS_ERROR -2

/* Reads 'files'.  Returns null on success, otherwise an error message that the
 * caller must free. */
char *loop_tls_create(const struct loop_tls_files *, struct loop_tls **);
void loop_tls_destroy(struct loop_tls *);

/* Starts TLS on 'fd', which stays the caller's.  Returns null if memory is
 * short. */
struct loop_tls_conn *loop_tls_open(struct loop_tls *, int fd, bool server);

/* Says goodbye to the peer if that needs no waiting, and frees. */
void loop_tls_close(struct loop_tls_conn *);

int loop_tls_handshake(struct loop_tls_conn *, char **error);
ssize_t loop_tls_read(struct loop_tls_conn *, void *, size_t, char **error);

/* After LOOP_TLS_AGAIN, the next call must offer the same bytes again,
 * possibly followed by more. */
ssize_t loop_tls_write(struct loop_tls_conn *, const void *, size_t,
                       char **error);

/* Whether the last call had to wait for the socket to become writable. */
bool loop_tls_wants_write(const struct loop_tls_conn *);

#endif /* loop-tls.h */
