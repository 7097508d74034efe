/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ofsync-private.h"

#include <stdlib.h>

#include "coverage.h"
#include "openflow/openflow.h"
#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(ofsync_stage);

COVERAGE_DEFINE(ofsync_stage_commit);
COVERAGE_DEFINE(ofsync_stage_commit_unstaged);
COVERAGE_DEFINE(ofsync_stage_open);

/* One unit that a stage changes. */
struct change {
    uint64_t unit;
    struct flow_list *new;      /* Null if the unit goes. */
    struct flow_list *old;      /* From the commit on, for a revert. */
};

struct ofsync_stage {
    struct ovs_list node;       /* In ofsync's 'stages'. */
    struct ofsync *os;
    void *aux;
    enum ofsync_stage_state state;
    char *error;                /* If it was refused. */

    struct change *changes;
    size_t n_changes, allocated_changes;
    struct ofsync_stray *deletions;
    size_t n_deletions, allocated_deletions;

    /* While the switch knows of it. */
    struct ofsync_request *req;
    uint32_t bundle;            /* Not closed, see ofsync_stage_set(). */
    bool expired;               /* It was not there at the COMMIT. */
};

struct ofsync_stage *
ofsync_stage_create(struct ofsync *os, void *aux)
{
    struct ofsync_stage *stage = xzalloc(sizeof *stage);

    stage->os = os;
    stage->aux = aux;
    stage->state = OFSYNC_STAGE_NEW;
    ovs_list_push_back(&os->stages, &stage->node);
    return stage;
}

/* Adds the changes of 'stage' to its bundle, from index 'first' on. */
static void
write_changes(struct ofsync_stage *stage, struct ofsync_writer *w,
              size_t first)
{
    for (size_t i = first; i < stage->n_changes; i++) {
        const struct change *c = &stage->changes[i];

        ofsync_write_removals__(w, ofsync_get(stage->os, c->unit), c->new);
    }
    for (size_t i = first; i < stage->n_changes; i++) {
        const struct change *c = &stage->changes[i];

        ofsync_write_additions__(w, ofsync_get(stage->os, c->unit), c->new);
    }
}

void
ofsync_stage_set(struct ofsync_stage *stage, uint64_t unit,
                 const struct flow_list *new)
{
    struct change *c;

    if (stage->n_changes >= stage->allocated_changes) {
        stage->changes = x2nrealloc(stage->changes, &stage->allocated_changes,
                                    sizeof *stage->changes);
    }
    c = &stage->changes[stage->n_changes++];
    c->unit = unit;
    c->new = flow_list_ref(new);
    c->old = NULL;
    if (new) {
        /* A bundle cannot carry meters, so they are there before it. */
        ofsync_ref_meter__(stage->os, &new->meter);
    }
    if (stage->state == OFSYNC_STAGE_STAGED) {
        struct ofsync_writer w;

        ofsync_flush__(stage->os);
        ofsync_writer_resume__(&w, stage->os, stage->bundle, stage->req->xid);
        write_changes(stage, &w, stage->n_changes - 1);
        ofsync_writer_end__(&w);
    }
}

void
ofsync_stage_delete_cookie(struct ofsync_stage *stage, uint64_t cookie,
                           uint8_t table)
{
    if (stage->n_deletions >= stage->allocated_deletions) {
        stage->deletions = x2nrealloc(stage->deletions,
                                      &stage->allocated_deletions,
                                      sizeof *stage->deletions);
    }
    stage->deletions[stage->n_deletions++] = (struct ofsync_stray) {
        .cookie = cookie, .table = table
    };
}

/* Sends the bundle of 'stage', but for its COMMIT. */
static void
send_bundle(struct ofsync_stage *stage, ovs_be32 xid)
{
    struct ofsync_writer w;

    ofsync_writer_open__(&w, stage->os, xid);
    stage->bundle = w.bundle;
    for (size_t i = 0; i < stage->n_deletions; i++) {
        ofsync_write_stray__(&w, &stage->deletions[i]);
    }
    write_changes(stage, &w, 0);
    ofsync_writer_end__(&w);
}

void
ofsync_stage_open(struct ofsync_stage *stage)
{
    struct ofsync *os = stage->os;
    ovs_be32 xid;

    ovs_assert(stage->state == OFSYNC_STAGE_NEW);
    if (os->state != OFSYNC_UP) {
        stage->state = OFSYNC_STAGE_OFFLINE;
        return;
    }

    COVERAGE_INC(ofsync_stage_open);
    ofsync_flush__(os);
    xid = ofsync_alloc_xid__();
    stage->req = ofsync_request_add__(os, OFSYNC_REQ_STAGE, xid);
    stage->req->stage = stage;
    stage->state = OFSYNC_STAGE_OPENING;

    send_bundle(stage, xid);
    ofsync_send__(os, ofsync_barrier__(xid));
}

/* Forgets what the switch has of 'stage'. */
static void
forget_bundle(struct ofsync_stage *stage)
{
    stage->os->n_commits -= stage->state == OFSYNC_STAGE_COMMITTING;
    ofsync_request_remove__(stage->os, stage->req);
    stage->req = NULL;
}

/* The same, having the switch discard it if it has not been committed. */
static void
drop_bundle(struct ofsync_stage *stage)
{
    if (stage->req) {
        struct ofsync *os = stage->os;
        ovs_be32 xid = stage->req->xid;

        forget_bundle(stage);
        if (os->state == OFSYNC_UP
            && (stage->state == OFSYNC_STAGE_OPENING
                || stage->state == OFSYNC_STAGE_STAGED
                || stage->state == OFSYNC_STAGE_STALE)) {
            ofsync_bundle_ctrl__(os, stage->bundle, OFPBCT_DISCARD_REQUEST,
                                 xid);
        }
    }
}

static void
set_state(struct ofsync_stage *stage, enum ofsync_stage_state state)
{
    if (stage->state != state) {
        stage->state = state;
        stage->os->class->stage_changed(stage, stage->aux, stage->os->aux);
    }
}

/* Makes the units want what was staged.  'told' if the switch has been told
 * already. */
static void
adopt(struct ofsync_stage *stage, bool told)
{
    struct ofsync *os = stage->os;

    for (size_t i = 0; i < stage->n_changes; i++) {
        struct change *c = &stage->changes[i];

        c->old = flow_list_ref(ofsync_get(os, c->unit));
        if (told) {
            ofsync_adopt__(os, c->unit, c->new, true);
            ofsync_stage_touch__(os, c->unit, stage);
        } else {
            ofsync_set(os, c->unit, c->new);
        }
    }
}

void
ofsync_stage_commit(struct ofsync_stage *stage)
{
    struct ofsync *os = stage->os;

    if (stage->state == OFSYNC_STAGE_STAGED) {
        COVERAGE_INC(ofsync_stage_commit);
        ofsync_bundle_ctrl__(os, stage->bundle, OFPBCT_COMMIT_REQUEST,
                             stage->req->xid);
        stage->state = OFSYNC_STAGE_COMMITTING;
        os->n_commits++;
        adopt(stage, true);
        ofsync_check_confirmation__(os);
        return;
    }

    COVERAGE_INC(ofsync_stage_commit_unstaged);
    drop_bundle(stage);
    stage->state = OFSYNC_STAGE_COMMITTING;
    for (size_t i = 0; i < stage->n_deletions; i++) {
        ofsync_delete_cookie(os, stage->deletions[i].cookie,
                             stage->deletions[i].table);
    }
    adopt(stage, false);
    ofsync_flush__(os);
    if (ofsync_is_confirmed(os)) {
        stage->state = OFSYNC_STAGE_COMMITTED;
    }
}

void
ofsync_stage_revert(struct ofsync_stage *stage)
{
    struct ofsync *os = stage->os;

    for (size_t i = 0; i < stage->n_changes; i++) {
        struct change *c = &stage->changes[i];
        const struct flow_list *now = ofsync_get(os, c->unit);

        if (!flow_list_equal(now, c->new)) {
            /* It has been set since, and what was sent for that started from
             * what the switch has not taken. */
            os->want_resync = true;
            continue;
        }
        /* The switch has not changed anything if it refused the bundle. */
        ofsync_adopt__(os, c->unit, c->old, true);
        ofsync_stage_touch__(os, c->unit, stage);
    }
    ofsync_check_confirmation__(os);
}

void
ofsync_stage_insist(struct ofsync_stage *stage)
{
    stage->state = OFSYNC_STAGE_COMMITTING;
    ofsync_problem__(stage->os, stage->error);
}

void
ofsync_stage_destroy(struct ofsync_stage *stage)
{
    if (stage) {
        struct ofsync *os = stage->os;

        drop_bundle(stage);
        ovs_list_remove(&stage->node);
        for (size_t i = 0; i < stage->n_changes; i++) {
            struct change *c = &stage->changes[i];

            if (c->new) {
                ofsync_unref_meter__(os, &c->new->meter);
            }
            flow_list_unref(c->new);
            flow_list_unref(c->old);
        }
        free(stage->changes);
        free(stage->deletions);
        free(stage->error);
        free(stage);
        ofsync_check_confirmation__(os);
    }
}

enum ofsync_stage_state
ofsync_stage_get_state(const struct ofsync_stage *stage)
{
    return stage->state;
}

const char *
ofsync_stage_state_to_string(enum ofsync_stage_state state)
{
    switch (state) {
    case OFSYNC_STAGE_NEW: return "new";
    case OFSYNC_STAGE_OFFLINE: return "offline";
    case OFSYNC_STAGE_OPENING: return "opening";
    case OFSYNC_STAGE_STAGED: return "staged";
    case OFSYNC_STAGE_STALE: return "stale";
    case OFSYNC_STAGE_REFUSED: return "refused";
    case OFSYNC_STAGE_COMMITTING: return "committing";
    case OFSYNC_STAGE_COMMITTED: return "committed";
    default: OVS_NOT_REACHED();
    }
}

const char *
ofsync_stage_get_error(const struct ofsync_stage *stage)
{
    return stage->error;
}

/* Called by ofsync.c. */

/* Unit 'cookie' has changed: what has been staged from its former flows does
 * not fit any more, except for 'except', which changed it. */
void
ofsync_stage_touch__(struct ofsync *os, uint64_t cookie,
                     const struct ofsync_stage *except)
{
    struct ofsync_stage *stage;

    LIST_FOR_EACH_SAFE (stage, node, &os->stages) {
        if (stage == except || (stage->state != OFSYNC_STAGE_OPENING
                                && stage->state != OFSYNC_STAGE_STAGED)) {
            continue;
        }
        for (size_t i = 0; i < stage->n_changes; i++) {
            if (stage->changes[i].unit == cookie) {
                set_state(stage, OFSYNC_STAGE_STALE);
                break;
            }
        }
    }
}

void
ofsync_stage_went_down__(struct ofsync *os)
{
    struct ofsync_stage *stage;

    LIST_FOR_EACH_SAFE (stage, node, &os->stages) {
        drop_bundle(stage);
        /* A commit whose answer is lost takes effect by comparing. */
        if (stage->state == OFSYNC_STAGE_OPENING
            || stage->state == OFSYNC_STAGE_STAGED
            || stage->state == OFSYNC_STAGE_STALE) {
            set_state(stage, OFSYNC_STAGE_OFFLINE);
        }
    }
}

/* Returns a stage whose commit goes without a bundle of its own, or null. */
static struct ofsync_stage *
find_bare_commit(const struct ofsync *os)
{
    struct ofsync_stage *stage;

    LIST_FOR_EACH (stage, node, &os->stages) {
        if (stage->state == OFSYNC_STAGE_COMMITTING && !stage->req) {
            return stage;
        }
    }
    return NULL;
}

/* All that is wanted has been confirmed: so have those commits that went
 * without a bundle of their own.  When the owner is told of one, it may
 * destroy others, and want something else: then the rest is confirmed with
 * that. */
void
ofsync_stage_confirmed__(struct ofsync *os)
{
    struct ofsync_stage *stage;

    while (ofsync_is_confirmed(os) && (stage = find_bare_commit(os))) {
        set_state(stage, OFSYNC_STAGE_COMMITTED);
    }
}

static void
refuse(struct ofsync_stage *stage, const char *error)
{
    if (!stage->error) {
        stage->error = xstrdup(error);
    }
    set_state(stage, OFSYNC_STAGE_REFUSED);
}

/* The COMMIT of 'stage' has been answered, by 'error' if it was refused.  The
 * owner may destroy 'stage' when it is told. */
static void
end_commit(struct ofsync_stage *stage, enum ofsync_stage_state state,
           const char *error)
{
    struct ofsync *os = stage->os;

    forget_bundle(stage);
    if (state == OFSYNC_STAGE_REFUSED) {
        refuse(stage, error);
    } else {
        set_state(stage, state);
    }
    ofsync_check_confirmation__(os);
}

static const char no_bundle[] = "the staged bundle is not there any more";

static void
handle_bundle_reply(struct ofsync_stage *stage, const struct ofp_header *oh,
                    const struct ofsync_request *req)
{
    struct ofputil_bundle_ctrl_msg bc;

    if (!ofputil_decode_bundle_ctrl(oh, &bc)
        && bc.type == OFPBCT_COMMIT_REPLY
        && stage->state == OFSYNC_STAGE_COMMITTING) {
        if (stage->expired) {
            /* Open vSwitch opens a bundle to which something is added, so it
             * has committed what was added last, and nothing else. */
            stage->os->want_resync = true;
            end_commit(stage, OFSYNC_STAGE_REFUSED, no_bundle);
            return;
        } else if (req->error) {
            /* What was added last was not taken, the rest was. */
            ofsync_problem__(stage->os, req->error);
        }
        end_commit(stage, OFSYNC_STAGE_COMMITTED, NULL);
    }
}

void
ofsync_stage_handle__(struct ofsync_stage *stage, const struct ofp_header *oh,
                      struct ofsync_request *req)
{
    enum ofptype type;

    if (ofptype_decode(&type, oh)) {
        return;
    }
    if (type == OFPTYPE_ERROR) {
        enum ofperr error = ofperr_decode_msg(oh, NULL);

        if (error == OFPERR_OFPBFC_TIMEOUT
            && (stage->state == OFSYNC_STAGE_STAGED
                || stage->state == OFSYNC_STAGE_STALE)) {
            /* It lay there for too long; it can be staged again.  The switch
             * has nothing left that could be discarded. */
            forget_bundle(stage);
            set_state(stage, OFSYNC_STAGE_STALE);
        } else if (stage->state == OFSYNC_STAGE_OPENING
                   || stage->state == OFSYNC_STAGE_STAGED) {
            char *s = xstrdup(req->error);

            drop_bundle(stage);
            refuse(stage, s);
            free(s);
        } else if (stage->state == OFSYNC_STAGE_COMMITTING
                   && error == OFPERR_OFPBFC_MSG_FAILED) {
            char *s = xstrdup(req->error);

            end_commit(stage, OFSYNC_STAGE_REFUSED, s);
            free(s);
        } else if (stage->state == OFSYNC_STAGE_COMMITTING
                   && error == OFPERR_OFPBFC_BAD_ID) {
            end_commit(stage, OFSYNC_STAGE_REFUSED, no_bundle);
        } else if (stage->state == OFSYNC_STAGE_COMMITTING
                   && error == OFPERR_OFPBFC_TIMEOUT) {
            stage->expired = true;
        }
    } else if (type == OFPTYPE_BUNDLE_CONTROL) {
        handle_bundle_reply(stage, oh, req);
    } else if (type == OFPTYPE_BARRIER_REPLY
               && stage->state == OFSYNC_STAGE_OPENING) {
        set_state(stage, OFSYNC_STAGE_STAGED);
    }
}
