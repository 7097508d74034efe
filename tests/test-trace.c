/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Traces packets in a scene of three NVEs and two VNs:
 *
 *       hv1 (Geneve)   hv2 (VXLAN)   hv3 (Geneve)
 *       vm1            vm2           vm3            in "blue"
 *       r1             r2                           in "red"
 *
 * vm3 is moved to hv2, or not, according to the state that is asked for:
 *
 *   still   it is not on the move
 *   armed   the move is prepared
 *   half    the new NVE has been told to switch and has not confirmed
 *   cut     all have switched; late packets are redirected
 *   done    the move is over
 *   ila     it is not on the move, and all NVEs have locators, blue a SIR
 *           prefix */

#include <config.h>

#include "test-nva.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake-switch.h"
#include "flow.h"
#include "move.h"
#include "neighbor.h"
#include "ofsync.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "topology.h"
#include "trace.h"
#include "util.h"
#include "wiring.h"

struct scene {
    struct topology t;
    struct neighbors *neighbors;
    struct nve *hv[3];
    struct fake_switch sw[3];
    struct port *vm3;
    struct move *move;
    bool ila;
};

static void
scene_send(struct ofsync *os OVS_UNUSED, struct ofpbuf *msg, void *sw)
{
    fake_switch_receive_all(sw, msg);
}

static bool
scene_keep(struct ofsync *os OVS_UNUSED,
           const struct ofputil_flow_stats *fs OVS_UNUSED,
           void *aux OVS_UNUSED)
{
    return false;
}

static void
scene_confirmation(struct ofsync *os OVS_UNUSED, void *aux OVS_UNUSED)
{
}

static void
scene_stage_changed(struct ofsync_stage *stage OVS_UNUSED, void *part,
                    void *aux OVS_UNUSED)
{
    move_stage_changed(part, 0, 0);
}

static const struct ofsync_class scene_class = {
    .send = scene_send,
    .confirmation = scene_confirmation,
    .wants_run = scene_confirmation,
    .stage_changed = scene_stage_changed,
    .keep = scene_keep,
};

static void
scene_probe(struct nve *from OVS_UNUSED, struct ofpbuf *msg,
            void *aux OVS_UNUSED)
{
    ofpbuf_delete(msg);
}

static void
scene_way_changed(struct nve *from OVS_UNUSED, struct nve *to OVS_UNUSED,
                  void *aux OVS_UNUSED)
{
}

static void
scene_moved(struct move *move OVS_UNUSED, void *aux OVS_UNUSED)
{
}

static const struct move_class scene_move_class = {
    .changed = scene_moved,
    .record = scene_moved,
};

static struct nve *
add_nve(struct scene *s, int i)
{
    const struct wiring_config config = { .packet_in_rate = 1000 };
    char *name = xasprintf("hv%d", i + 1);
    char *addr = xasprintf("192.0.2.%d", i + 1);
    struct nve *nve = topology_add_nve(&s->t, name, 0x11 + i);

    nve->ips[nve->n_ips++] = test_ip(addr);
    nve->encap = i == 1 ? ENCAP_VXLAN : ENCAP_GENEVE;
    nve->geneve_ofport = u16_to_ofp(1);
    nve->vxlan_ofport = u16_to_ofp(2);
    if (s->ila) {
        nve->locator = test_ip("2001:db8:a::");
        nve->locator.s6_addr[7] = i + 1;
        nve->host_mac = (struct eth_addr) ETH_ADDR_C(02,00,00,00,aa,00);
    }
    nve->ofsync = ofsync_create(&scene_class, &s->sw[i]);
    fake_switch_init(&s->sw[i]);
    wiring_nve_changed(nve, &config);
    free(name);
    free(addr);
    return nve;
}

static struct port *
add_port(struct scene *s, struct vn *vn, const char *name, struct nve *nve,
         ofp_port_t ofport)
{
    uint64_t id = 0x31 + hmap_count(&s->t.ports);
    struct port *port = topology_add_port(&s->t, name, id, vn);
    int host = hmap_count(&vn->ports);
    char *v4 = xasprintf("10.0.0.%d", host);
    char *v6 = xasprintf("fd00::%d", host);
    const struct in6_addr ips[] = { test_ip(v4), test_ip(v6) };

    port->mac = (struct eth_addr) ETH_ADDR_C(02,00,00,00,00,00);
    port->mac.ea[4] = vn->id;
    port->mac.ea[5] = host;
    topology_set_ips(port, xmemdup(ips, sizeof ips), ARRAY_SIZE(ips));
    port->security = true;
    if (nve) {
        topology_attach(&s->t, nve, name, name, ofport);
    }
    wiring_place_port(&s->t, port, nve);
    wiring_port_changed(&s->t, port);
    free(v4);
    free(v6);
    return port;
}

static void
scene_init(struct scene *s)
{
    struct vn *blue, *red;

    topology_init(&s->t);
    s->move = NULL;
    s->neighbors = neighbors_create(scene_probe, scene_way_changed, s);
    for (int i = 0; i < ARRAY_SIZE(s->hv); i++) {
        s->hv[i] = add_nve(s, i);
    }
    blue = topology_add_vn(&s->t, "blue", 0x21);
    blue->vni = 5001;
    blue->responder_rate = 100;
    blue->responder_burst = 20;
    blue->sir = s->ila ? test_ip("fd00::") : in6addr_any;
    red = topology_add_vn(&s->t, "red", 0x22);
    red->vni = 5002;
    red->flood_unknown = true;

    add_port(s, blue, "vm1", s->hv[0], u16_to_ofp(10));
    add_port(s, blue, "vm2", s->hv[1], u16_to_ofp(10));
    s->vm3 = add_port(s, blue, "vm3", s->hv[2], u16_to_ofp(10));
    add_port(s, blue, "vm4", NULL, 0);
    add_port(s, red, "r1", s->hv[0], u16_to_ofp(20));
    add_port(s, red, "r2", s->hv[1], u16_to_ofp(20));
}

static void
scene_uninit(struct scene *s)
{
    move_destroy(s->move);
    for (int i = 0; i < ARRAY_SIZE(s->hv); i++) {
        ofsync_destroy(s->hv[i]->ofsync);
        fake_switch_uninit(&s->sw[i]);
    }
    neighbors_destroy(s->neighbors);
    topology_uninit(&s->t);
}

/* Connects all NVEs and has them answer until nothing happens. */
static void
scene_settle(struct scene *s)
{
    bool busy = true;

    for (int i = 0; i < ARRAY_SIZE(s->hv); i++) {
        ofsync_connected(s->hv[i]->ofsync);
    }
    while (busy) {
        busy = false;
        for (int i = 0; i < ARRAY_SIZE(s->hv); i++) {
            ofsync_run(s->hv[i]->ofsync, 0);
            busy |= fake_switch_answer(&s->sw[i], s->hv[i]->ofsync);
        }
    }
}

/* Brings the move of vm3 to 'state', if it is one. */
static bool
scene_move(struct scene *s, const char *state)
{
    struct move_config config = {
        .id = 0x41, .port = s->vm3, .new_nve = s->hv[1],
    };

    if (!strcmp(state, "still") || s->ila) {
        return true;
    }
    topology_attach(&s->t, s->hv[1], "vm3", "vm3", u16_to_ofp(11));
    s->move = move_create(&scene_move_class, s, &s->t, s->neighbors, &config,
                          0, 0);
    if (!strcmp(state, "armed")) {
        return true;
    }

    /* No NVE is connected, so that the new one does not confirm and the others
     * are not told. */
    move_trigger(s->move, "test", 0, 0);
    if (!strcmp(state, "half")) {
        return true;
    }
    scene_settle(s);
    move_run(s->move, move_deadline(s->move), 0);
    scene_settle(s);
    ovs_assert(s->move->migration.phase == MIGRATION_DRAINING);
    if (!strcmp(state, "done")) {
        move_destroy(s->move);
        s->move = NULL;
        return true;
    }
    return !strcmp(state, "cut");
}

int
test_trace(int argc, char *argv[])
{
    struct ds out = DS_EMPTY_INITIALIZER;
    const struct port *port;
    struct scene s;
    char *error;

    if (argc != 3) {
        ovs_fatal(0, "usage: trace STATE PORT MICROFLOW");
    }
    s.ila = !strcmp(argv[0], "ila");
    scene_init(&s);
    ovs_assert(scene_move(&s, argv[0]));
    port = topology_find_port(&s.t, argv[1]);
    ovs_assert(port);
    error = trace_packet(&s.t, port, argv[2], &out);
    if (error) {
        printf("error: %s\n", error);
    } else {
        fputs(ds_cstr(&out), stdout);
    }
    free(error);
    ds_destroy(&out);
    scene_uninit(&s);
    return EXIT_SUCCESS;
}
