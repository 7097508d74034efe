/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "neighbor.h"

#include <limits.h>
#include <stdlib.h>

#include "coverage.h"
#include "hash.h"
#include "neighbor-frame.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/ofpbuf.h"
#include "topology.h"
#include "util.h"

COVERAGE_DEFINE(neighbor_probe_sent);
COVERAGE_DEFINE(neighbor_probe_received);

/* How long to wait for a probe to arrive before the next one. */
#define RETRY_MS 100

/* The same for the first one of a new way, if no more than so many wait for
 * an answer.  Open vSwitch drops it to ask for the other's MAC address. */
#define FIRST_RETRY_MS 20
#define N_WAITING_FEW 50

/* How many ways wait for an answer at most before others are tried for the
 * first time, not counting those that have waited for N_PATIENT probes.  When
 * all are to be proved at once, as after a restart, more would only have the
 * answers come too late. */
#define N_WAITING_MAX 500
#define N_PATIENT 5

/* How often in a row a repetition is put off because an end has changes to
 * carry out: an end that always has some must not be left without probes. */
#define N_HELD_MAX 10

/* How long after a few retries. */
#define SLOW_RETRY_MS 1000
#define N_FAST_RETRIES 30

/* How often proved ways are used: well below the 900 s after which Open
 * vSwitch forgets a neighbor (ovs-facts: tnl/neigh/aging). */
#define REFRESH_MS 240000

/* How many of an NVE's ways are proved anew then, in turn.  The others get a
 * frame that nobody answers, as an answer for each of a million ways would
 * keep the controller busy. */
#define N_PROVED_MAX 4

/* After how many ways the others wait for the next turn of the main loop. */
#define N_REFRESHED_MAX 1000

/* After how many unanswered probes a proved way is in doubt. */
#define N_DOUBTS 5

/* An NVE that has ways. */
struct end {
    struct hmap_node node;      /* In neighbors' 'ends', by 'nve'. */
    struct nve *nve;
    bool up;
    bool busy;                  /* See neighbors_set_busy(). */
    struct ovs_list ways;       /* Contains "struct way"s that start there:
                                 * first fresh ones, then those that have
                                 * not been proved for the longest time. */
    size_t n_fresh;             /* Ways not probed yet, with both ends up. */
    size_t n_new;               /* Those of them that came in turn ... */
    unsigned int turn;          /* ... 'turn' and were not tried since. */
    struct ovs_list fresh_node; /* In 'fresh', if there are any. */
    struct ovs_list refresh_node; /* In 'refresh', if it is not empty. */
    long long int refresh_at;
};

/* A way from one end to another.  There are as many as pairs of NVEs that have
 * a VN in common, so it is small. */
struct way {
    struct ovs_list node;       /* In 'ways' of 'from'. */
    struct end *from;
    struct trial *trial;        /* While it is being proved, else null. */
    uint32_t sent_at;           /* When the last probe was sent, as
                                 * seconds(); 0 if none has been. */
    bool resolved;
    bool is_second;             /* Of its pair. */
};

/* Two NVEs with a VN in common. */
struct pair {
    struct hmap_node node;      /* In neighbors' 'pairs', by both ids. */
    unsigned int n_refs;
    struct way ways[2];         /* There and back. */
};

/* The proof of a way that is up, for the first time or anew, from the first
 * probe on. */
struct trial {
    struct ovs_list queue_node; /* In a queue, after that probe. */
    struct way *way;
    long long int probe_at;
    unsigned int n_tries;       /* Since the last one that arrived. */
    unsigned int n_held;        /* Repetitions put off since then. */
    bool waiting;               /* Counted in 'n_waiting'. */
};

struct neighbors {
    neighbor_send_cb *send;
    neighbor_changed_cb *changed;
    void *aux;
    struct hmap ends;
    struct hmap pairs;
    size_t n_pending;           /* Ways that are up but not resolved. */

    /* Ends that have fresh ways.  Those with the latest come first, so that a
     * move does not wait for all that came with a restart. */
    struct ovs_list fresh;
    unsigned int turn;          /* Of the main loop. */
    size_t n_waiting;           /* See N_WAITING_MAX. */

    /* "struct trial"s.  Each queue has one interval, so that it is sorted by
     * 'probe_at'. */
    struct ovs_list first, fast, slow;

    /* Ends that have proved ways, by 'refresh_at'. */
    struct ovs_list refresh;
};

struct neighbors *
neighbors_create(neighbor_send_cb *send, neighbor_changed_cb *changed,
                 void *aux)
{
    struct neighbors *n = xzalloc(sizeof *n);

    n->send = send;
    n->changed = changed;
    n->aux = aux;
    hmap_init(&n->ends);
    hmap_init(&n->pairs);
    ovs_list_init(&n->fresh);
    ovs_list_init(&n->first);
    ovs_list_init(&n->fast);
    ovs_list_init(&n->slow);
    ovs_list_init(&n->refresh);
    return n;
}

void
neighbors_destroy(struct neighbors *n)
{
    struct pair *pair;
    struct end *end;

    if (n) {
        HMAP_FOR_EACH_POP (pair, node, &n->pairs) {
            free(pair->ways[0].trial);
            free(pair->ways[1].trial);
            free(pair);
        }
        HMAP_FOR_EACH_POP (end, node, &n->ends) {
            free(end);
        }
        hmap_destroy(&n->pairs);
        hmap_destroy(&n->ends);
        free(n);
    }
}

static struct end *
find_end(const struct neighbors *n, const struct nve *nve)
{
    struct end *end;

    HMAP_FOR_EACH_WITH_HASH (end, node, hash_pointer(nve, 0), &n->ends) {
        if (end->nve == nve) {
            return end;
        }
    }
    return NULL;
}

/* Puts 'end' where its proved ways are refreshed, if it is not there yet. */
static void
end_enqueue(struct neighbors *n, struct end *end, long long int now)
{
    if (ovs_list_is_empty(&end->refresh_node)) {
        end->refresh_at = now + REFRESH_MS;
        ovs_list_push_back(&n->refresh, &end->refresh_node);
    }
}

static void
dequeue(struct ovs_list *node)
{
    ovs_list_remove(node);
    ovs_list_init(node);
}

static struct end *
get_end(struct neighbors *n, struct nve *nve)
{
    struct end *end = find_end(n, nve);

    if (!end) {
        end = xzalloc(sizeof *end);
        end->nve = nve;
        ovs_list_init(&end->ways);
        ovs_list_init(&end->fresh_node);
        ovs_list_init(&end->refresh_node);
        hmap_insert(&n->ends, &end->node, hash_pointer(nve, 0));
    }
    return end;
}

static void
put_end(struct neighbors *n, struct end *end)
{
    if (!end->up && ovs_list_is_empty(&end->ways)) {
        dequeue(&end->refresh_node);
        hmap_remove(&n->ends, &end->node);
        free(end);
    }
}

/* Returns 'now', in ms, as seconds that fit into 32 bits and are never 0. */
static uint32_t
seconds(long long int now)
{
    return now / 1000 + 1;
}

static struct pair *
pair_of(const struct way *way)
{
    const struct way *first = way - way->is_second;

    return CONTAINER_OF(first, struct pair, ways[0]);
}

static struct way *
way_back(const struct way *way)
{
    return &pair_of(way)->ways[!way->is_second];
}

static struct end *
way_to(const struct way *way)
{
    return way_back(way)->from;
}

/* The same for both ways. */
static uint32_t
hash_pair(uint64_t a, uint64_t b)
{
    return hash_uint64_basis(MIN(a, b), hash_uint64(MAX(a, b)));
}

static struct way *
find_way(const struct neighbors *n, uint64_t from, uint64_t to)
{
    struct pair *pair;

    HMAP_FOR_EACH_WITH_HASH (pair, node, hash_pair(from, to), &n->pairs) {
        for (int i = 0; i < 2; i++) {
            if (pair->ways[i].from->nve->id == from
                && pair->ways[!i].from->nve->id == to) {
                return &pair->ways[i];
            }
        }
    }
    return NULL;
}

static bool
way_is_up(const struct way *way)
{
    return way->from->up && way_to(way)->up;
}

/* Returns true if 'way', which is up, has not been probed yet. */
static bool
way_is_fresh(const struct way *way)
{
    return !way->resolved && !way->trial;
}

/* Notes whether others shall wait for 'trial'. */
static void
trial_set_waiting(struct neighbors *n, struct trial *trial, bool waiting)
{
    n->n_waiting += waiting - trial->waiting;
    trial->waiting = waiting;
}

/* Returns true if 'trial' is repeated after FIRST_RETRY_MS. */
static bool
is_repeated_soon(const struct neighbors *n, const struct trial *trial)
{
    return (trial->n_tries == 1 && !trial->n_held && !trial->way->resolved
            && n->n_waiting <= N_WAITING_FEW);
}

/* Puts 'trial', whose way has been probed, where that is done again after the
 * interval of that queue. */
static void
trial_enqueue(struct neighbors *n, struct trial *trial, long long int now)
{
    ovs_list_remove(&trial->queue_node);
    if (is_repeated_soon(n, trial)) {
        trial->probe_at = now + FIRST_RETRY_MS;
        ovs_list_push_back(&n->first, &trial->queue_node);
    } else if (trial->n_tries <= N_FAST_RETRIES) {
        trial->probe_at = now + RETRY_MS;
        ovs_list_push_back(&n->fast, &trial->queue_node);
    } else {
        trial->probe_at = now + SLOW_RETRY_MS;
        ovs_list_push_back(&n->slow, &trial->queue_node);
    }
}

static struct trial *
trial_create(struct way *way)
{
    struct trial *trial = xzalloc(sizeof *trial);

    ovs_assert(!way->trial);
    ovs_list_init(&trial->queue_node);
    trial->way = way;
    way->trial = trial;
    return trial;
}

static void
trial_destroy(struct neighbors *n, struct trial *trial)
{
    if (trial) {
        trial_set_waiting(n, trial, false);
        ovs_list_remove(&trial->queue_node);
        trial->way->trial = NULL;
        free(trial);
    }
}

static void
way_set_resolved(struct neighbors *n, struct way *way, bool resolved)
{
    if (way->resolved != resolved) {
        way->resolved = resolved;
        n->n_pending += resolved ? -1 : 1;
        n->changed(way->from->nve, way_to(way)->nve, n->aux);
    }
}

/* Starts to prove 'way', whose ends are both up. */
static void
way_start(struct neighbors *n, struct way *way)
{
    struct end *from = way->from;

    ovs_assert(!way->resolved);
    n->n_pending++;
    ovs_list_remove(&way->node);
    ovs_list_push_front(&from->ways, &way->node);
    from->n_fresh++;
    if (from->turn != n->turn) {
        from->turn = n->turn;
        from->n_new = 0;
    }
    from->n_new++;
    dequeue(&from->fresh_node);
    ovs_list_push_front(&n->fresh, &from->fresh_node);
}

/* 'way', which is up, has been tried or proved, or is going to be stopped. */
static void
way_not_fresh(struct way *way)
{
    if (way_is_fresh(way) && !--way->from->n_fresh) {
        dequeue(&way->from->fresh_node);
    }
}

/* Stops, because an end went down or the way is not wanted any more. */
static void
way_stop(struct neighbors *n, struct way *way)
{
    way_not_fresh(way);
    if (!way->resolved) {
        n->n_pending--;
    }
    way->resolved = false;
    trial_destroy(n, way->trial);
}

static struct pair *
pair_create(struct neighbors *n, struct nve *a, struct nve *b)
{
    struct pair *pair = xzalloc(sizeof *pair);

    hmap_insert(&n->pairs, &pair->node, hash_pair(a->id, b->id));
    for (int i = 0; i < 2; i++) {
        struct way *way = &pair->ways[i];

        way->is_second = i > 0;
        way->from = get_end(n, i ? b : a);
        ovs_list_push_back(&way->from->ways, &way->node);
    }
    if (way_is_up(&pair->ways[0])) {
        way_start(n, &pair->ways[0]);
        way_start(n, &pair->ways[1]);
    }
    return pair;
}

static void
pair_destroy(struct neighbors *n, struct pair *pair)
{
    struct end *ends[] = { pair->ways[0].from, pair->ways[1].from };

    if (way_is_up(&pair->ways[0])) {
        way_stop(n, &pair->ways[0]);
        way_stop(n, &pair->ways[1]);
    }
    hmap_remove(&n->pairs, &pair->node);
    ovs_list_remove(&pair->ways[0].node);
    ovs_list_remove(&pair->ways[1].node);
    free(pair);
    put_end(n, ends[0]);
    put_end(n, ends[1]);
}

void
neighbors_link(struct neighbors *n, struct nve *a, struct nve *b)
{
    struct way *way = find_way(n, a->id, b->id);

    (way ? pair_of(way) : pair_create(n, a, b))->n_refs++;
}

void
neighbors_unlink(struct neighbors *n, struct nve *a, struct nve *b)
{
    struct way *way = find_way(n, a->id, b->id);

    if (way && !--pair_of(way)->n_refs) {
        pair_destroy(n, pair_of(way));
    }
}

void
neighbors_nve_down(struct neighbors *n, struct nve *nve)
{
    struct end *end = find_end(n, nve);
    struct way *way;

    if (!end || !end->up) {
        return;
    }
    LIST_FOR_EACH (way, node, &end->ways) {
        if (way_is_up(way)) {
            way_stop(n, way);
            way_stop(n, way_back(way));
        }
    }
    end->up = false;
    dequeue(&end->refresh_node);
    put_end(n, end);
}

void
neighbors_nve_changed(struct neighbors *n, struct nve *nve)
{
    struct way *way;
    struct end *end;

    neighbors_nve_down(n, nve);
    end = get_end(n, nve);
    end->up = true;
    LIST_FOR_EACH_SAFE (way, node, &end->ways) {
        way->sent_at = 0;               /* It may have forgotten them. */
        if (way_is_up(way)) {
            way_start(n, way);
            way_start(n, way_back(way));
        }
    }
}

void
neighbors_set_busy(struct neighbors *n, const struct nve *nve, bool busy)
{
    struct end *end = find_end(n, nve);

    if (end) {
        end->busy = busy;
    }
}

bool
neighbors_is_resolved(const struct neighbors *n, const struct nve *from,
                      const struct nve *to)
{
    const struct way *way = find_way(n, from->id, to->id);

    return way && way->resolved;
}

/* Has the end that 'way' starts from send a probe. */
static void
send_probe(struct neighbors *n, struct way *way, long long int now)
{
    struct ofpbuf *msg = neighbor_encode_probe(way->from->nve,
                                              way_to(way)->nve);

    if (msg) {
        COVERAGE_INC(neighbor_probe_sent);
        way->sent_at = seconds(now);
        n->send(way->from->nve, msg, n->aux);
    }
}

void
neighbors_warm(struct neighbors *n, const struct nve *hub,
               const struct nve *const others[], size_t n_others)
{
    const struct end *end = find_end(n, hub);

    if (end && end->up) {
        struct neighbor_batch out;

        neighbor_batch_init(&out, end->nve, n->send, n->aux);

        for (size_t i = 0; i < n_others; i++) {
            const struct end *other = find_end(n, others[i]);

            if (other && other->up) {
                struct neighbor_batch back;

                neighbor_batch_init(&back, other->nve, n->send, n->aux);
                neighbor_batch_add(&back, hub);
                neighbor_batch_finish(&back);
                neighbor_batch_add(&out, others[i]);
            }
        }
        neighbor_batch_finish(&out);
    }
}

static void
resolve_way_blindly(struct neighbors *n, const struct nve *from,
                    const struct nve *to, long long int now)
{
    struct way *way = find_way(n, from->id, to->id);

    if (way && way->from->up && !way_to(way)->up
        && (!way->sent_at
            || seconds(now) - way->sent_at >= REFRESH_MS / 1000)) {
        send_probe(n, way, now);
    }
}

void
neighbors_resolve_blindly(struct neighbors *n, const struct nve *a,
                          const struct nve *b, long long int now)
{
    resolve_way_blindly(n, a, b, now);
    resolve_way_blindly(n, b, a, now);
}

size_t
neighbors_count_pending(const struct neighbors *n)
{
    return n->n_pending;
}

static void
run_trial(struct neighbors *n, struct trial *trial, long long int now)
{
    struct way *way = trial->way;

    if (trial->n_tries && (way->from->busy || way_to(way)->busy)
        && trial->n_held < N_HELD_MAX) {
        trial->n_held++;
        trial_set_waiting(n, trial, false);
        trial_enqueue(n, trial, now);
        return;
    }
    trial->n_held = 0;
    if (++trial->n_tries > N_DOUBTS) {
        way_set_resolved(n, way, false);
    }
    trial_set_waiting(n, trial,
                      trial->n_tries <= N_PATIENT && !way->resolved);
    trial_enqueue(n, trial, now);
    send_probe(n, way, now);
}

/* Starts a trial of 'way'. */
static void
try_way(struct neighbors *n, struct way *way, long long int now)
{
    way_not_fresh(way);
    ovs_list_remove(&way->node);
    ovs_list_push_back(&way->from->ways, &way->node);
    run_trial(n, trial_create(way), now);
}

/* Has 'end' use all of its proved ways, so that it does not forget its
 * neighbors, and proves some of them anew, those first that were not for the
 * longest time.  Returns how many. */
static size_t
refresh_end(struct neighbors *n, struct end *end, long long int now)
{
    struct neighbor_batch batch;
    struct way *proved[N_PROVED_MAX];
    size_t n_proved = 0, n_refreshed = 0;
    struct way *way;

    neighbor_batch_init(&batch, end->nve, n->send, n->aux);
    LIST_FOR_EACH (way, node, &end->ways) {
        if (!way->resolved || way->trial) {
            continue;           /* It is probed anyway. */
        } else if (n_proved < N_PROVED_MAX) {
            proved[n_proved++] = way;
        } else {
            neighbor_batch_add(&batch, way_to(way)->nve);
        }
        n_refreshed++;
    }
    neighbor_batch_finish(&batch);

    dequeue(&end->refresh_node);
    if (n_refreshed) {
        end_enqueue(n, end, now);
    }
    for (size_t i = 0; i < n_proved; i++) {
        try_way(n, proved[i], now);
    }
    return n_refreshed;
}

static struct end *
first_end(const struct ovs_list *queue)
{
    return CONTAINER_OF(ovs_list_front(queue), struct end, refresh_node);
}

static void
run_refresh(struct neighbors *n, long long int now)
{
    size_t n_refreshed = 0;

    while (!ovs_list_is_empty(&n->refresh)
           && first_end(&n->refresh)->refresh_at <= now
           && n_refreshed < N_REFRESHED_MAX) {
        n_refreshed += refresh_end(n, first_end(&n->refresh), now);
    }
}

static struct trial *
first_trial(const struct ovs_list *queue)
{
    return CONTAINER_OF(ovs_list_front(queue), struct trial, queue_node);
}

static void
run_queue(struct neighbors *n, struct ovs_list *queue, long long int now)
{
    while (!ovs_list_is_empty(queue)
           && first_trial(queue)->probe_at <= now) {
        run_trial(n, first_trial(queue), now);
    }
}

/* Returns true if a way can be tried for the first time. */
static bool
has_first_try(const struct neighbors *n)
{
    return !ovs_list_is_empty(&n->fresh) && n->n_waiting < N_WAITING_MAX;
}

/* Returns the way of 'end' that is to be tried for the first time next. */
static struct way *
first_fresh(struct end *end)
{
    for (;;) {
        struct ovs_list *node = ovs_list_front(&end->ways);
        struct way *way = CONTAINER_OF(node, struct way, node);

        if (way_is_up(way) && way_is_fresh(way)) {
            return way;
        }

        /* It was when it got there. */
        ovs_list_remove(node);
        ovs_list_push_back(&end->ways, node);
    }
}

/* Tries a way for the first time. */
static void
run_fresh(struct neighbors *n, long long int now)
{
    struct end *end = CONTAINER_OF(ovs_list_front(&n->fresh), struct end,
                                   fresh_node);

    try_way(n, first_fresh(end), now);
    if (end->n_new && !--end->n_new && end->n_fresh) {
        ovs_list_remove(&end->fresh_node);
        ovs_list_push_back(&n->fresh, &end->fresh_node);
    }
}

void
neighbors_run(struct neighbors *n, long long int now)
{
    n->turn++;
    run_queue(n, &n->first, now);
    run_queue(n, &n->fast, now);
    run_queue(n, &n->slow, now);
    run_refresh(n, now);
    while (has_first_try(n)) {
        run_fresh(n, now);
    }
}

static long long int
queue_deadline(const struct ovs_list *queue)
{
    return (ovs_list_is_empty(queue) ? LLONG_MAX
            : first_trial(queue)->probe_at);
}

long long int
neighbors_deadline(const struct neighbors *n)
{
    long long int deadline;

    if (has_first_try(n)) {
        return 0;
    }
    deadline = MIN(queue_deadline(&n->first), queue_deadline(&n->fast));
    deadline = MIN(deadline, queue_deadline(&n->slow));
    return (ovs_list_is_empty(&n->refresh) ? deadline
            : MIN(deadline, first_end(&n->refresh)->refresh_at));
}

void
neighbors_probe_received(struct neighbors *n, struct nve *at,
                         const void *payload, size_t size, long long int now)
{
    uint64_t from, to;
    struct way *way;

    if (!neighbor_decode_probe(payload, size, &from, &to) || to != at->id) {
        return;
    }
    way = find_way(n, from, to);
    if (way && way_is_up(way)) {
        COVERAGE_INC(neighbor_probe_received);
        way_not_fresh(way);
        trial_destroy(n, way->trial);
        end_enqueue(n, way->from, now);
        way_set_resolved(n, way, true);
    }
}
