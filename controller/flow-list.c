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
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-protocol.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(flow_list);

static struct ofpbuf *
encode(const struct flow_entry *fe, uint16_t command)
{
    struct ofputil_flow_mod fm = {
        .match = fe->match,
        .priority = fe->priority,
        .new_cookie = command == OFPFC_ADD ? htonll(fe->cookie) : OVS_BE64_MAX,
        .table_id = fe->table,
        .command = command,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };

    if (command == OFPFC_ADD) {
        fm.ofpacts = fe->ofpacts;
        fm.ofpacts_len = fe->ofpacts_len;
    }
    return ofputil_encode_flow_mod(&fm, OFPUTIL_P_OF15_OXM);
}

/* Makes 'fe' from 'fm' by way of the wire, so that its actions have the form
 * in which a switch reports them. */
static void
normalize(struct flow_entry *fe, const struct ofputil_flow_mod *fm)
{
    uint64_t stub[1024 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ofputil_flow_mod decoded;
    enum ofperr error;

    fe->table = fm->table_id;
    fe->priority = fm->priority;
    fe->add = ofputil_encode_flow_mod(fm, OFPUTIL_P_OF15_OXM);
    ((struct ofp_header *) fe->add->data)->length = htons(fe->add->size);
    error = ofputil_decode_flow_mod(&decoded, fe->add->data,
                                    OFPUTIL_P_OF15_OXM, NULL, NULL, &ofpacts,
                                    OFPP_MAX, 255);
    if (error) {
        VLOG_ABORT("flow does not survive encoding: %s",
                   ofperr_to_string(error));
    }
    minimatch_move(&fe->match, &decoded.match);
    fe->ofpacts = xmemdup(ofpacts.data, ofpacts.size);
    fe->ofpacts_len = ofpacts.size;
    fe->hash = flow_entry_hash(fe->table, fe->priority, &fe->match);
    ofpbuf_uninit(&ofpacts);
}

struct flow_list *
flow_list_create(void)
{
    struct flow_list *fl = xzalloc(sizeof *fl);

    fl->n_refs = 1;
    return fl;
}

void
flow_list_add(struct flow_list *fl, enum flow_table table, int priority,
              uint64_t cookie, const char *match, const char *actions, ...)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    enum ofputil_protocol usable;
    struct ofputil_flow_mod fm;
    struct flow_entry *fe;
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

    if (fl->n >= fl->allocated) {
        fl->flows = x2nrealloc(fl->flows, &fl->allocated, sizeof *fl->flows);
    }
    fe = &fl->flows[fl->n++];
    fe->cookie = cookie;
    normalize(fe, &fm);

    free(fm.ofpacts);
    minimatch_destroy(&fm.match);
    ds_destroy(&s);
}

static int
compare_entries(const void *a_, const void *b_)
{
    const struct flow_entry *a = a_;
    const struct flow_entry *b = b_;

    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

struct flow_list *
flow_list_finish(struct flow_list *fl)
{
    if (fl->n) {
        qsort(fl->flows, fl->n, sizeof *fl->flows, compare_entries);
    }
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
        for (size_t i = 0; i < fl->n; i++) {
            minimatch_destroy(&fl->flows[i].match);
            free(fl->flows[i].ofpacts);
            ofpbuf_delete(fl->flows[i].add);
        }
        free(fl->flows);
        free(fl);
    }
}

static bool
same_rule(const struct flow_entry *a, const struct flow_entry *b)
{
    return a->hash == b->hash && a->table == b->table
           && a->priority == b->priority
           && minimatch_equal(&a->match, &b->match);
}

/* Returns true if 'a' and 'b' are the same message, but for their transaction
 * ids.  Comparing the encoded flows is exact; comparing "struct ofpact"s byte
 * by byte is not, because of their padding. */
static bool
same_message(const struct ofpbuf *a, const struct ofpbuf *b)
{
    size_t ofs = sizeof(struct ofp_header);

    return (a->size == b->size
            && !memcmp((const uint8_t *) a->data + ofs,
                       (const uint8_t *) b->data + ofs, a->size - ofs));
}

static bool
same_contents(const struct flow_entry *a, const struct flow_entry *b)
{
    return same_message(a->add, b->add);
}

/* Returns true if adding 'fe' would install just what 'fs' reports. */
static bool
same_as_stats(const struct flow_entry *fe, const struct ofputil_flow_stats *fs)
{
    struct ofputil_flow_mod fm = {
        .priority = fs->priority,
        .new_cookie = fs->cookie,
        .table_id = fs->table_id,
        .command = OFPFC_ADD,
        .idle_timeout = fs->idle_timeout,
        .hard_timeout = fs->hard_timeout,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .flags = fs->flags,
        .importance = fs->importance,
        .ofpacts = CONST_CAST(struct ofpact *, fs->ofpacts),
        .ofpacts_len = fs->ofpacts_len,
    };
    struct ofpbuf *msg;
    bool same;

    minimatch_init(&fm.match, &fs->match);
    msg = ofputil_encode_flow_mod(&fm, OFPUTIL_P_OF15_OXM);
    same = same_message(fe->add, msg);
    ofpbuf_delete(msg);
    minimatch_destroy(&fm.match);
    return same;
}

/* Returns the flow of 'fl' that is the same rule as 'key', searching from
 * '*pos', the first flow whose hash may be that of 'key'; or null. */
static const struct flow_entry *
find(const struct flow_list *fl, size_t *pos, const struct flow_entry *key)
{
    size_t n = fl ? fl->n : 0;

    while (*pos < n && fl->flows[*pos].hash < key->hash) {
        ++*pos;
    }
    for (size_t i = *pos; i < n && fl->flows[i].hash == key->hash; i++) {
        if (same_rule(&fl->flows[i], key)) {
            return &fl->flows[i];
        }
    }
    return NULL;
}

void
flow_list_diff(const struct flow_list *old, const struct flow_list *new,
               flow_list_diff_cb *cb, void *aux)
{
    size_t pos;

    if (old == new) {
        return;
    }

    pos = 0;
    for (size_t i = 0; old && i < old->n; i++) {
        if (!find(new, &pos, &old->flows[i])) {
            cb(&old->flows[i], false, aux);
        }
    }

    pos = 0;
    for (size_t i = 0; new && i < new->n; i++) {
        const struct flow_entry *fe = find(old, &pos, &new->flows[i]);

        if (!fe || !same_contents(fe, &new->flows[i])) {
            cb(&new->flows[i], true, aux);
        }
    }
}

static void
count_difference(const struct flow_entry *fe OVS_UNUSED, bool add OVS_UNUSED,
                 void *n_)
{
    size_t *n = n_;

    ++*n;
}

bool
flow_list_equal(const struct flow_list *a, const struct flow_list *b)
{
    size_t n = 0;

    if (a == b) {
        return true;
    }
    if (!a || !b || memcmp(&a->meter, &b->meter, sizeof a->meter)) {
        return false;
    }
    flow_list_diff(a, b, count_difference, &n);
    return !n;
}

bool
flow_entry_matches(const struct flow_entry *fe,
                   const struct ofputil_flow_stats *fs, bool exact)
{
    struct minimatch match;
    bool equal;

    if (fe->table != fs->table_id || fe->priority != fs->priority) {
        return false;
    }
    minimatch_init(&match, &fs->match);
    equal = minimatch_equal(&fe->match, &match);
    minimatch_destroy(&match);

    return equal && (!exact || same_as_stats(fe, fs));
}

uint32_t
flow_entry_hash(uint8_t table, uint16_t priority,
                const struct minimatch *match)
{
    return minimatch_hash(match, hash_int(priority, table));
}

struct ofpbuf *
flow_entry_encode_delete(const struct flow_entry *fe)
{
    return encode(fe, OFPFC_DELETE_STRICT);
}

struct ofpbuf *
flow_entry_encode_delete_cookie(uint64_t cookie, uint8_t table)
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
    struct ofpbuf *msg;

    minimatch_init_catchall(&fm.match);
    msg = ofputil_encode_flow_mod(&fm, OFPUTIL_P_OF15_OXM);
    minimatch_destroy(&fm.match);
    return msg;
}

struct ofpbuf *
flow_entry_encode_delete_stats(const struct ofputil_flow_stats *fs)
{
    struct flow_entry fe = {
        .table = fs->table_id,
        .priority = fs->priority,
    };
    struct ofpbuf *msg;

    minimatch_init(&fe.match, &fs->match);
    msg = encode(&fe, OFPFC_DELETE_STRICT);
    minimatch_destroy(&fe.match);
    return msg;
}

void
flow_entry_format(const struct flow_entry *fe, struct ds *s)
{
    struct ofpact_format_params fp = { .s = s };

    ds_put_format(s, "cookie=%#"PRIx64", table=%s, ", fe->cookie,
                  flow_table_name(fe->table));
    minimatch_format(&fe->match, NULL, NULL, s, fe->priority);
    ds_put_cstr(s, " actions=");
    ofpacts_format(fe->ofpacts, fe->ofpacts_len, &fp);
}
