/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef OFSYNC_PRIVATE_H
#define OFSYNC_PRIVATE_H 1

/* What ofsync.c (units), ofsync-meter.c (meters), ofsync-writer.c (bundles),
 * ofsync-stage.c (staged bundles), ofsync-dump.c (comparing with the switch)
 * and ofsync-learned.c (flows that no unit wants) share.  For them only. */

#include "flow-list.h"
#include "ofsync.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/types.h"

/* How many flow mods go into one bundle when the switch is far behind. */
#define OFSYNC_BUNDLE_MAX 2000

/* What an object wants in the switch.  There is one of these for each NVE and
 * each object that it needs, so it is small. */
struct ofsync_unit {
    struct hmap_node node;      /* In ofsync's 'units', by 'cookie'. */
    uint64_t cookie;
    struct flow_list *flows;    /* Null only while it is changed. */
    struct flow_list *sent;     /* What the switch has been told, null for
                                 * nothing; OFSYNC_SENT if that is 'flows'. */
};

/* For 'sent': the unit is not in ofsync's 'changed'. */
#define OFSYNC_SENT ((struct flow_list *) 1)

/* Makes messages for a switch, one after the other in few buffers.  What is in
 * one buffer reaches the switch at once, unless it is a long one. */
struct ofsync_writer {
    struct ofsync *os;
    struct ofpbuf *buf;         /* Not sent yet, or null. */
    uint32_t bundle;            /* Where flow mods go, ... */
    ovs_be32 xid;               /* ... and their transaction id. */
    size_t n;                   /* How many are in the bundle. */
    bool stage;                 /* It may have any number. */
};

struct ofsync_meter {
    struct hmap_node node;      /* In ofsync's 'meters', by id. */
    struct ovs_list list_node;  /* In its 'due_meters' or 'lingering', or
                                 * empty. */
    struct flow_meter config;
    unsigned int n_refs;        /* Units that want it. */
    bool installed;             /* The switch has it, maybe different. */
    bool dirty;                 /* Differs from what was sent. */
    bool raised;                /* Lets more pass than what was sent. */
    long long int until;        /* When to delete it if it lingers without
                                 * references; 0 if that is not known yet. */
};

/* A change of flows that no unit wants. */
struct ofsync_stray {
    struct ofpbuf *add;         /* The flow mod that adds one; if it is null,
                                 * all are deleted that have ... */
    uint64_t cookie;            /* ... this cookie, */
    uint8_t table;              /* in this table or, if it is 255, in all. */
};

/* Something sent that is answered with the same transaction id. */
struct ofsync_request {
    struct hmap_node node;      /* In ofsync's 'requests', by 'xid'. */
    ovs_be32 xid;
    enum ofsync_request_type {
        OFSYNC_REQ_FLUSH,       /* Changes, up to a barrier. */
        OFSYNC_REQ_STAGE,       /* All about 'stage'. */
        OFSYNC_REQ_DUMP_FLOWS,
        OFSYNC_REQ_DUMP_METERS,
        OFSYNC_REQ_COUNT,
        OFSYNC_REQ_LEARNED      /* ofsync_dump_learned(). */
    } type;
    struct ofsync_stage *stage;
    uint64_t cookie;            /* OFSYNC_REQ_COUNT, OFSYNC_REQ_LEARNED. */
    char *error;                /* The first one. */
};

enum ofsync_state {
    OFSYNC_DOWN,                /* No session. */
    OFSYNC_DUMPING,             /* Waiting for the switch's dumps. */
    OFSYNC_UP                   /* Compared; changes are sent. */
};

struct ofputil_meter_config;
struct ofsync_dump;

struct ofsync {
    const struct ofsync_class *class;
    void *aux;

    enum ofsync_state state;
    struct hmap units;          /* Contains "struct ofsync_unit"s. */
    size_t n_flows;             /* Of all units. */
    struct hmap meters;         /* Contains "struct ofsync_meter"s. */
    struct ovs_list due_meters; /* Those that may have to be sent, because
                                 * they have changed or to be deleted. */
    struct ovs_list lingering;  /* Those that nobody wants, but not yet. */
    struct hmap requests;       /* Contains "struct ofsync_request"s. */
    unsigned int n_flushes;     /* Requests of type OFSYNC_REQ_FLUSH. */
    unsigned int n_commits;     /* Stages whose COMMIT is not answered. */
    struct ofsync_unit **changed; /* Units to tell the switch about. */
    size_t n_changed, allocated_changed;
    struct ofsync_stray *strays; /* To tell it before, in this order. */
    size_t n_strays, allocated_strays;
    long long int linger_at;    /* When to look at 'lingering'. */
    bool confirmed;             /* What was last told to the owner. */
    uint32_t next_bundle;

    struct ofsync_dump *dump;   /* While OFSYNC_DUMPING, and then until what
                                 * differs has been sent. */
    bool want_resync;           /* Compare again, at 'resync_at'. */
    long long int resync_at;

    struct ovs_list stages;     /* Contains "struct ofsync_stage"s. */
};

/* ofsync.c */
struct ofsync_request *ofsync_request_add__(struct ofsync *,
                                            enum ofsync_request_type,
                                            ovs_be32 xid);
void ofsync_request_remove__(struct ofsync *, struct ofsync_request *);
void ofsync_send__(struct ofsync *, struct ofpbuf *);

/* Sends 'request', which is answered on behalf of 'cookie'; not at all if the
 * switch is not there or not compared. */
void ofsync_ask__(struct ofsync *, enum ofsync_request_type, uint64_t cookie,
                  struct ofpbuf *request);
struct ofpbuf *ofsync_barrier__(ovs_be32 xid);
ovs_be32 ofsync_alloc_xid__(void);

/* Makes 'flows' what unit 'cookie' wants; 'told' if the switch has been told
 * already. */
void ofsync_adopt__(struct ofsync *, uint64_t unit, const struct flow_list *,
                    bool told);

/* The switch is going to be told about all units in another way than by
 * 'changed'. */
void ofsync_forget_changes__(struct ofsync *);
void ofsync_flush__(struct ofsync *);
void ofsync_add_stray__(struct ofsync *, const struct ofsync_stray *);
void ofsync_check_confirmation__(struct ofsync *);
void ofsync_problem__(struct ofsync *, const char *error);

/* ofsync-meter.c */
void ofsync_ref_meter__(struct ofsync *, const struct flow_meter *);
void ofsync_unref_meter__(struct ofsync *, const struct flow_meter *);

/* What the switch has is not known any more: all are due. */
void ofsync_doubt_meters__(struct ofsync *);

/* Compares with 'mc', which the switch has. */
void ofsync_compare_meter__(struct ofsync *,
                            const struct ofputil_meter_config *mc);

/* Frees those that nobody wants, or all. */
void ofsync_forget_meters__(struct ofsync *, bool all);

/* Put the meters that have changed into the writer: those that let more pass
 * than before if 'raised', otherwise the others. */
void ofsync_write_changed_meters__(struct ofsync_writer *, bool raised,
                                   ovs_be32 xid);

/* The same for the deletion of those that no flow has any more, but for those
 * that linger. */
void ofsync_write_unused_meters__(struct ofsync_writer *, ovs_be32 xid);

/* Has those deleted that have lingered for long enough at 'now', in ms. */
void ofsync_linger__(struct ofsync *, long long int now);

/* ofsync-writer.c */
void ofsync_bundle_ctrl__(struct ofsync *, uint32_t bundle, uint16_t type,
                          ovs_be32 xid);

/* Begins as many bundles as it takes, which are committed. */
void ofsync_writer_init__(struct ofsync_writer *, struct ofsync *);

/* Opens the bundle of a stage, which gets a number, or goes on with it. */
void ofsync_writer_open__(struct ofsync_writer *, struct ofsync *,
                          ovs_be32 xid);
void ofsync_writer_resume__(struct ofsync_writer *, struct ofsync *,
                            uint32_t bundle, ovs_be32 xid);

/* Commits the bundle that it has begun, if any, unless that is a stage's. */
void ofsync_writer_commit__(struct ofsync_writer *);

/* Does that, and ends it: all has been sent then. */
void ofsync_writer_end__(struct ofsync_writer *);

/* Puts a message into it that is not for a bundle, and takes ownership. */
void ofsync_write__(struct ofsync_writer *, struct ofpbuf *msg);

/* Put a flow mod into it. */
void ofsync_write_flow__(struct ofsync_writer *, const struct flow_entry *,
                         bool add);
void ofsync_write_stray__(struct ofsync_writer *, const struct ofsync_stray *);

/* Put those into it that lead from 'old' to 'new'; either may be null.  With
 * several pairs, all removals must come before all additions: a flow may pass
 * from one unit to another. */
void ofsync_write_removals__(struct ofsync_writer *,
                             const struct flow_list *old,
                             const struct flow_list *new);
void ofsync_write_additions__(struct ofsync_writer *,
                              const struct flow_list *old,
                              const struct flow_list *new);

/* ofsync-dump.c */
void ofsync_dump_start__(struct ofsync *);
void ofsync_dump_abort__(struct ofsync *);
void ofsync_dump_write__(struct ofsync *, struct ofsync_writer *);
void ofsync_dump_flows__(struct ofsync *, const struct ofp_header *,
                         struct ofsync_request *);
void ofsync_dump_meters__(struct ofsync *, const struct ofp_header *,
                          struct ofsync_request *);

/* ofsync-learned.c */
void ofsync_handle_learned__(struct ofsync *, const struct ofp_header *,
                             struct ofsync_request *);

/* ofsync-stage.c */
void ofsync_stage_touch__(struct ofsync *, uint64_t unit,
                          const struct ofsync_stage *except);
void ofsync_stage_went_down__(struct ofsync *);
void ofsync_stage_confirmed__(struct ofsync *);
void ofsync_stage_handle__(struct ofsync_stage *, const struct ofp_header *,
                           struct ofsync_request *);

#endif /* ofsync-private.h */
