/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <limits.h>
#include <stdlib.h>

#include "clock.h"
#include "cookie.h"
#include "heap.h"
#include "migration.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "uuid.h"

VLOG_DEFINE_THIS_MODULE(history);

/* Rows of Migration that have ended are history, of which the oldest go when
 * there are too many or when they are too old.  The heap has the oldest on
 * top, so that nothing walks all rows.  A row is taken out of it when it is
 * about to be deleted. */

/* Defaults of options, see nva(5). */
#define HISTORY_MAX 1000
#define HISTORY_AGE_S (7 * 24 * 3600)

struct record {
    struct heap_node heap_node; /* In the history's 'oldest'. */
    struct hmap_node id_node;   /* In the history's 'records', by 'id'. */
    uint64_t id;
    struct uuid uuid;
    long long int ended;        /* µs since the epoch, 0 if not known. */
};

/* A number in NVA_Global:options. */
struct limit {
    const char *key;
    long long int def;
    char *text;                 /* As last seen, or null. */
    long long int value;        /* 0 for no limit. */
};

struct history {
    struct heap oldest;         /* Contains "struct record"s. */
    struct hmap records;        /* The same. */
    struct limit max;
    struct limit age;           /* In s. */
};

struct history *
nva_history_create(void)
{
    struct history *h = xzalloc(sizeof *h);

    heap_init(&h->oldest);
    hmap_init(&h->records);
    h->max = (struct limit) {
        .key = "history_max", .def = HISTORY_MAX, .value = HISTORY_MAX,
    };
    h->age = (struct limit) {
        .key = "history_age", .def = HISTORY_AGE_S, .value = HISTORY_AGE_S,
    };
    return h;
}

static struct record *
find_record(const struct history *h, const struct uuid *uuid)
{
    uint64_t id = cookie_id_from_uuid(uuid);
    struct record *r;

    HMAP_FOR_EACH_WITH_HASH (r, id_node, hash_uint64(id), &h->records) {
        if (uuid_equals(&r->uuid, uuid)) {
            return r;
        }
    }
    return NULL;
}

static void
remove_record(struct history *h, struct record *r)
{
    if (r) {
        heap_remove(&h->oldest, &r->heap_node);
        hmap_remove(&h->records, &r->id_node);
        free(r);
    }
}

void
nva_history_destroy(struct history *h)
{
    struct record *r;

    if (h) {
        HMAP_FOR_EACH_SAFE (r, id_node, &h->records) {
            remove_record(h, r);
        }
        hmap_destroy(&h->records);
        heap_destroy(&h->oldest);
        free(h->max.text);
        free(h->age.text);
        free(h);
    }
}

/* Takes the value of 'limit' from 'options'.  Says once what is wrong with
 * it. */
static void
configure(struct limit *limit, const struct smap *options)
{
    const char *text = smap_get(options, limit->key);
    long long int value = limit->def;

    if (nullable_string_is_equal(text, limit->text)) {
        return;
    }
    free(limit->text);
    limit->text = nullable_xstrdup(text);
    if (text && (!str_to_llong(text, 10, &value) || value < 0
                 || value > INT_MAX)) {
        VLOG_WARN("NVA_Global options:%s=\"%s\" is not a number from 0 (no "
                  "limit) to %d; using the default of %lld", limit->key, text,
                  INT_MAX, limit->def);
        value = limit->def;
    }
    limit->value = value;
}

void
nva_history_configure(struct history *h, const struct smap *options)
{
    configure(&h->max, options);
    configure(&h->age, options);
}

/* A row that is under way may claim to have ended if somebody else wrote
 * that; it is put right by the next write. */
void
nva_history_row(struct nva *nva, const struct db_migration *row)
{
    struct history *h = nva->history;
    uint64_t id = cookie_id_from_uuid(&row->uuid);
    enum migration_phase phase = MIGRATION_REQUESTED;
    struct record *r = find_record(h, &row->uuid);

    migration_phase_from_string(row->phase, &phase);
    if (!r && phase >= MIGRATION_DONE && !nva_mig_find(nva, id)) {
        r = xmalloc(sizeof *r);
        r->id = id;
        r->uuid = row->uuid;
        r->ended = row->last_time;
        hmap_insert(&h->records, &r->id_node, hash_uint64(id));
        heap_insert(&h->oldest, &r->heap_node, UINT64_MAX - r->ended);
    }
}

void
nva_history_deleted(struct history *h, const struct uuid *uuid)
{
    remove_record(h, find_record(h, uuid));
}

/* Returns the record that ended first, or null. */
static struct record *
get_oldest(const struct history *h)
{
    return (heap_is_empty(&h->oldest) ? NULL
            : CONTAINER_OF(heap_max(&h->oldest), struct record, heap_node));
}

/* Returns in how many µs 'r' is too old, LLONG_MAX for never. */
static long long int
time_left(const struct history *h, const struct record *r,
          long long int wall)
{
    return (r && h->age.value
            ? r->ended + h->age.value * 1000000 - wall : LLONG_MAX);
}

void
nva_history_run(struct nva *nva)
{
    struct history *h = nva->history;
    long long int wall = clock_wall_usec();
    struct record *r;
    size_t n = 0;

    while ((r = get_oldest(h))
           && ((h->max.value && heap_count(&h->oldest) > h->max.value)
               || time_left(h, r, wall) <= 0)) {
        db_delete_migration(nva->db, &r->uuid);
        remove_record(h, r);
        n++;
    }
    if (n) {
        VLOG_DBG("%"PRIuSIZE" migrations deleted from the history", n);
    }
}

long long int
nva_history_deadline(const struct history *h)
{
    long long int left = time_left(h, get_oldest(h), clock_wall_usec());

    return (left == LLONG_MAX ? LLONG_MAX
            : clock_msec() + MAX(0, left) / 1000 + 1);
}
