/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "fake-ovsdb.h"

#include <stdlib.h>
#include <string.h>

#include "hvdb-schema.h"
#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "util.h"
#include "uuid.h"

/* A row that has changed since the last update. */
struct change {
    struct hmap_node node;      /* In fake_ovsdb's 'changes', by 'uuid'. */
    struct uuid uuid;
    size_t table;
    bool existed;               /* Before the change. */
};

struct fake_ovsdb {
    struct hmap tables[HVDB_N_TABLES];
    struct json *monitor;       /* What its updates carry, or null. */
    struct hmap changes;        /* Contains "struct change"s. */
};

/* Rows. */

static void
row_free(struct fake_row *row, size_t table)
{
    for (size_t i = 0; i < hvdb_schema[table].n_columns; i++) {
        json_destroy(row->data[i]);
    }
    free(row);
}

struct fake_ovsdb *
fake_ovsdb_create(void)
{
    struct fake_ovsdb *db = xzalloc(sizeof *db);

    for (size_t i = 0; i < HVDB_N_TABLES; i++) {
        hmap_init(&db->tables[i]);
    }
    hmap_init(&db->changes);
    return db;
}

static void
forget_changes(struct fake_ovsdb *db)
{
    struct change *c;

    HMAP_FOR_EACH_POP (c, node, &db->changes) {
        free(c);
    }
}

void
fake_ovsdb_destroy(struct fake_ovsdb *db)
{
    for (size_t i = 0; i < HVDB_N_TABLES; i++) {
        struct fake_row *row;

        HMAP_FOR_EACH_POP (row, node, &db->tables[i]) {
            row_free(row, i);
        }
        hmap_destroy(&db->tables[i]);
    }
    forget_changes(db);
    hmap_destroy(&db->changes);
    json_destroy(db->monitor);
    free(db);
}

const struct hmap *
fake_ovsdb_get_rows(const struct fake_ovsdb *db, size_t table)
{
    return &db->tables[table];
}

static struct fake_row *
find_row(const struct fake_ovsdb *db, size_t table, const struct uuid *uuid)
{
    struct fake_row *row;

    HMAP_FOR_EACH_WITH_HASH (row, node, uuid_hash(uuid), &db->tables[table]) {
        if (uuid_equals(&row->uuid, uuid)) {
            return row;
        }
    }
    return NULL;
}

static struct json *
uuid_to_json(const struct uuid *uuid)
{
    return json_array_create_2(
        json_string_create("uuid"),
        json_string_create_nocopy(xasprintf(UUID_FMT, UUID_ARGS(uuid))));
}

struct json *
fake_row_to_json(const struct fake_row *row)
{
    return uuid_to_json(&row->uuid);
}

/* Notes that the row changes; to be called before it does. */
static void
note_change(struct fake_ovsdb *db, size_t table, const struct uuid *uuid)
{
    struct change *c;

    if (!db->monitor) {
        return;
    }
    HMAP_FOR_EACH_WITH_HASH (c, node, uuid_hash(uuid), &db->changes) {
        if (uuid_equals(&c->uuid, uuid)) {
            return;
        }
    }
    c = xzalloc(sizeof *c);
    c->uuid = *uuid;
    c->table = table;
    c->existed = find_row(db, table, uuid) != NULL;
    hmap_insert(&db->changes, &c->node, uuid_hash(uuid));
}

static struct json *
default_datum(const struct ovsdb_column_spec *column)
{
    if (column->value != OVSDB_ATOM_NONE || !column->required) {
        return json_array_create_2(
            json_string_create(column->value != OVSDB_ATOM_NONE
                               ? "map" : "set"),
            json_array_create_empty());
    }
    return (column->key == OVSDB_ATOM_STRING ? json_string_create("")
            : column->key == OVSDB_ATOM_INTEGER ? json_integer_create(0)
            : json_boolean_create(false));
}

static struct fake_row *
insert_row(struct fake_ovsdb *db, size_t table, const struct uuid *uuid)
{
    const struct ovsdb_table_spec *spec = &hvdb_schema[table];
    struct fake_row *row = xzalloc(sizeof *row
                                   + spec->n_columns * sizeof row->data[0]);

    note_change(db, table, uuid);
    row->uuid = *uuid;
    for (size_t i = 0; i < spec->n_columns; i++) {
        row->data[i] = default_datum(&spec->columns[i]);
    }
    hmap_insert(&db->tables[table], &row->node, uuid_hash(uuid));
    return row;
}

struct fake_row *
fake_ovsdb_insert(struct fake_ovsdb *db, size_t table)
{
    struct uuid uuid;

    uuid_generate(&uuid);
    return insert_row(db, table, &uuid);
}

void
fake_ovsdb_delete(struct fake_ovsdb *db, size_t table, struct fake_row *row)
{
    note_change(db, table, &row->uuid);
    hmap_remove(&db->tables[table], &row->node);
    row_free(row, table);
}

void
fake_ovsdb_set(struct fake_ovsdb *db, size_t table, struct fake_row *row,
               size_t column, struct json *datum)
{
    note_change(db, table, &row->uuid);
    json_destroy(row->data[column]);
    row->data[column] = datum;
}

/* Sets and maps. */

static bool
is_tagged(const struct json *json, const char *tag)
{
    return (json->type == JSON_ARRAY && json->array.n == 2
            && json->array.elems[0]->type == JSON_STRING
            && !strcmp(json_string(json->array.elems[0]), tag));
}

/* Stores the elements of 'datum' in '*elems' and returns how many. */
static size_t
get_elems(struct json *const *datum, struct json *const **elems)
{
    if (is_tagged(*datum, "set") || is_tagged(*datum, "map")) {
        const struct json *array = (*datum)->array.elems[1];

        *elems = array->array.elems;
        return array->type == JSON_ARRAY ? array->array.n : 0;
    }
    *elems = datum;
    return 1;
}

/* Returns true if 'a' is 'b' or, in a map, has its key. */
static bool
same_elem(const struct json *a, const struct json *b, bool is_map)
{
    return (is_map && b->type == JSON_ARRAY && b->array.n == 2
            ? json_equal(a->array.elems[0], b->array.elems[0])
            : is_map ? json_equal(a->array.elems[0], b) : json_equal(a, b));
}

static bool
has_elem(struct json *const elems[], size_t n, const struct json *elem,
         bool is_map)
{
    for (size_t i = 0; i < n; i++) {
        if (same_elem(elems[i], elem, is_map)) {
            return true;
        }
    }
    return false;
}

/* Inserts the elements of 'value' into 'column' of 'row', or deletes them. */
static void
mutate(struct fake_ovsdb *db, size_t table, struct fake_row *row,
       size_t column, struct json *value, bool insert)
{
    bool is_map = (hvdb_schema[table].columns[column].value
                   != OVSDB_ATOM_NONE);
    struct json *result = json_array_create_empty();
    struct json *const *old, *const *elems;
    size_t n_old = get_elems(&row->data[column], &old);
    size_t n = get_elems(&value, &elems);

    for (size_t i = 0; i < n_old; i++) {
        if (insert || !has_elem(elems, n, old[i], is_map)) {
            json_array_add(result, json_clone(old[i]));
        }
    }
    for (size_t i = 0; insert && i < n; i++) {
        if (!has_elem(old, n_old, elems[i], is_map)) {
            json_array_add(result, json_clone(elems[i]));
        }
    }
    fake_ovsdb_set(db, table, row, column,
                   json_array_create_2(
                       json_string_create(is_map ? "map" : "set"), result));
}

static void
mutate_1(struct fake_ovsdb *db, size_t table, struct fake_row *row,
         size_t column, struct json *elem, bool insert)
{
    struct json *value = json_array_create_2(json_string_create("set"),
                                             json_array_create_1(elem));

    mutate(db, table, row, column, value, insert);
    json_destroy(value);
}

void
fake_ovsdb_put(struct fake_ovsdb *db, size_t table, struct fake_row *row,
               size_t column, struct json *elem)
{
    mutate_1(db, table, row, column, elem, true);
}

void
fake_ovsdb_drop(struct fake_ovsdb *db, size_t table, struct fake_row *row,
                size_t column, struct json *elem)
{
    mutate_1(db, table, row, column, elem, false);
}

/* Transactions. */

static const struct json *
member(const struct json *object, const char *name, enum json_type type)
{
    const struct json *value = shash_find_data(object->object, name);

    return value && value->type == type ? value : NULL;
}

static bool
find_table(const struct json *op, size_t *table)
{
    const struct json *name = member(op, "table", JSON_STRING);

    for (size_t i = 0; name && i < HVDB_N_TABLES; i++) {
        if (!strcmp(hvdb_schema[i].name, json_string(name))) {
            *table = i;
            return true;
        }
    }
    return false;
}

static bool
find_column(size_t table, const char *name, size_t *column)
{
    for (size_t i = 0; i < hvdb_schema[table].n_columns; i++) {
        if (!strcmp(hvdb_schema[table].columns[i].name, name)) {
            *column = i;
            return true;
        }
    }
    return false;
}

/* Returns 'value' with UUIDs in the place of names of new rows. */
static struct json *
resolve(const struct json *value, const struct shash *names)
{
    struct json *copy;

    if (is_tagged(value, "named-uuid")
        && value->array.elems[1]->type == JSON_STRING) {
        const struct uuid *uuid = shash_find_data(
            names, json_string(value->array.elems[1]));

        if (uuid) {
            return uuid_to_json(uuid);
        }
    }
    if (value->type != JSON_ARRAY) {
        return json_clone(value);
    }
    copy = json_array_create_empty();
    for (size_t i = 0; i < value->array.n; i++) {
        json_array_add(copy, resolve(value->array.elems[i], names));
    }
    return copy;
}

/* Sets the columns of 'row' to those of the object 'columns'.  Columns that
 * are not in hvdb-schema.h are ignored. */
static void
write_columns(struct fake_ovsdb *db, size_t table, struct fake_row *row,
              const struct json *columns, const struct shash *names)
{
    struct shash_node *node;
    size_t column;

    SHASH_FOR_EACH (node, columns->object) {
        if (find_column(table, node->name, &column)) {
            fake_ovsdb_set(db, table, row, column,
                           resolve(node->data, names));
        }
    }
}

/* Returns true if 'row' meets all conditions of 'where'. */
static bool
row_matches(const struct fake_row *row, size_t table, const struct json *where)
{
    for (size_t i = 0; i < where->array.n; i++) {
        const struct json *c = where->array.elems[i];
        size_t column;
        bool equal;

        if (c->type != JSON_ARRAY || c->array.n != 3
            || c->array.elems[0]->type != JSON_STRING) {
            return false;
        }
        if (!strcmp(json_string(c->array.elems[0]), "_uuid")) {
            struct json *uuid = fake_row_to_json(row);

            equal = json_equal(uuid, c->array.elems[2]);
            json_destroy(uuid);
        } else {
            equal = (find_column(table, json_string(c->array.elems[0]),
                                 &column)
                     && json_equal(row->data[column], c->array.elems[2]));
        }
        if (!equal) {
            return false;
        }
    }
    return true;
}

static void
mutate_row(struct fake_ovsdb *db, size_t table, struct fake_row *row,
           const struct json *mutations, const struct shash *names)
{
    for (size_t i = 0; i < mutations->array.n; i++) {
        const struct json *m = mutations->array.elems[i];
        size_t column;

        if (m->type == JSON_ARRAY && m->array.n == 3
            && m->array.elems[0]->type == JSON_STRING
            && m->array.elems[1]->type == JSON_STRING
            && find_column(table, json_string(m->array.elems[0]), &column)) {
            struct json *value = resolve(m->array.elems[2], names);

            mutate(db, table, row, column, value,
                   !strcmp(json_string(m->array.elems[1]), "insert"));
            json_destroy(value);
        }
    }
}

/* Carries out an "update" or a "mutate" and returns its result. */
static struct json *
change_rows(struct fake_ovsdb *db, const struct json *op, size_t table,
            const struct shash *names)
{
    const struct json *where = member(op, "where", JSON_ARRAY);
    const struct json *columns = member(op, "row", JSON_OBJECT);
    const struct json *mutations = member(op, "mutations", JSON_ARRAY);
    struct json *result;
    struct fake_row *row;
    int n = 0;

    if (!where || (!columns && !mutations)) {
        return NULL;
    }
    HMAP_FOR_EACH (row, node, &db->tables[table]) {
        if (row_matches(row, table, where)) {
            if (columns) {
                write_columns(db, table, row, columns, names);
            } else {
                mutate_row(db, table, row, mutations, names);
            }
            n++;
        }
    }
    result = json_object_create();
    json_object_put(result, "count", json_integer_create(n));
    return result;
}

static struct json *
insert(struct fake_ovsdb *db, const struct json *op, size_t table,
       const struct shash *names)
{
    const struct json *name = member(op, "uuid-name", JSON_STRING);
    const struct json *columns = member(op, "row", JSON_OBJECT);
    struct uuid *uuid = (name ? shash_find_data(names, json_string(name))
                         : NULL);
    struct fake_row *row;
    struct json *result;

    if (!columns) {
        return NULL;
    }
    row = (uuid ? insert_row(db, table, uuid) : fake_ovsdb_insert(db, table));
    write_columns(db, table, row, columns, names);
    result = json_object_create();
    json_object_put(result, "uuid", fake_row_to_json(row));
    return result;
}

/* Carries out 'op' and returns its result, null if it is malformed. */
static struct json *
run_op(struct fake_ovsdb *db, const struct json *op, const struct shash *names)
{
    const struct json *word;
    size_t table;

    if (op->type != JSON_OBJECT || !(word = member(op, "op", JSON_STRING))
        || !find_table(op, &table)) {
        return NULL;
    }
    if (!strcmp(json_string(word), "insert")) {
        return insert(db, op, table, names);
    } else if (!strcmp(json_string(word), "wait")) {
        return json_object_create();
    } else {
        return change_rows(db, op, table, names);
    }
}

static struct json *
transact(struct fake_ovsdb *db, const struct json *params)
{
    struct shash names = SHASH_INITIALIZER(&names);
    struct json *results = json_array_create_empty();

    /* An operation may refer to a row that one after it inserts. */
    for (size_t i = 1; i < params->array.n; i++) {
        const struct json *op = params->array.elems[i];
        const struct json *name = (op->type == JSON_OBJECT
                                   ? member(op, "uuid-name", JSON_STRING)
                                   : NULL);

        if (name && !shash_find(&names, json_string(name))) {
            struct uuid *uuid = xmalloc(sizeof *uuid);

            uuid_generate(uuid);
            shash_add(&names, json_string(name), uuid);
        }
    }
    for (size_t i = 1; i < params->array.n; i++) {
        struct json *result = run_op(db, params->array.elems[i], &names);

        if (!result) {
            result = json_object_create();
            json_object_put_string(result, "error", "not supported");
            json_object_put_string(result, "details",
                                   "nva-fakeswitch does not know this");
        }
        json_array_add(results, result);
    }
    shash_destroy_free_data(&names);
    return results;
}

/* Monitoring. */

static struct json *
row_to_json(const struct fake_row *row, size_t table)
{
    const struct ovsdb_table_spec *spec = &hvdb_schema[table];
    struct json *columns = json_object_create();

    for (size_t i = 0; i < spec->n_columns; i++) {
        json_object_put(columns, spec->columns[i].name,
                        json_clone(row->data[i]));
    }
    return columns;
}

/* Appends to 'updates' that row 'uuid' was there or not before and now is
 * 'row', or gone. */
static void
put_update(struct json *updates, size_t table, const struct uuid *uuid,
           bool existed, const struct fake_row *row)
{
    const char *name = hvdb_schema[table].name;
    struct json *rows = shash_find_data(updates->object, name);
    struct json *update = json_object_create();
    char *key = xasprintf(UUID_FMT, UUID_ARGS(uuid));

    if (!rows) {
        rows = json_object_create();
        json_object_put(updates, name, rows);
    }
    if (existed) {
        /* Nobody looks at what it was. */
        json_object_put(update, "old", json_object_create());
    }
    if (row) {
        json_object_put(update, "new", row_to_json(row, table));
    }
    json_object_put(rows, key, update);
    free(key);
}

/* Returns the whole content. */
static struct json *
start_monitor(struct fake_ovsdb *db, const struct json *params)
{
    struct json *updates = json_object_create();

    forget_changes(db);
    json_destroy(db->monitor);
    db->monitor = json_clone(params->array.elems[1]);
    for (size_t i = 0; i < HVDB_N_TABLES; i++) {
        const struct fake_row *row;

        HMAP_FOR_EACH (row, node, &db->tables[i]) {
            put_update(updates, i, &row->uuid, false, row);
        }
    }
    return updates;
}

struct jsonrpc_msg *
fake_ovsdb_take_update(struct fake_ovsdb *db)
{
    struct json *updates;
    struct change *c;

    if (hmap_is_empty(&db->changes)) {
        return NULL;
    }
    updates = json_object_create();
    HMAP_FOR_EACH (c, node, &db->changes) {
        const struct fake_row *row = find_row(db, c->table, &c->uuid);

        if (c->existed || row) {
            put_update(updates, c->table, &c->uuid, c->existed, row);
        }
    }
    forget_changes(db);
    return jsonrpc_create_notify(
        "update", json_array_create_2(json_clone(db->monitor), updates));
}

struct jsonrpc_msg *
fake_ovsdb_handle(struct fake_ovsdb *db, const struct jsonrpc_msg *request)
{
    const struct json *params = request->params;

    if (params && params->type == JSON_ARRAY && params->array.n == 3
        && !strcmp(request->method, "monitor")) {
        return jsonrpc_create_reply(start_monitor(db, params), request->id);
    } else if (params && params->type == JSON_ARRAY
               && !strcmp(request->method, "transact")) {
        return jsonrpc_create_reply(transact(db, params), request->id);
    } else {
        return jsonrpc_create_error(json_string_create("unknown method"),
                                    request->id);
    }
}

void
fake_ovsdb_disconnect(struct fake_ovsdb *db)
{
    forget_changes(db);
    json_destroy(db->monitor);
    db->monitor = NULL;
}
