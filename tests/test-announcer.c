/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Announcements to physical networks, in virtual time.
 *
 * Reads commands from stdin and prints each with what happens, at a time in
 * ms.  The NVE has an uplink, OpenFlow port 7, into the VN of port vm1, which
 * has an IPv4 and an IPv6 address.
 *
 *   vlan N         the uplink's VLAN
 *   unplug         there is no uplink any more
 *   start COUNT | stop
 *   gateway COUNT  as "start", for a gateway of the VN
 *   run TIME       do what is due, with time passing up to TIME
 *   count          how often it has been announced */

#include <config.h>

#include "test-nva.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "announcer.h"
#include "csum.h"
#include "dp-packet.h"
#include "flow.h"
#include "gateway.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "topology.h"
#include "util.h"

struct scene {
    struct topology t;
    struct announcer *announcer;
    struct announcement *announcement;
    struct nve *nve;
    struct port *port;
    struct gateway *gw;
    struct eth_addr mac;        /* Of who is announced. */
    long long int now;
};

/* Prints the frame that 'po' sends. */
static void
put_frame(const struct scene *s, const struct ofputil_packet_out *po)
{
    const struct ofpact_output *output = ofpact_get_OUTPUT(po->ofpacts);
    struct ds ds = DS_EMPTY_INITIALIZER;
    struct dp_packet p;
    struct flow flow;

    dp_packet_use_const(&p, po->packet, po->packet_len);
    p.packet_type = htonl(PT_ETH);
    flow_extract(&p, &flow);
    ovs_assert(eth_addr_equals(flow.dl_src, s->mac));
    ds_put_format(&ds, "%lld: port %"PRIu32", VLAN %d, to "ETH_ADDR_FMT": ",
                  s->now, output->port, vlan_tci_to_vid(flow.vlans[0].tci),
                  ETH_ADDR_ARGS(flow.dl_dst));
    if (flow.dl_type == htons(ETH_TYPE_RARP)) {
        ds_put_cstr(&ds, "RARP");
    } else if (flow.dl_type == htons(ETH_TYPE_ARP)) {
        ovs_assert(flow.nw_src == flow.nw_dst);
        ds_put_format(&ds, "ARP %d for "IP_FMT, flow.nw_proto,
                      IP_ARGS(flow.nw_src));
    } else {
        uint32_t csum = packet_csum_pseudoheader6(dp_packet_l3(&p));

        ovs_assert(!csum_finish(csum_continue(csum, dp_packet_l4(&p),
                                              dp_packet_l4_size(&p))));
        ovs_assert(eth_addr_equals(flow.arp_tha, s->mac));
        ovs_assert(ipv6_addr_equals(&flow.nd_target, &flow.ipv6_src));
        ds_put_format(&ds, "ICMPv6 %d for ", ntohs(flow.tp_src));
        ipv6_format_addr(&flow.nd_target, &ds);
        ds_put_format(&ds, "%s", flow.igmp_group_ip4 & htonl(ND_RSO_ROUTER)
                                 ? ", a router" : "");
    }
    puts(ds_cstr(&ds));
    ds_destroy(&ds);
}

static void
on_send(struct nve *at, struct ofpbuf *msg, void *s_)
{
    const struct scene *s = s_;
    uint64_t stub[1024 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ofputil_packet_out po;

    ovs_assert(at == s->nve);
    ofpmsg_update_length(msg);
    ovs_assert(!ofputil_decode_packet_out(&po, msg->data, NULL, &ofpacts));
    put_frame(s, &po);
    ofpbuf_uninit(&ofpacts);
    ofpbuf_delete(msg);
}

static void
stop(struct scene *s)
{
    announcer_stop(s->announcer, s->announcement);
    s->announcement = NULL;
}

static void
on_finished(void *s_, void *aux OVS_UNUSED)
{
    struct scene *s = s_;

    printf("%lld: finished after %u\n", s->now,
           announcer_count(s->announcement));
    stop(s);
}

static const struct announcer_class class = {
    .send = on_send,
    .finished = on_finished,
};

/* Lets time pass from deadline to deadline, up to 'until'. */
static void
run(struct scene *s, long long int until)
{
    for (;;) {
        long long int deadline;

        announcer_run(s->announcer, s->now);
        deadline = announcer_deadline(s->announcer);
        if (deadline > until) {
            break;
        }
        ovs_assert(deadline > s->now);
        s->now = deadline;
    }
    s->now = until;
}

static void
do_line(struct scene *s, const char *line)
{
    char command[16] = "";
    int arg = 0;

    if (sscanf(line, "%15s %d", command, &arg) < 1) {
        return;
    }
    printf("### %s", line);
    if (!strcmp(command, "vlan")) {
        topology_clear_uplinks(s->nve);
        topology_add_uplink(s->nve, "blue", "up0", u16_to_ofp(7), arg,
                            false);
    } else if (!strcmp(command, "unplug")) {
        topology_clear_uplinks(s->nve);
    } else if (!strcmp(command, "start")) {
        s->mac = s->port->mac;
        s->announcement = announcer_start(s->announcer, s->port, s->nve, arg,
                                          s, s->now);
    } else if (!strcmp(command, "gateway")) {
        s->mac = s->gw->config->mac;
        s->announcement = announcer_start_gateway(s->announcer, s->gw, arg,
                                                  s->now);
    } else if (!strcmp(command, "stop")) {
        stop(s);
    } else if (!strcmp(command, "run")) {
        run(s, arg);
    } else if (!strcmp(command, "count")) {
        printf("%u\n", announcer_count(s->announcement));
    } else {
        ovs_fatal(0, "unknown command %s", command);
    }
}

int
test_announcer(int argc OVS_UNUSED, char *argv[] OVS_UNUSED)
{
    struct in6_addr ips[] = { test_ip("10.0.0.1"), test_ip("fd00::1") };
    struct gateway_prefix prefixes[] = { { test_ip("10.0.0.254"), 120 },
                                         { test_ip("fd00::fe"), 64 } };
    const struct gateway_config config = {
        .mac = ETH_ADDR_C(0a,00,00,00,01,fe),
        .ips = prefixes, .n_ips = ARRAY_SIZE(prefixes),
    };
    struct scene s = { .now = 0 };
    char line[128];

    topology_init(&s.t);
    s.announcer = announcer_create(&class, &s);
    s.nve = topology_add_nve(&s.t, "hv1", 1);
    s.port = topology_add_port(&s.t, "vm1", 3,
                               topology_add_vn(&s.t, "blue", 2));
    s.port->mac = (struct eth_addr) ETH_ADDR_C(0a,00,00,00,00,01);
    topology_set_ips(s.port, xmemdup(ips, sizeof ips), ARRAY_SIZE(ips));
    s.gw = gateway_add("gw", 4, s.port->vn, s.nve);
    s.gw->config = &config;
    while (fgets(line, sizeof line, stdin)) {
        do_line(&s, line);
    }
    announcer_destroy(s.announcer);
    gateway_unlink(s.gw);
    gateway_free(s.gw);
    topology_uninit(&s.t);
    return EXIT_SUCCESS;
}
