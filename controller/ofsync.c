/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofsync-private.h"

#include <limits.h>
#include <stdlib.h>

#include "byte-order.h"
#include "coverage.h"
#include "hash.h"
#include "openflow/openflow.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/netdev.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-meter.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/vlog.h"
#include "svec.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(ofsync);

COVERAGE_DEFINE(ofsync_problem);

/* How long to wait before comparing again after a refusal. */
#define RESYNC_DELAY_MS 1000

struct ofsync *
ofsync_create(const struct ofsync_class *class, void *aux)
{
    struct ofsync *os = xzalloc(sizeof *os);

    os->class = class;
    os->aux = aux;
    hmap_init(&os->units);
    hmap_init(&os->meters);
    ovs_list_init(&os->due_meters);
    ovs_list_init(&os->lingering);
    hmap_init(&os->requests);
    ovs_list_init(&os->stages);
    os->linger_at = LLONG_MAX;
    return os;
}

void
ofsync_destroy(struct ofsync *os)
{
    struct ofsync_unit *unit;

    if (!os) {
        return;
    }
    ofsync_disconnected(os);
    ovs_assert(ovs_list_is_empty(&os->stages));
    HMAP_FOR_EACH_POP (unit, node, &os->units) {
        flow_list_unref(unit->flows);
        free(unit);
    }
    free(os->changed);
    free(os->strays);
    ofsync_forget_meters__(os, true);
    hmap_destroy(&os->units);
    hmap_destroy(&os->meters);
    hmap_destroy(&os->requests);
    free(os);
}

/* Requests. */

static struct ofsync_request *
find_request(const struct ofsync *os, ovs_be32 xid)
{
    struct ofsync_request *req;

    HMAP_FOR_EACH_WITH_HASH (req, node, hash_int(ntohl(xid), 0),
                             &os->requests) {
        if (req->xid == xid) {
            return req;
        }
    }
    return NULL;
}

struct ofsync_request *
ofsync_request_add__(struct ofsync *os, enum ofsync_request_type type,
                     ovs_be32 xid)
{
    struct ofsync_request *req = xzalloc(sizeof *req);

    req->xid = xid;
    req->type = type;
    os->n_flushes += type == OFSYNC_REQ_FLUSH;
    hmap_insert(&os->requests, &req->node, hash_int(ntohl(xid), 0));
    return req;
}

void
ofsync_request_remove__(struct ofsync *os, struct ofsync_request *req)
{
    os->n_flushes -= req->type == OFSYNC_REQ_FLUSH;
    hmap_remove(&os->requests, &req->node);
    free(req->error);
    free(req);
}

/* Messages. */

void
ofsync_send__(struct ofsync *os, struct ofpbuf *msg)
{
    ofpmsg_update_length(msg);
    os->class->send(os, msg, os->aux);
}

/* Returns a transaction id that no other message of this process has. */
ovs_be32
ofsync_alloc_xid__(void)
{
    struct ofpbuf *b = ofputil_encode_barrier_request(OFP15_VERSION);
    ovs_be32 xid = ((struct ofp_header *) b->data)->xid;

    ofpbuf_delete(b);
    return xid;
}

struct ofpbuf *
ofsync_barrier__(ovs_be32 xid)
{
    struct ofpbuf *b = ofputil_encode_barrier_request(OFP15_VERSION);

    ((struct ofp_header *) b->data)->xid = xid;
    return b;
}

/* Units. */

static struct ofsync_unit *
find_unit(const struct ofsync *os, uint64_t cookie)
{
    struct ofsync_unit *unit;

    HMAP_FOR_EACH_WITH_HASH (unit, node, hash_uint64(cookie), &os->units) {
        if (unit->cookie == cookie) {
            return unit;
        }
    }
    return NULL;
}

const struct flow_list *
ofsync_get(const struct ofsync *os, uint64_t cookie)
{
    const struct ofsync_unit *unit = find_unit(os, cookie);

    return unit ? unit->flows : NULL;
}

/* Notes that the switch is to be told about 'unit'. */
static void
unit_changed(struct ofsync *os, struct ofsync_unit *unit,
             struct flow_list *sent)
{
    unit->sent = sent;
    if (os->n_changed >= os->allocated_changed) {
        os->changed = x2nrealloc(os->changed, &os->allocated_changed,
                                 sizeof *os->changed);
    }
    os->changed[os->n_changed++] = unit;
}

/* Notes that the switch has been, or is not to be, told about 'unit'. */
static void
unit_sent(struct ofsync *os, struct ofsync_unit *unit)
{
    if (unit->sent != OFSYNC_SENT) {
        flow_list_unref(unit->sent);
        unit->sent = OFSYNC_SENT;
    }
    if (!unit->flows) {
        hmap_remove(&os->units, &unit->node);
        free(unit);
    }
}

void
ofsync_forget_changes__(struct ofsync *os)
{
    for (size_t i = 0; i < os->n_changed; i++) {
        unit_sent(os, os->changed[i]);
    }
    for (size_t i = 0; i < os->n_strays; i++) {
        ofpbuf_delete(os->strays[i].add);
    }
    free(os->changed);
    free(os->strays);
    os->changed = NULL;
    os->strays = NULL;
    os->n_changed = os->allocated_changed = 0;
    os->n_strays = os->allocated_strays = 0;
}

/* A switch that is being compared is told again what it has been told already,
 * because the comparison may be with what it had before. */
void
ofsync_adopt__(struct ofsync *os, uint64_t cookie,
               const struct flow_list *flows, bool told)
{
    struct ofsync_unit *unit = find_unit(os, cookie);
    struct flow_list *old = unit ? unit->flows : NULL;

    if (!unit && !flows) {
        return;
    }
    if (!unit) {
        unit = xzalloc(sizeof *unit);
        unit->cookie = cookie;
        unit->sent = OFSYNC_SENT;
        hmap_insert(&os->units, &unit->node, hash_uint64(cookie));
    }
    if (flows) {
        ofsync_ref_meter__(os, &flows->meter);
        os->n_flows += flows->n;
    }
    unit->flows = flow_list_ref(flows);
    if (old) {
        os->n_flows -= old->n;
        ofsync_unref_meter__(os, &old->meter);
    }
    if (unit->sent == OFSYNC_SENT) {
        if (os->state == OFSYNC_DUMPING
            || (os->state == OFSYNC_UP && !told)) {
            unit_changed(os, unit, old);
            return;
        }
        unit_sent(os, unit);
    }
    flow_list_unref(old);
}

void
ofsync_set(struct ofsync *os, uint64_t cookie, const struct flow_list *flows)
{
    if (!flow_list_equal(ofsync_get(os, cookie), flows)) {
        ofsync_adopt__(os, cookie, flows, false);
        ofsync_stage_touch__(os, cookie, NULL);
        ofsync_check_confirmation__(os);
    }
}

/* Takes ownership of 'stray->add'. */
void
ofsync_add_stray__(struct ofsync *os, const struct ofsync_stray *stray)
{
    if (os->state == OFSYNC_DOWN) {
        ofpbuf_delete(stray->add);
        return;
    }
    if (os->n_strays >= os->allocated_strays) {
        os->strays = x2nrealloc(os->strays, &os->allocated_strays,
                                sizeof *os->strays);
    }
    os->strays[os->n_strays++] = *stray;
    ofsync_check_confirmation__(os);
}

void
ofsync_delete_cookie(struct ofsync *os, uint64_t cookie, uint8_t table)
{
    ofsync_add_stray__(os, &(struct ofsync_stray) {
        .cookie = cookie, .table = table
    });
}

static bool
has_changes(const struct ofsync *os)
{
    return (os->n_changed || os->n_strays
            || !ovs_list_is_empty(&os->due_meters)
            || (os->dump && os->state == OFSYNC_UP));
}

static void
write_changes(struct ofsync *os, struct ofsync_writer *w)
{
    if (os->dump) {
        ofsync_dump_write__(os, w);
    }
    for (size_t i = 0; i < os->n_strays; i++) {
        ofsync_write_stray__(w, &os->strays[i]);
    }
    for (size_t i = 0; i < os->n_changed; i++) {
        ofsync_write_removals__(w, os->changed[i]->sent,
                                os->changed[i]->flows);
    }
    for (size_t i = 0; i < os->n_changed; i++) {
        ofsync_write_additions__(w, os->changed[i]->sent,
                                 os->changed[i]->flows);
    }
    ofsync_forget_changes__(os);
    ofsync_writer_commit__(w);
}

void
ofsync_flush__(struct ofsync *os)
{
    if (os->state == OFSYNC_UP && has_changes(os)) {
        ovs_be32 xid = ofsync_alloc_xid__();
        struct ofsync_writer w;

        ofsync_writer_init__(&w, os);
        /* What is shut is shut before something else is opened.  Both are in
         * one buffer, because a packet between them would meet two gates that
         * are shut. */
        ofsync_write_changed_meters__(&w, false, xid);
        ofsync_write_changed_meters__(&w, true, xid);
        write_changes(os, &w);
        ofsync_write_unused_meters__(&w, xid);
        ofsync_write__(&w, ofsync_barrier__(xid));
        ofsync_request_add__(os, OFSYNC_REQ_FLUSH, xid);
        ofsync_writer_end__(&w);
    }
}

void
ofsync_run(struct ofsync *os, long long int now)
{
    if (os->want_resync) {
        if (os->resync_at == LLONG_MAX) {
            os->resync_at = now + RESYNC_DELAY_MS;
        } else if (now >= os->resync_at) {
            ofsync_resync(os);
        }
    }
    if (now >= os->linger_at) {
        ofsync_linger__(os, now);
    }
    ofsync_flush__(os);
}

long long int
ofsync_deadline(const struct ofsync *os)
{
    if (os->want_resync) {
        return (os->resync_at == LLONG_MAX ? 0
                : MIN(os->resync_at, os->linger_at));
    }
    return os->linger_at;
}

bool
ofsync_is_synced(const struct ofsync *os)
{
    return os->state == OFSYNC_UP;
}

bool
ofsync_is_confirmed(const struct ofsync *os)
{
    return (os->state == OFSYNC_UP && !os->n_flushes && !os->n_commits
            && !os->want_resync && !has_changes(os));
}

void
ofsync_check_confirmation__(struct ofsync *os)
{
    bool confirmed = ofsync_is_confirmed(os);

    if (os->want_resync || !os->linger_at
        || (os->state == OFSYNC_UP && has_changes(os))) {
        os->class->wants_run(os, os->aux);
    }
    if (confirmed != os->confirmed) {
        os->confirmed = confirmed;
        if (confirmed) {
            ofsync_stage_confirmed__(os);
        }
        os->class->confirmation(os, os->aux);
    }
}

/* Sessions. */

void
ofsync_connected(struct ofsync *os)
{
    ofsync_disconnected(os);
    ofsync_dump_start__(os);
}

void
ofsync_disconnected(struct ofsync *os)
{
    struct ofsync_request *req;

    os->state = OFSYNC_DOWN;
    ofsync_dump_abort__(os);
    ofsync_forget_changes__(os);
    ofsync_stage_went_down__(os);
    HMAP_FOR_EACH_SAFE (req, node, &os->requests) {
        ofsync_request_remove__(os, req);
    }
    ofsync_forget_meters__(os, false);
    os->linger_at = LLONG_MAX;
    os->want_resync = false;
    os->resync_at = LLONG_MAX;
    ofsync_check_confirmation__(os);
}

void
ofsync_resync(struct ofsync *os)
{
    if (os->state == OFSYNC_UP) {
        os->want_resync = false;
        os->resync_at = LLONG_MAX;
        ofsync_dump_start__(os);
        ofsync_check_confirmation__(os);
    }
}

void
ofsync_problem__(struct ofsync *os, const char *error)
{
    COVERAGE_INC(ofsync_problem);
    os->want_resync = true;
    os->class->wants_run(os, os->aux);
    os->class->problem(os, error, os->aux);
}

/* Messages from the switch. */

static void
handle_flush(struct ofsync *os, struct ofsync_request *req, enum ofptype type)
{
    if (type == OFPTYPE_BARRIER_REPLY) {
        if (req->error) {
            ofsync_problem__(os, req->error);
        }
        ofsync_request_remove__(os, req);
        ofsync_check_confirmation__(os);
    }
}

static void
handle_count(struct ofsync *os, struct ofsync_request *req,
             const struct ofp_header *oh, enum ofptype type)
{
    struct ofpbuf msg = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_meter_stats stats;
    struct ofpbuf bands;

    ofpbuf_init(&bands, 64);
    if (type == OFPTYPE_METER_STATS_REPLY
        && !ofputil_decode_meter_stats(&msg, &stats, &bands)) {
        os->class->counted(os, req->cookie, stats.packet_in_count,
                           stats.byte_in_count, os->aux);
    }
    ofpbuf_uninit(&bands);

    if (type == OFPTYPE_AGGREGATE_STATS_REPLY) {
        struct ofputil_aggregate_stats flows;

        if (!ofputil_decode_aggregate_stats_reply(&flows, oh)) {
            os->class->counted(os, req->cookie, flows.flow_count, 0, os->aux);
        }
    }
    if (type == OFPTYPE_PORT_STATS_REPLY) {
        struct ofputil_port_stats port;

        msg = ofpbuf_const_initializer(oh, ntohs(oh->length));
        if (!ofputil_decode_port_stats(&port, &msg)) {
            os->class->counted(os, req->cookie, port.stats.tx_packets,
                               port.stats.tx_bytes, os->aux);
            netdev_free_custom_stats_counters(&port.custom_stats);
        }
    }
    ofsync_request_remove__(os, req);
}

static void
note_error(struct ofsync_request *req, const struct ofp_header *oh)
{
    if (!req->error) {
        enum ofperr error = ofperr_decode_msg(oh, NULL);

        req->error = xstrdup(error ? ofperr_to_string(error)
                             : "an error that cannot be decoded");
    }
}

/* Returns true if 'type' is what answers 'req', or a part of it. */
static bool
is_answer(const struct ofsync_request *req, enum ofptype type)
{
    return (req->type == OFSYNC_REQ_DUMP_FLOWS
            || req->type == OFSYNC_REQ_LEARNED
            ? type == OFPTYPE_FLOW_STATS_REPLY
            : req->type == OFSYNC_REQ_DUMP_METERS
            ? type == OFPTYPE_METER_CONFIG_STATS_REPLY
            : true);
}

bool
ofsync_handle(struct ofsync *os, const struct ofp_header *oh)
{
    struct ofsync_request *req = find_request(os, oh->xid);
    enum ofptype type;

    if (!req || ofptype_decode(&type, oh)) {
        return false;
    }
    if (type == OFPTYPE_ERROR) {
        note_error(req, oh);
    } else if (!req->error && !is_answer(req, type)) {
        req->error = xasprintf("an answer of another kind, %s",
                               ofptype_get_name(type));
    }

    switch (req->type) {
    case OFSYNC_REQ_FLUSH:
        handle_flush(os, req, type);
        break;
    case OFSYNC_REQ_STAGE:
        ofsync_stage_handle__(req->stage, oh, req);
        break;
    case OFSYNC_REQ_DUMP_FLOWS:
        ofsync_dump_flows__(os, oh, req);
        break;
    case OFSYNC_REQ_DUMP_METERS:
        ofsync_dump_meters__(os, oh, req);
        break;
    case OFSYNC_REQ_COUNT:
        handle_count(os, req, oh, type);
        break;
    case OFSYNC_REQ_LEARNED:
        ofsync_handle_learned__(os, oh, req);
        break;
    default:
        OVS_NOT_REACHED();
    }
    return true;
}

/* Counters. */

void
ofsync_ask__(struct ofsync *os, enum ofsync_request_type type, uint64_t cookie,
             struct ofpbuf *request)
{
    struct ofsync_request *req;

    if (os->state == OFSYNC_UP) {
        req = ofsync_request_add__(os, type,
                                   ((struct ofp_header *) request->data)->xid);
        req->cookie = cookie;
        ofsync_send__(os, request);
    } else {
        ofpbuf_delete(request);
    }
}

void
ofsync_count(struct ofsync *os, uint64_t cookie, uint32_t meter)
{
    ofsync_ask__(os, OFSYNC_REQ_COUNT, cookie,
                 ofputil_encode_meter_request(OFP15_VERSION,
                                              OFPUTIL_METER_STATS, meter));
}

void
ofsync_count_port(struct ofsync *os, uint64_t cookie, ofp_port_t ofport)
{
    ofsync_ask__(os, OFSYNC_REQ_COUNT, cookie,
                 ofputil_encode_dump_ports_request(OFP15_VERSION, ofport));
}

size_t
ofsync_count_flows(const struct ofsync *os)
{
    return os->n_flows;
}

struct flow_entry *
ofsync_lookup(const struct ofsync *os, uint8_t table, const struct flow *flow)
{
    struct flow_entry *best = NULL;
    const struct ofsync_unit *unit;

    HMAP_FOR_EACH (unit, node, &os->units) {
        struct flow_entry *flows;

        if (!unit->flows) {
            continue;
        }
        flows = flow_list_expand(unit->flows);
        for (size_t i = 0; i < unit->flows->n; i++) {
            const struct flow_entry *fe = &flows[i];

            if (fe->table == table
                && (!best || fe->priority > best->priority)
                && flow_entry_matches(fe, flow)) {
                free(best);
                best = flow_entry_clone(fe);
            }
        }
        free(flows);
    }
    return best;
}

static void
format_unit(const struct ofsync_unit *unit, struct svec *lines)
{
    struct flow_entry *flows = flow_list_expand(unit->flows);

    for (size_t i = 0; i < unit->flows->n; i++) {
        struct ds s = DS_EMPTY_INITIALIZER;

        flow_entry_format(&flows[i], &s);
        svec_add_nocopy(lines, ds_steal_cstr(&s));
    }
    free(flows);
}

void
ofsync_format(const struct ofsync *os, struct ds *out)
{
    struct svec lines = SVEC_EMPTY_INITIALIZER;
    const struct ofsync_unit *unit;
    const char *line;
    size_t i;

    HMAP_FOR_EACH (unit, node, &os->units) {
        if (unit->flows) {
            format_unit(unit, &lines);
        }
    }
    svec_sort(&lines);
    SVEC_FOR_EACH (i, line, &lines) {
        ds_put_format(out, "%s\n", line);
    }
    svec_destroy(&lines);
}
