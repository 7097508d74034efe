/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef OVSDB_REPLICA_H
#define OVSDB_REPLICA_H 1

/* A copy of some columns of an OVSDB database (RFC 7047, "monitor").
 *
 * The owner describes the columns once; the replica says what to ask the
 * server for and applies what the server sends.  Everything is checked against
 * the description before it is stored, so that whoever reads a row need not
 * expect anything but what the description says, whatever the peer sent.
 *
 * No I/O, no clock, one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "openvswitch/hmap.h"
#include "openvswitch/uuid.h"

struct json;
struct ovsdb_replica;
struct smap;

/* The type of the atoms in a column. */
enum ovsdb_atom {
    OVSDB_ATOM_NONE,            /* As a value: the column is not a map. */
    OVSDB_ATOM_BOOLEAN,
    OVSDB_ATOM_INTEGER,
    OVSDB_ATOM_STRING,
    OVSDB_ATOM_UUID
};

struct ovsdb_column_spec {
    const char *name;
    enum ovsdb_atom key, value;
    bool required;              /* At least one element. */
};

struct ovsdb_table_spec {
    const char *name;
    const struct ovsdb_column_spec *columns;
    size_t n_columns;
};

/* A row.  Read its data with the functions below.  There are some dozen of
 * them for each hypervisor, so they are kept small. */
struct ovsdb_row {
    struct hmap_node node;      /* In the replica, by hash of 'uuid'. */
    struct uuid uuid;
    const struct ovsdb_table_spec *spec;
    char data[];                /* See ovsdb-replica.c. */
};

/* What an update did to one row. */
struct ovsdb_change {
    size_t table;               /* Index of the table. */
    struct ovsdb_row *old;      /* Null if inserted. */
    const struct ovsdb_row *new; /* Null if deleted; the replica's. */
};

/* What an update did, in no particular order.  Initialize with zeros. */
struct ovsdb_changes {
    struct ovsdb_change *array;
    size_t n, allocated;
};

/* Creates an empty copy of the 'n' tables of 'spec', which must outlive it. */
struct ovsdb_replica *ovsdb_replica_create(const struct ovsdb_table_spec *spec,
                                           size_t n);
void ovsdb_replica_destroy(struct ovsdb_replica *);

/* Returns the <monitor-requests> object that asks for all columns. */
struct json *ovsdb_replica_compose_monitor(const struct ovsdb_replica *);

/* Applies <table-updates> 'updates' and appends to '*changes', if that is
 * nonnull, what they did.  Returns null on success, otherwise what is wrong
 * with 'updates', which the caller must free; then a part of them may have
 * been applied, and the replica is good for nothing but reading and
 * ovsdb_replica_destroy(). */
char *ovsdb_replica_apply(struct ovsdb_replica *, const struct json *updates,
                          struct ovsdb_changes *changes);

/* Frees 'changes' and the old rows in it. */
void ovsdb_changes_destroy(struct ovsdb_changes *changes);

/* Returns the row, or null. */
const struct ovsdb_row *ovsdb_replica_find(const struct ovsdb_replica *,
                                           size_t table, const struct uuid *);

/* Returns the rows of 'table': 'struct ovsdb_row's. */
const struct hmap *ovsdb_replica_get_rows(const struct ovsdb_replica *,
                                          size_t table);

/* Returns true if the two rows have equal data in 'column'. */
bool ovsdb_row_equal(const struct ovsdb_row *, const struct ovsdb_row *,
                     size_t column);

/* Returns the data of 'column', which is not a map, as in RFC 7047 section
 * 5.1; the caller must destroy it. */
struct json *ovsdb_row_to_json(const struct ovsdb_row *, size_t column);

/* The number of elements of a set or map. */
size_t ovsdb_row_count(const struct ovsdb_row *, size_t column);

/* The i-th key (i less than the count). */
const char *ovsdb_row_get_string(const struct ovsdb_row *, size_t column,
                                 size_t i);
int64_t ovsdb_row_get_integer(const struct ovsdb_row *, size_t column,
                              size_t i);
bool ovsdb_row_get_boolean(const struct ovsdb_row *, size_t column, size_t i);
struct uuid ovsdb_row_get_uuid(const struct ovsdb_row *, size_t column,
                               size_t i);

/* The value of the i-th key of a map (i less than the count). */
struct uuid ovsdb_row_get_value_uuid(const struct ovsdb_row *, size_t column,
                                     size_t i);

/* The only string of an optional column, null if it is empty. */
const char *ovsdb_row_first_string(const struct ovsdb_row *, size_t column);

/* Returns true if the set 'column' has 's'. */
bool ovsdb_row_has_string(const struct ovsdb_row *, size_t column,
                          const char *s);

/* The value of 'key' in a map of strings, or null. */
const char *ovsdb_row_map_find(const struct ovsdb_row *, size_t column,
                               const char *key);

/* Adds a map of strings to '*map'. */
void ovsdb_row_get_map(const struct ovsdb_row *, size_t column,
                       struct smap *map);

#endif /* ovsdb-replica.h */
