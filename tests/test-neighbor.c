/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* The proof of underlay ways, in virtual time.
 *
 * Reads commands from stdin and prints each with what happens, at a time in
 * ms.  NVEs are a to h and n8 to n39; c has VXLAN and the others Geneve.
 *
 *   link A B | unlink A B | up A | down A
 *   busy A | idle A
 *   warm A B | blind A B
 *   run TIME         do what is due, with time passing up to TIME
 *   mesh             all are up and have ways to each other; what they send is
 *                    only counted from now on
 *   turn TIME        one turn of the main loop at TIME, and how many frames it
 *                    had sent to others
 *   watch A B        in a mesh, tell which of a turn's frames are probes
 *                    between them
 *   lose | arrive    what becomes of probes from now on
 *   rubbish A        something else arrives at A
 *   state            deadline, number of pending ways, and what is resolved */

#include <config.h>

#include "test-nva.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "flow-tables.h"
#include "neighbor.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/ofp-msgs.h"
#include "packets.h"
#include "topology.h"
#include "util.h"

enum { N = 40 };

struct scene {
    struct topology t;
    struct neighbors *neighbors;
    struct nve *nves[N];
    bool arrive;
    long long int now;

    /* The probe that has been sent but not received. */
    struct nve *to;
    uint8_t payload[64];
    size_t size;

    bool mesh;
    size_t n_sent;              /* Frames, one for each target. */
    const struct nve *watched[2]; /* Their probes are told in a mesh. */
};

static struct nve *
find(const struct scene *s, const char *name)
{
    struct nve *nve = topology_find_nve(&s->t, name);

    if (!nve) {
        ovs_fatal(0, "%s: no such NVE", name);
    }
    return nve;
}

/* Returns the NVE that has address 'ip'. */
static struct nve *
find_by_ip(const struct scene *s, ovs_be32 ip)
{
    for (int i = 0; i < N; i++) {
        if (in6_addr_get_mapped_ipv4(&s->nves[i]->ips[0]) == ip) {
            return s->nves[i];
        }
    }
    OVS_NOT_REACHED();
}

/* Stores in 'targets', which has N elements, the NVEs to which 'po' is
 * tunnelled.  Returns how many. */
static size_t
find_targets(const struct scene *s, const struct ofputil_packet_out *po,
             struct nve *targets[])
{
    const struct nve *to = NULL;
    const struct ofpact *a;
    size_t n = 0;

    OFPACT_FOR_EACH (a, po->ofpacts, po->ofpacts_len) {
        if (a->type == OFPACT_SET_FIELD
            && ofpact_get_SET_FIELD(a)->field->id == MFF_TUN_DST) {
            to = find_by_ip(s, ofpact_get_SET_FIELD(a)->value->be32);
        } else if (a->type == OFPACT_OUTPUT) {
            ovs_assert(to && n < N);
            ovs_assert(ofpact_get_OUTPUT(a)->port
                       == (to->encap == ENCAP_GENEVE ? 1 : 2));
            targets[n++] = CONST_CAST(struct nve *, to);
        }
    }
    return n;
}

static void
on_send(struct nve *from, struct ofpbuf *msg, void *s_)
{
    struct scene *s = s_;
    uint64_t stub[1024 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    const struct eth_header *eth;
    struct ofputil_packet_out po;
    struct nve *targets[N];
    size_t n;

    ofpmsg_update_length(msg);
    ovs_assert(!ofputil_decode_packet_out(&po, msg->data, NULL, &ofpacts));
    ovs_assert(po.packet_len == 60);
    eth = po.packet;
    n = find_targets(s, &po, targets);
    s->n_sent += n;
    if (eth->eth_type == htons(FLOW_REFRESH_ETH_TYPE)) {
        if (!s->mesh) {
            printf("%lld: %s sends to", s->now, from->name);
            for (size_t i = 0; i < n; i++) {
                printf(" %s", targets[i]->name);
            }
            printf("\n");
        }
        ofpbuf_uninit(&ofpacts);
        ofpbuf_delete(msg);
        return;
    }
    ovs_assert(n == 1 && eth->eth_type == htons(FLOW_PROBE_ETH_TYPE));
    s->to = targets[0];
    s->size = po.packet_len - ETH_HEADER_LEN;
    memcpy(s->payload, (const uint8_t *) po.packet + ETH_HEADER_LEN, s->size);
    if (!s->mesh) {
        printf("%lld: %s probes %s\n", s->now, from->name, s->to->name);
    } else if ((from == s->watched[0] && s->to == s->watched[1])
               || (from == s->watched[1] && s->to == s->watched[0])) {
        printf("probe %"PRIuSIZE": from %s to %s\n", s->n_sent, from->name,
               s->to->name);
    }
    if (s->arrive) {
        neighbors_probe_received(s->neighbors, s->to, s->payload, s->size,
                                 s->now);
    }
    ofpbuf_uninit(&ofpacts);
    ofpbuf_delete(msg);
}

static void
on_changed(struct nve *from, struct nve *to, void *s_)
{
    struct scene *s = s_;
    bool resolved = neighbors_is_resolved(s->neighbors, from, to);

    if (!s->mesh) {
        printf("%lld: %s -> %s %s\n", s->now, from->name, to->name,
               resolved ? "resolved" : "in doubt");
    }
}

/* Lets time pass from deadline to deadline, up to 'until'. */
static void
run(struct scene *s, long long int until)
{
    for (;;) {
        long long int deadline;

        neighbors_run(s->neighbors, s->now);
        deadline = neighbors_deadline(s->neighbors);
        if (deadline > until) {
            break;
        }
        ovs_assert(deadline > s->now);
        s->now = deadline;
    }
    s->now = until;
}

static void
make_mesh(struct scene *s)
{
    s->mesh = true;
    for (int i = 0; i < N; i++) {
        neighbors_nve_changed(s->neighbors, s->nves[i]);
        for (int j = 0; j < i; j++) {
            neighbors_link(s->neighbors, s->nves[i], s->nves[j]);
        }
    }
}

static void
turn(struct scene *s, long long int now)
{
    s->now = now;
    s->n_sent = 0;
    neighbors_run(s->neighbors, now);
    printf("%"PRIuSIZE" sent\n", s->n_sent);
}

static void
put_state(const struct scene *s)
{
    long long int deadline = neighbors_deadline(s->neighbors);

    if (deadline == LLONG_MAX) {
        printf("no deadline");
    } else {
        printf("deadline %lld", deadline);
    }
    printf(", %"PRIuSIZE" pending", neighbors_count_pending(s->neighbors));
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            if (neighbors_is_resolved(s->neighbors, s->nves[i], s->nves[j])) {
                printf(", %s -> %s", s->nves[i]->name, s->nves[j]->name);
            }
        }
    }
    printf("\n");
}

static void
do_line(struct scene *s, const char *line)
{
    char command[16] = "", a[16] = "", b[16] = "";

    if (sscanf(line, "%15s %15s %15s", command, a, b) < 1) {
        return;
    }
    printf("### %s", line);
    if (!strcmp(command, "link")) {
        neighbors_link(s->neighbors, find(s, a), find(s, b));
    } else if (!strcmp(command, "unlink")) {
        neighbors_unlink(s->neighbors, find(s, a), find(s, b));
    } else if (!strcmp(command, "up")) {
        neighbors_nve_changed(s->neighbors, find(s, a));
    } else if (!strcmp(command, "down")) {
        neighbors_nve_down(s->neighbors, find(s, a));
    } else if (!strcmp(command, "busy") || !strcmp(command, "idle")) {
        neighbors_set_busy(s->neighbors, find(s, a),
                           !strcmp(command, "busy"));
    } else if (!strcmp(command, "warm")) {
        const struct nve *other = find(s, b);

        neighbors_warm(s->neighbors, find(s, a), &other, 1);
    } else if (!strcmp(command, "blind")) {
        neighbors_resolve_blindly(s->neighbors, find(s, a), find(s, b),
                                  s->now);
    } else if (!strcmp(command, "run")) {
        run(s, atoll(a));
    } else if (!strcmp(command, "mesh")) {
        make_mesh(s);
    } else if (!strcmp(command, "watch")) {
        s->watched[0] = find(s, a);
        s->watched[1] = find(s, b);
    } else if (!strcmp(command, "turn")) {
        turn(s, atoll(a));
    } else if (!strcmp(command, "lose")) {
        s->arrive = false;
    } else if (!strcmp(command, "arrive")) {
        s->arrive = true;
    } else if (!strcmp(command, "rubbish")) {
        uint8_t rubbish[46] = { 'N', 'V', 'A', '1' };

        neighbors_probe_received(s->neighbors, find(s, a), "x", 1, s->now);
        neighbors_probe_received(s->neighbors, find(s, a), rubbish,
                                 sizeof rubbish, s->now);
    } else if (!strcmp(command, "state")) {
        put_state(s);
    } else {
        ovs_fatal(0, "unknown command %s", command);
    }
}

int
test_neighbor(int argc OVS_UNUSED, char *argv[] OVS_UNUSED)
{
    struct scene s = { .arrive = true };
    char line[128];

    topology_init(&s.t);
    s.neighbors = neighbors_create(on_send, on_changed, &s);
    for (int i = 0; i < N; i++) {
        char *name = i < 8 ? xasprintf("%c", 'a' + i) : xasprintf("n%d", i);
        char *addr = xasprintf("192.0.2.%d", i + 1);
        struct nve *nve = s.nves[i] = topology_add_nve(&s.t, name, i + 1);

        nve->ips[nve->n_ips++] = test_ip(addr);
        nve->encap = i == 2 ? ENCAP_VXLAN : ENCAP_GENEVE;
        nve->geneve_ofport = u16_to_ofp(1);
        nve->vxlan_ofport = u16_to_ofp(2);
        free(addr);
        free(name);
    }
    while (fgets(line, sizeof line, stdin)) {
        do_line(&s, line);
    }
    neighbors_destroy(s.neighbors);
    topology_uninit(&s.t);
    return EXIT_SUCCESS;
}
