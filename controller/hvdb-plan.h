/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef HVDB_PLAN_H
#define HVDB_PLAN_H 1

/* What to write into a hypervisor's database, so that it holds what is wanted.
 *
 * hvdb_plan() compares the copy of the database with what is wanted and makes
 * one transaction of the differences.  It touches nothing but what hvdb.h
 * says is ours: sets and maps are mutated, never replaced, except for
 * Bridge:controller.
 *
 * No I/O, no clock, no state. */

#include <stdbool.h>
#include "hvdb.h"
#include "uuidset.h"

struct ds;
struct json;
struct ovsdb_replica;
struct ovsdb_row;

/* The key in external_ids that marks a row as ours; its value is "1". */
#define HVDB_OURS_KEY "nva"

/* The key in external_ids of the interface of a BFD session; its value is the
 * name of the NVE at the other end. */
#define HVDB_WATCH_KEY "nva-watch"

struct hvdb_plan_input {
    const struct ovsdb_replica *db;
    const struct hvdb_wanted *wanted;
    const struct ovsdb_row *bridge; /* The wanted bridge, null if missing. */
    const struct uuidset *ports;    /* The ports of 'bridge'. */
    const struct uuidset *ours;     /* Rows for which hvdb_plan_is_our_port()
                                     * is true, wherever they are. */
    const char *remote;             /* How we connect to the database, or null
                                     * if it connects to us, ... */
    const char *manager;            /* ... then perhaps by this target. */
};

/* Returns the parameters of a "transact" request that writes what is wanted,
 * with what it does appended to 'what' in words, or null if there is nothing
 * to write. */
struct json *hvdb_plan(const struct hvdb_plan_input *, struct ds *what);

/* Returns true if 'port', a row of table Port, is a tunnel port of ours, by
 * its name or its mark. */
bool hvdb_plan_is_our_port(const struct ovsdb_row *port);

/* Returns the name of the port of our tunnel of 'type' ("geneve", "vxlan"), or
 * null if there is no such type. */
const char *hvdb_plan_tunnel_name(const char *type);

#endif /* hvdb-plan.h */
