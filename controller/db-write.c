/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* The status of rows, from when it is known until it is in the database. */

#include "db-private.h"

#include <stdlib.h>

#include "clock.h"
#include "hash.h"
#include "util.h"
#include "uuid.h"

/* How long a status that is only passing may wait, in ms. */
#define LAZY_MS 200

enum write_type {
    WRITE_NVE,
    WRITE_VN_ERROR,
    WRITE_GATEWAY,
    WRITE_PORT,
    WRITE_MIGRATION,
    WRITE_NVE_CFG,
    WRITE_EVACUATION,
    WRITE_ADD_NVE,
    WRITE_ADD_MIGRATION,
    WRITE_DELETE_MIGRATION
};

/* A row's status that is not in the database yet. */
struct write {
    struct hmap_node node;      /* In db's 'pending', by 'uuid' and 'type'. */
    enum write_type type;
    struct uuid uuid;
    struct uuid evacuation;     /* For WRITE_ADD_MIGRATION. */
    bool sent;                  /* In the transaction that is under way. */

    char *strings[5];           /* As the type needs them. */
    bool flags[2];
    int64_t number;
    struct smap maps[2];
    struct sset set;
};

static void
free_write(struct write *w)
{
    for (size_t i = 0; i < ARRAY_SIZE(w->strings); i++) {
        free(w->strings[i]);
    }
    smap_destroy(&w->maps[0]);
    smap_destroy(&w->maps[1]);
    sset_destroy(&w->set);
    free(w);
}

static struct write *
find_write(struct db *db, enum write_type type, const struct uuid *uuid)
{
    struct write *w;

    HMAP_FOR_EACH_WITH_HASH (w, node, hash_int(type, uuid_hash(uuid)),
                             &db->pending) {
        if (w->type == type && !w->sent && uuid_equals(&w->uuid, uuid)) {
            return w;
        }
    }
    return NULL;
}

/* Returns an empty record for the status of a row, which replaces one that has
 * not been sent, and is sent in 'ms' at the latest. */
static struct write *
add_write_within(struct db *db, enum write_type type, const struct uuid *uuid,
                 unsigned int ms)
{
    struct write *w = find_write(db, type, uuid);

    db->send_at = MIN(db->send_at, clock_msec() + ms);
    if (w) {
        hmap_remove(&db->pending, &w->node);
        free_write(w);
    }
    w = xzalloc(sizeof *w);
    w->type = type;
    w->uuid = *uuid;
    smap_init(&w->maps[0]);
    smap_init(&w->maps[1]);
    sset_init(&w->set);
    hmap_insert(&db->pending, &w->node, hash_int(type, uuid_hash(uuid)));
    return w;
}

static struct write *
add_write(struct db *db, enum write_type type, const struct uuid *uuid)
{
    return add_write_within(db, type, uuid, 0);
}

uint64_t
db_write_nve(struct db *db, const struct uuid *uuid,
             const struct db_nve_status *status)
{
    struct write *w = add_write(db, WRITE_NVE, uuid);

    w->flags[0] = status->connected;
    w->flags[1] = status->synced;
    w->strings[0] = nullable_xstrdup(status->ovs_version);
    w->strings[1] = nullable_xstrdup(status->error);
    w->number = status->n_flows;
    return db->seqno;
}

uint64_t
db_write_vn_error(struct db *db, const struct uuid *uuid, const char *error)
{
    struct write *w = add_write(db, WRITE_VN_ERROR, uuid);

    w->strings[0] = nullable_xstrdup(error);
    return db->seqno;
}

uint64_t
db_write_gateway(struct db *db, const struct uuid *uuid, const char *state,
                 const char *outside, const char *error)
{
    struct write *w = add_write(db, WRITE_GATEWAY, uuid);

    w->strings[0] = nullable_xstrdup(error);
    w->strings[1] = xstrdup(state);
    w->strings[2] = xstrdup(outside);
    return db->seqno;
}

uint64_t
db_write_port(struct db *db, const struct uuid *uuid,
              const struct db_port_status *status)
{
    struct write *w = add_write_within(db, WRITE_PORT, uuid,
                                       status->lazy ? LAZY_MS : 0);

    w->strings[0] = nullable_xstrdup(status->nve);
    w->strings[1] = xstrdup(status->state);
    w->strings[2] = nullable_xstrdup(status->error);
    w->strings[3] = nullable_xstrdup(status->served_by);
    w->strings[4] = nullable_xstrdup(status->served_before);
    w->number = status->n_spoofed;
    return db->seqno;
}

static void
put_progress(struct write *w, const struct smap *times,
             const struct smap *counters, const struct sset *waiting_for)
{
    smap_destroy(&w->maps[0]);
    smap_clone(&w->maps[0], times);
    smap_destroy(&w->maps[1]);
    smap_clone(&w->maps[1], counters);
    sset_destroy(&w->set);
    sset_clone(&w->set, waiting_for);
}

uint64_t
db_write_migration(struct db *db, const struct uuid *uuid,
                   const struct db_migration_status *status)
{
    struct write *w = add_write_within(db, WRITE_MIGRATION, uuid,
                                       status->lazy ? LAZY_MS : 0);

    w->strings[0] = nullable_xstrdup(status->old_nve);
    w->strings[1] = xstrdup(status->phase);
    w->strings[2] = nullable_xstrdup(status->triggered_by);
    w->strings[3] = nullable_xstrdup(status->error);
    w->strings[4] = nullable_xstrdup(status->slowest_peer);
    put_progress(w, &status->times, &status->counters, &status->waiting_for);
    return db->seqno;
}

uint64_t
db_write_evacuation(struct db *db, const struct uuid *uuid,
                    const struct db_evacuation_status *status)
{
    struct write *w = add_write(db, WRITE_EVACUATION, uuid);

    w->strings[0] = xstrdup(status->phase);
    w->strings[1] = nullable_xstrdup(status->error);
    put_progress(w, &status->times, &status->counters, &status->waiting_for);
    return db->seqno;
}

uint64_t
db_write_nve_cfg(struct db *db, int64_t nve_cfg)
{
    struct write *w = add_write(db, WRITE_NVE_CFG, &UUID_ZERO);

    w->number = nve_cfg;
    return db->seqno;
}

uint64_t
db_add_nve(struct db *db, const struct db_nve *nve)
{
    struct uuid uuid = { .parts = { hash_string(nve->name, 0) } };
    struct write *w = add_write(db, WRITE_ADD_NVE, &uuid);

    w->strings[0] = xstrdup(nve->name);
    w->strings[1] = xstrdup(nve->encap_type);
    w->strings[2] = xstrdup(nve->bridge);
    for (size_t i = 0; i < nve->n_encap_ips; i++) {
        sset_add(&w->set, nve->encap_ips[i]);
    }
    return db->seqno;
}

uint64_t
db_add_migration(struct db *db, const struct db_migration *m)
{
    struct write *w = add_write(db, WRITE_ADD_MIGRATION, &m->uuid);

    w->strings[0] = xstrdup(m->port);
    w->strings[1] = xstrdup(m->new_nve);
    w->strings[2] = xstrdup(m->kind);
    w->strings[3] = xstrdup(m->trigger);
    w->evacuation = m->evacuation;
    return db->seqno;
}

uint64_t
db_delete_migration(struct db *db, const struct uuid *uuid)
{
    add_write(db, WRITE_DELETE_MIGRATION, uuid);
    return db->seqno;
}

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
        nvarec_port_set_served_before(row, or_empty(w->strings[4]));
        nvarec_port_set_spoofed(row, w->number);
    }
}

static void
apply_gateway(struct db *db, const struct write *w)
{
    const struct nvarec_gateway *row;

    row = nvarec_gateway_get_for_uuid(db->idl, &w->uuid);
    if (row) {
        nvarec_gateway_set_state(row, w->strings[1]);
        nvarec_gateway_set_outside(row, w->strings[2]);
        nvarec_gateway_set_error(row, or_empty(w->strings[0]));
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

static void
apply_write(struct db *db, const struct write *w)
{
    const struct nvarec_virtual_network *vn;
    const struct nvarec_nva_global *global;
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
        apply_gateway(db, w);
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

void
db_apply_pending(struct db *db)
{
    struct write *w;

    HMAP_FOR_EACH (w, node, &db->pending) {
        w->sent = true;
        if (w->type != WRITE_DELETE_MIGRATION) {
            apply_write(db, w);
        }
    }
    /* Last, because what is deleted cannot be written to. */
    HMAP_FOR_EACH (w, node, &db->pending) {
        if (w->type == WRITE_DELETE_MIGRATION) {
            apply_write(db, w);
        }
    }
}

void
db_forget_pending(struct db *db, bool again)
{
    struct write *w;

    HMAP_FOR_EACH_SAFE (w, node, &db->pending) {
        if (w->sent && (!again || find_write(db, w->type, &w->uuid))) {
            hmap_remove(&db->pending, &w->node);
            free_write(w);
        } else {
            w->sent = false;
        }
    }
}

void
db_drop_pending(struct db *db)
{
    struct write *w;

    HMAP_FOR_EACH_POP (w, node, &db->pending) {
        free_write(w);
    }
}
