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
#include "openvswitch/ofp-bundle.h"
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

COVERAGE_DEFINE(ofsync_bundle);
COVERAGE_DEFINE(ofsync_flow_mod);
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
    hmap_init(&os->requests);
    ovs_list_init(&os->pending);
    ovs_list_init(&os->stages);
    return os;
}

void
ofsync_destroy(struct ofsync *os)
{
    struct ofsync_meter *meter;
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
    HMAP_FOR_EACH_POP (meter, node, &os->meters) {
        free(meter);
    }
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

void
ofsync_bundle_ctrl__(struct ofsync *os, uint32_t bundle, uint16_t type,
                     ovs_be32 xid)
{
    struct ofputil_bundle_ctrl_msg bc = {
        .bundle_id = bundle,
        .type = type,
        .flags = OFPBF_ATOMIC | OFPBF_ORDERED,
    };
    struct ofpbuf *b = ofputil_encode_bundle_ctrl_request(OFP15_VERSION, &bc);

    ((struct ofp_header *) b->data)->xid = xid;
    ofsync_send__(os, b);
}

/* Adds 'flow_mod', of which it takes ownership, to 'bundle'. */
void
ofsync_bundle_add__(struct ofsync *os, uint32_t bundle, ovs_be32 xid,
                    struct ofpbuf *flow_mod)
{
    struct ofp_header *oh = flow_mod->data;
    struct ofputil_bundle_add_msg bam = {
        .bundle_id = bundle,
        .flags = OFPBF_ATOMIC | OFPBF_ORDERED,
        .msg = oh,
    };

    COVERAGE_INC(ofsync_flow_mod);
    oh->xid = xid;
    oh->length = htons(flow_mod->size);
    ofsync_send__(os, ofputil_encode_bundle_add(OFP15_VERSION, &bam));
    ofpbuf_delete(flow_mod);
}

/* Sends up to 'max' of 'msgs' as a bundle with transaction id 'xid'. */
static void
send_bundle(struct ofsync *os, struct ovs_list *msgs, size_t max, ovs_be32 xid)
{
    uint32_t bundle = os->next_bundle++;

    COVERAGE_INC(ofsync_bundle);
    ofsync_bundle_ctrl__(os, bundle, OFPBCT_OPEN_REQUEST, xid);
    while (max-- && !ovs_list_is_empty(msgs)) {
        ofsync_bundle_add__(os, bundle, xid,
                            ofpbuf_from_list(ovs_list_pop_front(msgs)));
    }
    ofsync_bundle_ctrl__(os, bundle, OFPBCT_COMMIT_REQUEST, xid);
}

void
ofsync_send_bundles__(struct ofsync *os, struct ovs_list *msgs)
{
    while (!ovs_list_is_empty(msgs)) {
        ovs_be32 xid = ofsync_alloc_xid__();

        send_bundle(os, msgs, OFSYNC_BUNDLE_MAX, xid);
        ofsync_send__(os, ofsync_barrier__(xid));
        ofsync_request_add__(os, OFSYNC_REQ_FLUSH, xid);
    }
}

static void
put_flow_mod(const struct flow_entry *fe, bool add, void *msgs_)
{
    struct ovs_list *msgs = msgs_;
    struct ofpbuf *msg;

    msg = add ? ofpbuf_clone(fe->add) : flow_entry_encode_delete(fe);
    ovs_list_push_back(msgs, &msg->list_node);
}

void
ofsync_put_diff__(struct ovs_list *msgs, const struct flow_list *old,
                  const struct flow_list *new)
{
    flow_list_diff(old, new, put_flow_mod, msgs);
}

/* Meters.  They cannot be in a bundle, so they are there before the flows that
 * use them and go after them. */

struct ofsync_meter *
ofsync_find_meter__(const struct ofsync *os, uint32_t id)
{
    struct ofsync_meter *meter;

    HMAP_FOR_EACH_WITH_HASH (meter, node, hash_int(id, 0), &os->meters) {
        if (meter->config.id == id) {
            return meter;
        }
    }
    return NULL;
}

void
ofsync_ref_meter__(struct ofsync *os, const struct flow_meter *config)
{
    struct ofsync_meter *meter;

    if (!config->id) {
        return;
    }
    meter = ofsync_find_meter__(os, config->id);
    if (!meter) {
        meter = xzalloc(sizeof *meter);
        hmap_insert(&os->meters, &meter->node, hash_int(config->id, 0));
    }
    if (memcmp(&meter->config, config, sizeof *config)) {
        meter->config = *config;
        meter->dirty = os->meters_dirty = true;
    }
    meter->n_refs++;
}

void
ofsync_unref_meter__(struct ofsync *os, const struct flow_meter *config)
{
    if (config->id) {
        struct ofsync_meter *meter = ofsync_find_meter__(os, config->id);

        if (!--meter->n_refs) {
            os->meters_dirty = true;
        }
    }
}

static void
send_meter_mod(struct ofsync *os, const struct flow_meter *config,
               uint16_t command, ovs_be32 xid)
{
    struct ofputil_meter_band band = {
        .type = OFPMBT13_DROP,
        .rate = config->rate,
        .burst_size = config->burst,
    };
    struct ofputil_meter_mod mm = {
        .command = command,
        .meter = {
            .meter_id = config->id,
            .flags = OFPMF13_PKTPS | OFPMF13_BURST | OFPMF13_STATS,
            .n_bands = 1,
            .bands = &band,
        },
    };
    struct ofpbuf *b = ofputil_encode_meter_mod(OFP15_VERSION, &mm);

    ((struct ofp_header *) b->data)->xid = xid;
    ofsync_send__(os, b);
}

static void
send_changed_meters(struct ofsync *os, ovs_be32 xid)
{
    struct ofsync_meter *meter;

    /* Flows that came and went since the last time, or during a comparison,
     * are sent and deleted in one bundle; they need their meters, too. */
    HMAP_FOR_EACH (meter, node, &os->meters) {
        if (meter->dirty && (meter->n_refs || !meter->installed)) {
            send_meter_mod(os, &meter->config,
                           meter->installed ? OFPMC13_MODIFY : OFPMC13_ADD,
                           xid);
            meter->installed = true;
            meter->dirty = false;
        }
    }
}

static void
send_unused_meters(struct ofsync *os, ovs_be32 xid)
{
    struct ofsync_meter *meter;

    HMAP_FOR_EACH_SAFE (meter, node, &os->meters) {
        if (!meter->n_refs) {
            if (meter->installed) {
                send_meter_mod(os, &meter->config, OFPMC13_DELETE, xid);
            }
            hmap_remove(&os->meters, &meter->node);
            free(meter);
        }
    }
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

/* Makes 'flows' what unit 'cookie' wants, without telling the switch. */
void
ofsync_adopt__(struct ofsync *os, uint64_t cookie,
               const struct flow_list *flows)
{
    struct ofsync_unit *unit = find_unit(os, cookie);
    struct flow_list *old = unit ? unit->flows : NULL;

    if (flows) {
        ofsync_ref_meter__(os, &flows->meter);
        if (!unit) {
            unit = xmalloc(sizeof *unit);
            unit->cookie = cookie;
            hmap_insert(&os->units, &unit->node, hash_uint64(cookie));
        }
        unit->flows = flow_list_ref(flows);
        os->n_flows += flows->n;
    } else if (unit) {
        hmap_remove(&os->units, &unit->node);
        free(unit);
    }
    if (old) {
        os->n_flows -= old->n;
        ofsync_unref_meter__(os, &old->meter);
        flow_list_unref(old);
    }
}

void
ofsync_set(struct ofsync *os, uint64_t cookie, const struct flow_list *flows)
{
    const struct flow_list *old = ofsync_get(os, cookie);

    if (flow_list_equal(old, flows)) {
        return;
    }
    if (os->state != OFSYNC_DOWN) {
        ofsync_put_diff__(&os->pending, old, flows);
    }
    ofsync_adopt__(os, cookie, flows);
    ofsync_stage_touch__(os, cookie, NULL);
    ofsync_check_confirmation__(os);
}

void
ofsync_delete_cookie(struct ofsync *os, uint64_t cookie, uint8_t table)
{
    if (os->state != OFSYNC_DOWN) {
        struct ofpbuf *b = flow_entry_encode_delete_cookie(cookie, table);

        ovs_list_push_back(&os->pending, &b->list_node);
        ofsync_check_confirmation__(os);
    }
}

void
ofsync_flush__(struct ofsync *os)
{
    if (os->state == OFSYNC_UP
        && (os->meters_dirty || !ovs_list_is_empty(&os->pending))) {
        ovs_be32 xid = ofsync_alloc_xid__();

        send_changed_meters(os, xid);
        ofsync_send_bundles__(os, &os->pending);
        send_unused_meters(os, xid);
        ofsync_send__(os, ofsync_barrier__(xid));
        ofsync_request_add__(os, OFSYNC_REQ_FLUSH, xid);
        os->meters_dirty = false;
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
    ofsync_flush__(os);
}

long long int
ofsync_deadline(const struct ofsync *os)
{
    if (os->want_resync) {
        return os->resync_at == LLONG_MAX ? 0 : os->resync_at;
    }
    return LLONG_MAX;
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
            && !os->meters_dirty && !os->want_resync
            && ovs_list_is_empty(&os->pending));
}

void
ofsync_check_confirmation__(struct ofsync *os)
{
    bool confirmed = ofsync_is_confirmed(os);

    if (os->want_resync
        || (os->state == OFSYNC_UP
            && (os->meters_dirty || !ovs_list_is_empty(&os->pending)))) {
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
    struct ofsync_meter *meter;
    struct ofsync_request *req;

    os->state = OFSYNC_DOWN;
    ofsync_dump_abort__(os);
    ofpbuf_list_delete(&os->pending);
    ofsync_stage_went_down__(os);
    HMAP_FOR_EACH_SAFE (req, node, &os->requests) {
        ofsync_request_remove__(os, req);
    }
    HMAP_FOR_EACH_SAFE (meter, node, &os->meters) {
        if (!meter->n_refs) {
            hmap_remove(&os->meters, &meter->node);
            free(meter);
        } else {
            meter->installed = false;
            meter->dirty = true;
        }
    }
    os->meters_dirty = false;
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

    if (type == OFPTYPE_PORT_STATS_REPLY) {
        struct ofputil_port_stats port;

        msg = ofpbuf_const_initializer(oh, ntohs(oh->length));
        if (!ofputil_decode_port_stats(&port, &msg)) {
            os->class->counted(os, req->cookie, port.stats.tx_packets,
                               port.stats.tx_bytes, os->aux);
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
    default:
        OVS_NOT_REACHED();
    }
    return true;
}

/* Counters. */

/* Sends 'request', whose answer is a counter, on behalf of 'cookie'. */
static void
count(struct ofsync *os, uint64_t cookie, struct ofpbuf *request)
{
    struct ofsync_request *req;

    if (os->state == OFSYNC_UP) {
        req = ofsync_request_add__(os, OFSYNC_REQ_COUNT,
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
    count(os, cookie, ofputil_encode_meter_request(OFP15_VERSION,
                                                   OFPUTIL_METER_STATS,
                                                   meter));
}

void
ofsync_count_port(struct ofsync *os, uint64_t cookie, ofp_port_t ofport)
{
    count(os, cookie, ofputil_encode_dump_ports_request(OFP15_VERSION,
                                                        ofport));
}

size_t
ofsync_count_flows(const struct ofsync *os)
{
    return os->n_flows;
}

const struct flow_entry *
ofsync_lookup(const struct ofsync *os, uint8_t table, const struct flow *flow)
{
    const struct flow_entry *best = NULL;
    const struct ofsync_unit *unit;

    HMAP_FOR_EACH (unit, node, &os->units) {
        for (size_t i = 0; i < unit->flows->n; i++) {
            const struct flow_entry *fe = &unit->flows->flows[i];

            if (fe->table == table
                && (!best || fe->priority > best->priority)
                && minimatch_matches_flow(&fe->match, flow)) {
                best = fe;
            }
        }
    }
    return best;
}

void
ofsync_format(const struct ofsync *os, struct ds *out)
{
    struct svec lines = SVEC_EMPTY_INITIALIZER;
    const struct ofsync_unit *unit;
    const char *line;
    size_t i;

    HMAP_FOR_EACH (unit, node, &os->units) {
        for (i = 0; i < unit->flows->n; i++) {
            struct ds s = DS_EMPTY_INITIALIZER;

            flow_entry_format(&unit->flows->flows[i], &s);
            svec_add_nocopy(&lines, ds_steal_cstr(&s));
        }
    }
    svec_sort(&lines);
    SVEC_FOR_EACH (i, line, &lines) {
        ds_put_format(out, "%s\n", line);
    }
    svec_destroy(&lines);
}
