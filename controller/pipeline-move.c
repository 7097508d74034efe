/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "pipeline-private.h"

#include "cookie.h"
#include "flow.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"

/* The meter that counts late packets of a port has the number of its old
 * interface plus this.  Its rate is one that nobody reaches. */
#define REDIRECT_METER_BASE 0x10000

/* The same for the meter that limits how often a VM at its new place is
 * announced, in packets/s. */
#define ACTIVATION_METER_BASE 0x20000
#define ACTIVATION_METER_RATE 10

/* The same for the meter that limits what a VM may answer to the controller,
 * in packets/s.  It is asked twice in 0.5 s at most. */
#define ANSWER_METER_BASE 0x50000
#define ANSWER_METER_RATE 10

/* The same for the gates.  One token must not come back before a packet has
 * passed all meters of a gate, see FLOW_GATE_PASSES.  They stay until the
 * switch has looked at all flows that it has cached. */
#define GATE_OLD_METER_BASE 0x60000
#define GATE_NEW_METER_BASE 0x90000
#define GATE_LINGER_MS 2000

/* A learned flow is alone with its cookie in its table.  The limit is what
 * makes OVS translate the first packet of a VM at its new place afresh,
 * instead of serving it from a cached flow that would learn only when the
 * revalidator comes round: a cached flow whose learned flow does not exist is
 * discarded when a table changes. */
#define LEARN_LIMIT 4

/* The match on what is announced with the frame itself, not with a copy. */
#define ANNOUNCED_RARP ",rarp,dl_dst=ff:ff:ff:ff:ff:ff"

/* Appends a learn() of a mapping for the source of the packet; the caller
 * adds what it loads and the closing parenthesis. */
static void
put_learn_mapping(struct ds *s, uint64_t id)
{
    ds_put_format(s, "learn(table=%d,priority=%d,cookie=%#"PRIx64
                  ",limit=%d,OXM_OF_METADATA[],NXM_OF_ETH_DST[]"
                  "=NXM_OF_ETH_SRC[]", FLOW_TABLE_MAPPING, FLOW_PRIO_LEARNED,
                  cookie_make(COOKIE_LEARNED, id), LEARN_LIMIT);
}

/* Appends what a learned mapping to address 'ip' of 'nve' loads. */
static void
put_learn_remote(struct ds *s, enum flow_place place, const struct nve *nve,
                 int ip)
{
    ds_put_format(s, ",load:%d->"REG_PLACE"[]"
                  ",load:%d->"REG_ENCAP"[]", place, nve->encap);
    if (topology_is_ipv4(&nve->ips[ip])) {
        ds_put_format(s, ",load:%#"PRIx32"->NXM_NX_TUN_IPV4_DST[])",
                      ntohl(in6_addr_get_mapped_ipv4(&nve->ips[ip])));
    } else {
        ds_put_cstr(s, ",load:0x");
        for (size_t i = 0; i < sizeof nve->ips[ip]; i++) {
            ds_put_format(s, "%02x", nve->ips[ip].s6_addr[i]);
        }
        ds_put_cstr(s, "->NXM_NX_TUN_IPV6_DST[])");
    }
}

/* Appends the actions that make what is sent to other NVEs announcements of
 * the VM of move 'id', of 'kind'. */
static void
put_announced(struct ds *s, uint32_t kind, uint64_t id)
{
    ds_put_format(s, "set_field:%d->"REG_PLACE",set_field:%#"PRIx64"->"
                  REG_ANNOUNCED, FLOW_PLACE_ANNOUNCED,
                  FLOW_ANNOUNCE_LOW_BITS(kind, id));
}

/* Appends to 'fl' that packets from 'ofport' that match 'match' pass the
 * meter, and then meet 'actions' and go to the controller.  Now and then is
 * enough to tell, and to tell again if it was lost.  This is in a table of its
 * own and the last step, because a meter drops all that follows. */
static void
add_metered(struct flow_list *fl, uint64_t id, ofp_port_t ofport,
            const char *match, const char *actions)
{
    struct ds m = DS_EMPTY_INITIALIZER;

    fl->meter.id = ACTIVATION_METER_BASE + ofp_to_u16(ofport);
    fl->meter.rate = ACTIVATION_METER_RATE;
    fl->meter.burst = 1;

    flow_list_add(fl, FLOW_TABLE_ANNOUNCE,
                  match[0] ? FLOW_PRIO_OVERRIDE : FLOW_PRIO_NORMAL,
                  cookie_make(COOKIE_MOVE, id),
                  fmt(&m, "in_port=%"PRIu32"%s", ofport, match),
                  "meter:%"PRIu32"%s,controller(max_len=128,userdata=%02x)",
                  fl->meter.id, actions, PIPELINE_PUNT_ACTIVATION);
    ds_destroy(&m);
}

/* Appends to 'fl' that what the VM of move 'id' sends from 'ofport' is
 * announced to all other NVEs and to the controller. */
static void
add_announce(struct flow_list *fl, uint64_t id, ofp_port_t ofport)
{
    struct ds a = DS_EMPTY_INITIALIZER;

    ds_put_char(&a, ',');
    put_announced(&a, FLOW_ANNOUNCE_COPY, id);
    ds_put_format(&a, ",resubmit(,%d)", FLOW_TABLE_FLOOD_REMOTE);
    add_metered(fl, id, ofport, "", ds_cstr(&a));
    ds_destroy(&a);
}

/* Appends to 'fl' that packets from 'ofport' go on, marked as announced for
 * move 'id', and then to announce. */
static void
add_activation(struct flow_list *fl, int priority, uint64_t cookie,
               uint64_t id, ofp_port_t ofport)
{
    struct ds m = DS_EMPTY_INITIALIZER;

    flow_list_add(fl, FLOW_TABLE_ACTIVATION, priority, cookie,
                  fmt(&m, "in_port=%"PRIu32, ofport),
                  "clone(set_field:%#"PRIx64"->"REG_ANNOUNCED
                  ",resubmit(,%d)),resubmit(,%d)",
                  FLOW_ANNOUNCE_LOW_BITS(FLOW_ANNOUNCE_COPY, id),
                  FLOW_TABLE_RESPONDER_LIMIT, FLOW_TABLE_ANNOUNCE);
    ds_destroy(&m);
}

struct flow_list *
pipeline_move_arrival(const struct port *port, uint64_t id, ofp_port_t ofport,
                      bool announce)
{
    uint64_t cookie = cookie_make(COOKIE_MOVE, id);
    struct flow_list *fl = flow_list_create();
    struct ds m = DS_EMPTY_INITIALIZER;

    /* Who has switched already finds the VM here. */
    flow_list_add(fl, FLOW_TABLE_MAPPING, FLOW_PRIO_OVERRIDE, cookie,
                  fmt(&m, REG_ORIGIN"=%d,metadata=%"PRIu32
                      ",dl_dst="ETH_ADDR_FMT, FLOW_FROM_TUNNEL,
                      port->vn->vni, ETH_ADDR_ARGS(port->mac)),
                  "set_field:%d->"REG_PLACE",set_field:%"PRIu32"->"REG_PORT,
                  FLOW_PLACE_LOCAL, ofport);
    if (!announce) {
        /* Whoever speaks here is not the VM, or too early. */
        flow_list_add(fl, FLOW_TABLE_ACTIVATION, FLOW_PRIO_NORMAL, cookie,
                      fmt(&m, "in_port=%"PRIu32, ofport), "drop");
    } else {
        struct ds a = DS_EMPTY_INITIALIZER;

        add_activation(fl, FLOW_PRIO_NORMAL, cookie, id, ofport);
        add_announce(fl, id, ofport);

        /* What QEMU says for a VM.  It goes to all others anyway, so it goes
         * there as the announcement, and its receivers turn it back: another
         * copy for each of them, and an answer, would delay the cut-over.  It
         * is not metered, as a meter would keep the RARP from the VMs. */
        put_announced(&a, FLOW_ANNOUNCE_FRAME, id);
        flow_list_add(fl, FLOW_TABLE_ACTIVATION, FLOW_PRIO_OVERRIDE, cookie,
                      fmt(&m, "in_port=%"PRIu32 ANNOUNCED_RARP, ofport),
                      "%s,clone(resubmit(,%d)),resubmit(,%d)",
                      ds_cstr(&a), FLOW_TABLE_LOOKUP, FLOW_TABLE_ANNOUNCE);
        add_metered(fl, id, ofport, ANNOUNCED_RARP, "");
        ds_destroy(&a);
    }

    /* Others take any frame from here with this MAC for the VM's.  So it must
     * not come from another interface here, even if that has no port
     * security. */
    flow_list_add(fl, FLOW_TABLE_ACTIVATION, FLOW_PRIO_DENY, cookie,
                  fmt(&m, REG_ORIGIN"=%d,metadata=%"PRIu32
                      ",dl_src="ETH_ADDR_FMT, FLOW_FROM_VM, port->vn->vni,
                      ETH_ADDR_ARGS(port->mac)),
                  "resubmit(,%d)", FLOW_TABLE_DENIED);
    ds_destroy(&m);
    return flow_list_finish(fl);
}

struct flow_list *
pipeline_move_mark(uint64_t id, ofp_port_t ofport)
{
    struct flow_list *fl = flow_list_create();

    add_activation(fl, FLOW_PRIO_LEARNED, cookie_make(COOKIE_LEARNED, id),
                   id, ofport);
    /* For those that have not been told to commit. */
    add_announce(fl, id, ofport);
    return flow_list_finish(fl);
}

uint32_t
pipeline_redirect_meter(ofp_port_t old_ofport)
{
    return REDIRECT_METER_BASE + ofp_to_u16(old_ofport);
}

/* The last step of a late packet: it is counted.  A flow's own counter would
 * not do, for it lags behind the data path, and what was delivered to the old
 * place just before the cut-over is counted by the flow that replaces it. */
static void
add_redirect_output(struct flow_list *fl, const struct port *port, uint64_t id,
                    ofp_port_t old_ofport)
{
    struct ds m = DS_EMPTY_INITIALIZER;

    if (old_ofport) {
        fl->meter.id = pipeline_redirect_meter(old_ofport);
        fl->meter.rate = fl->meter.burst = FLOW_METER_OPEN;
        flow_list_add(fl, FLOW_TABLE_OUTPUT, FLOW_PRIO_REDIRECT,
                      cookie_make(COOKIE_MOVE, id),
                      fmt(&m, REG_PLACE"=%d,"REG_ORIGIN"=%d,metadata=%"PRIu32
                          ",dl_dst="ETH_ADDR_FMT, FLOW_PLACE_REDIRECT,
                          FLOW_FROM_TUNNEL, port->vn->vni,
                          ETH_ADDR_ARGS(port->mac)),
                      "meter:%"PRIu32",resubmit(,%d)", fl->meter.id,
                      FLOW_TABLE_TUNNEL);
    }
    ds_destroy(&m);
}

struct flow_list *
pipeline_move_arm(const struct port *port, uint64_t id, const struct nve *new,
                  int ip, ofp_port_t old_ofport)
{
    struct flow_list *fl = flow_list_create();
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;

    if (old_ofport) {
        add_redirect_output(fl, port, id, old_ofport);

        put_learn_mapping(&a, id);
        put_learn_remote(&a, FLOW_PLACE_REDIRECT, new, ip);
    } else {
        put_learn_mapping(&a, id);
        put_learn_remote(&a, FLOW_PLACE_REMOTE, new, ip);
    }

    /* The announcement of this move only.  Open vSwitch may account for a
     * packet much later than it was sent, up to the next time that tables
     * change, and carries out learn() for it then: all that the VM said at
     * 'new' before it was elsewhere, and what comes from there because it is
     * redirected, must not match. */
    for (size_t i = 0; i < new->n_ips; i++) {
        ds_clear(&m);
        ds_put_format(&m, REG_ORIGIN"=%d,metadata=%"PRIu32
                      ",dl_src="ETH_ADDR_FMT",dl_dst="FLOW_ANNOUNCE_FMT",%s=",
                      FLOW_FROM_TUNNEL, port->vn->vni,
                      ETH_ADDR_ARGS(port->mac), FLOW_ANNOUNCE_ARGS(id),
                      topology_is_ipv4(&new->ips[i])
                      ? "tun_src" : "tun_ipv6_src");
        ipv6_format_mapped(&new->ips[i], &m);
        flow_list_add(fl, FLOW_TABLE_ACTIVATION, FLOW_PRIO_NORMAL,
                      cookie_make(COOKIE_MOVE, id), ds_cstr(&m),
                      "%s,resubmit(,%d)", ds_cstr(&a), FLOW_TABLE_LOOKUP);
    }
    ds_destroy(&m);
    ds_destroy(&a);
    return flow_list_finish(fl);
}

/* Returns the match on what is for 'port' at 'place', kept in 'm'.  What a VM
 * says that is being announced meets no gate: a gate that is shut would drop
 * the announcement, too. */
static const char *
place_match(struct ds *m, int place, const struct port *port)
{
    return fmt(m, REG_PLACE"=%d,"REG_ANNOUNCED"=0,metadata=%"PRIu32
               ",dl_dst="ETH_ADDR_FMT, place, port->vn->vni,
               ETH_ADDR_ARGS(port->mac));
}

/* Appends to 'fl' a gate that leads from 'place' to 'actions'. */
static void
add_gate(struct flow_list *fl, const struct port *port, uint64_t cookie,
         uint32_t meter, enum flow_place place, bool open, const char *actions)
{
    struct ds m = DS_EMPTY_INITIALIZER;
    int last = place + FLOW_GATE_PASSES - 1;

    fl->meter.id = meter;
    fl->meter.rate = open ? FLOW_METER_OPEN : FLOW_METER_SHUT;
    fl->meter.burst = fl->meter.rate;
    fl->meter.linger_ms = GATE_LINGER_MS;
    for (int pass = place; pass < last; pass++) {
        flow_list_add(fl, FLOW_TABLE_OUTPUT, FLOW_PRIO_REDIRECT, cookie,
                      place_match(&m, pass, port),
                      "meter:%"PRIu32",set_field:%d->"REG_PLACE
                      ",resubmit(,%d)", meter, pass + 1, FLOW_TABLE_OUTPUT);
    }
    flow_list_add(fl, FLOW_TABLE_OUTPUT, FLOW_PRIO_REDIRECT, cookie,
                  place_match(&m, last, port), "meter:%"PRIu32"%s", meter,
                  actions);
    ds_destroy(&m);
}

struct flow_list *
pipeline_move_gate_old(const struct port *port, uint64_t id,
                       ofp_port_t old_ofport, bool open)
{
    uint64_t cookie = cookie_make(COOKIE_GATE_OLD, id);
    struct flow_list *fl = flow_list_create();
    struct ds m = DS_EMPTY_INITIALIZER;

    /* A meter drops all that follows, so one gate needs a packet of its own.
     * Open vSwitch gives one to a clone() whose effects it could not take back
     * without it, of which an output with a length is one. */
    flow_list_add(fl, FLOW_TABLE_OUTPUT, FLOW_PRIO_REDIRECT, cookie,
                  place_match(&m, FLOW_PLACE_LOCAL, port),
                  "clone(set_field:%d->"REG_PLACE",resubmit(,%d),"
                  "output(port=%"PRIu32",max_len=%d)),"
                  "set_field:%d->"REG_PLACE",resubmit(,%d)",
                  FLOW_PLACE_GATE_OLD, FLOW_TABLE_OUTPUT, old_ofport,
                  UINT16_MAX, FLOW_PLACE_GATE_NEW, FLOW_TABLE_OUTPUT);
    add_gate(fl, port, cookie, GATE_OLD_METER_BASE + ofp_to_u16(old_ofport),
             FLOW_PLACE_GATE_OLD, open, "");
    ds_destroy(&m);
    return flow_list_finish(fl);
}

struct flow_list *
pipeline_move_gate_new(const struct port *port, uint64_t id,
                       ofp_port_t old_ofport, const struct nve *new, int ip,
                       bool open)
{
    struct flow_list *fl = flow_list_create();
    struct ds a = DS_EMPTY_INITIALIZER;

    /* Redirected packets are counted, as those whose mapping is learned. */
    ds_put_format(&a, ",set_field:%d->"REG_PLACE",", FLOW_PLACE_REDIRECT);
    pipeline_put_tunnel_to__(&a, new, ip);
    ds_put_format(&a, ",resubmit(,%d)", FLOW_TABLE_OUTPUT);
    add_gate(fl, port, cookie_make(COOKIE_GATE_NEW, id),
             GATE_NEW_METER_BASE + ofp_to_u16(old_ofport),
             FLOW_PLACE_GATE_NEW, open, ds_cstr(&a));
    ds_destroy(&a);
    return flow_list_finish(fl);
}

struct flow_list *
pipeline_move_redirect(const struct port *port, uint64_t id,
                       const struct nve *old, const struct nve *new, int ip,
                       ofp_port_t old_ofport)
{
    uint64_t learned = cookie_make(COOKIE_LEARNED, id);
    struct flow_list *fl = flow_list_create();
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;

    add_redirect_output(fl, port, id, old_ofport);

    /* The same flow that the arming learns. */
    pipeline_put_tunnel_to__(&a, new, ip);
    flow_list_add(fl, FLOW_TABLE_MAPPING, FLOW_PRIO_LEARNED, learned,
                  fmt(&m, "metadata=%"PRIu32",dl_dst="ETH_ADDR_FMT,
                      port->vn->vni, ETH_ADDR_ARGS(port->mac)),
                  "set_field:%d->"REG_PLACE",%s", FLOW_PLACE_REDIRECT,
                  ds_cstr(&a));
    /* The old interface, and its flows, may go while the move drains. */
    pipeline_add_ila_local__(fl, port, old, FLOW_PRIO_REDIRECT,
                             cookie_make(COOKIE_MOVE, id));
    ds_destroy(&m);
    ds_destroy(&a);
    return flow_list_finish(fl);
}

struct flow_list *
pipeline_move_answers(const struct port *port, uint64_t id, ofp_port_t ofport,
                      bool is_new)
{
    struct flow_list *fl = flow_list_create();
    struct ds m = DS_EMPTY_INITIALIZER;

    fl->meter.id = ANSWER_METER_BASE + ofp_to_u16(ofport);
    fl->meter.rate = fl->meter.burst = ANSWER_METER_RATE;
    flow_list_add(fl, FLOW_TABLE_LOOKUP, FLOW_PRIO_OVERRIDE,
                  cookie_make(COOKIE_PROBE, id),
                  fmt(&m, "in_port=%"PRIu32",dl_dst="FLOW_NVA_MAC, ofport),
                  "meter:%"PRIu32",controller(max_len=64,userdata=%02x)",
                  fl->meter.id, PIPELINE_PUNT_ANSWER);
    if (is_new) {
        fmt(&m, "metadata=%"PRIu32",dl_dst="ETH_ADDR_FMT, port->vn->vni,
            ETH_ADDR_ARGS(port->mac));
        flow_list_add(fl, FLOW_TABLE_UPLINK_SEEN, FLOW_PRIO_NORMAL,
                      cookie_make(COOKIE_PROBE, id), ds_cstr(&m),
                      "meter:%"PRIu32",controller(max_len=64,userdata=%02x)",
                      fl->meter.id, PIPELINE_PUNT_SEEN);
    }
    ds_destroy(&m);
    return flow_list_finish(fl);
}
