/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef DB_PRIVATE_H
#define DB_PRIVATE_H 1

/* What db.c and db-write.c share.  For them only, and the one header of the
 * controller that includes the IDL of the NVA database. */

#include "db.h"
#include "nva-idl.h"
#include "openvswitch/hmap.h"
#include "ovsdb-idl.h"

enum write_type {
    WRITE_NVE,
    WRITE_VN_ERROR,
    WRITE_GATEWAY,
    WRITE_PORT,
    WRITE_MIGRATION,
    WRITE_NVE_CFG,
    WRITE_EVACUATION,
    WRITE_ADD_NVE,
    WRITE_ADD_MIGRATION, WRITE_DELETE_MIGRATION
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

struct db {
    const struct db_class *class;
    void *aux;
    struct ovsdb_idl *idl;
    bool primed;                /* All rows have been reported. */
    bool warned;                /* About another controller. */

    struct hmap pending;        /* Contains "struct write"s. */
    struct ovsdb_idl_txn *txn;  /* Under way, or null. */
    uint64_t seqno;             /* Of the next transaction. */
    uint64_t txn_seqno;         /* Of the one under way. */
};

/* Writes 'w' into the rows of the transaction under way. */
void db_apply__(struct db *, const struct write *w);

#endif /* db-private.h */
