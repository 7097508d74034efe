/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofconn.h"

#include <stdlib.h>

#include "coverage.h"
#include "loop.h"
#include "openflow/openflow.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-print.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(ofconn);

COVERAGE_DEFINE(ofconn_packet_in);
COVERAGE_DEFINE(ofconn_unexpected_error);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

enum ofconn_state {
    OFCONN_IDLE,                /* Not connected. */
    OFCONN_HELLO,               /* Waiting for the switch's hello. */
    OFCONN_FEATURES,            /* Waiting for the features reply. */
    OFCONN_UP
};

struct ofconn {
    const struct ofconn_class *class;
    void *aux;
    struct loop_conn *conn;
    enum ofconn_state state;
};

static void
start_hello(struct ofconn *oc)
{
    oc->state = OFCONN_HELLO;
    loop_conn_send_ofp(oc->conn, ofputil_encode_hello(1u << OFP15_VERSION));
}

struct ofconn *
ofconn_connect(struct loop *loop, const char *remote,
               const struct ofconn_class *class, void *aux)
{
    struct ofconn *oc = xzalloc(sizeof *oc);

    oc->class = class;
    oc->aux = aux;
    oc->conn = loop_connect(loop, remote, LOOP_OPENFLOW, oc);
    return oc;
}

struct ofconn *
ofconn_accept(struct loop_conn *conn, const struct ofconn_class *class,
              void *aux)
{
    struct ofconn *oc = xzalloc(sizeof *oc);

    oc->class = class;
    oc->aux = aux;
    oc->conn = conn;
    loop_conn_set_aux(conn, oc);
    start_hello(oc);
    return oc;
}

void
ofconn_destroy(struct ofconn *oc)
{
    if (oc) {
        loop_conn_close(oc->conn);
        free(oc);
    }
}

void
ofconn_disconnect(struct ofconn *oc, const char *reason)
{
    loop_conn_reset(oc->conn, reason);
}

void
ofconn_set_probe(struct ofconn *oc, int interval)
{
    loop_conn_set_probe(oc->conn, interval);
}

void
ofconn_set_aux(struct ofconn *oc, void *aux)
{
    oc->aux = aux;
}

void
ofconn_send(struct ofconn *oc, struct ofpbuf *msg)
{
    if (oc->state == OFCONN_UP) {
        loop_conn_send_ofp(oc->conn, msg);
    } else {
        ofpbuf_delete(msg);
    }
}

void
ofconn_send_many(struct ofconn *oc, struct ofpbuf *msgs)
{
    if (oc->state == OFCONN_UP) {
        loop_conn_send_ofps(oc->conn, msgs);
    } else {
        ofpbuf_delete(msgs);
    }
}

static void
handle_hello(struct ofconn *oc, const struct ofp_header *oh)
{
    uint32_t versions;

    if (!ofputil_decode_hello(oh, &versions)
        && !(versions & (1u << OFP15_VERSION))) {
        loop_conn_reset(oc->conn, "the switch does not speak OpenFlow 1.5; "
                        "add OpenFlow15 to the bridge's protocols");
        return;
    }
    if (!(versions & (1u << OFP15_VERSION))) {
        loop_conn_reset(oc->conn, "the switch does not speak OpenFlow 1.5; "
                        "add OpenFlow15 to the bridge's protocols");
        return;
    }
    oc->state = OFCONN_FEATURES;
    loop_conn_send_ofp(oc->conn, ofpraw_alloc(OFPRAW_OFPT_FEATURES_REQUEST,
                                              OFP15_VERSION, 0));
}

static void
handle_features(struct ofconn *oc, const struct ofp_header *oh)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_switch_config config = {
        .frag = OFPUTIL_FRAG_NORMAL,
        .invalid_ttl_to_controller = -1,
        .miss_send_len = UINT16_MAX,
    };
    struct ofputil_switch_features features;

    if (ofputil_pull_switch_features(&b, &features)) {
        loop_conn_reset(oc->conn, "bad features reply");
        return;
    }
    oc->state = OFCONN_UP;

    /* Without these, a session by the management socket gets no packets, and
     * packets do not say why they come. */
    ofconn_send(oc, ofputil_encode_set_config(&config, OFP15_VERSION));
    ofconn_send(oc, ofputil_encode_set_packet_in_format(
                        OFP15_VERSION, OFPUTIL_PACKET_IN_NXT2));
    oc->class->up(oc, features.datapath_id, oc->aux);
}

static void
handle_packet_in(struct ofconn *oc, const struct ofp_header *oh)
{
    struct ofputil_packet_in pin;
    enum ofperr error;

    COVERAGE_INC(ofconn_packet_in);
    error = ofputil_decode_packet_in(oh, true, NULL, NULL, &pin, NULL, NULL,
                                     NULL);
    if (error) {
        VLOG_WARN_RL(&rl, "%s: packet-in cannot be decoded: %s",
                     loop_conn_get_name(oc->conn), ofperr_to_string(error));
        return;
    }
    oc->class->packet_in(oc, &pin, oc->aux);
}

static void
handle_message(struct ofconn *oc, const struct ofpbuf *msg)
{
    const struct ofp_header *oh = msg->data;
    enum ofptype type;

    if (ofptype_decode(&type, oh)) {
        VLOG_DBG_RL(&rl, "%s: a message of unknown type",
                    loop_conn_get_name(oc->conn));
        return;
    }

    if (type == OFPTYPE_HELLO) {
        if (oc->state == OFCONN_HELLO) {
            handle_hello(oc, oh);
        }
    } else if (oh->version != OFP15_VERSION) {
        loop_conn_reset(oc->conn, "a message that is not OpenFlow 1.5");
    } else if (oc->state == OFCONN_FEATURES) {
        if (type == OFPTYPE_FEATURES_REPLY) {
            handle_features(oc, oh);
        } else if (type == OFPTYPE_ERROR) {
            loop_conn_reset(oc->conn, "the switch refused to say who it is");
        }
    } else if (oc->state == OFCONN_UP) {
        if (type == OFPTYPE_PACKET_IN) {
            handle_packet_in(oc, oh);
        } else {
            oc->class->message(oc, oh, oc->aux);
        }
    }
}

void
ofconn_process(struct ofconn *oc, struct loop_event *event)
{
    switch (event->type) {
    case LOOP_CONNECTED:
        start_hello(oc);
        break;

    case LOOP_MESSAGE:
        handle_message(oc, event->ofp);
        ofpbuf_delete(event->ofp);
        break;

    case LOOP_DISCONNECTED:
        oc->state = OFCONN_IDLE;
        oc->class->down(oc, event->error, oc->aux);
        free(event->error);
        break;

    case LOOP_ACCEPTED:
    default:
        break;
    }
}
