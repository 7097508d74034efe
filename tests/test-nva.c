/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Prints what pure modules of the controller make, for the test suite. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "flow-tables.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/types.h"
#include "pipeline.h"
#include "util.h"

static struct in6_addr
ip(const char *s)
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
    struct ds s = DS_EMPTY_INITIALIZER;

    printf("%s\n", title);
    if (fl->meter.id) {
        printf("  meter %"PRIu32": %"PRIu32"/s, burst %"PRIu32"\n",
               fl->meter.id, fl->meter.rate, fl->meter.burst);
    }
    for (int table = 0; table < 255; table++) {
        for (size_t i = 0; i < fl->n; i++) {
            if (fl->flows[i].table == table) {
                ds_clear(&s);
                flow_entry_format(&fl->flows[i], &s);
                printf("  %s\n", ds_cstr(&s));
            }
        }
    }
    ds_destroy(&s);
    flow_list_unref(fl);
}

/* Prints all flows of a small scene. */
static void
test_pipeline(void)
{
    struct topology t;
    struct nve *hv1, *hv2;
    struct vn *vn;
    struct port *port;
    struct in6_addr ips[] = { ip("10.0.0.1"), ip("fd00::1") };

    topology_init(&t);
    hv1 = topology_add_nve(&t, "hv1", 0x11);
    hv1->ips[hv1->n_ips++] = ip("192.0.2.1");
    hv2 = topology_add_nve(&t, "hv2", 0x12);
    hv2->encap = ENCAP_VXLAN;
    hv2->ips[hv2->n_ips++] = ip("192.0.2.2");
    hv2->ips[hv2->n_ips++] = ip("2001:db8::2");
    vn = topology_add_vn(&t, "blue", 0x21);
    vn->vni = 5001;
    vn->responder_rate = 100;
    vn->responder_burst = 20;
    port = topology_add_port(&t, "vm1", 0x31, vn);
    port->ips = xmemdup(ips, sizeof ips);
    port->n_ips = ARRAY_SIZE(ips);
    port->security = true;
    ovs_assert(eth_addr_from_string("02:00:00:00:00:01", &port->mac));

    print_list("nve", pipeline_nve(hv1, u16_to_ofp(1), u16_to_ofp(2), 1000));
    print_list("vn", pipeline_vn(vn));
    print_list("flood-local", pipeline_flood_local(
        vn, (ofp_port_t []) { u16_to_ofp(10), u16_to_ofp(11) }, 2));
    print_list("flood-remote", pipeline_flood_remote(
        vn, hv1, (const struct nve *const []) { hv2 }, 1));
    print_list("port-remote", pipeline_port_remote(port, hv2, 0));
    print_list("port-local", pipeline_port_local(port, u16_to_ofp(10),
                                                 NULL, -1));
    print_list("activation", pipeline_move_activation(port, 0x41,
                                                      u16_to_ofp(10)));
    print_list("mark", pipeline_move_mark(0x41, u16_to_ofp(10)));
    print_list("arm at a peer", pipeline_move_arm(port, 0x41, hv2, 0, 0));
    print_list("arm at the old NVE",
               pipeline_move_arm(port, 0x41, hv2, 1, u16_to_ofp(10)));
    print_list("redirect", pipeline_move_redirect(port, 0x41, hv2, 0));
    topology_uninit(&t);
}

int
main(int argc, char *argv[])
{
    set_program_name(argv[0]);
    if (argc == 2 && !strcmp(argv[1], "pipeline")) {
        test_pipeline();
    } else if (argc == 2 && !strcmp(argv[1], "flow-tables")) {
        flow_tables_format(stdout);
    } else if (argc == 2 && !strcmp(argv[1], "flow-tables-check")) {
        return flow_tables_check(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
    } else {
        fprintf(stderr, "usage: %s pipeline|flow-tables|flow-tables-check\n",
                argv[0]);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
