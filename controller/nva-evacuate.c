/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <stdlib.h>

#include "clock.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "simap.h"
#include "util.h"
#include "uuid.h"

VLOG_DEFINE_THIS_MODULE(evacuate);

/* Evacuations: all ports of an NVE are moved away, some at a time.
 *
 * An evacuation knows each port that is bound at its NVE, in a list by what
 * becomes of it.  The lists are made when it begins and are kept up to date by
 * what happens to single ports; nothing walks all ports afterwards.
 *
 * Moves are rows of Migration like any other; here they are only inserted, and
 * what becomes of them is read from their rows.  So after a restart all that
 * must be known is in the database. */

#define PARALLEL_DEFAULT 10

/* How many names of ports a column shows. */
#define NAMES_MAX 20

/* What becomes of a port: name in Evacuation:counters. */
#define EVACUEE_STATES                                                      \
    EVACUEE_STATE(TODO, "todo")                                             \
    EVACUEE_STATE(WAITING, "waiting")   /* For what it takes to move it. */ \
    EVACUEE_STATE(ACTIVE, "active")     /* Its Migration is under way. */   \
    EVACUEE_STATE(FAILED, "failed")     /* Not tried again. */

enum evacuee_state {
#define EVACUEE_STATE(NAME, KEY) EVACUEE_##NAME,
    EVACUEE_STATES
#undef EVACUEE_STATE
    N_EVACUEE_STATES
};

/* A port that is bound at the NVE, or just being moved from it. */
struct evacuee {
    struct hmap_node node;      /* In the evacuation's 'evacuees', by name. */
    struct ovs_list list_node;  /* In its 'lists', by 'state'. */
    char *name;
    enum evacuee_state state;
    struct uuid migration;      /* While ACTIVE. */
};

/* A row of Evacuation that is running. */
struct evacuation {
    struct ovs_list node;       /* In nva's 'evacuations'. */
    struct nva *nva;
    struct uuid uuid;
    char *nve;
    struct sset to;             /* Empty for all others. */
    char *trigger;
    size_t parallel;
    bool cancel;

    struct hmap evacuees;
    struct ovs_list lists[N_EVACUEE_STATES];
    size_t n[N_EVACUEE_STATES];
    struct simap loads;         /* Moves to each target. */
    size_t n_moved;
    long long int started;      /* µs since the epoch. */

    /* False until all rows of Migration that were there before have been
     * reported: those of this evacuation are counted then. */
    bool primed;
    size_t n_found_done;

    bool dirty;                 /* Wants a look. */
};

/* Evacuees. */

static void
set_dirty(struct evacuation *ev)
{
    ev->dirty = true;
    ev->nva->evacuations_dirty = true;
}

static struct evacuee *
find_evacuee(const struct evacuation *ev, const char *name)
{
    struct evacuee *e;

    HMAP_FOR_EACH_WITH_HASH (e, node, hash_string(name, 0), &ev->evacuees) {
        if (!strcmp(e->name, name)) {
            return e;
        }
    }
    return NULL;
}

static void
unlist(struct evacuation *ev, struct evacuee *e)
{
    ovs_list_remove(&e->list_node);
    ev->n[e->state]--;
    set_dirty(ev);
}

static void
enlist(struct evacuation *ev, struct evacuee *e, enum evacuee_state state)
{
    e->state = state;
    ovs_list_push_back(&ev->lists[state], &e->list_node);
    ev->n[state]++;
    set_dirty(ev);
}

static void
set_state(struct evacuation *ev, struct evacuee *e, enum evacuee_state state)
{
    unlist(ev, e);
    enlist(ev, e, state);
}

static struct evacuee *
add_evacuee(struct evacuation *ev, const char *name)
{
    struct evacuee *e = xzalloc(sizeof *e);

    e->name = xstrdup(name);
    hmap_insert(&ev->evacuees, &e->node, hash_string(name, 0));
    enlist(ev, e, EVACUEE_TODO);
    return e;
}

static void
remove_evacuee(struct evacuation *ev, struct evacuee *e)
{
    unlist(ev, e);
    hmap_remove(&ev->evacuees, &e->node);
    free(e->name);
    free(e);
}

/* Returns the port of 'e' if it is bound at the NVE of 'ev', otherwise
 * null. */
static struct port *
get_bound_port(const struct evacuation *ev, const struct evacuee *e)
{
    struct port *port = topology_find_port(&ev->nva->topology, e->name);

    return (port && port->place.nve && !strcmp(port->place.nve->name, ev->nve)
            ? port : NULL);
}

/* Evacuations. */

static struct evacuation *
find_by_uuid(const struct nva *nva, const struct uuid *uuid)
{
    struct evacuation *ev;

    LIST_FOR_EACH (ev, node, &nva->evacuations) {
        if (uuid_equals(&ev->uuid, uuid)) {
            return ev;
        }
    }
    return NULL;
}

static struct evacuation *
find_by_nve(const struct nva *nva, const char *name)
{
    struct evacuation *ev;

    LIST_FOR_EACH (ev, node, &nva->evacuations) {
        if (!strcmp(ev->nve, name)) {
            return ev;
        }
    }
    return NULL;
}

static void
free_evacuation(struct evacuation *ev)
{
    struct evacuee *e;

    HMAP_FOR_EACH_SAFE (e, node, &ev->evacuees) {
        remove_evacuee(ev, e);
    }
    hmap_destroy(&ev->evacuees);
    simap_destroy(&ev->loads);
    sset_destroy(&ev->to);
    ovs_list_remove(&ev->node);
    free(ev->trigger);
    free(ev->nve);
    free(ev);
}

void
nva_evacuations_destroy(struct nva *nva)
{
    struct evacuation *ev;

    LIST_FOR_EACH_SAFE (ev, node, &nva->evacuations) {
        free_evacuation(ev);
    }
}

/* Has all evacuations look again for places for the ports that wait for
 * one. */
void
nva_evacuations_retry(struct nva *nva)
{
    struct evacuation *ev;
    struct evacuee *e;

    LIST_FOR_EACH (ev, node, &nva->evacuations) {
        LIST_FOR_EACH_SAFE (e, list_node, &ev->lists[EVACUEE_WAITING]) {
            set_state(ev, e, EVACUEE_TODO);
        }
    }
}

/* The row. */

static void
write_row(const struct evacuation *ev, const char *phase, const char *error)
{
    static const char *const keys[N_EVACUEE_STATES] = {
#define EVACUEE_STATE(NAME, KEY) [EVACUEE_##NAME] = KEY,
        EVACUEE_STATES
#undef EVACUEE_STATE
    };
    struct db_evacuation_status status = { .phase = phase, .error = error };
    const struct evacuee *e;

    smap_init(&status.times);
    smap_init(&status.counters);
    sset_init(&status.waiting_for);
    smap_add_format(&status.times, "started", "%lld", ev->started);
    if (strcmp(phase, "running")) {
        smap_add_format(&status.times, "ended", "%lld", clock_wall_usec());
    }
    smap_add_format(&status.counters, "ports", "%"PRIuSIZE,
                    ev->n_moved + hmap_count(&ev->evacuees));
    smap_add_format(&status.counters, "moved", "%"PRIuSIZE, ev->n_moved);
    for (size_t i = 0; i < N_EVACUEE_STATES; i++) {
        smap_add_format(&status.counters, keys[i], "%"PRIuSIZE, ev->n[i]);
    }
    LIST_FOR_EACH (e, list_node, &ev->lists[EVACUEE_WAITING]) {
        if (sset_count(&status.waiting_for) >= NAMES_MAX) {
            break;
        }
        sset_add(&status.waiting_for, e->name);
    }
    db_write_evacuation(ev->nva->db, &ev->uuid, &status);
    smap_destroy(&status.times);
    smap_destroy(&status.counters);
    sset_destroy(&status.waiting_for);
}

/* 'ev' becomes history. */
static void
finish(struct evacuation *ev, const char *phase, const char *error)
{
    struct nva *nva = ev->nva;

    VLOG(!strcmp(phase, "failed") ? VLL_WARN : VLL_INFO,
         "evacuation of %s: %s, %"PRIuSIZE" ports moved%s%s", ev->nve, phase,
         ev->n_moved, error ? "; " : "", error ? error : "");
    write_row(ev, phase, error);
    free_evacuation(ev);
    nva_evacuations_retry(nva); /* The NVE may be a target again. */
}

/* Returns what is wrong with 'row', which the caller must free, or null. */
static char *
check_row(const struct nva *nva, const struct db_evacuation *row)
{
    if (!topology_find_nve(&nva->topology, row->nve)) {
        return xasprintf("no such NVE as %s; see \"nva-ctl nve-list\"",
                         row->nve);
    } else if (find_by_nve(nva, row->nve)) {
        return xasprintf("NVE %s is being evacuated already; see \"nva-ctl "
                         "evacuate-list\"", row->nve);
    }
    for (size_t i = 0; i < row->n_to && !row->phase[0]; i++) {
        if (!strcmp(row->to[i], row->nve)) {
            return xasprintf("ports of %s cannot be moved to %s itself; name "
                             "other NVEs in \"to\"", row->nve, row->nve);
        } else if (!topology_find_nve(&nva->topology, row->to[i])) {
            return xasprintf("no such NVE as %s, named in \"to\"; see "
                             "\"nva-ctl nve-list\"", row->to[i]);
        }
    }
    return NULL;
}

/* Finds out which ports are bound at the NVE. */
static void
find_evacuees(struct evacuation *ev, const struct nve *nve)
{
    struct presence *p;
    struct member *m;

    HMAP_FOR_EACH (m, nve_node, &nve->members) {
        HMAP_FOR_EACH (p, node, &m->ports) {
            if (p->port->place.nve == nve) {
                add_evacuee(ev, p->port->name);
            }
        }
    }
}

static struct evacuation *
create_evacuation(struct nva *nva, const struct db_evacuation *row)
{
    struct evacuation *ev = xzalloc(sizeof *ev);

    ev->nva = nva;
    ev->uuid = row->uuid;
    ev->nve = xstrdup(row->nve);
    ev->trigger = xstrdup(row->trigger[0] ? row->trigger : "announce");
    sset_init(&ev->to);
    for (size_t i = 0; i < row->n_to; i++) {
        sset_add(&ev->to, row->to[i]);
    }
    hmap_init(&ev->evacuees);
    for (size_t i = 0; i < N_EVACUEE_STATES; i++) {
        ovs_list_init(&ev->lists[i]);
    }
    simap_init(&ev->loads);
    ev->n_moved = MAX(0, row->n_moved);
    ev->started = row->started ? row->started : clock_wall_usec();
    ovs_list_push_back(&nva->evacuations, &ev->node);
    return ev;
}

static void
cancel_all(struct evacuation *ev)
{
    struct evacuee *e;

    LIST_FOR_EACH_SAFE (e, list_node, &ev->lists[EVACUEE_ACTIVE]) {
        nva_mig_cancel(ev->nva, &e->migration);
    }
}

void
nva_evacuate_row(struct nva *nva, const struct db_evacuation *row)
{
    struct evacuation *ev = find_by_uuid(nva, &row->uuid);

    if (!ev) {
        char *error;

        if (row->phase[0] && strcmp(row->phase, "running")) {
            return;             /* History. */
        }
        error = check_row(nva, row);
        ev = create_evacuation(nva, row);
        if (error) {
            finish(ev, "failed", error);
            free(error);
            return;
        }
        VLOG_INFO("evacuating %s", ev->nve);
        find_evacuees(ev, topology_find_nve(&nva->topology, ev->nve));
    }
    ev->parallel = row->parallel ? row->parallel : PARALLEL_DEFAULT;
    if (!ev->cancel && !strcmp(row->request, "cancel")) {
        ev->cancel = true;
        cancel_all(ev);
    }
    set_dirty(ev);
}

void
nva_evacuate_row_deleted(struct nva *nva, const struct uuid *uuid)
{
    struct evacuation *ev = find_by_uuid(nva, uuid);

    if (ev) {
        VLOG_INFO("evacuation of %s: its row was deleted", ev->nve);
        free_evacuation(ev);
        nva_evacuations_retry(nva);
    }
}

void
nva_evacuate_nve_gone(struct nva *nva, const struct nve *nve)
{
    struct evacuation *ev = find_by_nve(nva, nve->name);

    if (ev) {
        finish(ev, "failed", "the NVE was deleted");
    }
}

/* Ports. */

void
nva_evacuate_port_changed(struct nva *nva, const struct port *port)
{
    struct evacuation *ev;

    LIST_FOR_EACH (ev, node, &nva->evacuations) {
        struct evacuee *e = find_evacuee(ev, port->name);

        if (port->place.nve && !strcmp(port->place.nve->name, ev->nve)) {
            if (!e) {
                add_evacuee(ev, port->name);
            } else if (e->state == EVACUEE_WAITING) {
                set_state(ev, e, EVACUEE_TODO);
            }
        } else if (e && e->state != EVACUEE_ACTIVE) {
            remove_evacuee(ev, e);
        }
    }
}

void
nva_evacuate_port_gone(struct nva *nva, const struct port *port)
{
    struct evacuation *ev;

    LIST_FOR_EACH (ev, node, &nva->evacuations) {
        struct evacuee *e = find_evacuee(ev, port->name);

        if (e && e->state != EVACUEE_ACTIVE) {
            remove_evacuee(ev, e);
        }
    }
}

/* Moves. */

/* The move of 'e' has ended. */
static void
ended(struct evacuation *ev, struct evacuee *e, bool done)
{
    if (done) {
        ev->n_moved++;
        remove_evacuee(ev, e);
    } else if (get_bound_port(ev, e)) {
        set_state(ev, e, ev->cancel ? EVACUEE_TODO : EVACUEE_FAILED);
    } else {
        remove_evacuee(ev, e);
    }
}

/* Takes note of a row that was there before the controller. */
static void
note_old_row(struct evacuation *ev, const struct db_migration *row)
{
    struct evacuee *e = find_evacuee(ev, row->port);

    simap_increase(&ev->loads, row->new_nve, 1);
    if (!strcmp(row->phase, "done")) {
        ev->n_found_done++;
    } else if (e && e->state == EVACUEE_TODO
               && (!strcmp(row->phase, "failed")
                   || (!strcmp(row->phase, "cancelled") && !ev->cancel))) {
        set_state(ev, e, EVACUEE_FAILED);
    }
}

void
nva_evacuate_migration(struct nva *nva, const struct db_migration *row)
{
    struct evacuation *ev = find_by_uuid(nva, &row->evacuation);
    enum migration_phase phase = MIGRATION_REQUESTED;
    struct evacuee *e;

    if (uuid_is_zero(&row->evacuation) || !ev) {
        return;
    }
    if (!ev->primed) {
        note_old_row(ev, row);
    }
    migration_phase_from_string(row->phase, &phase);
    e = find_evacuee(ev, row->port);
    if (phase < MIGRATION_DONE) {
        if (!e) {
            e = add_evacuee(ev, row->port);
        }
        if (e->state != EVACUEE_ACTIVE) {
            e->migration = row->uuid;
            set_state(ev, e, EVACUEE_ACTIVE);
        }
        if (ev->cancel) {
            nva_mig_cancel(nva, &row->uuid);
        }
    } else if (e && e->state == EVACUEE_ACTIVE
               && uuid_equals(&e->migration, &row->uuid)) {
        ended(ev, e, phase == MIGRATION_DONE);
    }
}

void
nva_evacuate_migration_deleted(struct nva *nva, const struct uuid *uuid)
{
    struct evacuation *ev;
    struct evacuee *e;

    LIST_FOR_EACH (ev, node, &nva->evacuations) {
        LIST_FOR_EACH_SAFE (e, list_node, &ev->lists[EVACUEE_ACTIVE]) {
            if (uuid_equals(&e->migration, uuid)) {
                ended(ev, e, false);
            }
        }
    }
}

/* Running. */

/* Returns the NVE to which 'port' is to be moved, or null if there is none
 * now. */
static const struct nve *
choose_target(const struct evacuation *ev, const struct port *port)
{
    const struct topology *t = &ev->nva->topology;
    const struct nve *best = NULL;
    const struct attachment *a;
    unsigned int best_load = 0;

    HMAP_FOR_EACH_WITH_HASH (a, iface_node, hash_string(port->name, 0),
                             &t->attachments) {
        const struct nve *nve = a->nve;
        unsigned int load;

        if (strcmp(a->port_name, port->name) || find_by_nve(ev->nva, nve->name)
            || !(sset_is_empty(&ev->to) || sset_contains(&ev->to, nve->name))
            || !nva_session_is_connected(nve->session)) {
            continue;
        }
        load = simap_get(&ev->loads, nve->name);
        if (!best || load < best_load
            || (load == best_load && strcmp(nve->name, best->name) < 0)) {
            best = nve;
            best_load = load;
        }
    }
    return best;
}

/* Asks for the move of 'e', which is in TODO, or puts it aside. */
static void
start(struct evacuation *ev, struct evacuee *e)
{
    const struct port *port = get_bound_port(ev, e);
    const struct nve *target = (!port || port->move ? NULL
                                : choose_target(ev, port));

    if (!port) {
        remove_evacuee(ev, e);
    } else if (!target) {
        set_state(ev, e, EVACUEE_WAITING);
    } else {
        struct db_migration row = {
            .port = e->name,
            .new_nve = target->name,
            .kind = "hot",
            .trigger = ev->trigger,
            .evacuation = ev->uuid,
        };

        uuid_generate(&e->migration);
        row.uuid = e->migration;
        simap_increase(&ev->loads, target->name, 1);
        set_state(ev, e, EVACUEE_ACTIVE);
        db_add_migration(ev->nva->db, &row);
    }
}

/* Appends the names of the ports that failed. */
static void
format_failed(const struct evacuation *ev, struct ds *s)
{
    const struct evacuee *e;
    size_t i = 0;

    ds_put_format(s, "%"PRIuSIZE" ports were not moved:",
                  ev->n[EVACUEE_FAILED]);
    LIST_FOR_EACH (e, list_node, &ev->lists[EVACUEE_FAILED]) {
        if (i++ >= NAMES_MAX) {
            ds_put_cstr(s, " ...");
            break;
        }
        ds_put_format(s, " %s", e->name);
    }
    ds_put_cstr(s, "; \"nva-ctl migrate-list PORT\" tells why, and \"nva-ctl "
                "evacuate\" tries again");
}

static void
run(struct evacuation *ev)
{
    ev->dirty = false;
    if (!ev->primed) {
        ev->primed = true;
        ev->n_moved = MAX(ev->n_moved, ev->n_found_done);
    }
    while (!ev->cancel && ev->n[EVACUEE_TODO]
           && ev->n[EVACUEE_ACTIVE] < ev->parallel) {
        start(ev, CONTAINER_OF(ovs_list_front(&ev->lists[EVACUEE_TODO]),
                               struct evacuee, list_node));
    }

    if (ev->cancel && !ev->n[EVACUEE_ACTIVE]) {
        finish(ev, "cancelled", NULL);
    } else if (!ev->cancel
               && hmap_count(&ev->evacuees) == ev->n[EVACUEE_FAILED]) {
        if (ev->n[EVACUEE_FAILED]) {
            struct ds s = DS_EMPTY_INITIALIZER;

            format_failed(ev, &s);
            finish(ev, "failed", ds_cstr(&s));
            ds_destroy(&s);
        } else {
            finish(ev, "done", NULL);
        }
    } else {
        write_row(ev, "running", NULL);
    }
}

void
nva_evacuations_run(struct nva *nva)
{
    struct evacuation *ev;

    if (nva->evacuations_dirty) {
        nva->evacuations_dirty = false;
        LIST_FOR_EACH_SAFE (ev, node, &nva->evacuations) {
            if (ev->dirty) {
                run(ev);
            }
        }
    }
}
