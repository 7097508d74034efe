/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef OFCONN_H
#define OFCONN_H 1

/* The OpenFlow 1.5 session with one integration bridge.
 *
 * Agrees on the version, asks who the switch is, and configures what it sends
 * to us; then passes messages in both directions.  What the messages mean is
 * for ofsync.h and others.
 *
 * Used from the control thread only. */

#include <stdint.h>

struct loop;
struct loop_conn;
struct loop_event;
struct ofconn;
struct ofp_header;
struct ofpbuf;
struct ofputil_packet_in;

struct ofconn_class {
    /* The session is up; the switch's datapath id is known. */
    void (*up)(struct ofconn *, uint64_t datapath_id, void *aux);

    /* It was up and is not any more, or could not come up. */
    void (*down)(struct ofconn *, const char *reason, void *aux);

    /* A message other than those that this module handles itself. */
    void (*message)(struct ofconn *, const struct ofp_header *, void *aux);

    /* A packet-in.  'pin' is valid during the call only. */
    void (*packet_in)(struct ofconn *, const struct ofputil_packet_in *pin,
                      void *aux);
};

/* Keeps a session with 'remote', which loop_check_remote() has approved. */
struct ofconn *ofconn_connect(struct loop *, const char *remote,
                              const struct ofconn_class *, void *aux);

/* Runs a session on a connection that a switch opened (LOOP_ACCEPTED). */
struct ofconn *ofconn_accept(struct loop_conn *, const struct ofconn_class *,
                             void *aux);

/* Closes the session.  Must not be called from a callback of the class. */
void ofconn_destroy(struct ofconn *);

/* Drops the connection because of 'reason'; one of ours is tried again. */
void ofconn_disconnect(struct ofconn *, const char *reason);

/* Changes after how long, in ms, a switch that says nothing is asked for a
 * sign of life. */
void ofconn_set_probe(struct ofconn *, int interval);

/* Changes whom the callbacks tell. */
void ofconn_set_aux(struct ofconn *, void *aux);

/* Processes an event of the session's connection and frees what it holds.
 * The aux of the connection is the 'struct ofconn'. */
void ofconn_process(struct ofconn *, struct loop_event *);

/* Sends a message and takes ownership of it.  Dropped unless up. */
void ofconn_send(struct ofconn *, struct ofpbuf *);

/* The same for a buffer with one or more messages, whose lengths are set. */
void ofconn_send_many(struct ofconn *, struct ofpbuf *);

#endif /* ofconn.h */
