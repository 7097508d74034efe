/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ovsdb-replica.h"

#include <string.h>
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "openvswitch/util.h"
#include "util.h"
#include "uuid.h"

struct ovsdb_replica {
    const struct ovsdb_table_spec *spec;
    size_t n_tables;
    struct hmap *tables;        /* 'n_tables' maps of 'struct ovsdb_row's. */
};

struct ovsdb_replica *
ovsdb_replica_create(const struct ovsdb_table_spec *spec, size_t n)
{
    struct ovsdb_replica *replica = xmalloc(sizeof *replica);

    replica->spec = spec;
    replica->n_tables = n;
    replica->tables = xmalloc(n * sizeof *replica->tables);
    for (size_t i = 0; i < n; i++) {
        hmap_init(&replica->tables[i]);
    }
    return replica;
}

static void
row_destroy(struct ovsdb_row *row)
{
    if (row) {
        for (size_t i = 0; i < row->n_data; i++) {
            json_destroy(row->data[i]);
        }
        free(row);
    }
}

void
ovsdb_replica_destroy(struct ovsdb_replica *replica)
{
    if (!replica) {
        return;
    }

    for (size_t i = 0; i < replica->n_tables; i++) {
        struct ovsdb_row *row;

        HMAP_FOR_EACH_POP (row, node, &replica->tables[i]) {
            row_destroy(row);
        }
        hmap_destroy(&replica->tables[i]);
    }
    free(replica->tables);
    free(replica);
}

void
ovsdb_changes_destroy(struct ovsdb_changes *changes)
{
    for (size_t i = 0; i < changes->n; i++) {
        row_destroy(changes->array[i].old);
    }
    free(changes->array);
    *changes = (struct ovsdb_changes) { .n = 0 };
}

struct json *
ovsdb_replica_compose_monitor(const struct ovsdb_replica *replica)
{
    struct json *requests = json_object_create();

    for (size_t i = 0; i < replica->n_tables; i++) {
        const struct ovsdb_table_spec *table = &replica->spec[i];
        struct json *columns = json_array_create_empty();
        struct json *request = json_object_create();

        for (size_t j = 0; j < table->n_columns; j++) {
            json_array_add(columns,
                           json_string_create(table->columns[j].name));
        }
        json_object_put(request, "columns", columns);
        json_object_put(requests, table->name,
                        json_array_create_1(request));
    }
    return requests;
}

/* Data. */

/* If 'json' is [TAG, X], returns X, otherwise null. */
static const struct json *
json_untag(const struct json *json, const char *tag)
{
    return (json->type == JSON_ARRAY
            && json->array.n == 2
            && json->array.elems[0]->type == JSON_STRING
            && !strcmp(json->array.elems[0]->string, tag)
            ? json->array.elems[1] : NULL);
}

static bool
atom_is_valid(const struct json *json, enum ovsdb_atom type)
{
    const struct json *s;
    struct uuid uuid;

    switch (type) {
    case OVSDB_ATOM_BOOLEAN:
        return json->type == JSON_TRUE || json->type == JSON_FALSE;

    case OVSDB_ATOM_INTEGER:
        return json->type == JSON_INTEGER;

    case OVSDB_ATOM_STRING:
        return json->type == JSON_STRING;

    case OVSDB_ATOM_UUID:
        s = json_untag(json, "uuid");
        return (s && s->type == JSON_STRING
                && uuid_from_string(&uuid, s->string));

    case OVSDB_ATOM_NONE:
    default:
        return false;
    }
}

static bool
pair_is_valid(const struct json *json, const struct ovsdb_column_spec *spec)
{
    return (json->type == JSON_ARRAY
            && json->array.n == 2
            && atom_is_valid(json->array.elems[0], spec->key)
            && atom_is_valid(json->array.elems[1], spec->value));
}

static bool
datum_is_valid(const struct json *json, const struct ovsdb_column_spec *spec)
{
    bool is_map = spec->value != OVSDB_ATOM_NONE;
    const struct json *elems = json_untag(json, is_map ? "map" : "set");

    if (!elems) {
        return !is_map && atom_is_valid(json, spec->key);
    }
    if (elems->type != JSON_ARRAY || (spec->required && !elems->array.n)) {
        return false;
    }
    for (size_t i = 0; i < elems->array.n; i++) {
        const struct json *elem = elems->array.elems[i];

        if (!(is_map
              ? pair_is_valid(elem, spec)
              : atom_is_valid(elem, spec->key))) {
            return false;
        }
    }
    return true;
}

/* Returns the array of elements of a set or map, null if 'datum' is a single
 * atom. */
static const struct json_array *
datum_elems(const struct json *datum)
{
    const struct json *elems = json_untag(datum, "set");

    if (!elems) {
        elems = json_untag(datum, "map");
    }
    return elems ? &elems->array : NULL;
}

static const struct json *
row_get_elem(const struct ovsdb_row *row, size_t column, size_t i)
{
    const struct json *datum = row->data[column];
    const struct json_array *elems = datum_elems(datum);

    return elems ? elems->elems[i] : datum;
}

/* The element itself in a set, the key in a map. */
static const struct json *
row_get_key(const struct ovsdb_row *row, size_t column, size_t i)
{
    const struct json *elem = row_get_elem(row, column, i);

    return (json_untag(row->data[column], "map")
            ? elem->array.elems[0] : elem);
}

static const struct json *
row_get_value(const struct ovsdb_row *row, size_t column, size_t i)
{
    return row_get_elem(row, column, i)->array.elems[1];
}

size_t
ovsdb_row_count(const struct ovsdb_row *row, size_t column)
{
    const struct json_array *elems = datum_elems(row->data[column]);

    return elems ? elems->n : 1;
}

bool
ovsdb_row_equal(const struct ovsdb_row *a, const struct ovsdb_row *b,
                size_t column)
{
    return json_equal(a->data[column], b->data[column]);
}

const char *
ovsdb_row_get_string(const struct ovsdb_row *row, size_t column, size_t i)
{
    return json_string(row_get_key(row, column, i));
}

int64_t
ovsdb_row_get_integer(const struct ovsdb_row *row, size_t column, size_t i)
{
    return json_integer(row_get_key(row, column, i));
}

bool
ovsdb_row_get_boolean(const struct ovsdb_row *row, size_t column, size_t i)
{
    return json_boolean(row_get_key(row, column, i));
}

static struct uuid
atom_to_uuid(const struct json *json)
{
    struct uuid uuid;

    uuid_from_string(&uuid, json_string(json_untag(json, "uuid")));
    return uuid;
}

struct uuid
ovsdb_row_get_uuid(const struct ovsdb_row *row, size_t column, size_t i)
{
    return atom_to_uuid(row_get_key(row, column, i));
}

const char *
ovsdb_row_get_value_string(const struct ovsdb_row *row, size_t column,
                           size_t i)
{
    return json_string(row_get_value(row, column, i));
}

struct uuid
ovsdb_row_get_value_uuid(const struct ovsdb_row *row, size_t column, size_t i)
{
    return atom_to_uuid(row_get_value(row, column, i));
}

const char *
ovsdb_row_first_string(const struct ovsdb_row *row, size_t column)
{
    return (ovsdb_row_count(row, column)
            ? ovsdb_row_get_string(row, column, 0) : NULL);
}

bool
ovsdb_row_has_string(const struct ovsdb_row *row, size_t column,
                     const char *s)
{
    size_t n = ovsdb_row_count(row, column);

    for (size_t i = 0; i < n; i++) {
        if (!strcmp(ovsdb_row_get_string(row, column, i), s)) {
            return true;
        }
    }
    return false;
}

const char *
ovsdb_row_map_find(const struct ovsdb_row *row, size_t column,
                   const char *key)
{
    size_t n = ovsdb_row_count(row, column);

    for (size_t i = 0; i < n; i++) {
        if (!strcmp(ovsdb_row_get_string(row, column, i), key)) {
            return ovsdb_row_get_value_string(row, column, i);
        }
    }
    return NULL;
}

/* Updates. */

const struct ovsdb_row *
ovsdb_replica_find(const struct ovsdb_replica *replica, size_t table,
                   const struct uuid *uuid)
{
    const struct ovsdb_row *row;

    HMAP_FOR_EACH_WITH_HASH (row, node, uuid_hash(uuid),
                             &replica->tables[table]) {
        if (uuid_equals(&row->uuid, uuid)) {
            return row;
        }
    }
    return NULL;
}

const struct hmap *
ovsdb_replica_get_rows(const struct ovsdb_replica *replica, size_t table)
{
    return &replica->tables[table];
}

/* Makes a row from the "new" member of a <row-update>. */
static char *
row_from_json(const struct ovsdb_table_spec *spec, const struct uuid *uuid,
              const struct json *json, struct ovsdb_row **rowp)
{
    struct ovsdb_row *row;

    *rowp = NULL;
    if (json->type != JSON_OBJECT) {
        return xasprintf("a row of %s is not an object", spec->name);
    }

    row = xzalloc(sizeof *row + spec->n_columns * sizeof row->data[0]);
    row->uuid = *uuid;
    row->n_data = spec->n_columns;
    for (size_t i = 0; i < spec->n_columns; i++) {
        const struct ovsdb_column_spec *column = &spec->columns[i];
        const struct json *datum = shash_find_data(json->object, column->name);

        if (!datum || !datum_is_valid(datum, column)) {
            row_destroy(row);
            return xasprintf("%s:%s is %s in row "UUID_FMT,
                             spec->name, column->name,
                             datum ? "malformed" : "missing",
                             UUID_ARGS(uuid));
        }
        row->data[i] = json_clone(datum);
    }
    *rowp = row;
    return NULL;
}

static void
changes_add(struct ovsdb_changes *changes, size_t table,
            struct ovsdb_row *old, const struct ovsdb_row *new)
{
    if (!changes) {
        row_destroy(old);
        return;
    }
    if (changes->n >= changes->allocated) {
        changes->array = x2nrealloc(changes->array, &changes->allocated,
                                    sizeof *changes->array);
    }
    changes->array[changes->n++] = (struct ovsdb_change) {
        .table = table, .old = old, .new = new,
    };
}

/* Applies 'json', the <row-update> of row 'uuid'. */
static char *
replica_apply_row(struct ovsdb_replica *replica, size_t table,
                  const char *uuid_string, const struct json *json,
                  struct ovsdb_changes *changes)
{
    const struct ovsdb_table_spec *spec = &replica->spec[table];
    struct hmap *rows = &replica->tables[table];
    const struct json *old_json, *new_json;
    struct ovsdb_row *old, *new = NULL;
    struct uuid uuid;

    if (!uuid_from_string(&uuid, uuid_string)) {
        return xasprintf("a row of %s has no valid UUID", spec->name);
    }
    if (json->type != JSON_OBJECT) {
        return xasprintf("an update of a row of %s is not an object",
                         spec->name);
    }
    old_json = shash_find_data(json->object, "old");
    new_json = shash_find_data(json->object, "new");
    old = CONST_CAST(struct ovsdb_row *,
                     ovsdb_replica_find(replica, table, &uuid));
    if ((!old_json && !new_json) || !old_json != !old) {
        return xasprintf("an update of row "UUID_FMT" of %s does not fit what "
                         "came before", UUID_ARGS(&uuid), spec->name);
    }
    if (new_json) {
        char *error = row_from_json(spec, &uuid, new_json, &new);

        if (error) {
            return error;
        }
    }

    if (old) {
        hmap_remove(rows, &old->node);
    }
    if (new) {
        hmap_insert(rows, &new->node, uuid_hash(&uuid));
    }
    changes_add(changes, table, old, new);
    return NULL;
}

static bool
replica_find_table(const struct ovsdb_replica *replica, const char *name,
                   size_t *table)
{
    for (size_t i = 0; i < replica->n_tables; i++) {
        if (!strcmp(replica->spec[i].name, name)) {
            *table = i;
            return true;
        }
    }
    return false;
}

char *
ovsdb_replica_apply(struct ovsdb_replica *replica, const struct json *updates,
                    struct ovsdb_changes *changes)
{
    struct shash_node *table_node;

    if (updates->type != JSON_OBJECT) {
        return xstrdup("the updates are not an object");
    }

    SHASH_FOR_EACH (table_node, updates->object) {
        const struct json *rows = table_node->data;
        struct shash_node *row_node;
        size_t table;

        if (!replica_find_table(replica, table_node->name, &table)) {
            return xstrdup("an update of a table that was not asked for");
        }
        if (rows->type != JSON_OBJECT) {
            return xasprintf("the updates of table %s are not an object",
                             replica->spec[table].name);
        }
        SHASH_FOR_EACH (row_node, rows->object) {
            char *error = replica_apply_row(replica, table, row_node->name,
                                            row_node->data, changes);

            if (error) {
                return error;
            }
        }
    }
    return NULL;
}
