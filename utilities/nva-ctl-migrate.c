/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* Commands on migrations, except migrate-show. */

#include "nva-ctl.h"

#include <string.h>

#include "svec.h"
#include "util.h"

/* migrate */

static void
pre_migrate(struct ctl_context *ctx)
{
    nva_ctl_pre_nve(ctx);
    nva_ctl_pre_port(ctx);
    nva_ctl_pre_migration(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_nve_col_connected);
    ovsdb_idl_add_column(ctx->idl, &nvarec_port_col_nve);
    ovsdb_idl_add_column(ctx->idl, &nvarec_port_col_state);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_new_nve);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_old_nve);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_kind);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_request);
}

static bool
is_switched(const struct nvarec_migration *m)
{
    return (!strcmp(m->phase, "cutover") || !strcmp(m->phase, "held")
            || !strcmp(m->phase, "draining"));
}

/* Returns true if the VM runs at the new place of 'm', so that it may move on
 * although traces of 'm' are left. */
static bool
has_arrived(const struct nvarec_migration *m)
{
    return (!strcmp(m->phase, "draining")
            || (!strcmp(m->phase, "cutover") && strcmp(m->request, "hold")
                && strcmp(m->request, "paused")));
}

/* Checks that 'port', whose last migration under way is 'before' (null if
 * there is none), can start to move to 'nve', and makes the transaction fail
 * if what was checked changes before it is committed. */
static bool
check_move(struct ctl_context *ctx, const struct nvarec_port *port,
           const struct nvarec_nve *nve,
           const struct nvarec_migration *before, bool cold)
{
    const char *place = (before ? before->new_nve
                         : port->nve ? port->nve : "");

    if (before && !has_arrived(before)) {
        char *id = nva_ctl_migration_id(ctx, &before->header_.uuid);
        ctl_error(ctx, "port %s is moving to NVE %s already; \"nva-ctl "
                  "migrate-wait %s\" waits for the end",
                  port->name, before->new_nve, id);
        free(id);
    } else if (!before && !strcmp(port->state, "moving")) {
        ctl_error(ctx, "port %s is moving already; \"nva-ctl migrate-list\" "
                  "lists moves", port->name);
    } else if (!place[0]) {
        ctl_error(ctx, "port %s is bound to no NVE, so there is nothing to "
                  "move; start its VM where it is wanted", port->name);
    } else if (!strcmp(place, nve->name)) {
        ctl_error(ctx, "port %s is at NVE %s already; give another NVE",
                  port->name, nve->name);
    } else if (!nve->connected && !cold) {
        ctl_error(ctx, "NVE %s is not connected; \"nva-ctl nve-list\" lists "
                  "those that are", nve->name);
    }
    if (ctx->error) {
        return false;
    }
    if (before) {
        nvarec_migration_verify_phase(before);
    } else {
        nvarec_port_verify_nve(port);
        nvarec_port_verify_state(port);
    }
    nvarec_nve_verify_connected(nve);
    return true;
}

static void
cmd_migrate(struct ctl_context *ctx)
{
    enum { KIND, TRIGGER, N };
    struct nva_ctl_opt opts[N] = {
        [KIND] = { "kind", "hot,warm,cold", "hot", false },
        [TRIGGER] = { "trigger", "announce,now", "announce", false },
    };
    const struct nvarec_port *port = nva_ctl_get_port(ctx, ctx->argv[1]);
    const struct nvarec_nve *nve = (port ? nva_ctl_get_nve(ctx, ctx->argv[2])
                                    : NULL);
    if (!nve || !nva_ctl_take_opts(ctx, 3, opts, N, NULL)) {
        return;
    }

    bool cold = !strcmp(opts[KIND].value, "cold");
    if (!strcmp(opts[KIND].value, "warm")
        && !strcmp(opts[TRIGGER].value, "now")) {
        ctl_error(ctx, "kind=warm waits for \"nva-ctl migrate-activate %s\", "
                  "so trigger=now contradicts it: leave one of them out",
                  port->name);
        return;
    }

    const struct nvarec_migration *before;
    before = nva_ctl_find_active_migration(ctx, port->name);
    if (before && cold && !strcmp(before->kind, "cold")
        && !strcmp(nva_ctl_migration_phase(before), "requested")
        && strcmp(before->old_nve, nve->name)) {
        /* The VM is stopped.  It is going to start somewhere else. */
        nvarec_migration_verify_phase(before);
        nvarec_migration_set_new_nve(before, nve->name);
        ds_put_format(&ctx->output, UUID_FMT,
                      UUID_ARGS(&before->header_.uuid));
        return;
    }
    if (!check_move(ctx, port, nve, before, cold)) {
        return;
    }

    const struct nvarec_migration *m = nvarec_migration_insert(ctx->txn);
    nvarec_migration_set_port(m, port->name);
    nvarec_migration_set_new_nve(m, nve->name);
    nvarec_migration_set_kind(m, opts[KIND].value);
    nvarec_migration_set_trigger(m, opts[TRIGGER].value);
    nvarec_migration_set_phase(m, "requested");
    ds_put_format(&ctx->output, UUID_FMT, UUID_ARGS(&m->header_.uuid));
}

/* Prints the id, which depends on the UUID that the database has chosen. */
static void
post_migrate(struct ctl_context *ctx)
{
    struct uuid provisional;

    if (!uuid_from_string(&provisional, ds_cstr(&ctx->output))) {
        OVS_NOT_REACHED();
    }
    ds_clear(&ctx->output);

    const struct uuid *real = ovsdb_idl_txn_get_insert_uuid(ctx->txn,
                                                            &provisional);
    if (!real && nvarec_migration_get_for_uuid(ctx->idl, &provisional)) {
        real = &provisional;    /* It existed already. */
    }
    if (real && !nva_ctl_context_cast(ctx)->dry_run) {
        char *id = nva_ctl_migration_id(ctx, real);
        ds_put_format(&ctx->output, "%s\n", id);
        free(id);
    }
}

/* Requests: migrate-hold, migrate-paused, migrate-activate, migrate-cancel */

static void
pre_request(struct ctl_context *ctx)
{
    nva_ctl_pre_port(ctx);
    nva_ctl_pre_migration(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_request);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_old_nve);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_new_nve);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_error);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_waiting_for);
}

/* Returns the migration under way of the port that the command names. */
static const struct nvarec_migration *
get_active_migration(struct ctl_context *ctx)
{
    const char *port = ctx->argv[1];
    const struct nvarec_migration *m;

    /* A port may be deleted while it moves. */
    m = nva_ctl_find_active_migration(ctx, port);
    if (!m && nva_ctl_get_port(ctx, port)) {
        ctl_error(ctx, "port %s has no migration under way; \"nva-ctl "
                  "migrate-list\" lists them", port);
    }
    return m;
}

static void
report_cancelled(struct ctl_context *ctx, const struct nvarec_migration *m)
{
    ctl_error(ctx, "the migration of port %s is being cancelled; start "
              "another one when that is done", m->port);
}

/* migrate-hold and migrate-paused: what is said of the VM is the last part of
 * the command's name. */
static void
cmd_migrate_hold(struct ctl_context *ctx)
{
    const struct nvarec_migration *m = get_active_migration(ctx);
    const char *word = strchr(ctx->argv[0], '-') + 1;

    if (!m) {
        return;
    }
    if (!strcmp(m->request, "cancel")) {
        report_cancelled(ctx, m);
    } else if (!strcmp(nva_ctl_migration_phase(m), "requested")) {
        char *id = nva_ctl_migration_id(ctx, &m->header_.uuid);
        ctl_error(ctx, "the migration of port %s is not prepared yet; "
                  "\"nva-ctl migrate-wait %s prepared\" waits for that",
                  m->port, id);
        free(id);
    } else {
        if (!is_switched(m)) {
            nvarec_migration_verify_request(m);
            nvarec_migration_set_request(m, word);
        }
        nva_ctl_context_cast(ctx)->hold = m->header_.uuid;
    }
}

static void
cmd_migrate_activate(struct ctl_context *ctx)
{
    const struct nvarec_migration *m = get_active_migration(ctx);

    if (!m) {
        return;
    }
    if (!strcmp(m->request, "cancel")) {
        report_cancelled(ctx, m);
    } else if (!has_arrived(m)) {
        /* Otherwise an announcement of the VM has done it already. */
        nvarec_migration_verify_request(m);
        nvarec_migration_set_request(m, "activate");
    }
}

static void
cmd_migrate_cancel(struct ctl_context *ctx)
{
    const struct nvarec_migration *m = get_active_migration(ctx);

    if (!m) {
        return;
    }
    if (has_arrived(m)) {
        ctl_error(ctx, "port %s has been switched to NVE %s already (phase "
                  "%s), which cannot be undone; move it back when it is done, "
                  "with \"nva-ctl migrate %s %s\"",
                  m->port, m->new_nve, m->phase, m->port,
                  m->old_nve[0] ? m->old_nve : "NVE");
        return;
    }
    nvarec_migration_verify_phase(m);
    nvarec_migration_set_request(m, "cancel");
}

/* migrate-wait */

static void
pre_migrate_wait(struct ctl_context *ctx)
{
    nva_ctl_pre_migration(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_error);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_waiting_for);
}

/* Returns how far 'phase' is, -1 for phases off the path. */
static int
phase_rank(const char *phase)
{
    static const char *const path[] = {
        "requested", "prepared", "cutover", "held", "draining", "done"
    };

    for (size_t i = 0; i < ARRAY_SIZE(path); i++) {
        if (!strcmp(phase, path[i])) {
            return i;
        }
    }
    return -1;
}

char *
nva_ctl_describe_wait(const struct nvarec_migration *m, const char *wanted)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, "the migration of port %s to reach phase %s; it is in "
                  "phase %s", m->port, wanted, nva_ctl_migration_phase(m));
    for (size_t i = 0; i < m->n_waiting_for; i++) {
        ds_put_format(&s, "%s%s", i ? ", " : ", waiting for ",
                      m->waiting_for[i]);
    }
    return ds_steal_cstr(&s);
}

static void
cmd_migrate_wait(struct ctl_context *ctx)
{
    const char *wanted = ctx->argc > 2 ? ctx->argv[2] : "done";

    if (phase_rank(wanted) < 0 && strcmp(wanted, "cancelled")
        && strcmp(wanted, "failed")) {
        ctl_error(ctx, "\"%s\" is not a phase; choose from requested, "
                  "prepared, cutover, held, draining, done, cancelled, failed",
                  wanted);
        return;
    }

    const struct nvarec_migration *m;
    m = nva_ctl_get_migration(ctx, ctx->argv[1]);
    if (!m) {
        return;
    }

    const char *phase = nva_ctl_migration_phase(m);
    int rank = phase_rank(wanted);
    if (!strcmp(phase, wanted) || (rank >= 0 && phase_rank(phase) > rank)) {
        ds_put_format(&ctx->output, "%s\n", phase);
    } else if (nva_ctl_migration_is_active(m)) {
        struct nva_ctl_context *nctx = nva_ctl_context_cast(ctx);

        free(nctx->waiting);
        nctx->waiting = nva_ctl_describe_wait(m, wanted);
        ctx->try_again = true;
    } else {
        ctl_error(ctx, "the migration of port %s %s%s%s", m->port,
                  !strcmp(phase, "failed") ? "failed"
                  : !strcmp(phase, "done") ? "is done"
                  : "was cancelled",
                  m->error[0] ? ": " : "", m->error);
    }
}

/* migrate-list */

static void
pre_migrate_list(struct ctl_context *ctx)
{
    nva_ctl_pre_port(ctx);
    ovsdb_idl_add_table(ctx->idl, &nvarec_table_migration);
    for (size_t i = 0; i < NVAREC_MIGRATION_N_COLUMNS; i++) {
        ovsdb_idl_add_column(ctx->idl, &nvarec_migration_columns[i]);
    }
}

/* Orders by the time of the request; those that no controller has seen yet
 * are the youngest. */
static int
compare_migrations(const void *a_, const void *b_)
{
    const struct nvarec_migration *const *ap = a_, *const *bp = b_;
    const struct nvarec_migration *a = *ap, *b = *bp;
    long long int ta, tb;

    ta = nva_ctl_migration_time(a, "requested", LLONG_MAX);
    tb = nva_ctl_migration_time(b, "requested", LLONG_MAX);
    return (ta != tb ? (ta < tb ? -1 : 1)
            : strcmp(a->port, b->port) ? strcmp(a->port, b->port)
            : uuid_compare_3way(&a->header_.uuid, &b->header_.uuid));
}

/* Returns the time from the request to the last event, in ms. */
static char *
format_duration(const struct nvarec_migration *m)
{
    long long int first = nva_ctl_migration_time(m, "requested", 0);
    long long int last = first;

    for (size_t i = 0; i < m->n_times; i++) {
        last = MAX(last, m->value_times[i]);
    }
    return first ? xasprintf("%.3f", (last - first) / 1000.0) : xstrdup("");
}

static void
list_migration(struct nva_ctl_listing *l, const struct nvarec_migration *m)
{
    enum { ID, PORT, OLD, NEW, KIND, TRIGGER, PHASE, MS, WAITING_FOR, ERR };
    char *id = nva_ctl_migration_id(&l->nctx->base, &m->header_.uuid);
    char *duration = format_duration(m);

    nva_ctl_listing_put(l, ID, id);
    nva_ctl_listing_put(l, PORT, m->port);
    nva_ctl_listing_put(l, OLD, m->old_nve);
    nva_ctl_listing_put(l, NEW, m->new_nve);
    nva_ctl_listing_put(l, KIND, m->kind);
    nva_ctl_listing_put(l, TRIGGER, m->trigger);
    nva_ctl_listing_put(l, PHASE, nva_ctl_migration_phase(m));
    nva_ctl_listing_put(l, MS, duration);
    nva_ctl_listing_put_set(l, WAITING_FOR, m->waiting_for, m->n_waiting_for);
    nva_ctl_listing_put(l, ERR, m->error);
    nva_ctl_listing_end_row(l);
    free(duration);
    free(id);
}

const struct nvarec_migration **
nva_ctl_sort_migrations(struct ctl_context *ctx, size_t *np)
{
    const struct nvarec_migration **migrations = NULL;
    const struct nvarec_migration *m;
    size_t allocated = 0;
    size_t n = 0;

    NVAREC_MIGRATION_FOR_EACH (m, ctx->idl) {
        if (n >= allocated) {
            migrations = x2nrealloc(migrations, &allocated,
                                    sizeof *migrations);
        }
        migrations[n++] = m;
    }
    if (n) {
        qsort(migrations, n, sizeof *migrations, compare_migrations);
    }
    *np = n;
    return migrations;
}

static void
cmd_migrate_list(struct ctl_context *ctx)
{
    static const char *const headings[] = {
        "id", "port", "old_nve", "new_nve", "kind", "trigger", "phase", "ms",
        "waiting_for", "error"
    };
    const struct nvarec_migration **migrations;
    struct nva_ctl_listing l;
    size_t n;

    if (!nva_ctl_listing_init(&l, ctx, headings, ARRAY_SIZE(headings))) {
        return;
    }
    migrations = nva_ctl_sort_migrations(ctx, &n);
    for (size_t i = 0; i < n; i++) {
        if (ctx->argc < 2 || !strcmp(migrations[i]->port, ctx->argv[1])) {
            list_migration(&l, migrations[i]);
        }
    }
    free(migrations);
    nva_ctl_listing_uninit(&l);
}

const struct ctl_command_syntax nva_ctl_migrate_commands[] = {
    {"migrate", 2, INT_MAX, "PORT NEW_NVE [kind=KIND] [trigger=TRIGGER]",
     pre_migrate, cmd_migrate, post_migrate, "", RW},
    {"migrate-hold", 1, 1, "PORT", pre_request, cmd_migrate_hold, NULL, "",
     RW},
    {"migrate-paused", 1, 1, "PORT", pre_request, cmd_migrate_hold, NULL, "",
     RW},
    {"migrate-activate", 1, 1, "PORT", pre_request, cmd_migrate_activate,
     NULL, "", RW},
    {"migrate-cancel", 1, 1, "PORT", pre_request, cmd_migrate_cancel, NULL,
     "", RW},
    {"migrate-wait", 1, 2, "MIGRATION [PHASE]", pre_migrate_wait,
     cmd_migrate_wait, NULL, "", RO},
    {"migrate-list", 0, 1, "[PORT]", pre_migrate_list, cmd_migrate_list, NULL,
     "--columns=", RO},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO},
};
