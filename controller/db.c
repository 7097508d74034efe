/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "db-private.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "clock.h"
#include "coverage.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "util.h"

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
    db->send_at = LLONG_MAX;
    hmap_init(&db->refused);
    hmap_init(&db->pending);
    db->idl = ovsdb_idl_create(remote, &nvarec_idl_class, true, true);
    ovsdb_idl_omit(db->idl, &nvarec_nva_global_col_external_ids);
    ovsdb_idl_track_add_all(db->idl);
    ovsdb_idl_set_write_changed_only_all(db->idl, true);
    ovsdb_idl_set_lock(db->idl, "nva_controller");
    return db;
}

void
db_destroy(struct db *db)
{
    if (db) {
        if (db->txn) {
            ovsdb_idl_txn_destroy(db->txn);
        }
        db_drop_pending(db);
        hmap_destroy(&db->pending);
        db_forget_refused(db);
        hmap_destroy(&db->refused);
        ovsdb_idl_destroy(db->idl);
        free(db);
    }
}

bool
db_is_connected(const struct db *db)
{
    return ovsdb_idl_is_connected(db->idl);
}

static void
start_txn(struct db *db)
{
    COVERAGE_INC(db_txn);
    db->send_at = LLONG_MAX;
    db->txn = ovsdb_idl_txn_create(db->idl);
    db_apply_pending(db);
    /* What is added from now on belongs to the next transaction. */
    db->txn_seqno = db->seqno++;
}

/* The transaction has ended; 'again' if it is to be tried again. */
static void
finish_txn(struct db *db, bool again)
{
    ovsdb_idl_txn_destroy(db->txn);
    db->txn = NULL;
    db_forget_pending(db, again);
    if (again && !hmap_is_empty(&db->pending)) {
        db->send_at = 0;
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
        db_report_all(db);
    } else {
        db_report_changes(db);
    }
    ovsdb_idl_track_clear(db->idl);
    if (db->txn) {
        run_txn(db);
    }
    return true;
}

void
db_send(struct db *db)
{
    if (!db->txn && clock_msec() >= db->send_at
        && ovsdb_idl_is_connected(db->idl)) {
        start_txn(db);
        run_txn(db);
    }
}

void
db_wait(struct db *db)
{
    ovsdb_idl_wait(db->idl);
    if (db->txn) {
        ovsdb_idl_txn_wait(db->txn);
    } else if (db->primed && db->send_at != LLONG_MAX
               && ovsdb_idl_is_connected(db->idl)) {
        poll_timer_wait_until(db->send_at);
    }
}
