/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "hvdb-plan-private.h"

#include <stdlib.h>
#include <string.h>
#include "loop-remote.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/util.h"
#include "util.h"
#include "uuid.h"

/* Flow tables are numbered 0 to 254. */
#define N_FLOW_TABLES 255

/* Of the Controller row, in ms: the smallest that the schema takes. */
#define CONTROLLER_MAX_BACKOFF_MS 1000

void
plan_say(struct plan *p, const char *format, ...)
{
    va_list args;

    if (p->what->length) {
        ds_put_cstr(p->what, ", ");
    }
    va_start(args, format);
    ds_put_format_valist(p->what, format, args);
    va_end(args);
}

/* JSON. */

struct json *
plan_pair(const char *a, const char *b)
{
    return json_array_create_2(json_string_create(a), json_string_create(b));
}

struct json *
plan_uuid(const struct uuid *uuid)
{
    return json_array_create_2(
        json_string_create("uuid"),
        json_string_create_nocopy(xasprintf(UUID_FMT, UUID_ARGS(uuid))));
}

struct json *
plan_tag_1(const char *tag, struct json *elem)
{
    return json_array_create_2(json_string_create(tag),
                               json_array_create_1(elem));
}

struct json *
plan_map_1(const char *key, const char *value)
{
    return plan_tag_1("map", plan_pair(key, value));
}

static struct json *
json_where(const char *column, struct json *value)
{
    return json_array_create_1(
        json_array_create_3(json_string_create(column),
                            json_string_create("=="), value));
}

struct json *
plan_where_uuid(const struct uuid *uuid)
{
    return json_where("_uuid", plan_uuid(uuid));
}

/* Operations. */

struct json *
plan_op(struct plan *p, const char *op, enum hvdb_table_id table)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "op", op);
    json_object_put_string(json, "table", hvdb_schema[table].name);
    json_array_add(p->txn, json);
    return json;
}

void
plan_insert(struct plan *p, enum hvdb_table_id table, const char *name,
            struct json *row)
{
    struct json *op = plan_op(p, "insert", table);

    json_object_put_string(op, "uuid-name", name);
    json_object_put(op, "row", row);
}

void
plan_update(struct plan *p, enum hvdb_table_id table, struct json *where,
            const char *column, struct json *value)
{
    struct json *op = plan_op(p, "update", table);
    struct json *row = json_object_create();

    json_object_put(row, column, value);
    json_object_put(op, "where", where);
    json_object_put(op, "row", row);
}

void
plan_mutate(struct plan *p, enum hvdb_table_id table, struct json *where,
            const char *column, const char *mutator, struct json *value)
{
    struct json *op = plan_op(p, "mutate", table);

    json_object_put(op, "where", where);
    json_object_put(op, "mutations",
                    json_array_create_1(
                        json_array_create_3(json_string_create(column),
                                            json_string_create(mutator),
                                            value)));
}

void
plan_set_key(struct plan *p, enum hvdb_table_id table,
             const struct ovsdb_row *row, size_t column, const char *key,
             const char *value)
{
    const char *name = hvdb_schema[table].columns[column].name;
    const char *old = ovsdb_row_map_find(row, column, key);

    if (old) {
        plan_mutate(p, table, plan_where_uuid(&row->uuid), name, "delete",
                    plan_map_1(key, old));
    }
    plan_mutate(p, table, plan_where_uuid(&row->uuid), name, "insert",
                plan_map_1(key, value));
}

/* By name, because that also works for a bridge that the same transaction
 * creates. */
struct json *
plan_where_bridge(const struct plan *p)
{
    return json_where("name", json_string_create(p->in->wanted->bridge));
}

/* What is there. */

bool
plan_has_value(const struct ovsdb_row *row, size_t column, const char *key,
               const char *value)
{
    const char *s = ovsdb_row_map_find(row, column, key);

    return s && !strcmp(s, value);
}

bool
plan_is_marked(const struct ovsdb_row *row, size_t column)
{
    return plan_has_value(row, column, HVDB_OURS_KEY, "1");
}

/* The bridge. */

static void
plan_create_bridge(struct plan *p)
{
    const char *name = p->in->wanted->bridge;
    struct json *row;

    /* A bridge of this name that appears meanwhile makes the transaction fail,
     * as names are unique.  We look again then. */
    row = json_object_create();
    json_object_put_string(row, "name", name);
    json_object_put_string(row, "type", "internal");
    plan_insert(p, HVDB_T_INTERFACE, "bridge_iface", row);

    row = json_object_create();
    json_object_put_string(row, "name", name);
    json_object_put(row, "interfaces", plan_pair("named-uuid",
                                                 "bridge_iface"));
    plan_insert(p, HVDB_T_PORT, "bridge_port", row);

    row = json_object_create();
    json_object_put_string(row, "name", name);
    json_object_put_string(row, "fail_mode", "secure");
    json_object_put_string(row, "datapath_type",
                           p->in->wanted->datapath_type);
    json_object_put(row, "ports", plan_pair("named-uuid", "bridge_port"));
    plan_insert(p, HVDB_T_BRIDGE, "bridge", row);

    plan_mutate(p, HVDB_T_OVS, plan_where_uuid(&p->ovs->uuid), "bridges",
                "insert", plan_tag_1("set", plan_pair("named-uuid",
                                                      "bridge")));
    plan_say(p, "create bridge %s", name);
}

/* The switch takes no datapath type as "system". */
static bool
datapath_type_equals(const char *a, const char *b)
{
    return !strcmp(*a ? a : "system", *b ? b : "system");
}

static void
plan_protocols(struct plan *p)
{
    static const char openflow15[] = "OpenFlow15";
    const struct ovsdb_row *br = p->in->bridge;
    struct json *op, *row;

    /* The empty set means all. */
    if (!ovsdb_row_count(br, HVDB_BRIDGE_PROTOCOLS)
        || ovsdb_row_has_string(br, HVDB_BRIDGE_PROTOCOLS, openflow15)) {
        return;
    }

    /* If somebody empties the set meanwhile, to add to it would disable all
     * other versions. */
    op = plan_op(p, "wait", HVDB_T_BRIDGE);
    row = json_object_create();
    json_object_put(row, "protocols",
                    ovsdb_row_to_json(br, HVDB_BRIDGE_PROTOCOLS));
    json_object_put(op, "timeout", json_integer_create(0));
    json_object_put(op, "where", plan_where_bridge(p));
    json_object_put(op, "columns",
                    json_array_create_1(json_string_create("protocols")));
    json_object_put_string(op, "until", "==");
    json_object_put(op, "rows", json_array_create_1(row));

    plan_mutate(p, HVDB_T_BRIDGE, plan_where_bridge(p), "protocols", "insert",
                plan_tag_1("set", json_string_create(openflow15)));
    plan_say(p, "add protocol %s", openflow15);
}

static void
plan_bridge(struct plan *p)
{
    const struct ovsdb_row *br = p->in->bridge;
    const char *type = p->in->wanted->datapath_type;
    const char *fail_mode;

    if (!br) {
        plan_create_bridge(p);
        return;
    }

    fail_mode = ovsdb_row_first_string(br, HVDB_BRIDGE_FAIL_MODE);
    if (!fail_mode || strcmp(fail_mode, "secure")) {
        plan_update(p, HVDB_T_BRIDGE, plan_where_bridge(p), "fail_mode",
                    json_string_create("secure"));
        plan_say(p, "set fail_mode=secure (was %s)",
                 fail_mode ? fail_mode : "unset");
    }
    if (*type
        && !datapath_type_equals(
            type, ovsdb_row_get_string(br, HVDB_BRIDGE_DATAPATH_TYPE, 0))) {
        plan_update(p, HVDB_T_BRIDGE, plan_where_bridge(p), "datapath_type",
                    json_string_create(type));
        plan_say(p, "set datapath_type=%s", type);
    }
    plan_protocols(p);
}

/* The controller.
 *
 * The switch flushes its flows when the first controller is added and when the
 * last one is removed, so the set goes from one value to the next in one
 * operation. */

/* Returns the row of Bridge:controller that has the wanted target, if any. */
static const struct ovsdb_row *
find_controller(const struct plan *p)
{
    const struct ovsdb_row *br = p->in->bridge;
    size_t n = br ? ovsdb_row_count(br, HVDB_BRIDGE_CONTROLLER) : 0;

    for (size_t i = 0; i < n; i++) {
        struct uuid uuid = ovsdb_row_get_uuid(br, HVDB_BRIDGE_CONTROLLER, i);
        const struct ovsdb_row *row = ovsdb_replica_find(
            p->in->db, HVDB_T_CONTROLLER, &uuid);

        if (row && !strcmp(ovsdb_row_get_string(row, HVDB_CONTROLLER_TARGET,
                                                0),
                           p->in->wanted->controller)) {
            return row;
        }
    }
    return NULL;
}

static bool
has_integer(const struct ovsdb_row *row, size_t column, int64_t value)
{
    return (ovsdb_row_count(row, column)
            && ovsdb_row_get_integer(row, column, 0) == value);
}

static bool
controller_is_right(const struct plan *p, const struct ovsdb_row *row)
{
    const char *mode = ovsdb_row_first_string(row,
                                              HVDB_CONTROLLER_CONNECTION_MODE);

    return (mode && !strcmp(mode, "out-of-band")
            && has_integer(row, HVDB_CONTROLLER_MAX_BACKOFF,
                           CONTROLLER_MAX_BACKOFF_MS)
            && has_integer(row, HVDB_CONTROLLER_INACTIVITY_PROBE,
                           p->in->wanted->inactivity_probe));
}

static struct json *
compose_controller(const struct plan *p)
{
    struct json *row = json_object_create();

    json_object_put_string(row, "target", p->in->wanted->controller);
    json_object_put_string(row, "connection_mode", "out-of-band");
    json_object_put(row, "max_backoff",
                    json_integer_create(CONTROLLER_MAX_BACKOFF_MS));
    json_object_put(row, "inactivity_probe",
                    json_integer_create(p->in->wanted->inactivity_probe));
    return row;
}

static void
plan_controller(struct plan *p)
{
    const char *target = p->in->wanted->controller;
    const struct ovsdb_row *row;

    if (!target) {
        return;
    }

    row = find_controller(p);
    if (!row) {
        plan_insert(p, HVDB_T_CONTROLLER, "controller",
                    compose_controller(p));
        plan_update(p, HVDB_T_BRIDGE, plan_where_bridge(p), "controller",
                    plan_pair("named-uuid", "controller"));
        plan_say(p, "set controller %s", target);
        return;
    }
    if (!controller_is_right(p, row)) {
        struct json *op = plan_op(p, "update", HVDB_T_CONTROLLER);

        json_object_put(op, "where", plan_where_uuid(&row->uuid));
        json_object_put(op, "row", compose_controller(p));
        plan_say(p, "set the attributes of controller %s", target);
    }
    if (ovsdb_row_count(p->in->bridge, HVDB_BRIDGE_CONTROLLER) > 1) {
        plan_update(p, HVDB_T_BRIDGE, plan_where_bridge(p), "controller",
                    plan_uuid(&row->uuid));
        plan_say(p, "remove controllers other than %s", target);
    }
}

/* The manager. */

/* The server asks those that are connected for a sign of life, too, every 5 s
 * unless it is told otherwise.  Whoever has set a longer time, or 0 for never,
 * has a reason. */
static void
plan_manager(struct plan *p)
{
    int64_t wanted = p->in->wanted->inactivity_probe;
    const struct ovsdb_row *row;

    HMAP_FOR_EACH (row, node,
                   ovsdb_replica_get_rows(p->in->db, HVDB_T_MANAGER)) {
        const char *target = ovsdb_row_get_string(row, HVDB_MANAGER_TARGET, 0);
        bool ours = (p->in->remote ? loop_remote_reaches(p->in->remote,
                                                      target)
                     : nullable_string_is_equal(target, p->in->manager));
        int64_t old = (ovsdb_row_count(row, HVDB_MANAGER_INACTIVITY_PROBE)
                       ? ovsdb_row_get_integer(
                           row, HVDB_MANAGER_INACTIVITY_PROBE, 0)
                       : HVDB_INACTIVITY_PROBE_MS);

        if (ours && old && old < wanted) {
            plan_update(p, HVDB_T_MANAGER, plan_where_uuid(&row->uuid),
                        "inactivity_probe", json_integer_create(wanted));
            plan_say(p, "set inactivity_probe=%"PRId64" of manager %s "
                     "(was %"PRId64")", wanted, target, old);
        }
    }
}

/* Flow tables. */

static void
plan_add_table(struct plan *p, const struct hvdb_table *table)
{
    char *name = xasprintf("table_%"PRIu8, table->id);
    struct json *row = json_object_create();

    json_object_put_string(row, "name", table->name);
    json_object_put(row, "external_ids", plan_map_1(HVDB_OURS_KEY, "1"));
    plan_insert(p, HVDB_T_FLOW_TABLE, name, row);
    plan_mutate(p, HVDB_T_BRIDGE, plan_where_bridge(p), "flow_tables",
                "insert",
                plan_tag_1("map",
                           json_array_create_2(
                               json_integer_create(table->id),
                               plan_pair("named-uuid", name))));
    plan_say(p, "name table %"PRIu8" %s", table->id, table->name);
    free(name);
}

/* Brings table 'id', that is configured as 'row' says, in line with 'name',
 * which is null if it should not be configured. */
static void
plan_fix_table(struct plan *p, int64_t id, const struct ovsdb_row *row,
               const char *name)
{
    const char *old;

    if (!plan_is_marked(row, HVDB_FLOW_TABLE_EXTERNAL_IDS)) {
        return;
    }

    old = ovsdb_row_first_string(row, HVDB_FLOW_TABLE_NAME);
    if (!name) {
        plan_mutate(p, HVDB_T_BRIDGE, plan_where_bridge(p), "flow_tables",
                    "delete",
                    plan_tag_1("map",
                               json_array_create_2(
                                   json_integer_create(id),
                                   plan_uuid(&row->uuid))));
        plan_say(p, "remove the name of table %"PRId64, id);
    } else if (!old || strcmp(old, name)) {
        plan_update(p, HVDB_T_FLOW_TABLE, plan_where_uuid(&row->uuid),
                    "name", json_string_create(name));
        plan_say(p, "rename table %"PRId64" to %s (was %s)", id, name,
                 old ? old : "unset");
    }
}

static void
plan_tables(struct plan *p)
{
    const struct hvdb_wanted *wanted = p->in->wanted;
    const struct ovsdb_row *br = p->in->bridge;
    const char *names[N_FLOW_TABLES] = { NULL };
    bool found[N_FLOW_TABLES] = { false };
    size_t n = br ? ovsdb_row_count(br, HVDB_BRIDGE_FLOW_TABLES) : 0;

    for (size_t i = 0; i < wanted->n_tables; i++) {
        ovs_assert(wanted->tables[i].id < N_FLOW_TABLES);
        names[wanted->tables[i].id] = wanted->tables[i].name;
    }
    for (size_t i = 0; i < n; i++) {
        int64_t id = ovsdb_row_get_integer(br, HVDB_BRIDGE_FLOW_TABLES, i);
        struct uuid uuid = ovsdb_row_get_value_uuid(
            br, HVDB_BRIDGE_FLOW_TABLES, i);
        const struct ovsdb_row *row = ovsdb_replica_find(
            p->in->db, HVDB_T_FLOW_TABLE, &uuid);

        if (id >= 0 && id < N_FLOW_TABLES) {
            found[id] = true;
            if (row) {
                plan_fix_table(p, id, row, names[id]);
            }
        }
    }
    for (size_t i = 0; i < wanted->n_tables; i++) {
        if (!found[wanted->tables[i].id]) {
            plan_add_table(p, &wanted->tables[i]);
        }
    }
}

/* The switch. */

static void
plan_bundle_idle_timeout(struct plan *p)
{
    static const char key[] = "bundle-idle-timeout";
    int wanted = p->in->wanted->bundle_idle_timeout;
    const char *s = ovsdb_row_map_find(p->ovs, HVDB_OVS_OTHER_CONFIG, key);
    int old;

    if (wanted > 0 && (!s || !str_to_int(s, 10, &old) || old < wanted)) {
        char *value = xasprintf("%d", wanted);

        plan_set_key(p, HVDB_T_OVS, p->ovs, HVDB_OVS_OTHER_CONFIG, key,
                     value);
        plan_say(p, "set %s=%s (was %s)", key, value, s ? s : "unset");
        free(value);
    }
}

struct json *
hvdb_plan(const struct hvdb_plan_input *in, struct ds *what)
{
    const struct hmap_node *node = hmap_first(
        ovsdb_replica_get_rows(in->db, HVDB_T_OVS));
    struct plan p = { .in = in, .what = what };

    if (!node) {
        /* Somebody is about to run "ovs-vsctl init". */
        return NULL;
    }

    p.ovs = CONTAINER_OF(node, struct ovsdb_row, node);
    p.txn = json_array_create_1(json_string_create("Open_vSwitch"));
    plan_bridge(&p);
    plan_controller(&p);
    plan_manager(&p);
    hvdb_plan_tunnels(&p);
    plan_tables(&p);
    plan_bundle_idle_timeout(&p);
    if (json_array(p.txn)->n == 1) {
        json_destroy(p.txn);
        return NULL;
    }
    return p.txn;
}
