/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <limits.h>
#include <stdlib.h>

#include "clock.h"
#include "openvswitch/vlog.h"
#include "svec.h"
#include "util.h"
#include "watch.h"

VLOG_DEFINE_THIS_MODULE(nva_watch);

/* NVEs with gateways that watch each other by BFD (RFC 5880), and fail. */

/* Bounds and default of NVA_Global:options:bfd_interval, in ms. */
#define INTERVAL_MIN 50
#define INTERVAL_MAX 60000
#define INTERVAL_DEFAULT 500

/* The interval at which NVEs ask each other for messages, of the one that is
 * configured: others must have taken over three of those after an NVE falls
 * silent (V10).  BFD alone takes three of its own if the last message had just
 * come; what is left is for the controller to hear of it and to act. */
#define SESSION_INTERVAL(CONFIGURED) ((CONFIGURED) * 3 / 4)

/* The same of bfd_hold, in s. */
#define HOLD_MAX 86400
#define HOLD_DEFAULT 10

/* How often to look at an NVE that is heard again, but whose flows are not
 * known to be in place. */
#define RETRY_MS 1000

void
nva_watch_configure(struct nva *nva, const struct smap *options)
{
    int interval = nva_option_number(options, "bfd_interval", INTERVAL_MIN,
                                     INTERVAL_MAX, INTERVAL_DEFAULT);
    struct nve *nve;

    nva->bfd_hold_ms = 1000LL * nva_option_number(options, "bfd_hold", 1,
                                                  HOLD_MAX, HOLD_DEFAULT);
    if (interval != nva->bfd_interval) {
        nva->bfd_interval = interval;
        nva->watch_dirty = true;
        HMAP_FOR_EACH (nve, name_node, &nva->topology.nves) {
            nva_watch_changed(nve);
        }
    }
}

/* Sessions of BFD. */

/* What the database of the hypervisor of 'nve' shall hold is out of date. */
void
nva_watch_changed(struct nve *nve)
{
    struct session *s = nve->session;

    if (s && !s->watches_dirty) {
        s->watches_dirty = true;
        s->nva->watch_dirty = true;
        ovs_list_push_back(&s->nva->watchers, &s->watch_node);
    }
}

static void
on_changed(struct nve *nve, void *nva OVS_UNUSED)
{
    nva_watch_changed(nve);
}

/* Stores the addresses to which 'a' and 'b' send to each other.  Returns false
 * if they have none of the same family. */
static bool
find_addresses(const struct nve *a, const struct nve *b,
               const struct in6_addr **to_b)
{
    const struct nve *first = a->id < b->id ? a : b;
    const struct nve *second = first == a ? b : a;
    int i = topology_tunnel_address(first, second);

    for (size_t j = 0; i >= 0 && j < b->n_ips; j++) {
        if (topology_is_ipv4(&b->ips[j])
            == topology_is_ipv4(&second->ips[i])) {
            *to_b = &b->ips[j];
            return true;
        }
    }
    return false;
}

/* Stores into 'wanted' the ports by which the NVE of 's' watches others.  The
 * caller must free() what nva_watch_free() does. */
void
nva_watch_get(const struct session *s, struct hvdb_wanted *wanted)
{
    size_t n = ovs_list_size(&s->nve->watches);
    struct hvdb_bfd *bfd = xcalloc(MAX(1, n), sizeof *bfd);
    const struct watch_end *end;

    wanted->bfd = bfd;
    wanted->bfd_interval = SESSION_INTERVAL(s->nva->bfd_interval);
    LIST_FOR_EACH (end, nve_node, &s->nve->watches) {
        struct hvdb_bfd *b = &bfd[wanted->n_bfd];
        char ip[INET6_ADDRSTRLEN];
        const struct in6_addr *to;

        if (find_addresses(s->nve, end->other, &to)) {
            bool vxlan = (s->nve->encap == ENCAP_VXLAN
                          && end->other->encap == ENCAP_VXLAN);

            ipv6_string_mapped(ip, to);
            b->name = xasprintf("nva-bfd-%07"PRIx64,
                                end->other->id & 0xfffffff);
            b->type = vxlan ? "vxlan" : "geneve";
            b->remote_ip = xstrdup(ip);
            b->nve = end->other->name;
            wanted->n_bfd++;
        }
    }
}

void
nva_watch_free(struct hvdb_wanted *wanted)
{
    struct hvdb_bfd *bfd = CONST_CAST(struct hvdb_bfd *, wanted->bfd);

    for (size_t i = 0; i < wanted->n_bfd; i++) {
        free(CONST_CAST(char *, bfd[i].name));
        free(CONST_CAST(char *, bfd[i].remote_ip));
    }
    free(bfd);
}

/* Failure. */

static bool
is_credible(const struct nve *nve)
{
    return nva_session_is_connected(nve->session);
}

static void
set_failed(struct session *s, bool failed)
{
    if (failed == s->nve->failed) {
        return;
    }
    s->nve->failed = failed;
    if (failed) {
        s->heard_since = LLONG_MAX;
        ovs_list_push_back(&s->nva->failed, &s->failed_node);
    } else {
        ovs_list_remove(&s->failed_node);
    }
    nva_takeover_wants_run(s);
}

/* Returns who does not hear 'nve', for the caller to free. */
char *
nva_watch_get_error(const struct nve *nve)
{
    struct svec names = SVEC_EMPTY_INITIALIZER;
    const struct watch_end *end;
    char *error, *list;

    LIST_FOR_EACH (end, nve_node, &nve->watches) {
        if (end->reverse->report == WATCH_DOWN) {
            svec_add(&names, end->other->name);
        }
    }
    svec_sort(&names);
    list = svec_join(&names, ", ", "");
    error = xasprintf("NVE %s is not heard%s%s", nve->name,
                      names.n ? " by " : "", list);
    free(list);
    svec_destroy(&names);
    return error;
}

/* Thinks anew of 'nve'. */
static void
judge(struct nve *nve)
{
    struct session *s = nve->session;
    enum watch_verdict verdict = watch_judge(nve, is_credible);

    if (verdict == WATCH_FAILED && !nve->failed) {
        char *error = nva_watch_get_error(nve);

        VLOG_WARN("%s; its gateways have failed", error);
        free(error);
        set_failed(s, true);
    }
    if (verdict != WATCH_ALIVE) {
        s->heard_since = LLONG_MAX;
    } else if (s->heard_since == LLONG_MAX) {
        s->heard_since = clock_msec();
    }
    if (nve->failed && ovs_list_is_empty(&nve->watches)) {
        set_failed(s, false);   /* Nobody is asked any more. */
    }
}

/* What the NVE of 's' reports counts for more, or for less, than before; or it
 * is judged by other reports itself. */
void
nva_watch_judge(struct session *s)
{
    struct watch_end *end;

    judge(s->nve);
    LIST_FOR_EACH (end, nve_node, &s->nve->watches) {
        judge(end->other);
    }
}

/* So it was before a restart. */
void
nva_watch_remember(struct session *s)
{
    set_failed(s, true);
}

/* An interface of the hypervisor of 's' has changed as in 'struct
 * hvdb_class'. */
void
nva_watch_interface(struct session *s, const struct hvdb_interface *old,
                    const struct hvdb_interface *new)
{
    const struct hvdb_interface *iface = new ? new : old;
    const struct nve *other;
    struct watch_end *end;

    if (!iface->watch) {
        return;
    }
    other = topology_find_nve(&s->nva->topology, iface->watch);
    end = other ? watch_find(s->nve, other) : NULL;
    if (end) {
        end->report = (!new || new->bfd == HVDB_BFD_UNKNOWN ? WATCH_UNKNOWN
                       : new->bfd == HVDB_BFD_UP ? WATCH_UP : WATCH_DOWN);
        VLOG_DBG("%s: %s is %s", s->nve->name, other->name,
                 end->report == WATCH_UP ? "heard"
                 : end->report == WATCH_DOWN ? "not heard any more"
                 : "awaited");
        nva_watch_judge(s);
    }
}

/* Running. */

/* The gateways at the NVE of 's' serve again if they are given something: when
 * it has been heard for long enough, and its flows are in place. */
static void
try_recover(struct session *s, long long int now)
{
    if (s->heard_since < LLONG_MAX && now >= s->heard_since
                                             + s->nva->bfd_hold_ms) {
        if (s->up && ofsync_is_confirmed(s->nve->ofsync)) {
            VLOG_INFO("%s is heard again", s->nve->name);
            set_failed(s, false);
        } else {
            s->heard_since = now - s->nva->bfd_hold_ms + RETRY_MS;
        }
    }
}

void
nva_watch_run(struct nva *nva, long long int now)
{
    struct session *s;

    if (nva->watch_dirty) {
        nva->watch_dirty = false;
        nva->n_unwitnessed = watch_plan(&nva->topology, nva->bfd_interval,
                                        on_changed, nva);
        LIST_FOR_EACH_POP (s, watch_node, &nva->watchers) {
            s->watches_dirty = false;
            if (s->db_peer) {
                nva_hypervisor_want(s);
            }
            nva_watch_judge(s);
        }
        nva->watch_dirty = false;
    }
    LIST_FOR_EACH_SAFE (s, failed_node, &nva->failed) {
        try_recover(s, now);
    }
}

long long int
nva_watch_deadline(const struct nva *nva)
{
    long long int deadline = nva->watch_dirty ? 0 : LLONG_MAX;
    const struct session *s;

    LIST_FOR_EACH (s, failed_node, &nva->failed) {
        if (s->heard_since < LLONG_MAX) {
            deadline = MIN(deadline, s->heard_since + nva->bfd_hold_ms);
        }
    }
    return deadline;
}

/* 'm' is new, and so may be a witness. */
void
nva_watch_member(struct nva *nva, const struct member *m)
{
    if (nva->n_unwitnessed && watch_lacks_witness(m->vn)) {
        nva->watch_dirty = true;
    }
}

/* The session 's' is about to vanish. */
void
nva_watch_gone(struct session *s)
{
    set_failed(s, false);
    watch_nve_gone(s->nve, on_changed, s->nva);
    if (s->watches_dirty) {
        ovs_list_remove(&s->watch_node);
    }
}
