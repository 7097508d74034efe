/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include "traffic-report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const dir_names[TRAFFIC_N_DIRS] = {
    [TRAFFIC_TO_VM] = "to_vm",
    [TRAFFIC_FROM_VM] = "from_vm",
};

static const char *const phase_names[TRAFFIC_N_PHASES] = {
    [TRAFFIC_BEFORE] = "before",
    [TRAFFIC_PAUSED] = "paused",
    [TRAFFIC_AFTER] = "after",
};

/* A packet that its addressee received at 'ns'. */
struct arrival {
    uint64_t ns;
    size_t order;               /* Breaks ties. */
    uint32_t flow, seq;
    uint16_t point;
};

/* What is needed to judge, but not to report. */
struct judge {
    struct traffic_report *r;
    const struct traffic *t;
    struct arrival *arrivals;
    size_t n_arrivals;
    uint16_t *n_received[TRAFFIC_MAX_FLOWS]; /* By sequence number. */
    uint32_t *nves[TRAFFIC_MAX_FLOWS]; /* Who tunnelled it, a bit each. */
    uint64_t n_queued[TRAFFIC_MAX_EPOCHS];
};

static void *
zalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);

    if (!p) {
        abort();
    }
    return p;
}

/* The life of the VM. */

/* Returns the epoch that 'ns' falls into. */
static int
epoch_at(const struct traffic *t, uint64_t ns)
{
    int i = t->n_epochs - 1;

    while (i > 0 && t->epochs[i].ns > ns) {
        i--;
    }
    return i;
}

/* Returns when epoch 'i' ends. */
static uint64_t
epoch_end(const struct traffic *t, int i)
{
    return i + 1 < t->n_epochs ? t->epochs[i + 1].ns : UINT64_MAX;
}

static bool
epoch_is_pause(const struct traffic *t, int i)
{
    return !t->epochs[i].alive;
}

/* Returns the first epoch from 'i' on in which the VM is alive at 'place', or
 * -1. */
static int
next_alive(const struct traffic *t, int i, int place)
{
    for (; i < t->n_epochs; i++) {
        if (t->epochs[i].alive & (1u << place)) {
            return i;
        }
    }
    return -1;
}

/* Returns the last epoch up to 'i' in which the VM is alive at 'place', or
 * -1. */
static int
prev_alive(const struct traffic *t, int i, int place)
{
    while (i >= 0 && !(t->epochs[i].alive & (1u << place))) {
        i--;
    }
    return i;
}

/* Returns when the VM last began to be alive at another place than before, or
 * 0 if it never moved. */
static uint64_t
last_resume(const struct traffic *t)
{
    for (int i = t->n_epochs - 1; i > 0; i--) {
        if (t->epochs[i].alive & ~t->epochs[i - 1].alive) {
            return t->epochs[i].ns;
        }
    }
    return 0;
}

static enum traffic_phase
phase_at(const struct traffic *t, uint64_t ns)
{
    int i = epoch_at(t, ns);

    if (epoch_is_pause(t, i)) {
        return TRAFFIC_PAUSED;
    }
    for (; i > 0; i--) {
        if (t->epochs[i].alive & ~t->epochs[i - 1].alive) {
            return TRAFFIC_AFTER;
        }
    }
    return TRAFFIC_BEFORE;
}

/* Returns how much of the time from 'start' to 'end' the VM was paused. */
static uint64_t
paused_between(const struct traffic *t, uint64_t start, uint64_t end)
{
    uint64_t sum = 0;

    for (int i = 0; i < t->n_epochs; i++) {
        if (epoch_is_pause(t, i)) {
            uint64_t a = t->epochs[i].ns, b = epoch_end(t, i);

            a = a > start ? a : start;
            b = b < end ? b : end;
            sum += b > a ? b - a : 0;
        }
    }
    return sum;
}

/* Judging single packets. */

static void
receive(struct judge *j, const struct traffic_rec *rec, uint64_t ns)
{
    j->arrivals[j->n_arrivals] = (struct arrival) {
        .ns = ns,
        .order = j->n_arrivals,
        .flow = rec->flow,
        .seq = rec->seq,
        .point = rec->point,
    };
    j->n_arrivals++;
}

/* A packet at a place where the VM is not alive, in epoch 'now'. */
static void
judge_elsewhere(struct judge *j, const struct traffic_rec *rec,
                uint64_t tx_ns, int place, int now)
{
    const struct traffic *t = j->t;
    struct traffic_report *r = j->r;
    int prev = prev_alive(t, now, place);
    int next = next_alive(t, now, place);

    if (prev >= 0 && prev == now - 1 && epoch_is_pause(t, now)) {
        if (rec->rx_ns - t->epochs[now].ns < t->drain_ns
            && tx_ns < t->epochs[now].ns) {
            r->drained++;
            receive(j, rec, rec->rx_ns);
        } else {
            r->hit_paused++;
        }
    } else if (next >= 0 && t->queue) {
        if (j->n_queued[next] < t->queue) {
            j->n_queued[next]++;
            r->queued++;
            receive(j, rec, t->epochs[next].ns);
        } else {
            r->overflow++;
        }
    } else if (prev < 0) {
        r->early++;
        r->dirs[TRAFFIC_TO_VM].misdelivered++;
    } else if (epoch_is_pause(t, epoch_at(t, tx_ns))
               && rec->rx_ns - epoch_end(t, epoch_at(t, tx_ns))
                  < TRAFFIC_REPORT_GRACE_NS) {
        r->late_excused++;
    } else {
        r->late++;
        r->dirs[TRAFFIC_TO_VM].misdelivered++;
    }
}

static void
judge_tunnelled(struct judge *j, const struct traffic_rec *rec, int nve,
                enum traffic_dir dir, enum traffic_phase phase)
{
    uint32_t *nves = &j->nves[rec->flow][rec->seq];
    struct traffic_report *r = j->r;

    r->tunnelled[nve][dir][phase]++;
    if (*nves && !(*nves & (1u << nve)) && dir == TRAFFIC_TO_VM) {
        r->redirected[phase]++;
        if (r->resume_ns && rec->rx_ns >= r->resume_ns) {
            r->redirected_since++;
            r->redirect_end_ns = rec->rx_ns;
        }
    }
    *nves |= 1u << nve;
}

static void
judge_rec(struct judge *j, const struct traffic_rec *rec)
{
    const struct traffic *t = j->t;
    const struct traffic_flow *flow = &t->flows[rec->flow];
    const struct traffic_point *point = &t->points[rec->point];
    uint64_t tx_ns;

    if (rec->seq >= flow->n_tx || flow->tx_ns[rec->seq] < t->count_ns) {
        return;
    }
    tx_ns = flow->tx_ns[rec->seq];
    if (point->kind == TRAFFIC_POINT_NVE) {
        judge_tunnelled(j, rec, point->index, flow->dir, phase_at(t, tx_ns));
    } else if (point->kind == TRAFFIC_POINT_PEER) {
        if (flow->dir == TRAFFIC_FROM_VM && flow->peer == point->index) {
            receive(j, rec, rec->rx_ns);
        } else {
            j->r->dirs[flow->dir].misdelivered++;
        }
    } else if (flow->dir == TRAFFIC_FROM_VM) {
        j->r->dirs[flow->dir].misdelivered++;
    } else {
        int now = epoch_at(t, rec->rx_ns);

        if (t->epochs[now].alive & (1u << point->index)) {
            receive(j, rec, rec->rx_ns);
        } else {
            judge_elsewhere(j, rec, tx_ns, point->index, now);
        }
    }
}

/* Judging flows. */

static int
compare_recs(const void *a_, const void *b_)
{
    const struct traffic_rec *a = a_, *b = b_;

    return a->rx_ns != b->rx_ns ? (a->rx_ns < b->rx_ns ? -1 : 1)
           : a->point != b->point ? (a->point < b->point ? -1 : 1)
           : 0;                 /* A point's stamps all differ. */
}

static int
compare_arrivals(const void *a_, const void *b_)
{
    const struct arrival *a = a_, *b = b_;

    return a->ns != b->ns ? (a->ns < b->ns ? -1 : 1)
           : a->order < b->order ? -1
           : 1;
}

static void
add_gap(const struct traffic *t, struct traffic_count *count,
        uint64_t start, uint64_t end)
{
    if (start && end - start > count->gap_ns) {
        count->gap_ns = end - start;
        count->gap_at_ns = start;
        count->gap_pause_ns = paused_between(t, start, end);
    }
}

/* Notes the first packet that the VM receives where it is in the end. */
static void
note_first(struct judge *j, const struct arrival *a)
{
    const struct traffic_epoch *last = &j->t->epochs[j->t->n_epochs - 1];
    int place = j->t->points[a->point].index;

    if (j->r->resume_ns && a->ns >= j->r->resume_ns
        && last->alive & (1u << place)) {
        j->r->first_ns = a->ns;
    }
}

/* Goes through the arrivals of all flows in the order of time. */
static void
judge_arrivals(struct judge *j)
{
    uint64_t last_ns[TRAFFIC_MAX_FLOWS] = { 0 };
    uint32_t next_seq[TRAFFIC_MAX_FLOWS] = { 0 };
    const struct traffic *t = j->t;

    qsort(j->arrivals, j->n_arrivals, sizeof *j->arrivals, compare_arrivals);
    for (size_t i = 0; i < j->n_arrivals; i++) {
        const struct arrival *a = &j->arrivals[i];
        const struct traffic_flow *flow = &t->flows[a->flow];
        struct traffic_count *count = &j->r->dirs[flow->dir];
        uint64_t delay = a->ns - flow->tx_ns[a->seq];

        if (j->n_received[a->flow][a->seq]++) {
            count->doubled++;
            continue;
        }
        if (a->seq < next_seq[a->flow]) {
            count->reordered++;
        } else {
            next_seq[a->flow] = a->seq + 1;
        }
        add_gap(t, count, last_ns[a->flow], a->ns);
        last_ns[a->flow] = a->ns;
        if (flow->dir == TRAFFIC_TO_VM && !j->r->first_ns) {
            note_first(j, a);
        }
        if (delay > count->max_delay_ns
            && !paused_between(t, flow->tx_ns[a->seq], a->ns)) {
            count->max_delay_ns = delay;
        }
    }

    /* Silence up to the end of the sending is a gap as well. */
    for (int i = 0; i < t->n_flows; i++) {
        const struct traffic_flow *flow = &t->flows[i];
        uint64_t end = flow->n_tx ? flow->tx_ns[flow->n_tx - 1] : 0;

        if (end > last_ns[i]) {
            add_gap(t, &j->r->dirs[flow->dir],
                    last_ns[i] ? last_ns[i] : t->count_ns, end);
        }
    }
}

static void
count_sent(struct judge *j)
{
    const struct traffic *t = j->t;

    for (int i = 0; i < t->n_flows; i++) {
        const struct traffic_flow *flow = &t->flows[i];
        struct traffic_count *count = &j->r->dirs[flow->dir];

        for (uint32_t seq = 0; seq < flow->n_tx; seq++) {
            if (flow->tx_ns[seq] >= t->count_ns) {
                enum traffic_phase phase = phase_at(t, flow->tx_ns[seq]);

                count->sent[phase]++;
                count->lost[phase] += !j->n_received[i][seq];
            }
        }
    }
}

void
traffic_report_make(struct traffic_report *r, struct traffic *t)
{
    struct judge j = { .r = r, .t = t };

    memset(r, 0, sizeof *r);
    r->resume_ns = last_resume(t);
    r->pause_ns = t->n_epochs && t->epochs[t->n_epochs - 1].alive
                  ? paused_between(t, 0, UINT64_MAX) : 0;
    j.arrivals = zalloc(t->n_recs, sizeof *j.arrivals);
    for (int i = 0; i < t->n_flows; i++) {
        j.n_received[i] = zalloc(t->flows[i].n_tx, sizeof *j.n_received[i]);
        j.nves[i] = zalloc(t->flows[i].n_tx, sizeof *j.nves[i]);
    }

    qsort(t->recs, t->n_recs, sizeof *t->recs, compare_recs);
    for (size_t i = 0; i < t->n_recs; i++) {
        judge_rec(&j, &t->recs[i]);
    }
    judge_arrivals(&j);
    count_sent(&j);

    for (int i = 0; i < t->n_flows; i++) {
        free(j.n_received[i]);
        free(j.nves[i]);
    }
    free(j.arrivals);
}

/* Totals. */

static uint64_t
sum_phases(const uint64_t n[TRAFFIC_N_PHASES])
{
    return n[TRAFFIC_BEFORE] + n[TRAFFIC_PAUSED] + n[TRAFFIC_AFTER];
}

/* Returns the packets whose loss nothing excuses. */
static uint64_t
count_lost(const struct traffic_count *count)
{
    return count->lost[TRAFFIC_BEFORE] + count->lost[TRAFFIC_AFTER];
}

static const struct traffic_count *
worst_gap(const struct traffic_report *r)
{
    const struct traffic_count *a = &r->dirs[TRAFFIC_TO_VM];
    const struct traffic_count *b = &r->dirs[TRAFFIC_FROM_VM];

    return b->gap_ns > a->gap_ns ? b : a;
}

static double
to_ms(uint64_t ns)
{
    return ns / (double) TRAFFIC_NS_PER_MS;
}

/* Returns 'ns' relative to 'base', in ms. */
static double
since_ms(uint64_t ns, uint64_t base)
{
    return ns ? (int64_t) (ns - base) / (double) TRAFFIC_NS_PER_MS : 0;
}

bool
traffic_report_is_clean(const struct traffic_report *r)
{
    for (int dir = 0; dir < TRAFFIC_N_DIRS; dir++) {
        const struct traffic_count *count = &r->dirs[dir];

        if (count_lost(count) || count->doubled || count->reordered
            || count->misdelivered) {
            return false;
        }
    }
    return true;
}

bool
traffic_report_is_valid(const struct traffic *t)
{
    return !t->n_capture_drops
           && !t->senders[TRAFFIC_TO_VM].n_errors
           && !t->senders[TRAFFIC_FROM_VM].n_errors;
}

/* Printing. */

static void
print_row(FILE *f, const char *title, uint64_t to_vm, uint64_t from_vm)
{
    fprintf(f, "%-44s %12"PRIu64" %12"PRIu64"\n", title, to_vm, from_vm);
}

#define PRINT_ROW(F, TITLE, R, MEMBER)                                  \
    print_row(F, TITLE, (R)->dirs[TRAFFIC_TO_VM].MEMBER,                \
              (R)->dirs[TRAFFIC_FROM_VM].MEMBER)

static void
print_counts(const struct traffic_report *r, FILE *f)
{
    const struct traffic_count *to = &r->dirs[TRAFFIC_TO_VM];
    const struct traffic_count *from = &r->dirs[TRAFFIC_FROM_VM];

    fprintf(f, "%-44s %12s %12s\n", "packets", "to the VM", "from the VM");
    print_row(f, "sent", sum_phases(to->sent), sum_phases(from->sent));
    if (r->resume_ns) {
        PRINT_ROW(f, "  before the move", r, sent[TRAFFIC_BEFORE]);
        PRINT_ROW(f, "  while the VM was paused", r, sent[TRAFFIC_PAUSED]);
        PRINT_ROW(f, "  after it was resumed", r, sent[TRAFFIC_AFTER]);
    }
    print_row(f, "lost", count_lost(to), count_lost(from));
    if (r->resume_ns) {
        PRINT_ROW(f, "  sent before the move", r, lost[TRAFFIC_BEFORE]);
        PRINT_ROW(f, "  sent after it was resumed", r, lost[TRAFFIC_AFTER]);
        PRINT_ROW(f, "  not counted: sent while it was paused", r,
                  lost[TRAFFIC_PAUSED]);
    }
    PRINT_ROW(f, "doubled", r, doubled);
    PRINT_ROW(f, "reordered", r, reordered);
    PRINT_ROW(f, "misdelivered", r, misdelivered);
}

static void
print_times(const struct traffic_report *r, const struct traffic *t, FILE *f)
{
    for (int dir = 0; dir < TRAFFIC_N_DIRS; dir++) {
        const struct traffic_count *count = &r->dirs[dir];

        fprintf(f, "longest gap %s the VM: %.2f ms, of which it was paused "
                "%.2f ms; slowest packet %.2f ms; sender late by up to "
                "%.2f ms\n", dir == TRAFFIC_TO_VM ? "to" : "from",
                to_ms(count->gap_ns), to_ms(count->gap_pause_ns),
                to_ms(count->max_delay_ns),
                to_ms(t->senders[dir].max_stall_ns));
    }
    if (r->resume_ns) {
        fprintf(f, "the VM was paused for %.2f ms\n", to_ms(r->pause_ns));
    }
    if (r->resume_ns && r->first_ns) {
        fprintf(f, "first packet received at the new place %.2f ms after "
                "the resume", since_ms(r->first_ns, r->resume_ns));
        if (t->rarp_ns && r->first_ns >= t->rarp_ns) {
            fprintf(f, ", %.2f ms after the RARP",
                    since_ms(r->first_ns, t->rarp_ns));
        }
        putc('\n', f);
    }
}

static void
print_places(const struct traffic_report *r, FILE *f)
{
    static const struct {
        const char *title;
        size_t ofs;
    } rows[] = {
#define ROW(TITLE, MEMBER) { TITLE, offsetof(struct traffic_report, MEMBER) }
        ROW("at the new port before the resume (stale)", early),
        ROW("at the old port after the resume", late),
        ROW("at the old port just after it, sent before", late_excused),
        ROW("at the port of the paused VM", hit_paused),
        ROW("read by the VM just after its pause", drained),
        ROW("kept by the new port until the resume", queued),
        ROW("more than the new port keeps", overflow),
#undef ROW
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t n = *(const uint64_t *) ((const char *) r + rows[i].ofs);

        if (n) {
            fprintf(f, "%-44s %12"PRIu64"\n", rows[i].title, n);
        }
    }
}

static void
print_nves(const struct traffic_report *r, const struct traffic *t, FILE *f)
{
    static const char *const titles[TRAFFIC_N_DIRS][TRAFFIC_N_PHASES] = {
        { "to VM, old", "to VM, pause", "to VM, new" },
        { "from VM, old", "", "from VM, new" },
    };

    if (!t->n_nves) {
        return;
    }
    fprintf(f, "%-16s", "tunnelled by");
    for (int i = 0; i < TRAFFIC_N_DIRS * TRAFFIC_N_PHASES; i++) {
        fprintf(f, " %12s",
                titles[i / TRAFFIC_N_PHASES][i % TRAFFIC_N_PHASES]);
    }
    putc('\n', f);
    for (int i = 0; i < t->n_nves; i++) {
        fprintf(f, "  %-14s", t->nves[i].name);
        for (int j = 0; j < TRAFFIC_N_DIRS * TRAFFIC_N_PHASES; j++) {
            if (*titles[j / TRAFFIC_N_PHASES][j % TRAFFIC_N_PHASES]) {
                fprintf(f, " %12"PRIu64, r->tunnelled[i]
                        [j / TRAFFIC_N_PHASES][j % TRAFFIC_N_PHASES]);
            } else {
                fprintf(f, " %12s", "");
            }
        }
        putc('\n', f);
    }
    fprintf(f, "redirected (tunnelled twice): %"PRIu64", of which %"PRIu64
            " after the resume", sum_phases(r->redirected),
            r->redirected_since);
    if (r->redirect_end_ns) {
        fprintf(f, ", the last %.2f ms after it",
                since_ms(r->redirect_end_ns, r->resume_ns));
    }
    putc('\n', f);
}

static void
print_validity(const struct traffic *t, FILE *f)
{
    for (int dir = 0; dir < TRAFFIC_N_DIRS; dir++) {
        const struct traffic_sender *sender = &t->senders[dir];
        const char *name = dir == TRAFFIC_TO_VM ? "to" : "from";

        if (sender->n_skipped) {
            fprintf(f, "note: %"PRIu64" packets %s the VM were not sent "
                    "because the machine was too busy\n",
                    sender->n_skipped, name);
        }
        if (sender->n_errors) {
            fprintf(f, "error: the kernel refused %"PRIu64" packets %s the "
                    "VM\n", sender->n_errors, name);
        }
    }
    if (t->n_capture_drops) {
        fprintf(f, "error: %"PRIu64" packets were not captured; the counts "
                "are wrong\n", t->n_capture_drops);
    }
}

void
traffic_report_text(const struct traffic_report *r, const struct traffic *t,
                    FILE *f)
{
    print_counts(r, f);
    print_places(r, f);
    print_nves(r, t, f);
    print_times(r, t, f);
    print_validity(t, f);
}

void
traffic_report_line(const struct traffic_report *r, FILE *f)
{
    const struct traffic_count *to = &r->dirs[TRAFFIC_TO_VM];
    const struct traffic_count *from = &r->dirs[TRAFFIC_FROM_VM];

    fprintf(f, "sent=%"PRIu64" lost=%"PRIu64" doubled=%"PRIu64
            " reordered=%"PRIu64" misdelivered=%"PRIu64" outage_ms=%.2f\n",
            sum_phases(to->sent) + sum_phases(from->sent),
            count_lost(to) + count_lost(from),
            to->doubled + from->doubled,
            to->reordered + from->reordered,
            to->misdelivered + from->misdelivered,
            to_ms(worst_gap(r)->gap_ns));
}

/* JSON. */

static void
json_phases(FILE *f, const char *name, const uint64_t n[TRAFFIC_N_PHASES])
{
    fprintf(f, "\"%s\":{", name);
    for (int i = 0; i < TRAFFIC_N_PHASES; i++) {
        fprintf(f, "%s\"%s\":%"PRIu64, i ? "," : "", phase_names[i], n[i]);
    }
    putc('}', f);
}

static void
json_dir(FILE *f, const struct traffic_count *count,
         const struct traffic_sender *sender)
{
    putc('{', f);
    json_phases(f, "sent", count->sent);
    putc(',', f);
    json_phases(f, "lost", count->lost);
    fprintf(f, ",\"doubled\":%"PRIu64",\"reordered\":%"PRIu64
            ",\"misdelivered\":%"PRIu64",\"gap_ms\":%.3f"
            ",\"gap_paused_ms\":%.3f,\"max_delay_ms\":%.3f"
            ",\"skipped\":%"PRIu64",\"send_errors\":%"PRIu64"}",
            count->doubled, count->reordered, count->misdelivered,
            to_ms(count->gap_ns), to_ms(count->gap_pause_ns),
            to_ms(count->max_delay_ns), sender->n_skipped,
            sender->n_errors);
}

static void
json_nves(FILE *f, const struct traffic_report *r, const struct traffic *t)
{
    fprintf(f, ",\"tunnelled\":{");
    for (int i = 0; i < t->n_nves; i++) {
        fprintf(f, "%s\"%s\":{", i ? "," : "", t->nves[i].name);
        json_phases(f, dir_names[0], r->tunnelled[i][0]);
        putc(',', f);
        json_phases(f, dir_names[1], r->tunnelled[i][1]);
        putc('}', f);
    }
    fprintf(f, "},");
    json_phases(f, "redirected", r->redirected);
    fprintf(f, ",\"redirected_since_resume\":%"PRIu64
            ",\"redirect_end_ms\":%.3f", r->redirected_since,
            since_ms(r->redirect_end_ns, r->resume_ns));
}

void
traffic_report_json(const struct traffic_report *r, const struct traffic *t,
                    FILE *f)
{
    const struct traffic_count *to = &r->dirs[TRAFFIC_TO_VM];
    const struct traffic_count *from = &r->dirs[TRAFFIC_FROM_VM];

    fprintf(f, "{\"sent\":%"PRIu64",\"lost\":%"PRIu64",\"doubled\":%"PRIu64
            ",\"reordered\":%"PRIu64",\"misdelivered\":%"PRIu64
            ",\"outage_ms\":%.3f,\"pause_ms\":%.3f",
            sum_phases(to->sent) + sum_phases(from->sent),
            count_lost(to) + count_lost(from), to->doubled + from->doubled,
            to->reordered + from->reordered,
            to->misdelivered + from->misdelivered,
            to_ms(worst_gap(r)->gap_ns), to_ms(r->pause_ns));
    for (int dir = 0; dir < TRAFFIC_N_DIRS; dir++) {
        fprintf(f, ",\"%s\":", dir_names[dir]);
        json_dir(f, &r->dirs[dir], &t->senders[dir]);
    }
    fprintf(f, ",\"early\":%"PRIu64",\"late\":%"PRIu64
            ",\"late_excused\":%"PRIu64",\"hit_paused\":%"PRIu64
            ",\"drained\":%"PRIu64",\"queued\":%"PRIu64
            ",\"overflow\":%"PRIu64, r->early, r->late, r->late_excused,
            r->hit_paused, r->drained, r->queued, r->overflow);
    json_nves(f, r, t);
    fprintf(f, ",\"resume_to_first_ms\":%.3f,\"rarp_to_first_ms\":%.3f"
            ",\"capture_drops\":%"PRIu64"}\n",
            since_ms(r->first_ns, r->resume_ns),
            t->rarp_ns ? since_ms(r->first_ns, t->rarp_ns) : 0,
            t->n_capture_drops);
}
