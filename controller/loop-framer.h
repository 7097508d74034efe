/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef LOOP_FRAMER_H
#define LOOP_FRAMER_H 1

/* Cuts the bytes that a peer sends into messages, and knows what echoes look
 * like.
 *
 * Decides only whether bytes can be a message at all; does no I/O.  Holds
 * memory only while a message is incomplete, so that idle connections are
 * cheap. */

#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "openvswitch/ofpbuf.h"

struct json_parser;

struct loop_framer {
    enum loop_protocol protocol;
    struct ofpbuf in;           /* LOOP_OPENFLOW: part of a message. */
    struct json_parser *parser; /* LOOP_JSONRPC: ditto, or null. */
    size_t n_fed;               /* Bytes fed to 'parser'. */
    uint8_t rx_version;         /* Of the last OpenFlow message received, or */
    uint8_t tx_version;         /* sent; zero if none was. */
};

/* What came in; all null if there is no complete message, or it was the reply
 * to an echo request.  Whoever gets it owns it. */
struct loop_frame {
    struct ofpbuf *ofp;         /* OpenFlow message, not an echo. */
    struct jsonrpc_msg *json;   /* JSON-RPC message, not an echo. */
    struct ofpbuf *reply;       /* To send: the answer to an echo request. */
};

void loop_framer_init(struct loop_framer *, enum loop_protocol);
void loop_framer_uninit(struct loop_framer *);

/* Takes bytes from the '*n' ones at '*p', advancing both, until a message is
 * complete or none is left, and fills in '*frame'.  Returns null if all is
 * well, otherwise what is wrong with the bytes, which the caller must free;
 * then the framer is of no more use. */
char *loop_framer_feed(struct loop_framer *, const uint8_t **p, size_t *n,
                       struct loop_frame *frame);

/* Notes that 'msg' is sent. */
void loop_framer_sent(struct loop_framer *, const struct ofpbuf *msg);

/* Returns an echo request for the peer, or null if it cannot be asked yet. */
struct ofpbuf *loop_framer_probe(const struct loop_framer *);

#endif /* loop-framer.h */
