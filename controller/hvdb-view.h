/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef HVDB_VIEW_H
#define HVDB_VIEW_H 1

/* What a hypervisor's database says, for the owner of a 'struct hvdb': the
 * interfaces of the integration bridge and the facts.
 *
 * The view owns the replica.  What it derives from it are copies, which stay
 * when there is a new replica after a reconnection and are compared with it
 * then.  The cost of an update is that of the rows in it; only when the set
 * of ports of the bridge changes, all of them are looked up.
 *
 * No I/O, no clock; it writes nothing. */

#include <stdbool.h>
#include <stdint.h>
#include "hvdb.h"
#include "openvswitch/uuid.h"
#include "smap.h"
#include "uuidset.h"

struct ovsdb_changes;
struct ovsdb_replica;
struct ovsdb_row;

struct hvdb_view {
    struct ovsdb_replica *db;   /* Null before the first snapshot. */
    /* As in 'struct hvdb_class'. */
    void (*interface_changed)(const struct hvdb_interface *old,
                              const struct hvdb_interface *new, void *aux);
    void *aux;

    /* The integration bridge. */
    char *bridge_name;          /* Null if there is none wanted. */
    struct uuid bridge;         /* Its row, zero if there is none. */
    struct uuidset ports;       /* Ports of the bridge. */
    struct uuidset members;     /* Interfaces of these ports. */
    struct uuidset ours;        /* See 'struct hvdb_plan_input'. */
    struct hmap interfaces;     /* 'struct hvdb_interface's by name. */

    /* Facts. */
    struct smap external_ids;   /* Of the Open_vSwitch row. */
    char *ovs_version;
    char *manager_target;
    uint64_t datapath_id;

    /* Set when it happens, cleared by the owner. */
    bool facts_changed;         /* A fact or the port of a tunnel. */
    bool dirty;                 /* Something that hvdb_plan() looks at. */
};

/* Initializes a view that reports to 'interface_changed' with 'aux'. */
void hvdb_view_init(struct hvdb_view *,
                    void (*interface_changed)(const struct hvdb_interface *,
                                              const struct hvdb_interface *,
                                              void *aux), void *aux);
void hvdb_view_uninit(struct hvdb_view *);

/* Makes 'db' the content of the database, taking ownership. */
void hvdb_view_set_db(struct hvdb_view *, struct ovsdb_replica *db);

/* Makes 'name' the name of the integration bridge.  'sync' tells whether to
 * look for it at once, otherwise hvdb_view_set_db() is going to. */
void hvdb_view_set_bridge(struct hvdb_view *, const char *name, bool sync);

/* Takes over 'changes' of the replica. */
void hvdb_view_process(struct hvdb_view *, const struct ovsdb_changes *);

/* The row of the integration bridge and that of table Open_vSwitch; null if
 * there is none. */
const struct ovsdb_row *hvdb_view_find_bridge(const struct hvdb_view *);
const struct ovsdb_row *hvdb_view_find_ovs(const struct hvdb_view *);

/* Returns the interface of the bridge called 'name', or null. */
const struct hvdb_interface *hvdb_view_find_interface(const struct hvdb_view *,
                                                      const char *name);

/* Returns true if 'iface' is a tunnel of ours. */
bool hvdb_view_is_tunnel(const struct hvdb_interface *iface);

#endif /* hvdb-view.h */
