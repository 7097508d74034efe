/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef PEER_H
#define PEER_H 1

/* The other end of a connection, for tests: plain sockets, in blocking mode,
 * so that a test says exactly which bytes are sent when.  What fails
 * aborts. */

#include <stddef.h>
#include <stdint.h>

struct ofpbuf;

/* Returns an OpenFlow 1.3 message with xid 1, whose byte number N is N, modulo
 * 256, after the header. */
struct ofpbuf *peer_make_ofp(uint8_t type, size_t length);

/* Return a listening socket; the latter at an address of the loopback
 * interface, with room for one connection that waits, and stores its port in
 * '*port'. */
int peer_listen_unix(const char *path);
int peer_listen_inet(int family, int *port);
int peer_accept(int listen_fd);

void peer_write(int fd, const void *, size_t);
void peer_write_str(int fd, const char *);
void peer_write_ofp(int fd, uint8_t type, size_t length);

/* Read one message and print it: of OpenFlow, version, type, length and the
 * sum of the bytes that follow the header. */
void peer_print_ofp(int fd);
void peer_print_json(int fd);

/* Reads up to the end of the connection, prints how much that was, and closes
 * 'fd'. */
void peer_print_end(int fd);

#endif /* peer.h */
