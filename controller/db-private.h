/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef DB_PRIVATE_H
#define DB_PRIVATE_H 1

/* Shared by the files of the db module: db.c has the connection and the
 * transactions, db-read.c reports rows, db-write.c keeps what is to be
 * written. */

#include <stdbool.h>
#include <stdint.h>

#include "db.h"
#include "nva-idl.h"
#include "openvswitch/hmap.h"
#include "ovsdb-idl.h"

struct db {
    const struct db_class *class;
    void *aux;
    struct ovsdb_idl *idl;
    bool primed;                /* All rows have been reported. */
    bool warned;                /* About another controller. */
    struct hmap refused;        /* Contains "struct refused_port"s, for
                                 * db-read.c. */

    struct hmap pending;        /* Contains "struct write"s, for db-write.c. */
    long long int send_at;      /* When they are due; LLONG_MAX if none is. */
    struct ovsdb_idl_txn *txn;  /* Under way, or null. */
    uint64_t seqno;             /* Of the next transaction. */
    uint64_t txn_seqno;         /* Of the one under way. */
};

/* Reports all rows, or those that have changed. */
void db_report_all(struct db *);
void db_report_changes(struct db *);
void db_forget_refused(struct db *);

/* Puts all that is pending into the transaction 'db->txn'. */
void db_apply_pending(struct db *);

/* The transaction has ended: forgets what has been written or, if 'again',
 * what has been replaced since by something newer. */
void db_forget_pending(struct db *, bool again);

/* Forgets all that is pending. */
void db_drop_pending(struct db *);

#endif /* db-private.h */
