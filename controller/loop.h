/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef LOOP_H
#define LOOP_H 1

/* The I/O thread: connections to hypervisors, by OpenFlow and by OVSDB.
 *
 * A 'struct loop' is one thread that runs libevent, so that what a wake-up
 * costs does not grow with the number of idle connections, and any number of
 * connections.  Whole messages pass between it and the control thread, which
 * runs the poll loop of libopenvswitch: the control thread calls the functions
 * below, none of which ever blocks, and takes events with loop_next_event().
 *
 * The I/O thread decides nothing.  It frames messages, answers and sends echo
 * requests (so that a busy control thread does not lose a peer), does TLS, and
 * reconnects active connections with back-off.
 *
 * Ownership: a connection belongs to the control thread until it calls
 * loop_conn_close(); after that no event of it is reported any more, also not
 * one that was queued before.
 *
 * Thread-safety: one control thread a loop. */

#include <stdbool.h>

struct jsonrpc_msg;
struct loop;
struct loop_conn;
struct ofpbuf;

/* What the bytes of a connection are. */
enum loop_protocol {
    LOOP_OPENFLOW,              /* OpenFlow, in 'struct ofpbuf's. */
    LOOP_JSONRPC                /* JSON-RPC 1.0, as RFC 7047 section 4. */
};

/* Files in PEM format for ssl: and pssl: remotes.  All three or none. */
struct loop_tls_files {
    const char *private_key;
    const char *certificate;
    const char *ca_cert;
};

enum loop_event_type {
    LOOP_ACCEPTED,              /* A peer connected to a listener. */
    LOOP_CONNECTED,             /* An active connection was established. */
    LOOP_MESSAGE,               /* A message came in. */
    LOOP_DISCONNECTED           /* The connection was lost.  An active one is
                                 * going to be tried again; an accepted one
                                 * waits for loop_conn_close(). */
};

struct loop_event {
    enum loop_event_type type;
    enum loop_protocol protocol;
    struct loop_conn *conn;
    struct ofpbuf *ofp;         /* LOOP_MESSAGE, LOOP_OPENFLOW: the receiver's
                                 * to free; one message with its header, whose
                                 * length has been checked. */
    struct jsonrpc_msg *json;   /* LOOP_MESSAGE, LOOP_JSONRPC: the receiver's
                                 * to free; never an echo. */
    char *error;                /* LOOP_DISCONNECTED: why, in words; the
                                 * receiver's to free. */
};

/* Starts the I/O thread.  'tls' may be null; then ssl: and pssl: are refused.
 * Returns null on success, otherwise an error message that the caller must
 * free (for example, a certificate that cannot be read). */
char *loop_create(const struct loop_tls_files *tls, struct loop **);

/* Stops the thread, closes all connections and listeners and frees what is
 * queued.  Every 'struct loop_conn' is invalid afterwards. */
void loop_destroy(struct loop *);

/* Returns null if 'remote' is one that loop_connect() takes ("tcp:IP:PORT",
 * "ssl:IP:PORT", "unix:/PATH"; an IPv6 address in brackets), otherwise what is
 * wrong with it, which the caller must free. */
char *loop_check_remote(const struct loop *, const char *remote);

/* Starts to connect to 'remote', which loop_check_remote() has approved, and
 * keeps trying, at first at once, after a failure with a back-off from 100 ms
 * that doubles up to 8 s.  'aux' is the caller's, see loop_conn_get_aux(). */
struct loop_conn *loop_connect(struct loop *, const char *remote,
                               enum loop_protocol, void *aux);

/* Listens on 'target' ("ptcp:PORT[:IP]", "pssl:PORT[:IP]", "punix:/PATH"); the
 * peers that connect are reported with LOOP_ACCEPTED, their aux null.  Returns
 * null on success, otherwise an error message that the caller must free. */
char *loop_listen(struct loop *, const char *target, enum loop_protocol);

/* Sends a message, taking ownership of it.  Dropped if the connection is not
 * up.  A peer that does not read is disconnected when more than 64 MB wait
 * for it. */
void loop_conn_send_ofp(struct loop_conn *, struct ofpbuf *);
void loop_conn_send_json(struct loop_conn *, struct jsonrpc_msg *);

/* The same for one or more OpenFlow messages, with their lengths set, in one
 * buffer. */
void loop_conn_send_ofps(struct loop_conn *, struct ofpbuf *);

/* Asks the peer for a sign of life when it has been silent for 'interval' ms,
 * at first 5,000, and 5 s after something was sent to it; if 5 s after that
 * and after asking again there is nothing, the connection is dropped. */
void loop_conn_set_probe(struct loop_conn *, int interval);

/* Drops the connection because of 'reason'; LOOP_DISCONNECTED follows and an
 * active connection is tried again with back-off. */
void loop_conn_reset(struct loop_conn *, const char *reason);

/* Ends the connection for good. */
void loop_conn_close(struct loop_conn *);

/* The caller's own pointer, null at first for an accepted connection. */
void *loop_conn_get_aux(const struct loop_conn *);
void loop_conn_set_aux(struct loop_conn *, void *aux);

/* Returns the remote of an active connection, "tcp:IP:PORT" and so on of the
 * peer of an accepted one.  Valid until loop_conn_close(). */
const char *loop_conn_get_name(const struct loop_conn *);

/* Takes the next event, if any, into '*event' and returns true. */
bool loop_next_event(struct loop *, struct loop_event *event);

/* Makes the next poll_block() of the calling thread wake up when there is an
 * event to take. */
void loop_wait(struct loop *);

#endif /* loop.h */
