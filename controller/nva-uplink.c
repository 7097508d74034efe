/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <stdlib.h>

#include "clock.h"
#include "cookie.h"
#include "flow.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(nva_uplink);

#define VLAN_MAX 4094

/* Uplinks. */

/* Adds what 'word', VN:VLAN, says about 'iface'.  Returns what is wrong with
 * it, for the caller to free, or null. */
static char *
add_uplink(struct session *s, const struct hvdb_interface *iface,
           const char *word)
{
    const char *colon = strrchr(word, ':');
    struct uplink *other;
    char *vn, *error = NULL;
    int vlan;

    if (!colon || colon == word || !str_to_int(colon + 1, 10, &vlan)
        || vlan < 0 || vlan > VLAN_MAX) {
        return xasprintf("\"%s\" is not VN:VLAN with a VLAN from 1 to %d, or "
                         "0 for untagged frames", word, VLAN_MAX);
    }
    vn = xmemdup0(word, colon - word);
    LIST_FOR_EACH (other, nve_node, &s->nve->uplinks) {
        if (!strcmp(other->vn_name, vn)) {
            /* Two ways into one network would make a loop. */
            error = xasprintf("%s has an uplink already, %s", vn,
                              other->ifname);
        } else if (!strcmp(other->ifname, iface->name)
                   && other->vlan == vlan) {
            error = xasprintf("VLAN %d is that of %s already", vlan,
                              other->vn_name);
        }
        if (error) {
            break;
        }
    }
    if (!error) {
        topology_add_uplink(s->nve, vn, iface->name,
                            u16_to_ofp(iface->ofport), vlan,
                            iface->uplink_down);
    }
    free(vn);
    return error;
}

/* Adds the uplinks that 'iface' is.  Returns true if all is well. */
static bool
add_uplinks(struct session *s, const struct hvdb_interface *iface)
{
    char *copy = xstrdup(iface->uplink);
    char *save_ptr = NULL;
    bool ok = true;

    for (char *word = strtok_r(copy, ", ", &save_ptr); word;
         word = strtok_r(NULL, ", ", &save_ptr)) {
        char *error = (iface->iface_id
                       ? xstrdup("it has an iface-id and so is a VM's")
                       : add_uplink(s, iface, word));

        if (error) {
            char *msg = xasprintf("interface %s, external_ids:nva-uplink: %s",
                                  iface->name, error);

            nva_session_set_error(s, msg);
            free(msg);
            free(error);
            ok = false;
        }
    }
    free(copy);
    return ok;
}

static bool
is_uplink(const struct hvdb_interface *iface)
{
    return (iface && iface->uplink && iface->ofport > 0
            && iface->ofport < ofp_to_u16(OFPP_MAX));
}

/* An interface of the bridge of 's' appeared, changed or vanished. */
void
nva_uplink_changed(struct session *s, const struct hvdb_interface *old,
                   const struct hvdb_interface *new)
{
    if (is_uplink(old) || is_uplink(new)) {
        s->uplinks_dirty = true;
        nva_session_wants_run(s);
    }
}

static int
compare_interfaces(const void *a_, const void *b_)
{
    const struct hvdb_interface *const *a = a_;
    const struct hvdb_interface *const *b = b_;

    return strcmp((*a)->name, (*b)->name);
}

/* Takes stock of the uplinks of 's', in the order of their names, if they have
 * changed. */
void
nva_uplinks_run(struct session *s)
{
    const struct hvdb_interface **ifaces, *iface;
    const struct hmap *all;
    bool ok = true;
    size_t n = 0;

    if (!s->uplinks_dirty || !s->db_peer) {
        return;
    }
    s->uplinks_dirty = false;
    topology_clear_uplinks(s->nve);
    all = hvdb_get_interfaces(s->db_peer->hvdb);
    ifaces = xmalloc(MAX(1, hmap_count(all)) * sizeof *ifaces);
    HMAP_FOR_EACH (iface, name_node, all) {
        if (is_uplink(iface)) {
            ifaces[n++] = iface;
        }
    }
    qsort(ifaces, n, sizeof *ifaces, compare_interfaces);
    for (size_t i = 0; i < n; i++) {
        ok = add_uplinks(s, ifaces[i]) && ok;
    }
    free(ifaces);
    if (ok && s->uplinks_wrong) {
        nva_session_set_error(s, NULL);
    }
    s->uplinks_wrong = !ok;
    wiring_uplinks_changed(s->nve);
    nva_takeover_wants_run(s);
}

/* Announcements. */

/* 'mig' need not be announced any more. */
void
nva_announce_stop(struct mig *mig)
{
    if (mig->announcement) {
        mig->n_announced = announcer_count(mig->announcement);
        announcer_stop(mig->nva->announcer, mig->announcement);
        mig->announcement = NULL;
        nva_mig_dirty(mig);
    }
    if (mig->move) {
        mig->move->announcing = false;
    }
}

/* 'move', of 'mig', has come to another phase. */
void
nva_announce_update(struct mig *mig, struct move *move)
{
    struct nva *nva = mig->nva;
    const struct vn *vn = move->port->vn;

    /* Not while it is held: the VM may still speak at its old place, and that
     * is where the network would then send again. */
    if (!mig->announced && (move->migration.phase == MIGRATION_CUTOVER_REST
                            || move->migration.phase == MIGRATION_DRAINING)) {
        mig->announced = true;
        if (vn->announce_count && topology_find_uplink(move->new_nve, vn)) {
            mig->announcement = announcer_start(nva->announcer, move->port,
                                                move->new_nve,
                                                vn->announce_count, mig,
                                                clock_msec());
            move->announcing = true;
        }
    }
}

/* What came with 'cookie' shows that the physical network sends to the VM at
 * 'nve'. */
void
nva_announce_seen(struct nva *nva, struct nve *nve, uint64_t cookie)
{
    struct mig *mig = nva_mig_find(nva, cookie_id(cookie));

    if (mig && mig->announcement && cookie_kind(cookie) == COOKIE_PROBE
        && mig->move && nve == mig->move->new_nve
        && announcer_count(mig->announcement)) {
        VLOG_DBG("%s: announcement has taken effect", mig->port);
        mig->announcement_seen = true;
        nva_announce_stop(mig);
    }
}

/* Returns how often 'mig' has been announced. */
unsigned int
nva_announce_count(const struct mig *mig)
{
    return (mig->announcement ? announcer_count(mig->announcement)
            : mig->n_announced);
}

void
nva_announce_send(struct nve *at, struct ofpbuf *msg, void *nva OVS_UNUSED)
{
    struct session *s = at->session;

    if (s->of_peer && s->of_peer->ofconn) {
        ofconn_send(s->of_peer->ofconn, msg);
    } else {
        ofpbuf_delete(msg);
    }
}

static void
announce_finished(void *mig, void *nva OVS_UNUSED)
{
    nva_announce_stop(mig);
}

const struct announcer_class nva_announcer_class = {
    .send = nva_announce_send,
    .finished = announce_finished,
};
