/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ovsdb-replica.h"

#include <string.h>
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "openvswitch/util.h"
#include "smap.h"
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

void
ovsdb_replica_destroy(struct ovsdb_replica *replica)
{
    if (!replica) {
        return;
    }

    for (size_t i = 0; i < replica->n_tables; i++) {
        struct ovsdb_row *row;

        HMAP_FOR_EACH_POP (row, node, &replica->tables[i]) {
            free(row);
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
        free(changes->array[i].old);
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

/* Checks. */

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

/* Data.
 *
 * 'data' of a row begins with where each column begins in it, as uint32_t.  A
 * column is the number of its elements, as uint32_t, and then these, each a
 * key and, in a map, a value.  A string ends with a null byte, and all else
 * has a fixed size; nothing is aligned. */

/* Returns the size of an atom, 0 for a string. */
static size_t
atom_size(enum ovsdb_atom type)
{
    switch (type) {
    case OVSDB_ATOM_BOOLEAN: return sizeof(bool);
    case OVSDB_ATOM_INTEGER: return sizeof(int64_t);
    case OVSDB_ATOM_UUID: return sizeof(struct uuid);
    case OVSDB_ATOM_NONE:
    case OVSDB_ATOM_STRING:
    default: return 0;
    }
}

/* Returns the end of the atom at 'p'. */
static const char *
atom_end(const char *p, enum ovsdb_atom type)
{
    return (type == OVSDB_ATOM_NONE ? p
            : type == OVSDB_ATOM_STRING ? p + strlen(p) + 1
            : p + atom_size(type));
}

static void
put_atom(struct ds *data, const struct json *json, enum ovsdb_atom type)
{
    struct uuid uuid;
    int64_t integer;
    bool boolean;

    switch (type) {
    case OVSDB_ATOM_BOOLEAN:
        boolean = json_boolean(json);
        ds_put_buffer(data, (const char *) &boolean, sizeof boolean);
        break;
    case OVSDB_ATOM_INTEGER:
        integer = json_integer(json);
        ds_put_buffer(data, (const char *) &integer, sizeof integer);
        break;
    case OVSDB_ATOM_STRING:
        ds_put_buffer(data, json_string(json), strlen(json_string(json)) + 1);
        break;
    case OVSDB_ATOM_UUID:
        uuid_from_string(&uuid, json_string(json_untag(json, "uuid")));
        ds_put_buffer(data, (const char *) &uuid, sizeof uuid);
        break;
    case OVSDB_ATOM_NONE:
    default:
        OVS_NOT_REACHED();
    }
}

/* Appends 'datum', which is valid. */
static void
put_datum(struct ds *data, const struct json *datum,
          const struct ovsdb_column_spec *column)
{
    bool is_map = column->value != OVSDB_ATOM_NONE;
    const struct json *elems = json_untag(datum, is_map ? "map" : "set");
    uint32_t n = elems ? elems->array.n : 1;

    ds_put_buffer(data, (const char *) &n, sizeof n);
    for (size_t i = 0; i < n; i++) {
        const struct json *elem = elems ? elems->array.elems[i] : datum;

        if (is_map) {
            put_atom(data, elem->array.elems[0], column->key);
            put_atom(data, elem->array.elems[1], column->value);
        } else {
            put_atom(data, elem, column->key);
        }
    }
}

static uint32_t
get_number(const char *p)
{
    uint32_t n;

    memcpy(&n, p, sizeof n);
    return n;
}

static const char *
get_column(const struct ovsdb_row *row, size_t column)
{
    return row->data + get_number(row->data + column * sizeof(uint32_t));
}

size_t
ovsdb_row_count(const struct ovsdb_row *row, size_t column)
{
    return get_number(get_column(row, column));
}

/* Returns the i-th element of 'column' or, if it has 'i' elements, its end. */
static const char *
get_elem(const struct ovsdb_row *row, size_t column, size_t i)
{
    const struct ovsdb_column_spec *spec = &row->spec->columns[column];
    const char *p = get_column(row, column) + sizeof(uint32_t);

    if (spec->key != OVSDB_ATOM_STRING && spec->value != OVSDB_ATOM_STRING) {
        return p + i * (atom_size(spec->key) + atom_size(spec->value));
    }
    while (i--) {
        p = atom_end(atom_end(p, spec->key), spec->value);
    }
    return p;
}

/* The elements of a column, one after the other. */
struct walk {
    const char *key;            /* The first of those that are left, ... */
    size_t n;                   /* ... and how many these are. */
};

static struct walk
walk_begin(const struct ovsdb_row *row, size_t column)
{
    return (struct walk) {
        .key = get_elem(row, column, 0),
        .n = ovsdb_row_count(row, column),
    };
}

static void
walk_next(struct walk *w, const struct ovsdb_column_spec *spec)
{
    w->key = atom_end(atom_end(w->key, spec->key), spec->value);
    w->n--;
}

bool
ovsdb_row_equal(const struct ovsdb_row *a, const struct ovsdb_row *b,
                size_t column)
{
    size_t n = ovsdb_row_count(a, column);
    const char *start = get_column(a, column);
    const char *end = get_elem(a, column, n);

    return (n == ovsdb_row_count(b, column)
            && end - start == (get_elem(b, column, n)
                               - get_column(b, column))
            && !memcmp(start, get_column(b, column), end - start));
}

const char *
ovsdb_row_get_string(const struct ovsdb_row *row, size_t column, size_t i)
{
    return get_elem(row, column, i);
}

int64_t
ovsdb_row_get_integer(const struct ovsdb_row *row, size_t column, size_t i)
{
    int64_t integer;

    memcpy(&integer, get_elem(row, column, i), sizeof integer);
    return integer;
}

bool
ovsdb_row_get_boolean(const struct ovsdb_row *row, size_t column, size_t i)
{
    bool boolean;

    memcpy(&boolean, get_elem(row, column, i), sizeof boolean);
    return boolean;
}

struct uuid
ovsdb_row_get_uuid(const struct ovsdb_row *row, size_t column, size_t i)
{
    struct uuid uuid;

    memcpy(&uuid, get_elem(row, column, i), sizeof uuid);
    return uuid;
}

struct uuid
ovsdb_row_get_value_uuid(const struct ovsdb_row *row, size_t column, size_t i)
{
    struct uuid uuid;

    memcpy(&uuid, atom_end(get_elem(row, column, i),
                           row->spec->columns[column].key), sizeof uuid);
    return uuid;
}

/* Returns the atom at 'p' in JSON. */
static struct json *
atom_to_json(const char *p, enum ovsdb_atom type)
{
    struct uuid uuid;
    int64_t integer;
    bool boolean;

    switch (type) {
    case OVSDB_ATOM_BOOLEAN:
        memcpy(&boolean, p, sizeof boolean);
        return json_boolean_create(boolean);
    case OVSDB_ATOM_INTEGER:
        memcpy(&integer, p, sizeof integer);
        return json_integer_create(integer);
    case OVSDB_ATOM_STRING:
        return json_string_create(p);
    case OVSDB_ATOM_UUID:
        memcpy(&uuid, p, sizeof uuid);
        return json_array_create_2(
            json_string_create("uuid"),
            json_string_create_nocopy(xasprintf(UUID_FMT,
                                                UUID_ARGS(&uuid))));
    case OVSDB_ATOM_NONE:
    default:
        OVS_NOT_REACHED();
    }
}

struct json *
ovsdb_row_to_json(const struct ovsdb_row *row, size_t column)
{
    const struct ovsdb_column_spec *spec = &row->spec->columns[column];
    struct json *elems = json_array_create_empty();

    ovs_assert(spec->value == OVSDB_ATOM_NONE);
    for (struct walk w = walk_begin(row, column); w.n; walk_next(&w, spec)) {
        json_array_add(elems, atom_to_json(w.key, spec->key));
    }
    return json_array_create_2(json_string_create("set"), elems);
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
    const struct ovsdb_column_spec *spec = &row->spec->columns[column];

    for (struct walk w = walk_begin(row, column); w.n; walk_next(&w, spec)) {
        if (!strcmp(w.key, s)) {
            return true;
        }
    }
    return false;
}

const char *
ovsdb_row_map_find(const struct ovsdb_row *row, size_t column,
                   const char *key)
{
    const struct ovsdb_column_spec *spec = &row->spec->columns[column];

    for (struct walk w = walk_begin(row, column); w.n; walk_next(&w, spec)) {
        if (!strcmp(w.key, key)) {
            return atom_end(w.key, spec->key);
        }
    }
    return NULL;
}

void
ovsdb_row_get_map(const struct ovsdb_row *row, size_t column,
                  struct smap *map)
{
    const struct ovsdb_column_spec *spec = &row->spec->columns[column];

    for (struct walk w = walk_begin(row, column); w.n; walk_next(&w, spec)) {
        smap_replace(map, w.key, atom_end(w.key, spec->key));
    }
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
    struct ds data = DS_EMPTY_INITIALIZER;
    struct ovsdb_row *row;

    *rowp = NULL;
    if (json->type != JSON_OBJECT) {
        return xasprintf("a row of %s is not an object", spec->name);
    }

    ds_put_uninit(&data, spec->n_columns * sizeof(uint32_t));
    for (size_t i = 0; i < spec->n_columns; i++) {
        const struct ovsdb_column_spec *column = &spec->columns[i];
        const struct json *datum = shash_find_data(json->object, column->name);
        uint32_t ofs = data.length;

        if (!datum || !datum_is_valid(datum, column)) {
            ds_destroy(&data);
            return xasprintf("%s:%s is %s in row "UUID_FMT,
                             spec->name, column->name,
                             datum ? "malformed" : "missing",
                             UUID_ARGS(uuid));
        }
        memcpy(data.string + i * sizeof ofs, &ofs, sizeof ofs);
        put_datum(&data, datum, column);
    }

    row = xzalloc(sizeof *row + data.length);
    row->uuid = *uuid;
    row->spec = spec;
    memcpy(row->data, data.string, data.length);
    ds_destroy(&data);
    *rowp = row;
    return NULL;
}

static void
changes_add(struct ovsdb_changes *changes, size_t table,
            struct ovsdb_row *old, const struct ovsdb_row *new)
{
    if (!changes) {
        free(old);
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
