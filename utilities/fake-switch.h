/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef FAKE_SWITCH_H
#define FAKE_SWITCH_H 1

/* The part of Open vSwitch that an ofsync talks to: flows, bundles, meters,
 * their statistics, and errors on demand.  Tests drive it by hand,
 * nva-fakeswitch through connections.
 *
 * Messages are carried out when they are sent; the answers wait until
 * fake_switch_answer(). */

#include <stdbool.h>
#include <stdint.h>
#include "hindex.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "svec.h"

struct ds;
struct flow_entry;
struct ofpbuf;
struct ofsync;

/* What to refuse next: once, or always if 'lasting'. */
struct fake_switch_fault {
    enum ofperr add;            /* A flow mod when it is put in a bundle. */
    enum ofperr commit;         /* A bundle. */
    enum ofperr meter;          /* A meter mod. */
    enum ofperr stats;          /* A request for statistics. */
    bool lasting;
    bool mislead;               /* Answer the next request for statistics with
                                 * a message of another kind. */
};

struct fake_switch {
    struct hmap flows;          /* Contains "struct fake_flow"s by hash ... */
    struct hindex cookies;      /* ... and by cookie. */
    struct hmap meters;         /* Contains "struct fake_meter"s by id. */
    struct hmap bundles;        /* Contains "struct fake_bundle"s by id. */
    struct ovs_list replies;    /* Contains "struct ofpbuf"s. */
    struct ds *log;             /* What arrives, one line each, if nonnull. */
    struct svec adds;           /* Lines of the log that will be sorted. */
    struct fake_switch_fault fault;
    unsigned int n_flow_mods;   /* How many have arrived. */
    unsigned int n_bundles;     /* How many have been opened, */
    unsigned int n_commits;     /* and committed. */
    unsigned int n_dumps;       /* How often all flows have been asked for. */
};

void fake_switch_init(struct fake_switch *);
void fake_switch_uninit(struct fake_switch *);

/* Returns true if a fake switch knows messages of this type. */
bool fake_switch_knows(enum ofptype);

/* Carries out 'msg' and frees it. */
void fake_switch_receive(struct fake_switch *, struct ofpbuf *msg);

/* The same for all messages in 'msgs'. */
void fake_switch_receive_all(struct fake_switch *, struct ofpbuf *msgs);

/* Hands all answers over to 'os' that are there now.  Returns false if there
 * were none. */
bool fake_switch_answer(struct fake_switch *, struct ofsync *os);

/* The session is gone, and with it bundles and answers. */
void fake_switch_disconnect(struct fake_switch *);

/* All bundles that have not been committed expire. */
void fake_switch_expire(struct fake_switch *);

/* Returns the first flow in 'table' for which 'matches' returns true, or
 * null. */
const struct flow_entry *fake_switch_find(
    const struct fake_switch *, uint8_t table,
    bool (*matches)(const struct flow_entry *, const void *aux),
    const void *aux);

/* Adds a flow in ovs-ofctl syntax behind the controller's back. */
void fake_switch_add_flow(struct fake_switch *, const char *flow);

/* Packets of 100 bytes pass 'meter'. */
void fake_switch_traffic(struct fake_switch *, uint32_t meter, int n_packets);

/* Prints the flows as ofsync_format() does, in any order. */
void fake_switch_format_flows(const struct fake_switch *, struct ds *);

/* Prints meters and flows, sorted. */
void fake_switch_format(const struct fake_switch *, struct ds *);

#endif /* fake-switch.h */
