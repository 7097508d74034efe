/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef DB_H
#define DB_H 1

/* The NVA database: intent in, status out.
 *
 * Turns rows into the plain structures below and reports what changed, row by
 * row; and writes status back.  Status is written lazily: the newest value of
 * a row replaces one that has not been sent yet, everything that is pending
 * goes into one transaction, and nobody waits for it.  What is only passing
 * may wait a little for others that go along.
 *
 * Only one controller acts on a database: the one that holds its lock.
 *
 * Used from one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "openvswitch/uuid.h"
#include "smap.h"
#include "sset.h"

struct db;

struct db_nve {
    struct uuid uuid;
    const char *name;
    const char *encap_type;
    char **encap_ips;
    size_t n_encap_ips;
    const char *ovsdb, *openflow, *bridge, *datapath_type;
    const struct smap *options; /* Not for db_add_nve(). */
};

struct db_vn {
    struct uuid uuid;
    const char *name;
    int64_t vni;
    const struct smap *options;
};

struct db_port {
    struct uuid uuid;
    const char *name;
    struct uuid vn;
    const char *mac;
    char **ips;
    size_t n_ips;
    bool port_security;
    const char *gateway;        /* Asked for, or empty. */
    const char *served_by;      /* As last written, or empty; */
    const char *served_before;  /* and so this. */
    const char *nve;            /* Where it is said to be, or null. */
    int64_t n_spoofed;
};

struct db_gateway {
    struct uuid uuid;
    const char *name;
    struct uuid vn;
    const char *nve, *mac;
    char **ips;
    size_t n_ips;
    int64_t metric;
    const struct smap *metrics; /* Integers as text. */
    struct uuid *vns;
    size_t n_vns;
    const struct smap *policy;  /* Its numbers as text. */
    char **next_hops;
    size_t n_next_hops;
    const struct smap *options;
    const char *outside, *state; /* As last written. */
};

struct db_migration {
    struct uuid uuid;
    const char *port, *new_nve, *old_nve;
    const char *kind, *trigger, *request, *phase;
    const char *triggered_by;   /* As last written. */
    long long int last_time;    /* The newest of 'times', or 0 if none. */
    struct uuid evacuation;     /* Zero if it is not part of one. */
};

struct db_evacuation {
    struct uuid uuid;
    const char *nve;
    char **to;                  /* None for all others. */
    size_t n_to;
    int64_t parallel;           /* 0 for the default. */
    const char *trigger, *request, *phase;
    int64_t n_moved, started;   /* As last written. */
};

struct db_global {
    int64_t nb_cfg;
    const struct smap *options;
};

/* Reports a row that is new or has changed.  Pointers are valid during the
 * call.  Rows are reported in an order in which what a row refers to comes
 * first; deletions come in the opposite order.  A port that has been refused
 * is reported again when any port has changed. */
struct db_class {
    void (*nve)(const struct db_nve *, void *aux);
    void (*vn)(const struct db_vn *, void *aux);
    void (*gateway)(const struct db_gateway *, void *aux);
    void (*port)(const struct db_port *, void *aux);
    void (*evacuation)(const struct db_evacuation *, void *aux);
    void (*migration)(const struct db_migration *, void *aux);
    void (*global)(const struct db_global *, void *aux);

    void (*nve_deleted)(const struct uuid *, void *aux);
    void (*vn_deleted)(const struct uuid *, void *aux);
    void (*gateway_deleted)(const struct uuid *, void *aux);
    void (*port_deleted)(const struct uuid *, void *aux);
    void (*evacuation_deleted)(const struct uuid *, void *aux);
    void (*migration_deleted)(const struct uuid *, void *aux);

    /* Everything up to 'seqno' is in the database. */
    void (*written)(uint64_t seqno, void *aux);

    /* 'error' about row 'uuid' of the database: a write was refused. */
    void (*refused)(const char *error, void *aux);
};

/* Status of rows.  Strings are copied. */
struct db_nve_status {
    bool connected, synced;
    const char *ovs_version;    /* Null for unknown. */
    int64_t n_flows;
    const char *error;          /* Null for none. */
};

struct db_port_status {
    const char *nve;            /* Null if it is not bound. */
    const char *state;          /* "unbound", "bound", "moving". */
    const char *served_by;      /* Its gateway; null for none. */
    const char *served_before;  /* Likewise, for older connections. */
    int64_t n_spoofed;
    const char *error;          /* Null for none. */
    bool lazy;                  /* Only passing. */
};

struct db_migration_status {
    const char *old_nve, *phase, *triggered_by, *error;
    const char *slowest_peer;   /* Null for none. */
    struct smap times;          /* Integers as text. */
    struct smap counters;       /* Integers as text. */
    struct sset waiting_for;
    bool lazy;                  /* Only passing. */
};

struct db_evacuation_status {
    const char *phase, *error;  /* 'error' is null for none. */
    struct smap times;          /* Integers as text. */
    struct smap counters;       /* Integers as text. */
    struct sset waiting_for;
};

struct db *db_create(const char *remote, const struct db_class *, void *aux);
void db_destroy(struct db *);

/* Reports changes.  Returns true if this controller is the one that acts. */
bool db_run(struct db *);

/* Sends the status that is due.  To be called when the owner has digested all
 * that db_run() has reported: what he thinks of it in between, when he knows
 * only some of the rows after a restart, must not get into the database. */
void db_send(struct db *);

void db_wait(struct db *);

/* Each returns the sequence number that 'written' reports when it is done. */
uint64_t db_write_nve(struct db *, const struct uuid *,
                      const struct db_nve_status *);
uint64_t db_write_vn_error(struct db *, const struct uuid *,
                           const char *error);
/* 'error' is null for none. */
uint64_t db_write_gateway(struct db *, const struct uuid *, const char *state,
                          const char *outside, const char *error);
uint64_t db_write_port(struct db *, const struct uuid *,
                       const struct db_port_status *);
uint64_t db_write_migration(struct db *, const struct uuid *,
                            const struct db_migration_status *);
uint64_t db_write_evacuation(struct db *, const struct uuid *,
                             const struct db_evacuation_status *);
uint64_t db_write_nve_cfg(struct db *, int64_t nve_cfg);

/* Registers a hypervisor that has dialled in. */
uint64_t db_add_nve(struct db *, const struct db_nve *);

/* Inserts a migration with the given 'uuid', which nobody has used. */
uint64_t db_add_migration(struct db *, const struct db_migration *);

/* Removes a migration from the history. */
uint64_t db_delete_migration(struct db *, const struct uuid *);

/* Returns true if the database is connected. */
bool db_is_connected(const struct db *);

#endif /* db.h */
