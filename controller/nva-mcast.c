/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <limits.h>
#include <stdlib.h>

#include "clock.h"
#include "cookie.h"
#include "coverage.h"
#include "flow.h"
#include "igmp.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "packet-out.h"
#include "pipeline.h"
#include "svec.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(nva_mcast);

COVERAGE_DEFINE(nva_mcast_query);
COVERAGE_DEFINE(nva_mcast_rubbish);

/* How many ports are asked in one turn at most. */
#define QUERIES_MAX 50

/* Within how many seconds they are to answer: one of which something is not
 * known, and, so that not all answer at once, one of many. */
#define ANSWER_SOON 1
#define ANSWER_SLOWLY 10

static void
group_changed(struct mcast_group *g, void *nva_)
{
    struct nva *nva = nva_;

    wiring_group_changed(&nva->topology, g);
}

void
nva_mcast_create(struct nva *nva)
{
    nva->mcast = mcast_create(group_changed, nva);
    ovs_list_init(&nva->queries);
    nva->query_at = clock_msec() + MCAST_QUERY_MS;
}

/* Packets. */

/* Has 'nve' do 'actions' with a frame, as if it had come from 'in_port'. */
static void
send_frame(struct nve *nve, ofp_port_t in_port, const void *frame,
           size_t size, const char *actions)
{
    const struct session *s = nve->session;

    if (s->of_peer && s->of_peer->ofconn) {
        ofconn_send(s->of_peer->ofconn,
                    packet_out_encode(frame, size, in_port, actions));
    }
}

/* Sends a frame to 'port', where it is. */
static void
send_to_port(struct nva *nva, const struct port *port, const void *frame,
             size_t size)
{
    struct nve *nve = port->place.nve;
    struct attachment *a;

    a = nve ? topology_find_attachment(&nva->topology, port->name, nve) : NULL;
    if (a) {
        char *actions = xasprintf("output:%"PRIu32, a->ofport);

        send_frame(nve, OFPP_CONTROLLER, frame, size, actions);
        free(actions);
    }
}

/* Returns the port whose interface at 'nve' is 'ofport', or null. */
static struct port *
find_sender(const struct nva *nva, const struct nve *nve,
            const struct vn *vn, ofp_port_t ofport)
{
    const struct member *m = topology_find_member(nve, vn);
    const struct presence *p;

    if (m) {
        HMAP_FOR_EACH (p, node, &m->ports) {
            const struct attachment *a;

            a = topology_find_attachment(&nva->topology, p->port->name, nve);
            if (a && a->ofport == ofport) {
                return p->port;
            }
        }
    }
    return NULL;
}

/* Sends the report of 'port' on to those who route multicast, for they alone
 * may hear it, see pipeline-flood.c. */
static void
tell_routers(struct nva *nva, const struct port *port, const void *frame,
             size_t size)
{
    const struct mcast_group *g = mcast_every_group(port->vn);
    const struct mcast_member *member;

    if (g) {
        LIST_FOR_EACH (member, group_node, &g->members) {
            if (member->is_router && member->port != port) {
                send_to_port(nva, member->port, frame, size);
            }
        }
    }
}

void
nva_mcast_packet_in(struct nva *nva, struct nve *nve,
                    const struct ofputil_packet_in *pin)
{
    const struct vn *vn = topology_find_vn_by_id(
        &nva->topology, cookie_id(ntohll(pin->cookie)));
    ofp_port_t in_port = pin->flow_metadata.flow.in_port.ofp_port;
    struct port *port = vn ? find_sender(nva, nve, vn, in_port) : NULL;
    struct igmp_message msg;
    const char *error;

    if (!port || !vn->snoop) {
        return;
    }
    error = igmp_parse(pin->packet, pin->packet_len, &msg);
    if (error) {
        COVERAGE_INC(nva_mcast_rubbish);
        VLOG_DBG("%s: %s", port->name, error);
        return;
    }
    if (mcast_receive(nva->mcast, port, &msg, clock_msec())) {
        nva_mcast_query(nva, port, true);
    }
    if (msg.type == IGMP_REPORT) {
        tell_routers(nva, port, pin->packet, pin->packet_len);
    } else if (msg.type == IGMP_QUERY && topology_is_ipv4(&msg.dst)
               && igmp_is_tracked(&msg.dst)) {
        struct ds actions = DS_EMPTY_INITIALIZER;

        pipeline_put_flood(&actions, vn);
        send_frame(nve, in_port, pin->packet, pin->packet_len,
                   ds_cstr(&actions));
        ds_destroy(&actions);
    }
}

/* Queries. */

/* Asks 'port' of which groups it is a member, in this turn or a later one. */
void
nva_mcast_query(struct nva *nva, struct port *port, bool soon)
{
    if (port->vn->snoop) {
        if (ovs_list_is_empty(&port->query_node)) {
            ovs_list_push_back(&nva->queries, &port->query_node);
            port->query_soon = soon;
        }
        port->query_soon |= soon;
    }
}

/* The same for all ports that are at 'nve'. */
void
nva_mcast_query_nve(struct nva *nva, struct nve *nve)
{
    struct presence *p;
    struct member *m;

    HMAP_FOR_EACH (m, nve_node, &nve->members) {
        HMAP_FOR_EACH (p, node, &m->ports) {
            if (p->port->place.nve == nve) {
                nva_mcast_query(nva, p->port, true);
            }
        }
    }
}

static void
dequeue(struct port *port)
{
    ovs_list_remove(&port->query_node);
    ovs_list_init(&port->query_node);
}

static void
send_query(struct nva *nva, const struct port *port)
{
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        struct ofpbuf frame;

        ofpbuf_init(&frame, 128);
        igmp_put_query(&frame, ipv6, (port->query_soon ? ANSWER_SOON
                                      : ANSWER_SLOWLY));
        send_to_port(nva, port, frame.data, frame.size);
        ofpbuf_uninit(&frame);
    }
    COVERAGE_INC(nva_mcast_query);
}

/* Members are asked again before what they said expires. */
static void
query_all(struct nva *nva)
{
    struct port *port;
    struct vn *vn;

    HMAP_FOR_EACH (vn, name_node, &nva->topology.vns) {
        if (!hmap_is_empty(&vn->groups)) {
            HMAP_FOR_EACH (port, vn_node, &vn->ports) {
                nva_mcast_query(nva, port, false);
            }
        }
    }
}

/* The options of 'vn' may have changed. */
void
nva_mcast_vn_changed(struct nva *nva, struct vn *vn)
{
    struct port *port;

    if (!vn->snoop) {
        mcast_forget_vn(nva->mcast, vn);
    } else {
        HMAP_FOR_EACH (port, vn_node, &vn->ports) {
            nva_mcast_query(nva, port, true);
        }
    }
}

void
nva_mcast_port_gone(struct nva *nva, struct port *port)
{
    dequeue(port);
    mcast_forget_port(nva->mcast, port);
}

/* To be called after flows have been sent, so that answers are heard. */
void
nva_mcast_run(struct nva *nva, long long int now)
{
    mcast_run(nva->mcast, now);
    if (now >= nva->query_at) {
        nva->query_at = now + MCAST_QUERY_MS;
        query_all(nva);
    }
    for (int i = 0; i < QUERIES_MAX && !ovs_list_is_empty(&nva->queries);
         i++) {
        struct port *port = CONTAINER_OF(ovs_list_front(&nva->queries),
                                         struct port, query_node);

        dequeue(port);
        send_query(nva, port);
    }
}

long long int
nva_mcast_deadline(const struct nva *nva)
{
    return (ovs_list_is_empty(&nva->queries)
            ? MIN(nva->query_at, mcast_deadline(nva->mcast)) : 0);
}

/* Questions. */

/* Appends the members of 'g', in a line of their own each, to 'lines'. */
static void
format_members(const struct mcast_group *g, struct svec *lines,
               long long int now)
{
    const struct mcast_member *member;

    LIST_FOR_EACH (member, group_node, &g->members) {
        const struct nve *nve = member->port->place.nve;
        struct ds s = DS_EMPTY_INITIALIZER;

        ds_put_format(&s, "%s ", g->vn->name);
        mcast_format_group(g, &s);
        ds_put_format(&s, ": %s at %s, %s %lld s%s", member->port->name,
                      nve ? nve->name : "no NVE",
                      member->leaving ? "leaving," : "for",
                      MAX(0, member->expires - now) / 1000,
                      member->is_router ? ", router" : "");
        svec_add_nocopy(lines, ds_steal_cstr(&s));
    }
}

/* Appends the members of the groups of 'vn'. */
void
nva_mcast_format(const struct vn *vn, struct ds *s, long long int now)
{
    struct svec lines = SVEC_EMPTY_INITIALIZER;
    const struct mcast_group *g;
    const char *line;
    size_t i;

    HMAP_FOR_EACH (g, node, &vn->groups) {
        format_members(g, &lines, now);
    }
    svec_sort(&lines);
    SVEC_FOR_EACH (i, line, &lines) {
        ds_put_format(s, "%s\n", line);
    }
    svec_destroy(&lines);
}
