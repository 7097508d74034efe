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
 * sees of them, and kept as libopenvswitch decodes them from the wire, so that
 * they compare equal to what a switch reports.
 *
 * Thread-safety: none; use from one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "flow-tables.h"
#include "openvswitch/compiler.h"
#include "openvswitch/match.h"

struct ds;
struct ofpbuf;
struct ofpact;
struct ofputil_flow_stats;

struct flow_entry {
    uint64_t cookie;
    uint8_t table;
    uint16_t priority;
    uint32_t hash;              /* Of table, priority and match. */
    struct minimatch match;
    struct ofpact *ofpacts;
    size_t ofpacts_len;
    struct ofpbuf *add;         /* Encoded OFPFC_ADD flow mod. */
};

/* A rate limit in packets per second.  'id' 0 is no meter. */
struct flow_meter {
    uint32_t id;
    uint32_t rate;
    uint32_t burst;
};

struct flow_list {
    unsigned int n_refs;
    struct flow_meter meter;    /* The meter that the flows need, if any. */
    struct flow_entry *flows;         /* Sorted by hash once finished. */
    size_t n, allocated;
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

/* Calls 'cb' for each flow that is in 'old' only ('add' false) or that is new
 * or different in 'new' ('add' true).  Either list may be null, for empty. */
typedef void flow_list_diff_cb(const struct flow_entry *, bool add, void *aux);
void flow_list_diff(const struct flow_list *old, const struct flow_list *new,
                    flow_list_diff_cb *, void *aux);

/* Returns true if both hold the same flows and the same meter. */
bool flow_list_equal(const struct flow_list *, const struct flow_list *);

/* Returns true if 'fs', as reported by a switch, is 'entry': the same match,
 * with the same actions and cookie if 'exact'. */
bool flow_entry_matches(const struct flow_entry *,
                        const struct ofputil_flow_stats *,
                        bool exact);

/* Hashes as 'struct flow_entry' does. */
uint32_t flow_entry_hash(uint8_t table, uint16_t priority,
                         const struct minimatch *);

/* Encodes a flow mod that deletes exactly that.  The caller owns it. */
struct ofpbuf *flow_entry_encode_delete(const struct flow_entry *);

/* Encodes a flow mod that deletes all flows with 'cookie', in 'table' or, if
 * that is 255, in all tables.  The caller owns it. */
struct ofpbuf *flow_entry_encode_delete_cookie(uint64_t cookie, uint8_t table);

/* Encodes a flow mod that deletes the flow that 'fs' reports. */
struct ofpbuf *flow_entry_encode_delete_stats(
    const struct ofputil_flow_stats *);

/* Appends the flow in ovs-ofctl syntax, with the table by name. */
void flow_entry_format(const struct flow_entry *, struct ds *);

#endif /* flow-list.h */
