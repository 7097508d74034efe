/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofsync-private.h"

#include <errno.h>

#include "byte-order.h"
#include "openflow/openflow.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(ofsync_learned);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 20);

/* Flows that no unit wants: the switch has learned them by itself. */

static struct ofpbuf *
encode_request(uint64_t cookie, uint8_t table, bool aggregate)
{
    struct ofputil_flow_stats_request fsr = {
        .aggregate = aggregate,
        .cookie = htonll(cookie),
        .cookie_mask = OVS_BE64_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = table,
    };

    match_init_catchall(&fsr.match);
    return ofputil_encode_flow_stats_request(&fsr, OFPUTIL_P_OF15_OXM);
}

void
ofsync_count_learned(struct ofsync *os, uint64_t cookie, uint8_t table)
{
    ofsync_ask__(os, OFSYNC_REQ_COUNT, cookie,
                 encode_request(cookie, table, true));
}

void
ofsync_dump_learned(struct ofsync *os, uint64_t cookie, uint8_t table)
{
    ofsync_ask__(os, OFSYNC_REQ_LEARNED, cookie,
                 encode_request(cookie, table, false));
}

void
ofsync_handle_learned__(struct ofsync *os, const struct ofp_header *oh,
                        struct ofsync_request *req)
{
    bool more = !req->error && ofpmp_more(oh);
    struct ofpbuf msg = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofpbuf ofpacts;
    int retval = 0;

    ofpbuf_init(&ofpacts, 0);
    while (!req->error && !retval) {
        struct ofputil_flow_stats fs;

        retval = ofputil_decode_flow_stats_reply(&fs, &msg, false, &ofpacts);
        if (!retval) {
            os->class->learned(os, req->cookie, &fs, os->aux);
        } else if (retval != EOF) {
            req->error = xstrdup("a flow that cannot be decoded");
        }
    }
    ofpbuf_uninit(&ofpacts);
    if (req->error) {
        VLOG_WARN_RL(&rl, "flows with cookie %#"PRIx64": %s", req->cookie,
                     req->error);
    } else if (!more) {
        os->class->learned(os, req->cookie, NULL, os->aux);
    }
    if (!more) {
        ofsync_request_remove__(os, req);
    }
}

void
ofsync_add_learned(struct ofsync *os, const struct ofputil_flow_stats *fs)
{
    struct ofputil_flow_mod fm = {
        .command = OFPFC_ADD,
        .priority = fs->priority,
        .new_cookie = fs->cookie,
        .table_id = fs->table_id,
        .idle_timeout = fs->idle_timeout,
        .hard_timeout = fs->hard_timeout,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .flags = fs->flags,
        .ofpacts = CONST_CAST(struct ofpact *, fs->ofpacts),
        .ofpacts_len = fs->ofpacts_len,
    };
    struct ofsync_stray stray = { 0 };

    minimatch_init(&fm.match, &fs->match);
    stray.add = ofputil_encode_flow_mod(&fm, OFPUTIL_P_OF15_OXM);
    ofpmsg_update_length(stray.add);
    ofsync_add_stray__(os, &stray);
    minimatch_destroy(&fm.match);
}
