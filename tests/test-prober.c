/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Asking VMs where they are, in virtual time.
 *
 * Reads commands from stdin and prints each with what happens, at a time in
 * ms.  NVEs are a and b; VM is vm1 or vm2, which have an interface at both,
 * with OpenFlow ports 11 and 12 at a and 21 and 22 at b.
 *
 *   ips VM [IP]...     the addresses of VM
 *   add VM             begin to ask for VM, whose move is from a to b
 *   remove VM          end that
 *   answer VM NVE      VM answers at NVE now
 *   lives VM NVE       VM answers what it is asked at NVE from now on,
 *                      as soon as the prober has done all that is due
 *   gone VM            it answers nothing from now on
 *   unplug VM NVE      it has no interface there any more
 *   away NVE | back NVE  NVE cannot be reached, or can again
 *   timeout TIME
 *   run TIME           do what is due, with time passing up to TIME
 *   state              deadline; of each VM how many requests were sent */

#include <config.h>

#include "test-nva.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csum.h"
#include "dp-packet.h"
#include "flow.h"
#include "flow-tables.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "prober.h"
#include "topology.h"
#include "util.h"

enum { N_VMS = 2 };

struct vm {
    struct scene *scene;
    struct port *port;
    struct probe *probe;
    struct nve *lives;          /* Where it answers, or null. */
    bool asked;                 /* There, and is about to answer. */
};

struct scene {
    struct topology t;
    struct prober *prober;
    struct nve *a, *b, *away;
    struct vm vms[N_VMS];
    long long int now;
};

static struct nve *
find_nve(const struct scene *s, const char *name)
{
    struct nve *nve = topology_find_nve(&s->t, name);

    if (!nve) {
        ovs_fatal(0, "%s: no such NVE", name);
    }
    return nve;
}

static struct vm *
find_vm(struct scene *s, const char *name)
{
    for (int i = 0; i < N_VMS; i++) {
        if (!strcmp(s->vms[i].port->name, name)) {
            return &s->vms[i];
        }
    }
    ovs_fatal(0, "%s: no such VM", name);
}

/* Checks what must be the same in all neighbor solicitations. */
static void
check_ns(struct dp_packet *p, const struct flow *flow)
{
    const struct ovs_16aligned_ip6_hdr *ip6 = dp_packet_l3(p);
    struct in6_addr lla;
    uint32_t csum;

    ovs_assert(ipv6_parse(FLOW_NVA_LLA, &lla));
    ovs_assert(ipv6_addr_equals(&flow->ipv6_src, &lla));
    ovs_assert(ipv6_addr_equals(&flow->ipv6_dst, &flow->nd_target));
    ovs_assert(eth_addr_equals(flow->arp_sha, flow->dl_src));
    ovs_assert(flow->nw_ttl == 255);
    csum = packet_csum_pseudoheader6(ip6);
    ovs_assert(!csum_finish(csum_continue(csum, dp_packet_l4(p),
                                          dp_packet_l4_size(p))));
}

/* Prints the request that 'po' is and returns for whom. */
static struct vm *
put_request(struct scene *s, const struct nve *at,
            const struct ofputil_packet_out *po)
{
    const struct ofpact_output *output = ofpact_get_OUTPUT(po->ofpacts);
    struct dp_packet p;
    struct flow flow;
    struct vm *vm = NULL;
    struct ds ip = DS_EMPTY_INITIALIZER;

    dp_packet_use_const(&p, po->packet, po->packet_len);
    p.packet_type = htonl(PT_ETH);
    flow_extract(&p, &flow);
    ovs_assert(eth_addr_equals(flow_nva_mac(), flow.dl_src));
    for (int i = 0; i < N_VMS; i++) {
        if (eth_addr_equals(s->vms[i].port->mac, flow.dl_dst)) {
            vm = &s->vms[i];
        }
    }
    ovs_assert(vm);
    if (flow.dl_type == htons(ETH_TYPE_ARP)) {
        ovs_assert(flow.nw_proto == ARP_OP_REQUEST && !flow.nw_src
                   && eth_addr_equals(flow.arp_sha, flow_nva_mac()));
        ds_put_format(&ip, IP_FMT, IP_ARGS(flow.nw_dst));
    } else {
        check_ns(&p, &flow);
        ipv6_format_addr(&flow.nd_target, &ip);
    }
    printf("%lld: %s asks port %"PRIu32" for %s\n", s->now, at->name,
           output->port, ds_cstr(&ip));
    ds_destroy(&ip);
    return vm;
}

static bool
on_send(struct nve *at, struct ofpbuf *msg, void *s_)
{
    struct scene *s = s_;
    uint64_t stub[1024 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ofputil_packet_out po;
    bool reached = at != s->away;

    if (reached) {
        struct vm *vm;

        ofpmsg_update_length(msg);
        ovs_assert(!ofputil_decode_packet_out(&po, msg->data, NULL,
                                              &ofpacts));
        vm = put_request(s, at, &po);
        vm->asked |= vm->lives == at;
        ofpbuf_uninit(&ofpacts);
    }
    ofpbuf_delete(msg);
    return reached;
}

static void
on_changed(void *vm_, void *s_)
{
    const struct scene *s = s_;
    const struct vm *vm = vm_;

    printf("%lld: %s %s\n", s->now, vm->port->name,
           prober_is_silent(vm->probe) ? "is silent" : "answers again");
    if (prober_is_silent(vm->probe)) {
        printf("heard at %lld\n", prober_get_heard(vm->probe));
    }
}

static const struct prober_class class = {
    .send = on_send,
    .changed = on_changed,
};

/* Has all VMs answer that have been asked where they are. */
static void
answer(struct scene *s)
{
    for (int i = 0; i < N_VMS; i++) {
        struct vm *vm = &s->vms[i];

        if (vm->asked) {
            vm->asked = false;
            prober_answered(s->prober, vm->probe, vm->lives, s->now);
        }
    }
}

/* Lets time pass from deadline to deadline, up to 'until'. */
static void
run(struct scene *s, long long int until)
{
    for (;;) {
        long long int deadline;

        prober_run(s->prober, s->now);
        answer(s);
        deadline = prober_deadline(s->prober);
        if (deadline > until) {
            break;
        }
        ovs_assert(deadline > s->now);
        s->now = deadline;
    }
    s->now = until;
}

static void
put_state(const struct scene *s)
{
    long long int deadline = prober_deadline(s->prober);

    if (deadline == LLONG_MAX) {
        printf("no deadline");
    } else {
        printf("deadline %lld", deadline);
    }
    for (int i = 0; i < N_VMS; i++) {
        const struct vm *vm = &s->vms[i];

        if (vm->probe) {
            printf(", %s %u%s", vm->port->name, prober_count(vm->probe),
                   prober_is_silent(vm->probe) ? " silent" : "");
        }
    }
    printf("\n");
}

static void
set_ips(struct vm *vm, char *words)
{
    struct in6_addr *ips = NULL;
    const char *word;
    size_t n = 0;

    while ((word = strsep(&words, " \n")) != NULL) {
        if (word[0]) {
            ips = xrealloc(ips, (n + 1) * sizeof *ips);
            ips[n++] = test_ip(word);
        }
    }
    topology_set_ips(vm->port, ips, n);
}

/* Carries out a command about 'vm'.  Returns false if there is none. */
static bool
do_vm(struct scene *s, struct vm *vm, const char *command, char *args)
{
    char name[16] = "";

    sscanf(args, "%15s", name);
    if (!strcmp(command, "ips")) {
        set_ips(vm, args);
    } else if (!strcmp(command, "add")) {
        vm->probe = prober_add(s->prober, vm->port, s->a, s->b, vm, s->now);
    } else if (!strcmp(command, "remove")) {
        prober_remove(s->prober, vm->probe);
        vm->probe = NULL;
    } else if (!strcmp(command, "answer")) {
        prober_answered(s->prober, vm->probe, find_nve(s, name), s->now);
    } else if (!strcmp(command, "lives")) {
        vm->lives = find_nve(s, name);
    } else if (!strcmp(command, "gone")) {
        vm->lives = NULL;
    } else if (!strcmp(command, "unplug")) {
        topology_detach(&s->t,
                        topology_find_attachment(&s->t, vm->port->name,
                                                 find_nve(s, name)));
    } else {
        return false;
    }
    return true;
}

static void
do_line(struct scene *s, char *line)
{
    char command[16] = "", arg[16] = "";
    int n = 0;

    if (sscanf(line, "%15s %15s%n", command, arg, &n) < 1) {
        return;
    }
    printf("### %s", line);
    if (!strcmp(command, "run")) {
        run(s, atoll(arg));
    } else if (!strcmp(command, "timeout")) {
        prober_set_timeout(s->prober, atoll(arg));
    } else if (!strcmp(command, "away")) {
        s->away = find_nve(s, arg);
    } else if (!strcmp(command, "back")) {
        s->away = NULL;
    } else if (!strcmp(command, "state")) {
        put_state(s);
    } else if (!do_vm(s, find_vm(s, arg), command, line + n)) {
        ovs_fatal(0, "unknown command %s", command);
    }
}

int
test_prober(int argc OVS_UNUSED, char *argv[] OVS_UNUSED)
{
    struct scene s = { .now = 0 };
    struct vn *vn;
    char line[128];

    topology_init(&s.t);
    s.prober = prober_create(&s.t, &class, &s);
    s.a = topology_add_nve(&s.t, "a", 1);
    s.b = topology_add_nve(&s.t, "b", 2);
    vn = topology_add_vn(&s.t, "blue", 3);
    for (int i = 0; i < N_VMS; i++) {
        struct vm *vm = &s.vms[i];
        char name[] = "vm1";

        name[2] += i;
        vm->port = topology_add_port(&s.t, name, 10 + i, vn);
        vm->port->mac = (struct eth_addr) ETH_ADDR_C(0a,00,00,00,00,01);
        vm->port->mac.ea[5] += i;
        topology_attach(&s.t, s.a, name, "tap", u16_to_ofp(11 + i));
        topology_attach(&s.t, s.b, name, "tap", u16_to_ofp(21 + i));
    }
    while (fgets(line, sizeof line, stdin)) {
        do_line(&s, line);
    }
    prober_destroy(s.prober);
    topology_uninit(&s.t);
    return EXIT_SUCCESS;
}
