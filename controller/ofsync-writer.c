/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofsync-private.h"

#include "coverage.h"
#include "openflow/openflow.h"
#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-msgs.h"
#include "util.h"

COVERAGE_DEFINE(ofsync_bundle);
COVERAGE_DEFINE(ofsync_flow_mod);

/* The writer.  Bytes go into one buffer after the other, and each flow mod
 * into the message that adds it to the bundle, without a copy of its own. */

/* When to send a buffer, in bytes. */
#define WRITER_MAX 65536

static void
writer_send(struct ofsync_writer *w)
{
    if (w->buf) {
        w->os->class->send(w->os, w->buf, w->os->aux);
        w->buf = NULL;
    }
}

void
ofsync_write__(struct ofsync_writer *w, struct ofpbuf *msg)
{
    ofpmsg_update_length(msg);
    if (!w->buf) {
        w->buf = msg;
    } else {
        ofpbuf_put(w->buf, msg->data, msg->size);
        ofpbuf_delete(msg);
    }
}

static struct ofpbuf *
encode_bundle_ctrl(uint32_t bundle, uint16_t type, ovs_be32 xid)
{
    struct ofputil_bundle_ctrl_msg bc = {
        .bundle_id = bundle,
        .type = type,
        .flags = OFPBF_ATOMIC | OFPBF_ORDERED,
    };
    struct ofpbuf *b = ofputil_encode_bundle_ctrl_request(OFP15_VERSION, &bc);

    ((struct ofp_header *) b->data)->xid = xid;
    return b;
}

static void
writer_put_ctrl(struct ofsync_writer *w, uint16_t type)
{
    ofsync_write__(w, encode_bundle_ctrl(w->bundle, type, w->xid));
}

void
ofsync_writer_commit__(struct ofsync_writer *w)
{
    if (w->n && !w->stage) {
        writer_put_ctrl(w, OFPBCT_COMMIT_REQUEST);
        ofsync_write__(w, ofsync_barrier__(w->xid));
        ofsync_request_add__(w->os, OFSYNC_REQ_FLUSH, w->xid);
        w->n = 0;
    }
}

static void
writer_open(struct ofsync_writer *w)
{
    COVERAGE_INC(ofsync_bundle);
    w->bundle = w->os->next_bundle++;
    w->xid = w->xid ? w->xid : ofsync_alloc_xid__();
    writer_put_ctrl(w, OFPBCT_OPEN_REQUEST);
}

void
ofsync_writer_init__(struct ofsync_writer *w, struct ofsync *os)
{
    *w = (struct ofsync_writer) { .os = os };
}

void
ofsync_writer_open__(struct ofsync_writer *w, struct ofsync *os, ovs_be32 xid)
{
    *w = (struct ofsync_writer) { .os = os, .stage = true, .xid = xid };
    writer_open(w);
}

void
ofsync_writer_resume__(struct ofsync_writer *w, struct ofsync *os,
                       uint32_t bundle, ovs_be32 xid)
{
    *w = (struct ofsync_writer) {
        .os = os, .stage = true, .bundle = bundle, .xid = xid
    };
}

void
ofsync_writer_end__(struct ofsync_writer *w)
{
    ofsync_writer_commit__(w);
    writer_send(w);
}

/* Begins a message of the bundle.  Returns where it is in 'w->buf'. */
static size_t
writer_begin(struct ofsync_writer *w)
{
    struct ofp_header oh = {
        .version = OFP15_VERSION,
        .type = 34,             /* OFPT_BUNDLE_ADD_MESSAGE. */
    };
    struct ofp14_bundle_ctrl_msg m = {
        .flags = htons(OFPBF_ATOMIC | OFPBF_ORDERED),
    };
    size_t ofs;

    COVERAGE_INC(ofsync_flow_mod);
    if (w->n >= OFSYNC_BUNDLE_MAX) {
        ofsync_writer_commit__(w);
    }
    if (w->buf && w->buf->size >= WRITER_MAX) {
        writer_send(w);
    }
    if (!w->n++ && !w->stage) {
        w->xid = 0;
        writer_open(w);
    }
    if (!w->buf) {
        w->buf = ofpbuf_new(1024);
    }
    ofs = w->buf->size;
    oh.xid = w->xid;
    m.bundle_id = htonl(w->bundle);
    ofpbuf_put(w->buf, &oh, sizeof oh);
    ofpbuf_put(w->buf, &m, sizeof m);
    return ofs;
}

/* Ends the message that began at 'ofs'. */
static void
writer_finish(struct ofsync_writer *w, size_t ofs)
{
    struct ofp_header *oh = ofpbuf_at_assert(w->buf, ofs, sizeof *oh);

    oh->length = htons(w->buf->size - ofs);
}

void
ofsync_write_flow__(struct ofsync_writer *w, const struct flow_entry *fe,
                    bool add)
{
    size_t ofs = writer_begin(w);

    if (add) {
        flow_entry_put_add(fe, w->xid, w->buf);
    } else {
        flow_entry_put_delete(fe, w->xid, w->buf);
    }
    writer_finish(w, ofs);
}

void
ofsync_write_stray__(struct ofsync_writer *w, const struct ofsync_stray *stray)
{
    size_t ofs = writer_begin(w);

    if (stray->add) {
        struct ofp_header *oh = stray->add->data;

        oh->xid = w->xid;
        ofpbuf_put(w->buf, oh, stray->add->size);
    } else {
        flow_entry_put_delete_cookie(stray->cookie, stray->table, w->xid,
                                     w->buf);
    }
    writer_finish(w, ofs);
}

static void
write_removal(const struct flow_entry *fe, bool add, void *w)
{
    if (!add) {
        ofsync_write_flow__(w, fe, false);
    }
}

void
ofsync_write_removals__(struct ofsync_writer *w, const struct flow_list *old,
                        const struct flow_list *new)
{
    if (old) {
        flow_list_diff(old, new, write_removal, w);
    }
}

static void
write_addition(const struct flow_entry *fe, bool add, void *w)
{
    if (add) {
        ofsync_write_flow__(w, fe, true);
    }
}

void
ofsync_write_additions__(struct ofsync_writer *w, const struct flow_list *old,
                         const struct flow_list *new)
{
    if (new) {
        flow_list_diff(old, new, write_addition, w);
    }
}

void
ofsync_bundle_ctrl__(struct ofsync *os, uint32_t bundle, uint16_t type,
                     ovs_be32 xid)
{
    ofsync_send__(os, encode_bundle_ctrl(bundle, type, xid));
}
