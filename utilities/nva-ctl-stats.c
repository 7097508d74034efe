/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* migrate-stats: what moves took, by NVE and kind. */

#include "nva-ctl.h"

#include <string.h>

#include "openvswitch/json.h"
#include "util.h"

/* What is measured of moves: from event 'from' to event 'to', or, without
 * these, the counter redirected-packets. */
enum { PREPARE, SWITCH, DRAIN, REDIRECTED, N_MEASURES };
static const struct {
    const char *from, *to;
} measures[N_MEASURES] = {
    [PREPARE] = { "requested", "prepared" },
    [SWITCH] = { "triggered", "peers-switched" },
    [DRAIN] = { "triggered", "drained" },
};

/* All values of one measure in a group. */
struct sample {
    long long int *values;      /* In us, or packets. */
    size_t n, allocated;
};

/* The moves from one NVE to another, of one kind. */
struct group {
    const struct nvarec_migration *first; /* One of them. */
    long long int n_done, n_failed, n_cancelled;
    struct sample samples[N_MEASURES];
};

static void
pre_migrate_stats(struct ctl_context *ctx)
{
    nva_ctl_pre_migration(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_old_nve);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_new_nve);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_kind);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_times);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_counters);
}

/* Empty means hot, see nva(5). */
static const char *
kind_of(const struct nvarec_migration *m)
{
    return m->kind[0] ? m->kind : "hot";
}

/* Orders by group. */
static int
compare_groups(const void *a_, const void *b_)
{
    const struct nvarec_migration *const *ap = a_, *const *bp = b_;
    int cmp = strcmp((*ap)->old_nve, (*bp)->old_nve);

    if (!cmp) {
        cmp = strcmp((*ap)->new_nve, (*bp)->new_nve);
    }
    return cmp ? cmp : strcmp(kind_of(*ap), kind_of(*bp));
}

static int
compare_values(const void *a_, const void *b_)
{
    const long long int *a = a_, *b = b_;

    return *a < *b ? -1 : *a > *b;
}

static void
sample_add(struct sample *s, long long int value)
{
    if (s->n >= s->allocated) {
        s->values = x2nrealloc(s->values, &s->allocated, sizeof *s->values);
    }
    s->values[s->n++] = value;
}

static void
measure(struct group *g, const struct nvarec_migration *m)
{
    for (size_t i = 0; i < N_MEASURES; i++) {
        const char *from = measures[i].from;
        long long int start = (from ? nva_ctl_migration_time(m, from, 0) : 0);
        long long int end = (from
                             ? nva_ctl_migration_time(m, measures[i].to, 0)
                             : 0);

        if (start && end) {
            sample_add(&g->samples[i], end - start);
        }
    }
    for (size_t i = 0; i < m->n_counters; i++) {
        if (!strcmp(m->key_counters[i], "redirected-packets")) {
            sample_add(&g->samples[REDIRECTED], m->value_counters[i]);
        }
    }
}

static void
group_add(struct group *g, const struct nvarec_migration *m)
{
    if (nva_ctl_migration_is_active(m)) {
        return;
    }
    g->n_done += !strcmp(m->phase, "done");
    g->n_failed += !strcmp(m->phase, "failed");
    g->n_cancelled += !strcmp(m->phase, "cancelled");
    measure(g, m);
}

/* Puts the median and the maximum of 's' into 'column' and the next one.  For
 * an even number of values, the median is the greater of the two in the
 * middle, so that it is one that occurred. */
static void
put_sample(struct nva_ctl_listing *l, size_t column, struct sample *s,
           bool is_time)
{
    if (!s->n) {
        nva_ctl_listing_put(l, column, "");
        nva_ctl_listing_put(l, column + 1, "");
        return;
    }
    qsort(s->values, s->n, sizeof *s->values, compare_values);
    for (size_t i = 0; i < 2; i++) {
        long long int value = s->values[i ? s->n - 1 : s->n / 2];

        if (is_time) {
            nva_ctl_listing_put_ms(l, column + i, value);
        } else {
            nva_ctl_listing_put_integer(l, column + i, value);
        }
    }
}

static void
list_group(struct nva_ctl_listing *l, struct group *g)
{
    enum { OLD, NEW, KIND, DONE, FAILED, CANCELLED, SAMPLES };

    nva_ctl_listing_put(l, OLD, g->first->old_nve);
    nva_ctl_listing_put(l, NEW, g->first->new_nve);
    nva_ctl_listing_put(l, KIND, kind_of(g->first));
    nva_ctl_listing_put_integer(l, DONE, g->n_done);
    nva_ctl_listing_put_integer(l, FAILED, g->n_failed);
    nva_ctl_listing_put_integer(l, CANCELLED, g->n_cancelled);
    for (size_t i = 0; i < N_MEASURES; i++) {
        put_sample(l, SAMPLES + 2 * i, &g->samples[i], measures[i].from);
        free(g->samples[i].values);
    }
    nva_ctl_listing_end_row(l);
}

static void
cmd_migrate_stats(struct ctl_context *ctx)
{
    static const char *const headings[] = {
        "old_nve", "new_nve", "kind", "done", "failed", "cancelled",
        "prepare", "prepare_max", "switch", "switch_max", "drain",
        "drain_max", "redirected", "redirected_max"
    };
    const struct nvarec_migration **migrations;
    struct nva_ctl_listing l;
    size_t n;

    if (!nva_ctl_listing_init(&l, ctx, headings, ARRAY_SIZE(headings))) {
        return;
    }
    migrations = nva_ctl_sort_migrations(ctx, &n);
    if (n) {
        qsort(migrations, n, sizeof *migrations, compare_groups);
    }
    for (size_t i = 0; i < n; ) {
        struct group g = { .first = migrations[i] };

        for (; i < n && !compare_groups(&g.first, &migrations[i]); i++) {
            group_add(&g, migrations[i]);
        }
        if (g.n_done + g.n_failed + g.n_cancelled) {
            list_group(&l, &g);
        }
    }
    free(migrations);
    nva_ctl_listing_uninit(&l);
}

const struct ctl_command_syntax nva_ctl_stats_commands[] = {
    {"migrate-stats", 0, 0, "", pre_migrate_stats, cmd_migrate_stats, NULL,
     "--columns=", RO},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO},
};
