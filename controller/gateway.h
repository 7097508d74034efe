/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef GATEWAY_H
#define GATEWAY_H 1

/* NVO3 gateways (RFC 8014 section 5.3, RFC 7365 section 3.3): what is known of
 * them, and which of them serves a port.
 *
 * A gateway is an interface of a virtual network (VN) at an NVE that routes:
 * into other VNs that have a gateway at the same NVE.  One of these may be one
 * LAN with a physical network, by an uplink: the outside.
 *
 * All gateways of a VN have the same MAC and IP addresses, so that a VM sees
 * one router and need not be told when another one serves it.  Which one does
 * is a property of the port and not of the NVE where the port is: it stays the
 * same when the VM moves (C2).
 *
 * Part of the topology and with its rules of ownership.  Who needs which flows
 * because of a gateway is decided elsewhere (wiring.h).
 *
 * Thread-safety: none; use from one thread. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "openvswitch/list.h"
#include "packets.h"
#include "simap.h"

struct announcement;
struct ds;
struct nve;
struct port;
struct topology;
struct vn;

/* An address and the length of its prefix, or a prefix. */
struct gateway_prefix {
    struct in6_addr ip;         /* v4-mapped if IPv4. */
    unsigned int plen;          /* 0...128; that of IPv4 plus 96. */
};

/* A rule of a policy.  The first one that matches decides. */
struct gateway_rule {
    bool allow;
    struct gateway_prefix prefix;
};

/* How a gateway is to be.  The owner's: it must stay as long as the gateway
 * refers to it. */
struct gateway_config {
    struct eth_addr mac;
    struct gateway_prefix *ips; /* Its addresses in the VN, one at least. */
    size_t n_ips;
    struct in6_addr next_hops[2]; /* Routers in the VN; v4-mapped if IPv4. */
    size_t n_next_hops;

    int metric;                 /* The lowest is preferred, */
    struct simap metrics;       /* by ports at the NVE of that name. */

    uint64_t *vns;              /* Ids of the VNs that it routes to. */
    size_t n_vns;
    struct gateway_rule *rules;
    size_t n_rules;
    uint32_t rate;              /* Packets/s that it routes; 0: no limit. */
    uint32_t burst;             /* In packets. */
    struct in6_addr snat;       /* What it is to translate to; v4-mapped, or
                                 * all-zeros for nothing. */
    bool drain;                 /* It is to serve nobody. */
    bool reject;                /* Who sends what is not routed is told. */
    bool export;                /* The outside is told of ports that can be
                                 * reached by it, see host-route.h. */
};

/* What a gateway is for the physical network that is one LAN with its VN, if
 * its NVE has an uplink there.  The addresses are those of several NVEs, but a
 * LAN wants them in one place. */
enum gateway_outside {
    GATEWAY_SILENT,             /* Only what it routes goes there, from a MAC
                                 * address of its own. */
    GATEWAY_COMES,              /* So it is, but it takes what comes ... */
    GATEWAY_LEAVES,             /* ... already, or still. */
    GATEWAY_SPEAKS              /* It has the addresses. */
};

struct gateway {
    struct ovs_list vn_node;    /* In the VN's 'gateways'. */
    struct ovs_list nve_node;   /* In the NVE's 'gateways'. */
    char *name;
    uint64_t id;                /* Of its row, see cookie.h. */
    struct vn *vn;
    struct nve *nve;
    const struct gateway_config *config;
    uint16_t number;            /* Of its meters, one of its own at the NVE. */

    /* Source NAT (RFC 3022), see gateway_set_snat(). */
    struct in6_addr snat;       /* As in 'config'. */
    uint16_t zone;              /* Of its connections, in Open vSwitch. */

    /* Set by the owner. */
    bool ready;                 /* Its NVE is known to have its flows. */
    char *lost_uplink;          /* Name of one that has no link, so that it
                                 * leads to nobody; otherwise null. */
    size_t n_ports;             /* That it serves, */
    size_t n_kept;              /* and of which connections stay with it. */
    enum gateway_outside outside;
    bool announce_due;          /* It is to be announced outside. */
    struct announcement *announcement; /* While it is. */
    bool announcement_seen;     /* It has taken effect. */
    struct ovs_list coming_node; /* In a list of those that come. */
    long long int settle_at;    /* Of one that comes: when it does for sure;
                                 * LLONG_MAX as long as that is not known. */
};

/* What connections there are, of those that are not known yet. */
enum keep_stage {
    KEEP_ALL,                   /* All exist. */
    KEEP_SURVEY,                /* Those of TCP exist that have no SYN, and all
                                 * others do. */
    KEEP_KNOWN                  /* Only those of TCP that have no SYN do. */
};

/* As many connections of a port are known at most, of each kind. */
#define KEEP_MAX 10000

/* How far what the old NVE of a move has learned is at the new one. */
enum keep_carry {
    KEEP_CARRY_LEARN,           /* The old one goes on to learn new ones. */
    KEEP_CARRY_ASKED,           /* It tells what it has. */
    KEEP_CARRY_TOLD,            /* The new one has been sent that ... */
    KEEP_CARRY_DONE             /* ... and has confirmed it. */
};

/* Connections of a port that stay with the gateway that served it before.
 * They are known by flows that its NVE learns in the data path. */
struct keep {
    struct gateway *gw;         /* The one before. */
    enum keep_stage stage;
    struct nve *nve;            /* That has learned them. */

    /* While the port moves.  No new ones begin then, so that those that are
     * carried are all. */
    struct nve *to;             /* The new NVE, otherwise null. */
    enum keep_carry carry;

    /* Of nva-keep.c. */
    struct ovs_list node;       /* In nva's 'keeps'. */
    struct port *port;
    size_t n_carried;           /* Flows that the old one has told. */
    int n_answers;              /* That the old one still owes, */
    long long int answer_by;    /* until then at most, if it is the first
                                 * time that it is asked. */
    long long int carried_at;   /* When it was asked last. */
    long long int since;        /* When the survey began. */
    long long int poll_at;
};

/* Adds a gateway of 'vn' at 'nve', which must not have one yet.  The owner
 * sets 'config' before anything else. */
struct gateway *gateway_add(const char *name, uint64_t id, struct vn *,
                            struct nve *);

/* Takes 'gw', which must be the gateway of no port, out of all lists. */
void gateway_unlink(struct gateway *);
void gateway_free(struct gateway *);

/* The zones of gateways are from here to 65535; the rest is free for others
 * who use connection tracking in the same Open vSwitch. */
#define GATEWAY_MIN_ZONE 0x8000

/* Has 'gw' give what it routes to the outside the source 'ip', or, if that is
 * all-zeros, leave it as it is.  A zone belongs to a gateway and an address
 * together: connections that had been given another address are not known any
 * more. */
void gateway_set_snat(struct gateway *, const struct in6_addr *ip);

/* Returns the gateway of 'vn' with the given name, or null. */
struct gateway *gateway_find(const struct vn *, const char *name);

/* Returns the gateway with the given id, or null.  Walks all. */
struct gateway *gateway_find_by_id(const struct topology *, uint64_t id);

/* Returns the gateway of 'vn' at 'nve', or null. */
struct gateway *gateway_at(const struct vn *, const struct nve *);

/* Whether a gateway can serve, from worst to best. */
enum gateway_fitness {
    GATEWAY_DRAINED,            /* It shall not. */
    GATEWAY_FAILED,             /* It cannot, see gateway_has_failed(). */
    GATEWAY_USABLE,             /* Ports may be given to it. */
    GATEWAY_READY               /* Its NVE has all that it needs for that. */
};

enum gateway_fitness gateway_fitness(const struct gateway *);

/* Returns true if 'gw' is GATEWAY_USABLE or better. */
bool gateway_is_usable(const struct gateway *gw);

/* Returns the gateway that a port at 'nve' shall use unless told otherwise: of
 * those that are 'min' or better, the one with the lowest metric there; of
 * several, the one that is there itself, and otherwise the one whose name
 * sorts first.  Null if the VN has none. */
struct gateway *gateway_nearest(const struct vn *, const struct nve *,
                                enum gateway_fitness min);

/* Returns an uplink that has no link, at the NVE of 'gw' and into its VN or
 * one to which it routes, so that 'gw' does not lead there; or null.  Looks at
 * all uplinks of the NVE. */
const struct uplink *gateway_lost_uplink(const struct gateway *gw,
                                         const struct topology *);

/* Returns true if 'gw' can serve nobody: its NVE is not heard, or was not
 * lately, or it is cut off. */
bool gateway_has_failed(const struct gateway *gw);

/* Returns true if a gateway with 'config' is to route into 'vn'. */
bool gateway_names(const struct gateway_config *config, const struct vn *);

/* Returns the MAC address that 'gw' has to itself in the physical network:
 * made of the id of its row. */
struct eth_addr gateway_own_mac(const struct gateway *gw);

/* Returns true if 'a' is preferred to 'b' by their metrics for no NVE in
 * particular, and otherwise by their names. */
bool gateway_precedes(const struct gateway *a, const struct gateway *b);

/* Returns true if 'gw' routes into 'vn' and can: that has a gateway at the
 * same NVE, which is stored into '*other'. */
bool gateway_reaches(const struct gateway *gw, const struct vn *,
                     struct gateway **other);

/* Returns true if 'gw' leads to the outside: routers there are its next hops,
 * or its NVE has an uplink into its VN. */
bool gateway_is_exit(const struct gateway *gw);

/* Returns a gateway of 'vn' that has address 'mac' or 'ip', or null.  As all
 * gateways of a VN have the same, these look at one of them. */
const struct gateway *gateway_find_by_mac(const struct vn *, struct eth_addr);
const struct gateway *gateway_find_by_ip(const struct vn *,
                                         const struct in6_addr *ip);

/* Returns true if 'gw' has the router 'ip' as next hop. */
bool gateway_has_next_hop(const struct gateway *gw, const struct in6_addr *ip);

/* Returns true if 'ip' is in a network of a gateway with 'config'. */
bool gateway_is_neighbor(const struct gateway_config *config,
                         const struct in6_addr *ip);

/* Returns true if 'ip' is in the network of 'prefix'. */
bool gateway_prefix_contains(const struct gateway_prefix *,
                             const struct in6_addr *ip);

/* Parses 's', ADDRESS/PREFIX.  Returns false if it is none. */
bool gateway_parse_prefix(const char *s, struct gateway_prefix *);

/* Returns true if 'prefix' is that of link-local addresses, which nobody
 * routes. */
bool gateway_is_link_local(const struct gateway_prefix *);

/* Appends "ip,nw_FIELD=PREFIX" or "ipv6,ipv6_FIELD=PREFIX", in the syntax of
 * ovs-ofctl; 'field' is "src" or "dst". */
void gateway_put_match(struct ds *, const struct gateway_prefix *,
                       const char *field);

/* Returns 'a' compared with 'b', as strcmp() does, by the prefix only. */
int gateway_compare_prefixes(const struct gateway_prefix *a,
                             const struct gateway_prefix *b);

#endif /* gateway.h */
