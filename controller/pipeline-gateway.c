/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "pipeline-private.h"

#include "cookie.h"
#include "gateway.h"
#include "icmp-error.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"

/* The meter that limits what a gateway routes has its number plus this. */
#define RATE_METER_BASE 0x70000

/* The same for the meter that limits what it says by itself, which takes the
 * slow path of Open vSwitch or the controller, in packets/s. */
#define SELF_METER_BASE 0x80000
#define SELF_METER_RATE 100

/* OpenFlow drops what leaves by the port that it came by. */
#define CLEAR_IN_PORT "load:0xffff->NXM_OF_IN_PORT[]"

/* Hop limit of what a gateway sends (RFC 1122 section 3.2.1.7). */
#define TTL 64

/* At every NVE of the VN. */

struct flow_list *
pipeline_router(const struct vn *vn)
{
    uint64_t cookie = cookie_make(COOKIE_ROUTER, vn->id);
    const struct gateway *gw;
    struct flow_list *fl;
    struct ds m = DS_EMPTY_INITIALIZER;

    if (ovs_list_is_empty(&vn->gateways)) {
        return NULL;
    }
    gw = CONTAINER_OF(ovs_list_front(&vn->gateways), struct gateway, vn_node);
    fl = flow_list_create();
    for (size_t i = 0; i < gw->config->n_ips; i++) {
        pipeline_add_answer__(fl, &(struct pipeline_answer) {
                .vn = vn, .cookie = cookie, .mac = gw->config->mac,
                .is_router = true,
            }, &gw->config->ips[i].ip);
    }
    flow_list_add(fl, FLOW_TABLE_LOOKUP, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, "metadata=%"PRIu32",dl_dst="ETH_ADDR_FMT, vn->vni,
                      ETH_ADDR_ARGS(gw->config->mac)),
                  "resubmit(,%d)", FLOW_TABLE_GATEWAY);
    /* From whom no gateway serves, or none that can be reached; counted. */
    flow_list_add(fl, FLOW_TABLE_GATEWAY, FLOW_PRIO_DEFAULT, cookie,
                  fmt(&m, "metadata=%"PRIu32, vn->vni), "drop");
    ds_destroy(&m);
    return flow_list_finish(fl);
}

/* Appends the actions that bring what a VM at 'here' sends to 'gw'.  Returns
 * false if that cannot be reached. */
static bool
put_way(struct ds *s, const struct nve *here, const struct gateway *gw)
{
    int ip = topology_tunnel_address(here, gw->nve);

    ds_clear(s);
    if (gw->nve == here) {
        ds_put_format(s, "resubmit(,%d)", FLOW_TABLE_ROUTER);
    } else if (ip >= 0) {
        ds_put_format(s, "set_field:%d->"REG_PLACE",", FLOW_PLACE_REMOTE);
        pipeline_put_tunnel_to__(s, gw->nve, ip);
        ds_put_format(s, ",resubmit(,%d)", FLOW_TABLE_OUTPUT);
    }
    return s->length != 0;
}

/* Requests to the gateways' MAC address ask whether they are alive (RFC 1122
 * section 2.3.2.1).  They are answered here, for which gateway serves the port
 * is our business.  The others are that choice. */
void
pipeline_add_way_out__(struct flow_list *fl, const struct port *port,
                       const struct nve *here, ofp_port_t ofport)
{
    static const char *const requests[] = {
        "arp,arp_op=1", "icmp6,icmp_type=135,icmp_code=0",
    };
    uint64_t cookie = cookie_make(COOKIE_PORT, port->id);
    const struct gateway *gw = port->gateway;
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds way = DS_EMPTY_INITIALIZER;
    struct ds old = DS_EMPTY_INITIALIZER;

    if (!gw) {
        return;
    }
    if (fl->meter.id) {
        fmt(&way, "meter:%"PRIu32",", fl->meter.id);
    }
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        flow_list_add(fl, FLOW_TABLE_RESPONDER_LIMIT, FLOW_PRIO_NORMAL, cookie,
                      fmt(&m, "in_port=%"PRIu32",%s,dl_dst="ETH_ADDR_FMT,
                          ofport, requests[i], ETH_ADDR_ARGS(gw->config->mac)),
                      "%sresubmit(,%d)", ds_cstr(&way), FLOW_TABLE_RESPONDER);
    }

    fmt(&m, "in_port=%"PRIu32, ofport);
    if (!put_way(&way, here, gw)) {
        /* *gateway* counts what has no way. */
    } else if (port->keep && put_way(&old, here, port->keep->gw)) {
        flow_list_add(fl, FLOW_TABLE_GATEWAY, FLOW_PRIO_NORMAL, cookie,
                      ds_cstr(&m), "resubmit(,%d),resubmit(,%d)",
                      FLOW_TABLE_CONNECTION, FLOW_TABLE_WAY_OUT);
        pipeline_add_kept__(fl, port, ofport, ds_cstr(&way), ds_cstr(&old));
    } else {
        flow_list_add(fl, FLOW_TABLE_GATEWAY, FLOW_PRIO_NORMAL, cookie,
                      ds_cstr(&m), "%s", ds_cstr(&way));
    }
    pipeline_add_mtu_way_out__(fl, port, here, ofport);
    ds_destroy(&m);
    ds_destroy(&way);
    ds_destroy(&old);
}

/* At the gateway's NVE. */

/* What builds the flows of a gateway. */
struct builder {
    struct flow_list *fl;
    uint64_t cookie;
    const struct gateway *gw;
};

/* Adds a flow for packets in the gateway's VN that also match 'match'. */
static void OVS_PRINTF_FORMAT(5, 6)
add(struct builder *b, enum flow_table table, int priority, const char *match,
    const char *actions, ...)
{
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;
    va_list args;

    va_start(args, actions);
    ds_put_format_valist(&a, actions, args);
    va_end(args);
    fmt(&m, "metadata=%"PRIu32"%s%s", b->gw->vn->vni, match[0] ? "," : "",
        match);
    flow_list_add(b->fl, table, priority, b->cookie, ds_cstr(&m), "%s",
                  ds_cstr(&a));
    ds_destroy(&m);
    ds_destroy(&a);
}

/* What is for the gateway's own addresses is not routed, nor is what has an
 * address that is valid on its link only (RFC 4291 section 2.5.6, RFC 3927
 * section 2.7) or is that of no host (RFC 1812 section 5.3.7); what it answers
 * is in pipeline_gateway_self().  The rest loses a hop and goes on; where it
 * came from is kept for those that have to be told that it got nowhere. */
static void
add_router(struct builder *b)
{
    static const char *const families[] = { "ip", "ipv6" };
    static const char *const local[] = {
        "ip,nw_src=169.254.0.0/16", "ip,nw_dst=169.254.0.0/16",
        "ipv6,ipv6_src=fe80::/10", "ipv6,ipv6_dst=fe80::/10",
        "ip,nw_dst=0.0.0.0/8", "ip,nw_dst=127.0.0.0/8",
        "ip,nw_dst=224.0.0.0/3",
        "ipv6,ipv6_dst=ff00::/8",
    };
    struct ds a = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < ARRAY_SIZE(local); i++) {
        add(b, FLOW_TABLE_ROUTER, FLOW_PRIO_NORMAL, local[i], "drop");
    }
    for (size_t i = 0; i < b->gw->config->n_ips; i++) {
        struct gateway_prefix host = { b->gw->config->ips[i].ip, 128 };
        struct ds m = DS_EMPTY_INITIALIZER;

        gateway_put_match(&m, &host, "dst");
        add(b, FLOW_TABLE_ROUTER, FLOW_PRIO_NORMAL, ds_cstr(&m), "drop");
        ds_destroy(&m);
    }
    if (b->gw->config->rate) {
        b->fl->meter.id = RATE_METER_BASE + b->gw->number;
        b->fl->meter.rate = b->gw->config->rate;
        b->fl->meter.burst = b->gw->config->burst;
        fmt(&a, "meter:%"PRIu32",", b->fl->meter.id);
    }
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        add(b, FLOW_TABLE_ROUTER, FLOW_PRIO_LOW, families[i],
            "%s"CLEAR_IN_PORT",dec_ttl,set_field:%"PRIu32"->"REG_VN_IN
            ",move:NXM_OF_ETH_SRC[]->"PIPELINE_MAC_IN",resubmit(,%d)",
            ds_cstr(&a), b->gw->vn->vni, FLOW_TABLE_POLICY_OUT);
    }
    ds_destroy(&a);
}

/* What the policy allows, by destination for what leaves the VN, by source for
 * what enters it.  The rest is in pipeline_add_refusals__(). */
static void
add_policy(struct builder *b, enum flow_table table, const char *field,
           enum flow_table next)
{
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;

    fmt(&a, "resubmit(,%d)", next);
    for (size_t i = 0; i < b->gw->config->n_rules; i++) {
        const struct gateway_rule *rule = &b->gw->config->rules[i];

        if (rule->allow) {
            ds_clear(&m);
            gateway_put_match(&m, &rule->prefix, field);
            add(b, table, FLOW_PRIO_POLICY - i, ds_cstr(&m), "%s",
                ds_cstr(&a));
        }
    }
    add(b, table, FLOW_PRIO_DEFAULT, "", "%s", ds_cstr(&a));
    ds_destroy(&m);
    ds_destroy(&a);
}

/* The prefixes that a gateway has routes for. */
struct routes {
    const struct gateway_prefix **prefixes;
    size_t n, allocated;
};

/* Adds that 'prefix' is reached by 'to', null for the gateway's own VN, unless
 * there is a route for it already. */
static void
add_route(struct builder *b, struct routes *routes,
          const struct gateway_prefix *prefix, const struct gateway *to)
{
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;

    if (gateway_is_link_local(prefix)) {
        return;
    }
    for (size_t i = 0; i < routes->n; i++) {
        if (!gateway_compare_prefixes(routes->prefixes[i], prefix)) {
            return;
        }
    }
    if (routes->n >= routes->allocated) {
        routes->prefixes = x2nrealloc(routes->prefixes, &routes->allocated,
                                      sizeof *routes->prefixes);
    }
    routes->prefixes[routes->n++] = prefix;
    if (to) {
        ds_put_format(&a, "set_field:%"PRIu32"->metadata,", to->vn->vni);
    }
    if (to && topology_is_ipv4(&prefix->ip)
        && pipeline_translates__(b->gw, to)) {
        pipeline_put_translation__(&a, b->gw);
    } else {
        ds_put_format(&a, "resubmit(,%d)", FLOW_TABLE_POLICY_IN);
    }
    gateway_put_match(&m, prefix, "dst");
    add(b, FLOW_TABLE_ROUTE, FLOW_PRIO_ROUTE + prefix->plen, ds_cstr(&m),
        "%s", ds_cstr(&a));
    ds_destroy(&m);
    ds_destroy(&a);
}

static int
compare_vns(const void *a_, const void *b_)
{
    const struct gateway *const *a = a_;
    const struct gateway *const *b = b_;

    return strcmp((*a)->vn->name, (*b)->vn->name);
}

/* Adds default routes by the next hops of 'other'. */
static void
add_default_routes(struct builder *b, struct routes *routes,
                   const struct gateway *other)
{
    static const struct gateway_prefix any[] = {
        { IN6ADDR_ANY_INIT, 0 },
        { { { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0 } } },
          96 },
    };

    for (size_t i = 0; i < other->config->n_next_hops; i++) {
        add_route(b, routes,
                  &any[topology_is_ipv4(&other->config->next_hops[i])],
                  other);
    }
}

/* Its own VN comes first, then others in the order of their names, if several
 * have the same prefix. */
static void
add_routes(struct builder *b)
{
    const struct gateway **others = NULL;
    size_t n = 0, allocated = 0;
    struct routes routes = { .n = 0 };
    const struct gateway *gw;

    for (size_t i = 0; i < b->gw->config->n_ips; i++) {
        add_route(b, &routes, &b->gw->config->ips[i], NULL);
    }
    LIST_FOR_EACH (gw, nve_node, &b->gw->nve->gateways) {
        struct gateway *other;

        if (gw != b->gw && gateway_reaches(b->gw, gw->vn, &other)) {
            if (n >= allocated) {
                others = x2nrealloc(others, &allocated, sizeof *others);
            }
            others[n++] = other;
        }
    }
    if (n) {
        qsort(others, n, sizeof *others, compare_vns);
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < others[i]->config->n_ips; j++) {
            add_route(b, &routes, &others[i]->config->ips[j], others[i]);
        }
        add_default_routes(b, &routes, others[i]);
    }
    free(others);
    free(routes.prefixes);
}

/* Hosts in the physical network that is one LAN with the VN (A9) may send to
 * the gateway, and it to them.  The MAC address that all gateways of the VN
 * share is to be seen at one place there only (as in RFC 5798 section 7.3);
 * and what the switches flood because they have forgotten it, must not be
 * routed twice. */
static void
add_uplink(struct builder *b)
{
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;

    if (!topology_find_uplink(b->gw->nve, b->gw->vn)) {
        return;
    }
    if (b->gw->outside != GATEWAY_SILENT) {
        add(b, FLOW_TABLE_GATEWAY, FLOW_PRIO_LOW,
            fmt(&m, REG_ORIGIN"=%d", FLOW_FROM_UPLINK), "resubmit(,%d)",
            FLOW_TABLE_ROUTER);
    }
    if (b->gw->outside != GATEWAY_SPEAKS) {
        fmt(&a, "set_field:"ETH_ADDR_FMT"->eth_src,",
            ETH_ADDR_ARGS(gateway_own_mac(b->gw)));
    }
    add(b, FLOW_TABLE_OUTPUT, FLOW_PRIO_NORMAL,
        fmt(&m, REG_PLACE"=%d,"REG_ORIGIN"=%d", FLOW_PLACE_UNKNOWN,
            FLOW_ROUTED), "%sresubmit(,%d)", ds_cstr(&a), FLOW_TABLE_UPLINK);
    ds_destroy(&m);
    ds_destroy(&a);
}

struct flow_list *
pipeline_gateway(const struct gateway *gw)
{
    struct builder b = {
        .fl = flow_list_create(),
        .cookie = cookie_make(COOKIE_GATEWAY, gw->id),
        .gw = gw,
    };

    struct ds m = DS_EMPTY_INITIALIZER;

    /* Whoever sends it here has chosen this gateway. */
    add(&b, FLOW_TABLE_GATEWAY, FLOW_PRIO_LOW,
        fmt(&m, REG_ORIGIN"=%d", FLOW_FROM_TUNNEL), "resubmit(,%d)",
        FLOW_TABLE_ROUTER);
    ds_destroy(&m);
    add_uplink(&b);
    add_router(&b);
    add_policy(&b, FLOW_TABLE_POLICY_OUT, "dst", FLOW_TABLE_ROUTE);
    add_routes(&b);
    add_policy(&b, FLOW_TABLE_POLICY_IN, "src", FLOW_TABLE_HOST);
    if (!gw->config->reject) {
        pipeline_add_refusals__(b.fl, gw, b.cookie);
    }
    return flow_list_finish(b.fl);
}

/* Echo (RFC 792, RFC 4443 section 4.2), turned round and sent to where it came
 * from, which is in the VN.  Fragments are not put together. */
static void
add_echo(struct builder *b, const struct in6_addr *ip)
{
    struct gateway_prefix host = { *ip, 128 };
    bool v4 = topology_is_ipv4(ip);
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;
    char s[INET6_ADDRSTRLEN];

    ds_put_format(&m, "%s,icmp_code=0,nw_frag=no,",
                  v4 ? "icmp,icmp_type=8" : "icmp6,icmp_type=128");
    gateway_put_match(&m, &host, "dst");
    ipv6_string_mapped(s, ip);
    pipeline_put_routed(&a, b->gw, 0);
    add(b, FLOW_TABLE_ROUTER, FLOW_PRIO_OVERRIDE, ds_cstr(&m),
        "meter:%"PRIu32",move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],"
        "set_field:"ETH_ADDR_FMT"->eth_src,%s,set_field:%s->%s,"
        "set_field:%d->%s,set_field:%d->nw_ttl,%s",
        b->fl->meter.id, ETH_ADDR_ARGS(b->gw->config->mac),
        v4 ? "move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]"
        : "move:NXM_NX_IPV6_SRC[]->NXM_NX_IPV6_DST[]",
        s, v4 ? "ip_src" : "ipv6_src",
        v4 ? 0 : 129, v4 ? "icmp_type" : "icmpv6_type", TTL, ds_cstr(&a));
    ds_destroy(&m);
    ds_destroy(&a);
}

void
pipeline_put_send_routed__(struct ds *s)
{
    ds_put_format(s, "resubmit(,%d),resubmit(,%d)", FLOW_TABLE_MAPPING,
                  FLOW_TABLE_OUTPUT);
}

void
pipeline_put_routed(struct ds *s, const struct gateway *gw, uint16_t zone)
{
    ds_put_format(s, CLEAR_IN_PORT",set_field:%"PRIu32"->metadata,"
                  "set_field:%d->"REG_ORIGIN",", gw->vn->vni, FLOW_ROUTED);
    if (zone) {
        ds_put_format(s, "ct(table=%d,zone=%"PRIu16",nat)", FLOW_TABLE_NAT,
                      zone);
    } else {
        pipeline_put_send_routed__(s);
    }
}

void
pipeline_put_unrouted__(struct ds *s, const struct flow_list *fl, int cause)
{
    ds_put_format(s, "controller(max_len=%d,userdata=%02x.%02x,"
                  "meter_id=%"PRIu32")", ICMP_ERROR_MAX_FRAME,
                  PIPELINE_PUNT_UNROUTED, cause, fl->meter.id);
}

/* RFC 1812 section 5.3.1: a packet that has no hops left is not sent on, and
 * its sender is told. */
static void
add_exceeded(struct builder *b, const char *family)
{
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;

    fmt(&a, "set_field:%"PRIu32"->"REG_VN_IN",", b->gw->vn->vni);
    pipeline_put_unrouted__(&a, b->fl, ICMP_ERROR_TTL);
    for (int ttl = 0; ttl <= 1; ttl++) {
        add(b, FLOW_TABLE_ROUTER, FLOW_PRIO_ALLOW,
            fmt(&m, "%s,nw_ttl=%d", family, ttl), "%s", ds_cstr(&a));
    }
    ds_destroy(&m);
    ds_destroy(&a);
}

/* What came with a tag must go back with it. */
void
pipeline_add_uplink_answer__(struct flow_list *fl, uint64_t cookie,
                             const struct gateway *gw,
                             const struct in6_addr *ip)
{
    const struct uplink *uplink = topology_find_uplink(gw->nve, gw->vn);
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;

    if (!uplink || gw->outside != GATEWAY_SPEAKS) {
        return;
    }
    fmt(&m, "metadata=%"PRIu32","REG_PLACE"=%d,%s=", gw->vn->vni,
        FLOW_PLACE_UNKNOWN,
        topology_is_ipv4(ip) ? "arp,arp_op=1,arp_tpa"
        : "icmp6,icmp_type=135,icmp_code=0,nd_target");
    ipv6_format_mapped(ip, &m);
    if (uplink->vlan) {
        fmt(&a, "push_vlan:0x8100,set_field:%d->vlan_vid,",
            0x1000 | uplink->vlan);
    }
    flow_list_add(fl, FLOW_TABLE_UPLINK_IN, FLOW_PRIO_OVERRIDE, cookie,
                  ds_cstr(&m), "meter:%"PRIu32",%sresubmit(,%d)",
                  fl->meter.id, ds_cstr(&a), FLOW_TABLE_RESPONDER);
    ds_destroy(&m);
    ds_destroy(&a);
}

/* While the gateway is announced to the physical network, the controller is
 * told of the first frame for it that comes. */
static void
add_seen(struct builder *b)
{
    struct ds m = DS_EMPTY_INITIALIZER;

    if (b->gw->announcement && !b->gw->announcement_seen) {
        add(b, FLOW_TABLE_UPLINK_SEEN, FLOW_PRIO_NORMAL,
            fmt(&m, "dl_dst="ETH_ADDR_FMT, ETH_ADDR_ARGS(b->gw->config->mac)),
            "meter:%"PRIu32",controller(max_len=64,userdata=%02x)",
            b->fl->meter.id, PIPELINE_PUNT_SEEN);
    }
    ds_destroy(&m);
}

struct flow_list *
pipeline_gateway_self(const struct gateway *gw)
{
    struct builder b = {
        .fl = flow_list_create(),
        .cookie = cookie_make(COOKIE_GATEWAY_SELF, gw->id),
        .gw = gw,
    };
    bool routes[2] = { false, false };

    b.fl->meter.id = SELF_METER_BASE + gw->number;
    b.fl->meter.rate = b.fl->meter.burst = SELF_METER_RATE;
    for (size_t i = 0; i < gw->config->n_ips; i++) {
        bool is_ipv4 = topology_is_ipv4(&gw->config->ips[i].ip);

        add_echo(&b, &gw->config->ips[i].ip);
        pipeline_add_uplink_answer__(b.fl, b.cookie, gw,
                                     &gw->config->ips[i].ip);
        if (!routes[is_ipv4]) {
            routes[is_ipv4] = true;
            add_exceeded(&b, is_ipv4 ? "ip" : "ipv6");
        }
    }
    add_seen(&b);
    pipeline_add_mtu_gateway__(b.fl, gw);
    if (gw->config->reject) {
        pipeline_add_refusals__(b.fl, gw, b.cookie);
    }
    return flow_list_finish(b.fl);
}

/* Adds that what matches 'match' in the VN goes to 'port'. */
static void
add_host(struct builder *b, const struct port *port, int priority,
         const char *match)
{
    add(b, FLOW_TABLE_HOST, priority, match,
        "set_field:"ETH_ADDR_FMT"->eth_src,"
        "set_field:"ETH_ADDR_FMT"->eth_dst,"
        "set_field:%d->"REG_ORIGIN",resubmit(,%d),resubmit(,%d)",
        ETH_ADDR_ARGS(b->gw->config->mac), ETH_ADDR_ARGS(port->mac),
        FLOW_ROUTED, FLOW_TABLE_MAPPING, FLOW_TABLE_OUTPUT);
}

struct flow_list *
pipeline_host(const struct gateway *gw, const struct port *port)
{
    struct builder b = {
        .fl = flow_list_create(),
        .cookie = cookie_make(COOKIE_HOST, port->id),
        .gw = gw,
    };

    for (size_t i = 0; i < port->n_ips; i++) {
        struct gateway_prefix host = { port->ips[i], 128 };
        struct ds m = DS_EMPTY_INITIALIZER;

        gateway_put_match(&m, &host, "dst");
        add_host(&b, port, FLOW_PRIO_NORMAL, ds_cstr(&m));
        if (gateway_has_next_hop(gw, &port->ips[i])) {
            add_host(&b, port, FLOW_PRIO_LOW,
                     topology_is_ipv4(&port->ips[i]) ? "ip" : "ipv6");
        }
        ds_destroy(&m);
    }
    return flow_list_finish(b.fl);
}
