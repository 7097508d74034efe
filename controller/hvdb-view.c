/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "hvdb-view.h"

#include <string.h>
#include "hash.h"
#include "hvdb-plan.h"
#include "hvdb-schema.h"
#include "util.h"
#include "uuid.h"

/* An interface is on the integration bridge if its UUID is in 'members', and a
 * port if it is in 'ports'.  An update is taken over in this order: the state
 * that tells where to look (note_change()), the interfaces (walk_bridge() if
 * the set of ports of the bridge changed, otherwise row by row), the facts.
 * The rows of a bridge, its port and the port's interface may come in one
 * update in any order. */

struct iface {
    struct hvdb_interface up;
    struct uuid owner;          /* The row that it is a copy of. */
};

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
    free(iface->vm_word);
    free(iface->uplink);
    free(iface->watch);
}

static char *
dup_external_id(const struct ovsdb_row *row, const char *key)
{
    return nullable_xstrdup(
        ovsdb_row_map_find(row, HVDB_INTERFACE_EXTERNAL_IDS, key));
}

static bool
is_down(const struct ovsdb_row *row)
{
    const char *state = ovsdb_row_first_string(row, HVDB_INTERFACE_LINK_STATE);

    return state && !strcmp(state, "down");
}

/* A session that has not been up yet has no diagnostic (RFC 5880 section
 * 4.1). */
static enum hvdb_bfd_state
bfd_state(const struct ovsdb_row *row)
{
    const char *state = ovsdb_row_map_find(row, HVDB_INTERFACE_BFD_STATUS,
                                           "state");
    const char *diag = ovsdb_row_map_find(row, HVDB_INTERFACE_BFD_STATUS,
                                          "diagnostic");

    if (state && !strcmp(state, "up")) {
        return HVDB_BFD_UP;
    }
    return (state && diag && strcmp(diag, "No Diagnostic")
            ? HVDB_BFD_DOWN : HVDB_BFD_UNKNOWN);
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
    iface->vm_word = dup_external_id(row, "nva-vm");
    iface->uplink = dup_external_id(row, "nva-uplink");
    iface->uplink_down = iface->uplink && is_down(row);
    iface->watch = dup_external_id(row, HVDB_WATCH_KEY);
    iface->bfd = iface->watch ? bfd_state(row) : HVDB_BFD_UNKNOWN;
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
            && nullable_string_is_equal(a->vm_uuid, b->vm_uuid)
            && nullable_string_is_equal(a->vm_word, b->vm_word)
            && nullable_string_is_equal(a->uplink, b->uplink)
            && a->uplink_down == b->uplink_down
            && nullable_string_is_equal(a->watch, b->watch)
            && a->bfd == b->bfd);
}

static struct iface *
find_iface(const struct hvdb_view *view, const char *name)
{
    struct iface *iface;

    HMAP_FOR_EACH_WITH_HASH (iface, up.name_node, hash_string(name, 0),
                             &view->interfaces) {
        if (!strcmp(iface->up.name, name)) {
            return iface;
        }
    }
    return NULL;
}

bool
hvdb_view_is_tunnel(const struct hvdb_interface *iface)
{
    const char *name = hvdb_plan_tunnel_name(iface->type);

    return name && !strcmp(name, iface->name);
}

/* Reports that 'old' became 'new'. */
static void
report_interface(struct hvdb_view *view, const struct hvdb_interface *old,
                 const struct hvdb_interface *new)
{
    if ((old && hvdb_view_is_tunnel(old))
        || (new && hvdb_view_is_tunnel(new))) {
        view->facts_changed = true;
    }
    view->interface_changed(old, new, view->aux);
}

static void
remove_iface(struct hvdb_view *view, struct iface *iface)
{
    hmap_remove(&view->interfaces, &iface->up.name_node);
    report_interface(view, &iface->up, NULL);
    interface_uninit(&iface->up);
    free(iface);
}

/* Takes over the row 'uuid' of an interface of the bridge.  One that was
 * deleted and added again under its name, in one transaction or while we were
 * away, is the same to us. */
static void
update_iface(struct hvdb_view *view, const struct uuid *uuid)
{
    const struct ovsdb_row *row = ovsdb_replica_find(
        view->db, HVDB_T_INTERFACE, uuid);
    struct hvdb_interface old;
    struct iface *iface;

    if (!row) {
        return;
    }

    iface = find_iface(view, ovsdb_row_get_string(row, HVDB_INTERFACE_NAME,
                                                  0));
    if (!iface) {
        iface = xzalloc(sizeof *iface);
        iface->owner = *uuid;
        interface_init(&iface->up, row);
        hmap_insert(&view->interfaces, &iface->up.name_node,
                    hash_string(iface->up.name, 0));
        report_interface(view, NULL, &iface->up);
        return;
    }

    iface->owner = *uuid;
    old = iface->up;
    interface_init(&iface->up, row);
    if (!interface_equals(&old, &iface->up)) {
        report_interface(view, &old, &iface->up);
    }
    interface_uninit(&old);
}

/* Removes the interface that was a copy of 'old', unless it belongs to another
 * row by now. */
static void
drop_iface(struct hvdb_view *view, const struct ovsdb_row *old)
{
    struct iface *iface = find_iface(
        view, ovsdb_row_get_string(old, HVDB_INTERFACE_NAME, 0));

    if (iface && uuid_equals(&iface->owner, &old->uuid)) {
        remove_iface(view, iface);
    }
}

/* Returns true if the row that 'iface' is a copy of is on the bridge. */
static bool
iface_is_current(const struct hvdb_view *view, const struct iface *iface)
{
    const struct ovsdb_row *row = ovsdb_replica_find(
        view->db, HVDB_T_INTERFACE, &iface->owner);

    return (row
            && uuidset_contains(&view->members, &iface->owner)
            && !strcmp(ovsdb_row_get_string(row, HVDB_INTERFACE_NAME, 0),
                       iface->up.name));
}

const struct ovsdb_row *
hvdb_view_find_bridge(const struct hvdb_view *view)
{
    return ovsdb_replica_find(view->db, HVDB_T_BRIDGE, &view->bridge);
}

/* Finds anew which interfaces are on the bridge, and reports those that came
 * and went.  Interfaces that were there and still are are only looked at if
 * 'members' was emptied before. */
static void
walk_bridge(struct hvdb_view *view)
{
    const struct ovsdb_row *bridge = hvdb_view_find_bridge(view);
    size_t n = bridge ? ovsdb_row_count(bridge, HVDB_BRIDGE_PORTS) : 0;
    struct uuidset old = UUIDSET_INITIALIZER(&old);
    struct uuidset_node *node;
    struct iface *iface;

    hmap_swap(&old.uuids, &view->members.uuids);
    uuidset_clear(&view->ports);
    for (size_t i = 0; i < n; i++) {
        struct uuid uuid = ovsdb_row_get_uuid(bridge, HVDB_BRIDGE_PORTS, i);
        const struct ovsdb_row *port = ovsdb_replica_find(
            view->db, HVDB_T_PORT, &uuid);
        size_t m = port ? ovsdb_row_count(port, HVDB_PORT_INTERFACES) : 0;

        uuidset_insert(&view->ports, &uuid);
        for (size_t j = 0; j < m; j++) {
            struct uuid member = ovsdb_row_get_uuid(
                port, HVDB_PORT_INTERFACES, j);

            uuidset_insert(&view->members, &member);
        }
    }

    UUIDSET_FOR_EACH (node, &view->members) {
        if (!uuidset_contains(&old, &node->uuid)) {
            update_iface(view, &node->uuid);
        }
    }
    uuidset_destroy(&old);
    HMAP_FOR_EACH_SAFE (iface, up.name_node, &view->interfaces) {
        if (!iface_is_current(view, iface)) {
            remove_iface(view, iface);
        }
    }
}

/* Looks for the wanted bridge among all. */
static void
search_bridge(struct hvdb_view *view)
{
    const struct ovsdb_row *row;

    uuid_zero(&view->bridge);
    if (!view->bridge_name) {
        return;
    }
    HMAP_FOR_EACH (row, node,
                   ovsdb_replica_get_rows(view->db, HVDB_T_BRIDGE)) {
        if (!strcmp(ovsdb_row_get_string(row, HVDB_BRIDGE_NAME, 0),
                    view->bridge_name)) {
            view->bridge = row->uuid;
        }
    }
}

/* A port of the bridge changed and the bridge did not. */
static void
process_port(struct hvdb_view *view, const struct ovsdb_row *old,
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
        uuidset_find_and_delete(&view->members, &uuid);
    }
    for (size_t i = 0; i < n_new; i++) {
        struct uuid uuid = ovsdb_row_get_uuid(new, HVDB_PORT_INTERFACES, i);

        uuidset_find_and_delete(&left, &uuid);
        uuidset_insert(&view->members, &uuid);
        update_iface(view, &uuid);
    }

    /* A row that is gone as well is the business of process_interfaces(). */
    UUIDSET_FOR_EACH (node, &left) {
        const struct ovsdb_row *row = ovsdb_replica_find(
            view->db, HVDB_T_INTERFACE, &node->uuid);

        if (row) {
            iface = find_iface(view, ovsdb_row_get_string(
                                   row, HVDB_INTERFACE_NAME, 0));
            if (iface && !iface_is_current(view, iface)) {
                remove_iface(view, iface);
            }
        }
    }
    uuidset_destroy(&left);
}

/* First what is there, then what is gone, see update_iface(). */
static void
process_interfaces(struct hvdb_view *view,
                   const struct ovsdb_changes *changes)
{
    for (size_t i = 0; i < changes->n; i++) {
        const struct ovsdb_change *c = &changes->array[i];

        if (c->table == HVDB_T_INTERFACE && c->new
            && uuidset_contains(&view->members, &c->new->uuid)) {
            update_iface(view, &c->new->uuid);
        }
    }
    for (size_t i = 0; i < changes->n; i++) {
        const struct ovsdb_change *c = &changes->array[i];

        if (c->table == HVDB_T_INTERFACE && c->old
            && (!c->new
                || !ovsdb_row_equal(c->old, c->new, HVDB_INTERFACE_NAME))) {
            drop_iface(view, c->old);
        }
    }
}

/* Facts. */

/* Makes '*s' be 'value', noting if that is a change. */
static void
update_string(struct hvdb_view *view, char **s, const char *value)
{
    if (!nullable_string_is_equal(*s, value)) {
        free(*s);
        *s = nullable_xstrdup(value);
        view->facts_changed = true;
    }
}

static void
update_external_ids(struct hvdb_view *view, const struct ovsdb_row *ovs)
{
    struct smap ids = SMAP_INITIALIZER(&ids);

    if (ovs) {
        ovsdb_row_get_map(ovs, HVDB_OVS_EXTERNAL_IDS, &ids);
    }
    if (!smap_equal(&ids, &view->external_ids)) {
        hmap_swap(&ids.map, &view->external_ids.map);
        view->facts_changed = true;
    }
    smap_destroy(&ids);
}

static void
update_datapath_id(struct hvdb_view *view)
{
    const struct ovsdb_row *bridge = hvdb_view_find_bridge(view);
    const char *s = (bridge
                     ? ovsdb_row_first_string(bridge, HVDB_BRIDGE_DATAPATH_ID)
                     : NULL);
    unsigned long long int id;

    if (!s || !str_to_ullong(s, 16, &id)) {
        id = 0;
    }
    if (id != view->datapath_id) {
        view->datapath_id = id;
        view->facts_changed = true;
    }
}

/* Several managers may be up; the least target is taken, so that it is always
 * the same.  A target that is listened on ("ptcp:", "pssl:", "punix:") counts
 * as connected, too, and leads nowhere. */
static void
update_manager_target(struct hvdb_view *view)
{
    const struct ovsdb_row *row;
    const char *least = NULL;

    HMAP_FOR_EACH (row, node,
                   ovsdb_replica_get_rows(view->db, HVDB_T_MANAGER)) {
        const char *target = ovsdb_row_get_string(row, HVDB_MANAGER_TARGET, 0);

        if (ovsdb_row_get_boolean(row, HVDB_MANAGER_IS_CONNECTED, 0)
            && target[0] != 'p'
            && (!least || strcmp(target, least) < 0)) {
            least = target;
        }
    }
    update_string(view, &view->manager_target, least);
}

const struct ovsdb_row *
hvdb_view_find_ovs(const struct hvdb_view *view)
{
    const struct hmap_node *node = hmap_first(
        ovsdb_replica_get_rows(view->db, HVDB_T_OVS));

    return node ? CONTAINER_OF(node, struct ovsdb_row, node) : NULL;
}

static void
update_facts(struct hvdb_view *view)
{
    const struct ovsdb_row *ovs = hvdb_view_find_ovs(view);

    update_external_ids(view, ovs);
    update_string(view, &view->ovs_version,
                  ovs ? ovsdb_row_first_string(ovs, HVDB_OVS_OVS_VERSION)
                  : NULL);
    update_datapath_id(view);
    update_manager_target(view);
}

/* Changes. */

static void
note_our_port(struct hvdb_view *view, const struct ovsdb_row *old,
              const struct ovsdb_row *new)
{
    if (old && uuidset_find_and_delete(&view->ours, &old->uuid)) {
        view->dirty = true;
    }
    if (new && hvdb_plan_is_our_port(new)) {
        uuidset_insert(&view->ours, &new->uuid);
        view->dirty = true;
    }
}

/* Returns true if the set of ports of the wanted bridge changed. */
static bool
note_bridge(struct hvdb_view *view, const struct ovsdb_row *old,
            const struct ovsdb_row *new)
{
    if (view->bridge_name && new
        && !strcmp(ovsdb_row_get_string(new, HVDB_BRIDGE_NAME, 0),
                   view->bridge_name)) {
        bool same = uuid_equals(&view->bridge, &new->uuid);

        view->bridge = new->uuid;
        view->dirty = true;
        return (!same || !old
                || !ovsdb_row_equal(old, new, HVDB_BRIDGE_PORTS));
    } else if (old && uuid_equals(&view->bridge, &old->uuid)) {
        uuid_zero(&view->bridge);
        view->dirty = true;
        return true;
    }
    return false;
}

/* Notes what follows from a change for the state of 'view' before anything is
 * reported.  Returns true if the set of ports of the bridge changed. */
static bool
note_change(struct hvdb_view *view, const struct ovsdb_change *c)
{
    const struct ovsdb_row *row = c->new ? c->new : c->old;
    struct iface *iface;

    switch ((enum hvdb_table_id) c->table) {
    case HVDB_T_BRIDGE:
        return note_bridge(view, c->old, c->new);

    case HVDB_T_PORT:
        note_our_port(view, c->old, c->new);
        break;

    case HVDB_T_INTERFACE:
        iface = find_iface(view, ovsdb_row_get_string(
                               row, HVDB_INTERFACE_NAME, 0));
        if (iface && (iface->up.watch || hvdb_view_is_tunnel(&iface->up))) {
            view->dirty = true;
        }
        break;

    case HVDB_T_OVS:
    case HVDB_T_CONTROLLER:
    case HVDB_T_MANAGER:
    case HVDB_T_FLOW_TABLE:
        view->dirty = true;
        break;

    case HVDB_N_TABLES:
    default:
        break;
    }
    return false;
}

void
hvdb_view_process(struct hvdb_view *view, const struct ovsdb_changes *changes)
{
    bool facts = false, walk = false;

    for (size_t i = 0; i < changes->n; i++) {
        const struct ovsdb_change *c = &changes->array[i];

        walk |= note_change(view, c);
        facts |= (c->table == HVDB_T_OVS || c->table == HVDB_T_BRIDGE
                  || c->table == HVDB_T_MANAGER);
    }
    if (walk) {
        walk_bridge(view);
    } else {
        for (size_t i = 0; i < changes->n; i++) {
            const struct ovsdb_change *c = &changes->array[i];
            const struct ovsdb_row *row = c->new ? c->new : c->old;

            if (c->table == HVDB_T_PORT
                && uuidset_contains(&view->ports, &row->uuid)) {
                process_port(view, c->old, c->new);
            }
        }
    }
    process_interfaces(view, changes);
    if (facts) {
        update_facts(view);
    }
}

/* Life. */

void
hvdb_view_init(struct hvdb_view *view,
               void (*interface_changed)(const struct hvdb_interface *,
                                         const struct hvdb_interface *,
                                         void *aux), void *aux)
{
    memset(view, 0, sizeof *view);
    view->interface_changed = interface_changed;
    view->aux = aux;
    uuidset_init(&view->ports);
    uuidset_init(&view->members);
    uuidset_init(&view->ours);
    hmap_init(&view->interfaces);
    smap_init(&view->external_ids);
}

void
hvdb_view_uninit(struct hvdb_view *view)
{
    struct iface *iface;

    HMAP_FOR_EACH_POP (iface, up.name_node, &view->interfaces) {
        interface_uninit(&iface->up);
        free(iface);
    }
    hmap_destroy(&view->interfaces);
    uuidset_destroy(&view->ports);
    uuidset_destroy(&view->members);
    uuidset_destroy(&view->ours);
    smap_destroy(&view->external_ids);
    ovsdb_replica_destroy(view->db);
    free(view->bridge_name);
    free(view->ovs_version);
    free(view->manager_target);
}

void
hvdb_view_set_db(struct hvdb_view *view, struct ovsdb_replica *db)
{
    const struct ovsdb_row *row;

    ovsdb_replica_destroy(view->db);
    view->db = db;
    view->dirty = true;
    uuidset_clear(&view->members);
    uuidset_clear(&view->ours);
    HMAP_FOR_EACH (row, node, ovsdb_replica_get_rows(db, HVDB_T_PORT)) {
        note_our_port(view, NULL, row);
    }
    search_bridge(view);
    walk_bridge(view);
    update_facts(view);
}

void
hvdb_view_set_bridge(struct hvdb_view *view, const char *name, bool sync)
{
    free(view->bridge_name);
    view->bridge_name = xstrdup(name);
    if (sync) {
        search_bridge(view);
        walk_bridge(view);
        update_facts(view);
    }
}

const struct hvdb_interface *
hvdb_view_find_interface(const struct hvdb_view *view, const char *name)
{
    const struct iface *iface = find_iface(view, name);

    return iface ? &iface->up : NULL;
}
