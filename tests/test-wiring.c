/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Random changes of a topology, with moves, against fake switches.
 *
 * After each step wiring_check() must find no difference, and no NVE may have
 * flows of a VN that it does not take part in.  From time to time all switches
 * are connected and answer until nothing happens; then each must hold exactly
 * what is wanted, and each move that has been triggered must be over.
 *
 * Arguments: SEED N_STEPS [faults] [verbose].  The seed is printed, 0 takes
 * one from the clock. */

#include <config.h>

#include "test-nva.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cookie.h"
#include "fake-switch.h"
#include "flow.h"
#include "mcast.h"
#include "migration.h"
#include "move.h"
#include "neighbor.h"
#include "ofsync.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofpbuf.h"
#include "pipeline.h"
#include "random.h"
#include "sset.h"
#include "topology.h"
#include "util.h"
#include "wiring.h"

enum { N_NVES = 5, N_VNS = 3, N_PORTS = 10 };

struct hv {
    struct nve *nve;
    struct fake_switch sw;
    bool connected;
};

struct world {
    struct topology t;
    struct wiring_config config;
    struct neighbors *neighbors;
    struct mcast *mcast;
    struct hv hvs[N_NVES];
    struct vn *vns[N_VNS];
    struct port *ports[N_PORTS];    /* Null if there is none. */
    struct move *moves[N_PORTS];    /* Of each, maybe over; or null. */
    uint64_t next_id;
    long long int now;
    bool verbose;
    bool faults;                /* Switches refuse things. */
};

static unsigned int
rnd(unsigned int n)
{
    return random_uint32() % n;
}

static void OVS_PRINTF_FORMAT(2, 3)
say(const struct world *w, const char *format, ...)
{
    if (w->verbose) {
        va_list args;

        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        putchar('\n');
    }
}

/* Callbacks. */

static void
hv_send(struct ofsync *os OVS_UNUSED, struct ofpbuf *msg, void *hv_)
{
    struct hv *hv = hv_;

    ovs_assert(hv->connected);
    fake_switch_receive_all(&hv->sw, msg);
}

static void
hv_confirmation(struct ofsync *os OVS_UNUSED, void *hv_)
{
    struct hv *hv = hv_;
    struct move_part *part;

    LIST_FOR_EACH_SAFE (part, nve_node, &hv->nve->move_parts) {
        move_part_update(part, 0, 0);
    }
}

static void
hv_wants_run(struct ofsync *os OVS_UNUSED, void *hv OVS_UNUSED)
{
}

static void
hv_stage_changed(struct ofsync_stage *stage OVS_UNUSED, void *part,
                 void *hv OVS_UNUSED)
{
    move_stage_changed(part, 0, 0);
}

static bool
hv_keep(struct ofsync *os OVS_UNUSED,
        const struct ofputil_flow_stats *fs OVS_UNUSED, void *hv OVS_UNUSED)
{
    return false;
}

static void
hv_counted(struct ofsync *os OVS_UNUSED, uint64_t cookie, uint64_t n_packets,
           uint64_t n_bytes, void *hv_)
{
    struct hv *hv = hv_;
    struct move_part *part;

    LIST_FOR_EACH_SAFE (part, nve_node, &hv->nve->move_parts) {
        if (part->move->id == cookie_id(cookie)) {
            move_counted(part->move, n_packets, n_bytes, 0, 0);
        }
    }
}

static void
hv_problem(struct ofsync *os OVS_UNUSED, const char *error OVS_UNUSED,
           void *hv OVS_UNUSED)
{
}

static const struct ofsync_class hv_class = {
    .send = hv_send,
    .confirmation = hv_confirmation,
    .wants_run = hv_wants_run,
    .stage_changed = hv_stage_changed,
    .keep = hv_keep,
    .counted = hv_counted,
    .problem = hv_problem,
};

/* Probes are lost: moves do not wait for them once they are triggered. */
static void
drop_probe(struct nve *from OVS_UNUSED, struct ofpbuf *msg,
           void *w OVS_UNUSED)
{
    ofpbuf_delete(msg);
}

static void
way_changed(struct nve *from OVS_UNUSED, struct nve *to OVS_UNUSED,
            void *w OVS_UNUSED)
{
}

static void
member_changed(struct member *m, bool joined, void *w_)
{
    struct world *w = w_;

    for (int i = 0; i < N_PORTS; i++) {
        struct port *port = w->ports[i];
        struct move *move = port ? port->move : NULL;

        if (!move || migration_is_over(&move->migration) || port->vn != m->vn
            || m->nve == move->new_nve || m->nve == move->old_nve) {
            continue;
        } else if (joined) {
            move_add_peer(move, m->nve, w->now, 0);
        } else {
            move_remove_peer(move, m->nve, w->now, 0);
        }
    }
}

static void
move_changed(struct move *move OVS_UNUSED, void *w OVS_UNUSED)
{
}

static const struct move_class move_class = {
    .changed = move_changed,
    .record = move_changed,     /* See run_moves(). */
};

static void
group_changed(struct mcast_group *g, void *w_)
{
    struct world *w = w_;

    wiring_group_changed(&w->t, g);
}

/* Setting up. */

static struct in6_addr
random_ip(struct world *w, bool v4)
{
    unsigned int id = w->next_id++;
    char *s = xasprintf(v4 ? "10.%u.%u.1" : "2001:db8::%u:%u", id / 250,
                        id % 250);
    struct in6_addr ip = test_ip(s);

    free(s);
    return ip;
}

static void
address_nve(struct world *w, struct nve *nve)
{
    unsigned int families = 1 + rnd(3);

    nve->encap = 1 + rnd(2);
    nve->n_ips = 0;
    if (families & 1) {
        nve->ips[nve->n_ips++] = random_ip(w, true);
    }
    if (families & 2) {
        nve->ips[nve->n_ips++] = random_ip(w, false);
    }
}

static void
world_init(struct world *w)
{
    topology_init(&w->t);
    w->t.member_cb = member_changed;
    w->t.aux = w;
    w->config.packet_in_rate = 1000;
    w->neighbors = neighbors_create(drop_probe, way_changed, w);
    w->mcast = mcast_create(group_changed, w);
    for (int i = 0; i < N_NVES; i++) {
        struct hv *hv = &w->hvs[i];
        char *name = xasprintf("hv%d", i);

        hv->nve = topology_add_nve(&w->t, name, w->next_id++);
        hv->nve->geneve_ofport = u16_to_ofp(1);
        hv->nve->vxlan_ofport = u16_to_ofp(2);
        address_nve(w, hv->nve);
        hv->nve->ofsync = ofsync_create(&hv_class, hv);
        hv->nve->session = hv;
        fake_switch_init(&hv->sw);
        wiring_nve_changed(hv->nve, &w->config);
        free(name);
    }
    for (int i = 0; i < N_VNS; i++) {
        char *name = xasprintf("vn%d", i);

        w->vns[i] = topology_add_vn(&w->t, name, w->next_id++);
        w->vns[i]->vni = 5000 + i;
        w->vns[i]->max_groups = 64;
        free(name);
    }
}

static void
world_uninit(struct world *w)
{
    test_remove_gateways(&w->t);
    for (int i = 0; i < N_PORTS; i++) {
        if (w->ports[i]) {
            move_destroy(w->moves[i]);
            mcast_forget_port(w->mcast, w->ports[i]);
            wiring_port_removed(&w->t, w->ports[i]);
        }
    }
    for (int i = 0; i < N_NVES; i++) {
        w->hvs[i].connected = false;
        ofsync_destroy(w->hvs[i].nve->ofsync);
        fake_switch_uninit(&w->hvs[i].sw);
    }
    neighbors_destroy(w->neighbors);
    mcast_destroy(w->mcast);
    topology_uninit(&w->t);
}

/* Steps. */

static void
port_changed(struct world *w, struct port *port)
{
    wiring_port_changed(&w->t, port);
    if (port->move) {
        move_refresh(port->move);
    }
}

static void
set_random_ip(struct world *w, struct port *port)
{
    struct in6_addr ip = random_ip(w, rnd(2));

    topology_set_ips(port, xmemdup(&ip, sizeof ip), 1);
}

static void
step_add_port(struct world *w, int i)
{
    struct port *port;
    char *name = xasprintf("p%d", i);

    port = topology_add_port(&w->t, name, w->next_id++, w->vns[rnd(N_VNS)]);
    port->mac.ea[0] = 2;
    port->mac.ea[5] = i;
    port->security = rnd(2);
    set_random_ip(w, port);
    w->ports[i] = port;
    say(w, "add %s in %s", name, port->vn->name);
    wiring_port_changed(&w->t, port);
    free(name);
}

static void
step_remove_port(struct world *w, int i)
{
    struct port *port = w->ports[i];

    if (!w->moves[i]) {
        say(w, "remove %s", port->name);
        mcast_forget_port(w->mcast, port);
        wiring_port_removed(&w->t, port);
        free(port->keep);
        topology_remove_port(&w->t, port);
        w->ports[i] = NULL;
    }
}

static void
step_attach(struct world *w, int i, struct nve *nve)
{
    struct port *port = w->ports[i];
    struct attachment *a = topology_find_attachment(&w->t, port->name, nve);

    if (!a) {
        say(w, "attach %s to %s", port->name, nve->name);
        topology_attach(&w->t, nve, port->name, port->name,
                        u16_to_ofp(10 + i));
    } else if (!port->move) {
        say(w, "detach %s from %s", port->name, nve->name);
        topology_detach(&w->t, a);
    }
    port_changed(w, port);
}

static void
step_place(struct world *w, struct port *port, struct nve *nve)
{
    if (!port->move) {
        say(w, "place %s at %s", port->name, nve ? nve->name : "none");
        wiring_place_port(&w->t, port, nve);
    }
}

static void
step_presence(struct world *w, struct port *port, struct nve *nve)
{
    if (port->move || port->place.nve == nve) {
        return;
    } else if (rnd(2)) {
        say(w, "%s joins %s", port->name, nve->name);
        wiring_join(&w->t, nve, port);
    } else {
        say(w, "%s leaves %s", port->name, nve->name);
        wiring_leave(&w->t, nve, port);
    }
}

static void
step_vn(struct world *w, struct vn *vn)
{
    struct port *port;

    say(w, "change %s", vn->name);
    vn->flood_unknown = rnd(2);
    vn->snoop = rnd(2);
    vn->responder_rate = rnd(2) * 100;
    vn->responder_burst = 20;
    if (!rnd(4)) {
        vn->vni = 5000 + w->next_id++;
    }
    wiring_vn_changed(&w->t, vn);
    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        if (port->move) {
            move_refresh(port->move);
        }
    }
}

static void
step_uplinks(struct world *w, struct nve *nve)
{
    topology_clear_uplinks(nve);
    for (int i = 0; i < N_VNS; i++) {
        if (rnd(2)) {
            topology_add_uplink(nve, w->vns[i]->name, "up0", u16_to_ofp(3),
                                rnd(2) * 100 + i, false);
        }
    }
    wiring_uplinks_changed(nve);
}

static void
step_nve(struct world *w, struct nve *nve)
{
    struct move_part *part;

    say(w, "change %s", nve->name);
    if (!rnd(3)) {
        step_uplinks(w, nve);
    } else if (rnd(2)) {
        nve->vxlan_ofport = rnd(2) ? u16_to_ofp(2) : 0;
    } else {
        address_nve(w, nve);
        nve->underlay_mtu = rnd(2) ? PIPELINE_UNDERLAY_MTU_MIN + rnd(2) : 0;
        wiring_nve_moved(&w->t, nve);
        LIST_FOR_EACH (part, nve_node, &nve->move_parts) {
            move_refresh(part->move);
        }
    }
    wiring_nve_changed(nve, &w->config);
}

static void
step_port(struct world *w, struct port *port)
{
    say(w, "change %s", port->name);
    port->security = rnd(2);
    set_random_ip(w, port);
    port_changed(w, port);
}

/* Few groups, so that ports share them, and now and then every group. */
static void
step_membership(struct world *w, struct port *port)
{
    struct in6_addr ip = in6addr_any;

    if (rnd(8)) {
        ip = test_ip(rnd(2) ? "239.0.0.1" : "ff05::1");
        ip.s6_addr[15] += rnd(2);
    }
    if (rnd(3)) {
        say(w, "%s joins a group", port->name);
        mcast_join(w->mcast, port, &ip, w->now);
    } else {
        say(w, "%s leaves a group", port->name);
        mcast_leave(w->mcast, port, &ip, w->now);
    }
}

static void
step_move(struct world *w, int i, struct nve *nve)
{
    struct port *port = w->ports[i];
    struct move *move = w->moves[i];
    struct move_config config = {
        .id = w->next_id++, .port = port, .new_nve = nve,
        .drain_max_ms = 30000,
        .trigger = rnd(4) ? MOVE_ON_ANNOUNCE : MOVE_ON_READY,
    };

    if (!move) {
        if (port->place.nve && port->place.nve != nve) {
            say(w, "move %s to %s", port->name, nve->name);
            w->moves[i] = move_create(&move_class, w, &w->t, w->neighbors,
                                      &config, w->now, 0);
        }
    } else if (migration_is_over(&move->migration)) {
        move_destroy(move);
        w->moves[i] = NULL;
    } else if (!rnd(4)) {
        say(w, "hold the move of %s", port->name);
        move_hold(move, rnd(2) ? MOVE_HOLD : MOVE_PAUSED, w->now, 0);
    } else if (rnd(3)) {
        say(w, "trigger the move of %s", port->name);
        move_trigger(move, "test", w->now, 0);
    } else if (migration_expects(&move->migration, MIGRATION_EV_CANCEL)) {
        say(w, "cancel the move of %s", port->name);
        move_cancel(move, "test", w->now, 0);
    }
}

static void
set_connected(struct world *w, struct hv *hv, bool connected)
{
    if (hv->connected != connected) {
        say(w, "%s %s", hv->nve->name, connected ? "up" : "down");
        hv->connected = connected;
        if (connected) {
            ofsync_connected(hv->nve->ofsync);
        } else {
            fake_switch_disconnect(&hv->sw);
            ofsync_disconnected(hv->nve->ofsync);
        }
    }
}

/* Lets 'ms' pass. */
static void
run_moves(struct world *w, int ms)
{
    say(w, "wait %d ms", ms);
    w->now += ms;
    mcast_run(w->mcast, w->now);
    for (int i = 0; i < N_PORTS; i++) {
        struct move *move = w->moves[i];

        if (move) {
            move_run(move, w->now, 0);
            if (move->migration.phase == MIGRATION_REMOVING) {
                move_recorded(move, w->now, 0);
            }
            if (migration_is_over(&move->migration)) {
                say(w, "the move of p%d is over: %s", i,
                    migration_phase_to_string(move->migration.phase));
                move_destroy(move);
                w->moves[i] = NULL;
            }
        }
    }
}

static bool
run_switches(struct world *w)
{
    bool busy = false;

    say(w, "run");
    for (int i = 0; i < N_NVES; i++) {
        struct hv *hv = &w->hvs[i];

        ofsync_run(hv->nve->ofsync, w->now);
        busy |= hv->connected && fake_switch_answer(&hv->sw, hv->nve->ofsync);
    }
    return busy;
}

/* The switch refuses something that is coming, whatever it is. */
static void
step_fault(struct world *w, struct hv *hv)
{
    static const enum ofperr error = OFPERR_OFPFMFC_TABLE_FULL;

    say(w, "fault at %s", hv->nve->name);
    switch (rnd(3)) {
    case 0:
        hv->sw.fault.add = error;
        break;
    case 1:
        hv->sw.fault.commit = error;
        break;
    default:
        hv->sw.fault.meter = error;
        break;
    }
}

static void
step_random(struct world *w)
{
    int i = rnd(N_PORTS);
    struct hv *hv = &w->hvs[rnd(N_NVES)];

    if (w->faults && !rnd(20)) {
        step_fault(w, hv);
    }
    switch (rnd(15)) {
    case 0: case 1: case 2:
        run_moves(w, rnd(100));
        break;
    case 3: case 4:
        run_switches(w);
        break;
    case 5:
        set_connected(w, hv, rnd(4));
        break;
    case 6:
        step_vn(w, w->vns[rnd(N_VNS)]);
        break;
    case 7:
        step_nve(w, hv->nve);
        break;
    case 8:
        test_toggle_gateway(&w->t, w->vns[rnd(N_VNS)], hv->nve, w->next_id++);
        break;
    default:
        if (!w->ports[i]) {
            step_add_port(w, i);
            break;
        }
        switch (rnd(14)) {
        case 0:
            step_remove_port(w, i);
            break;
        case 1: case 2: case 3:
            step_attach(w, i, hv->nve);
            break;
        case 4: case 5:
            step_place(w, w->ports[i], rnd(5) ? hv->nve : NULL);
            break;
        case 6:
            step_presence(w, w->ports[i], hv->nve);
            break;
        case 7:
            step_port(w, w->ports[i]);
            break;
        case 8: case 9:
            step_membership(w, w->ports[i]);
            break;
        default:
            step_move(w, i, hv->nve);
        }
    }
}

/* Checks. */

static void
check_left_over(const struct world *w, const struct nve *nve, struct ds *out)
{
    static const enum cookie_kind kinds[] = {
        COOKIE_VN, COOKIE_FLOOD_LOCAL, COOKIE_FLOOD_REMOTE, COOKIE_UPLINK,
        COOKIE_ROUTER
    };

    for (int i = 0; i < N_VNS; i++) {
        for (int j = 0; j < ARRAY_SIZE(kinds); j++) {
            if (!topology_find_member(nve, w->vns[i])
                && ofsync_get(nve->ofsync,
                              cookie_make(kinds[j], w->vns[i]->id))) {
                ds_put_format(out, "%s: flows of %s left over\n", nve->name,
                              w->vns[i]->name);
            }
        }
    }
    for (int i = 0; i < N_PORTS; i++) {
        if (w->ports[i] && !topology_find_member(nve, w->ports[i]->vn)
            && ofsync_get(nve->ofsync, cookie_make(COOKIE_PORT,
                                                   w->ports[i]->id))) {
            ds_put_format(out, "%s: flows of %s left over\n", nve->name,
                          w->ports[i]->name);
        }
    }
}

/* Groups that are gone have no flows.  Their ids are not used again. */
static void
check_left_over_groups(const struct world *w, const struct nve *nve,
                       struct ds *out)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    char *save, *line;

    ofsync_format(nve->ofsync, &s);
    for (line = strtok_r(ds_cstr(&s), "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        const char *p = strstr(line, "cookie=");
        uint64_t cookie = p ? strtoull(p + 7, NULL, 0) : 0;
        const struct mcast_group *g;

        if (cookie_kind(cookie) != COOKIE_GROUP_LOCAL
            && cookie_kind(cookie) != COOKIE_GROUP_REMOTE) {
            continue;
        }
        g = mcast_find_by_id(&w->t, cookie_id(cookie));
        if (!g || !topology_find_member(nve, g->vn)) {
            ds_put_format(out, "%s: left over: %s\n", nve->name, line);
        }
    }
    ds_destroy(&s);
}

/* Says where 'hv' holds something else than what is wanted. */
static void
compare_flows(const struct hv *hv, struct ds *out)
{
    struct sset wanted = SSET_INITIALIZER(&wanted);
    struct ds s = DS_EMPTY_INITIALIZER;
    const char *flow;
    char *save, *line;

    ofsync_format(hv->nve->ofsync, &s);
    for (line = strtok_r(ds_cstr(&s), "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        if (!sset_add(&wanted, line)) {
            ds_put_format(out, "%s: wanted twice: %s\n", hv->nve->name, line);
        }
    }
    ds_clear(&s);
    fake_switch_format_flows(&hv->sw, &s);
    for (line = strtok_r(ds_cstr(&s), "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        if (!sset_find_and_delete(&wanted, line)) {
            ds_put_format(out, "%s: the switch has too much: %s\n",
                          hv->nve->name, line);
        }
    }
    SSET_FOR_EACH (flow, &wanted) {
        ds_put_format(out, "%s: the switch lacks: %s\n", hv->nve->name,
                      flow);
    }
    sset_destroy(&wanted);
    ds_destroy(&s);
}

/* All switches answer, time passes: everything must come to an end. */
static void
settle(struct world *w, struct ds *out)
{
    say(w, "settle");
    for (int i = 0; i < N_NVES; i++) {
        w->hvs[i].sw.fault = (struct fake_switch_fault) { .add = 0 };
        set_connected(w, &w->hvs[i], true);
    }
    for (int i = 0; i < 50; i++) {
        while (run_switches(w)) {
            continue;
        }
        run_moves(w, 50);
    }
    while (run_switches(w)) {
        continue;
    }

    for (int i = 0; i < N_NVES; i++) {
        struct nve *nve = w->hvs[i].nve;

        if (!ofsync_is_confirmed(nve->ofsync)) {
            ds_put_format(out, "%s: not confirmed\n", nve->name);
        }
        compare_flows(&w->hvs[i], out);
    }
    for (int i = 0; i < N_PORTS; i++) {
        if (w->ports[i] && w->ports[i]->move
            && !migration_is_revocable(&w->ports[i]->move->migration)
            && w->ports[i]->move->migration.phase != MIGRATION_HELD) {
            move_format(w->ports[i]->move, out, w->now);
            ds_put_cstr(out, ": not over\n");
        }
    }
}

static void
check(struct world *w, struct ds *out)
{
    for (int i = 0; i < N_NVES; i++) {
        wiring_check(&w->t, w->hvs[i].nve, &w->config, out);
        check_left_over(w, w->hvs[i].nve, out);
        check_left_over_groups(w, w->hvs[i].nve, out);
    }
}

int
test_wiring(int argc, char *argv[])
{
    struct world w = { .next_id = 1 };
    struct ds out = DS_EMPTY_INITIALIZER;
    unsigned int seed = argc > 0 ? atoi(argv[0]) : 0;
    int n = argc > 1 ? atoi(argv[1]) : 2000;

    for (int i = 2; i < argc; i++) {
        w.verbose |= !strcmp(argv[i], "verbose");
        w.faults |= !strcmp(argv[i], "faults");
    }
    seed = seed ? seed : (time(NULL) % 1000000) + 1;
    random_set_seed(seed);
    printf("seed %u\n", seed);
    world_init(&w);
    for (int i = 0; i < n && !out.length; i++) {
        step_random(&w);
        check(&w, &out);
        if (!out.length && i % 100 == 99) {
            settle(&w, &out);
            check(&w, &out);
        }
        if (out.length) {
            printf("step %d:\n%s", i, ds_cstr(&out));
        }
        fflush(stdout);
    }
    if (out.length) {
        return EXIT_FAILURE;    /* Leave it to a debugger. */
    }
    ds_destroy(&out);
    world_uninit(&w);
    return EXIT_SUCCESS;
}
