/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "db-private.h"

#include <stdlib.h>

#include "util.h"

/* From status that has been kept for the next transaction to its rows. */

static const char *
or_empty(const char *s)
{
    return s ? s : "";
}

static void
apply_nve(struct db *db, const struct write *w)
{
    const struct nvarec_nve *row = nvarec_nve_get_for_uuid(db->idl, &w->uuid);

    if (row) {
        nvarec_nve_set_connected(row, w->flags[0]);
        nvarec_nve_set_synced(row, w->flags[1]);
        if (w->strings[0]) {
            nvarec_nve_set_ovs_version(row, w->strings[0]);
        }
        nvarec_nve_set_error(row, or_empty(w->strings[1]));
        nvarec_nve_set_n_flows(row, w->number);
    }
}

static void
apply_port(struct db *db, const struct write *w)
{
    const struct nvarec_port *row = nvarec_port_get_for_uuid(db->idl,
                                                             &w->uuid);

    if (row) {
        nvarec_port_set_nve(row, w->strings[0]);
        nvarec_port_set_state(row, w->strings[1]);
        nvarec_port_set_error(row, or_empty(w->strings[2]));
        nvarec_port_set_served_by(row, or_empty(w->strings[3]));
        nvarec_port_set_spoofed(row, w->number);
    }
}

/* The contents of a column of type "map of string to integer". */
struct integers {
    const char **keys;
    int64_t *values;
    size_t n;
};

/* Takes 'map' apart.  The caller must free the arrays, not the keys. */
static struct integers
get_integers(const struct smap *map)
{
    size_t n = smap_count(map);
    struct integers ints = {
        .keys = xmalloc(MAX(1, n) * sizeof *ints.keys),
        .values = xmalloc(MAX(1, n) * sizeof *ints.values),
    };
    struct smap_node *node;

    SMAP_FOR_EACH (node, map) {
        ints.keys[ints.n] = node->key;
        ints.values[ints.n++] = strtoll(node->value, NULL, 10);
    }
    return ints;
}

static void
free_integers(struct integers *ints)
{
    free(ints->keys);
    free(ints->values);
}

static void
apply_migration(struct db *db, const struct write *w)
{
    const struct nvarec_migration *row;
    struct integers times, counters;
    const char **names;

    row = nvarec_migration_get_for_uuid(db->idl, &w->uuid);
    if (!row) {
        return;
    }
    times = get_integers(&w->maps[0]);
    counters = get_integers(&w->maps[1]);
    names = sset_array(&w->set);
    nvarec_migration_set_old_nve(row, or_empty(w->strings[0]));
    nvarec_migration_set_phase(row, w->strings[1]);
    nvarec_migration_set_triggered_by(row, or_empty(w->strings[2]));
    nvarec_migration_set_error(row, or_empty(w->strings[3]));
    nvarec_migration_set_slowest_peer(row, or_empty(w->strings[4]));
    if (!row->kind[0]) {
        nvarec_migration_set_kind(row, "hot");
    }
    if (!row->trigger[0]) {
        nvarec_migration_set_trigger(row, "announce");
    }
    nvarec_migration_set_times(row, times.keys, times.values, times.n);
    nvarec_migration_set_counters(row, counters.keys, counters.values,
                                  counters.n);
    nvarec_migration_set_waiting_for(row, names, sset_count(&w->set));
    free_integers(&times);
    free_integers(&counters);
    free(names);
}

static void
apply_evacuation(struct db *db, const struct write *w)
{
    const struct nvarec_evacuation *row;
    struct integers times, counters;
    const char **names;

    row = nvarec_evacuation_get_for_uuid(db->idl, &w->uuid);
    if (!row) {
        return;
    }
    times = get_integers(&w->maps[0]);
    counters = get_integers(&w->maps[1]);
    names = sset_array(&w->set);
    nvarec_evacuation_set_phase(row, w->strings[0]);
    nvarec_evacuation_set_error(row, or_empty(w->strings[1]));
    nvarec_evacuation_set_times(row, times.keys, times.values, times.n);
    nvarec_evacuation_set_counters(row, counters.keys, counters.values,
                                   counters.n);
    nvarec_evacuation_set_waiting_for(row, names, sset_count(&w->set));
    free_integers(&times);
    free_integers(&counters);
    free(names);
}

/* The row may be there already, if the answer to the first attempt was
 * lost. */
static void
apply_add_migration(struct db *db, const struct write *w)
{
    const struct nvarec_evacuation *evacuation;
    const struct nvarec_migration *row;

    if (nvarec_migration_get_for_uuid(db->idl, &w->uuid)) {
        return;
    }
    evacuation = nvarec_evacuation_get_for_uuid(db->idl, &w->evacuation);
    row = nvarec_migration_insert_persist_uuid(db->txn, &w->uuid);
    nvarec_migration_set_port(row, w->strings[0]);
    nvarec_migration_set_new_nve(row, w->strings[1]);
    nvarec_migration_set_kind(row, w->strings[2]);
    nvarec_migration_set_trigger(row, w->strings[3]);
    nvarec_migration_set_phase(row, "requested");
    nvarec_migration_set_evacuation(row, evacuation);
}

static void
apply_add_nve(struct db *db, const struct write *w)
{
    const struct nvarec_nve *row;
    const char **ips;

    NVAREC_NVE_FOR_EACH (row, db->idl) {
        if (!strcmp(row->name, w->strings[0])) {
            return;
        }
    }
    row = nvarec_nve_insert(db->txn);
    nvarec_nve_set_name(row, w->strings[0]);
    nvarec_nve_set_encap_type(row, w->strings[1]);
    nvarec_nve_set_bridge(row, w->strings[2]);
    nvarec_nve_set_dynamic(row, true);
    ips = sset_array(&w->set);
    nvarec_nve_set_encap_ips(row, ips, sset_count(&w->set));
    free(ips);
}

void
db_apply__(struct db *db, const struct write *w)
{
    const struct nvarec_virtual_network *vn;
    const struct nvarec_nva_global *global;
    const struct nvarec_gateway *gateway;
    const struct nvarec_migration *migration;

    switch (w->type) {
    case WRITE_NVE:
        apply_nve(db, w);
        break;
    case WRITE_VN_ERROR:
        vn = nvarec_virtual_network_get_for_uuid(db->idl, &w->uuid);
        if (vn) {
            nvarec_virtual_network_set_error(vn, or_empty(w->strings[0]));
        }
        break;
    case WRITE_GATEWAY:
        gateway = nvarec_gateway_get_for_uuid(db->idl, &w->uuid);
        if (gateway) {
            nvarec_gateway_set_state(gateway,
                                     w->flags[0] ? "active" : "refused");
            nvarec_gateway_set_error(gateway, or_empty(w->strings[0]));
        }
        break;
    case WRITE_PORT:
        apply_port(db, w);
        break;
    case WRITE_MIGRATION:
        apply_migration(db, w);
        break;
    case WRITE_NVE_CFG:
        global = nvarec_nva_global_first(db->idl);
        if (global) {
            nvarec_nva_global_set_nve_cfg(global, w->number);
        }
        break;
    case WRITE_EVACUATION:
        apply_evacuation(db, w);
        break;
    case WRITE_ADD_NVE:
        apply_add_nve(db, w);
        break;
    case WRITE_ADD_MIGRATION:
        apply_add_migration(db, w);
        break;
    case WRITE_DELETE_MIGRATION:
        migration = nvarec_migration_get_for_uuid(db->idl, &w->uuid);
        if (migration) {
            nvarec_migration_delete(migration);
        }
        break;
    default:
        OVS_NOT_REACHED();
    }
}
