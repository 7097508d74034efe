/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "flow-list.h"

#include <stdarg.h>
#include <stdlib.h>

#include "byte-order.h"
#include "hash.h"
#include "openflow/openflow.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-protocol.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "unaligned.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(flow_list);

/* A flow as a list keeps it, followed by its body: the OXM fields of the match
 * without header and padding, and the instructions. */
struct record {
    uint64_t cookie;
    uint16_t match_len;
    uint16_t rest_len;
    uint16_t priority;
    uint8_t table;
    uint8_t pad;
};

/* A list under construction. */
struct flow_builder {
    struct flow_entry *flows;   /* 'body' is malloc()'d. */
    size_t allocated;
};

/* Flow mods. */

/* Appends a flow mod to 'msg' that has the match of 'fe' and, if 'add', all
 * the rest of it.  The bytes are those of ofputil_encode_flow_mod(). */
static void
put_flow_mod(const struct flow_entry *fe, bool add, ovs_be32 xid,
             struct ofpbuf *msg)
{
    size_t match_len = sizeof(struct ofp11_match_header) + fe->match_len;
    size_t length = (sizeof(struct ofp_header) + sizeof(struct ofp11_flow_mod)
                     + ROUND_UP(match_len, 8) + (add ? fe->rest_len : 0));
    uint8_t *p = ofpbuf_put_uninit(msg, length);
    struct ofp_header oh = {
        .version = OFP15_VERSION,
        .type = 14,             /* OFPT_FLOW_MOD. */
        .length = htons(length),
        .xid = xid,
    };
    struct ofp11_flow_mod ofm = {
        .cookie = add ? htonll(fe->cookie) : 0,
        .table_id = fe->table,
        .command = add ? OFPFC_ADD : OFPFC_DELETE_STRICT,
        .priority = htons(fe->priority),
        .buffer_id = OVS_BE32_MAX,
        .out_port = ofputil_port_to_ofp11(OFPP_ANY),
        .out_group = htonl(OFPG_ANY),
    };
    struct ofp11_match_header omh = {
        .type = htons(OFPMT_OXM),
        .length = htons(match_len),
    };

    memcpy(p, &oh, sizeof oh);
    p += sizeof oh;
    memcpy(p, &ofm, sizeof ofm);
    p += sizeof ofm;
    memcpy(p, &omh, sizeof omh);
    memcpy(p + sizeof omh, fe->body, fe->match_len);
    memset(p + match_len, 0, ROUND_UP(match_len, 8) - match_len);
    if (add) {
        memcpy(p + ROUND_UP(match_len, 8), fe->body + fe->match_len,
               fe->rest_len);
    }
}

void
flow_entry_put_add(const struct flow_entry *fe, ovs_be32 xid,
                   struct ofpbuf *msg)
{
    put_flow_mod(fe, true, xid, msg);
}

void
flow_entry_put_delete(const struct flow_entry *fe, ovs_be32 xid,
                      struct ofpbuf *msg)
{
    put_flow_mod(fe, false, xid, msg);
}

void
flow_entry_put_delete_cookie(uint64_t cookie, uint8_t table, ovs_be32 xid,
                             struct ofpbuf *msg)
{
    struct ofputil_flow_mod fm = {
        .cookie = htonll(cookie),
        .cookie_mask = OVS_BE64_MAX,
        .new_cookie = OVS_BE64_MAX,
        .table_id = table,
        .command = OFPFC_DELETE,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };
    struct ofp_header *oh;
    struct ofpbuf *b;

    minimatch_init_catchall(&fm.match);
    b = ofputil_encode_flow_mod(&fm, OFPUTIL_P_OF15_OXM);
    oh = b->data;
    oh->xid = xid;
    oh->length = htons(b->size);
    ofpbuf_put(msg, b->data, b->size);
    ofpbuf_delete(b);
    minimatch_destroy(&fm.match);
}

/* Entries. */

static uint32_t
hash_rule(const struct flow_entry *fe)
{
    return hash_bytes(fe->body, fe->match_len,
                      hash_int(fe->priority, fe->table));
}

/* The largest flow of ours: with all headers it fits into a message. */
#define BODY_MAX 65000

/* Moves the body of flow mod 'msg' to its beginning and points 'fe' to it.  A
 * flow that a switch reports may be larger than a message when it is encoded
 * anew; then it is cut, to a size that none of ours has. */
static void
extract_body(struct flow_entry *fe, struct ofpbuf *msg)
{
    size_t ofs = sizeof(struct ofp_header) + sizeof(struct ofp11_flow_mod);
    const struct ofp11_match_header *omh = ofpbuf_at_assert(msg, ofs,
                                                            sizeof *omh);
    size_t match_len = ntohs(omh->length);
    uint8_t *data = msg->data;
    size_t rest_ofs = ofs + ROUND_UP(match_len, 8);

    fe->match_len = match_len - sizeof *omh;
    fe->rest_len = MIN(msg->size - rest_ofs, UINT16_MAX - 1);
    memmove(data, data + ofs + sizeof *omh, fe->match_len);
    memmove(data + fe->match_len, data + rest_ofs, fe->rest_len);
    msg->size = fe->match_len + fe->rest_len;
    fe->body = data;
    fe->hash = hash_rule(fe);
}

void
flow_entry_from_flow_mod(struct flow_entry *fe, struct ofpbuf *buf,
                         const struct ofputil_flow_mod *fm)
{
    struct ofpbuf *msg = ofputil_encode_flow_mod(fm, OFPUTIL_P_OF15_OXM);

    fe->cookie = ntohll(fm->new_cookie);
    fe->table = fm->table_id;
    fe->priority = fm->priority;
    extract_body(fe, msg);
    ofpbuf_clear(buf);
    fe->body = ofpbuf_put(buf, msg->data, msg->size);
    ofpbuf_delete(msg);
}

void
flow_entry_from_stats(struct flow_entry *fe, struct ofpbuf *buf,
                      const struct ofputil_flow_stats *fs)
{
    struct ofputil_flow_mod fm = {
        .priority = fs->priority,
        .new_cookie = fs->cookie,
        .table_id = fs->table_id,
        .command = OFPFC_ADD,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .ofpacts = CONST_CAST(struct ofpact *, fs->ofpacts),
        .ofpacts_len = fs->ofpacts_len,
    };

    minimatch_init(&fm.match, &fs->match);
    flow_entry_from_flow_mod(fe, buf, &fm);
    minimatch_destroy(&fm.match);

    /* What no flow of ours has makes it differ from all of them. */
    if (fs->idle_timeout || fs->hard_timeout || fs->importance || fs->flags) {
        ofpbuf_put_zeros(buf, 1);
        fe->body = buf->data;
        fe->rest_len++;
    }
}

struct flow_entry *
flow_entry_clone(const struct flow_entry *fe)
{
    size_t n = fe->match_len + fe->rest_len;
    struct flow_entry *copy = xmalloc(sizeof *copy + n);

    *copy = *fe;
    copy->body = (uint8_t *) (copy + 1);
    memcpy(copy + 1, fe->body, n);
    return copy;
}

bool
flow_entry_same_rule(const struct flow_entry *a, const struct flow_entry *b)
{
    return (a->hash == b->hash && a->table == b->table
            && a->priority == b->priority && a->match_len == b->match_len
            && !memcmp(a->body, b->body, a->match_len));
}

bool
flow_entry_equal(const struct flow_entry *a, const struct flow_entry *b)
{
    return (flow_entry_same_rule(a, b) && a->cookie == b->cookie
            && a->rest_len == b->rest_len
            && !memcmp(a->body + a->match_len, b->body + b->match_len,
                       a->rest_len));
}

/* Decodes 'fe' to 'fm', whose match the caller must destroy. */
static void
decode(const struct flow_entry *fe, struct ofputil_flow_mod *fm,
       struct ofpbuf *ofpacts)
{
    struct ofpbuf msg;
    enum ofperr error;

    ofpbuf_init(&msg, 256);
    put_flow_mod(fe, true, 0, &msg);
    error = ofputil_decode_flow_mod(fm, msg.data, OFPUTIL_P_OF15_OXM, NULL,
                                    NULL, ofpacts, OFPP_MAX, 255);
    if (error) {
        VLOG_ABORT("flow does not survive encoding: %s",
                   ofperr_to_string(error));
    }
    ofpbuf_uninit(&msg);
}

void
flow_entry_decode(const struct flow_entry *fe, struct match *match,
                  struct ofpbuf *ofpacts)
{
    struct ofputil_flow_mod fm;

    decode(fe, &fm, ofpacts);
    minimatch_expand(&fm.match, match);
    minimatch_destroy(&fm.match);
}

bool
flow_entry_matches(const struct flow_entry *fe, const struct flow *flow)
{
    struct ofputil_flow_mod fm;
    struct ofpbuf ofpacts;
    bool matches;

    ofpbuf_init(&ofpacts, 256);
    decode(fe, &fm, &ofpacts);
    matches = minimatch_matches_flow(&fm.match, flow);
    minimatch_destroy(&fm.match);
    ofpbuf_uninit(&ofpacts);
    return matches;
}

void
flow_mod_format(const struct ofputil_flow_mod *fm, struct ds *s)
{
    struct ofpact_format_params fp = { .s = s };

    ds_put_format(s, "cookie=%#"PRIx64", table=%s, ", ntohll(fm->new_cookie),
                  flow_table_name(fm->table_id));
    minimatch_format(&fm->match, NULL, NULL, s, fm->priority);
    ds_put_cstr(s, " actions=");
    ofpacts_format(fm->ofpacts, fm->ofpacts_len, &fp);
}

void
flow_entry_format(const struct flow_entry *fe, struct ds *s)
{
    struct ofputil_flow_mod fm;
    struct ofpbuf ofpacts;

    ofpbuf_init(&ofpacts, 256);
    decode(fe, &fm, &ofpacts);
    flow_mod_format(&fm, s);
    minimatch_destroy(&fm.match);
    ofpbuf_uninit(&ofpacts);
}

/* Building. */

struct flow_list *
flow_list_create(void)
{
    struct flow_list *fl = xzalloc(sizeof *fl);

    fl->n_refs = 1;
    fl->builder = xzalloc(sizeof *fl->builder);
    return fl;
}

/* Adds the flow of 'fm', of whose 'table_id', 'priority' and 'new_cookie' it
 * makes use, too. */
static void
add_flow(struct flow_list *fl, const struct ofputil_flow_mod *fm)
{
    struct flow_builder *b = fl->builder;
    uint64_t stub[512 / 8];
    struct ofpbuf buf = OFPBUF_STUB_INITIALIZER(stub);
    struct flow_entry *fe;

    if (fl->n >= b->allocated) {
        b->flows = x2nrealloc(b->flows, &b->allocated, sizeof *b->flows);
    }
    fe = &b->flows[fl->n++];
    flow_entry_from_flow_mod(fe, &buf, fm);
    ovs_assert(buf.size <= BODY_MAX);
    fe->body = xmemdup(buf.data, MAX(1, buf.size));
    ofpbuf_uninit(&buf);
}

void
flow_list_add(struct flow_list *fl, enum flow_table table, int priority,
              uint64_t cookie, const char *match, const char *actions, ...)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    enum ofputil_protocol usable;
    struct ofputil_flow_mod fm;
    va_list args;
    char *error;

    ds_put_format(&s, "table=%d,priority=%d,cookie=%#"PRIx64",%s%sactions=",
                  table, priority, cookie, match, match[0] ? "," : "");
    va_start(args, actions);
    ds_put_format_valist(&s, actions, args);
    va_end(args);

    error = parse_ofp_flow_mod_str(&fm, ds_cstr(&s), NULL, NULL, OFPFC_ADD,
                                   &usable);
    if (error) {
        VLOG_ABORT("%s: %s", ds_cstr(&s), error);
    }
    add_flow(fl, &fm);

    free(fm.ofpacts);
    minimatch_destroy(&fm.match);
    ds_destroy(&s);
}

/* An order that does not depend on that in which flows were added. */
static int
compare_entries(const void *a_, const void *b_)
{
    const struct flow_entry *a = a_;
    const struct flow_entry *b = b_;
    size_t n = MIN(a->match_len, b->match_len);

    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    } else if (a->table != b->table) {
        return a->table < b->table ? -1 : 1;
    } else if (a->priority != b->priority) {
        return a->priority < b->priority ? -1 : 1;
    }
    return memcmp(a->body, b->body, n);
}

static void
put_record(const struct flow_entry *fe, struct ofpbuf *data)
{
    struct record r = {
        .cookie = fe->cookie,
        .match_len = fe->match_len,
        .rest_len = fe->rest_len,
        .priority = fe->priority,
        .table = fe->table,
    };

    ofpbuf_put(data, &r, sizeof r);
    ofpbuf_put(data, fe->body, fe->match_len + fe->rest_len);
}

struct flow_list *
flow_list_finish(struct flow_list *fl)
{
    struct flow_builder *b = fl->builder;
    uint64_t stub[8192 / 8];
    struct ofpbuf data = OFPBUF_STUB_INITIALIZER(stub);

    if (fl->n) {
        qsort(b->flows, fl->n, sizeof *b->flows, compare_entries);
    }
    for (size_t i = 0; i < fl->n; i++) {
        put_record(&b->flows[i], &data);
        free(CONST_CAST(uint8_t *, b->flows[i].body));
    }
    fl->size = data.size;
    fl->data = data.size ? xmemdup(data.data, data.size) : NULL;
    ofpbuf_uninit(&data);
    free(b->flows);
    free(b);
    fl->builder = NULL;
    return fl;
}

struct flow_list *
flow_list_ref(const struct flow_list *fl_)
{
    struct flow_list *fl = CONST_CAST(struct flow_list *, fl_);

    if (fl) {
        fl->n_refs++;
    }
    return fl;
}

void
flow_list_unref(struct flow_list *fl)
{
    if (fl && !--fl->n_refs) {
        ovs_assert(!fl->builder);
        free(fl->data);
        free(fl);
    }
}

/* Using. */

struct flow_entry *
flow_list_expand(const struct flow_list *fl)
{
    struct flow_entry *flows = xmalloc(MAX(1, fl->n) * sizeof *flows);
    const uint8_t *p = fl->data;

    ovs_assert(!fl->builder);
    for (size_t i = 0; i < fl->n; i++) {
        struct flow_entry *fe = &flows[i];
        struct record r;

        memcpy(&r, p, sizeof r);
        fe->cookie = r.cookie;
        fe->priority = r.priority;
        fe->table = r.table;
        fe->match_len = r.match_len;
        fe->rest_len = r.rest_len;
        fe->body = p + sizeof r;
        fe->hash = hash_rule(fe);
        p = fe->body + r.match_len + r.rest_len;
    }
    return flows;
}

/* A list that is walked in order of the hashes. */
struct walk {
    struct flow_entry *flows;
    size_t n, pos;
};

static struct walk
walk_init(const struct flow_list *fl)
{
    return (struct walk) {
        .flows = fl ? flow_list_expand(fl) : NULL,
        .n = fl ? fl->n : 0,
    };
}

/* Returns the flow that is the same rule as 'key', whose hash is not below
 * that of the last call; or null. */
static const struct flow_entry *
walk_find(struct walk *w, const struct flow_entry *key)
{
    while (w->pos < w->n && w->flows[w->pos].hash < key->hash) {
        w->pos++;
    }
    for (size_t i = w->pos; i < w->n && w->flows[i].hash == key->hash; i++) {
        if (flow_entry_same_rule(&w->flows[i], key)) {
            return &w->flows[i];
        }
    }
    return NULL;
}

/* Returns true if 'a' and 'b' hold the same flows.  The same flows are always
 * the same bytes. */
static bool
same_flows(const struct flow_list *a, const struct flow_list *b)
{
    return (a->n == b->n && a->size == b->size
            && (!a->size || !memcmp(a->data, b->data, a->size)));
}

void
flow_list_diff(const struct flow_list *old, const struct flow_list *new,
               flow_list_diff_cb *cb, void *aux)
{
    struct walk o, n;

    if (old == new || (old && new && same_flows(old, new))) {
        return;
    }

    o = walk_init(old);
    n = walk_init(new);
    for (size_t i = 0; i < o.n; i++) {
        if (!walk_find(&n, &o.flows[i])) {
            cb(&o.flows[i], false, aux);
        }
    }
    for (size_t i = 0; i < n.n; i++) {
        const struct flow_entry *fe = walk_find(&o, &n.flows[i]);

        if (!fe || !flow_entry_equal(fe, &n.flows[i])) {
            cb(&n.flows[i], true, aux);
        }
    }
    free(o.flows);
    free(n.flows);
}

bool
flow_list_equal(const struct flow_list *a, const struct flow_list *b)
{
    return (a == b
            || (a && b && !memcmp(&a->meter, &b->meter, sizeof a->meter)
                && same_flows(a, b)));
}
