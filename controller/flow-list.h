/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef FLOW_LIST_H
#define FLOW_LIST_H 1

/* Lists of OpenFlow flows that belong together.
 *
 * A 'struct flow_list' is all that one object (a port, a virtual network, a
 * move) wants in one switch.  It is built once, never changed afterwards, and
 * shared by reference count between all switches that want the same, so that
 * a port costs each of its peers one pointer.  A change is the difference of
 * two lists.
 *
 * Flows are written in the syntax of ovs-ofctl(8), which is what an operator
 * sees of them, and kept as libopenvswitch encodes them for the wire, without
 * what is the same in all of them: one block of bytes for a list, some 100 for
 * each flow.  Two flows are the same if these bytes are.
 *
 * Thread-safety: none; use from one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "flow-tables.h"
#include "openvswitch/compiler.h"
#include "openvswitch/types.h"

struct ds;
struct flow;
struct flow_builder;
struct match;
struct ofpbuf;
struct ofputil_flow_mod;
struct ofputil_flow_stats;

/* One flow.  'body' belongs to somebody else. */
struct flow_entry {
    uint64_t cookie;
    uint32_t hash;              /* Of table, priority and match. */
    uint16_t priority;
    uint8_t table;
    uint16_t match_len;         /* Bytes of OXM fields at 'body' ... */
    uint16_t rest_len;          /* ... and of instructions after them. */
    const uint8_t *body;
};

/* A rate limit in packets per second.  'id' 0 is no meter.  Open vSwitch 3.1
 * divides by the rate, so it must not be 0. */
struct flow_meter {
    uint32_t id;
    uint32_t rate;
    uint32_t burst;
    uint32_t linger_ms;         /* How long it stays when no flow has it any
                                 * more: for those that are still cached, a
                                 * meter that is gone lets everything pass. */
};

/* The rates of a gate; nobody reaches that of an open one. */
#define FLOW_METER_SHUT 1
#define FLOW_METER_OPEN 100000000

struct flow_list {
    unsigned int n_refs;
    struct flow_meter meter;    /* The meter that the flows need, if any. */
    uint32_t n;                 /* Number of flows. */

    /* The rest is for flow-list.c only. */
    uint32_t size;              /* Bytes at 'data'. */
    uint8_t *data;              /* Null if there are none. */
    struct flow_builder *builder; /* Until flow_list_finish(). */
};

/* Makes an empty list with one reference, which the caller owns. */
struct flow_list *flow_list_create(void);

/* Adds a flow with the given match and actions in ovs-ofctl syntax.  The
 * actions are a format, followed by its arguments.  Wrong syntax is a bug and
 * aborts, for whatever goes in has been parsed before. */
void flow_list_add(struct flow_list *, enum flow_table, int priority,
                   uint64_t cookie, const char *match,
                   const char *actions, ...) OVS_PRINTF_FORMAT(6, 7);

/* Ends the construction; flow_list_add() must not be called afterwards. */
struct flow_list *flow_list_finish(struct flow_list *);

struct flow_list *flow_list_ref(const struct flow_list *);
void flow_list_unref(struct flow_list *);

/* Returns the flows of a finished list as an array with 'n' elements, in the
 * order of their hashes.  The caller must free it, as one block; it is valid
 * as long as the list is. */
struct flow_entry *flow_list_expand(const struct flow_list *);

/* Calls 'cb' for each flow that is in 'old' only ('add' false) or that is new
 * or different in 'new' ('add' true).  Either list may be null, for empty. */
typedef void flow_list_diff_cb(const struct flow_entry *, bool add, void *aux);
void flow_list_diff(const struct flow_list *old, const struct flow_list *new,
                    flow_list_diff_cb *, void *aux);

/* Returns true if both hold the same flows and the same meter. */
bool flow_list_equal(const struct flow_list *, const struct flow_list *);

/* Makes 'fe' the flow that 'fm' adds.  'buf', which the caller has
 * initialized, is emptied and holds what 'fe' points to. */
void flow_entry_from_flow_mod(struct flow_entry *fe, struct ofpbuf *buf,
                              const struct ofputil_flow_mod *fm);

/* The same for the flow that a switch reports. */
void flow_entry_from_stats(struct flow_entry *fe, struct ofpbuf *buf,
                           const struct ofputil_flow_stats *fs);

/* Returns a copy of 'fe' with all that it points to, one block, which the
 * caller must free. */
struct flow_entry *flow_entry_clone(const struct flow_entry *fe);

/* Returns true if 'a' and 'b' have the same table, priority and match, */
bool flow_entry_same_rule(const struct flow_entry *a,
                          const struct flow_entry *b);

/* and the same cookie and actions, too. */
bool flow_entry_equal(const struct flow_entry *a, const struct flow_entry *b);

/* Decodes the match and appends the actions to 'ofpacts'. */
void flow_entry_decode(const struct flow_entry *, struct match *,
                       struct ofpbuf *ofpacts);

/* Returns true if a packet with 'flow' matches. */
bool flow_entry_matches(const struct flow_entry *, const struct flow *flow);

/* Appends a flow mod with transaction id 'xid' to 'msg' that adds the flow, or
 * that deletes exactly it. */
void flow_entry_put_add(const struct flow_entry *, ovs_be32 xid,
                        struct ofpbuf *msg);
void flow_entry_put_delete(const struct flow_entry *, ovs_be32 xid,
                           struct ofpbuf *msg);

/* Appends one that deletes all flows with 'cookie', in 'table' or, if that is
 * 255, in all tables. */
void flow_entry_put_delete_cookie(uint64_t cookie, uint8_t table,
                                  ovs_be32 xid, struct ofpbuf *msg);

/* Append the flow in ovs-ofctl syntax, with the table by name. */
void flow_entry_format(const struct flow_entry *, struct ds *);
void flow_mod_format(const struct ofputil_flow_mod *, struct ds *);

#endif /* flow-list.h */
