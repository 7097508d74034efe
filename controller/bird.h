/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef BIRD_H
#define BIRD_H 1

/* Has BIRD, a routing daemon, read its configuration again.
 *
 * Says "configure" on BIRD's control socket, as birdc does, and hears whether
 * that was done.  If it was not, or BIRD does not run, tries again after 3 s;
 * each time the reason is logged.  Never blocks, and starts no process.
 *
 * Uses the poll loop.  'now' is in ms.  Thread-safety: none; use from one
 * thread. */

struct bird;

/* 'socket' is the name of the control socket. */
struct bird *bird_create(const char *socket);
void bird_destroy(struct bird *);

/* The configuration has changed. */
void bird_configure(struct bird *);

void bird_run(struct bird *, long long int now);

/* Has the poll loop wake up when bird_run() has something to do. */
void bird_wait(struct bird *);

#endif /* bird.h */
