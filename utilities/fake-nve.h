/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef FAKE_NVE_H
#define FAKE_NVE_H 1

/* Hypervisors that are not there: what nva-controller sees of them.
 *
 * Each dials in to the controller with OVSDB and, when its database says so,
 * with OpenFlow.  Its switch keeps flows and commits bundles, but forwards no
 * packet, except the probes of the underlay, which reach the NVE that they are
 * for, and what fake_nve_say() describes. */

#include <stdbool.h>
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/ofp-errors.h"
#include "fake-switch.h"

struct ds;
struct fake_ovsdb;
struct loop;
struct loop_conn;

struct fake_commit {
    struct fake_nve *nve;
    long long int usec;         /* Since the epoch. */
};

/* All NVEs. */
struct fakes {
    struct loop *loop;
    const char *ovsdb;          /* Where to dial in. */
    struct fake_nve **nves;
    size_t n, allocated;
    struct hmap vifs;           /* Contains "struct fake_vif"s, by iface-id. */
    struct ovs_list delayed;    /* Those with 'outbox'. */

    struct fake_commit *commits; /* Since they were last read. */
    size_t n_commits, allocated_commits;
    unsigned int n_probes, n_packet_ins;
};

struct fake_nve {
    struct fakes *fakes;
    size_t index;
    char *name;
    bool away;                  /* Does not dial in. */

    struct fake_ovsdb *db;
    struct loop_conn *db_conn;
    int db_probe;               /* What it has been told, in ms. */
    bool db_up;

    struct fake_switch sw;
    struct loop_conn *of_conn;
    int of_probe;               /* Ditto. */
    char *target;               /* Where 'of_conn' leads. */
    bool of_up;
    int next_ofport;

    int delay_ms;               /* Of what the switch says. */
    struct ovs_list delayed_node; /* In fakes' 'delayed', if not empty: */
    struct ovs_list outbox;     /* "struct late_msg"s. */
};

void fakes_init(struct fakes *, struct loop *, const char *ovsdb);
void fakes_uninit(struct fakes *);

/* Makes that there are 'n' NVEs, called "hv0" and so on; there are never
 * less. */
void fakes_grow(struct fakes *, size_t n);
struct fake_nve *fakes_find(const struct fakes *, const char *name);

/* Processes what has come in and sends what is due. */
void fakes_run(struct fakes *);
void fakes_wait(struct fakes *);

/* Adds an interface for port 'iface_id' to the bridge, or removes it.  Returns
 * false if it is there already, or is not. */
bool fake_nve_plug(struct fake_nve *, const char *iface_id);
bool fake_nve_unplug(struct fake_nve *, const char *iface_id);

/* Sends to the controller what has changed in the database. */
void fake_nve_flush(struct fake_nve *);

/* The VM of port 'iface_id' sends its first frame from here, of which the
 * controller is told if the flows say so; returns false if they do not. */
bool fake_nve_say(struct fake_nve *, const char *iface_id);

/* Loses its connections, which are made again at once. */
void fake_nve_drop(struct fake_nve *);

/* Goes away and, if not 'away', comes back, with its flows. */
void fake_nve_set_away(struct fake_nve *, bool away);

#endif /* fake-nve.h */
