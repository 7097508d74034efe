/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef HVDB_PLAN_PRIVATE_H
#define HVDB_PLAN_PRIVATE_H 1

/* What the files of hvdb-plan share: hvdb-plan-tunnel.c has the ports,
 * hvdb-plan.c the rest and how an operation is put into a transaction. */

#include "hvdb-plan.h"
#include "hvdb-schema.h"
#include "openvswitch/compiler.h"

struct plan {
    const struct hvdb_plan_input *in;
    const struct ovsdb_row *ovs;
    struct json *txn;
    struct ds *what;
};

/* Appends what the plan does to its description. */
void plan_say(struct plan *, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);

/* JSON: ['a', 'b'], ["uuid", 'uuid'], [TAG, ['elem']] for a TAG of "set" or
 * "map", and a map of one pair. */
struct json *plan_pair(const char *a, const char *b);
struct json *plan_uuid(const struct uuid *uuid);
struct json *plan_tag_1(const char *tag, struct json *elem);
struct json *plan_map_1(const char *key, const char *value);

/* The condition that selects the row with 'uuid', or the bridge. */
struct json *plan_where_uuid(const struct uuid *uuid);
struct json *plan_where_bridge(const struct plan *);

/* Adds the operation 'op' on 'table' to the plan and returns it. */
struct json *plan_op(struct plan *, const char *op, enum hvdb_table_id table);

/* Adds an operation that inserts 'row', which others in the plan may refer to
 * by 'name'. */
void plan_insert(struct plan *, enum hvdb_table_id, const char *name,
                 struct json *row);

/* Adds an operation that sets 'column' to 'value' in the rows that match
 * 'where'. */
void plan_update(struct plan *, enum hvdb_table_id, struct json *where,
                 const char *column, struct json *value);

/* Adds an operation that inserts into or deletes from ('mutator') 'column'
 * the elements 'value'.  As "insert" does not replace the value of a key that
 * is there, delete it before. */
void plan_mutate(struct plan *, enum hvdb_table_id, struct json *where,
                 const char *column, const char *mutator, struct json *value);

/* Makes 'key' of the map 'column' be 'value'. */
void plan_set_key(struct plan *, enum hvdb_table_id, const struct ovsdb_row *,
                  size_t column, const char *key, const char *value);

/* Whether 'key' of the map 'column' is 'value', or marks the row as ours. */
bool plan_has_value(const struct ovsdb_row *, size_t column, const char *key,
                    const char *value);
bool plan_is_marked(const struct ovsdb_row *, size_t column);

void hvdb_plan_tunnels(struct plan *);

#endif /* hvdb-plan-private.h */
