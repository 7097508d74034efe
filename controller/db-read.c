/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* From rows of the NVA database to what db.h reports. */

#include "db-private.h"

#include <stdlib.h>

#include "openvswitch/hmap.h"
#include "util.h"
#include "uuid.h"

/* A port that the owner has refused; its row says so. */
struct refused_port {
    struct hmap_node node;      /* In db's 'refused', by 'uuid'. */
    struct uuid uuid;
};

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
        .options = &row->options,
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
        .next_hops = row->next_hops,
        .n_next_hops = row->n_next_hops,
        .options = &row->options,
        .outside = row->outside,
        .state = row->state,
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
        .served_before = row->served_before,
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
        .triggered_by = row->triggered_by,
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

static struct refused_port *
find_refused(const struct db *db, const struct uuid *uuid)
{
    struct refused_port *refused;

    HMAP_FOR_EACH_WITH_HASH (refused, node, uuid_hash(uuid), &db->refused) {
        if (uuid_equals(&refused->uuid, uuid)) {
            return refused;
        }
    }
    return NULL;
}

/* Notes whether the port with the given 'uuid', whose row is 'row' or null if
 * it has been deleted, has been refused. */
static void
note_refused(struct db *db, const struct uuid *uuid,
             const struct nvarec_port *row)
{
    struct refused_port *refused = find_refused(db, uuid);
    bool is_refused = (row && row->error[0]
                       && !strcmp(row->state, "unbound"));

    if (is_refused && !refused) {
        refused = xmalloc(sizeof *refused);
        refused->uuid = *uuid;
        hmap_insert(&db->refused, &refused->node, uuid_hash(uuid));
    } else if (!is_refused && refused) {
        hmap_remove(&db->refused, &refused->node);
        free(refused);
    }
}

/* Reports the ports that have been refused: the reason may be gone. */
static void
report_refused(struct db *db)
{
    const struct refused_port *refused;

    HMAP_FOR_EACH (refused, node, &db->refused) {
        report_port(db, nvarec_port_get_for_uuid(db->idl, &refused->uuid));
    }
}

void
db_forget_refused(struct db *db)
{
    struct refused_port *refused;

    HMAP_FOR_EACH_POP (refused, node, &db->refused) {
        free(refused);
    }
}

static void
report_all_ports(struct db *db)
{
    const struct nvarec_port *port;

    NVAREC_PORT_FOR_EACH (port, db->idl) {
        note_refused(db, &port->header_.uuid, port);
        if (!find_refused(db, &port->header_.uuid)) {
            report_port(db, port);
        }
    }
    report_refused(db);         /* After those who may have what they want. */
}

#define REPORT_ALL(TABLE, NAME, WHAT)                   \
    do {                                                \
        const struct nvarec_##NAME *row;                \
        NVAREC_##TABLE##_FOR_EACH (row, db->idl) {      \
            report_##WHAT(db, row);                     \
        }                                               \
    } while (0)

void
db_report_all(struct db *db)
{
    REPORT_ALL(NVA_GLOBAL, nva_global, global);
    REPORT_ALL(NVE, nve, nve);
    REPORT_ALL(VIRTUAL_NETWORK, virtual_network, vn);
    REPORT_ALL(GATEWAY, gateway, gateway);
    report_all_ports(db);
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
note_changed_ports(struct db *db)
{
    const struct nvarec_port *port;

    NVAREC_PORT_FOR_EACH_TRACKED (port, db->idl) {
        note_refused(db, &port->header_.uuid,
                     nvarec_port_is_deleted(port) ? NULL : port);
    }
}

void
db_report_changes(struct db *db)
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

    if (nvarec_port_track_get_first(db->idl)) {
        note_changed_ports(db);
        report_refused(db);
    }
}

