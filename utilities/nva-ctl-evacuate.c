/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* Commands on evacuations. */

#include "nva-ctl.h"

#include <string.h>

#include "sset.h"
#include "svec.h"
#include "util.h"

static void
pre_evacuation(struct ctl_context *ctx)
{
    ovsdb_idl_add_column(ctx->idl, &nvarec_evacuation_col_nve);
    ovsdb_idl_add_column(ctx->idl, &nvarec_evacuation_col_phase);
    ovsdb_idl_add_column(ctx->idl, &nvarec_evacuation_col_times);
}

/* Empty means that no controller has seen it yet. */
static const char *
phase_of(const struct nvarec_evacuation *ev)
{
    return ev->phase[0] ? ev->phase : "requested";
}

static bool
is_running(const struct nvarec_evacuation *ev)
{
    return !ev->phase[0] || !strcmp(ev->phase, "running");
}

static const struct nvarec_evacuation *
find_running(struct ctl_context *ctx, const char *nve)
{
    const struct nvarec_evacuation *ev;

    NVAREC_EVACUATION_FOR_EACH (ev, ctx->idl) {
        if (!strcmp(ev->nve, nve) && is_running(ev)) {
            return ev;
        }
    }
    return NULL;
}

/* Returns the shortest unambiguous id, 8 digits if that is enough, for the
 * caller to free. */
static char *
format_id(struct ctl_context *ctx, const struct uuid *uuid)
{
    const struct nvarec_evacuation *ev;
    char s[UUID_LEN + 1];
    int len = 8;

    snprintf(s, sizeof s, UUID_FMT, UUID_ARGS(uuid));
    NVAREC_EVACUATION_FOR_EACH (ev, ctx->idl) {
        char other[UUID_LEN + 1];

        snprintf(other, sizeof other, UUID_FMT, UUID_ARGS(&ev->header_.uuid));
        while (len < UUID_LEN && strcmp(s, other)
               && !strncmp(s, other, len)) {
            len++;
        }
    }
    return xmemdup0(s, len);
}

/* When 'ev' began, in us since the epoch; one that no controller has seen yet
 * is the youngest. */
static long long int
start_time(const struct nvarec_evacuation *ev)
{
    for (size_t i = 0; i < ev->n_times; i++) {
        if (!strcmp(ev->key_times[i], "started")) {
            return ev->value_times[i];
        }
    }
    return LLONG_MAX;
}

/* evacuate */

static void
pre_evacuate(struct ctl_context *ctx)
{
    nva_ctl_pre_nve(ctx);
    pre_evacuation(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_nve_col_connected);
}

/* Takes the names of the targets in 'list', with commas between them, into
 * 'to'. */
static bool
parse_targets(struct ctl_context *ctx, const char *from, const char *list,
              struct sset *to)
{
    for (const char *p = list; ; p++) {
        size_t len = strcspn(p, ",");
        char *name = xmemdup0(p, len);
        const struct nvarec_nve *nve = nva_ctl_find_nve(ctx, name);

        if (!len) {
            ctl_error(ctx, "to=%s: give names of NVEs with commas between "
                      "them", list);
        } else if (!nve) {
            nva_ctl_get_nve(ctx, name);
        } else if (!strcmp(name, from)) {
            ctl_error(ctx, "to=%s: ports of NVE %s cannot be moved to %s "
                      "itself; give other NVEs", list, from, from);
        } else if (!nve->connected) {
            ctl_error(ctx, "to=%s: NVE %s is not connected; \"nva-ctl "
                      "nve-list\" lists those that are", list, name);
        } else if (!sset_add(to, name)) {
            ctl_error(ctx, "to=%s: NVE %s is named twice; name it once",
                      list, name);
        } else {
            nvarec_nve_verify_connected(nve);
        }
        free(name);
        if (ctx->error) {
            return false;
        }
        p += len;
        if (!*p) {
            return true;
        }
    }
}

static bool
check_evacuate(struct ctl_context *ctx, const char *name)
{
    const struct nvarec_evacuation *ev;
    const struct nvarec_nve *other;
    size_t n = 0;

    if (!nva_ctl_get_nve(ctx, name)) {
        return false;
    }
    NVAREC_NVE_FOR_EACH (other, ctx->idl) {
        n++;
    }
    ev = find_running(ctx, name);
    if (ev) {
        char *id = format_id(ctx, &ev->header_.uuid);

        ctl_error(ctx, "NVE %s is being evacuated already; \"nva-ctl "
                  "evacuate-wait %s\" waits for the end", name, id);
        free(id);
        return false;
    } else if (n < 2) {
        ctl_error(ctx, "there is no other NVE than %s; add one with \"nva-ctl "
                  "nve-add\"", name);
        return false;
    }
    return true;
}

static void
cmd_evacuate(struct ctl_context *ctx)
{
    enum { TO, PARALLEL, TRIGGER, N };
    struct nva_ctl_opt opts[N] = {
        [TO] = { "to", NULL, NULL, false },
        [PARALLEL] = { "parallel", NULL, "10", false },
        [TRIGGER] = { "trigger", "announce,now", "announce", false },
    };
    struct sset to = SSET_INITIALIZER(&to);
    const char *name = ctx->argv[1];
    const struct nvarec_evacuation *ev;
    const char **names;
    int64_t parallel;
    int n;

    if (!check_evacuate(ctx, name)
        || !nva_ctl_take_opts(ctx, 2, opts, N, NULL)
        || (opts[TO].given
            && !parse_targets(ctx, name, opts[TO].value, &to))) {
        goto out;
    }
    if (!str_to_int(opts[PARALLEL].value, 10, &n) || n < 1 || n > 1000) {
        ctl_error(ctx, "parallel=%s: must be a number from 1 to 1000",
                  opts[PARALLEL].value);
        goto out;
    }
    parallel = n;

    ev = nvarec_evacuation_insert(ctx->txn);
    nvarec_evacuation_set_nve(ev, name);
    names = sset_sort(&to);
    nvarec_evacuation_set_to(ev, names, sset_count(&to));
    free(names);
    nvarec_evacuation_set_parallel(ev, &parallel, 1);
    nvarec_evacuation_set_trigger(ev, opts[TRIGGER].value);
    ds_put_format(&ctx->output, UUID_FMT, UUID_ARGS(&ev->header_.uuid));

out:
    sset_destroy(&to);
}

/* Prints the id, which depends on the UUID that the database has chosen. */
static void
post_evacuate(struct ctl_context *ctx)
{
    struct uuid provisional;

    if (!uuid_from_string(&provisional, ds_cstr(&ctx->output))) {
        OVS_NOT_REACHED();
    }
    ds_clear(&ctx->output);

    const struct uuid *real = ovsdb_idl_txn_get_insert_uuid(ctx->txn,
                                                            &provisional);
    if (real && !nva_ctl_context_cast(ctx)->dry_run) {
        char *id = format_id(ctx, real);
        ds_put_format(&ctx->output, "%s\n", id);
        free(id);
    }
}

/* evacuate-cancel */

static void
pre_evacuate_cancel(struct ctl_context *ctx)
{
    nva_ctl_pre_nve(ctx);
    pre_evacuation(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_evacuation_col_request);
}

static void
cmd_evacuate_cancel(struct ctl_context *ctx)
{
    const char *name = ctx->argv[1];
    const struct nvarec_evacuation *ev = find_running(ctx, name);

    if (ev) {
        nvarec_evacuation_verify_phase(ev);
        nvarec_evacuation_set_request(ev, "cancel");
    } else if (nva_ctl_get_nve(ctx, name)) {
        ctl_error(ctx, "NVE %s is not being evacuated; \"nva-ctl "
                  "evacuate-list\" lists evacuations", name);
    }
}

/* evacuate-wait */

static void
pre_all(struct ctl_context *ctx)
{
    for (size_t i = 0; i < NVAREC_EVACUATION_N_COLUMNS; i++) {
        ovsdb_idl_add_column(ctx->idl, &nvarec_evacuation_columns[i]);
    }
}

/* Returns the newest evacuation of the NVE 'arg' or the one with the id
 * 'arg', reporting an error if there is none. */
static const struct nvarec_evacuation *
get_evacuation(struct ctl_context *ctx, const char *arg)
{
    const struct nvarec_evacuation *newest = NULL, *found = NULL, *ev;
    size_t n_found = 0;

    NVAREC_EVACUATION_FOR_EACH (ev, ctx->idl) {
        if (!strcmp(ev->nve, arg)
            && (!newest || start_time(ev) > start_time(newest))) {
            newest = ev;
        }
        if (uuid_is_partial_string(arg) >= 4
            && uuid_is_partial_match(&ev->header_.uuid, arg)) {
            found = ev;
            n_found++;
        }
    }
    if (newest) {
        return newest;
    } else if (n_found > 1) {
        ctl_error(ctx, "id %s is ambiguous, %"PRIuSIZE" evacuations begin so; "
                  "give more digits", arg, n_found);
        return NULL;
    } else if (!found) {
        ctl_error(ctx, "no evacuation is of an NVE %s or has this id; "
                  "\"nva-ctl evacuate-list\" lists them", arg);
    }
    return found;
}

static int64_t
get_counter(const struct nvarec_evacuation *ev, const char *key)
{
    for (size_t i = 0; i < ev->n_counters; i++) {
        if (!strcmp(ev->key_counters[i], key)) {
            return ev->value_counters[i];
        }
    }
    return 0;
}

/* Describes how far 'ev' is. */
static char *
format_progress(const struct nvarec_evacuation *ev)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, "%s: %"PRId64" of %"PRId64" ports moved",
                  phase_of(ev), get_counter(ev, "moved"),
                  get_counter(ev, "ports"));
    if (get_counter(ev, "active")) {
        ds_put_format(&s, ", %"PRId64" moving", get_counter(ev, "active"));
    }
    if (get_counter(ev, "failed")) {
        ds_put_format(&s, ", %"PRId64" failed", get_counter(ev, "failed"));
    }
    if (get_counter(ev, "waiting")) {
        ds_put_format(&s, ", %"PRId64" waiting for an interface at a target:",
                      get_counter(ev, "waiting"));
        for (size_t i = 0; i < ev->n_waiting_for; i++) {
            ds_put_format(&s, " %s", ev->waiting_for[i]);
        }
    }
    return ds_steal_cstr(&s);
}

/* Each line is printed when it comes, since this is for somebody who
 * watches. */
static void
cmd_evacuate_wait(struct ctl_context *ctx)
{
    struct nva_ctl_context *nctx = nva_ctl_context_cast(ctx);
    const struct nvarec_evacuation *ev = get_evacuation(ctx, ctx->argv[1]);
    char *progress, *waiting;

    if (!ev) {
        return;
    }
    progress = format_progress(ev);
    waiting = xasprintf("the evacuation of NVE %s to end; %s", ev->nve,
                        progress);
    if (!nullable_string_is_equal(nctx->waiting, waiting)) {
        printf("%s\n", progress);
        fflush(stdout);
    }
    free(progress);
    free(nctx->waiting);
    nctx->waiting = waiting;
    if (is_running(ev)) {
        ctx->try_again = true;
    } else if (strcmp(ev->phase, "done")) {
        ctl_error(ctx, "the evacuation of NVE %s %s%s%s", ev->nve,
                  !strcmp(ev->phase, "failed") ? "failed" : "was cancelled",
                  ev->error[0] ? ": " : "", ev->error);
    }
}

/* evacuate-list */

static int
compare_evacuations(const void *a_, const void *b_)
{
    const struct nvarec_evacuation *const *ap = a_, *const *bp = b_;
    long long int a = start_time(*ap), b = start_time(*bp);

    return (a != b ? (a < b ? -1 : 1)
            : uuid_compare_3way(&(*ap)->header_.uuid, &(*bp)->header_.uuid));
}

static void
list_evacuation(struct nva_ctl_listing *l, const struct nvarec_evacuation *ev)
{
    enum { ID, NVE, TO, PARALLEL, TRIGGER, PHASE, COUNTERS, WAITING_FOR = 12,
           ERR };
    static const char *const counters[] = {
        "ports", "moved", "active", "todo", "waiting", "failed"
    };
    char *id = format_id(&l->nctx->base, &ev->header_.uuid);

    nva_ctl_listing_put(l, ID, id);
    nva_ctl_listing_put(l, NVE, ev->nve);
    nva_ctl_listing_put_set(l, TO, ev->to, ev->n_to);
    nva_ctl_listing_put_integer(l, PARALLEL,
                                ev->n_parallel ? ev->parallel[0] : 10);
    nva_ctl_listing_put(l, TRIGGER,
                        ev->trigger[0] ? ev->trigger : "announce");
    nva_ctl_listing_put(l, PHASE, phase_of(ev));
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        nva_ctl_listing_put_integer(l, COUNTERS + i,
                                    get_counter(ev, counters[i]));
    }
    nva_ctl_listing_put_set(l, WAITING_FOR, ev->waiting_for,
                            ev->n_waiting_for);
    nva_ctl_listing_put(l, ERR, ev->error);
    nva_ctl_listing_end_row(l);
    free(id);
}

static void
cmd_evacuate_list(struct ctl_context *ctx)
{
    static const char *const headings[] = {
        "id", "nve", "to", "parallel", "trigger", "phase", "ports", "moved",
        "active", "todo", "waiting", "failed", "waiting_for", "error"
    };
    const struct nvarec_evacuation **sorted = NULL, *ev;
    size_t n = 0, allocated = 0;
    struct nva_ctl_listing l;

    if (!nva_ctl_listing_init(&l, ctx, headings, ARRAY_SIZE(headings))) {
        return;
    }
    NVAREC_EVACUATION_FOR_EACH (ev, ctx->idl) {
        if (n >= allocated) {
            sorted = x2nrealloc(sorted, &allocated, sizeof *sorted);
        }
        sorted[n++] = ev;
    }
    if (n) {
        qsort(sorted, n, sizeof *sorted, compare_evacuations);
    }
    for (size_t i = 0; i < n; i++) {
        list_evacuation(&l, sorted[i]);
    }
    free(sorted);
    nva_ctl_listing_uninit(&l);
}

const struct ctl_command_syntax nva_ctl_evacuate_commands[] = {
    {"evacuate", 1, INT_MAX, "NVE [to=NVES] [parallel=N] [trigger=TRIGGER]",
     pre_evacuate, cmd_evacuate, post_evacuate, "", RW},
    {"evacuate-cancel", 1, 1, "NVE", pre_evacuate_cancel, cmd_evacuate_cancel,
     NULL, "", RW},
    {"evacuate-wait", 1, 1, "EVACUATION", pre_all, cmd_evacuate_wait, NULL,
     "", RO},
    {"evacuate-list", 0, 0, "", pre_all, cmd_evacuate_list, NULL,
     "--columns=", RO},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO},
};
