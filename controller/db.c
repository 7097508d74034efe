/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "db-private.h"

#include <errno.h>
#include <stdlib.h>

#include "coverage.h"
#include "hash.h"
#include "openvswitch/hmap.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "util.h"
#include "uuid.h"

VLOG_DEFINE_THIS_MODULE(db);
COVERAGE_DEFINE(db_txn);
COVERAGE_DEFINE(db_txn_again);

struct db *
db_create(const char *remote, const struct db_class *class, void *aux)
{
    struct db *db = xzalloc(sizeof *db);

    db->class = class;
    db->aux = aux;
    db->seqno = 1;
    hmap_init(&db->pending);
    db->idl = ovsdb_idl_create(remote, &nvarec_idl_class, true, true);
    ovsdb_idl_omit(db->idl, &nvarec_nva_global_col_external_ids);
    ovsdb_idl_track_add_all(db->idl);
    ovsdb_idl_set_write_changed_only_all(db->idl, true);
    ovsdb_idl_set_lock(db->idl, "nva_controller");
    return db;
}

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

void
db_destroy(struct db *db)
{
    struct write *w;

    if (db) {
        if (db->txn) {
            ovsdb_idl_txn_destroy(db->txn);
        }
        HMAP_FOR_EACH_POP (w, node, &db->pending) {
            free_write(w);
        }
        hmap_destroy(&db->pending);
        ovsdb_idl_destroy(db->idl);
        free(db);
    }
}

bool
db_is_connected(const struct db *db)
{
    return ovsdb_idl_is_connected(db->idl);
}

/* Reading. */

static void
report_nve(struct db *db, const struct nvarec_nve *row)
{
    db->class->nve(&(struct db_nve) {
        .uuid = row->header_.uuid,
        .name = row->name,
        .encap_type = row->encap_type,
        .encap_ips = row->encap_ips,
        .n_encap_ips = row->n_encap_ips,
        .ovsdb = row->ovsdb,
        .openflow = row->openflow,
        .bridge = row->bridge,
        .datapath_type = row->datapath_type,
    }, db->aux);
}

static void
report_vn(struct db *db, const struct nvarec_virtual_network *row)
{
    db->class->vn(&(struct db_vn) {
        .uuid = row->header_.uuid,
        .name = row->name,
        .vni = row->vni,
        .options = &row->options,
    }, db->aux);
}

/* Read maps of integers to strings, and of strings to integers, as smaps. */
static void
read_policy(const struct nvarec_gateway *row, struct smap *policy)
{
    smap_init(policy);
    for (size_t i = 0; i < row->n_policy; i++) {
        smap_add_nocopy(policy, xasprintf("%"PRId64, row->key_policy[i]),
                        xstrdup(row->value_policy[i]));
    }
}

static void
read_metrics(const struct nvarec_gateway *row, struct smap *metrics)
{
    smap_init(metrics);
    for (size_t i = 0; i < row->n_metrics; i++) {
        smap_add_format(metrics, row->key_metrics[i], "%"PRId64,
                        row->value_metrics[i]);
    }
}

static void
report_gateway(struct db *db, const struct nvarec_gateway *row)
{
    struct smap policy, metrics;
    struct uuid *vns;

    if (!row->vn) {
        return;                 /* On its way out. */
    }
    read_policy(row, &policy);
    read_metrics(row, &metrics);
    vns = xmalloc(MAX(1, row->n_vns) * sizeof *vns);
    for (size_t i = 0; i < row->n_vns; i++) {
        vns[i] = row->vns[i]->header_.uuid;
    }
    db->class->gateway(&(struct db_gateway) {
        .uuid = row->header_.uuid,
        .name = row->name,
        .vn = row->vn->header_.uuid,
        .nve = row->nve,
        .mac = row->mac,
        .ips = row->ips,
        .n_ips = row->n_ips,
        .metric = row->metric,
        .metrics = &metrics,
        .vns = vns,
        .n_vns = row->n_vns,
        .policy = &policy,
        .uplink = row->uplink,
        .uplink_ips = row->uplink_ips,
        .n_uplink_ips = row->n_uplink_ips,
        .next_hops = row->next_hops,
        .n_next_hops = row->n_next_hops,
        .options = &row->options,
    }, db->aux);
    smap_destroy(&policy);
    smap_destroy(&metrics);
    free(vns);
}

static void
report_port(struct db *db, const struct nvarec_port *row)
{
    if (!row->vn) {
        return;                 /* On its way out. */
    }
    db->class->port(&(struct db_port) {
        .uuid = row->header_.uuid,
        .name = row->name,
        .vn = row->vn->header_.uuid,
        .mac = row->mac,
        .ips = row->ips,
        .n_ips = row->n_ips,
        .port_security = row->port_security,
        .gateway = row->gateway,
        .served_by = row->served_by,
        .nve = row->nve,
        .n_spoofed = row->spoofed,
    }, db->aux);
}

static void
report_migration(struct db *db, const struct nvarec_migration *row)
{
    long long int last_time = 0;

    for (size_t i = 0; i < row->n_times; i++) {
        last_time = MAX(last_time, row->value_times[i]);
    }
    db->class->migration(&(struct db_migration) {
        .uuid = row->header_.uuid,
        .port = row->port,
        .new_nve = row->new_nve,
        .old_nve = row->old_nve,
        .kind = row->kind,
        .trigger = row->trigger,
        .request = row->request,
        .phase = row->phase,
        .last_time = last_time,
        .evacuation = (row->evacuation ? row->evacuation->header_.uuid
                       : UUID_ZERO),
    }, db->aux);
}

/* Returns the value of 'key' in a column of type "map of string to integer",
 * 0 if there is none. */
static int64_t
find_integer(char *const keys[], const int64_t values[], size_t n,
             const char *key)
{
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(keys[i], key)) {
            return values[i];
        }
    }
    return 0;
}

static void
report_evacuation(struct db *db, const struct nvarec_evacuation *row)
{
    db->class->evacuation(&(struct db_evacuation) {
        .uuid = row->header_.uuid,
        .nve = row->nve,
        .to = row->to,
        .n_to = row->n_to,
        .parallel = row->n_parallel ? row->parallel[0] : 0,
        .trigger = row->trigger,
        .request = row->request,
        .phase = row->phase,
        .n_moved = find_integer(row->key_counters, row->value_counters,
                                row->n_counters, "moved"),
        .started = find_integer(row->key_times, row->value_times,
                                row->n_times, "started"),
    }, db->aux);
}

static void
report_global(struct db *db, const struct nvarec_nva_global *row)
{
    db->class->global(&(struct db_global) {
        .nb_cfg = row->nb_cfg,
        .options = &row->options,
    }, db->aux);
}

/* Reports the ports that have been refused, or the others. */
static void
report_ports(struct db *db, bool refused)
{
    const struct nvarec_port *port;

    NVAREC_PORT_FOR_EACH (port, db->idl) {
        if (refused == (port->error[0] && !strcmp(port->state, "unbound"))) {
            report_port(db, port);
        }
    }
}

#define REPORT_ALL(TABLE, NAME, WHAT)                   \
    do {                                                \
        const struct nvarec_##NAME *row;                \
        NVAREC_##TABLE##_FOR_EACH (row, db->idl) {      \
            report_##WHAT(db, row);                     \
        }                                               \
    } while (0)

static void
report_all(struct db *db)
{
    REPORT_ALL(NVA_GLOBAL, nva_global, global);
    REPORT_ALL(NVE, nve, nve);
    REPORT_ALL(VIRTUAL_NETWORK, virtual_network, vn);
    REPORT_ALL(GATEWAY, gateway, gateway);
    report_ports(db, false);
    report_ports(db, true);     /* After those who may have what they want. */
    REPORT_ALL(EVACUATION, evacuation, evacuation);
    REPORT_ALL(MIGRATION, migration, migration);
}

/* Reports the rows of one table that have been deleted, or the others that
 * have changed. */
#define REPORT_DELETED(TABLE, NAME, WHAT)                               \
    do {                                                                \
        const struct nvarec_##NAME *row;                                \
                                                                        \
        NVAREC_##TABLE##_FOR_EACH_TRACKED (row, db->idl) {              \
            if (nvarec_##NAME##_is_deleted(row)) {                      \
                db->class->WHAT##_deleted(&row->header_.uuid, db->aux); \
            }                                                           \
        }                                                               \
    } while (0)
#define REPORT_CHANGED(TABLE, NAME, WHAT)                               \
    do {                                                                \
        const struct nvarec_##NAME *row;                                \
                                                                        \
        NVAREC_##TABLE##_FOR_EACH_TRACKED (row, db->idl) {              \
            if (!nvarec_##NAME##_is_deleted(row)) {                     \
                report_##WHAT(db, row);                                 \
            }                                                           \
        }                                                               \
    } while (0)

static void
report_changes(struct db *db)
{
    REPORT_DELETED(MIGRATION, migration, migration);
    REPORT_DELETED(EVACUATION, evacuation, evacuation);
    REPORT_DELETED(PORT, port, port);
    REPORT_DELETED(GATEWAY, gateway, gateway);
    REPORT_DELETED(VIRTUAL_NETWORK, virtual_network, vn);
    REPORT_DELETED(NVE, nve, nve);

    REPORT_CHANGED(NVE, nve, nve);
    REPORT_CHANGED(VIRTUAL_NETWORK, virtual_network, vn);
    REPORT_CHANGED(GATEWAY, gateway, gateway);
    REPORT_CHANGED(PORT, port, port);
    REPORT_CHANGED(EVACUATION, evacuation, evacuation);
    REPORT_CHANGED(MIGRATION, migration, migration);
    REPORT_CHANGED(NVA_GLOBAL, nva_global, global);
}

/* Writing. */

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
 * not been sent. */
static struct write *
add_write(struct db *db, enum write_type type, const struct uuid *uuid)
{
    struct write *w = find_write(db, type, uuid);

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
db_write_gateway(struct db *db, const struct uuid *uuid, bool active,
                 const char *error)
{
    struct write *w = add_write(db, WRITE_GATEWAY, uuid);

    w->flags[0] = active;
    w->strings[0] = nullable_xstrdup(error);
    return db->seqno;
}

uint64_t
db_write_port(struct db *db, const struct uuid *uuid,
              const struct db_port_status *status)
{
    struct write *w = add_write(db, WRITE_PORT, uuid);

    w->strings[0] = nullable_xstrdup(status->nve);
    w->strings[1] = xstrdup(status->state);
    w->strings[2] = nullable_xstrdup(status->error);
    w->strings[3] = nullable_xstrdup(status->served_by);
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
    struct write *w = add_write(db, WRITE_MIGRATION, uuid);

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

static void
start_txn(struct db *db)
{
    struct write *w;

    COVERAGE_INC(db_txn);
    db->txn = ovsdb_idl_txn_create(db->idl);
    HMAP_FOR_EACH (w, node, &db->pending) {
        w->sent = true;
        if (w->type != WRITE_DELETE_MIGRATION) {
            db_apply__(db, w);
        }
    }
    /* Last, because what is deleted cannot be written to. */
    HMAP_FOR_EACH (w, node, &db->pending) {
        if (w->type == WRITE_DELETE_MIGRATION) {
            db_apply__(db, w);
        }
    }
}

/* Forgets what has been written or, if 'again', what has been replaced since
 * by something newer. */
static void
finish_txn(struct db *db, bool again)
{
    struct write *w;

    ovsdb_idl_txn_destroy(db->txn);
    db->txn = NULL;
    HMAP_FOR_EACH_SAFE (w, node, &db->pending) {
        if (w->sent && (!again || find_write(db, w->type, &w->uuid))) {
            hmap_remove(&db->pending, &w->node);
            free_write(w);
        } else {
            w->sent = false;
        }
    }
    if (!again) {
        db->class->written(db->txn_seqno, db->aux);
    }
}

static void
run_txn(struct db *db)
{
    enum ovsdb_idl_txn_status status;
    char *error;

    if (!db->txn) {
        if (hmap_is_empty(&db->pending) || !ovsdb_idl_is_connected(db->idl)) {
            return;
        }
        start_txn(db);
        /* What is added from now on belongs to the next transaction. */
        db->txn_seqno = db->seqno++;
    }

    status = ovsdb_idl_txn_commit(db->txn);
    switch (status) {
    case TXN_INCOMPLETE:
        break;
    case TXN_SUCCESS:
    case TXN_UNCHANGED:
        finish_txn(db, false);
        break;
    case TXN_TRY_AGAIN:
    case TXN_NOT_LOCKED:
        COVERAGE_INC(db_txn_again);
        finish_txn(db, true);
        break;
    case TXN_ERROR:
    case TXN_ABORTED:
    case TXN_UNCOMMITTED:
    default:
        error = xasprintf("writing status: %s (%s)",
                          ovsdb_idl_txn_status_to_string(status),
                          ovsdb_idl_txn_get_error(db->txn));
        finish_txn(db, false);
        db->class->refused(error, db->aux);
        free(error);
        break;
    }
}

bool
db_run(struct db *db)
{
    ovsdb_idl_run(db->idl);
    if (!db->primed) {
        if (!ovsdb_idl_has_ever_connected(db->idl)
            || !ovsdb_idl_has_lock(db->idl)) {
            if (ovsdb_idl_is_lock_contended(db->idl) && !db->warned) {
                VLOG_INFO("another controller holds the lock of the NVA "
                          "database; standing by");
                db->warned = true;
            }
            return false;
        }
        db->primed = true;
        ovsdb_idl_track_clear(db->idl);
        report_all(db);
    } else {
        report_changes(db);
        if (nvarec_port_track_get_first(db->idl)) {
            report_ports(db, true); /* The reason may be gone. */
        }
        ovsdb_idl_track_clear(db->idl);
    }
    run_txn(db);
    return true;
}

void
db_wait(struct db *db)
{
    ovsdb_idl_wait(db->idl);
    if (db->txn) {
        ovsdb_idl_txn_wait(db->txn);
    } else if (db->primed && !hmap_is_empty(&db->pending)
               && ovsdb_idl_is_connected(db->idl)) {
        poll_immediate_wake();
    }
}
