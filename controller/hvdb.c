/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "hvdb.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include "hvdb-plan.h"
#include "hvdb-schema.h"
#include "hvdb-view.h"
#include "jsonrpc.h"
#include "loop.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/vlog.h"
#include "ovsdb-replica.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(hvdb);

/* From an event to a callback: a "monitor" reply makes a new replica, an
 * "update" changes it and yields a list of changed rows, from which the view
 * derives what callbacks report and whether there may be something to write
 * (hvdb_consider()).
 *
 * Writing: the view is 'dirty' if something changed that hvdb_plan() looks at.
 * At most one transaction is outstanding.  The database may send the reply
 * before the update that shows what it did, so after the reply we wait for an
 * update before we look again. */

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* How long to wait before writing again: after a refusal or a reply that no
 * update followed; and when something changed after a refusal or somebody
 * undid what we wrote. */
#define RETRY_MS 5000
#define RETRY_SOON_MS 100

/* The value of <json-value> that identifies our monitor. */
#define MONITOR_ID "nva"

/* Open vSwitch's default of "max-idle" in other_config. */
#define DEFAULT_MAX_IDLE_MS 10000

enum hvdb_state {
    HVDB_DOWN,                  /* No connection. */
    HVDB_MONITORING,            /* Waits for the first snapshot. */
    HVDB_SYNCED,
    HVDB_RESETTING              /* Waits for LOOP_DISCONNECTED. */
};

struct hvdb {
    struct loop_conn *conn;
    bool accepted;              /* The hypervisor has opened 'conn'. */
    const struct hvdb_class *class;
    void *aux;
    char *name;
    enum hvdb_state state;
    struct json *monitor_id;    /* Outstanding "monitor" request, or null. */
    bool busy;                  /* In a callback or about to make one? */

    struct hvdb_view view;

    /* Writing. */
    struct hvdb_wanted *wanted; /* Null until the owner says. */
    bool wanted_changed;        /* Not acted upon yet. */
    bool settled;
    bool updated;               /* An update since the transaction was sent? */
    struct json *txn_id;        /* Outstanding "transact" request, or null. */
    uint32_t last_txn;          /* Hash of its or the last one's parameters,
                                 * 0 if there is none. */
    size_t last_n_ops;          /* How many operations it has. */
    char *last_what;            /* The same in words. */
    int wait_ms;                /* Nonzero: do not write for so long. */
    long long int wait_until;   /* Same, in absolute time; 0 if unknown yet. */
    bool wait_for_change;       /* A change ends the wait. */
};

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
    hvdb->settled = false;
    hvdb->wait_ms = 0;
    loop_conn_reset(hvdb->conn, reason);
    free(reason);
}

/* Wanted. */

static void
wanted_destroy(struct hvdb_wanted *wanted)
{
    if (wanted) {
        for (size_t i = 0; i < wanted->n_bfd; i++) {
            free(CONST_CAST(char *, wanted->bfd[i].name));
            free(CONST_CAST(char *, wanted->bfd[i].type));
            free(CONST_CAST(char *, wanted->bfd[i].remote_ip));
            free(CONST_CAST(char *, wanted->bfd[i].nve));
        }
        free(CONST_CAST(struct hvdb_bfd *, wanted->bfd));
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
    struct hvdb_bfd *bfd = xcalloc(MAX(1, wanted->n_bfd), sizeof *bfd);

    for (size_t i = 0; i < wanted->n_bfd; i++) {
        bfd[i].name = xstrdup(wanted->bfd[i].name);
        bfd[i].type = xstrdup(wanted->bfd[i].type);
        bfd[i].remote_ip = xstrdup(wanted->bfd[i].remote_ip);
        bfd[i].nve = xstrdup(wanted->bfd[i].nve);
    }
    copy->bfd = bfd;
    copy->bridge = xstrdup(wanted->bridge);
    copy->datapath_type = xstrdup(wanted->datapath_type);
    copy->controller = nullable_xstrdup(wanted->controller);
    return copy;
}

static bool
bfd_equals(const struct hvdb_wanted *a, const struct hvdb_wanted *b)
{
    if (a->n_bfd != b->n_bfd
        || (a->n_bfd && a->bfd_interval != b->bfd_interval)) {
        return false;
    }
    for (size_t i = 0; i < a->n_bfd; i++) {
        if (strcmp(a->bfd[i].name, b->bfd[i].name)
            || strcmp(a->bfd[i].type, b->bfd[i].type)
            || strcmp(a->bfd[i].remote_ip, b->bfd[i].remote_ip)
            || strcmp(a->bfd[i].nve, b->bfd[i].nve)) {
            return false;
        }
    }
    return true;
}

static bool
wanted_equals(const struct hvdb_wanted *a, const struct hvdb_wanted *b)
{
    return (!strcmp(a->bridge, b->bridge)
            && !strcmp(a->datapath_type, b->datapath_type)
            && nullable_string_is_equal(a->controller, b->controller)
            && a->inactivity_probe == b->inactivity_probe
            && a->geneve == b->geneve && a->vxlan == b->vxlan
            && a->bundle_idle_timeout == b->bundle_idle_timeout
            && a->tables == b->tables && a->n_tables == b->n_tables
            && bfd_equals(a, b));
}

/* Reports. */

static void
update_name(struct hvdb *hvdb)
{
    const char *conn_name = loop_conn_get_name(hvdb->conn);
    const char *system_id = smap_get(&hvdb->view.external_ids, "system-id");

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
report_facts(struct hvdb *hvdb)
{
    if (hvdb->view.facts_changed) {
        hvdb->view.facts_changed = false;
        update_name(hvdb);
        hvdb->class->changed(hvdb, hvdb->aux);
    }
}

static void
interface_changed(const struct hvdb_interface *old,
                  const struct hvdb_interface *new, void *hvdb_)
{
    struct hvdb *hvdb = hvdb_;

    hvdb->class->interface_changed(hvdb, old, new, hvdb->aux);
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

    if (error) {
        ovsdb_replica_destroy(db);
        hvdb_reset(hvdb, xasprintf("malformed reply to monitor: %s", error));
        free(error);
        return;
    }

    json_destroy(hvdb->monitor_id);
    hvdb->monitor_id = NULL;
    hvdb->state = HVDB_SYNCED;
    hvdb_view_set_db(&hvdb->view, db);
    report_facts(hvdb);
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

    error = ovsdb_replica_apply(hvdb->view.db, params->array.elems[1],
                                &changes);
    if (error) {
        hvdb_reset(hvdb, xasprintf("malformed update: %s", error));
        free(error);
    } else {
        hvdb->updated = true;
        hvdb_view_process(&hvdb->view, &changes);
        report_facts(hvdb);
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

/* Returns what tells transactions from each other. */
static uint32_t
hash_txn(const struct json *txn)
{
    return MAX(1, json_hash(txn, 0));
}

static void
send_transaction(struct hvdb *hvdb, struct json *txn, char *what)
{
    if (hvdb->settled || !nullable_string_is_equal(what, hvdb->last_what)) {
        VLOG_INFO_RL(&rl, "%s: %s: %s", hvdb->name,
                     hvdb->settled ? "repairing" : "writing", what);
    }
    free(hvdb->last_what);
    hvdb->last_what = what;
    hvdb->last_txn = hash_txn(txn);
    hvdb->last_n_ops = json_array(txn)->n - 1;
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
        .db = hvdb->view.db,
        .wanted = hvdb->wanted,
        .bridge = hvdb_view_find_bridge(&hvdb->view),
        .ports = &hvdb->view.ports,
        .ours = &hvdb->view.ours,
        .remote = hvdb->accepted ? NULL : loop_conn_get_name(hvdb->conn),
        .manager = hvdb->view.manager_target,
    };
    struct ds what = DS_EMPTY_INITIALIZER;
    struct json *txn = hvdb_plan(&in, &what);
    char *printable = make_printable(ds_cstr(&what));

    ds_destroy(&what);
    hvdb->view.dirty = false;
    hvdb->wait_ms = 0;
    if (!txn) {
        hvdb->settled = hvdb_view_find_ovs(&hvdb->view) != NULL;
        if (hvdb->settled) {
            free(hvdb->last_what);
            hvdb->last_what = NULL;
        }
    } else if (!again && hvdb->last_txn == hash_txn(txn)) {
        hvdb_wait(hvdb, hvdb->settled ? RETRY_SOON_MS : RETRY_MS, false);
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
    if (!hvdb->view.dirty || !hvdb->wanted || hvdb->state != HVDB_SYNCED
        || hvdb->txn_id) {
        return;
    }
    if (hvdb->wait_ms && !hvdb->wait_for_change) {
        /* Not at once, but sooner than if nothing had changed. */
        if (hvdb->wait_ms > RETRY_SOON_MS) {
            hvdb_wait(hvdb, RETRY_SOON_MS, false);
        }
        hvdb->view.dirty = false;
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
    char *error = NULL;

    json_destroy(hvdb->txn_id);
    hvdb->txn_id = NULL;
    if (msg->type == JSONRPC_ERROR) {
        error = json_to_string(msg->error, 0);
        process_refusal(hvdb, error);
    } else if (!parse_results(msg->result, hvdb->last_n_ops, &error)) {
        hvdb_reset(hvdb, xstrdup("malformed reply to transact"));
    } else if (error && strncmp(error, "timed out", 9)) {
        process_refusal(hvdb, error);
    } else if (!hvdb->updated) {
        /* Done, or a "wait" operation failed because somebody changed what it
         * is about.  An update is going to say. */
        hvdb_wait(hvdb, RETRY_MS, true);
    } else {
        hvdb->view.dirty = true;
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
    hvdb->monitor_id = hvdb->txn_id = NULL;
    hvdb->last_txn = 0;
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
    hvdb_view_set_bridge(&hvdb->view, hvdb->wanted->bridge,
                         hvdb->state == HVDB_SYNCED);
    report_facts(hvdb);
    hvdb->view.dirty = true;
    hvdb->settled = false;
    hvdb->wait_ms = 0;
    hvdb->last_txn = 0;
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
    if (now >= hvdb->wait_until) {
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
    hvdb_view_init(&hvdb->view, interface_changed, hvdb);
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
    hvdb->accepted = true;
    loop_conn_set_aux(conn, hvdb);
    update_name(hvdb);
    send_monitor(hvdb);
    return hvdb;
}

void
hvdb_disconnect(struct hvdb *hvdb, const char *reason)
{
    loop_conn_reset(hvdb->conn, reason);
}

void
hvdb_destroy(struct hvdb *hvdb)
{
    if (!hvdb) {
        return;
    }

    ovs_assert(!hvdb->busy);
    loop_conn_close(hvdb->conn);
    hvdb_view_uninit(&hvdb->view);
    wanted_destroy(hvdb->wanted);
    json_destroy(hvdb->monitor_id);
    json_destroy(hvdb->txn_id);
    free(hvdb->last_what);
    free(hvdb->name);
    free(hvdb);
}

void *
hvdb_get_aux(const struct hvdb *hvdb)
{
    return hvdb->aux;
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
    loop_conn_set_probe(hvdb->conn, wanted->inactivity_probe);
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
    return (hvdb->settled && !hvdb->view.dirty && !hvdb->wanted_changed
            && !hvdb->wait_ms);
}

const char *
hvdb_get_external_id(const struct hvdb *hvdb, const char *key)
{
    return smap_get(&hvdb->view.external_ids, key);
}

int
hvdb_get_max_idle(const struct hvdb *hvdb)
{
    const struct ovsdb_row *ovs = hvdb_view_find_ovs(&hvdb->view);
    const char *s = (ovs ? ovsdb_row_map_find(ovs, HVDB_OVS_OTHER_CONFIG,
                                              "max-idle") : NULL);
    int ms;

    return s && str_to_int(s, 10, &ms) ? ms : DEFAULT_MAX_IDLE_MS;
}

const char *
hvdb_get_ovs_version(const struct hvdb *hvdb)
{
    return hvdb->view.ovs_version;
}

uint64_t
hvdb_get_datapath_id(const struct hvdb *hvdb)
{
    return hvdb->view.datapath_id;
}

int64_t
hvdb_get_tunnel_ofport(const struct hvdb *hvdb, const char *type)
{
    const char *name = hvdb_plan_tunnel_name(type);
    const struct hvdb_interface *iface = (
        name ? hvdb_view_find_interface(&hvdb->view, name) : NULL);

    return iface && hvdb_view_is_tunnel(iface) ? MAX(iface->ofport, 0) : 0;
}

const char *
hvdb_get_manager_target(const struct hvdb *hvdb)
{
    return hvdb->view.manager_target;
}

const struct hmap *
hvdb_get_interfaces(const struct hvdb *hvdb)
{
    return &hvdb->view.interfaces;
}

const struct hvdb_interface *
hvdb_find_interface(const struct hvdb *hvdb, const char *name)
{
    return hvdb_view_find_interface(&hvdb->view, name);
}

const char *
hvdb_get_name(const struct hvdb *hvdb)
{
    return hvdb->name;
}
