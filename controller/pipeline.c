/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "pipeline-private.h"

#include "cookie.h"
#include "openflow/openflow.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-port.h"
#include "flow.h"
#include "packets.h"
#include "util.h"

/* The meter of a bridge that limits reports of what port security denies, in
 * packets/s. */
#define DENIED_METER 0x30000
#define DENIED_METER_RATE 5

const char *
pipeline_fmt__(struct ds *s, const char *format, ...)
{
    va_list args;

    ds_clear(s);
    va_start(args, format);
    ds_put_format_valist(s, format, args);
    va_end(args);
    return ds_cstr(s);
}

void
pipeline_put_tunnel_to__(struct ds *s, const struct nve *nve, int ip)
{
    ds_put_format(s, "set_field:%d->"REG_ENCAP",", nve->encap);
    ds_put_cstr(s, "set_field:");
    ipv6_format_mapped(&nve->ips[ip], s);
    ds_put_format(s, "->%s", topology_is_ipv4(&nve->ips[ip])
                             ? "tun_dst" : "tun_ipv6_dst");
}

/* A tunnel of one encapsulation. */
static void
add_tunnel(struct flow_list *fl, const struct nve *nve, enum encap encap,
           ofp_port_t ofport)
{
    uint64_t cookie = cookie_make(COOKIE_NVE, nve->id);
    struct ds m = DS_EMPTY_INITIALIZER;

    if (!ofport) {
        return;
    }

    /* What a tunnel brings: the tunnel key is the VNI.  The outer destination
     * is cleared, so that a mapping can set it anew in either family; in_port
     * is cleared, because OVS drops what leaves by the port it came from and
     * a redirect does that.  Without this flow, nothing is received. */
    flow_list_add(fl, FLOW_TABLE_CLASSIFY, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, "in_port=%"PRIu32, ofport),
                  FLOW_KEEP_SOURCE","
                  "move:NXM_NX_TUN_ID[0..23]->OXM_OF_METADATA[0..23],"
                  "set_field:%d->"REG_ORIGIN",set_field:0.0.0.0->tun_dst,"
                  "set_field:::->tun_ipv6_dst,load:0xffff->NXM_OF_IN_PORT[],"
                  "resubmit(,%d)", FLOW_FROM_TUNNEL, FLOW_TABLE_ACTIVATION);

    /* Probes of the underlay, see neighbor.h.  VNI 0 is no virtual network,
     * so that no VM can send one. */
    flow_list_add(fl, FLOW_TABLE_CLASSIFY, FLOW_PRIO_OVERRIDE, cookie,
                  fmt(&m, "in_port=%"PRIu32",tun_id=0,dl_type=%#x", ofport,
                      FLOW_PROBE_ETH_TYPE),
                  "controller(max_len=64,userdata=%02x)",
                  PIPELINE_PUNT_PROBE);

    /* Sending. */
    flow_list_add(fl, FLOW_TABLE_TUNNEL, FLOW_PRIO_LOW, cookie,
                  fmt(&m, REG_ENCAP"=%d", encap),
                  "move:OXM_OF_METADATA[0..23]->NXM_NX_TUN_ID[0..23],"
                  "output:%"PRIu32, ofport);

    /* An announcement is a copy of any frame, of which the end is for nobody
     * and may not fit into the underlay; or the VM's RARP itself. */
    flow_list_add(fl, FLOW_TABLE_TUNNEL, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, REG_ENCAP"=%d,"REG_PLACE"=%d", encap,
                      FLOW_PLACE_ANNOUNCED),
                  "set_field:"FLOW_ANNOUNCE_HIGH_BITS"->eth_dst,"
                  "move:"REG_ANNOUNCED"[]->NXM_OF_ETH_DST[0..31],"
                  "move:OXM_OF_METADATA[0..23]->NXM_NX_TUN_ID[0..23],"
                  "output(port=%"PRIu32",max_len=%d)", ofport, ETH_TOTAL_MIN);
    ds_destroy(&m);
}

/* The end of a neighbor solicitation's way: turned round and sent back.  The
 * extension fields are written with 'move' from registers, because the kernel
 * datapath refuses 'set_field' on them. */
static void
add_nd_reply(struct flow_list *fl, uint64_t cookie)
{
    static const char reply[] =
        "move:"REG_ND_FLAGS"[]->ERICOXM_OF_ICMPV6_ND_RESERVED[],"
        "move:"REG_ND_OPTION"[0..7]"
        "->ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE[],"
        "move:OXM_OF_PKT_REG3[0..47]->NXM_NX_ND_TLL[]";

    /* Duplicate address detection (RFC 4862 section 5.4.3): the address is
     * taken, and all nodes hear it (RFC 4861 section 7.2.4). */
    flow_list_add(fl, FLOW_TABLE_ND_REPLY, FLOW_PRIO_OVERRIDE, cookie,
                  "icmp6,icmp_type=136,icmp_code=0,ipv6_src=::",
                  "set_field:0x20000000/0x20000000->"REG_ND_FLAGS",%s,"
                  "set_field:33:33:00:00:00:01->eth_dst,"
                  "move:OXM_OF_PKT_REG3[0..47]->NXM_OF_ETH_SRC[],"
                  "set_field:ff02::1->ipv6_dst,"
                  "move:NXM_NX_ND_TARGET[]->NXM_NX_IPV6_SRC[],in_port",
                  reply);
    flow_list_add(fl, FLOW_TABLE_ND_REPLY, FLOW_PRIO_NORMAL, cookie,
                  "icmp6,icmp_type=136,icmp_code=0",
                  "set_field:0x60000000/0x60000000->"REG_ND_FLAGS",%s,"
                  "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],"
                  "move:OXM_OF_PKT_REG3[0..47]->NXM_OF_ETH_SRC[],"
                  "move:NXM_NX_IPV6_SRC[]->NXM_NX_IPV6_DST[],"
                  "move:NXM_NX_ND_TARGET[]->NXM_NX_IPV6_SRC[],in_port",
                  reply);
}

/* The flows that lead from table to table. */
static void
add_defaults(struct flow_list *fl, uint64_t cookie)
{
    static const struct {
        enum flow_table table;
        int priority;
        const char *match;
        enum flow_table next;
    } defaults[] = {
        { FLOW_TABLE_ND_SECURITY, FLOW_PRIO_DEFAULT, "",
          FLOW_TABLE_ACTIVATION },
        { FLOW_TABLE_ACTIVATION, FLOW_PRIO_LOW, REG_ORIGIN"=1",
          FLOW_TABLE_LOOKUP },
        { FLOW_TABLE_ACTIVATION, FLOW_PRIO_DEFAULT, "",
          FLOW_TABLE_RESPONDER_LIMIT },
        { FLOW_TABLE_RESPONDER_LIMIT, FLOW_PRIO_DEFAULT, "",
          FLOW_TABLE_LOOKUP },
        { FLOW_TABLE_RESPONDER, FLOW_PRIO_DEFAULT, "", FLOW_TABLE_LOOKUP },
        { FLOW_TABLE_LOOKUP, FLOW_PRIO_LOW,
          "dl_dst="FLOW_GROUP_MACS, FLOW_TABLE_FLOOD },
        { FLOW_TABLE_FLOOD, FLOW_PRIO_NORMAL, REG_ORIGIN"=1",
          FLOW_TABLE_FLOOD_LOCAL },
    };
    struct ds a = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
        flow_list_add(fl, defaults[i].table, defaults[i].priority, cookie,
                      defaults[i].match, "resubmit(,%d)", defaults[i].next);
    }

    /* What bridges never forward (IEEE 802.1Q table 8-1), from anywhere; and
     * the announcement of a move, which has done its work, unless it is what
     * all shall hear. */
    flow_list_add(fl, FLOW_TABLE_LOOKUP, FLOW_PRIO_OVERRIDE, cookie,
                  "dl_dst=01:80:c2:00:00:00/ff:ff:ff:ff:ff:f0", "drop");
    flow_list_add(fl, FLOW_TABLE_LOOKUP, FLOW_PRIO_NORMAL, cookie,
                  "dl_dst="FLOW_ANNOUNCE_MACS, "drop");
    flow_list_add(fl, FLOW_TABLE_LOOKUP, FLOW_PRIO_OVERRIDE, cookie,
                  REG_ORIGIN"=1,dl_dst="FLOW_ANNOUNCE_FRAME_MACS,
                  "set_field:ff:ff:ff:ff:ff:ff->eth_dst,resubmit(,%d)",
                  FLOW_TABLE_FLOOD);
    /* What VMs say to the controller is for no other VM; and it hears them
     * only while it asks them, see pipeline_move_answers(). */
    flow_list_add(fl, FLOW_TABLE_LOOKUP, FLOW_PRIO_NORMAL, cookie,
                  "dl_dst="FLOW_NVA_MAC, "drop");
    flow_list_add(fl, FLOW_TABLE_LOOKUP, FLOW_PRIO_OVERRIDE, cookie,
                  "icmp6,icmp_type=135,nd_target="FLOW_NVA_LLA, "drop");

    flow_list_add(fl, FLOW_TABLE_LOOKUP, FLOW_PRIO_DEFAULT, cookie, "",
                  "resubmit(,%d),resubmit(,%d)",
                  FLOW_TABLE_MAPPING, FLOW_TABLE_OUTPUT);
    pipeline_put_copies__(&a);
    flow_list_add(fl, FLOW_TABLE_FLOOD, FLOW_PRIO_DEFAULT, cookie, "", "%s",
                  ds_cstr(&a));
    ds_destroy(&a);
}

/* The end of the pipeline. */
static void
add_output(struct flow_list *fl, const struct nve *nve, uint64_t cookie)
{
    struct ds m = DS_EMPTY_INITIALIZER;

    flow_list_add(fl, FLOW_TABLE_OUTPUT, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, REG_PLACE"=%d", FLOW_PLACE_LOCAL),
                  "output:"REG_PORT"[]");
    flow_list_add(fl, FLOW_TABLE_OUTPUT, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, REG_PLACE"=%d", FLOW_PLACE_REDIRECT),
                  "resubmit(,%d)", FLOW_TABLE_TUNNEL);

    flow_list_add(fl, FLOW_TABLE_FLOOD_PORT, FLOW_PRIO_DEFAULT, cookie, "",
                  "output:"REG_PORT"[]");

    /* Split horizon for unicast: without the match on the origin a packet
     * could circle between two NVEs that disagree for a moment. */
    flow_list_add(fl, FLOW_TABLE_OUTPUT, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, REG_PLACE"=%d,"REG_ORIGIN"=%d", FLOW_PLACE_REMOTE,
                      FLOW_FROM_VM),
                  "resubmit(,%d)", pipeline_to_tunnel__(nve));
    /* A gateway sends on what a tunnel brought, one hop less (RFC 1812
     * section 5.3.1), so this ends, too. */
    flow_list_add(fl, FLOW_TABLE_OUTPUT, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, REG_PLACE"=%d,"REG_ORIGIN"=%d", FLOW_PLACE_REMOTE,
                      FLOW_ROUTED),
                  "resubmit(,%d)", pipeline_to_tunnel__(nve));
    flow_list_add(fl, FLOW_TABLE_OUTPUT, FLOW_PRIO_DEFAULT, cookie, "",
                  "drop");
    ds_destroy(&m);
}

struct flow_list *
pipeline_nve(const struct nve *nve, ofp_port_t geneve, ofp_port_t vxlan,
             uint32_t packet_in_rate)
{
    uint64_t cookie = cookie_make(COOKIE_NVE, nve->id);
    struct flow_list *fl = flow_list_create();
    struct ds m = DS_EMPTY_INITIALIZER;

    if (packet_in_rate) {
        fl->meter.id = OFPM13_CONTROLLER;
        fl->meter.rate = packet_in_rate;
        fl->meter.burst = packet_in_rate;
    }
    add_tunnel(fl, nve, ENCAP_GENEVE, geneve);
    add_tunnel(fl, nve, ENCAP_VXLAN, vxlan);
    add_defaults(fl, cookie);
    add_nd_reply(fl, cookie);
    add_output(fl, nve, cookie);
    pipeline_add_unanswerable__(fl, cookie);
    pipeline_add_ila_nve__(fl, nve);
    pipeline_add_mtu_nve__(fl, nve);

    /* Flood lists are shared by all NVEs and so name this one, too. */
    for (size_t i = 0; i < nve->n_ips; i++) {
        ds_clear(&m);
        ds_put_cstr(&m, topology_is_ipv4(&nve->ips[i])
                        ? "tun_dst=" : "tun_ipv6_dst=");
        ipv6_format_mapped(&nve->ips[i], &m);
        flow_list_add(fl, FLOW_TABLE_TUNNEL, FLOW_PRIO_OVERRIDE, cookie,
                      ds_cstr(&m), "drop");
    }
    ds_destroy(&m);
    return flow_list_finish(fl);
}

struct flow_list *
pipeline_denied(const struct nve *nve)
{
    static const struct {
        enum flow_table table;
        int priority;
        const char *match;
    } denied[] = {
        { FLOW_TABLE_PORT_SECURITY, FLOW_PRIO_DENY, "ip" },
        { FLOW_TABLE_PORT_SECURITY, FLOW_PRIO_DENY, "ipv6" },
        { FLOW_TABLE_PORT_SECURITY, FLOW_PRIO_DENY, "arp" },
        { FLOW_TABLE_PORT_SECURITY, FLOW_PRIO_DENY, "rarp" },
        { FLOW_TABLE_PORT_SECURITY, FLOW_PRIO_DEFAULT, "" },

        /* Router advertisements, solicitations and neighbor advertisements
         * for others, redirects, answers of a DHCPv6 server. */
        { FLOW_TABLE_ND_SECURITY, FLOW_PRIO_DENY, "icmp6,icmp_type=134" },
        { FLOW_TABLE_ND_SECURITY, FLOW_PRIO_DENY, "icmp6,icmp_type=135" },
        { FLOW_TABLE_ND_SECURITY, FLOW_PRIO_DENY, "icmp6,icmp_type=136" },
        { FLOW_TABLE_ND_SECURITY, FLOW_PRIO_DENY, "icmp6,icmp_type=137" },
        { FLOW_TABLE_ND_SECURITY, FLOW_PRIO_DENY,
          "udp6,tp_src=547,tp_dst=546" },
    };
    uint64_t cookie = cookie_make(COOKIE_DENIED, nve->id);
    struct flow_list *fl = flow_list_create();

    for (size_t i = 0; i < ARRAY_SIZE(denied); i++) {
        flow_list_add(fl, denied[i].table, denied[i].priority, cookie,
                      denied[i].match, "resubmit(,%d)", FLOW_TABLE_DENIED);
    }

    /* Dropped, and a sample of them reported (A8). */
    fl->meter.id = DENIED_METER;
    fl->meter.rate = DENIED_METER_RATE;
    fl->meter.burst = DENIED_METER_RATE;
    flow_list_add(fl, FLOW_TABLE_DENIED, FLOW_PRIO_DEFAULT, cookie, "",
                  "meter:%d,controller(max_len=128,userdata=%02x)",
                  DENIED_METER, PIPELINE_PUNT_DENIED);
    return flow_list_finish(fl);
}

struct flow_list *
pipeline_vn(const struct vn *vn)
{
    struct flow_list *fl = flow_list_create();
    uint64_t cookie = cookie_make(COOKIE_VN, vn->id);
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;

    /* Unknown unicast.  A drop flow of its own counts it. */
    flow_list_add(fl, FLOW_TABLE_OUTPUT, FLOW_PRIO_LOW, cookie,
                  fmt(&m, "metadata=%"PRIu32","REG_PLACE"=%d", vn->vni,
                      FLOW_PLACE_UNKNOWN),
                  "%s", vn->flood_unknown
                        ? fmt(&a, "resubmit(,%d)", FLOW_TABLE_FLOOD)
                        : "drop");
    if (vn->snoop) {
        pipeline_add_snooping__(fl, vn);
    }
    ds_destroy(&m);
    ds_destroy(&a);
    return flow_list_finish(fl);
}

void
pipeline_add_answer__(struct flow_list *fl, const struct pipeline_answer *a,
                      const struct in6_addr *ip)
{
    uint64_t mac = eth_addr_to_uint64(a->mac);
    struct ds m = DS_EMPTY_INITIALIZER;

    ds_put_format(&m, "metadata=%"PRIu32, a->vn->vni);
    if (topology_is_ipv4(ip)) {
        ovs_be32 ip4 = in6_addr_get_mapped_ipv4(ip);

        ds_put_format(&m, ",arp,arp_op=1%s,arp_tpa="IP_FMT,
                      a->is_router ? "" : ",dl_dst=ff:ff:ff:ff:ff:ff",
                      IP_ARGS(ip4));
        flow_list_add(
            fl, FLOW_TABLE_RESPONDER, FLOW_PRIO_NORMAL, a->cookie, ds_cstr(&m),
            "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],"
            "set_field:"ETH_ADDR_FMT"->eth_src,load:2->NXM_OF_ARP_OP[],"
            "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],"
            "load:%#"PRIx64"->NXM_NX_ARP_SHA[],"
            "move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],"
            "load:%#"PRIx32"->NXM_OF_ARP_SPA[],in_port",
            ETH_ADDR_ARGS(a->mac), mac, ntohl(ip4));
    } else {
        ds_put_format(&m, ",icmp6,icmp_type=135,icmp_code=0,nw_ttl=255%s,"
                      "nd_target=", a->is_router ? ""
                      : ",dl_dst=33:33:00:00:00:00/ff:ff:00:00:00:00");
        ipv6_format_addr(ip, &m);
        flow_list_add(
            fl, FLOW_TABLE_RESPONDER, FLOW_PRIO_NORMAL, a->cookie, ds_cstr(&m),
            "set_field:%#"PRIx64"->"FLOW_XREG_ND_MAC",%s"
            "set_field:2->"REG_ND_OPTION",set_field:136->icmpv6_type,"
            "resubmit(,%d)", mac,
            a->is_router ? "set_field:0x80000000->"REG_ND_FLAGS"," : "",
            FLOW_TABLE_ND_REPLY);
    }
    ds_destroy(&m);
}

/* Every NVE of the VN answers for every address of it (C3), to broadcast and
 * multicast requests only: a unicast request is a question whether the VM is
 * alive (RFC 4861 section 7.3), which only the VM can answer. */
static void
add_responder(struct flow_list *fl, const struct port *port, uint64_t cookie)
{
    for (size_t i = 0; i < port->n_ips; i++) {
        pipeline_add_answer__(fl, &(struct pipeline_answer) {
                .vn = port->vn, .cookie = cookie, .mac = port->mac,
            }, &port->ips[i]);
    }
}

/* (VN, MAC) is at another NVE. */
static void
add_remote_mapping(struct flow_list *fl, const struct port *port,
                   const struct nve *nve, int ip)
{
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;

    pipeline_put_tunnel_to__(&a, nve, ip);
    flow_list_add(fl, FLOW_TABLE_MAPPING, FLOW_PRIO_NORMAL,
                  cookie_make(COOKIE_PORT, port->id),
                  fmt(&m, "metadata=%"PRIu32",dl_dst="ETH_ADDR_FMT,
                      port->vn->vni, ETH_ADDR_ARGS(port->mac)),
                  "set_field:%d->"REG_PLACE",%s", FLOW_PLACE_REMOTE,
                  ds_cstr(&a));
    pipeline_add_ila_remote__(fl, port, nve, ip);
    pipeline_add_mtu_remote__(fl, port, nve, ip);
    ds_destroy(&m);
    ds_destroy(&a);
}

struct flow_list *
pipeline_port_remote(const struct port *port, const struct nve *nve, int ip)
{
    struct flow_list *fl = flow_list_create();

    add_responder(fl, port, cookie_make(COOKIE_PORT, port->id));
    if (nve && ip >= 0) {
        add_remote_mapping(fl, port, nve, ip);
    }
    return flow_list_finish(fl);
}

/* What lets a packet of an interface through a table. */
struct security {
    struct flow_list *fl;
    uint64_t cookie;
    const struct port *port;
    ofp_port_t ofport;
    struct ds m;
};

static void OVS_PRINTF_FORMAT(4, 5)
add_security(struct security *s, enum flow_table table, int priority,
             const char *match, ...)
{
    va_list args;

    ds_clear(&s->m);
    ds_put_format(&s->m, "in_port=%"PRIu32, s->ofport);
    va_start(args, match);
    ds_put_format_valist(&s->m, match, args);
    va_end(args);

    flow_list_add(s->fl, table, priority, s->cookie, ds_cstr(&s->m),
                  "resubmit(,%d)", table == FLOW_TABLE_PORT_SECURITY
                                   && strstr(ds_cstr(&s->m), "ipv6")
                                   ? FLOW_TABLE_ND_SECURITY
                                   : FLOW_TABLE_ACTIVATION);
}

static void
add_security_ipv4(struct security *s, const struct in6_addr *addr)
{
    struct eth_addr mac = s->port->mac;
    ovs_be32 ip = in6_addr_get_mapped_ipv4(addr);

    add_security(s, FLOW_TABLE_PORT_SECURITY, FLOW_PRIO_ALLOW,
                 ",dl_src="ETH_ADDR_FMT",ip,nw_src="IP_FMT,
                 ETH_ADDR_ARGS(mac), IP_ARGS(ip));
    add_security(s, FLOW_TABLE_PORT_SECURITY, FLOW_PRIO_ALLOW,
                 ",dl_src="ETH_ADDR_FMT",arp,arp_sha="ETH_ADDR_FMT
                 ",arp_spa="IP_FMT,
                 ETH_ADDR_ARGS(mac), ETH_ADDR_ARGS(mac), IP_ARGS(ip));
}

static void
add_security_ipv6(struct security *s, const struct in6_addr *addr)
{
    struct eth_addr mac = s->port->mac;
    char ip[INET6_ADDRSTRLEN];

    ipv6_string_mapped(ip, addr);
    add_security(s, FLOW_TABLE_PORT_SECURITY, FLOW_PRIO_ALLOW,
                 ",dl_src="ETH_ADDR_FMT",ipv6,ipv6_src=%s",
                 ETH_ADDR_ARGS(mac), ip);

    /* Neighbor advertisements for this address, with our MAC or with none. */
    add_security(s, FLOW_TABLE_ND_SECURITY, FLOW_PRIO_ALLOW,
                 ",icmp6,icmp_type=136,nd_target=%s,nd_tll="ETH_ADDR_FMT,
                 ip, ETH_ADDR_ARGS(mac));
    add_security(s, FLOW_TABLE_ND_SECURITY, FLOW_PRIO_ALLOW,
                 ",icmp6,icmp_type=136,nd_target=%s,"
                 "nd_tll=00:00:00:00:00:00", ip);
}

/* What any VM may say in neighbor discovery besides advertisements. */
static void
add_nd_security(struct security *s)
{
    struct eth_addr mac = s->port->mac;

    add_security(s, FLOW_TABLE_ND_SECURITY, FLOW_PRIO_ALLOW,
                 ",icmp6,icmp_type=135,nd_sll="ETH_ADDR_FMT,
                 ETH_ADDR_ARGS(mac));
    add_security(s, FLOW_TABLE_ND_SECURITY, FLOW_PRIO_ALLOW,
                 ",icmp6,icmp_type=135,nd_sll=00:00:00:00:00:00");
}

/* Port security (V12, A7).  Without it a VM can answer for another one's
 * address, and a spoofed announcement would look like a move.  What nothing
 * here lets through is denied, see pipeline_denied(). */
static void
add_port_security(struct flow_list *fl, const struct port *port,
                  uint64_t cookie, ofp_port_t ofport)
{
    struct security s = {
        .fl = fl, .cookie = cookie, .port = port, .ofport = ofport,
        .m = DS_EMPTY_INITIALIZER,
    };
    struct eth_addr mac = port->mac;
    struct in6_addr lla;

    if (!port->security) {
        add_security(&s, FLOW_TABLE_PORT_SECURITY, FLOW_PRIO_NORMAL, "%s",
                     "");
        ds_destroy(&s.m);
        return;
    }

    for (size_t i = 0; i < port->n_ips; i++) {
        if (topology_is_ipv4(&port->ips[i])) {
            add_security_ipv4(&s, &port->ips[i]);
        } else {
            add_security_ipv6(&s, &port->ips[i]);
        }
    }
    in6_generate_lla(mac, &lla);
    add_security_ipv6(&s, &lla);

    /* Before it has an address: duplicate detection for either family
     * (RFC 5227, RFC 4862), DHCP. */
    add_security(&s, FLOW_TABLE_PORT_SECURITY, FLOW_PRIO_ALLOW,
                 ",dl_src="ETH_ADDR_FMT",arp,arp_sha="ETH_ADDR_FMT
                 ",arp_spa=0.0.0.0", ETH_ADDR_ARGS(mac), ETH_ADDR_ARGS(mac));
    add_security(&s, FLOW_TABLE_PORT_SECURITY, FLOW_PRIO_ALLOW,
                 ",dl_src="ETH_ADDR_FMT",ipv6,ipv6_src=::",
                 ETH_ADDR_ARGS(mac));
    add_security(&s, FLOW_TABLE_PORT_SECURITY, FLOW_PRIO_ALLOW,
                 ",dl_src="ETH_ADDR_FMT",udp,nw_src=0.0.0.0,"
                 "nw_dst=255.255.255.255,tp_src=68,tp_dst=67",
                 ETH_ADDR_ARGS(mac));
    add_security(&s, FLOW_TABLE_PORT_SECURITY, FLOW_PRIO_ALLOW,
                 ",dl_src="ETH_ADDR_FMT",rarp,arp_sha="ETH_ADDR_FMT,
                 ETH_ADDR_ARGS(mac), ETH_ADDR_ARGS(mac));
    add_nd_security(&s);

    /* Protocols other than IP and ARP carry no address that could be checked
     * and pass with the right MAC (V6). */
    add_security(&s, FLOW_TABLE_PORT_SECURITY, FLOW_PRIO_LOW,
                 ",dl_src="ETH_ADDR_FMT, ETH_ADDR_ARGS(mac));
    ds_destroy(&s.m);
}

/* Requests go to the responder, metered, unless they are for an address of
 * the VM itself: it announces that or checks whether it is free. */
static void
add_responder_limit(struct flow_list *fl, const struct port *port,
                    uint64_t cookie, ofp_port_t ofport)
{
    static const char *const requests[] = {
        "arp,arp_op=1,dl_dst=ff:ff:ff:ff:ff:ff",
        "icmp6,icmp_type=135,icmp_code=0,"
        "dl_dst=33:33:00:00:00:00/ff:ff:00:00:00:00",
    };
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < port->n_ips; i++) {
        ds_clear(&m);
        ds_put_format(&m, "in_port=%"PRIu32",%s=", ofport,
                      topology_is_ipv4(&port->ips[i])
                      ? "arp,arp_op=1,arp_tpa"
                      : "icmp6,icmp_type=135,icmp_code=0,nd_target");
        ipv6_format_mapped(&port->ips[i], &m);
        flow_list_add(fl, FLOW_TABLE_RESPONDER_LIMIT, FLOW_PRIO_OVERRIDE,
                      cookie, ds_cstr(&m), "resubmit(,%d)",
                      FLOW_TABLE_LOOKUP);
    }

    if (port->vn->responder_rate) {
        /* The meter of a port has the port's number, which is unique in the
         * bridge and the same after a restart. */
        fl->meter.id = ofp_to_u16(ofport);
        fl->meter.rate = port->vn->responder_rate;
        fl->meter.burst = port->vn->responder_burst;
        fmt(&a, "meter:%"PRIu32",", fl->meter.id);
    }
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        flow_list_add(fl, FLOW_TABLE_RESPONDER_LIMIT, FLOW_PRIO_NORMAL,
                      cookie,
                      fmt(&m, "in_port=%"PRIu32",%s", ofport, requests[i]),
                      "%sresubmit(,%d)", ds_cstr(&a), FLOW_TABLE_RESPONDER);
    }

    /* A VM may ask for its address (RFC 903), and a hypervisor announces a VM
     * with the same words, so all hear it first: a meter drops what follows.
     * Open vSwitch cannot rewrite RARP, so the controller answers. */
    flow_list_add(fl, FLOW_TABLE_RESPONDER_LIMIT, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, "in_port=%"PRIu32",rarp,arp_op=3,"
                      "dl_dst=ff:ff:ff:ff:ff:ff", ofport),
                  "resubmit(,%d),resubmit(,%d)", FLOW_TABLE_LOOKUP,
                  FLOW_TABLE_RESPONDER);
    flow_list_add(fl, FLOW_TABLE_RESPONDER, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, "in_port=%"PRIu32",rarp", ofport),
                  "%scontroller(max_len=64,userdata=%02x)", ds_cstr(&a),
                  PIPELINE_PUNT_RARP);
    ds_destroy(&m);
    ds_destroy(&a);
}

struct flow_list *
pipeline_port_local(const struct port *port, const struct nve *here,
                    ofp_port_t ofport, const struct nve *there, int ip,
                    bool closed)
{
    uint64_t cookie = cookie_make(COOKIE_PORT, port->id);
    struct flow_list *fl = flow_list_create();
    struct ds m = DS_EMPTY_INITIALIZER;

    flow_list_add(fl, FLOW_TABLE_CLASSIFY, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, "in_port=%"PRIu32, ofport),
                  FLOW_KEEP_SOURCE",set_field:%"PRIu32"->metadata,"
                  "resubmit(,%d)", port->vn->vni, FLOW_TABLE_PORT_SECURITY);
    add_port_security(fl, port, cookie, ofport);
    add_responder_limit(fl, port, cookie, ofport);
    add_responder(fl, port, cookie);
    pipeline_add_way_out__(fl, port, here, ofport);
    pipeline_add_ila_local__(fl, port, here, FLOW_PRIO_NORMAL, cookie);
    pipeline_add_mtu_local__(fl, port, here, ofport);

    /* Open vSwitch would skip the sender, too, but with a line in its log. */
    flow_list_add(fl, FLOW_TABLE_FLOOD_PORT, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, "in_port=%"PRIu32","REG_PORT"=%"PRIu32, ofport,
                      ofport), "drop");
    /* What a VM has sent at its place before is not for itself: it might take
     * it for somebody else with its address. */
    flow_list_add(fl, FLOW_TABLE_FLOOD_PORT, FLOW_PRIO_OVERRIDE, cookie,
                  fmt(&m, REG_ORIGIN"=%d,metadata=%"PRIu32
                      ",dl_src="ETH_ADDR_FMT","REG_PORT"=%"PRIu32,
                      FLOW_FROM_TUNNEL, port->vn->vni,
                      ETH_ADDR_ARGS(port->mac), ofport), "drop");

    if (there) {
        if (ip >= 0) {
            add_remote_mapping(fl, port, there, ip);
        }
    } else {
        flow_list_add(fl, FLOW_TABLE_MAPPING, FLOW_PRIO_NORMAL, cookie,
                      fmt(&m, "metadata=%"PRIu32",dl_dst="ETH_ADDR_FMT,
                          port->vn->vni, ETH_ADDR_ARGS(port->mac)),
                      "set_field:%d->"REG_PLACE",set_field:%"PRIu32
                      "->"REG_PORT,
                      closed ? FLOW_PLACE_CLOSED : FLOW_PLACE_LOCAL, ofport);
    }
    ds_destroy(&m);
    return flow_list_finish(fl);
}
