/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "trace.h"

#include <stdarg.h>
#include <stdlib.h>

#include "cookie.h"
#include "flow.h"
#include "flow-list.h"
#include "flow-tables.h"
#include "gateway.h"
#include "ila.h"
#include "learn.h"
#include "mcast.h"
#include "move.h"
#include "nx-match.h"
#include "ofsync.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-table.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "svec.h"
#include "topology.h"
#include "util.h"

/* How many tunnels a packet may go through.  The pipeline needs two: peer to
 * old NVE, old NVE to new NVE. */
#define MAX_HOPS 4

/* How many resubmits may be nested, and how many there may be at one NVE; as
 * in Open vSwitch. */
#define MAX_DEPTH 64
#define MAX_RESUBMITS (MAX_DEPTH * MAX_DEPTH)

/* A packet that is about to enter an NVE. */
struct visit {
    struct ovs_list node;       /* In trace's 'visits'. */
    const struct nve *nve;
    const struct nve *from;     /* Null if it comes from a port. */
    struct flow flow;
    int n_hops;                 /* Tunnels so far. */
};

struct trace {
    const struct topology *topology;
    const struct port *port;    /* Where the packet comes from. */
    struct ds *out;
    struct ofputil_table_map tables;

    struct ovs_list visits;     /* Contains "struct visit"s, still to do. */

    /* The current visit. */
    const struct visit *visit;
    struct flow flow;           /* What has become of the packet. */
    uint8_t table;
    int depth;                  /* Nested resubmits and clones. */
    int indent;
    int n_resubmits;
    bool gone;                  /* A gate that is shut has dropped it. */

    /* The verdict. */
    bool multicast;             /* The packet is for several by itself. */
    struct svec deliveries;     /* "PORT at NVE". */
    bool answered;              /* The responder has sent it back. */
    bool punted;                /* The controller gets it. */
    char *drop;                 /* The last place where it was dropped ... */
    bool drop_is_miss;          /* ... for want of a flow. */
};

static void execute(struct trace *, const struct ofpact *, size_t len);

/* Printing. */

static void OVS_PRINTF_FORMAT(2, 3)
put_line(struct trace *tr, const char *format, ...)
{
    va_list args;

    ds_put_char_multiple(tr->out, ' ', tr->indent);
    va_start(args, format);
    ds_put_format_valist(tr->out, format, args);
    va_end(args);
    ds_put_char(tr->out, '\n');
}

/* Appends in words to whom 'cookie' leads. */
static void
put_cookie_object(const struct trace *tr, uint64_t cookie, struct ds *s)
{
    const struct topology *t = tr->topology;
    uint64_t id = cookie_id(cookie);
    const char *name = NULL;

    switch (cookie_object(cookie)) {
    case COOKIE_OF_NVE: {
        const struct nve *nve = topology_find_nve_by_id(t, id);

        name = nve ? nve->name : NULL;
        break;
    }
    case COOKIE_OF_VN: {
        const struct vn *vn = topology_find_vn_by_id(t, id);

        name = vn ? vn->name : NULL;
        break;
    }
    case COOKIE_OF_PORT: {
        const struct port *port = topology_find_port_by_id(t, id);

        name = port ? port->name : NULL;
        break;
    }
    case COOKIE_OF_GATEWAY: {
        const struct gateway *gw = gateway_find_by_id(t, id);

        name = gw ? gw->name : NULL;
        break;
    }
    case COOKIE_OF_MIGRATION: {
        const struct port *port;

        HMAP_FOR_EACH (port, name_node, &t->ports) {
            if (port->move && port->move->id == id) {
                ds_put_cstr(s, "of ");
                name = port->name;
            }
        }
        break;
    }
    case COOKIE_OF_GROUP: {
        const struct mcast_group *g = mcast_find_by_id(t, id);

        if (g) {
            mcast_format_group(g, s);
            ds_put_cstr(s, " of ");
            name = g->vn->name;
        }
        break;
    }
    case COOKIE_OF_NOTHING:
    default:
        break;
    }

    if (name) {
        ds_put_cstr(s, name);
    } else {
        ds_put_format(s, "%#"PRIx64, id);
    }
}

static void
put_table_line(struct trace *tr, const struct flow_entry *fe,
               const struct match *match)
{
    const char *kind = cookie_kind_name(fe->cookie);
    struct ds s = DS_EMPTY_INITIALIZER;

    match_format(match, NULL, &s, OFP_DEFAULT_PRIORITY);
    ds_put_format(&s, "%spriority %d, cookie %#"PRIx64" (%s ",
                  s.length ? ", " : "", fe->priority, fe->cookie,
                  kind ? kind : "unknown");
    put_cookie_object(tr, fe->cookie, &s);
    put_line(tr, "%s: %s)", flow_table_name(fe->table), ds_cstr(&s));
    ds_destroy(&s);
}

static void
put_action(struct trace *tr, const struct ofpact *a)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    struct ofpact_format_params fp = { .s = &s, .table_map = &tr->tables };

    ofpacts_format(a, OFPACT_ALIGN(a->len), &fp);
    put_line(tr, "%s", ds_cstr(&s));
    ds_destroy(&s);
}

/* The verdict. */

static void OVS_PRINTF_FORMAT(3, 4)
drop(struct trace *tr, bool is_miss, const char *format, ...)
{
    va_list args;

    if (is_miss && tr->drop && !tr->drop_is_miss) {
        return;                 /* An explicit drop tells more. */
    }
    free(tr->drop);
    va_start(args, format);
    tr->drop = xvasprintf(format, args);
    va_end(args);
    tr->drop_is_miss = is_miss;
}

static void
put_verdict(struct trace *tr)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    const char *delivery;
    size_t i;

    if (tr->answered) {
        ds_put_cstr(&s, "answered by the responder");
    }
    if (tr->deliveries.n) {
        ds_put_format(&s, "%s%s ", s.length ? "; " : "",
                      tr->multicast || tr->deliveries.n > 1
                      ? "copies to:" : "delivered to");
        SVEC_FOR_EACH (i, delivery, &tr->deliveries) {
            ds_put_format(&s, "%s%s", i ? ", " : "", delivery);
        }
    }
    if (!s.length) {
        ds_put_cstr(&s, tr->drop ? tr->drop : "goes nowhere");
    }
    ds_put_format(tr->out, "\nVerdict: %s%s\n", ds_cstr(&s),
                  tr->punted ? "; told to the controller" : "");
    ds_destroy(&s);
}

/* Output. */

static const struct nve *
find_nve_by_address(const struct topology *t, const struct in6_addr *ip)
{
    const struct nve *nve;

    HMAP_FOR_EACH (nve, name_node, &t->nves) {
        for (size_t i = 0; i < nve->n_ips; i++) {
            if (ipv6_addr_equals(&nve->ips[i], ip)) {
                return nve;
            }
        }
    }
    return NULL;
}

/* Has 'to' receive by 'in_port' what leaves this NVE, unless the packet has
 * been through too many.  Returns the visit, or null. */
static struct visit *
add_visit(struct trace *tr, const struct nve *to, ofp_port_t in_port)
{
    struct visit *v;

    if (tr->visit->n_hops >= MAX_HOPS) {
        put_line(tr, ">> gone through %d tunnels already, giving up",
                 MAX_HOPS);
        drop(tr, false, "given up at %s after %d tunnels",
             tr->visit->nve->name, MAX_HOPS);
        return NULL;
    }
    v = xmalloc(sizeof *v);
    v->nve = to;
    v->from = tr->visit->nve;
    v->n_hops = tr->visit->n_hops + 1;
    v->flow = tr->flow;

    v->flow.metadata = htonll(0);
    memset(v->flow.regs, 0, sizeof v->flow.regs);
    v->flow.in_port.ofp_port = in_port;
    memset(&v->flow.tunnel, 0, sizeof v->flow.tunnel);
    ovs_list_push_back(&tr->visits, &v->node);
    return v;
}

/* Puts the header of a tunnel to 'dst' into 'v'. */
static void
put_tunnel_header(const struct trace *tr, const struct in6_addr *dst,
                  struct visit *v)
{
    struct flow_tnl *tnl = &v->flow.tunnel;

    tnl->tun_id = tr->flow.tunnel.tun_id;
    for (size_t i = 0; i < v->from->n_ips; i++) {
        const struct in6_addr *src = &v->from->ips[i];

        if (topology_is_ipv4(src) != topology_is_ipv4(dst)) {
            continue;
        } else if (topology_is_ipv4(src)) {
            tnl->ip_src = in6_addr_get_mapped_ipv4(src);
            tnl->ip_dst = in6_addr_get_mapped_ipv4(dst);
        } else {
            tnl->ipv6_src = *src;
            tnl->ipv6_dst = *dst;
        }
        break;
    }
}

static void
output_to_tunnel(struct trace *tr, enum encap encap)
{
    const char *name = encap == ENCAP_GENEVE ? "Geneve" : "VXLAN";
    struct in6_addr dst = flow_tnl_dst(&tr->flow.tunnel);
    const struct nve *nve = tr->visit->nve;
    const struct nve *to = find_nve_by_address(tr->topology, &dst);
    struct ds ip = DS_EMPTY_INITIALIZER;
    ofp_port_t in_port;

    ipv6_format_mapped(&dst, &ip);
    if (!to) {
        put_line(tr, ">> %s tunnel to %s, where there is no NVE", name,
                 ds_cstr(&ip));
        drop(tr, false, "lost: %s sends it to %s, where there is no NVE",
             nve->name, ds_cstr(&ip));
        ds_destroy(&ip);
        return;
    }

    in_port = encap == ENCAP_GENEVE ? to->geneve_ofport : to->vxlan_ofport;
    put_line(tr, ">> %s tunnel to %s at %s, VNI %"PRIu64, name, to->name,
             ds_cstr(&ip), ntohll(tr->flow.tunnel.tun_id));
    if (!in_port) {
        put_line(tr, ">> %s has no %s tunnel", to->name, name);
        drop(tr, false, "lost: %s has no %s tunnel", to->name, name);
    } else {
        struct visit *v = add_visit(tr, to, in_port);

        if (v) {
            put_tunnel_header(tr, &dst, v);
        }
    }
    ds_destroy(&ip);
}

/* The host routes by locators, see ila.h. */
static void
output_to_host(struct trace *tr)
{
    const struct in6_addr *dst = &tr->flow.ipv6_dst;
    const struct nve *nve;

    HMAP_FOR_EACH (nve, name_node, &tr->topology->nves) {
        if (ipv6_addr_is_set(&nve->locator)
            && ila_has_prefix(dst, &nve->locator)) {
            put_line(tr, ">> the host, which routes it to the locator of %s",
                     nve->name);
            add_visit(tr, nve, OFPP_LOCAL);
            return;
        }
    }
    put_line(tr, ">> the host, for a locator that no NVE has");
    drop(tr, false, "lost: %s sends it to a locator that no NVE has",
         tr->visit->nve->name);
}

static void
output_to_interface(struct trace *tr, ofp_port_t port)
{
    const struct nve *nve = tr->visit->nve;
    const struct attachment *a = topology_find_ofport(nve, port);
    const struct uplink *uplink;

    LIST_FOR_EACH (uplink, nve_node, &nve->uplinks) {
        if (uplink->ofport == port) {
            put_line(tr, ">> uplink %s", uplink->ifname);
            svec_add_nocopy(&tr->deliveries, xasprintf("uplink %s of %s",
                                                       uplink->ifname,
                                                       nve->name));
            return;
        }
    }
    if (a) {
        put_line(tr, ">> interface %s: %s", a->ifname, a->port_name);
        svec_add_nocopy(&tr->deliveries, xasprintf("%s at %s", a->port_name,
                                                   nve->name));
    } else {
        put_line(tr, ">> there is no such interface");
        drop(tr, false, "lost: %s has no interface with number %"PRIu32,
             nve->name, port);
    }
}

/* Does what Open vSwitch does on output to 'port'. */
static void
output(struct trace *tr, ofp_port_t port)
{
    const struct nve *nve = tr->visit->nve;
    ofp_port_t in_port = tr->flow.in_port.ofp_port;

    if (port == OFPP_IN_PORT) {
        if (in_port == tr->visit->flow.in_port.ofp_port && !tr->visit->from) {
            put_line(tr, ">> back to %s", tr->port->name);
            tr->answered = true;
        } else {
            put_line(tr, ">> back to a port that is not there");
        }
    } else if (port == OFPP_CONTROLLER) {
        put_line(tr, ">> to the controller");
        tr->punted = true;
    } else if (port == in_port) {
        put_line(tr, ">> not sent back to the port that it came from");
        drop(tr, false, "dropped in table %s of %s: not sent back to the port "
             "that it came from", flow_table_name(tr->table), nve->name);
    } else if (port == nve->geneve_ofport) {
        output_to_tunnel(tr, ENCAP_GENEVE);
    } else if (port == nve->vxlan_ofport) {
        output_to_tunnel(tr, ENCAP_VXLAN);
    } else if (port == OFPP_LOCAL) {
        output_to_host(tr);
    } else {
        output_to_interface(tr, port);
    }
}

/* Tables and actions. */

static void
lookup(struct trace *tr, uint8_t table)
{
    const struct nve *nve = tr->visit->nve;
    struct flow_entry *fe;
    uint8_t old_table = tr->table;

    tr->table = table;
    fe = ofsync_lookup(nve->ofsync, table, &tr->flow);
    if (!fe) {
        put_line(tr, "%s: no match", flow_table_name(table));
        drop(tr, true, "dropped in table %s of %s: no match",
             flow_table_name(table), nve->name);
    } else {
        struct ofpbuf ofpacts;
        struct match match;

        ofpbuf_init(&ofpacts, 256);
        flow_entry_decode(fe, &match, &ofpacts);
        put_table_line(tr, fe, &match);
        tr->indent += 4;
        if (table == FLOW_TABLE_DENIED || table == FLOW_TABLE_LATE) {
            drop(tr, false, "dropped in table %s of %s",
                 flow_table_name(old_table), nve->name);
        }
        if (!ofpacts.size) {
            put_line(tr, "drop");
            drop(tr, false, "dropped in table %s of %s",
                 flow_table_name(table), nve->name);
        }
        execute(tr, ofpacts.data, ofpacts.size);
        tr->indent -= 4;
        ofpbuf_uninit(&ofpacts);
        free(fe);
    }
    tr->table = old_table;
}

/* 'is_last' if nothing follows: the next table is not indented then, as in
 * ofproto/trace. */
static void
resubmit(struct trace *tr, const struct ofpact_resubmit *r, bool is_last)
{
    uint8_t table = r->table_id == UINT8_MAX ? tr->table : r->table_id;
    ofp_port_t old_in_port = tr->flow.in_port.ofp_port;
    int old_indent = tr->indent;

    if (tr->depth >= MAX_DEPTH || tr->n_resubmits >= MAX_RESUBMITS) {
        put_line(tr, ">> too many resubmits");
        drop(tr, false, "dropped in table %s of %s: too many resubmits",
             flow_table_name(tr->table), tr->visit->nve->name);
        return;
    }
    if (r->in_port != OFPP_IN_PORT) {
        tr->flow.in_port.ofp_port = r->in_port;
    }
    if (is_last) {
        tr->indent -= 4;
    }
    tr->depth++;
    tr->n_resubmits++;
    lookup(tr, table);
    tr->depth--;
    tr->indent = old_indent;
    if (r->in_port != OFPP_IN_PORT) {
        tr->flow.in_port.ofp_port = old_in_port;
    }
}

static void
set_field(struct trace *tr, const struct ofpact_set_field *sf)
{
    if (mf_are_prereqs_ok(sf->field, &tr->flow, NULL)) {
        mf_set_flow_value_masked(sf->field, sf->value,
                                 ofpact_set_field_mask(sf), &tr->flow);
    } else {
        put_line(tr, ">> without effect: the packet has no %s",
                 sf->field->name);
    }
}

static void
clone(struct trace *tr, const struct ofpact_nest *on)
{
    const struct ofpact *a;
    struct flow saved = tr->flow;

    tr->indent += 4;
    tr->depth++;
    execute(tr, on->actions, ofpact_nest_get_action_len(on));
    tr->depth--;
    tr->indent -= 4;
    tr->flow = saved;
    OFPACT_FOR_EACH (a, on->actions, ofpact_nest_get_action_len(on)) {
        if (a->type == OFPACT_OUTPUT_TRUNC) {
            tr->gone = false;   /* Only its own packet. */
        }
    }
}

/* Prints what would be learned. */
static void
learn(struct trace *tr, const struct ofpact_learn *l)
{
    uint64_t stub[1024 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ds s = DS_EMPTY_INITIALIZER;
    struct ofputil_flow_mod fm;

    learn_execute(l, &tr->flow, &fm, &ofpacts);
    flow_mod_format(&fm, &s);
    put_line(tr, ">> would learn: %s", ds_cstr(&s));
    ds_destroy(&s);
    minimatch_destroy(&fm.match);
    ofpbuf_uninit(&ofpacts);
}

/* Tracking goes on in a copy of the packet.  A trace has no connections, so
 * that is the first packet of one. */
static void
track(struct trace *tr, const struct ofpact_conntrack *oc)
{
    struct flow saved = tr->flow;
    const struct ofpact *a;

    put_line(tr, ">> taken for the first packet of a connection");
    OFPACT_FOR_EACH (a, oc->actions, ofpact_ct_get_action_len(oc)) {
        if (a->type == OFPACT_NAT
            && ofpact_get_NAT(a)->flags & NX_NAT_F_SRC) {
            tr->flow.nw_src = ofpact_get_NAT(a)->range.addr.ipv4.min;
        }
    }
    tr->flow.ct_state = CS_TRACKED | CS_NEW;
    tr->flow.ct_zone = oc->zone_imm;
    if (oc->recirc_table != NX_CT_RECIRC_NONE) {
        tr->depth++;
        lookup(tr, oc->recirc_table);
        tr->depth--;
    }
    tr->flow = saved;
}

/* Returns true if meter 'id' is a gate that is shut. */
static bool
is_shut(const struct trace *tr, uint32_t id)
{
    const struct flow_meter *meter
        = ofsync_get_meter(tr->visit->nve->ofsync, id);

    return meter && meter->rate == FLOW_METER_SHUT && meter->linger_ms;
}

/* Executes 'a', which is the last one of its flow if 'is_last'. */
static void
execute_one(struct trace *tr, const struct ofpact *a, bool is_last)
{
    if (a->type == OFPACT_OUTPUT) {
        output(tr, ofpact_get_OUTPUT(a)->port);
    } else if (a->type == OFPACT_OUTPUT_TRUNC) {
        output(tr, ofpact_get_OUTPUT_TRUNC(a)->port);
    } else if (a->type == OFPACT_OUTPUT_REG) {
        uint64_t port = mf_get_subfield(&ofpact_get_OUTPUT_REG(a)->src,
                                        &tr->flow);

        output(tr, port <= UINT16_MAX ? u16_to_ofp(port) : OFPP_NONE);
    } else if (a->type == OFPACT_CONTROLLER) {
        output(tr, OFPP_CONTROLLER);
    } else if (a->type == OFPACT_RESUBMIT) {
        resubmit(tr, ofpact_get_RESUBMIT(a), is_last);
    } else if (a->type == OFPACT_SET_FIELD) {
        set_field(tr, ofpact_get_SET_FIELD(a));
    } else if (a->type == OFPACT_REG_MOVE) {
        const struct ofpact_reg_move *move = ofpact_get_REG_MOVE(a);

        mf_subfield_copy(&move->src, &move->dst, &tr->flow, NULL);
    } else if (a->type == OFPACT_SET_ETH_SRC) {
        tr->flow.dl_src = ofpact_get_SET_ETH_SRC(a)->mac;
    } else if (a->type == OFPACT_SET_ETH_DST) {
        tr->flow.dl_dst = ofpact_get_SET_ETH_DST(a)->mac;
    } else if (a->type == OFPACT_DEC_TTL) {
        tr->flow.nw_ttl--;
    } else if (a->type == OFPACT_PUSH_VLAN) {
        flow_push_vlan_uninit(&tr->flow, NULL);
        tr->flow.vlans[0].tpid = ofpact_get_PUSH_VLAN(a)->ethertype;
        tr->flow.vlans[0].tci = htons(VLAN_CFI);
    } else if (a->type == OFPACT_CLONE) {
        clone(tr, ofpact_get_CLONE(a));
    } else if (a->type == OFPACT_LEARN) {
        learn(tr, ofpact_get_LEARN(a));
    } else if (a->type == OFPACT_CT) {
        track(tr, ofpact_get_CT(a));
    } else if (a->type == OFPACT_CHECK_PKT_LARGER) {
        /* A microflow has no length. */
        put_line(tr, ">> taken to fit");
    } else if (a->type != OFPACT_METER) {
        put_line(tr, ">> not followed");
    }
}

static void
execute(struct trace *tr, const struct ofpact *ofpacts, size_t len)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, ofpacts, len) {
        bool is_last = ofpact_next(a) == ofpact_end(ofpacts, len);

        put_action(tr, a);
        if (a->type == OFPACT_METER
            && is_shut(tr, ofpact_get_METER(a)->meter_id)) {
            put_line(tr, ">> the gate is shut");
            tr->gone = true;
        }
        if (tr->gone) {
            break;
        }
        execute_one(tr, a, is_last);
    }
}

/* NVEs. */

static void
visit_nve(struct trace *tr, const struct visit *v)
{
    struct ds title = DS_EMPTY_INITIALIZER;

    ds_put_format(&title, "%s: from %s%s", v->nve->name,
                  !v->from ? "port "
                  : v->flow.in_port.ofp_port == OFPP_LOCAL ? "the host of "
                  : "the tunnel of ",
                  v->from ? v->from->name : tr->port->name);
    ds_put_format(tr->out, "\n%s\n", ds_cstr(&title));
    ds_put_char_multiple(tr->out, '-', title.length);
    ds_put_char(tr->out, '\n');
    ds_destroy(&title);

    tr->visit = v;
    tr->flow = v->flow;
    tr->depth = tr->n_resubmits = 0;
    tr->gone = false;
    tr->indent = 0;
    lookup(tr, FLOW_TABLE_CLASSIFY);
}

static void
add_table(uint8_t id, const char *name, void *tables)
{
    ofputil_table_map_put(tables, id, name);
}

/* Follows the packet from 'first', of which it takes ownership. */
static void
run(struct trace *tr, struct visit *first)
{
    ovs_list_init(&tr->visits);
    ovs_list_push_back(&tr->visits, &first->node);
    svec_init(&tr->deliveries);
    ofputil_table_map_init(&tr->tables);
    flow_tables_for_each(add_table, &tr->tables);

    ds_put_cstr(tr->out, "Flow: ");
    flow_format(tr->out, &first->flow, NULL);
    ds_put_char(tr->out, '\n');
    while (!ovs_list_is_empty(&tr->visits)) {
        struct visit *v = CONTAINER_OF(ovs_list_pop_front(&tr->visits),
                                       struct visit, node);

        visit_nve(tr, v);
        free(v);
    }
    put_verdict(tr);

    ofputil_table_map_destroy(&tr->tables);
    svec_destroy(&tr->deliveries);
    free(tr->drop);
}

char *
trace_packet(const struct topology *t, const struct port *port,
             const char *microflow, struct ds *out)
{
    const struct nve *nve = (port->move && port->move->cut_new
                             ? port->move->new_nve : port->place.nve);
    const struct attachment *a;
    struct visit *v;
    struct flow flow;
    char *error;

    if (!nve) {
        return xasprintf("port %s is not bound to an NVE", port->name);
    }
    a = topology_find_attachment(t, port->name, nve);
    if (!a) {
        return xasprintf("port %s has no interface at %s", port->name,
                         nve->name);
    }
    error = parse_ofp_exact_flow(&flow, NULL, NULL, microflow, NULL);
    if (error) {
        return error;
    }
    if (flow.in_port.ofp_port != OFPP_NONE) {
        return xasprintf("%s: in_port is that of port %s", microflow,
                         port->name);
    }

    flow.in_port.ofp_port = a->ofport;
    if (eth_addr_is_zero(flow.dl_src)) {
        flow.dl_src = port->mac;
    }
    v = xmalloc(sizeof *v);
    *v = (struct visit) { .nve = nve, .flow = flow };
    run(&(struct trace) {
            .topology = t,
            .port = port,
            .out = out,
            .multicast = eth_addr_is_multicast(flow.dl_dst),
        }, v);
    return NULL;
}
