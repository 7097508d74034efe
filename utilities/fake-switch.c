/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "fake-switch.h"

#include <stdarg.h>
#include <stdlib.h>

#include "byte-order.h"
#include "flow-list.h"
#include "hash.h"
#include "ofsync.h"
#include "openflow/openflow.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-meter.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"
#include "svec.h"
#include "util.h"

struct fake_flow {
    struct hmap_node node;      /* In 'flows'. */
    struct hindex_node cookie_node; /* In 'cookies'. */
    struct flow_entry *fe;      /* In one block. */
};

struct fake_meter {
    struct hmap_node node;
    uint32_t id, rate, burst;
    uint64_t n_packets;
};

struct fake_bundle {
    struct hmap_node node;
    uint32_t id;
    bool closed;
    struct ofpbuf *open;        /* The message that opened it. */
    struct ovs_list msgs;       /* Flow mods: "struct ofpbuf"s. */
};

void
fake_switch_init(struct fake_switch *sw)
{
    *sw = (struct fake_switch) { .n_flow_mods = 0 };
    svec_init(&sw->adds);
    hmap_init(&sw->flows);
    hindex_init(&sw->cookies);
    hmap_init(&sw->meters);
    hmap_init(&sw->bundles);
    ovs_list_init(&sw->replies);
}

static void
free_bundle(struct fake_switch *sw, struct fake_bundle *b)
{
    hmap_remove(&sw->bundles, &b->node);
    ofpbuf_list_delete(&b->msgs);
    ofpbuf_delete(b->open);
    free(b);
}

static void
free_flow(struct fake_switch *sw, struct fake_flow *f)
{
    hmap_remove(&sw->flows, &f->node);
    hindex_remove(&sw->cookies, &f->cookie_node);
    free(f->fe);
    free(f);
}

void
fake_switch_disconnect(struct fake_switch *sw)
{
    struct fake_bundle *b;

    HMAP_FOR_EACH_SAFE (b, node, &sw->bundles) {
        free_bundle(sw, b);
    }
    ofpbuf_list_delete(&sw->replies);
    ovs_list_init(&sw->replies);
}

void
fake_switch_uninit(struct fake_switch *sw)
{
    struct fake_meter *m;
    struct fake_flow *f;

    fake_switch_disconnect(sw);
    HMAP_FOR_EACH_SAFE (f, node, &sw->flows) {
        free_flow(sw, f);
    }
    HMAP_FOR_EACH_POP (m, node, &sw->meters) {
        free(m);
    }
    svec_destroy(&sw->adds);
    hmap_destroy(&sw->flows);
    hindex_destroy(&sw->cookies);
    hmap_destroy(&sw->meters);
    hmap_destroy(&sw->bundles);
}

/* Logs flows that are being added, sorted: their order in a bundle is that of
 * hashes, which differ from machine to machine. */
static void
flush_adds(struct fake_switch *sw)
{
    const char *line;
    size_t i;

    svec_sort(&sw->adds);
    SVEC_FOR_EACH (i, line, &sw->adds) {
        ds_put_format(sw->log, "%s\n", line);
    }
    svec_clear(&sw->adds);
}

static void OVS_PRINTF_FORMAT(2, 3)
put_log(struct fake_switch *sw, const char *format, ...)
{
    if (sw->log) {
        va_list args;

        flush_adds(sw);
        va_start(args, format);
        ds_put_format_valist(sw->log, format, args);
        va_end(args);
        ds_put_char(sw->log, '\n');
    }
}

static void
reply(struct fake_switch *sw, struct ofpbuf *msg)
{
    ofpmsg_update_length(msg);
    ovs_list_push_back(&sw->replies, &msg->list_node);
}

static void
reply_error(struct fake_switch *sw, enum ofperr error,
            const struct ofp_header *oh)
{
    reply(sw, ofperr_encode_reply(error, oh));
}

/* Returns '*fault', one of those of 'sw', and clears it unless it lasts. */
static enum ofperr
take_fault(const struct fake_switch *sw, enum ofperr *fault)
{
    enum ofperr error = *fault;

    if (!sw->fault.lasting) {
        *fault = 0;
    }
    return error;
}

/* Flows. */

static struct fake_flow *
find_flow(const struct fake_switch *sw, const struct flow_entry *fe)
{
    struct fake_flow *f;

    HMAP_FOR_EACH_WITH_HASH (f, node, fe->hash, &sw->flows) {
        if (flow_entry_same_rule(f->fe, fe)) {
            return f;
        }
    }
    return NULL;
}

/* Deletes the flow with the rule of 'fm', and if 'add', adds that of 'fm'. */
static void
replace_flow(struct fake_switch *sw, const struct ofputil_flow_mod *fm,
             bool add)
{
    uint64_t stub[512 / 8];
    struct ofpbuf buf = OFPBUF_STUB_INITIALIZER(stub);
    struct flow_entry fe;
    struct fake_flow *f;

    flow_entry_from_flow_mod(&fe, &buf, fm);
    f = find_flow(sw, &fe);
    if (f) {
        free_flow(sw, f);
    }
    if (add) {
        f = xmalloc(sizeof *f);
        f->fe = flow_entry_clone(&fe);
        hmap_insert(&sw->flows, &f->node, fe.hash);
        hindex_insert(&sw->cookies, &f->cookie_node, hash_uint64(fe.cookie));
    }
    ofpbuf_uninit(&buf);
}

static void
delete_flow(struct fake_switch *sw, const struct ofputil_flow_mod *fm,
            struct fake_flow *f)
{
    if ((fm->table_id == UINT8_MAX || fm->table_id == f->fe->table)
        && !((htonll(f->fe->cookie) ^ fm->cookie) & fm->cookie_mask)) {
        free_flow(sw, f);
    }
}

/* Deletes all flows with the cookie and the table of 'fm'.  One cookie is
 * looked up, as Open vSwitch does. */
static void
delete_flows(struct fake_switch *sw, const struct ofputil_flow_mod *fm)
{
    struct fake_flow *f;

    if (fm->cookie_mask == OVS_BE64_MAX) {
        HINDEX_FOR_EACH_WITH_HASH_SAFE (f, cookie_node,
                                        hash_uint64(ntohll(fm->cookie)),
                                        &sw->cookies) {
            delete_flow(sw, fm, f);
        }
    } else {
        HMAP_FOR_EACH_SAFE (f, node, &sw->flows) {
            delete_flow(sw, fm, f);
        }
    }
}

static void
log_flow_mod(struct fake_switch *sw, const struct ofputil_flow_mod *fm)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    if (fm->command == OFPFC_ADD) {
        if (sw->log) {
            ds_put_cstr(&s, "  add ");
            flow_mod_format(fm, &s);
            svec_add(&sw->adds, ds_cstr(&s));
        }
    } else if (fm->command == OFPFC_DELETE_STRICT) {
        minimatch_format(&fm->match, NULL, NULL, &s, fm->priority);
        put_log(sw, "  delete table=%s, %s", flow_table_name(fm->table_id),
                ds_cstr(&s));
    } else {
        put_log(sw, "  delete all with cookie=%#"PRIx64" in table %d",
                ntohll(fm->cookie), fm->table_id);
    }
    ds_destroy(&s);
}

/* Decodes flow mod 'oh' and carries it out, or only logs it if 'dry'. */
static void
handle_flow_mod(struct fake_switch *sw, const struct ofp_header *oh, bool dry)
{
    uint64_t stub[1024 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ofputil_flow_mod fm;
    enum ofperr error;

    error = ofputil_decode_flow_mod(&fm, oh, OFPUTIL_P_OF15_OXM, NULL, NULL,
                                    &ofpacts, OFPP_MAX, 255);
    ovs_assert(!error);
    if (dry) {
        log_flow_mod(sw, &fm);
    } else if (fm.command == OFPFC_ADD) {
        replace_flow(sw, &fm, true);
    } else if (fm.command == OFPFC_DELETE_STRICT) {
        replace_flow(sw, &fm, false);
    } else {
        ovs_assert(fm.command == OFPFC_DELETE);
        delete_flows(sw, &fm);
    }
    minimatch_destroy(&fm.match);
    ofpbuf_uninit(&ofpacts);
}

/* Bundles. */

static struct fake_bundle *
find_bundle(const struct fake_switch *sw, uint32_t id)
{
    struct fake_bundle *b;

    HMAP_FOR_EACH_WITH_HASH (b, node, id, &sw->bundles) {
        if (b->id == id) {
            return b;
        }
    }
    return NULL;
}

static void
open_bundle(struct fake_switch *sw, uint32_t id, const struct ofp_header *oh)
{
    struct fake_bundle *b = xzalloc(sizeof *b);

    sw->n_bundles++;
    b->id = id;
    b->open = ofpbuf_clone_data(oh, ntohs(oh->length));
    ovs_list_init(&b->msgs);
    hmap_insert(&sw->bundles, &b->node, id);
}

static enum ofperr
commit_bundle(struct fake_switch *sw, struct fake_bundle *b)
{
    enum ofperr error = take_fault(sw, &sw->fault.commit);
    struct ofpbuf *msg;

    /* Like Open vSwitch: one error about the message, one about COMMIT. */
    if (error) {
        if (!ovs_list_is_empty(&b->msgs)) {
            msg = ofpbuf_from_list(ovs_list_front(&b->msgs));
            reply_error(sw, error, msg->data);
        }
        free_bundle(sw, b);
        return OFPERR_OFPBFC_MSG_FAILED;
    }
    LIST_FOR_EACH (msg, list_node, &b->msgs) {
        handle_flow_mod(sw, msg->data, false);
    }
    free_bundle(sw, b);
    sw->n_commits++;
    return 0;
}

static void
handle_bundle_control(struct fake_switch *sw, const struct ofp_header *oh)
{
    static const char *const names[] = {
        [OFPBCT_OPEN_REQUEST] = "open",
        [OFPBCT_CLOSE_REQUEST] = "close",
        [OFPBCT_COMMIT_REQUEST] = "commit",
        [OFPBCT_DISCARD_REQUEST] = "discard",
    };
    struct ofputil_bundle_ctrl_msg bc;
    struct fake_bundle *b;
    enum ofperr error = 0;

    ovs_assert(!ofputil_decode_bundle_ctrl(oh, &bc));
    put_log(sw, "bundle %"PRIu32" %s", bc.bundle_id, names[bc.type]);
    b = find_bundle(sw, bc.bundle_id);
    if (bc.type == OFPBCT_OPEN_REQUEST) {
        ovs_assert(!b);
        open_bundle(sw, bc.bundle_id, oh);
    } else if (!b) {
        error = OFPERR_OFPBFC_BAD_ID;
    } else if (bc.type == OFPBCT_CLOSE_REQUEST) {
        ovs_assert(!b->closed);
        b->closed = true;
    } else if (bc.type == OFPBCT_COMMIT_REQUEST) {
        error = commit_bundle(sw, b);
    } else {
        free_bundle(sw, b);
    }

    if (error) {
        reply_error(sw, error, oh);
    } else {
        bc.type++;              /* From request to reply. */
        reply(sw, ofputil_encode_bundle_ctrl_reply(oh, &bc));
    }
}

static void
handle_bundle_add(struct fake_switch *sw, const struct ofp_header *oh)
{
    struct ofputil_bundle_add_msg bam;
    enum ofperr error;
    enum ofptype type;
    struct fake_bundle *b;
    struct ofpbuf *msg;

    ovs_assert(!ofputil_decode_bundle_add(oh, &bam, &type));
    ovs_assert(type == OFPTYPE_FLOW_MOD);
    b = find_bundle(sw, bam.bundle_id);
    if (!b) {
        /* Like Open vSwitch. */
        open_bundle(sw, bam.bundle_id, oh);
        b = find_bundle(sw, bam.bundle_id);
    }
    ovs_assert(!b->closed);

    sw->n_flow_mods++;
    if (sw->log) {
        handle_flow_mod(sw, bam.msg, true);
    }
    error = take_fault(sw, &sw->fault.add);
    if (error) {
        /* Like Open vSwitch: the rest of the bundle lives on. */
        reply_error(sw, error, oh);
        return;
    }
    msg = ofpbuf_clone_data(bam.msg, ntohs(bam.msg->length));
    ovs_list_push_back(&b->msgs, &msg->list_node);
}

void
fake_switch_expire(struct fake_switch *sw)
{
    struct fake_bundle *b;

    HMAP_FOR_EACH_SAFE (b, node, &sw->bundles) {
        reply_error(sw, OFPERR_OFPBFC_TIMEOUT, b->open->data);
        free_bundle(sw, b);
    }
}

/* Meters. */

static void
handle_meter_mod(struct fake_switch *sw, const struct ofp_header *oh)
{
    static const char *const names[] = { "add", "modify", "delete" };
    struct ofputil_meter_mod mm;
    struct fake_meter *m, *old = NULL;
    struct ofpbuf bands;
    enum ofperr error;

    ofpbuf_init(&bands, 64);
    ovs_assert(!ofputil_decode_meter_mod(oh, &mm, &bands));
    HMAP_FOR_EACH_WITH_HASH (m, node, mm.meter.meter_id, &sw->meters) {
        old = m;
    }
    put_log(sw, "meter %s %"PRIu32, names[mm.command], mm.meter.meter_id);

    error = take_fault(sw, &sw->fault.meter);
    if (!error && mm.command == OFPMC13_ADD && old) {
        error = OFPERR_OFPMMFC_METER_EXISTS;
    } else if (!error && mm.command == OFPMC13_MODIFY && !old) {
        error = OFPERR_OFPMMFC_UNKNOWN_METER;
    }
    if (error) {
        reply_error(sw, error, oh);
    } else if (mm.command == OFPMC13_DELETE) {
        if (old) {
            hmap_remove(&sw->meters, &old->node);
            free(old);
        }
    } else {
        m = old ? old : xzalloc(sizeof *m);
        m->id = mm.meter.meter_id;
        m->rate = mm.meter.bands[0].rate;
        m->burst = mm.meter.bands[0].burst_size;
        if (!old) {
            hmap_insert(&sw->meters, &m->node, m->id);
        }
    }
    ofpbuf_uninit(&bands);
}

/* Statistics. */

static void
reply_flows(struct fake_switch *sw, const struct ofp_header *oh)
{
    struct ofputil_flow_stats_request fsr;
    struct ovs_list parts;
    struct fake_flow *f;
    struct ofpbuf *msg, ofpacts;

    ovs_assert(!ofputil_decode_flow_stats_request(&fsr, oh, NULL, NULL));
    ofpmp_init(&parts, oh);
    ofpbuf_init(&ofpacts, 256);
    HMAP_FOR_EACH (f, node, &sw->flows) {
        struct ofputil_flow_stats fs = {
            .cookie = htonll(f->fe->cookie),
            .table_id = f->fe->table,
            .priority = f->fe->priority,
        };

        if ((fs.cookie ^ fsr.cookie) & fsr.cookie_mask
            || (fsr.table_id != OFPTT_ALL && fs.table_id != fsr.table_id)) {
            continue;
        }
        ofpbuf_clear(&ofpacts);
        flow_entry_decode(f->fe, &fs.match, &ofpacts);
        fs.ofpacts = ofpacts.data;
        fs.ofpacts_len = ofpacts.size;
        ofputil_append_flow_stats_reply(&fs, &parts, NULL);
    }
    ofpbuf_uninit(&ofpacts);
    LIST_FOR_EACH_POP (msg, list_node, &parts) {
        reply(sw, msg);
    }
}

static void
reply_meters(struct fake_switch *sw, const struct ofp_header *oh)
{
    struct ovs_list parts;
    struct fake_meter *m;
    struct ofpbuf *msg;

    ofpmp_init(&parts, oh);
    HMAP_FOR_EACH (m, node, &sw->meters) {
        struct ofputil_meter_band band = {
            .type = OFPMBT13_DROP, .rate = m->rate, .burst_size = m->burst,
        };
        struct ofputil_meter_config mc = {
            .meter_id = m->id,
            .flags = OFPMF13_PKTPS | OFPMF13_BURST,
            .n_bands = 1,
            .bands = &band,
        };

        ofputil_append_meter_config(&parts, &mc);
    }
    LIST_FOR_EACH_POP (msg, list_node, &parts) {
        reply(sw, msg);
    }
}

static void
reply_meter_stats(struct fake_switch *sw, const struct ofp_header *oh)
{
    struct ovs_list parts;
    struct fake_meter *m;
    struct ofpbuf *msg;
    uint32_t id;

    ofputil_decode_meter_request(oh, &id);
    ofpmp_init(&parts, oh);
    HMAP_FOR_EACH_WITH_HASH (m, node, id, &sw->meters) {
        struct ofputil_meter_stats stats = {
            .meter_id = id,
            .packet_in_count = m->n_packets,
            .byte_in_count = m->n_packets * 100,
        };

        ofputil_append_meter_stats(&parts, &stats);
    }
    LIST_FOR_EACH_POP (msg, list_node, &parts) {
        reply(sw, msg);
    }
}

/* Answers that no packet has been delivered to the port. */
static void
reply_port_stats(struct fake_switch *sw, const struct ofp_header *oh)
{
    struct ovs_list replies = OVS_LIST_INITIALIZER(&replies);
    struct ofputil_port_stats stats = { .duration_sec = 1 };

    ovs_assert(!ofputil_decode_port_stats_request(oh, &stats.port_no));
    ofpmp_init(&replies, oh);
    ofputil_append_port_stat(&replies, &stats);
    reply(sw, ofpbuf_from_list(ovs_list_pop_front(&replies)));
}

static void
handle_stats(struct fake_switch *sw, enum ofptype type,
             const struct ofp_header *oh)
{
    enum ofperr error = take_fault(sw, &sw->fault.stats);

    if (error) {
        reply_error(sw, error, oh);
    } else if (sw->fault.mislead) {
        struct ofputil_switch_config config = { .miss_send_len = 128 };

        sw->fault.mislead = false;
        reply(sw, ofputil_encode_get_config_reply(oh, &config));
    } else if (type == OFPTYPE_FLOW_STATS_REQUEST) {
        put_log(sw, "dump flows");
        sw->n_dumps++;
        reply_flows(sw, oh);
    } else if (type == OFPTYPE_METER_STATS_REQUEST) {
        put_log(sw, "count");
        reply_meter_stats(sw, oh);
    } else if (type == OFPTYPE_PORT_STATS_REQUEST) {
        put_log(sw, "count port");
        reply_port_stats(sw, oh);
    } else {
        put_log(sw, "dump meters");
        reply_meters(sw, oh);
    }
}

bool
fake_switch_knows(enum ofptype type)
{
    return (type == OFPTYPE_BUNDLE_CONTROL
            || type == OFPTYPE_BUNDLE_ADD_MESSAGE
            || type == OFPTYPE_METER_MOD
            || type == OFPTYPE_BARRIER_REQUEST
            || type == OFPTYPE_FLOW_STATS_REQUEST
            || type == OFPTYPE_METER_STATS_REQUEST
            || type == OFPTYPE_PORT_STATS_REQUEST
            || type == OFPTYPE_METER_CONFIG_STATS_REQUEST);
}

void
fake_switch_receive(struct fake_switch *sw, struct ofpbuf *msg)
{
    const struct ofp_header *oh = msg->data;
    enum ofptype type;

    ofpmsg_update_length(msg);
    ovs_assert(!ofptype_decode(&type, oh) && fake_switch_knows(type));
    if (type == OFPTYPE_BUNDLE_CONTROL) {
        handle_bundle_control(sw, oh);
    } else if (type == OFPTYPE_BUNDLE_ADD_MESSAGE) {
        handle_bundle_add(sw, oh);
    } else if (type == OFPTYPE_METER_MOD) {
        handle_meter_mod(sw, oh);
    } else if (type == OFPTYPE_BARRIER_REQUEST) {
        put_log(sw, "barrier");
        reply(sw, ofpraw_alloc_reply(OFPRAW_OFPT11_BARRIER_REPLY, oh, 0));
    } else {
        handle_stats(sw, type, oh);
    }
    ofpbuf_delete(msg);
}

bool
fake_switch_answer(struct fake_switch *sw, struct ofsync *os)
{
    struct ovs_list replies = OVS_LIST_INITIALIZER(&replies);
    struct ofpbuf *msg;

    if (ovs_list_is_empty(&sw->replies)) {
        return false;
    }
    ovs_list_push_back_all(&replies, &sw->replies);
    LIST_FOR_EACH_POP (msg, list_node, &replies) {
        ofsync_handle(os, msg->data);
        ofpbuf_delete(msg);
    }
    return true;
}

const struct flow_entry *
fake_switch_find(const struct fake_switch *sw, uint8_t table,
                 bool (*matches)(const struct flow_entry *, const void *aux),
                 const void *aux)
{
    const struct fake_flow *f;

    HMAP_FOR_EACH (f, node, &sw->flows) {
        if (f->fe->table == table && matches(f->fe, aux)) {
            return f->fe;
        }
    }
    return NULL;
}

void
fake_switch_receive_all(struct fake_switch *sw, struct ofpbuf *msgs)
{
    while (msgs->size) {
        const struct ofp_header *oh = msgs->data;
        size_t length = ntohs(oh->length);

        fake_switch_receive(sw, ofpbuf_clone_data(oh, length));
        ofpbuf_pull(msgs, length);
    }
    ofpbuf_delete(msgs);
}

/* For tests. */

void
fake_switch_add_flow(struct fake_switch *sw, const char *flow)
{
    enum ofputil_protocol usable;
    struct ofputil_flow_mod fm;
    char *error = parse_ofp_flow_mod_str(&fm, flow, NULL, NULL, OFPFC_ADD,
                                         &usable);

    if (error) {
        ovs_fatal(0, "%s: %s", flow, error);
    }
    replace_flow(sw, &fm, true);
    minimatch_destroy(&fm.match);
    free(CONST_CAST(struct ofpact *, fm.ofpacts));
}

void
fake_switch_traffic(struct fake_switch *sw, uint32_t meter, int n_packets)
{
    struct fake_meter *m;

    HMAP_FOR_EACH_WITH_HASH (m, node, meter, &sw->meters) {
        m->n_packets += n_packets;
    }
}

void
fake_switch_format_flows(const struct fake_switch *sw, struct ds *out)
{
    const struct fake_flow *f;

    HMAP_FOR_EACH (f, node, &sw->flows) {
        flow_entry_format(f->fe, out);
        ds_put_char(out, '\n');
    }
}

void
fake_switch_format(const struct fake_switch *sw, struct ds *out)
{
    struct svec lines = SVEC_EMPTY_INITIALIZER;
    const struct fake_meter *m;
    const struct fake_flow *f;
    const char *line;
    size_t i;

    HMAP_FOR_EACH (m, node, &sw->meters) {
        svec_add_nocopy(&lines, xasprintf("  meter %"PRIu32": %"PRIu32
                                          "/s, burst %"PRIu32,
                                          m->id, m->rate, m->burst));
    }
    HMAP_FOR_EACH (f, node, &sw->flows) {
        struct ds s = DS_EMPTY_INITIALIZER;

        ds_put_cstr(&s, "  ");
        flow_entry_format(f->fe, &s);
        svec_add_nocopy(&lines, ds_steal_cstr(&s));
    }
    svec_sort(&lines);
    SVEC_FOR_EACH (i, line, &lines) {
        ds_put_format(out, "%s\n", line);
    }
    svec_destroy(&lines);
}
