/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "loop-framer.h"

#include <ctype.h>
#include <string.h>

#include "jsonrpc.h"
#include "openflow/openflow-common.h"
#include "openvswitch/json.h"
#include "openvswitch/dynamic-string.h"
#include "unaligned.h"
#include "util.h"

#define LOOP_FRAMER_JSON_MAX (64 * 1024 * 1024)

/* Of the OpenFlow header, as much as has to be there to know the length. */
#define LOOP_FRAMER_OFP_HEAD 4

/* The types of OpenFlow messages that matter here, in all versions. */
#define OFPT_ECHO_REQUEST 2
#define OFPT_ECHO_REPLY 3

void
loop_framer_init(struct loop_framer *framer, enum loop_protocol protocol)
{
    memset(framer, 0, sizeof *framer);
    framer->protocol = protocol;
    ofpbuf_init(&framer->in, 0);
}

void
loop_framer_uninit(struct loop_framer *framer)
{
    ofpbuf_uninit(&framer->in);
    json_parser_abort(framer->parser);
    framer->parser = NULL;
}

/* Checks the first LOOP_FRAMER_OFP_HEAD bytes of a message, at 'head', and
 * stores its length in '*length'. */
static char *
check_ofp_head(const uint8_t *head, size_t *length)
{
    /* Hello (type 0) may announce versions that are not invented yet. */
    uint8_t version = head[0];
    if (!version || version > (head[1] ? OFP15_VERSION : 0x7f)) {
        return xasprintf("received something that is not OpenFlow (it begins "
                         "with %02x %02x %02x %02x)",
                         head[0], head[1], head[2], head[3]);
    }

    *length = ntohs(get_unaligned_be16((const ovs_be16 *) (head + 2)));
    if (*length < sizeof(struct ofp_header)) {
        return xasprintf("received an OpenFlow message with length "
                         "%"PRIuSIZE" in its header", *length);
    }
    return NULL;
}

/* Moves bytes from the '*n' ones at '*p' to 'b' until 'b' has 'size'.  Returns
 * true if it has. */
static bool
gather(struct ofpbuf *b, size_t size, const uint8_t **p, size_t *n)
{
    size_t chunk = MIN(size - b->size, *n);

    ofpbuf_put(b, *p, chunk);
    *p += chunk;
    *n -= chunk;
    return b->size == size;
}

static char *
feed_ofp(struct loop_framer *framer, const uint8_t **p, size_t *n,
         struct ofpbuf **ofp)
{
    struct ofpbuf *in = &framer->in;
    size_t length;
    char *error;

    if (!in->size && *n >= LOOP_FRAMER_OFP_HEAD) {
        /* What nearly all messages are: complete, or at least begun well. */
        error = check_ofp_head(*p, &length);
        if (error) {
            return error;
        }
        if (length <= *n) {
            *ofp = ofpbuf_clone_data(*p, length);
            *p += length;
            *n -= length;
            return NULL;
        }
    }

    if (in->size < LOOP_FRAMER_OFP_HEAD
        && !gather(in, LOOP_FRAMER_OFP_HEAD, p, n)) {
        return NULL;
    }
    error = check_ofp_head(in->data, &length);
    if (error) {
        return error;
    }
    ofpbuf_prealloc_tailroom(in, length - in->size);
    if (gather(in, length, p, n)) {
        *ofp = ofpbuf_clone(in);
        ofpbuf_uninit(in);
        ofpbuf_init(in, 0);
    }
    return NULL;
}

static char *
feed_json(struct loop_framer *framer, const uint8_t **p, size_t *n,
          struct jsonrpc_msg **msg)
{
    if (!framer->parser) {
        while (*n && isspace(**p)) {
            ++*p;
            --*n;
        }
        if (!*n) {
            return NULL;
        }
        framer->parser = json_parser_create(0);
        framer->n_fed = 0;
    }

    size_t used = json_parser_feed(framer->parser, (const char *) *p, *n);
    *p += used;
    *n -= used;
    framer->n_fed += used;
    if (!json_parser_is_done(framer->parser)) {
        return (framer->n_fed <= LOOP_FRAMER_JSON_MAX ? NULL
                : xasprintf("received a JSON-RPC message that has more than "
                            "%d bytes", LOOP_FRAMER_JSON_MAX));
    }

    struct json *json = json_parser_finish(framer->parser);
    framer->parser = NULL;
    if (json->type == JSON_STRING) {
        char *error = xasprintf("received something that is not JSON (%s)",
                                json_string(json));
        json_destroy(json);
        return error;
    }

    char *reason = jsonrpc_msg_from_json(json, msg);
    if (reason) {
        char *error = xasprintf("received a bad JSON-RPC message (%s)",
                                reason);
        free(reason);
        return error;
    }
    return NULL;
}

static struct ofpbuf *
encode_json(struct jsonrpc_msg *msg)
{
    struct json *json = jsonrpc_msg_to_json(msg);
    struct ofpbuf *b = xmalloc(sizeof *b);
    struct ds s = DS_EMPTY_INITIALIZER;

    json_to_ds(json, 0, &s);
    json_destroy(json);
    ofpbuf_use_ds(b, &s);
    return b;
}

/* Takes ownership of 'msg'. */
static void
sort_ofp(struct loop_framer *framer, struct ofpbuf *msg,
         struct loop_frame *frame)
{
    struct ofp_header *oh = msg->data;

    framer->rx_version = oh->version;
    if (oh->type == OFPT_ECHO_REQUEST) {
        oh->type = OFPT_ECHO_REPLY;
        frame->reply = msg;
    } else if (oh->type == OFPT_ECHO_REPLY) {
        ofpbuf_delete(msg);
    } else {
        frame->ofp = msg;
    }
}

/* Ditto. */
static void
sort_json(struct jsonrpc_msg *msg, struct loop_frame *frame)
{
    if (msg->type == JSONRPC_REQUEST && !strcmp(msg->method, "echo")) {
        frame->reply = encode_json(
            jsonrpc_create_reply(json_clone(msg->params), msg->id));
        jsonrpc_msg_destroy(msg);
    } else if ((msg->type == JSONRPC_REPLY || msg->type == JSONRPC_ERROR)
               && msg->id->type == JSON_STRING
               && !strcmp(json_string(msg->id), "echo")) {
        jsonrpc_msg_destroy(msg);
    } else {
        frame->json = msg;
    }
}

char *
loop_framer_feed(struct loop_framer *framer, const uint8_t **p, size_t *n,
                 struct loop_frame *frame)
{
    struct jsonrpc_msg *json = NULL;
    struct ofpbuf *ofp = NULL;
    char *error = (framer->protocol == LOOP_OPENFLOW
                   ? feed_ofp(framer, p, n, &ofp)
                   : feed_json(framer, p, n, &json));

    memset(frame, 0, sizeof *frame);
    if (ofp) {
        sort_ofp(framer, ofp, frame);
    } else if (json) {
        sort_json(json, frame);
    }
    return error;
}

void
loop_framer_sent(struct loop_framer *framer, const struct ofpbuf *msg)
{
    if (framer->protocol == LOOP_OPENFLOW) {
        const struct ofp_header *oh = msg->data;
        framer->tx_version = oh->version;
    }
}

struct ofpbuf *
loop_framer_probe(const struct loop_framer *framer)
{
    if (framer->protocol == LOOP_JSONRPC) {
        struct jsonrpc_msg *msg = jsonrpc_create_request(
            "echo", json_array_create_empty(), NULL);

        json_destroy(msg->id);
        msg->id = json_string_create("echo");
        return encode_json(msg);
    } else if (framer->rx_version) {
        /* If hello was all there has been, then the lower version is the one
         * that both are going to use. */
        struct ofp_header oh = {
            .version = (framer->tx_version
                        ? MIN(framer->rx_version, framer->tx_version)
                        : framer->rx_version),
            .type = OFPT_ECHO_REQUEST,
            .length = htons(sizeof oh),
        };
        return ofpbuf_clone_data(&oh, sizeof oh);
    }
    return NULL;
}
