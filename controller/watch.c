/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "watch.h"

#include <stdlib.h>
#include <string.h>

#include "gateway.h"
#include "topology.h"
#include "util.h"

/* Sessions. */

struct watch_end *
watch_find(const struct nve *nve, const struct nve *other)
{
    struct watch_end *end;

    LIST_FOR_EACH (end, nve_node, &nve->watches) {
        if (end->other == other) {
            return end;
        }
    }
    return NULL;
}

static struct watch_end *
add_end(struct nve *nve, struct nve *other)
{
    struct watch_end *end = xzalloc(sizeof *end);

    end->nve = nve;
    end->other = other;
    ovs_list_push_back(&nve->watches, &end->nve_node);
    return end;
}

/* Removes the session of 'end'. */
static void
remove_session(struct watch_end *end)
{
    ovs_list_remove(&end->nve_node);
    ovs_list_remove(&end->reverse->nve_node);
    free(end->reverse);
    free(end);
}

/* What watch_plan() works with. */
struct plan {
    struct topology *t;
    watch_changed_cb *changed;
    void *aux;
    size_t n_unwitnessed;
};

static void
want(struct plan *p, struct nve *a, struct nve *b)
{
    struct watch_end *end = watch_find(a, b);

    if (!end) {
        end = add_end(a, b);
        end->reverse = add_end(b, a);
        end->reverse->reverse = end;
        p->changed(a, p->aux);
        p->changed(b, p->aux);
    }
    end->wanted = end->reverse->wanted = true;
}

static int
compare_vns(const void *a_, const void *b_)
{
    const struct vn *const *a = a_;
    const struct vn *const *b = b_;

    return strcmp((*a)->name, (*b)->name);
}

static void
plan_ring(struct plan *p, const struct vn *vn)
{
    size_t n = ovs_list_size(&vn->gateways);
    struct nve **nves = xmalloc(n * sizeof *nves);
    struct gateway *gw;
    size_t i = 0;

    LIST_FOR_EACH (gw, vn_node, &vn->gateways) {
        nves[i++] = gw->nve;
    }
    qsort(nves, n, sizeof *nves, topology_compare_nves);
    for (i = 0; i < n - (n == 2); i++) {
        want(p, nves[i], nves[(i + 1) % n]);
    }
    free(nves);
}

/* Returns true if somebody is going to watch both 'a' and 'b'. */
static bool
has_witness(const struct nve *a, const struct nve *b)
{
    const struct watch_end *end, *other;

    LIST_FOR_EACH (end, nve_node, &a->watches) {
        other = watch_find(b, end->other);
        if (end->wanted && other && other->wanted) {
            return true;
        }
    }
    return false;
}

/* Stores the NVEs of the gateways of 'vn' if there are just two. */
static bool
is_pair(const struct vn *vn, struct nve **a, struct nve **b)
{
    if (ovs_list_size(&vn->gateways) != 2) {
        return false;
    }
    *a = CONTAINER_OF(ovs_list_front(&vn->gateways), struct gateway,
                      vn_node)->nve;
    *b = CONTAINER_OF(ovs_list_back(&vn->gateways), struct gateway,
                      vn_node)->nve;
    return true;
}

bool
watch_lacks_witness(const struct vn *vn)
{
    struct nve *a, *b;

    return is_pair(vn, &a, &b) && !has_witness(a, b);
}

/* Looks for somebody to watch both NVEs with gateways of 'vn'. */
static void
plan_witness(struct plan *p, const struct vn *vn)
{
    struct nve *a, *b, *best = NULL;
    bool best_is_one = false;
    struct member *m;

    if (!is_pair(vn, &a, &b)) {
        return;
    }
    HMAP_FOR_EACH (m, vn_node, &vn->members) {
        bool is_one = watch_find(m->nve, a) && watch_find(m->nve, b);

        if (m->nve != a && m->nve != b
            && (!best || is_one > best_is_one
                || (is_one == best_is_one
                    && strcmp(m->nve->name, best->name) < 0))) {
            best = m->nve;
            best_is_one = is_one;
        }
    }
    if (best) {
        want(p, best, a);
        want(p, best, b);
    }
}

static void
plan_vns(struct plan *p)
{
    size_t n = hmap_count(&p->t->vns);
    struct vn **vns = xmalloc(MAX(1, n) * sizeof *vns);
    struct vn *vn;

    n = 0;
    HMAP_FOR_EACH (vn, name_node, &p->t->vns) {
        if (ovs_list_size(&vn->gateways) > 1) {
            vns[n++] = vn;
        }
    }
    qsort(vns, n, sizeof *vns, compare_vns);
    for (size_t i = 0; i < n; i++) {
        plan_ring(p, vns[i]);
    }
    for (size_t i = 0; i < n; i++) {
        if (watch_lacks_witness(vns[i])) {
            plan_witness(p, vns[i]);
        }
    }

    /* That of one VN may do for another one, too. */
    for (size_t i = 0; i < n; i++) {
        p->n_unwitnessed += watch_lacks_witness(vns[i]);
    }
    free(vns);
}

/* Ends the sessions of 'nve' that are not wanted. */
static void
end_sessions(struct nve *nve, watch_changed_cb *changed, void *aux)
{
    struct watch_end *end;

    LIST_FOR_EACH_SAFE (end, nve_node, &nve->watches) {
        if (!end->wanted) {
            struct nve *other = end->other;

            remove_session(end);
            changed(nve, aux);
            changed(other, aux);
        }
    }
}

size_t
watch_plan(struct topology *t, bool enabled, watch_changed_cb *changed,
           void *aux)
{
    struct plan p = { .t = t, .changed = changed, .aux = aux };
    struct watch_end *end;
    struct nve *nve;

    HMAP_FOR_EACH (nve, name_node, &t->nves) {
        LIST_FOR_EACH (end, nve_node, &nve->watches) {
            end->wanted = false;
        }
    }
    if (enabled) {
        plan_vns(&p);
    }
    HMAP_FOR_EACH (nve, name_node, &t->nves) {
        end_sessions(nve, changed, aux);
    }
    return p.n_unwitnessed;
}

void
watch_nve_gone(struct nve *nve, watch_changed_cb *changed, void *aux)
{
    struct watch_end *end;

    LIST_FOR_EACH (end, nve_node, &nve->watches) {
        end->wanted = false;
    }
    end_sessions(nve, changed, aux);
}

/* Verdicts. */

/* Returns true if 'nve' hears another NVE than 'except'. */
static bool
hears_others(const struct nve *nve, const struct nve *except)
{
    const struct watch_end *end;

    LIST_FOR_EACH (end, nve_node, &nve->watches) {
        if (end->other != except && end->report == WATCH_UP) {
            return true;
        }
    }
    return false;
}

enum watch_verdict
watch_judge(const struct nve *nve, bool (*is_credible)(const struct nve *))
{
    bool sure = !is_credible(nve);
    const struct watch_end *end;
    size_t n_down = 0;

    LIST_FOR_EACH (end, nve_node, &nve->watches) {
        if (!is_credible(end->other)) {
            continue;
        } else if (end->reverse->report == WATCH_UP) {
            return WATCH_ALIVE;
        } else if (end->reverse->report == WATCH_DOWN) {
            n_down++;
            sure |= hears_others(end->other, nve);
        }
    }
    return n_down && sure ? WATCH_FAILED : WATCH_NO_VERDICT;
}
