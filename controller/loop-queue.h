/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef LOOP_QUEUE_H
#define LOOP_QUEUE_H 1

/* The queues between the control thread and the I/O thread of a loop.
 *
 * The control thread puts 'struct loop_cmd's into 'cmds' and writes to
 * 'cmd_fd' if 'cmds' was empty.  The I/O thread takes all of them at once.
 *
 * The I/O thread gathers 'struct loop_item's in 'news' and, at the end of each
 * callback, appends them to 'items' and sets 'latch' if 'items' was empty.
 * The control thread takes all of them at once into 'taken'.
 *
 * A 'struct loop_conn' is made by one thread and told to the other by a
 * command or an event.  It is freed by the control thread, after the last
 * thing that the I/O thread has to say of it: the answer to LOOP_CMD_CLOSE.
 * Since the queues are in order, nothing refers to it any more by then.
 *
 * A connection comes and goes while commands and events are under way.  So
 * each time it is up has a number, its session: a message goes out only in the
 * session that the control thread knew of when it sent the message.
 *
 * loop-queue.c also has those functions of loop.h that need nothing but the
 * queues. */

#include <stdint.h>

#include "latch.h"
#include "loop.h"
#include "openvswitch/list.h"
#include "openvswitch/thread.h"

struct loop_listener;

/* The first member of each 'struct loop'. */
struct loop_queue {
    struct ovs_mutex mutex;
    struct ovs_list cmds OVS_GUARDED;  /* Contains "struct loop_cmd"s. */
    struct ovs_list items OVS_GUARDED; /* Contains "struct loop_item"s. */
    int cmd_fd;                 /* Wakes the I/O thread: an eventfd. */
    struct latch latch;         /* Wakes the control thread. */
    struct ovs_list taken;      /* The control thread's "struct loop_item"s. */
    struct ovs_list news;       /* The I/O thread's. */
};

/* What the control thread knows of a connection.  The I/O thread's structure
 * embeds this. */
struct loop_conn {
    /* Never change. */
    struct loop_queue *queue;
    char *name;
    enum loop_protocol protocol;
    void (*destroy)(struct loop_conn *);

    /* The control thread's. */
    void *aux;
    uint32_t session;           /* Zero if down as far as is known. */
    bool closed;                /* loop_conn_close() was called. */
};

enum loop_cmd_type {
    LOOP_CMD_CONNECT,
    LOOP_CMD_LISTEN,
    LOOP_CMD_SEND,
    LOOP_CMD_PROBE,
    LOOP_CMD_RESET,
    LOOP_CMD_CLOSE,
    LOOP_CMD_STOP
};

struct loop_cmd {
    struct ovs_list node;
    enum loop_cmd_type type;
    struct loop_conn *conn;         /* Not LOOP_CMD_LISTEN, LOOP_CMD_STOP. */
    struct loop_listener *listener; /* LOOP_CMD_LISTEN. */
    uint32_t session;               /* LOOP_CMD_SEND, LOOP_CMD_RESET. */
    struct ofpbuf *msg;             /* LOOP_CMD_SEND: the bytes. */
    char *reason;                   /* LOOP_CMD_RESET. */
    int interval;                   /* LOOP_CMD_PROBE: in ms. */
};

/* An event on its way to the control thread. */
struct loop_item {
    struct ovs_list node;
    struct loop_event event;
    uint32_t session;           /* LOOP_ACCEPTED, LOOP_CONNECTED. */
    bool closed;                /* Not an event: answers LOOP_CMD_CLOSE. */
};

/* Returns 0 or a positive errno value.  What is queued is freed by
 * loop_queue_uninit(), also connections that are closed, but no others. */
int loop_queue_init(struct loop_queue *);
void loop_queue_uninit(struct loop_queue *);

/* For the control thread.  Puts a new command into 'queue' that has the given
 * members; the I/O thread frees it. */
void loop_queue_put(struct loop_queue *, const struct loop_cmd *);

/* For the I/O thread.  loop_queue_take() moves all commands to 'cmds', which
 * must be empty.  loop_queue_report() adds an event, which the caller may
 * complete until it calls loop_queue_publish(). */
void loop_queue_take(struct loop_queue *, struct ovs_list *cmds);
struct loop_item *loop_queue_report(struct loop_queue *, struct loop_conn *,
                                    enum loop_event_type);
void loop_queue_publish(struct loop_queue *);

/* Frees 'cmd' and what it owns. */
void loop_cmd_destroy(struct loop_cmd *);

#endif /* loop-queue.h */
