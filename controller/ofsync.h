/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef OFSYNC_H
#define OFSYNC_H 1

/* Desired against installed flows of one NVE.
 *
 * The owner says what the switch shall hold, in units: a cookie that names an
 * object, and the flow list of that object.  This module sends the difference,
 * everything that changed in one turn of the main loop as one atomic bundle.
 * When a connection comes up it dumps what the switch has and sends only what
 * differs, so that a restart of either side disturbs no packet.
 *
 * A *stage* is a bundle that has been opened, filled and checked by a barrier
 * on the switch, and waits there for its COMMIT: one short message then
 * changes several units at once (C4).  What changes too often to be staged is
 * added right before that.
 *
 * Does no I/O: messages leave through 'send' of the class, and come in through
 * ofsync_handle().  Knows the meaning of no flow.  Used from one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "openvswitch/types.h"

struct ds;
struct flow;
struct flow_entry;
struct flow_list;
struct flow_meter;
struct ofp_header;
struct ofpbuf;
struct ofputil_flow_stats;
struct ofsync;
struct ofsync_stage;

enum ofsync_stage_state {
    OFSYNC_STAGE_NEW,           /* Units are being added. */
    OFSYNC_STAGE_OFFLINE,       /* The switch is away; a commit takes effect
                                 * when it is back. */
    OFSYNC_STAGE_OPENING,       /* On its way to the switch. */
    OFSYNC_STAGE_STAGED,        /* Checked, ready to commit. */
    OFSYNC_STAGE_STALE,         /* Units that it changes have changed. */
    OFSYNC_STAGE_REFUSED,       /* The switch does not take it. */
    OFSYNC_STAGE_COMMITTING,    /* COMMIT sent. */
    OFSYNC_STAGE_COMMITTED      /* The switch has confirmed it. */
};

struct ofsync_class {
    /* Sends complete messages, one or more, to the switch; takes ownership of
     * the buffer. */
    void (*send)(struct ofsync *, struct ofpbuf *, void *aux);

    /* Everything wanted has been confirmed, or no longer is
     * (ofsync_is_confirmed()). */
    void (*confirmation)(struct ofsync *, void *aux);

    /* ofsync_run() has something to do. */
    void (*wants_run)(struct ofsync *, void *aux);

    /* 'stage' went to a state by something other than a call of the owner.
     * 'stage_aux' is that of ofsync_stage_create(). */
    void (*stage_changed)(struct ofsync_stage *, void *stage_aux, void *aux);

    /* The switch holds a flow that no unit wants.  Returns true to leave it
     * there, for example because a move learned it in the data path. */
    bool (*keep)(struct ofsync *, const struct ofputil_flow_stats *,
                 void *aux);

    /* Answers ofsync_count() and so on for 'cookie'. */
    void (*counted)(struct ofsync *, uint64_t cookie, uint64_t n_packets,
                    uint64_t n_bytes, void *aux);

    /* Answers ofsync_dump_learned() for 'cookie', flow by flow; null after the
     * last one.  Nothing is answered if the switch refuses, or has gone. */
    void (*learned)(struct ofsync *, uint64_t cookie,
                    const struct ofputil_flow_stats *, void *aux);

    /* The switch refused something outside of a stage; it is tried again. */
    void (*problem)(struct ofsync *, const char *error, void *aux);
};

struct ofsync *ofsync_create(const struct ofsync_class *, void *aux);

/* Destroys 'os'.  All its stages must have been destroyed. */
void ofsync_destroy(struct ofsync *);

/* The OpenFlow session is up: starts to compare. */
void ofsync_connected(struct ofsync *);

/* The session is gone.  What was wanted stays wanted. */
void ofsync_disconnected(struct ofsync *);

/* Compares again, because flows may have changed behind our back. */
void ofsync_resync(struct ofsync *);

/* Offers a message from the switch; returns true if it was for this module. */
bool ofsync_handle(struct ofsync *, const struct ofp_header *);

/* Makes 'flows' (null for none) what unit 'unit' wants from now on.  Takes a
 * reference of its own. */
void ofsync_set(struct ofsync *, uint64_t unit, const struct flow_list *flows);

/* Returns what unit 'unit' wants now, or null. */
const struct flow_list *ofsync_get(const struct ofsync *, uint64_t unit);

/* Deletes all flows with 'cookie' that no unit wants, in 'table' (255: all),
 * with the next bundle. */
void ofsync_delete_cookie(struct ofsync *, uint64_t cookie, uint8_t table);

/* Sends what has changed since the last call, if there is anything. */
void ofsync_run(struct ofsync *, long long int now);

/* Returns when ofsync_run() must be called next, in ms, or LLONG_MAX. */
long long int ofsync_deadline(const struct ofsync *);

/* Returns true if the switch has confirmed all that is wanted. */
bool ofsync_is_confirmed(const struct ofsync *);

/* Returns true if the switch is connected and has been compared. */
bool ofsync_is_synced(const struct ofsync *);

/* Asks how many packets and bytes have passed meter 'meter', on behalf of
 * 'cookie'.  Meters count in the data path; the counters of flows lag behind
 * by up to a revalidation, and what passed before a flow changed is counted by
 * the new one.  Nothing is answered if the switch is away. */
void ofsync_count(struct ofsync *, uint64_t cookie, uint32_t meter);

/* Asks how many packets have been delivered to port 'ofport', likewise.  The
 * number of bytes is answered, too. */
void ofsync_count_port(struct ofsync *, uint64_t cookie, ofp_port_t ofport);

/* Asks how many flows with 'cookie' the switch has in 'table', which is
 * answered as a number of packets. */
void ofsync_count_learned(struct ofsync *, uint64_t cookie, uint8_t table);

/* Asks which flows with 'cookie' the switch has in 'table'. */
void ofsync_dump_learned(struct ofsync *, uint64_t cookie, uint8_t table);

/* Adds a flow that no unit wants, like one that another switch has learned,
 * with the next bundle.  It is the switch's then: a session that comes up
 * again asks the class whether to keep it. */
void ofsync_add_learned(struct ofsync *, const struct ofputil_flow_stats *);

/* Returns meter 'id' as it is wanted, or null if it is not. */
const struct flow_meter *ofsync_get_meter(const struct ofsync *, uint32_t id);

/* Number of flows that are wanted. */
size_t ofsync_count_flows(const struct ofsync *);

/* Returns the flow that a packet with 'flow' is wanted to match in 'table',
 * the one with the highest priority; null if there is none.  The caller must
 * free it.  Walks all flows: for debugging, see trace.h. */
struct flow_entry *ofsync_lookup(const struct ofsync *, uint8_t table,
                                 const struct flow *flow);

/* Prints the desired flows, sorted, one a line. */
void ofsync_format(const struct ofsync *, struct ds *);

/* Staged changes.  Order of calls: create, set and delete_cookie, open, then
 * commit or destroy.  A stage that is stale, refused or offline can only be
 * destroyed or committed; the commit of one that is not staged is carried out
 * as an ordinary change.
 *
 * 'set' may also be called right before the commit, for units that other
 * stages change, too: so these do not go stale with each commit.  If the
 * switch does not take such a change, it does not refuse the commit, but is
 * compared and brought to what is wanted. */
struct ofsync_stage *ofsync_stage_create(struct ofsync *, void *stage_aux);
void ofsync_stage_set(struct ofsync_stage *, uint64_t unit,
                      const struct flow_list *);
void ofsync_stage_delete_cookie(struct ofsync_stage *, uint64_t cookie,
                                uint8_t table);
void ofsync_stage_open(struct ofsync_stage *);

/* Commits.  From now on the units want what was staged. */
void ofsync_stage_commit(struct ofsync_stage *);

/* Takes a commit back that the switch refused: the units want again what they
 * wanted before it. */
void ofsync_stage_revert(struct ofsync_stage *);

/* Insists on a commit that the switch refused: it is going to be compared and
 * brought to what is wanted, again and again. */
void ofsync_stage_insist(struct ofsync_stage *);

/* Frees 'stage', discarding what the switch holds of it. */
void ofsync_stage_destroy(struct ofsync_stage *);

enum ofsync_stage_state ofsync_stage_get_state(const struct ofsync_stage *);
const char *ofsync_stage_state_to_string(enum ofsync_stage_state);

/* Returns the switch's own words if the stage was refused, otherwise null. */
const char *ofsync_stage_get_error(const struct ofsync_stage *);

#endif /* ofsync.h */
