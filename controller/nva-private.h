/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef NVA_PRIVATE_H
#define NVA_PRIVATE_H 1

/* What the files of the module share: nva.c (life and loop), nva-intent.c
 * (from the database to the topology), nva-session.c (sessions),
 * nva-session-run.c (which of them get a look),
 * nva-hypervisor.c (databases of hypervisors), nva-guest.c (what VMs say),
 * nva-gateway.c (gateways), nva-takeover.c (which of them serves a port),
 * nva-watch.c (NVEs that fail),
 * nva-mcast.c (their multicast memberships), nva-move.c (moves),
 * nva-history.c (moves that have ended), nva-late.c (packets that come after
 * them), nva-evacuate.c (moves of all ports of an NVE), nva-probe.c (where
 * VMs on the move are), nva-nat.c (external addresses of gateways),
 * nva-route.c (host routes for a routing daemon),
 * nva-unrouted.c (packets that gateways do not send on),
 * nva-uplink.c (physical networks), nva-ctl.c (commands of ovs-appctl).  For
 * them only. */

#include "announcer.h"
#include "db.h"
#include "fault.h"
#include "heap.h"
#include "hvdb.h"
#include "mcast.h"
#include "move.h"
#include "neighbor.h"
#include "nva.h"
#include "ofconn.h"
#include "ofsync.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/shash.h"
#include "prober.h"
#include "topology.h"
#include "wiring.h"

struct ds;
struct gateway_config;
struct ofputil_packet_in;

/* Lifetime of a staged bundle in the switch, in s.  move.c stages afresh well
 * before. */
#define NVA_BUNDLE_IDLE_TIMEOUT 600

/* How long an NVE that is away may hold up the end of a redirect, in s. */
#define NVA_DRAIN_MAX 30

/* One connection with a hypervisor, OVSDB or OpenFlow.  One that a hypervisor
 * opened has no session until it is known whose it is. */
struct peer {
    struct ovs_list node;       /* In nva's 'peers', 'strangers' if it has no
                                 * session, or 'dead_peers'. */
    struct nva *nva;
    struct session *session;
    struct hvdb *hvdb;          /* Either this ... */
    struct ofconn *ofconn;      /* ... or this. */
    uint64_t datapath_id;       /* Of 'ofconn', once up. */
    bool announced;             /* Its hypervisor has been reported. */
    bool dead;                  /* To be destroyed. */
};

/* All about the hypervisor of one NVE. */
struct session {
    struct nva *nva;
    struct nve *nve;
    struct uuid uuid;           /* Of the NVE's row. */
    char *ovsdb, *openflow, *bridge, *datapath_type; /* As configured. */

    struct peer *db_peer, *of_peer;
    uint64_t datapath_id;       /* 0 if it is not known. */
    struct hmap_node datapath_node; /* In nva's 'datapaths' otherwise. */
    bool synced;                /* A new snapshot waits to be digested. */
    bool known;                 /* Its interfaces have been read once. */
    bool up;                    /* OpenFlow is up and flows are compared. */
    bool probing;               /* Its underlay neighbors are being proved. */
    bool uplinks_dirty;         /* Its uplinks are to be read again. */
    bool uplinks_wrong;         /* 'error' is about them. */
    bool options_wrong;         /* 'error' is about its options. */

    /* Of nva-takeover.c. */
    bool gateways_wait;         /* Something waits until all is confirmed. */
    struct ovs_list takeover_node; /* In nva's 'takeovers', if ... */
    bool takeover_due;          /* ... this is set. */

    /* Of nva-watch.c. */
    struct ovs_list watch_node; /* In nva's 'watchers', if ... */
    bool watches_dirty;         /* ... this is set. */
    struct ovs_list failed_node; /* In nva's 'failed', if its NVE has. */
    long long int heard_since;  /* In ms; LLONG_MAX if it is not. */

    char *error;                /* For NVE:error. */
    /* Of nva-session-run.c. */
    struct ovs_list dirty_node; /* In nva's 'dirty_sessions', if 'dirty'. */
    struct heap_node waiting_node; /* In 'waiting_sessions', if 'waiting'. */
    bool dirty;                 /* It gets a look in this turn. */
    bool waiting;               /* It gets one at its deadline. */
    bool status_dirty;          /* Its row is to be written ... */
    long long int write_at;     /* ... then. */
    bool told_connected;        /* What the row says. */
    struct ovs_list behind_node; /* In nva's 'behind', if 'is_behind'. */
    bool is_behind;             /* Has not confirmed all that it wants. */
    bool owes;                  /* --wait=nve waits for it. */
};

/* V9.  A hot VM runs until the cut-over.  The new place of a warm one is ready
 * and kept in step until a word.  A cold one is stopped. */
enum mig_kind { MIG_HOT, MIG_WARM, MIG_COLD };

/* A row of Migration that is not history. */
struct mig {
    struct hmap_node node;      /* In nva's 'migs', by 'id'. */
    struct ovs_list active_node; /* In nva's 'active', while 'move'. */
    struct nva *nva;
    struct uuid uuid;
    uint64_t id;
    const char *told;           /* The phase that the row says, or null. */
    char *port, *new_nve, *old_nve, *request;
    enum mig_kind kind;
    bool immediate;             /* trigger=now. */
    bool requested_done;        /* 'request' has been carried out. */
    enum move_hold was_held;    /* So it was before a restart. */
    struct move *move;          /* Null until it can start. */
    long long int start_by;     /* When to give up waiting for that. */
    long long int requested;    /* µs since the epoch. */
    bool trigger;               /* Found cut over, see nva-move.c. */
    bool started;               /* It has or had a move. */
    bool over;                  /* To be freed. */
    bool dirty;                 /* Wants a look. */
    uint64_t recording;         /* Sequence number of db.h, or 0. */
    struct probe *probe;        /* While the VM is asked where it is. */
    unsigned int n_probes;      /* Sent by probes that are over. */
    struct announcement *announcement; /* While it is being announced. */
    bool announced;             /* It is, was, or needs not be. */
    bool announcement_seen;     /* To have had an effect. */
    unsigned int n_announced;   /* How often it was announced. */
};

struct nva {
    struct loop *loop;
    struct db *db;
    struct topology topology;
    struct neighbors *neighbors;
    long long int probed;       /* When it last ran. */
    struct prober *prober;
    struct announcer *announcer;
    struct faults *faults;      /* For tests; normally null. */
    struct wiring_config wiring;
    long long int drain_max_ms; /* See 'struct move_config'. */
    char *openflow_target;      /* What hypervisors shall connect to. */
    char *openflow_port;        /* Of our listener, "6653". */
    int inactivity_option;      /* In ms; 0: by the number of NVEs. */
    int inactivity_probe;       /* In ms, of each connection. */
    bool active_here;           /* We hold the database's lock. */

    struct ovs_list peers;      /* Those with a session, */
    struct ovs_list strangers;  /* those without, */
    struct ovs_list dead_peers; /* and those that are 'dead'. */
    struct hmap datapaths;      /* Sessions, by 'datapath_id'. */
    struct ovs_list dirty_sessions;
    struct heap waiting_sessions; /* By deadline, the next one first. */
    struct hmap migs;
    struct ovs_list active;     /* Those with a move. */
    size_t n_starting;          /* Elements of 'migs' without a move. */
    bool migs_dirty;            /* Some mig wants a look. */
    struct history *history;    /* Those that have ended. */
    struct ovs_list evacuations; /* Those running. */
    bool evacuations_dirty;     /* Some evacuation wants a look. */

    struct hmap gateways;       /* Rows of Gateway, of nva-gateway.c. */
    bool gateways_dirty;        /* They, or what they depend on, changed. */
    struct ovs_list due_gateways; /* Of nva-gateway.c. */
    struct ovs_list gateway_vns; /* Whose gateways want a look. */
    struct shash snats;         /* "struct gateway"s, of nva-nat.c. */
    struct announcer *gateway_announcer;
    struct ovs_list takeovers;  /* Sessions whose gateways want a look. */
    struct ovs_list coming;     /* Gateways that are GATEWAY_COMES. */
    struct ovs_list keeps;      /* "struct keep"s, in the order of
                                 * 'poll_at'. */
    bool watch_dirty;           /* Who watches whom may be out of date. */
    size_t n_unwitnessed;       /* See watch_plan(). */
    struct ovs_list watchers;   /* Sessions whose NVE watches others now. */
    struct ovs_list failed;     /* Sessions whose NVE has failed. */
    int bfd_interval;           /* In ms; 0: nobody watches. */
    long long int bfd_hold_ms;

    struct nva_routes *routes;  /* Null if nobody wants them. */

    struct ovs_list lates;      /* Contains "struct late"s by 'until'. */
    size_t n_exchanged;         /* Bytes to and from switches, but for packets,
                                 * since trim_memory(). */

    struct mcast *mcast;
    struct ovs_list queries;    /* Ports to be asked, by 'query_node'. */
    long long int query_at;     /* When to ask all. */

    /* --wait=nve. */
    int64_t nb_cfg;             /* What is asked, */
    int64_t owed_cfg;           /* being confirmed, */
    int64_t nve_cfg;            /* and confirmed. */
    struct ovs_list behind;     /* Sessions that have not confirmed. */
    long long int synced_at;    /* When one last has that had been away. */
    size_t n_owing;
    long long int owing_since;
};

/* nva-session-run.c */
void nva_session_dirty(struct session *);
void nva_session_wants_run(struct session *);
void nva_session_unschedule(struct session *);
void nva_sessions_run(struct nva *, long long int now);
long long int nva_sessions_deadline(const struct nva *);

/* nva-session.c */
void nva_session_configure(struct nva *, struct nve *, const struct db_nve *);
void nva_session_destroy(struct session *);
void nva_session_disconnect(struct session *, const char *reason);
void nva_session_event(struct nva *, struct loop_event *);
void nva_session_set_error(struct session *, const char *error);
void nva_sessions_set_probe(struct nva *);
void nva_peer_kill(struct peer *);
void nva_peer_join(struct peer *, struct session *);
void nva_peers_destroy(struct nva *);
void nva_peers_reap(struct ovs_list *peers);
void nva_session_try_start(struct session *);
void nva_session_start_openflow(struct session *, const char *remote);
void nva_session_adopt_openflow(struct session *);
void nva_session_set_datapath(struct session *, uint64_t datapath_id);
char *nva_session_openflow_remote(const struct session *);
bool nva_session_is_connected(const struct session *);

/* nva-hypervisor.c */
extern const struct hvdb_class nva_hvdb_class;
void nva_hypervisor_want(struct session *);
void nva_hypervisor_adopt(struct peer *, struct session *);
void nva_hypervisor_digest(struct session *);

/* nva-guest.c */
void nva_guest_rarp(struct session *, const struct ofputil_packet_in *);
void nva_guest_too_big(struct session *, const struct ofputil_packet_in *);
void nva_guest_denied(struct session *, const struct ofputil_packet_in *);

/* nva-intent.c */
extern const struct db_class nva_db_class;
void nva_rebind(struct nva *, struct port *);
void nva_write_port(struct nva *, const struct port *);

/* Does so at once, with 'nve' as the place of 'port', whose move is about to
 * end there. */
void nva_record_port(struct nva *, const struct port *, const struct nve *);

/* Takes what NVA_Global:options says; what is not there has its default. */
void nva_configure(struct nva *, const struct smap *options);

/* Returns its option 'key', a number from 'min' to 'max', or 'def'.  0 is
 * valid, too. */
int nva_option_number(const struct smap *options, const char *key, int min,
                      int max, int def);

/* nva-vn.c */
void nva_vn_row(struct nva *, const struct db_vn *);

/* nva-move.c */
void nva_mig_dirty(struct mig *);
void nva_mig_row(struct nva *, const struct db_migration *);
void nva_mig_deleted(struct nva *, const struct uuid *);
void nva_mig_cancel(struct nva *, const struct uuid *);
void nva_mig_try(struct nva *, const char *port_name);
void nva_mig_port_gone(struct nva *, struct port *);
void nva_mig_nve_gone(struct nva *, struct nve *);
void nva_mig_written(struct nva *, uint64_t seqno);

/* Writes the row of 'mig', with 'phase' and 'error' unless it has a move.
 * Returns the sequence number for nva_mig_written(). */
uint64_t nva_mig_write(struct mig *, const char *phase, const char *error);

void nva_mig_member(struct nva *, struct member *, bool joined);
bool nva_mig_found(struct nva *, struct nve *, uint64_t cookie);
void nva_mig_word(struct nva *, const struct nve *, const char *port_name,
                  const char *word);
void nva_mig_packet_in(struct nva *, struct nve *, uint64_t cookie);
void nva_migs_run(struct nva *, long long int now);
void nva_migs_destroy(struct nva *);
long long int nva_migs_deadline(const struct nva *);
struct mig *nva_mig_find(const struct nva *, uint64_t id);

/* nva-history.c */
struct history *nva_history_create(void);
void nva_history_destroy(struct history *);
void nva_history_configure(struct history *, const struct smap *options);
void nva_history_row(struct nva *, const struct db_migration *);
void nva_history_deleted(struct history *, const struct uuid *);
void nva_history_run(struct nva *);
long long int nva_history_deadline(const struct history *);

/* nva-evacuate.c */
void nva_evacuate_row(struct nva *, const struct db_evacuation *);
void nva_evacuate_row_deleted(struct nva *, const struct uuid *);
void nva_evacuate_nve_gone(struct nva *, const struct nve *);
void nva_evacuate_port_changed(struct nva *, const struct port *);
void nva_evacuate_port_gone(struct nva *, const struct port *);
void nva_evacuate_migration(struct nva *, const struct db_migration *);
void nva_evacuate_migration_deleted(struct nva *, const struct uuid *);
void nva_evacuations_retry(struct nva *);
void nva_evacuations_run(struct nva *);
void nva_evacuations_destroy(struct nva *);

/* nva-nat.c.  Parsing stores what 'options' say into 'config'; checking
 * compares that with what others have, where 'gw' is the gateway in service
 * with 'config', if any.  Both return what is wrong, for the caller to free,
 * or null.  Setting has a gateway translate to an address that was checked, or
 * to none. */
char *nva_nat_parse(const struct smap *options, struct gateway_config *config);
char *nva_nat_check(const struct nva *, const struct gateway_config *config,
                    const struct vn *, const struct gateway *gw);
const struct gateway *nva_nat_find(const struct nva *, const struct vn *,
                                   const struct in6_addr *ip);
void nva_nat_set(struct nva *, struct gateway *, const struct in6_addr *);

/* nva-gateway.c */
void nva_gateway_row(struct nva *, const struct db_gateway *);
void nva_gateway_row_deleted(struct nva *, const struct uuid *);
void nva_gateways_changed(struct nva *);
void nva_gateways_vn_changed(struct nva *, struct vn *);
void nva_gateways_nve_gone(struct nva *, const struct nve *);
char *nva_gateway_find_duplicate(const struct nva *, const struct vn *,
                                 struct eth_addr mac,
                                 const struct in6_addr ips[], size_t n);
void nva_gateway_write(struct nva *, const struct gateway *);
void nva_gateways_run(struct nva *);
void nva_gateways_destroy(struct nva *);

/* nva-keep.c */
void nva_keep_gateway_changed(struct nva *, struct port *,
                              struct gateway *old);
void nva_keep_check(struct nva *, struct port *);
void nva_keep_stop(struct nva *, struct port *, const char *why);
void nva_keep_move_begins(struct nva *, struct port *, struct nve *to,
                          bool is_cut);
void nva_keep_move_ended(struct nva *, struct port *);
void nva_keep_nve_gone(struct nva *, const struct nve *);
void nva_keep_vn_changed(struct nva *, const struct vn *);
bool nva_keep_found(const struct session *, uint64_t cookie);
void nva_keep_counted(struct session *, uint64_t cookie, uint64_t n);
void nva_keep_learned(struct session *, uint64_t cookie,
                      const struct ofputil_flow_stats *);
void nva_keep_run(struct nva *, long long int now);
long long int nva_keep_deadline(const struct nva *);

/* nva-takeover.c */
void nva_takeover_assign(struct nva *, struct port *);
void nva_takeover_serve(struct port *, struct gateway *);
void nva_takeover_port_gone(struct nva *, struct port *);
char *nva_takeover_get_port_error(const struct port *);
void nva_takeover_refresh(struct nva *, struct vn *);
void nva_takeover_gone(struct nva *, struct gateway *);
void nva_takeover_seen(struct session *, uint64_t cookie);
void nva_takeover_run(struct nva *, long long int now);
long long int nva_takeover_deadline(const struct nva *);
extern const struct announcer_class nva_takeover_announcer_class;
const char *nva_takeover_state(const struct gateway *);
const char *nva_takeover_outside(const struct gateway *);
char *nva_takeover_get_error(const struct gateway *);
void nva_takeover_wants_run(struct session *);
void nva_takeover_confirmed(struct session *);
void nva_takeover_stopped(struct session *);

/* nva-watch.c */
void nva_watch_configure(struct nva *, const struct smap *options);
void nva_watch_changed(struct nve *);
void nva_watch_get(const struct session *, struct hvdb_wanted *);
void nva_watch_free(struct hvdb_wanted *);
void nva_watch_judge(struct session *);
void nva_watch_remember(struct session *);
void nva_watch_interface(struct session *, const struct hvdb_interface *old,
                         const struct hvdb_interface *new);
void nva_watch_member(struct nva *, const struct member *);
void nva_watch_gone(struct session *);
char *nva_watch_get_error(const struct nve *);
void nva_watch_run(struct nva *, long long int now);
long long int nva_watch_deadline(const struct nva *);

/* nva-late.c */
void nva_late_left(struct nva *, struct port *, struct nve *,
                   long long int ended);
void nva_late_row(struct nva *, const struct db_migration *);
void nva_late_port_changed(struct nva *, struct port *);
void nva_late_vn_changed(struct nva *, struct vn *);
void nva_late_port_gone(struct port *);
void nva_late_nve_gone(struct nva *, const struct nve *);
void nva_late_packet_in(struct session *, const struct ofputil_packet_in *);
void nva_late_run(struct nva *, long long int now);
long long int nva_late_deadline(const struct nva *);

/* nva-mcast.c */
void nva_mcast_create(struct nva *);
void nva_mcast_packet_in(struct nva *, struct nve *,
                         const struct ofputil_packet_in *);
void nva_mcast_query(struct nva *, struct port *, bool soon);
void nva_mcast_query_nve(struct nva *, struct nve *);
void nva_mcast_vn_changed(struct nva *, struct vn *);
void nva_mcast_port_gone(struct nva *, struct port *);
void nva_mcast_run(struct nva *, long long int now);
long long int nva_mcast_deadline(const struct nva *);
void nva_mcast_format(const struct vn *, struct ds *, long long int now);

/* nva-probe.c */
extern const struct prober_class nva_prober_class;
void nva_probe_configure(struct nva *, const char *timeout);
void nva_probe_update(struct mig *, const struct move *);
void nva_probe_answered(struct nva *, struct nve *, uint64_t cookie);
unsigned int nva_probe_count(const struct mig *);
char *nva_probe_get_error(const struct port *);

/* nva-route.c */
struct nva_routes *nva_routes_create(struct nva *, const char *file,
                                     const char *bird);
void nva_routes_destroy(struct nva_routes *);
void nva_routes_changed(struct nva *);
void nva_routes_run(struct nva *, long long int now);
void nva_routes_wait(const struct nva *);

/* nva-unrouted.c */
void nva_unrouted_packet_in(struct session *,
                            const struct ofputil_packet_in *);

/* nva-uplink.c */
extern const struct announcer_class nva_announcer_class;
void nva_uplink_changed(struct session *, const struct hvdb_interface *old,
                        const struct hvdb_interface *new);
void nva_uplinks_run(struct session *);
void nva_announce_update(struct mig *, struct move *);
void nva_announce_stop(struct mig *);
void nva_announce_seen(struct nva *, struct nve *, uint64_t cookie);
unsigned int nva_announce_count(const struct mig *);
void nva_announce_send(struct nve *, struct ofpbuf *, void *nva);

/* nva-ctl.c */
void nva_ctl_register(struct nva *);

#endif /* nva-private.h */
