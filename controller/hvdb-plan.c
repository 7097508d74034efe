/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "hvdb-plan.h"

#include <stdlib.h>
#include <string.h>
#include "hvdb-schema.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/util.h"
#include "util.h"
#include "uuid.h"

/* Flow tables are numbered 0 to 254. */
#define N_FLOW_TABLES 255

/* Attributes of the Controller row, in ms.  The values are the smallest that
 * the schema takes and the default of the switch. */
#define CONTROLLER_MAX_BACKOFF_MS 1000
#define CONTROLLER_INACTIVITY_PROBE_MS 5000

/* The tunnels. */
static const struct tunnel {
    const char *type, *name;
    size_t offset;              /* Of the flag in 'struct hvdb_wanted'. */
} tunnels[] = {
    { "geneve", "nva-geneve", offsetof(struct hvdb_wanted, geneve) },
    { "vxlan", "nva-vxlan", offsetof(struct hvdb_wanted, vxlan) },
};

/* Options of a tunnel.  A soft one is only written if there is none. */
static const struct tunnel_option {
    const char *key, *value;
    bool soft;
} tunnel_options[] = {
    { "remote_ip", "flow", false },
    { "key", "flow", false },
    { "csum", "true", true },
};

/* VNI of the tunnels that carry BFD, which is that of no VN: else such a port
 * would take what is for the VN. */
#define BFD_VNI "16777215"

struct plan {
    const struct hvdb_plan_input *in;
    const struct ovsdb_row *ovs;
    struct json *txn;
    struct ds *what;
};

/* Appends what the plan does to its description. */
static void OVS_PRINTF_FORMAT(2, 3)
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

static struct json *
json_pair(const char *a, const char *b)
{
    return json_array_create_2(json_string_create(a), json_string_create(b));
}

static struct json *
json_from_uuid(const struct uuid *uuid)
{
    return json_array_create_2(
        json_string_create("uuid"),
        json_string_create_nocopy(xasprintf(UUID_FMT, UUID_ARGS(uuid))));
}

/* ["set", ['elem']] or ["map", ['elem']]. */
static struct json *
json_tag_1(const char *tag, struct json *elem)
{
    return json_array_create_2(json_string_create(tag),
                               json_array_create_1(elem));
}

static struct json *
json_map_1(const char *key, const char *value)
{
    return json_tag_1("map", json_pair(key, value));
}

static struct json *
json_where(const char *column, struct json *value)
{
    return json_array_create_1(
        json_array_create_3(json_string_create(column),
                            json_string_create("=="), value));
}

static struct json *
json_where_uuid(const struct uuid *uuid)
{
    return json_where("_uuid", json_from_uuid(uuid));
}

/* Operations. */

/* Adds the operation 'op' on 'table' to the plan and returns it. */
static struct json *
plan_op(struct plan *p, const char *op, enum hvdb_table_id table)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "op", op);
    json_object_put_string(json, "table", hvdb_schema[table].name);
    json_array_add(p->txn, json);
    return json;
}

/* Adds an operation that inserts 'row', which others in the plan may refer to
 * by 'name'. */
static void
plan_insert(struct plan *p, enum hvdb_table_id table, const char *name,
            struct json *row)
{
    struct json *op = plan_op(p, "insert", table);

    json_object_put_string(op, "uuid-name", name);
    json_object_put(op, "row", row);
}

/* Adds an operation that sets 'column' to 'value' in the rows that match
 * 'where'. */
static void
plan_update(struct plan *p, enum hvdb_table_id table, struct json *where,
            const char *column, struct json *value)
{
    struct json *op = plan_op(p, "update", table);
    struct json *row = json_object_create();

    json_object_put(row, column, value);
    json_object_put(op, "where", where);
    json_object_put(op, "row", row);
}

/* Adds an operation that inserts into or deletes from ('mutator') 'column'
 * the elements 'value'.  As "insert" does not replace the value of a key that
 * is there, delete it before. */
static void
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

/* Makes 'key' of the map 'column' be 'value'. */
static void
plan_set_key(struct plan *p, enum hvdb_table_id table,
             const struct ovsdb_row *row, size_t column, const char *key,
             const char *value)
{
    const char *name = hvdb_schema[table].columns[column].name;
    const char *old = ovsdb_row_map_find(row, column, key);

    if (old) {
        plan_mutate(p, table, json_where_uuid(&row->uuid), name, "delete",
                    json_map_1(key, old));
    }
    plan_mutate(p, table, json_where_uuid(&row->uuid), name, "insert",
                json_map_1(key, value));
}

/* The condition that selects the bridge.  By name, because it also works for
 * one that the same transaction creates. */
static struct json *
where_bridge(const struct plan *p)
{
    return json_where("name", json_string_create(p->in->wanted->bridge));
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
    json_object_put(row, "interfaces", json_pair("named-uuid",
                                                 "bridge_iface"));
    plan_insert(p, HVDB_T_PORT, "bridge_port", row);

    row = json_object_create();
    json_object_put_string(row, "name", name);
    json_object_put_string(row, "fail_mode", "secure");
    json_object_put_string(row, "datapath_type",
                           p->in->wanted->datapath_type);
    json_object_put(row, "ports", json_pair("named-uuid", "bridge_port"));
    plan_insert(p, HVDB_T_BRIDGE, "bridge", row);

    plan_mutate(p, HVDB_T_OVS, json_where_uuid(&p->ovs->uuid), "bridges",
                "insert", json_tag_1("set", json_pair("named-uuid",
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
    json_object_put(op, "where", where_bridge(p));
    json_object_put(op, "columns",
                    json_array_create_1(json_string_create("protocols")));
    json_object_put_string(op, "until", "==");
    json_object_put(op, "rows", json_array_create_1(row));

    plan_mutate(p, HVDB_T_BRIDGE, where_bridge(p), "protocols", "insert",
                json_tag_1("set", json_string_create(openflow15)));
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
        plan_update(p, HVDB_T_BRIDGE, where_bridge(p), "fail_mode",
                    json_string_create("secure"));
        plan_say(p, "set fail_mode=secure (was %s)",
                 fail_mode ? fail_mode : "unset");
    }
    if (*type
        && !datapath_type_equals(
            type, ovsdb_row_get_string(br, HVDB_BRIDGE_DATAPATH_TYPE, 0))) {
        plan_update(p, HVDB_T_BRIDGE, where_bridge(p), "datapath_type",
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
controller_is_right(const struct ovsdb_row *row)
{
    const char *mode = ovsdb_row_first_string(row,
                                              HVDB_CONTROLLER_CONNECTION_MODE);

    return (mode && !strcmp(mode, "out-of-band")
            && has_integer(row, HVDB_CONTROLLER_MAX_BACKOFF,
                           CONTROLLER_MAX_BACKOFF_MS)
            && has_integer(row, HVDB_CONTROLLER_INACTIVITY_PROBE,
                           CONTROLLER_INACTIVITY_PROBE_MS));
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
                    json_integer_create(CONTROLLER_INACTIVITY_PROBE_MS));
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
        plan_update(p, HVDB_T_BRIDGE, where_bridge(p), "controller",
                    json_pair("named-uuid", "controller"));
        plan_say(p, "set controller %s", target);
        return;
    }
    if (!controller_is_right(row)) {
        struct json *op = plan_op(p, "update", HVDB_T_CONTROLLER);

        json_object_put(op, "where", json_where_uuid(&row->uuid));
        json_object_put(op, "row", compose_controller(p));
        plan_say(p, "restore the attributes of controller %s", target);
    }
    if (ovsdb_row_count(p->in->bridge, HVDB_BRIDGE_CONTROLLER) > 1) {
        plan_update(p, HVDB_T_BRIDGE, where_bridge(p), "controller",
                    json_from_uuid(&row->uuid));
        plan_say(p, "remove controllers other than %s", target);
    }
}

/* Tunnels. */

static bool
tunnel_is_wanted(const struct plan *p, const struct tunnel *tunnel)
{
    const char *flag = (const char *) p->in->wanted + tunnel->offset;

    return *ALIGNED_CAST(const bool *, flag);
}

static const struct tunnel *
find_tunnel(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(tunnels); i++) {
        if (!strcmp(tunnels[i].name, name)) {
            return &tunnels[i];
        }
    }
    return NULL;
}

static bool
has_value(const struct ovsdb_row *row, size_t column, const char *key,
          const char *value)
{
    const char *s = ovsdb_row_map_find(row, column, key);

    return s && !strcmp(s, value);
}

static bool
is_marked(const struct ovsdb_row *row, size_t column)
{
    return has_value(row, column, HVDB_OURS_KEY, "1");
}

bool
hvdb_plan_is_our_port(const struct ovsdb_row *port)
{
    return (is_marked(port, HVDB_PORT_EXTERNAL_IDS)
            || find_tunnel(ovsdb_row_get_string(port, HVDB_PORT_NAME, 0)));
}

const char *
hvdb_plan_tunnel_name(const char *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(tunnels); i++) {
        if (!strcmp(tunnels[i].type, type)) {
            return tunnels[i].name;
        }
    }
    return NULL;
}

/* Adds a port of ours with the interface 'row', whose name, type and options
 * this function sets, and which becomes its own.  'label' is what it is called
 * within the transaction. */
static void
plan_add_port(struct plan *p, const char *label, const char *name,
              const char *type, struct json *options, struct json *row)
{
    char *iface = xasprintf("iface_%s", label);
    char *port = xasprintf("port_%s", label);

    json_object_put_string(row, "name", name);
    json_object_put_string(row, "type", type);
    json_object_put(row, "options",
                    json_array_create_2(json_string_create("map"), options));
    plan_insert(p, HVDB_T_INTERFACE, iface, row);

    row = json_object_create();
    json_object_put_string(row, "name", name);
    json_object_put(row, "interfaces", json_pair("named-uuid", iface));
    json_object_put(row, "external_ids", json_map_1(HVDB_OURS_KEY, "1"));
    plan_insert(p, HVDB_T_PORT, port, row);

    plan_mutate(p, HVDB_T_BRIDGE, where_bridge(p), "ports", "insert",
                json_tag_1("set", json_pair("named-uuid", port)));
    plan_say(p, "add tunnel port %s", name);
    free(iface);
    free(port);
}

static void
plan_add_tunnel(struct plan *p, const struct tunnel *tunnel)
{
    struct json *options = json_array_create_empty();

    for (size_t i = 0; i < ARRAY_SIZE(tunnel_options); i++) {
        json_array_add(options, json_pair(tunnel_options[i].key,
                                          tunnel_options[i].value));
    }
    plan_add_port(p, tunnel->type, tunnel->name, tunnel->type, options,
                  json_object_create());
}

static void
plan_delete_port(struct plan *p, const struct ovsdb_row *port)
{
    plan_mutate(p, HVDB_T_BRIDGE, where_bridge(p), "ports", "delete",
                json_tag_1("set", json_from_uuid(&port->uuid)));
    plan_say(p, "delete port %s",
             ovsdb_row_get_string(port, HVDB_PORT_NAME, 0));
}

/* Returns the only interface of 'port', null if it has not exactly one that is
 * named as the port is. */
static const struct ovsdb_row *
find_only_interface(const struct plan *p, const struct ovsdb_row *port)
{
    const struct ovsdb_row *iface;
    struct uuid uuid;

    if (ovsdb_row_count(port, HVDB_PORT_INTERFACES) != 1) {
        return NULL;
    }
    uuid = ovsdb_row_get_uuid(port, HVDB_PORT_INTERFACES, 0);
    iface = ovsdb_replica_find(p->in->db, HVDB_T_INTERFACE, &uuid);
    return (iface
            && !strcmp(ovsdb_row_get_string(iface, HVDB_INTERFACE_NAME, 0),
                       ovsdb_row_get_string(port, HVDB_PORT_NAME, 0))
            ? iface : NULL);
}

static void
plan_fix_tunnel(struct plan *p, const struct tunnel *tunnel,
                const struct ovsdb_row *port)
{
    const struct ovsdb_row *iface = find_only_interface(p, port);

    if (!iface) {
        /* Added again by the next transaction. */
        plan_delete_port(p, port);
        return;
    }
    if (strcmp(ovsdb_row_get_string(iface, HVDB_INTERFACE_TYPE, 0),
               tunnel->type)) {
        plan_update(p, HVDB_T_INTERFACE, json_where_uuid(&iface->uuid),
                    "type", json_string_create(tunnel->type));
        plan_say(p, "set type=%s on %s", tunnel->type, tunnel->name);
    }
    for (size_t i = 0; i < ARRAY_SIZE(tunnel_options); i++) {
        const struct tunnel_option *o = &tunnel_options[i];
        const char *value = ovsdb_row_map_find(iface, HVDB_INTERFACE_OPTIONS,
                                               o->key);

        if (!value || (!o->soft && strcmp(value, o->value))) {
            plan_set_key(p, HVDB_T_INTERFACE, iface, HVDB_INTERFACE_OPTIONS,
                         o->key, o->value);
            plan_say(p, "set options:%s=%s on %s", o->key, o->value,
                     tunnel->name);
        }
    }
    if (!is_marked(port, HVDB_PORT_EXTERNAL_IDS)) {
        plan_set_key(p, HVDB_T_PORT, port, HVDB_PORT_EXTERNAL_IDS,
                     HVDB_OURS_KEY, "1");
        plan_say(p, "mark port %s", tunnel->name);
    }
}

/* Ports with a BFD session. */

/* Keys of Interface:bfd. */
static const char *const bfd_keys[] = { "enable", "min_rx", "min_tx" };

/* Returns the value of bfd_keys[i], which the caller must free. */
static char *
bfd_value(const struct plan *p, size_t i)
{
    return (i ? xasprintf("%d", p->in->wanted->bfd_interval)
            : xstrdup("true"));
}

/* Returns the number of the port 'name' in what is wanted, or -1. */
static int
find_bfd(const struct plan *p, const char *name)
{
    for (size_t i = 0; i < p->in->wanted->n_bfd; i++) {
        if (!strcmp(p->in->wanted->bfd[i].name, name)) {
            return i;
        }
    }
    return -1;
}

static void
plan_add_bfd(struct plan *p, const struct hvdb_bfd *b, size_t i)
{
    char *label = xasprintf("bfd%"PRIuSIZE, i);
    struct json *row = json_object_create();
    struct json *bfd = json_array_create_empty();

    for (size_t j = 0; j < ARRAY_SIZE(bfd_keys); j++) {
        char *value = bfd_value(p, j);

        json_array_add(bfd, json_pair(bfd_keys[j], value));
        free(value);
    }
    json_object_put(row, "bfd",
                    json_array_create_2(json_string_create("map"), bfd));
    json_object_put(row, "external_ids", json_map_1(HVDB_WATCH_KEY, b->nve));
    plan_add_port(p, label, b->name, b->type,
                  json_array_create_2(json_pair("remote_ip", b->remote_ip),
                                      json_pair("key", BFD_VNI)), row);
    free(label);
}

/* Brings 'port' in line with 'b'.  A port that leads elsewhere is made anew by
 * the next transaction. */
static void
plan_fix_bfd(struct plan *p, const struct hvdb_bfd *b,
             const struct ovsdb_row *port)
{
    const struct ovsdb_row *iface = find_only_interface(p, port);

    if (!iface
        || strcmp(ovsdb_row_get_string(iface, HVDB_INTERFACE_TYPE, 0), b->type)
        || !has_value(iface, HVDB_INTERFACE_OPTIONS, "remote_ip", b->remote_ip)
        || !has_value(iface, HVDB_INTERFACE_OPTIONS, "key", BFD_VNI)
        || !has_value(iface, HVDB_INTERFACE_EXTERNAL_IDS, HVDB_WATCH_KEY,
                      b->nve)) {
        plan_delete_port(p, port);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(bfd_keys); i++) {
        char *value = bfd_value(p, i);

        if (!has_value(iface, HVDB_INTERFACE_BFD, bfd_keys[i], value)) {
            plan_set_key(p, HVDB_T_INTERFACE, iface, HVDB_INTERFACE_BFD,
                         bfd_keys[i], value);
            plan_say(p, "set bfd:%s=%s on %s", bfd_keys[i], value, b->name);
        }
        free(value);
    }
}

static void
plan_tunnels(struct plan *p)
{
    size_t n_bfd = p->in->wanted->n_bfd;
    bool *bfd_found = xcalloc(MAX(1, n_bfd), sizeof *bfd_found);
    bool found[ARRAY_SIZE(tunnels)] = { false };
    const struct uuidset_node *node;

    UUIDSET_FOR_EACH (node, p->in->ours) {
        const struct ovsdb_row *port = ovsdb_replica_find(
            p->in->db, HVDB_T_PORT, &node->uuid);
        const struct tunnel *tunnel;
        const char *name;
        int bfd;

        if (!port || !uuidset_contains(p->in->ports, &node->uuid)) {
            continue;
        }
        name = ovsdb_row_get_string(port, HVDB_PORT_NAME, 0);
        tunnel = find_tunnel(name);
        bfd = find_bfd(p, name);
        if (tunnel && tunnel_is_wanted(p, tunnel)) {
            found[tunnel - tunnels] = true;
            plan_fix_tunnel(p, tunnel, port);
        } else if (bfd >= 0) {
            bfd_found[bfd] = true;
            plan_fix_bfd(p, &p->in->wanted->bfd[bfd], port);
        } else if (is_marked(port, HVDB_PORT_EXTERNAL_IDS)) {
            plan_delete_port(p, port);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(tunnels); i++) {
        if (!found[i] && tunnel_is_wanted(p, &tunnels[i])) {
            plan_add_tunnel(p, &tunnels[i]);
        }
    }
    for (size_t i = 0; i < n_bfd; i++) {
        if (!bfd_found[i]) {
            plan_add_bfd(p, &p->in->wanted->bfd[i], i);
        }
    }
    free(bfd_found);
}

/* Flow tables. */

static void
plan_add_table(struct plan *p, const struct hvdb_table *table)
{
    char *name = xasprintf("table_%"PRIu8, table->id);
    struct json *row = json_object_create();

    json_object_put_string(row, "name", table->name);
    json_object_put(row, "external_ids", json_map_1(HVDB_OURS_KEY, "1"));
    plan_insert(p, HVDB_T_FLOW_TABLE, name, row);
    plan_mutate(p, HVDB_T_BRIDGE, where_bridge(p), "flow_tables", "insert",
                json_tag_1("map",
                           json_array_create_2(
                               json_integer_create(table->id),
                               json_pair("named-uuid", name))));
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

    if (!is_marked(row, HVDB_FLOW_TABLE_EXTERNAL_IDS)) {
        return;
    }

    old = ovsdb_row_first_string(row, HVDB_FLOW_TABLE_NAME);
    if (!name) {
        plan_mutate(p, HVDB_T_BRIDGE, where_bridge(p), "flow_tables",
                    "delete",
                    json_tag_1("map",
                               json_array_create_2(
                                   json_integer_create(id),
                                   json_from_uuid(&row->uuid))));
        plan_say(p, "remove the name of table %"PRId64, id);
    } else if (!old || strcmp(old, name)) {
        plan_update(p, HVDB_T_FLOW_TABLE, json_where_uuid(&row->uuid),
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
    plan_tunnels(&p);
    plan_tables(&p);
    plan_bundle_idle_timeout(&p);
    if (json_array(p.txn)->n == 1) {
        json_destroy(p.txn);
        return NULL;
    }
    return p.txn;
}
