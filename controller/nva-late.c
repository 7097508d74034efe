/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cookie.h"
#include "coverage.h"
#include "flow-tables.h"
#include "icmp-error.h"
#include "migration.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "packet-out.h"
#include "packets.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(nva_late);

COVERAGE_DEFINE(nva_late_answered);
COVERAGE_DEFINE(nva_late_unanswered);

/* What becomes of packets that come to the old NVE of a move after the
 * redirect has ended, and to the closed place of a VM that is stopped (V5).
 *
 * An old NVE has the policy of the VN for a port that has left it for
 * options:late_time of the VN, from the end of the move on, whether it is
 * still in the VN or not; shorter only if the port comes back.  This follows
 * from the row of the move, so that it is the same after a restart. */

static void
remove_late(struct late *late)
{
    struct nve *nve = late->nve;

    ofsync_set(nve->ofsync, cookie_make(COOKIE_LATE, late->port->id), NULL);
    ovs_list_remove(&late->port_node);
    ovs_list_remove(&late->node);
    free(late);
}

/* Makes 'nve' a place where packets for 'port' are late, until 'until'. */
static void
add_late(struct nva *nva, struct port *port, struct nve *nve,
         long long int until)
{
    struct late *late = topology_find_late(port, nve);
    struct ovs_list *next = &nva->lates;

    if (late) {
        remove_late(late);
    }
    late = xmalloc(sizeof *late);
    late->port = port;
    late->nve = nve;
    late->until = until;
    ovs_list_push_back(&port->lates, &late->port_node);

    /* Nearly always the last. */
    while (next->prev != &nva->lates
           && CONTAINER_OF(next->prev, struct late, node)->until > until) {
        next = next->prev;
    }
    ovs_list_insert(next, &late->node);
    wiring_late_changed(late);
}

/* 'port' has left 'nve' with a move that ended at 'ended', in µs since the
 * epoch. */
void
nva_late_left(struct nva *nva, struct port *port, struct nve *nve,
              long long int ended)
{
    long long int left_ms = (port->vn->late_time * 1000LL
                             - (clock_wall_usec() - ended) / 1000);

    if (port->place.nve != nve && left_ms > 0) {
        add_late(nva, port, nve, clock_msec() + left_ms);
    }
}

/* A migration that ended before this controller was started. */
void
nva_late_row(struct nva *nva, const struct db_migration *row)
{
    enum migration_phase phase;
    struct port *port;
    struct nve *nve;

    if (!migration_phase_from_string(row->phase, &phase)
        || phase != MIGRATION_DONE
        || nva_mig_find(nva, cookie_id_from_uuid(&row->uuid))) {
        return;
    }
    port = topology_find_port(&nva->topology, row->port);
    nve = topology_find_nve(&nva->topology, row->old_nve);
    if (port && nve && !topology_find_late(port, nve)) {
        nva_late_left(nva, port, nve, row->last_time);
    }
}

/* The place of 'port', whether it is closed, or its VN's policy changed. */
void
nva_late_port_changed(struct nva *nva, struct port *port)
{
    struct late *late;

    LIST_FOR_EACH_SAFE (late, port_node, &port->lates) {
        bool is_closed = port->closed && late->nve == port->place.nve;

        if (is_closed != (late->until == LLONG_MAX)
            || (late->nve == port->place.nve && !is_closed)) {
            remove_late(late);
        } else {
            wiring_late_changed(late);
        }
    }
    if (port->closed && port->place.nve
        && !topology_find_late(port, port->place.nve)) {
        add_late(nva, port, port->place.nve, LLONG_MAX);
    }
}

void
nva_late_vn_changed(struct nva *nva, struct vn *vn)
{
    struct port *port;

    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        nva_late_port_changed(nva, port);
    }
}

void
nva_late_port_gone(struct port *port)
{
    struct late *late;

    LIST_FOR_EACH_SAFE (late, port_node, &port->lates) {
        remove_late(late);
    }
}

void
nva_late_nve_gone(struct nva *nva, const struct nve *nve)
{
    struct late *late;

    LIST_FOR_EACH_SAFE (late, node, &nva->lates) {
        if (late->nve == nve) {
            remove_late(late);
        }
    }
}

void
nva_late_run(struct nva *nva, long long int now)
{
    while (now >= nva_late_deadline(nva)) {
        remove_late(CONTAINER_OF(ovs_list_front(&nva->lates), struct late,
                                 node));
    }
}

long long int
nva_late_deadline(const struct nva *nva)
{
    return (ovs_list_is_empty(&nva->lates) ? LLONG_MAX
            : CONTAINER_OF(ovs_list_front(&nva->lates), struct late,
                           node)->until);
}

/* Answers. */

/* Returns the NVE of 'vn' that has address 'ip', or null. */
static const struct nve *
find_member(const struct vn *vn, const struct in6_addr *ip)
{
    const struct member *m;

    HMAP_FOR_EACH (m, vn_node, &vn->members) {
        for (size_t i = 0; i < m->nve->n_ips; i++) {
            if (ipv6_addr_equals(&m->nve->ips[i], ip)) {
                return m->nve;
            }
        }
    }
    return NULL;
}

/* Appends the actions that send a frame in 'vn' through the tunnel from 's' to
 * address 'ip' of 'to'.  Returns false if there is none. */
static bool
put_tunnel(const struct session *s, const struct vn *vn, const struct nve *to,
           const struct in6_addr *ip, struct ds *actions)
{
    ofp_port_t ofport = (!to ? 0
                         : to->encap == ENCAP_GENEVE ? s->nve->geneve_ofport
                         : s->nve->vxlan_ofport);

    ds_put_cstr(actions, "set_field:");
    ipv6_format_mapped(ip, actions);
    ds_put_format(actions, "->%s,set_field:%"PRIu32"->tun_id,"
                  "output:%"PRIu32,
                  topology_is_ipv4(ip) ? "tun_dst" : "tun_ipv6_dst",
                  vn->vni, ofport);
    return ofport != 0;
}

/* The same for 'frame', which answers a packet that came by a locator: neither
 * the NVE nor the MAC address of its sender was in it.  Walks the ports of the
 * VN, as often as the meter lets. */
static bool
put_way_to_sender(const struct session *s, const struct vn *vn,
                  const struct ofpbuf *frame, struct ds *actions)
{
    const struct ovs_16aligned_ip6_hdr *ip6
        = ofpbuf_at_assert(frame, ETH_HEADER_LEN, sizeof *ip6);
    struct in6_addr dst;
    struct port *port;

    memcpy(&dst, &ip6->ip6_dst, sizeof dst);
    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        for (size_t i = 0; i < port->n_ips; i++) {
            if (ipv6_addr_equals(&port->ips[i], &dst)) {
                const struct nve *to = port->place.nve;
                int ip = (to && to != s->nve
                          ? topology_tunnel_address(s->nve, to) : -1);

                ds_put_format(actions, "set_field:"ETH_ADDR_FMT"->eth_dst,",
                              ETH_ADDR_ARGS(port->mac));
                return (ip >= 0
                        && put_tunnel(s, vn, to, &to->ips[ip], actions));
            }
        }
    }
    return false;
}

/* Appends the actions that bring 'frame' in 'vn' back to where 'pin' came
 * from: the NVE behind the tunnel, or a port of 's' itself.  Returns false if
 * there is no way. */
static bool
put_way_back(const struct session *s, const struct vn *vn,
             const struct ofputil_packet_in *pin, const struct ofpbuf *frame,
             struct ds *actions)
{
    const struct flow *flow = &pin->flow_metadata.flow;
    struct in6_addr src = flow_tnl_src(&flow->tunnel);

    if (ipv6_addr_is_set(&src)) {
        return put_tunnel(s, vn, find_member(vn, &src), &src, actions);
    } else if (flow->in_port.ofp_port == OFPP_NONE) {
        return put_way_to_sender(s, vn, frame, actions);
    }
    ds_put_format(actions, "output:%"PRIu32, flow->in_port.ofp_port);
    return true;
}

void
nva_late_packet_in(struct session *s, const struct ofputil_packet_in *pin)
{
    uint64_t cookie = ntohll(pin->cookie);
    const struct icmp_error e = {
        .cause = ICMP_ERROR_HOST,
        .mac = flow_nva_mac(),
    };
    struct ds actions = DS_EMPTY_INITIALIZER;
    const struct port *port;
    struct ofpbuf frame;
    const char *error;

    port = (cookie_kind(cookie) == COOKIE_LATE
            ? topology_find_port_by_id(&s->nva->topology, cookie_id(cookie))
            : NULL);
    if (!port || port->vn->late != VN_LATE_ICMP_UNREACHABLE) {
        return;
    }
    ofpbuf_init(&frame, ICMP_ERROR_MAX_FRAME);
    error = icmp_error_put(&frame, pin->packet, pin->packet_len, &e);
    if (!error && !put_way_back(s, port->vn, pin, &frame, &actions)) {
        error = "its sender's NVE is not in the virtual network";
    }
    if (error) {
        COVERAGE_INC(nva_late_unanswered);
        VLOG_DBG("%s: late packet for %s not answered: %s", s->nve->name,
                 port->name, error);
    } else {
        COVERAGE_INC(nva_late_answered);
        ofconn_send(s->of_peer->ofconn,
                    packet_out_encode(frame.data, frame.size,
                                      OFPP_CONTROLLER, ds_cstr(&actions)));
    }
    ofpbuf_uninit(&frame);
    ds_destroy(&actions);
}
