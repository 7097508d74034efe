/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <stdlib.h>

#include "clock.h"
#include "cookie.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(nva_probe);

/* Default of NVA_Global:options:probe_timeout, in s. */
#define TIMEOUT_S 30

/* The highest value that it takes: a year. */
#define TIMEOUT_MAX_S 31536000

/* Takes the value of NVA_Global:options:probe_timeout, or null. */
void
nva_probe_configure(struct nva *nva, const char *timeout)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);
    int s = TIMEOUT_S;

    if (timeout && (!str_to_int(timeout, 10, &s) || s < 0
                    || s > TIMEOUT_MAX_S)) {
        VLOG_WARN_RL(&rl, "NVA_Global options:probe_timeout: \"%s\" is not a "
                     "number of seconds from 0 to %d; using %d", timeout,
                     TIMEOUT_MAX_S, TIMEOUT_S);
        s = TIMEOUT_S;
    }
    prober_set_timeout(nva->prober, s * 1000LL);
}

/* Returns true if what the VM of 'move' says at its new place would count now
 * and nobody has heard it there. */
static bool
is_awaited(const struct move *move)
{
    return (move->migration.phase == MIGRATION_HELD
            || (move->migration.phase == MIGRATION_PREPARED
                && move->trigger == MOVE_ON_ANNOUNCE && !move->heard));
}

/* 'move', of 'mig', has come to another phase. */
void
nva_probe_update(struct mig *mig, const struct move *move)
{
    struct nva *nva = mig->nva;

    if (is_awaited(move) && !mig->probe) {
        mig->probe = prober_add(nva->prober, move->port, move->old_nve,
                                move->new_nve, mig, clock_msec());
    } else if (!is_awaited(move) && mig->probe) {
        bool was_silent = prober_is_silent(mig->probe);

        mig->n_probes += prober_count(mig->probe);
        prober_remove(nva->prober, mig->probe);
        mig->probe = NULL;
        if (was_silent) {
            nva_write_port(nva, move->port);
        }
    }
}

/* What came with 'cookie' from 'nve' was an answer of the VM. */
void
nva_probe_answered(struct nva *nva, struct nve *nve, uint64_t cookie)
{
    struct mig *mig = nva_mig_find(nva, cookie_id(cookie));

    if (!mig || !mig->probe || cookie_kind(cookie) != COOKIE_PROBE) {
        return;
    }
    prober_answered(nva->prober, mig->probe, nve, clock_msec());
    if (nve == mig->move->new_nve) {
        /* The data path has heard it, too, unless that was lost. */
        move_heard(mig->move, "probe", clock_msec(), clock_wall_usec());
    }
}

/* Returns how many requests have been sent for 'mig'. */
unsigned int
nva_probe_count(const struct mig *mig)
{
    return mig->n_probes + (mig->probe ? prober_count(mig->probe) : 0);
}

/* Returns what is to be reported about 'port', for the caller to free, or
 * null. */
char *
nva_probe_get_error(const struct port *port)
{
    const struct mig *mig = port->move ? port->move->aux : NULL;
    char *since, *error;
    long long int ms;

    if (!mig || !mig->probe || !prober_is_silent(mig->probe)
        || port->closed) {
        return NULL;            /* A VM that was stopped for a cold move may
                                 * be silent. */
    }
    ms = (clock_wall_usec() / 1000
          - (clock_msec() - prober_get_heard(mig->probe)));
    since = xastrftime_msec("%Y-%m-%dT%H:%M:%SZ", ms, true);
    error = xasprintf("%s answers neither at %s nor at %s since %s",
                      port->name, port->move->old_nve->name,
                      port->move->new_nve->name, since);
    free(since);
    return error;
}

static bool
probe_send(struct nve *at, struct ofpbuf *msg, void *nva OVS_UNUSED)
{
    struct session *s = at->session;

    if (!s->up || !s->of_peer || !s->of_peer->ofconn) {
        ofpbuf_delete(msg);
        return false;
    }
    ofconn_send(s->of_peer->ofconn, msg);
    return true;
}

static void
probe_changed(void *mig_, void *nva_)
{
    struct nva *nva = nva_;
    struct mig *mig = mig_;
    const struct port *port = mig->move->port;
    char *error = nva_probe_get_error(port);

    if (port->closed) {
        return;
    }
    if (error) {
        VLOG_WARN("%s; its move waits until it is heard at %s", error,
                  mig->new_nve);
        free(error);
    } else {
        VLOG_INFO("%s answers again", port->name);
    }
    nva_write_port(nva, port);
    nva_mig_dirty(mig);
}

const struct prober_class nva_prober_class = {
    .send = probe_send,
    .changed = probe_changed,
};
