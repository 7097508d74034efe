/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef HVDB_H
#define HVDB_H 1

/* The OVSDB session with one hypervisor (database Open_vSwitch, RFC 7047).
 *
 * Reads who the hypervisor is, which ports its integration bridge has and
 * whose they are (C6), and writes what the bridge needs: the bridge itself,
 * its fail mode, table names, the tunnel ports (C1), the controller address.
 * It keeps a small copy of the few columns it monitors instead of an IDL,
 * because an IDL cannot take over a connection that the hypervisor opened, and
 * its poll loop costs time for every idle session.
 *
 * It decides nothing: the owner says what is wanted with hvdb_set_wanted() and
 * this module makes it so, writing only differences, again after every
 * reconnection and when somebody changes it by hand.  What is in the database
 * but not ours stays: other bridges, ports and keys of maps.
 *
 * Used from the control thread only. */

#include <stdbool.h>
#include <stdint.h>
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"

struct loop;
struct loop_conn;
struct loop_event;
struct hvdb;

/* After how long, in ms, a database or a switch asks a peer that says nothing
 * for a sign of life, unless it is told otherwise. */
#define HVDB_INACTIVITY_PROBE_MS 5000

/* What Interface:bfd_status says.  A session that has not come up yet is
 * unknown, one that was up and is not any more is down. */
enum hvdb_bfd_state { HVDB_BFD_UNKNOWN, HVDB_BFD_UP, HVDB_BFD_DOWN };

/* An interface of the integration bridge, from tables Port and Interface. */
struct hvdb_interface {
    struct hmap_node name_node; /* In hvdb's interfaces, by hash of 'name'. */
    char *name;
    char *type;                 /* "", "internal", "geneve", ... */
    int64_t ofport;             /* OpenFlow port; 0 while there is none, -1 if
                                 * the switch could not open it. */
    char *error;                /* Interface:error, or null. */
    char *iface_id;             /* external_ids:iface-id, or null. */
    char *attached_mac;         /* external_ids:attached-mac, or null. */
    char *iface_id_ver;         /* external_ids:iface-id-ver, or null. */
    char *vm_uuid;              /* external_ids:vm-uuid, or null. */
    char *vm_word;              /* external_ids:nva-vm, or null: what its
                                 * hypervisor says about the VM. */
    char *uplink;               /* external_ids:nva-uplink, or null. */
    bool uplink_down;           /* It has no link (Interface:link_state). */
    char *watch;                /* external_ids:nva-watch, or null: the NVE
                                 * that 'bfd' is about. */
    enum hvdb_bfd_state bfd;
};

/* Told by hvdb while it processes an event. */
struct hvdb_class {
    /* The first snapshot of a (re)connected session is complete.  All
     * interfaces have been reported before this. */
    void (*synced)(struct hvdb *, void *aux);

    /* The session was lost.  The copy stays readable until the next
     * 'synced'. */
    void (*lost)(struct hvdb *, const char *reason, void *aux);

    /* Interface 'new' of the integration bridge appeared (then 'old' is
     * null), changed, or vanished (then 'new' is null).  'old' is valid during
     * the call only.  After a reconnection only differences are reported. */
    void (*interface_changed)(struct hvdb *, const struct hvdb_interface *old,
                              const struct hvdb_interface *new, void *aux);

    /* One of the hvdb_get_*() facts below changed. */
    void (*changed)(struct hvdb *, void *aux);

    /* The database refused what is wanted; 'error' says what and why. */
    void (*refused)(struct hvdb *, const char *error, void *aux);
};

/* What the hypervisor's database should hold.  Strings are copied. */
struct hvdb_wanted {
    const char *bridge;         /* Integration bridge, created if missing. */
    const char *datapath_type;  /* "netdev", "system", or "" to leave it. */
    const char *controller;     /* OpenFlow target for Bridge:controller, or
                                 * null to leave that column alone. */
    int inactivity_probe;       /* For that and the connections of Manager by
                                 * which we come, in ms. */
    /* Tunnel ports of the bridge, each flow-based (remote_ip=flow, key=flow),
     * named "nva-" and its type; ours that are not wanted are removed. */
    bool geneve, vxlan;
    /* Tunnel ports with a BFD session, one for each remote end, and with a
     * key that no VN has.  'name' is that of the port, 'nve' that of the NVE
     * there. */
    const struct hvdb_bfd {
        const char *name, *type, *remote_ip, *nve;
    } *bfd;
    size_t n_bfd;
    int bfd_interval;           /* In ms. */
    /* Names for flow tables (0 to 254).  Flow_Table rows of ours carry
     * external_ids:nva=1; tables configured by somebody else stay.  Not
     * copied, as they are the same for all hypervisors: others are another
     * array. */
    const struct hvdb_table { uint8_t id; const char *name; } *tables;
    size_t n_tables;
    int bundle_idle_timeout;    /* other_config:bundle-idle-timeout, in s; a
                                 * longer one that is set stays. */
};

/* Starts a session with 'remote', which loop_check_remote() has approved. */
struct hvdb *hvdb_connect(struct loop *, const char *remote,
                          const struct hvdb_class *, void *aux);

/* Starts a session on 'conn', which a hypervisor opened (LOOP_ACCEPTED). */
struct hvdb *hvdb_accept(struct loop_conn *conn, const struct hvdb_class *,
                         void *aux);

/* Closes the session.  Must not be called from a callback of 'class'. */
void hvdb_destroy(struct hvdb *);

/* Drops the connection because of 'reason'; one of ours is tried again. */
void hvdb_disconnect(struct hvdb *, const char *reason);

/* Changes whom the callbacks tell, for a session whose hypervisor turned out
 * to be known. */
void hvdb_set_aux(struct hvdb *, void *aux);

/* Returns what hvdb_set_aux() or the creation of the session set. */
void *hvdb_get_aux(const struct hvdb *);

/* Processes an event of the session's connection and frees what it holds.
 * The aux of the connection is the 'struct hvdb'. */
void hvdb_process(struct hvdb *, struct loop_event *);

/* Writes again what could not be written, when it is time for that.  'now' is
 * in ms.  Must not be called from a callback of 'class'. */
void hvdb_run(struct hvdb *, long long int now);

/* Returns the time, in ms, at which hvdb_run() has to be called, which may
 * have passed, or LLONG_MAX if there is nothing to wait for. */
long long int hvdb_deadline(const struct hvdb *);

/* Says what is wanted from now on.  Takes effect when the session is up.  If
 * it is up already, the interfaces of another bridge than before are reported
 * before this returns or, if it is called from a callback, after that. */
void hvdb_set_wanted(struct hvdb *, const struct hvdb_wanted *);

/* Returns true once the first snapshot is complete and until the connection
 * is lost. */
bool hvdb_is_synced(const struct hvdb *);

/* Returns true if the database holds all that is wanted, as confirmed by
 * it. */
bool hvdb_is_settled(const struct hvdb *);

/* Returns the value of 'key' in external_ids of the Open_vSwitch row, or null.
 * "system-id" is the name of the hypervisor. */
const char *hvdb_get_external_id(const struct hvdb *, const char *key);

/* Returns for how long Open vSwitch keeps a cached flow that no packet uses,
 * in ms: "max-idle" in other_config of the Open_vSwitch row. */
int hvdb_get_max_idle(const struct hvdb *);

const char *hvdb_get_ovs_version(const struct hvdb *);

/* Returns the datapath id of the wanted bridge, 0 while it is unknown. */
uint64_t hvdb_get_datapath_id(const struct hvdb *);

/* Returns the OpenFlow port of our tunnel of 'type' ("geneve", "vxlan"), 0 if
 * there is none (yet). */
int64_t hvdb_get_tunnel_ofport(const struct hvdb *, const char *type);

/* Returns the target of the manager connection that is up, by which a
 * hypervisor that dialled in reached us (Manager:is_connected), or null. */
const char *hvdb_get_manager_target(const struct hvdb *);

/* The interfaces of the integration bridge: 'struct hvdb_interface's by
 * name. */
const struct hmap *hvdb_get_interfaces(const struct hvdb *);
const struct hvdb_interface *hvdb_find_interface(const struct hvdb *,
                                                 const char *name);

/* Returns the name that identifies the session in logs.  Valid until
 * hvdb_process() is called. */
const char *hvdb_get_name(const struct hvdb *);

#endif /* hvdb.h */
