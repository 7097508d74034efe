/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef LOOP_PRIVATE_H
#define LOOP_PRIVATE_H 1

/* What the files of the I/O thread share.  loop-conn.c has the connections,
 * loop.c the listeners, the commands and the thread itself.
 *
 * Everything here runs in the I/O thread, except where a comment says
 * otherwise. */

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>

#include "loop-framer.h"
#include "loop-pulse.h"
#include "loop-queue.h"
#include "loop-remote.h"
#include "loop-sock.h"
#include "loop-tls.h"
#include "loop.h"
#include "openvswitch/list.h"

#define LOOP_READ_SIZE (64 * 1024)

enum conn_state {
    CONN_BACKOFF,               /* No socket; 'timer' ends it. */
    CONN_CONNECTING,            /* Until the socket is writable. */
    CONN_HANDSHAKE,             /* TLS. */
    CONN_UP,                    /* Messages flow. */
    CONN_DEAD                   /* No socket; waits for loop_conn_close(). */
};

struct conn {
    struct loop_conn up;        /* What the control thread sees. */
    struct loop *loop;
    bool active;                /* Whether 'remote' is there to retry. */
    bool tls;
    struct loop_remote remote;

    struct ovs_list node;       /* In struct loop's 'conns'. */
    struct ovs_list dirty_node; /* In struct loop's 'dirty', or empty. */
    enum conn_state state;
    struct event timer;         /* Its meaning depends on 'state'. */
    struct loop_pulse pulse;
    uint32_t session;           /* The last one. */

    struct loop_sock sock;
    struct event readable;      /* Valid if 'sock' is open. */
    struct event writable;      /* Ditto. */
    struct loop_framer framer;
};

struct loop {
    struct loop_queue queue;    /* Must be first, see loop-queue.h. */
    struct loop_tls *tls;       /* Or null. */
    pthread_t thread;

    struct event_base *base;
    struct event cmd_event;
    struct ovs_list conns;      /* Contains "struct conn"s. */
    struct ovs_list listeners;  /* Contains "struct loop_listener"s. */
    struct ovs_list dirty;      /* Connections with something to write. */
    unsigned int n_accepted;
    uint8_t buffer[LOOP_READ_SIZE];
};

static inline void
loop_timer_start(struct event *timer, long long int ms)
{
    struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
    event_add(timer, &tv);
}

/* Makes a connection without a socket, of which the I/O thread does not know
 * yet.  Takes ownership of 'name'.  May be called in either thread. */
struct conn *conn_create(struct loop *, char *name, enum loop_protocol);

/* Makes 'fd', whose peer has connected to a listener, the socket of 'conn',
 * which is new. */
void conn_accept(struct conn *conn, int fd);

/* Carries out 'cmd', which is about 'cmd->conn'.  What it takes of 'cmd' it
 * sets to null. */
void conn_do(struct loop_cmd *cmd);

/* Writes as much as the socket takes of what has gathered for 'conn', which is
 * in the list 'dirty' of its loop, and takes it off that. */
void conn_flush(struct conn *conn);

/* Closes and frees 'conn', when the thread ends. */
void conn_end(struct conn *conn);

#endif /* loop-private.h */
