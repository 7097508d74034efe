/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "hvdb.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include "hash.h"
#include "hvdb-plan.h"
#include "hvdb-schema.h"
#include "jsonrpc.h"
#include "loop.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/vlog.h"
#include "ovsdb-replica.h"
#include "smap.h"
#include "util.h"
#include "uuid.h"
#include "uuidset.h"

VLOG_DEFINE_THIS_MODULE(hvdb);

/* From an event to a callback: a "monitor" reply makes a new replica, an
 * "update" changes it and yields a list of changed rows.  From these follow,
 * in this order, the interfaces (hvdb_rewalk() if the bridge's set of ports
 * changed, otherwise row by row), the facts, and what is to be written
 * (hvdb_consider()).
 *
 * An interface is on the integration bridge if its UUID is in 'members', and a
 * port if it is in 'ports'.  The 'struct hvdb_interface's are copies, so that
 * they outlive the replica, against whose successor they are compared after a
 * reconnection.
 *
 * Writing: 'dirty' means that something changed that hvdb_plan() looks at.  At
 * most one transaction is outstanding.  The database may send the reply before
 * the update that shows what it did, so after the reply we wait for an update
 * before we look again. */

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* How long to wait before writing again: after a refusal or a reply that no
 * update followed; and when something changed after a refusal or somebody
 * undid what we wrote. */
#define RETRY_MS 5000
#define RETRY_SOON_MS 100

/* The value of <json-value> that identifies our monitor. */
#define MONITOR_ID "nva"

enum hvdb_state {
    HVDB_DOWN,                  /* No connection. */
    HVDB_MONITORING,            /* Waits for the first snapshot. */
    HVDB_SYNCED,
    HVDB_RESETTING              /* Waits for LOOP_DISCONNECTED. */
};

struct hvdb {
    struct loop_conn *conn;
    const struct hvdb_class *class;
    void *aux;
    char *name;
    enum hvdb_state state;
    struct json *monitor_id;    /* Outstanding "monitor" request, or null. */
    struct ovsdb_replica *db;   /* Null before the first snapshot. */
    bool busy;                  /* In a callback or about to make one? */

    /* The integration bridge. */
    struct uuid bridge;         /* Its row, zero if there is none. */
    struct uuidset ports;       /* Ports of the bridge. */
    struct uuidset members;     /* Interfaces of these ports. */
    struct uuidset ours;        /* See 'struct hvdb_plan_input'. */
    struct hmap interfaces;     /* 'struct iface's by name. */

    /* Facts. */
    bool facts_changed;
    struct smap external_ids;
    char *ovs_version;
    char *manager_target;
    uint64_t datapath_id;

    /* Writing. */
    struct hvdb_wanted *wanted; /* Null until the owner says. */
    bool wanted_changed;        /* Not acted upon yet. */
    bool dirty;
    bool settled;
    bool updated;               /* An update since the transaction was sent? */
    struct json *txn_id;        /* Outstanding "transact" request, or null. */
    struct json *last_txn;      /* Its or the last one's parameters. */
    char *last_what;            /* The same in words. */
    int wait_ms;                /* Nonzero: do not write for so long. */
    long long int wait_until;   /* Same, in absolute time; 0 if unknown yet. */
    bool wait_for_change;       /* A change ends the wait. */
};

struct iface {
    struct hvdb_interface up;
    struct uuid owner;          /* The row that it is a copy of. */
};

static void hvdb_consider(struct hvdb *);

/* Returns a copy of 's', which came from the peer, for use in a log. */
static char *
make_printable(const char *s)
{
    char *copy = xstrdup(s);

    for (char *p = copy; *p; p++) {
        if (iscntrl((unsigned char) *p)) {
            *p = '?';
        }
    }
    return copy;
}

/* Drops the connection because the peer sent nonsense.  Takes ownership of
 * 'reason'. */
static void
hvdb_reset(struct hvdb *hvdb, char *reason)
{
    VLOG_WARN_RL(&rl, "%s: %s; dropping the connection", hvdb->name, reason);
    hvdb->state = HVDB_RESETTING;
    loop_conn_reset(hvdb->conn, reason);
    free(reason);
}

/* Wanted. */

static void
wanted_destroy(struct hvdb_wanted *wanted)
{
    if (wanted) {
        struct hvdb_table *tables = CONST_CAST(struct hvdb_table *,
                                               wanted->tables);

        for (size_t i = 0; i < wanted->n_tables; i++) {
            free(CONST_CAST(char *, tables[i].name));
        }
        free(tables);
        free(CONST_CAST(char *, wanted->bridge));
        free(CONST_CAST(char *, wanted->datapath_type));
        free(CONST_CAST(char *, wanted->controller));
        free(wanted);
    }
}

static struct hvdb_wanted *
wanted_clone(const struct hvdb_wanted *wanted)
{
    struct hvdb_wanted *copy = xmemdup(wanted, sizeof *wanted);
    struct hvdb_table *tables = xcalloc(wanted->n_tables, sizeof *tables);

    for (size_t i = 0; i < wanted->n_tables; i++) {
        tables[i].id = wanted->tables[i].id;
        tables[i].name = xstrdup(wanted->tables[i].name);
    }
    copy->tables = tables;
    copy->bridge = xstrdup(wanted->bridge);
    copy->datapath_type = xstrdup(wanted->datapath_type);
    copy->controller = nullable_xstrdup(wanted->controller);
    return copy;
}

static bool
wanted_equals(const struct hvdb_wanted *a, const struct hvdb_wanted *b)
{
    if (strcmp(a->bridge, b->bridge)
        || strcmp(a->datapath_type, b->datapath_type)
        || !nullable_string_is_equal(a->controller, b->controller)
        || a->geneve != b->geneve || a->vxlan != b->vxlan
        || a->bundle_idle_timeout != b->bundle_idle_timeout
        || a->n_tables != b->n_tables) {
        return false;
    }
    for (size_t i = 0; i < a->n_tables; i++) {
        if (a->tables[i].id != b->tables[i].id
            || strcmp(a->tables[i].name, b->tables[i].name)) {
            return false;
        }
    }
    return true;
}

/* Interfaces. */

static void
interface_uninit(struct hvdb_interface *iface)
{
    free(iface->name);
    free(iface->type);
    free(iface->error);
    free(iface->iface_id);
    free(iface->attached_mac);
    free(iface->iface_id_ver);
    free(iface->vm_uuid);
}

static char *
dup_external_id(const struct ovsdb_row *row, const char *key)
{
    return nullable_xstrdup(
        ovsdb_row_map_find(row, HVDB_INTERFACE_EXTERNAL_IDS, key));
}

static void
interface_init(struct hvdb_interface *iface, const struct ovsdb_row *row)
{
    int64_t ofport = (ovsdb_row_count(row, HVDB_INTERFACE_OFPORT)
                      ? ovsdb_row_get_integer(row, HVDB_INTERFACE_OFPORT, 0)
                      : 0);

    iface->name = xstrdup(ovsdb_row_get_string(row, HVDB_INTERFACE_NAME, 0));
    iface->type = xstrdup(ovsdb_row_get_string(row, HVDB_INTERFACE_TYPE, 0));
    iface->ofport = ofport < 0 || ofport > UINT16_MAX ? -1 : ofport;
    iface->error = nullable_xstrdup(
        ovsdb_row_first_string(row, HVDB_INTERFACE_ERROR));
    iface->iface_id = dup_external_id(row, "iface-id");
    iface->attached_mac = dup_external_id(row, "attached-mac");
    iface->iface_id_ver = dup_external_id(row, "iface-id-ver");
    iface->vm_uuid = dup_external_id(row, "vm-uuid");
}

static bool
interface_equals(const struct hvdb_interface *a,
                 const struct hvdb_interface *b)
{
    return (!strcmp(a->type, b->type)
            && a->ofport == b->ofport
            && nullable_string_is_equal(a->error, b->error)
            && nullable_string_is_equal(a->iface_id, b->iface_id)
            && nullable_string_is_equal(a->attached_mac, b->attached_mac)
            && nullable_string_is_equal(a->iface_id_ver, b->iface_id_ver)
            && nullable_string_is_equal(a->vm_uuid, b->vm_uuid));
}

static struct iface *
find_iface(const struct hvdb *hvdb, const char *name)
{
    struct iface *iface;

    HMAP_FOR_EACH_WITH_HASH (iface, up.name_node, hash_string(name, 0),
                             &hvdb->interfaces) {
        if (!strcmp(iface->up.name, name)) {
            return iface;
        }
    }
    return NULL;
}

static bool
is_tunnel(const struct hvdb_interface *iface)
{
    const char *name = hvdb_plan_tunnel_name(iface->type);

    return name && !strcmp(name, iface->name);
}

/* Reports that 'old' became 'new'. */
static void
report_interface(struct hvdb *hvdb, const struct hvdb_interface *old,
                 const struct hvdb_interface *new)
{
    if ((old && is_tunnel(old)) || (new && is_tunnel(new))) {
        hvdb->facts_changed = true;
    }
    hvdb->class->interface_changed(hvdb, old, new, hvdb->aux);
}

static void
remove_iface(struct hvdb *hvdb, struct iface *iface)
{
    hmap_remove(&hvdb->interfaces, &iface->up.name_node);
    report_interface(hvdb, &iface->up, NULL);
    interface_uninit(&iface->up);
    free(iface);
}

/* Takes over the row 'uuid' of an interface of the bridge.  One that was
 * deleted and added again under its name, in one transaction or while we were
 * away, is the same to us. */
static void
update_iface(struct hvdb *hvdb, const struct uuid *uuid)
{
    const struct ovsdb_row *row = ovsdb_replica_find(
        hvdb->db, HVDB_T_INTERFACE, uuid);
    struct hvdb_interface old;
    struct iface *iface;

    if (!row) {
        return;
    }

    iface = find_iface(hvdb, ovsdb_row_get_string(row, HVDB_INTERFACE_NAME,
                                                  0));
    if (!iface) {
        iface = xzalloc(sizeof *iface);
        iface->owner = *uuid;
        interface_init(&iface->up, row);
        hmap_insert(&hvdb->interfaces, &iface->up.name_node,
                    hash_string(iface->up.name, 0));
        report_interface(hvdb, NULL, &iface->up);
        return;
    }

    iface->owner = *uuid;
    old = iface->up;
    interface_init(&iface->up, row);
    if (!interface_equals(&old, &iface->up)) {
        report_interface(hvdb, &old, &iface->up);
    }
    interface_uninit(&old);
}

/* Removes the interface that was a copy of 'old', unless it belongs to another
 * row by now. */
static void
drop_iface(struct hvdb *hvdb, const struct ovsdb_row *old)
{
    struct iface *iface = find_iface(
        hvdb, ovsdb_row_get_string(old, HVDB_INTERFACE_NAME, 0));

    if (iface && uuid_equals(&iface->owner, &old->uuid)) {
        remove_iface(hvdb, iface);
    }
}

/* Returns true if the row that 'iface' is a copy of is on the bridge. */
static bool
iface_is_current(const struct hvdb *hvdb, const struct iface *iface)
{
    const struct ovsdb_row *row = ovsdb_replica_find(
        hvdb->db, HVDB_T_INTERFACE, &iface->owner);

    return (row
            && uuidset_contains(&hvdb->members, &iface->owner)
            && !strcmp(ovsdb_row_get_string(row, HVDB_INTERFACE_NAME, 0),
                       iface->up.name));
}

static const struct ovsdb_row *
find_bridge(const struct hvdb *hvdb)
{
    return ovsdb_replica_find(hvdb->db, HVDB_T_BRIDGE, &hvdb->bridge);
}

/* Finds anew which interfaces are on the bridge, and reports those that came
 * and went.  Interfaces that were there and still are are only looked at if
 * 'members' was emptied before. */
static void
hvdb_rewalk(struct hvdb *hvdb)
{
    const struct ovsdb_row *bridge = find_bridge(hvdb);
    size_t n = bridge ? ovsdb_row_count(bridge, HVDB_BRIDGE_PORTS) : 0;
    struct uuidset old = UUIDSET_INITIALIZER(&old);
    struct uuidset_node *node;
    struct iface *iface;

    hmap_swap(&old.uuids, &hvdb->members.uuids);
    uuidset_clear(&hvdb->ports);
    for (size_t i = 0; i < n; i++) {
        struct uuid uuid = ovsdb_row_get_uuid(bridge, HVDB_BRIDGE_PORTS, i);
        const struct ovsdb_row *port = ovsdb_replica_find(
            hvdb->db, HVDB_T_PORT, &uuid);
        size_t m = port ? ovsdb_row_count(port, HVDB_PORT_INTERFACES) : 0;

        uuidset_insert(&hvdb->ports, &uuid);
        for (size_t j = 0; j < m; j++) {
            struct uuid member = ovsdb_row_get_uuid(
                port, HVDB_PORT_INTERFACES, j);

            uuidset_insert(&hvdb->members, &member);
        }
    }

    UUIDSET_FOR_EACH (node, &hvdb->members) {
        if (!uuidset_contains(&old, &node->uuid)) {
            update_iface(hvdb, &node->uuid);
        }
    }
    uuidset_destroy(&old);
    HMAP_FOR_EACH_SAFE (iface, up.name_node, &hvdb->interfaces) {
        if (!iface_is_current(hvdb, iface)) {
            remove_iface(hvdb, iface);
        }
    }
}

/* Looks for the wanted bridge among all. */
static void
hvdb_find_bridge(struct hvdb *hvdb)
{
    const struct ovsdb_row *row;

    uuid_zero(&hvdb->bridge);
    if (!hvdb->wanted) {
        return;
    }
    HMAP_FOR_EACH (row, node,
                   ovsdb_replica_get_rows(hvdb->db, HVDB_T_BRIDGE)) {
        if (!strcmp(ovsdb_row_get_string(row, HVDB_BRIDGE_NAME, 0),
                    hvdb->wanted->bridge)) {
            hvdb->bridge = row->uuid;
        }
    }
}

/* A port of the bridge changed and the bridge did not. */
static void
process_port(struct hvdb *hvdb, const struct ovsdb_row *old,
             const struct ovsdb_row *new)
{
    size_t n_old = old ? ovsdb_row_count(old, HVDB_PORT_INTERFACES) : 0;
    size_t n_new = new ? ovsdb_row_count(new, HVDB_PORT_INTERFACES) : 0;
    struct uuidset left = UUIDSET_INITIALIZER(&left);
    struct uuidset_node *node;
    struct iface *iface;

    for (size_t i = 0; i < n_old; i++) {
        struct uuid uuid = ovsdb_row_get_uuid(old, HVDB_PORT_INTERFACES, i);

        uuidset_insert(&left, &uuid);
        uuidset_find_and_delete(&hvdb->members, &uuid);
    }
    for (size_t i = 0; i < n_new; i++) {
        struct uuid uuid = ovsdb_row_get_uuid(new, HVDB_PORT_INTERFACES, i);

        uuidset_find_and_delete(&left, &uuid);
        uuidset_insert(&hvdb->members, &uuid);
        update_iface(hvdb, &uuid);
    }

    /* A row that is gone as well is the business of process_interfaces(). */
    UUIDSET_FOR_EACH (node, &left) {
        const struct ovsdb_row *row = ovsdb_replica_find(
            hvdb->db, HVDB_T_INTERFACE, &node->uuid);

        if (row) {
            iface = find_iface(hvdb, ovsdb_row_get_string(
                                   row, HVDB_INTERFACE_NAME, 0));
            if (iface && !iface_is_current(hvdb, iface)) {
                remove_iface(hvdb, iface);
            }
        }
    }
    uuidset_destroy(&left);
}

/* First what is there, then what is gone, see update_iface(). */
static void
process_interfaces(struct hvdb *hvdb, const struct ovsdb_changes *changes)
{
    for (size_t i = 0; i < changes->n; i++) {
        const struct ovsdb_change *c = &changes->array[i];

        if (c->table == HVDB_T_INTERFACE && c->new
            && uuidset_contains(&hvdb->members, &c->new->uuid)) {
            update_iface(hvdb, &c->new->uuid);
        }
    }
    for (size_t i = 0; i < changes->n; i++) {
        const struct ovsdb_change *c = &changes->array[i];

        if (c->table == HVDB_T_INTERFACE && c->old
            && (!c->new
                || !ovsdb_row_equal(c->old, c->new, HVDB_INTERFACE_NAME))) {
            drop_iface(hvdb, c->old);
        }
    }
}

/* Facts. */

/* Makes '*s' be 'value', noting if that is a change. */
static void
update_string(struct hvdb *hvdb, char **s, const char *value)
{
    if (!nullable_string_is_equal(*s, value)) {
        free(*s);
        *s = nullable_xstrdup(value);
        hvdb->facts_changed = true;
    }
}

static void
update_name(struct hvdb *hvdb)
{
    const char *conn_name = loop_conn_get_name(hvdb->conn);
    const char *system_id = smap_get(&hvdb->external_ids, "system-id");

    free(hvdb->name);
    if (system_id) {
        char *printable = make_printable(system_id);

        hvdb->name = xasprintf("%s (%s)", printable, conn_name);
        free(printable);
    } else {
        hvdb->name = xstrdup(conn_name);
    }
}

static void
update_external_ids(struct hvdb *hvdb, const struct ovsdb_row *ovs)
{
    size_t n = ovs ? ovsdb_row_count(ovs, HVDB_OVS_EXTERNAL_IDS) : 0;
    struct smap ids = SMAP_INITIALIZER(&ids);

    for (size_t i = 0; i < n; i++) {
        smap_replace(&ids, ovsdb_row_get_string(ovs, HVDB_OVS_EXTERNAL_IDS, i),
                     ovsdb_row_get_value_string(ovs, HVDB_OVS_EXTERNAL_IDS,
                                                i));
    }
    if (!smap_equal(&ids, &hvdb->external_ids)) {
        hmap_swap(&ids.map, &hvdb->external_ids.map);
        hvdb->facts_changed = true;
        update_name(hvdb);
    }
    smap_destroy(&ids);
}

static void
update_datapath_id(struct hvdb *hvdb)
{
    const struct ovsdb_row *bridge = find_bridge(hvdb);
    const char *s = (bridge
                     ? ovsdb_row_first_string(bridge, HVDB_BRIDGE_DATAPATH_ID)
                     : NULL);
    unsigned long long int id;

    if (!s || !str_to_ullong(s, 16, &id)) {
        id = 0;
    }
    if (id != hvdb->datapath_id) {
        hvdb->datapath_id = id;
        hvdb->facts_changed = true;
    }
}

/* Several managers may be up; the least target is taken, so that it is always
 * the same. */
static void
update_manager_target(struct hvdb *hvdb)
{
    const struct ovsdb_row *row;
    const char *least = NULL;

    HMAP_FOR_EACH (row, node,
                   ovsdb_replica_get_rows(hvdb->db, HVDB_T_MANAGER)) {
        const char *target = ovsdb_row_get_string(row, HVDB_MANAGER_TARGET, 0);

        if (ovsdb_row_get_boolean(row, HVDB_MANAGER_IS_CONNECTED, 0)
            && (!least || strcmp(target, least) < 0)) {
            least = target;
        }
    }
    update_string(hvdb, &hvdb->manager_target, least);
}

/* Returns the row of table Open_vSwitch, null if there is none. */
static const struct ovsdb_row *
find_ovs(const struct hvdb *hvdb)
{
    const struct hmap_node *node = hmap_first(
        ovsdb_replica_get_rows(hvdb->db, HVDB_T_OVS));

    return node ? CONTAINER_OF(node, struct ovsdb_row, node) : NULL;
}

/* Reports a change of the facts, including one that was noted before. */
static void
hvdb_update_facts(struct hvdb *hvdb)
{
    const struct ovsdb_row *ovs = find_ovs(hvdb);

    update_external_ids(hvdb, ovs);
    update_string(hvdb, &hvdb->ovs_version,
                  ovs ? ovsdb_row_first_string(ovs, HVDB_OVS_OVS_VERSION)
                  : NULL);
    update_datapath_id(hvdb);
    update_manager_target(hvdb);
    if (hvdb->facts_changed) {
        hvdb->facts_changed = false;
        hvdb->class->changed(hvdb, hvdb->aux);
    }
}

/* Changes. */

static void
note_our_port(struct hvdb *hvdb, const struct ovsdb_row *old,
              const struct ovsdb_row *new)
{
    if (old && uuidset_find_and_delete(&hvdb->ours, &old->uuid)) {
        hvdb->dirty = true;
    }
    if (new && hvdb_plan_is_our_port(new)) {
        uuidset_insert(&hvdb->ours, &new->uuid);
        hvdb->dirty = true;
    }
}

/* Returns true if the set of ports of the wanted bridge changed. */
static bool
note_bridge(struct hvdb *hvdb, const struct ovsdb_row *old,
            const struct ovsdb_row *new)
{
    if (hvdb->wanted && new
        && !strcmp(ovsdb_row_get_string(new, HVDB_BRIDGE_NAME, 0),
                   hvdb->wanted->bridge)) {
        bool same = uuid_equals(&hvdb->bridge, &new->uuid);

        hvdb->bridge = new->uuid;
        hvdb->dirty = true;
        return (!same || !old
                || !ovsdb_row_equal(old, new, HVDB_BRIDGE_PORTS));
    } else if (old && uuid_equals(&hvdb->bridge, &old->uuid)) {
        uuid_zero(&hvdb->bridge);
        hvdb->dirty = true;
        return true;
    }
    return false;
}

/* Notes what follows from a change for the state of 'hvdb' before anything is
 * reported.  Returns true if the set of ports of the bridge changed. */
static bool
note_change(struct hvdb *hvdb, const struct ovsdb_change *c)
{
    const struct ovsdb_row *row = c->new ? c->new : c->old;
    struct iface *iface;

    switch ((enum hvdb_table_id) c->table) {
    case HVDB_T_BRIDGE:
        return note_bridge(hvdb, c->old, c->new);

    case HVDB_T_PORT:
        note_our_port(hvdb, c->old, c->new);
        break;

    case HVDB_T_INTERFACE:
        iface = find_iface(hvdb, ovsdb_row_get_string(
                               row, HVDB_INTERFACE_NAME, 0));
        if (iface && is_tunnel(&iface->up)) {
            hvdb->dirty = true;
        }
        break;

    case HVDB_T_OVS:
    case HVDB_T_CONTROLLER:
    case HVDB_T_FLOW_TABLE:
        hvdb->dirty = true;
        break;

    case HVDB_T_MANAGER:
    case HVDB_N_TABLES:
    default:
        break;
    }
    return false;
}

static void
process_changes(struct hvdb *hvdb, const struct ovsdb_changes *changes)
{
    bool facts = false, rewalk = false;

    for (size_t i = 0; i < changes->n; i++) {
        const struct ovsdb_change *c = &changes->array[i];

        rewalk |= note_change(hvdb, c);
        facts |= (c->table == HVDB_T_OVS || c->table == HVDB_T_BRIDGE
                  || c->table == HVDB_T_MANAGER);
    }
    if (rewalk) {
        hvdb_rewalk(hvdb);
    } else {
        for (size_t i = 0; i < changes->n; i++) {
            const struct ovsdb_change *c = &changes->array[i];
            const struct ovsdb_row *row = c->new ? c->new : c->old;

            if (c->table == HVDB_T_PORT
                && uuidset_contains(&hvdb->ports, &row->uuid)) {
                process_port(hvdb, c->old, c->new);
            }
        }
    }
    process_interfaces(hvdb, changes);
    if (facts || hvdb->facts_changed) {
        hvdb_update_facts(hvdb);
    }
}

/* Messages. */

static void
send_monitor(struct hvdb *hvdb)
{
    struct ovsdb_replica *empty = ovsdb_replica_create(hvdb_schema,
                                                       HVDB_N_TABLES);
    struct json *params = json_array_create_3(
        json_string_create("Open_vSwitch"),
        json_string_create(MONITOR_ID),
        ovsdb_replica_compose_monitor(empty));

    ovsdb_replica_destroy(empty);
    hvdb->state = HVDB_MONITORING;
    loop_conn_send_json(hvdb->conn,
                        jsonrpc_create_request("monitor", params,
                                               &hvdb->monitor_id));
}

/* The reply to "monitor": the whole content of the tables. */
static void
process_snapshot(struct hvdb *hvdb, const struct json *tables)
{
    struct ovsdb_replica *db = ovsdb_replica_create(hvdb_schema,
                                                    HVDB_N_TABLES);
    char *error = ovsdb_replica_apply(db, tables, NULL);
    const struct ovsdb_row *row;

    if (error) {
        ovsdb_replica_destroy(db);
        hvdb_reset(hvdb, xasprintf("malformed reply to monitor: %s", error));
        free(error);
        return;
    }

    json_destroy(hvdb->monitor_id);
    hvdb->monitor_id = NULL;
    ovsdb_replica_destroy(hvdb->db);
    hvdb->db = db;
    hvdb->state = HVDB_SYNCED;
    hvdb->dirty = true;
    uuidset_clear(&hvdb->members);
    uuidset_clear(&hvdb->ours);
    HMAP_FOR_EACH (row, node, ovsdb_replica_get_rows(db, HVDB_T_PORT)) {
        note_our_port(hvdb, NULL, row);
    }
    hvdb_find_bridge(hvdb);
    hvdb_rewalk(hvdb);
    hvdb_update_facts(hvdb);
    hvdb->class->synced(hvdb, hvdb->aux);
}

static void
process_update(struct hvdb *hvdb, const struct json *params)
{
    struct ovsdb_changes changes = { .n = 0 };
    char *error;

    if (params->type != JSON_ARRAY || params->array.n != 2
        || params->array.elems[0]->type != JSON_STRING
        || strcmp(params->array.elems[0]->string, MONITOR_ID)) {
        hvdb_reset(hvdb, xstrdup("update of a monitor that is not ours"));
        return;
    }

    error = ovsdb_replica_apply(hvdb->db, params->array.elems[1], &changes);
    if (error) {
        hvdb_reset(hvdb, xasprintf("malformed update: %s", error));
        free(error);
    } else {
        hvdb->updated = true;
        process_changes(hvdb, &changes);
    }
    ovsdb_changes_destroy(&changes);
}

/* Writing. */

static void
hvdb_wait(struct hvdb *hvdb, int ms, bool for_change)
{
    hvdb->wait_ms = ms;
    hvdb->wait_until = 0;
    hvdb->wait_for_change = for_change;
}

static void
send_transaction(struct hvdb *hvdb, struct json *txn, char *what)
{
    if (!nullable_string_is_equal(what, hvdb->last_what)) {
        VLOG_INFO_RL(&rl, "%s: %s: %s", hvdb->name,
                     hvdb->settled ? "repairing" : "writing", what);
    }
    free(hvdb->last_what);
    hvdb->last_what = what;
    json_destroy(hvdb->last_txn);
    hvdb->last_txn = json_clone(txn);
    hvdb->settled = false;
    hvdb->updated = false;
    loop_conn_send_json(hvdb->conn,
                        jsonrpc_create_request("transact", txn,
                                               &hvdb->txn_id));
}

/* Compares what is there with what is wanted and writes the difference.  A
 * transaction that equals the last one is put off unless 'again': either it
 * did not help or somebody undid it. */
static void
hvdb_write(struct hvdb *hvdb, bool again)
{
    struct hvdb_plan_input in = {
        .db = hvdb->db,
        .wanted = hvdb->wanted,
        .bridge = find_bridge(hvdb),
        .ports = &hvdb->ports,
        .ours = &hvdb->ours,
    };
    struct ds what = DS_EMPTY_INITIALIZER;
    struct json *txn = hvdb_plan(&in, &what);
    char *printable = make_printable(ds_cstr(&what));

    ds_destroy(&what);
    hvdb->dirty = false;
    hvdb->wait_ms = 0;
    if (!txn) {
        hvdb->settled = find_ovs(hvdb) != NULL;
    } else if (!again && hvdb->last_txn && json_equal(txn, hvdb->last_txn)) {
        hvdb_wait(hvdb, hvdb->settled ? RETRY_SOON_MS : RETRY_MS, false);
        hvdb->settled = false;
        json_destroy(txn);
    } else {
        send_transaction(hvdb, txn, printable);
        return;
    }
    free(printable);
}

/* Writes if something changed that matters and nothing stands against it. */
static void
hvdb_consider(struct hvdb *hvdb)
{
    if (!hvdb->dirty || !hvdb->wanted || hvdb->state != HVDB_SYNCED
        || hvdb->txn_id) {
        return;
    }
    if (hvdb->wait_ms && !hvdb->wait_for_change) {
        /* Not at once, but sooner than if nothing had changed. */
        if (hvdb->wait_ms > RETRY_SOON_MS) {
            hvdb_wait(hvdb, RETRY_SOON_MS, false);
        }
        hvdb->dirty = false;
        return;
    }
    hvdb_write(hvdb, false);
}

/* Looks through the results of the operations of a transaction.  Returns
 * false if 'result' is malformed.  Otherwise stores the first error in words
 * in '*error', null if there is none. */
static bool
parse_results(const struct json *result, size_t n_ops, char **error)
{
    *error = NULL;
    if (result->type != JSON_ARRAY) {
        return false;
    }

    for (size_t i = 0; i < result->array.n; i++) {
        const struct json *elem = result->array.elems[i];
        const struct json *word, *details;

        if (elem->type != JSON_OBJECT) {
            return false;
        }
        word = shash_find_data(elem->object, "error");
        if (word) {
            details = shash_find_data(elem->object, "details");
            *error = xasprintf("%s%s%s",
                               word->type == JSON_STRING ? word->string
                               : "error",
                               details ? ": " : "",
                               details && details->type == JSON_STRING
                               ? details->string : "");
            return true;
        }
    }
    return result->array.n == n_ops;
}

/* Reports that the database refused the transaction for 'why'. */
static void
process_refusal(struct hvdb *hvdb, const char *why)
{
    char *text = xasprintf("%s: %s", hvdb->last_what, why);
    char *printable = make_printable(text);

    hvdb_wait(hvdb, RETRY_MS, false);
    hvdb->class->refused(hvdb, printable, hvdb->aux);
    free(printable);
    free(text);
}

static void
process_txn_reply(struct hvdb *hvdb, const struct jsonrpc_msg *msg)
{
    size_t n_ops = json_array(hvdb->last_txn)->n - 1;
    char *error = NULL;

    json_destroy(hvdb->txn_id);
    hvdb->txn_id = NULL;
    if (msg->type == JSONRPC_ERROR) {
        error = json_to_string(msg->error, 0);
        process_refusal(hvdb, error);
    } else if (!parse_results(msg->result, n_ops, &error)) {
        hvdb_reset(hvdb, xstrdup("malformed reply to transact"));
    } else if (error && strncmp(error, "timed out", 9)) {
        process_refusal(hvdb, error);
    } else if (!hvdb->updated) {
        /* Done, or a "wait" operation failed because somebody changed what it
         * is about.  An update is going to say. */
        hvdb_wait(hvdb, RETRY_MS, true);
    } else {
        hvdb->dirty = true;
    }
    free(error);
}

/* Events. */

static void
process_reply(struct hvdb *hvdb, const struct jsonrpc_msg *msg)
{
    if (hvdb->monitor_id && json_equal(msg->id, hvdb->monitor_id)) {
        if (msg->type == JSONRPC_REPLY) {
            process_snapshot(hvdb, msg->result);
        } else {
            char *error = json_to_string(msg->error, 0);

            hvdb_reset(hvdb, xasprintf("monitor refused: %.200s", error));
            free(error);
        }
    } else if (hvdb->txn_id && json_equal(msg->id, hvdb->txn_id)) {
        process_txn_reply(hvdb, msg);
    } else {
        hvdb_reset(hvdb, xstrdup("reply to nothing that was asked"));
    }
}

static void
process_message(struct hvdb *hvdb, const struct jsonrpc_msg *msg)
{
    switch (msg->type) {
    case JSONRPC_REPLY:
    case JSONRPC_ERROR:
        process_reply(hvdb, msg);
        break;

    case JSONRPC_NOTIFY:
        if (hvdb->state == HVDB_SYNCED && !strcmp(msg->method, "update")) {
            process_update(hvdb, msg->params);
            break;
        }
        /* Fall through. */

    case JSONRPC_REQUEST:
    default: {
        char *method = make_printable(msg->method);

        hvdb_reset(hvdb, xasprintf("unexpected message \"%.40s\"", method));
        free(method);
        break;
    }
    }
}

static void
process_disconnected(struct hvdb *hvdb, const char *reason)
{
    json_destroy(hvdb->monitor_id);
    json_destroy(hvdb->txn_id);
    json_destroy(hvdb->last_txn);
    hvdb->monitor_id = hvdb->txn_id = hvdb->last_txn = NULL;
    hvdb->wait_ms = 0;
    hvdb->settled = false;
    hvdb->state = HVDB_DOWN;
    hvdb->class->lost(hvdb, reason, hvdb->aux);
}

/* Acts upon what hvdb_set_wanted() stored. */
static void
hvdb_apply_wanted(struct hvdb *hvdb)
{
    hvdb->wanted_changed = false;
    if (hvdb->state != HVDB_SYNCED) {
        return;
    }
    hvdb_find_bridge(hvdb);
    hvdb_rewalk(hvdb);
    hvdb_update_facts(hvdb);
    hvdb->dirty = true;
    hvdb->settled = false;
    hvdb->wait_ms = 0;
    json_destroy(hvdb->last_txn);
    hvdb->last_txn = NULL;
}

/* Does what callbacks asked for, then writes. */
static void
hvdb_finish(struct hvdb *hvdb)
{
    while (hvdb->wanted_changed) {
        hvdb_apply_wanted(hvdb);
    }
    hvdb_consider(hvdb);
    hvdb->busy = false;
}

void
hvdb_process(struct hvdb *hvdb, struct loop_event *event)
{
    hvdb->busy = true;
    switch (event->type) {
    case LOOP_CONNECTED:
        send_monitor(hvdb);
        break;

    case LOOP_MESSAGE:
        if (hvdb->state == HVDB_MONITORING || hvdb->state == HVDB_SYNCED) {
            process_message(hvdb, event->json);
        }
        break;

    case LOOP_DISCONNECTED:
        process_disconnected(hvdb, event->error ? event->error : "closed");
        break;

    case LOOP_ACCEPTED:
    default:
        break;
    }
    hvdb_finish(hvdb);

    jsonrpc_msg_destroy(event->json);
    free(event->error);
    event->json = NULL;
    event->error = NULL;
}

void
hvdb_run(struct hvdb *hvdb, long long int now)
{
    if (!hvdb->wait_ms) {
        return;
    }
    if (!hvdb->wait_until) {
        hvdb->wait_until = now + hvdb->wait_ms;
    }
    if (now >= hvdb->wait_until && !hvdb->txn_id) {
        hvdb_write(hvdb, true);
    }
}

long long int
hvdb_deadline(const struct hvdb *hvdb)
{
    return hvdb->wait_ms ? hvdb->wait_until : LLONG_MAX;
}

/* Life. */

static struct hvdb *
hvdb_create(const struct hvdb_class *class, void *aux)
{
    struct hvdb *hvdb = xzalloc(sizeof *hvdb);

    hvdb->class = class;
    hvdb->aux = aux;
    uuidset_init(&hvdb->ports);
    uuidset_init(&hvdb->members);
    uuidset_init(&hvdb->ours);
    hmap_init(&hvdb->interfaces);
    smap_init(&hvdb->external_ids);
    return hvdb;
}

struct hvdb *
hvdb_connect(struct loop *loop, const char *remote,
             const struct hvdb_class *class, void *aux)
{
    struct hvdb *hvdb = hvdb_create(class, aux);

    hvdb->conn = loop_connect(loop, remote, LOOP_JSONRPC, hvdb);
    update_name(hvdb);
    return hvdb;
}

struct hvdb *
hvdb_accept(struct loop_conn *conn, const struct hvdb_class *class, void *aux)
{
    struct hvdb *hvdb = hvdb_create(class, aux);

    hvdb->conn = conn;
    loop_conn_set_aux(conn, hvdb);
    update_name(hvdb);
    send_monitor(hvdb);
    return hvdb;
}

void
hvdb_destroy(struct hvdb *hvdb)
{
    struct iface *iface;

    if (!hvdb) {
        return;
    }

    ovs_assert(!hvdb->busy);
    loop_conn_close(hvdb->conn);
    HMAP_FOR_EACH_POP (iface, up.name_node, &hvdb->interfaces) {
        interface_uninit(&iface->up);
        free(iface);
    }
    hmap_destroy(&hvdb->interfaces);
    uuidset_destroy(&hvdb->ports);
    uuidset_destroy(&hvdb->members);
    uuidset_destroy(&hvdb->ours);
    smap_destroy(&hvdb->external_ids);
    wanted_destroy(hvdb->wanted);
    ovsdb_replica_destroy(hvdb->db);
    json_destroy(hvdb->monitor_id);
    json_destroy(hvdb->txn_id);
    json_destroy(hvdb->last_txn);
    free(hvdb->last_what);
    free(hvdb->ovs_version);
    free(hvdb->manager_target);
    free(hvdb->name);
    free(hvdb);
}

void
hvdb_set_aux(struct hvdb *hvdb, void *aux)
{
    hvdb->aux = aux;
}

void
hvdb_set_wanted(struct hvdb *hvdb, const struct hvdb_wanted *wanted)
{
    if (hvdb->wanted && wanted_equals(hvdb->wanted, wanted)) {
        return;
    }
    wanted_destroy(hvdb->wanted);
    hvdb->wanted = wanted_clone(wanted);
    hvdb->wanted_changed = true;
    if (!hvdb->busy) {
        hvdb->busy = true;
        hvdb_finish(hvdb);
    }
}

/* Questions. */

bool
hvdb_is_synced(const struct hvdb *hvdb)
{
    return hvdb->state == HVDB_SYNCED;
}

bool
hvdb_is_settled(const struct hvdb *hvdb)
{
    return hvdb->settled && !hvdb->dirty && !hvdb->wanted_changed;
}

const char *
hvdb_get_external_id(const struct hvdb *hvdb, const char *key)
{
    return smap_get(&hvdb->external_ids, key);
}

const char *
hvdb_get_ovs_version(const struct hvdb *hvdb)
{
    return hvdb->ovs_version;
}

uint64_t
hvdb_get_datapath_id(const struct hvdb *hvdb)
{
    return hvdb->datapath_id;
}

int64_t
hvdb_get_tunnel_ofport(const struct hvdb *hvdb, const char *type)
{
    const char *name = hvdb_plan_tunnel_name(type);
    const struct iface *iface = name ? find_iface(hvdb, name) : NULL;

    return iface && is_tunnel(&iface->up) ? MAX(iface->up.ofport, 0) : 0;
}

const char *
hvdb_get_manager_target(const struct hvdb *hvdb)
{
    return hvdb->manager_target;
}

const struct hmap *
hvdb_get_interfaces(const struct hvdb *hvdb)
{
    return &hvdb->interfaces;
}

const char *
hvdb_get_name(const struct hvdb *hvdb)
{
    return hvdb->name;
}
