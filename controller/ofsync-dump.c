/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofsync-private.h"

#include <errno.h>
#include <stdlib.h>

#include "coverage.h"
#include "hash.h"
#include "openflow/openflow.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-meter.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(ofsync_dump);

COVERAGE_DEFINE(ofsync_dump);

/* Comparing desired with installed flows.
 *
 * When the dump starts, the flows that are wanted at that moment go into
 * 'missing'.  Each flow that the switch reports takes itself out of it, or is
 * put on the list of deletions.  What remains is added, with the next bundle.
 * Changes that are made meanwhile wait in ofsync's 'changed' and follow. */

struct missing {
    struct hmap_node node;      /* In dump's 'missing', by the flow's hash. */
    const struct flow_entry *fe;
};

struct ofsync_dump {
    struct hmap missing;
    struct missing *array;      /* The elements of 'missing'. */
    struct flow_list **held;    /* References that keep the flows alive, ... */
    struct flow_entry **flows;  /* ... and their flows. */
    size_t n_held;
    struct flow_entry **deletes; /* What the switch has too much. */
    size_t n_deletes, allocated_deletes;
    unsigned int n_waiting;     /* Dumps that are not complete. */
};

static void
take_snapshot(struct ofsync *os, struct ofsync_dump *dump)
{
    size_t n_units = MAX(1, hmap_count(&os->units));
    const struct ofsync_unit *unit;
    size_t n = 0;

    dump->array = xmalloc(MAX(1, ofsync_count_flows(os))
                          * sizeof *dump->array);
    dump->held = xmalloc(n_units * sizeof *dump->held);
    dump->flows = xmalloc(n_units * sizeof *dump->flows);
    HMAP_FOR_EACH (unit, node, &os->units) {
        const struct flow_list *fl = unit->flows;
        struct flow_entry *flows = flow_list_expand(fl);

        dump->held[dump->n_held] = flow_list_ref(fl);
        dump->flows[dump->n_held++] = flows;
        for (size_t i = 0; i < fl->n; i++) {
            struct missing *m = &dump->array[n++];

            m->fe = &flows[i];
            hmap_insert(&dump->missing, &m->node, m->fe->hash);
        }
    }
}

static void
request_dumps(struct ofsync *os)
{
    struct ofputil_flow_stats_request fsr = {
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = OFPTT_ALL,
    };
    struct ofpbuf *b;

    match_init_catchall(&fsr.match);
    b = ofputil_encode_flow_stats_request(&fsr, OFPUTIL_P_OF15_OXM);
    ofsync_request_add__(os, OFSYNC_REQ_DUMP_FLOWS,
                         ((struct ofp_header *) b->data)->xid);
    ofsync_send__(os, b);

    b = ofputil_encode_meter_request(OFP15_VERSION, OFPUTIL_METER_CONFIG,
                                     OFPM13_ALL);
    ofsync_request_add__(os, OFSYNC_REQ_DUMP_METERS,
                         ((struct ofp_header *) b->data)->xid);
    ofsync_send__(os, b);
    os->dump->n_waiting = 2;
}

void
ofsync_dump_start__(struct ofsync *os)
{
    COVERAGE_INC(ofsync_dump);
    ofsync_dump_abort__(os);

    /* What has been sent may have been refused: only the dump tells. */
    ofsync_doubt_meters__(os);

    os->dump = xzalloc(sizeof *os->dump);
    hmap_init(&os->dump->missing);
    ofsync_forget_changes__(os);
    take_snapshot(os, os->dump);
    os->state = OFSYNC_DUMPING;
    request_dumps(os);
}

void
ofsync_dump_abort__(struct ofsync *os)
{
    struct ofsync_dump *dump = os->dump;

    if (dump) {
        hmap_destroy(&dump->missing);
        free(dump->array);
        for (size_t i = 0; i < dump->n_held; i++) {
            flow_list_unref(dump->held[i]);
            free(dump->flows[i]);
        }
        free(dump->held);
        free(dump->flows);
        for (size_t i = 0; i < dump->n_deletes; i++) {
            free(dump->deletes[i]);
        }
        free(dump->deletes);
        free(dump);
        os->dump = NULL;
    }
}

/* Writes what differs, and forgets the dump. */
void
ofsync_dump_write__(struct ofsync *os, struct ofsync_writer *w)
{
    struct ofsync_dump *dump = os->dump;
    struct missing *m;

    HMAP_FOR_EACH (m, node, &dump->missing) {
        ofsync_write_flow__(w, m->fe, true);
    }
    for (size_t i = 0; i < dump->n_deletes; i++) {
        ofsync_write_flow__(w, dump->deletes[i], false);
    }
    ofsync_dump_abort__(os);
}

/* A dump is complete.  Goes on when both are. */
static void
finish_one(struct ofsync *os, struct ofsync_request *req)
{
    struct ofsync_dump *dump = os->dump;

    if (req->error) {
        ofsync_problem__(os, req->error);
    }
    ofsync_request_remove__(os, req);
    if (--dump->n_waiting) {
        return;
    }
    VLOG_DBG("%"PRIuSIZE" flows missing, %"PRIuSIZE" too many",
             hmap_count(&dump->missing), dump->n_deletes);
    if (hmap_is_empty(&dump->missing) && !dump->n_deletes) {
        ofsync_dump_abort__(os);
    }
    os->state = OFSYNC_UP;
    ofsync_check_confirmation__(os);
}

/* Looks 'fs', which the switch holds, up in what is wanted.  'buf' is for any
 * use. */
static void
compare_flow(struct ofsync *os, const struct ofputil_flow_stats *fs,
             struct ofpbuf *buf)
{
    struct ofsync_dump *dump = os->dump;
    struct flow_entry fe;
    struct missing *m;

    flow_entry_from_stats(&fe, buf, fs);
    HMAP_FOR_EACH_WITH_HASH (m, node, fe.hash, &dump->missing) {
        if (flow_entry_same_rule(m->fe, &fe)) {
            if (flow_entry_equal(m->fe, &fe)) {
                hmap_remove(&dump->missing, &m->node);
            }
            return;             /* Else it is replaced by adding it. */
        }
    }
    if (!os->class->keep(os, fs, os->aux)) {
        if (dump->n_deletes >= dump->allocated_deletes) {
            dump->deletes = x2nrealloc(dump->deletes,
                                       &dump->allocated_deletes,
                                       sizeof *dump->deletes);
        }
        dump->deletes[dump->n_deletes++] = flow_entry_clone(&fe);
    }
}

void
ofsync_dump_flows__(struct ofsync *os, const struct ofp_header *oh,
                    struct ofsync_request *req)
{
    bool more = !req->error && ofpmp_more(oh);
    struct ofpbuf msg = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofpbuf ofpacts, buf;

    ofpbuf_init(&ofpacts, 0);
    ofpbuf_init(&buf, 256);
    while (!req->error) {
        struct ofputil_flow_stats fs;
        int retval = ofputil_decode_flow_stats_reply(&fs, &msg, false,
                                                     &ofpacts);

        if (retval == EOF) {
            break;
        } else if (retval) {
            req->error = xstrdup("a flow that cannot be decoded");
            more = false;
        } else {
            compare_flow(os, &fs, &buf);
        }
    }
    ofpbuf_uninit(&ofpacts);
    ofpbuf_uninit(&buf);
    if (!more) {
        finish_one(os, req);
    }
}

void
ofsync_dump_meters__(struct ofsync *os, const struct ofp_header *oh,
                     struct ofsync_request *req)
{
    bool more = !req->error && ofpmp_more(oh);
    struct ofpbuf msg = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofpbuf bands;

    ofpbuf_init(&bands, 64);
    while (!req->error) {
        struct ofputil_meter_config mc;
        int retval = ofputil_decode_meter_config(&msg, &mc, &bands);

        if (retval == EOF) {
            break;
        } else if (retval) {
            req->error = xstrdup("a meter that cannot be decoded");
            more = false;
        } else {
            ofsync_compare_meter__(os, &mc);
        }
    }
    ofpbuf_uninit(&bands);
    if (!more) {
        finish_one(os, req);
    }
}
