/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef FAKE_OVSDB_H
#define FAKE_OVSDB_H 1

/* The part of an ovsdb-server that an hvdb talks to (RFC 7047): the tables of
 * hvdb-schema.h with "monitor" and "transact".
 *
 * A transaction may insert, update and mutate; rows are selected by equality.
 * "wait" always succeeds, an error does not undo the operations before it, and
 * rows to which nobody refers stay. */

#include <stdbool.h>
#include <stddef.h>
#include "openvswitch/hmap.h"
#include "openvswitch/uuid.h"

struct json;
struct jsonrpc_msg;

struct fake_row {
    struct hmap_node node;      /* In fake_ovsdb's 'tables', by 'uuid'. */
    struct uuid uuid;
    struct json *data[];        /* By index of the column, as in RFC 7047. */
};

struct fake_ovsdb;

struct fake_ovsdb *fake_ovsdb_create(void);
void fake_ovsdb_destroy(struct fake_ovsdb *);

/* Returns the 'struct fake_row's of 'table', an enum hvdb_table_id. */
const struct hmap *fake_ovsdb_get_rows(const struct fake_ovsdb *,
                                       size_t table);

/* Returns a reference to 'row' as a value of a column. */
struct json *fake_row_to_json(const struct fake_row *row);

/* Adds a row.  Its columns are empty. */
struct fake_row *fake_ovsdb_insert(struct fake_ovsdb *, size_t table);
void fake_ovsdb_delete(struct fake_ovsdb *, size_t table, struct fake_row *);

/* Makes 'column' of 'row' be 'datum', and takes that. */
void fake_ovsdb_set(struct fake_ovsdb *, size_t table, struct fake_row *,
                    size_t column, struct json *datum);

/* Adds 'elem', which it takes, to the set or map 'column', or removes it. */
void fake_ovsdb_put(struct fake_ovsdb *, size_t table, struct fake_row *,
                    size_t column, struct json *elem);
void fake_ovsdb_drop(struct fake_ovsdb *, size_t table, struct fake_row *,
                     size_t column, struct json *elem);

/* Carries out 'request' and returns the reply. */
struct jsonrpc_msg *fake_ovsdb_handle(struct fake_ovsdb *,
                                      const struct jsonrpc_msg *request);

/* Returns an "update" with what has changed since it was last called, null if
 * that is nothing or nobody monitors. */
struct jsonrpc_msg *fake_ovsdb_take_update(struct fake_ovsdb *);

/* The session is gone, and with it the monitor. */
void fake_ovsdb_disconnect(struct fake_ovsdb *);

#endif /* fake-ovsdb.h */
