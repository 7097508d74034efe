/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Prints what pure modules of the controller make, for the test suite. */

#include <config.h>

#include "test-nva.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csum.h"
#include "flow.h"
#include "flow-tables.h"
#include "gateway.h"
#include "ila.h"
#include "mcast.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/types.h"
#include "pipeline.h"
#include "svec.h"
#include "util.h"

struct in6_addr
test_ip(const char *s)
{
    struct in6_addr a;
    ovs_be32 v4;

    if (ip_parse(s, &v4)) {
        return in6_addr_mapped_ipv4(v4);
    }
    ovs_assert(ipv6_parse(s, &a));
    return a;
}

static void
print_list(const char *title, struct flow_list *fl)
{
    struct svec lines = SVEC_EMPTY_INITIALIZER;
    struct flow_entry *flows;
    const char *line;
    size_t j;

    printf("%s\n", title);
    if (!fl) {
        return;
    }
    if (fl->meter.id) {
        printf("  meter %"PRIu32": %"PRIu32"/s, burst %"PRIu32"\n",
               fl->meter.id, fl->meter.rate, fl->meter.burst);
    }
    flows = flow_list_expand(fl);

    /* The order within a table is that of hashes, which differ from machine
     * to machine. */
    for (int table = 0; table < 255; table++) {
        for (size_t i = 0; i < fl->n; i++) {
            if (flows[i].table == table) {
                struct ds s = DS_EMPTY_INITIALIZER;

                flow_entry_format(&flows[i], &s);
                svec_add_nocopy(&lines, ds_steal_cstr(&s));
            }
        }
        svec_sort(&lines);
        SVEC_FOR_EACH (j, line, &lines) {
            printf("  %s\n", line);
        }
        svec_clear(&lines);
    }
    svec_destroy(&lines);
    free(flows);
    flow_list_unref(fl);
}

/* Prints what 'gw' needs if it translates to an address in the network of
 * "red-gw", and to one elsewhere. */
static void
print_nat(struct gateway *gw)
{
    static const char *const ips[] = { "10.0.1.77", "192.0.2.77" };

    for (size_t i = 0; i < ARRAY_SIZE(ips); i++) {
        struct in6_addr ip = test_ip(ips[i]);

        gateway_set_snat(gw, &ip);
        print_list("nat", pipeline_nat(gw));
    }
    print_list("gateway that translates", pipeline_gateway(gw));
    gateway_set_snat(gw, &in6addr_any);
    ovs_assert(!pipeline_nat(gw));
}

/* Prints what changes when VN red is the outside: 'gw' leads there, 'red_gw'
 * is there, and "router" is the next hop. */
static void
print_outside(struct topology *t, struct gateway *gw,
              struct gateway *red_gw, struct gateway_config *red_config)
{
    struct port *router = topology_add_port(t, "router", 0x32, red_gw->vn);
    struct in6_addr ip = test_ip("10.0.1.9");

    router->mac = (struct eth_addr) ETH_ADDR_C(02,00,00,00,00,09);
    topology_set_ips(router, xmemdup(&ip, sizeof ip), 1);
    red_config->next_hops[red_config->n_next_hops++] = ip;
    topology_add_uplink(red_gw->nve, "red", "up0", u16_to_ofp(20), 100,
                        false);
    print_list("gateway to the outside", pipeline_gateway(gw));
    print_list("gateway on standby outside", pipeline_gateway(red_gw));
    print_list("gateway-self on standby outside",
               pipeline_gateway_self(red_gw));
    red_gw->outside = GATEWAY_SPEAKS;
    print_list("gateway outside", pipeline_gateway(red_gw));
    print_list("gateway-self outside", pipeline_gateway_self(red_gw));
    print_list("next hop", pipeline_host(red_gw, router));
    print_nat(gw);
    topology_clear_uplinks(red_gw->nve);
    topology_remove_port(t, router);
}

/* Prints what a port at "hv2" needs that is served by 'gw' while connections
 * stay with another gateway there. */
static void
print_keep(struct topology *t, struct gateway *gw, struct port *port)
{
    static const char *const titles[] = {
        [KEEP_ALL] = "port-local, all connections stay",
        [KEEP_SURVEY] = "port-local, new ones of TCP do not",
        [KEEP_KNOWN] = "port-local, only known ones stay",
    };
    struct nve *nve = topology_find_nve(t, "hv2");
    struct gateway *before = gateway_add("gw-before", 0x63, gw->vn, nve);
    struct keep keep = { .gw = before };

    before->config = gw->config;
    port->keep = &keep;
    port->vn->connection_idle = 120;
    for (int i = KEEP_ALL; i <= KEEP_KNOWN; i++) {
        keep.stage = i;
        print_list(titles[i], pipeline_port_local(port, nve, u16_to_ofp(10),
                                                  NULL, -1, false));
    }
    /* The way to either limits what the VM may send. */
    keep.gw = gw;
    port->gateway = before;
    gw->nve->underlay_mtu = nve->underlay_mtu = 1500;
    print_list("port-local, connections stay with a gateway elsewhere",
               pipeline_port_local(port, nve, u16_to_ofp(10), NULL, -1,
                                   false));
    gw->nve->underlay_mtu = nve->underlay_mtu = 0;
    port->gateway = gw;
    port->keep = NULL;
    gateway_unlink(before);
    gateway_free(before);
}

/* Prints what gateways of 'vn' and of another VN at "hv1" need, and where
 * 'port' is what a port there and elsewhere does. */
static void
print_gateways(struct topology *t, struct vn *vn, struct port *port)
{
    struct vn *red = topology_add_vn(t, "red", 0x22);
    struct nve *nve = topology_find_nve(t, "hv1");
    struct nve *other = topology_find_nve(t, "hv2");
    struct gateway_prefix ips[] = { { test_ip("10.0.0.254"), 120 },
                                    { test_ip("fd00::fe"), 64 } };
    struct gateway_prefix red_ips[] = { { test_ip("10.0.1.254"), 120 },
                                        { test_ip("fd01::fe"), 64 } };
    struct gateway_rule rules[] = {
        { true, { test_ip("10.0.1.7"), 128 } },
        { false, { test_ip("10.0.1.0"), 120 } },
    };
    uint64_t red_id = red->id;
    struct gateway_config config = {
        .mac = ETH_ADDR_C(02,00,00,00,00,fe), .ips = ips, .n_ips = 2,
        .vns = &red_id, .n_vns = 1, .rules = rules, .n_rules = 2,
        .rate = 1000, .burst = 10,
    };
    struct gateway_config red_config = {
        .mac = ETH_ADDR_C(02,00,00,00,01,fe), .ips = red_ips, .n_ips = 2,
    };
    struct gateway *gw = gateway_add("gw", 0x61, vn, nve);
    struct gateway *red_gw = gateway_add("red-gw", 0x62, red, nve);

    red->vni = 5002;
    gw->config = &config;
    red_gw->config = &red_config;
    port->gateway = gw;
    print_list("router", pipeline_router(vn));
    print_list("gateway", pipeline_gateway(gw));
    print_list("gateway-self", pipeline_gateway_self(gw));
    print_list("host", pipeline_host(gw, port));
    print_list("port-local at its gateway",
               pipeline_port_local(port, nve, u16_to_ofp(10), NULL, -1,
                                   false));
    print_list("port-local elsewhere",
               pipeline_port_local(port, other, u16_to_ofp(10), NULL, -1,
                                   false));
    config.reject = true;
    print_list("gateway that rejects", pipeline_gateway(gw));
    print_list("gateway-self that rejects", pipeline_gateway_self(gw));
    config.reject = false;
    nve->underlay_mtu = 1600;
    other->underlay_mtu = 1500;
    print_list("gateway-self with an MTU", pipeline_gateway_self(gw));
    print_list("port-local elsewhere with an MTU",
               pipeline_port_local(port, other, u16_to_ofp(10), NULL, -1,
                                   false));
    nve->underlay_mtu = other->underlay_mtu = 0;
    print_keep(t, gw, port);
    port->gateway = NULL;
    print_outside(t, gw, red_gw, &red_config);
    gateway_unlink(gw);
    gateway_free(gw);
    gateway_unlink(red_gw);
    gateway_free(red_gw);
}

/* Prints the copies that 'from', which has addresses of both families, sends
 * to NVEs with one of either. */
static void
print_families(struct topology *t, const struct vn *vn,
               const struct nve *from)
{
    struct nve *hv4 = topology_add_nve(t, "hv4", 0x14);
    struct nve *hv6 = topology_add_nve(t, "hv6", 0x16);

    hv4->ips[hv4->n_ips++] = test_ip("192.0.2.4");
    hv6->ips[hv6->n_ips++] = test_ip("2001:db8::6");
    print_list("flood-remote, both families", pipeline_flood_remote(
        vn, from, (const struct nve *const []) { hv4, hv6, hv4 }, 3));
}

/* Prints what a move of 'port' needs. */
static void
print_move(const struct port *port, const struct nve *hv1,
           const struct nve *hv2)
{
    print_list("arrival",
               pipeline_move_arrival(port, 0x41, u16_to_ofp(10),
                                     true));
    print_list("mark", pipeline_move_mark(0x41, u16_to_ofp(10)));
    print_list("arm at a peer", pipeline_move_arm(port, 0x41, hv2, 0, 0));
    print_list("arm at the old NVE",
               pipeline_move_arm(port, 0x41, hv2, 1, u16_to_ofp(10)));
    print_list("open gate of the old place",
               pipeline_move_gate_old(port, 0x41, u16_to_ofp(10), true));
    print_list("shut gate of the new place",
               pipeline_move_gate_new(port, 0x41, u16_to_ofp(10), hv2, 0,
                                      false));
    print_list("redirect", pipeline_move_redirect(port, 0x41, hv1, hv2, 0,
                                                  u16_to_ofp(10)));
    print_list("answers",
               pipeline_move_answers(port, 0x41, u16_to_ofp(10), false));
    print_list("answers at the new NVE",
               pipeline_move_answers(port, 0x41, u16_to_ofp(10), true));
}

/* Prints all flows of a small scene. */
static int
test_pipeline(int argc OVS_UNUSED, char *argv[] OVS_UNUSED)
{
    struct topology t;
    struct nve *hv1, *hv2;
    struct vn *vn;
    struct port *port;
    struct in6_addr ips[] = { test_ip("10.0.0.1"), test_ip("fd00::1") };
    struct mcast_group v4 = { .ip = test_ip("239.129.2.3"), .id = 0x51 };
    struct mcast_group v6 = { .ip = test_ip("ff05::1234:5678"), .id = 0x52 };

    topology_init(&t);
    hv1 = topology_add_nve(&t, "hv1", 0x11);
    hv1->ips[hv1->n_ips++] = test_ip("192.0.2.1");
    hv2 = topology_add_nve(&t, "hv2", 0x12);
    hv2->encap = ENCAP_VXLAN;
    hv2->ips[hv2->n_ips++] = test_ip("192.0.2.2");
    hv2->ips[hv2->n_ips++] = test_ip("2001:db8::2");
    vn = topology_add_vn(&t, "blue", 0x21);
    vn->vni = 5001;
    vn->responder_rate = 100;
    vn->responder_burst = 20;
    vn->snoop = true;
    v4.vn = v6.vn = vn;
    port = topology_add_port(&t, "vm1", 0x31, vn);
    topology_set_ips(port, xmemdup(ips, sizeof ips), ARRAY_SIZE(ips));
    port->security = true;
    ovs_assert(eth_addr_from_string("02:00:00:00:00:01", &port->mac));

    print_list("nve", pipeline_nve(hv1, u16_to_ofp(1), u16_to_ofp(2), 1000));
    print_list("denied", pipeline_denied(hv1));
    print_list("vn", pipeline_vn(vn));
    print_list("flood-local", pipeline_flood_local(
        vn, (ofp_port_t []) { u16_to_ofp(10), u16_to_ofp(11) }, 2));
    print_list("flood-remote", pipeline_flood_remote(
        vn, hv1, (const struct nve *const []) { hv2 }, 1));
    print_families(&t, vn, hv2);
    print_list("group-local", pipeline_group_local(
        &v4, (ofp_port_t []) { u16_to_ofp(10), u16_to_ofp(11) }, 2));
    print_list("group-remote", pipeline_group_remote(
        &v6, hv1, (const struct nve *const []) { hv2 }, 1));
    print_list("group without members", pipeline_group_local(&v6, NULL, 0));
    print_list("port-remote", pipeline_port_remote(port, hv2, 0));
    print_list("port-local", pipeline_port_local(port, hv1, u16_to_ofp(10),
                                                 NULL, -1, false));
    print_move(port, hv1, hv2);
    for (vn->late = 0; vn->late <= VN_LATE_FORWARD; vn->late++) {
        printf("vn->late = %d\n", vn->late);
        print_list("late", pipeline_late(port, hv1, false, hv2, 0));
        print_list("late at a closed place",
                   pipeline_late(port, hv1, true, hv1, -1));
    }
    print_list("uplink", pipeline_uplink(vn, u16_to_ofp(20), 100));
    print_list("untagged uplink", pipeline_uplink(vn, u16_to_ofp(20), 0));
    print_gateways(&t, vn, port);
    hv1->locator = test_ip("2001:db8:a:1::");
    hv2->locator = test_ip("2001:db8:a:2::");
    hv1->host_mac = hv2->host_mac = port->mac;
    vn->sir = test_ip("fd00::");
    print_list("nve with a locator",
               pipeline_nve(hv1, u16_to_ofp(1), u16_to_ofp(2), 1000));
    print_list("port-remote with a locator",
               pipeline_port_remote(port, hv2, 0));
    print_list("port-local with a locator",
               pipeline_port_local(port, hv1, u16_to_ofp(10), NULL, -1,
                                   false));
    print_list("redirect with a locator",
               pipeline_move_redirect(port, 0x41, hv1, hv2, 0,
                                      u16_to_ofp(10)));
    vn->late = VN_LATE_FORWARD;
    print_list("late with a locator",
               pipeline_late(port, hv1, false, hv2, 0));
    hv1->locator = hv2->locator = vn->sir = in6addr_any;
    hv1->underlay_mtu = 1600;
    hv2->underlay_mtu = 1500;
    print_list("nve with an MTU",
               pipeline_nve(hv1, u16_to_ofp(1), u16_to_ofp(2), 1000));
    print_list("port-remote with an MTU",
               pipeline_port_remote(port, hv2, 0));
    print_list("port-remote with an MTU over IPv6",
               pipeline_port_remote(port, hv2, 1));
    print_list("port-local with an MTU",
               pipeline_port_local(port, hv1, u16_to_ofp(10), NULL, -1,
                                   false));
    topology_uninit(&t);
    return EXIT_SUCCESS;
}

static void
count_change(const struct flow_entry *fe OVS_UNUSED, bool add OVS_UNUSED,
             void *n_)
{
    size_t *n = n_;

    ++*n;
}

/* Prints how many flows the copies to argv[0] NVEs take, every third of which
 * has an IPv6 address, and how many of them change when one leaves; with a
 * second argument the flows. */
static int
test_flood(int argc, char *argv[])
{
    size_t n = atoi(argv[0]), n_changes = 0;
    const struct nve **nves = xmalloc(n * sizeof *nves);
    struct flow_list *before, *after;
    struct topology t;
    struct nve *from;
    struct vn *vn;

    topology_init(&t);
    from = topology_add_nve(&t, "from", 1);
    from->ips[from->n_ips++] = test_ip("192.0.2.1");
    from->ips[from->n_ips++] = test_ip("2001:db8::1");
    for (size_t i = 0; i < n; i++) {
        char *name = xasprintf("hv%"PRIuSIZE, i);
        char *ip = xasprintf(i % 3 ? "10.0.%"PRIuSIZE".%"PRIuSIZE
                             : "2001:db8::%"PRIuSIZE":%"PRIuSIZE,
                             i / 256, i % 256);
        struct nve *nve = topology_add_nve(&t, name, 2 + i);

        nve->ips[nve->n_ips++] = test_ip(ip);
        nves[i] = nve;
        free(name);
        free(ip);
    }
    vn = topology_add_vn(&t, "blue", 1);
    before = pipeline_flood_remote(vn, from, nves, n);
    memmove(&nves[n / 2], &nves[n / 2 + 1], (n - n / 2 - 1) * sizeof *nves);
    after = pipeline_flood_remote(vn, from, nves, n - 1);
    flow_list_diff(before, after, count_change, &n_changes);
    if (argc > 1) {
        print_list("flood-remote", flow_list_ref(before));
    } else {
        printf("%"PRIu32" flows, %"PRIuSIZE" changed\n", before->n,
               n_changes);
    }
    flow_list_unref(before);
    flow_list_unref(after);
    topology_uninit(&t);
    free(nves);
    return EXIT_SUCCESS;
}

/* Prints the address in the underlay of SIR address argv[0] at locator
 * argv[1], and the sums of both, which must be the same. */
static int
test_ila(int argc OVS_UNUSED, char *argv[])
{
    struct in6_addr sir = test_ip(argv[0]), locator, a;
    char *error = ila_parse_prefix(argv[1], &locator);
    char s[INET6_ADDRSTRLEN];

    if (error) {
        printf("%s %s\n", argv[1], error);
        free(error);
        return EXIT_SUCCESS;
    }
    a = ila_translate(&sir, &locator);
    ipv6_string_mapped(s, &a);
    printf("%s, %04x %04x\n", s, ntohs(csum(&sir, sizeof sir)),
           ntohs(csum(&a, sizeof a)));
    return EXIT_SUCCESS;
}

static int
test_flow_tables(int argc OVS_UNUSED, char *argv[] OVS_UNUSED)
{
    flow_tables_format(stdout);
    return EXIT_SUCCESS;
}

static int
test_flow_tables_check(int argc OVS_UNUSED, char *argv[] OVS_UNUSED)
{
    return flow_tables_check(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static const struct {
    const char *name;
    int (*run)(int argc, char *argv[]);
} commands[] = {
    { "pipeline", test_pipeline },
    { "flood", test_flood },
    { "flow-tables", test_flow_tables },
    { "flow-tables-check", test_flow_tables_check },
    { "icmp-error", test_icmp_error },
    { "ila", test_ila },
    { "mcast", test_mcast },
    { "announcer", test_announcer },
    { "migration", test_migration },
    { "neighbor", test_neighbor },
    { "prober", test_prober },
    { "watch", test_watch },
    { "ofsync", test_ofsync },
    { "trace", test_trace },
    { "wiring", test_wiring },
};

int
main(int argc, char *argv[])
{
    set_program_name(argv[0]);
    for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(argv[1], commands[i].name)) {
            return commands[i].run(argc - 2, argv + 2);
        }
    }
    fprintf(stderr, "usage: %s COMMAND [ARG...], where COMMAND is one of:\n",
            argv[0]);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        fprintf(stderr, "  %s\n", commands[i].name);
    }
    return EXIT_FAILURE;
}
