/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef MOVE_H
#define MOVE_H 1

/* One move of a port, across all NVEs that it concerns.
 *
 * A move has a part at each NVE: the new one, the old one, and every peer (an
 * NVE with another port in the VN).  The parts are prepared, then staged: the
 * bundle that each NVE is going to commit lies there checked and closed.
 * When the VM is heard at its new place, what is left is one COMMIT per NVE,
 * in the order that is safe: new, old, peers.  migration.h has the procedure.
 *
 * In the data path the switch does not wait for that: the preparation arms the
 * old NVE and the peers, which then switch by themselves when the VM's first
 * frame reaches them from the new NVE.  The transaction makes it permanent.
 * At the old NVE gates, which are meters, switch at once whatever is cached,
 * when the controller hears of the VM, or says that it is cut over.
 *
 * The module does no I/O; it works through wiring.h and ofsync.h, and tells
 * its owner through 'struct move_class'.
 *
 * Thread-safety: none; use from one thread. */

#include <stdbool.h>
#include <stdint.h>
#include "fault.h"
#include "migration.h"
#include "openvswitch/list.h"
#include "pipeline.h"
#include "topology.h"

struct ds;
struct move;
struct neighbors;
struct ofsync_stage;
struct sset;

/* What is measured of a move, in µs since the epoch.  C name, key of
 * Migration:times. */
#define MOVE_TIMES                                                          \
    MOVE_TIME(REQUESTED, "requested")                                       \
    MOVE_TIME(PREPARED, "prepared")                                         \
    MOVE_TIME(TRIGGERED, "triggered")                                       \
    MOVE_TIME(COMMITTED_NEW, "committed-new")                               \
    MOVE_TIME(COMMITTED_OLD, "committed-old")                               \
    MOVE_TIME(PEERS_SWITCHED, "peers-switched")                             \
    MOVE_TIME(HELD, "held")                                                 \
    MOVE_TIME(RESUMED, "resumed")                                           \
    MOVE_TIME(FIRST_REDIRECTED, "first-redirected")                         \
    MOVE_TIME(LAST_REDIRECTED, "last-redirected")                           \
    MOVE_TIME(DRAINED, "drained")                                           \
    MOVE_TIME(DONE, "done")

enum move_time {
#define MOVE_TIME(NAME, KEY) MOVE_##NAME,
    MOVE_TIMES
#undef MOVE_TIME
    N_MOVE_TIMES
};

/* What cuts a move over. */
enum move_trigger {
    MOVE_ON_ANNOUNCE,           /* The VM, or a word. */
    MOVE_ON_WORD,               /* A word only (kind=warm). */
    MOVE_ON_READY               /* That all are prepared (trigger=now). */
};

/* What has been said about the VM when a move is held. */
enum move_hold {
    MOVE_NOT_HELD,
    MOVE_HOLD,                  /* It is going to stop: until the old NVE
                                 * switches, last, it receives there. */
    MOVE_PAUSED                 /* It has stopped. */
};

/* The word for it in a request and in what triggered a move, and back.  That
 * of MOVE_NOT_HELD is empty, and any other word means it. */
const char *move_hold_to_string(enum move_hold);
enum move_hold move_hold_from_string(const char *);

/* What a hold that is being taken back waits for. */
enum move_release {
    MOVE_RELEASE_OTHERS,        /* The old NVE and the peers confirm it, */
    MOVE_RELEASE_UNDER_WAY,     /* packets arrive at the new NVE, */
    MOVE_RELEASE_NEW,           /* the new NVE confirms it, too, */
    MOVE_RELEASE_CACHED,        /* its cached flows have gone, */
    MOVE_RELEASE_COUNT          /* and it says what it has delivered. */
};

/* Packets that were delivered to an interface since a hold began. */
struct move_delivery {
    bool started;
    uint64_t base;
    uint64_t n_packets;
    long long int changed_at;   /* When 'n_packets' was first seen. */
};

struct move_class {
    /* Something that the database shows has changed. */
    void (*changed)(struct move *, void *aux);

    /* The new place is to be written to the database; answer with
     * move_recorded(). */
    void (*record)(struct move *, void *aux);

    /* For tests: the move has reached 'point'.  May be null. */
    void (*reached)(struct move *, enum fault_point point, void *aux);
};

/* The part of an NVE in a move. */
struct move_part {
    struct ovs_list move_node;  /* In the move's 'parts', new and old first. */
    struct ovs_list nve_node;   /* In the NVE's 'move_parts'. */
    struct move *move;
    struct nve *nve;
    struct ofsync_stage *stage;
    long long int staged_at;    /* For staging afresh before it expires. */
    bool outdated;              /* What it staged is not what it needs. */
    bool confirmed;             /* Its NVE has what prepares it ... */
    long long int confirmed_at; /* ... since then. */
    bool ready;                 /* Prepared, staged and reachable. */
    bool committed;
};

/* The gates at the old NVE, which choose where it sends; null for none. */
struct move_gates {
    struct flow_list *old, *new;
};

struct move {
    const struct move_class *class;
    void *aux;
    struct topology *topology;
    struct neighbors *neighbors;

    struct migration migration;
    uint64_t id;                /* Of the row, see cookie.h. */
    enum move_trigger trigger;
    bool patient;               /* The preparation may take for ever. */
    bool cached;                /* See 'struct move_config'. */
    struct port *port;
    struct nve *old_nve, *new_nve;
    struct place there;         /* The new place, for those that switched. */
    bool cut_new;               /* The new NVE wants the state after, ... */
    bool cut_peers;             /* the peers do, ... */
    bool cut_old;               /* and the old one. */
    bool to_new;                /* The old NVE sends to the new place, by
                                 * 'gates[to_new]'. */
    struct move_gates gates[2];

    struct ovs_list parts;      /* Contains "struct move_part"s. */
    struct move_part *old_part, *new_part;
    size_t n_parts, n_ready, n_committed;
    bool restage;               /* A staged bundle is out of date. */
    long long int report_at;    /* When to tell again who is waited for. */

    long long int warm_at;      /* When to warm the ways to 'new_nve'. */
    bool heard;                 /* Cut over in the data path. */
    long long int commit_at;    /* After move_heard(), else LLONG_MAX. */
    long long int rest_at;      /* When to commit the rest, else LLONG_MAX. */
    enum move_hold hold;
    long long int old_at;       /* MOVE_HOLD: when to commit the old NVE, */
    enum move_release release;  /* How far it has been taken back, */
    long long int release_at;   /* when to look again, */
    long long int release_by;   /* and how long the new NVE may take. */
    struct move_delivery at_old, at_new;

    /* A hold: whether the old interface is still delivered to. */
    bool gated;                 /* Not once the old NVE has confirmed. */
    long long int look_since;   /* Since the peers have been told. */
    uint64_t look_packets;      /* 'at_old.n_packets' then. */
    long long int look_at;      /* When to look next, else LLONG_MAX. */
    long long int cut_old_at;   /* When the old NVE has confirmed, or that. */

    /* Draining. */
    ofp_port_t old_ofport;      /* Of the interface at the old NVE, */
    ofp_port_t new_ofport;      /* and, since a hold, at the new one. */
    long long int drain_at;     /* When to look at the counter next. */
    uint64_t last_packets;
    int n_quiet;                /* How often it has been still. */
    long long int drain_max_ms; /* See 'struct move_config'. */
    bool hurry;                 /* Another move of the port waits. */
    bool announcing;            /* Set by the owner as long as a physical
                                 * network may send to the old place. */

    /* For the record. */
    long long int times[N_MOVE_TIMES];
    size_t n_peers;
    uint64_t redirected_packets, redirected_bytes;
    const char *triggered_by;
    unsigned int n_triggers;
    unsigned int n_late_triggers; /* Those after the one that counted. */
    char *slowest_peer;         /* The last that confirmed, or null ... */
    long long int slowest_us;   /* ... and when, after the trigger. */
    char *error;
};

struct move_config {
    uint64_t id;
    struct port *port;
    struct nve *new_nve;
    enum move_trigger trigger;
    bool patient;
    bool cached;                /* The new NVE may have cached flows that drop
                                 * packets for the port. */
    long long int drain_max_ms; /* How long NVEs that are away hold up the end
                                 * of the redirect. */
    bool is_cut;                /* The commit point is known to have been
                                 * passed, before a restart ... */
    enum move_hold hold;        /* ... by this word. */
};

/* Starts to move 'config->port', which must be bound and not be on the move,
 * and prepares all NVEs.  'now' is in ms, monotonic; 'wall' in µs since the
 * epoch. */
struct move *move_create(const struct move_class *, void *aux,
                         struct topology *, struct neighbors *,
                         const struct move_config *, long long int now,
                         long long int wall);

/* Ends the move in whatever phase it is, without traces.  If it is not over,
 * it is undone or, after the commit point, completed. */
void move_destroy(struct move *);

/* The port, its interfaces, its VN or the addresses of an NVE changed. */
void move_refresh(struct move *);

/* The new NVE has been told something else that the VM needs there: the move
 * is not prepared before that is confirmed. */
void move_told_new(struct move *);

/* 'nve' joined or is leaving the VN of the port. */
void move_add_peer(struct move *, struct nve *, long long int now,
                   long long int wall);
void move_remove_peer(struct move *, struct nve *, long long int now,
                      long long int wall);

/* Something that the cut-over depends on happened: the VM was heard at its
 * new place ('by' says how), or somebody says it runs there. */
void move_trigger(struct move *, const char *by, long long int now,
                  long long int wall);

/* The same, but the VM was heard by switches that have been armed.  They are
 * busy switching by themselves, so the transaction follows a moment later. */
void move_heard(struct move *, const char *by, long long int now,
                long long int wall);

/* Cuts over before the VM runs at its new place, where packets wait for it
 * (N1): the VM is going to stop, or has stopped, as 'hold' says.  Then the
 * move is held until move_heard() or move_trigger().  Ignored if the move has
 * been cut over. */
void move_hold(struct move *, enum move_hold hold, long long int now,
               long long int wall);

/* Another move of the port waits for the end of this one. */
void move_hurry(struct move *, long long int now, long long int wall);

/* Takes the move back.  Returns false if it is too late for that. */
bool move_cancel(struct move *, const char *reason, long long int now,
                 long long int wall);

/* The move cannot be done, because of 'reason'. */
void move_fail(struct move *, const char *reason, long long int now,
               long long int wall);

/* The new place is in the database. */
void move_recorded(struct move *, long long int now, long long int wall);

/* Does what is due at 'now'. */
void move_run(struct move *, long long int now, long long int wall);
long long int move_deadline(const struct move *);

/* Callbacks of ofsync.h, for the part to which they belong. */
void move_stage_changed(struct move_part *, long long int now,
                        long long int wall);
void move_counted(struct move *, uint64_t n_packets, uint64_t n_bytes,
                  long long int now, long long int wall);

/* 'n_packets' have been delivered to the interface at 'nve' up to now. */
void move_delivered(struct move *, const struct nve *, uint64_t n_packets,
                    long long int now, long long int wall);

/* Something changed that may make the part ready: confirmation of its NVE,
 * reachability of the new one. */
void move_part_update(struct move_part *, long long int now,
                      long long int wall);

/* Returns true if the move has been in its phase for so long at 'now', in ms,
 * that somebody may want to know for whom it waits. */
bool move_takes_long(const struct move *, long long int now);

/* Adds the names of the NVEs for which the move waits to 'names'. */
void move_get_waiting(const struct move *, struct sset *names);

/* Appends a description in one line. */
void move_format(const struct move *, struct ds *, long long int now);

#endif /* move.h */
