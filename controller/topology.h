/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef TOPOLOGY_H
#define TOPOLOGY_H 1

/* What the NVA knows: NVEs, virtual networks, ports, and where ports are.
 *
 * This is the Topology Discovery Entity of draft-gu-statemigration-arch (S1)
 * and the mapping tables of RFC 8014 section 3.  It holds facts and indexes;
 * who needs which flows because of them is decided elsewhere (wiring.h).
 *
 * Ownership: the topology owns everything in it.  Pointers stay valid until
 * the object's _remove().
 *
 * Thread-safety: none; use from one thread. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/types.h"
#include "openvswitch/uuid.h"
#include "packets.h"

struct flow_list;
struct gateway;
struct move;
struct ofsync;

#define TOPOLOGY_MAX_ENCAP_IPS 8

enum encap { ENCAP_GENEVE = 1, ENCAP_VXLAN = 2 };

/* A Network Virtualization Edge: a hypervisor. */
struct nve {
    struct hmap_node name_node; /* In topology's 'nves', by 'name'. */
    struct hmap_node id_node;   /* In topology's 'nves_by_id'. */
    char *name;
    uint64_t id;                /* Of its row, see cookie.h. */

    enum encap encap;           /* How others shall tunnel to it. */
    struct in6_addr ips[TOPOLOGY_MAX_ENCAP_IPS]; /* v4-mapped if IPv4. */
    size_t n_ips;

    struct in6_addr locator;    /* Prefix of 64 bits, see ila.h, or zero. */
    uint16_t underlay_mtu;      /* Longest IP packet, 0 if unknown. */
    struct eth_addr host_mac;   /* Of the bridge's local port, or zero. */

    ofp_port_t geneve_ofport;   /* Its own tunnels, 0 if it has none. */
    ofp_port_t vxlan_ofport;

    struct hmap members;        /* Contains "struct member"s by 'vn'. */
    struct hmap attachments;    /* Contains "struct attachment"s. */
    struct ovs_list move_parts; /* Contains "struct move_part"s, move.h. */
    struct ovs_list uplinks;    /* Contains "struct uplink"s. */
    struct ovs_list gateways;   /* Contains "struct gateway"s, gateway.h. */
    struct ovs_list watches;    /* Contains "struct watch_end"s, watch.h. */
    bool failed;                /* Its gateways shall serve nobody.  Set by
                                 * the owner. */
    struct ofsync *ofsync;      /* Its flows.  Set by the owner of both. */
    void *session;              /* Its connections, likewise. */
};

/* An interface of an NVE's integration bridge that leads to a physical network
 * which is one LAN with a virtual network (A9). */
struct uplink {
    struct ovs_list nve_node;   /* In the NVE's 'uplinks'. */
    char *vn_name;              /* The VN need not exist (yet). */
    char *ifname;
    ofp_port_t ofport;
    uint16_t vlan;              /* 0 for untagged. */
    bool down;                  /* It has no link. */
};

/* What becomes of packets that come where a VM has left, see nva-late.c. */
enum vn_late {
    VN_LATE_DROP,
    VN_LATE_ICMP_UNREACHABLE,   /* Their sender is told. */
    VN_LATE_FORWARD             /* As while the move drained. */
};

/* A virtual network. */
struct vn {
    struct hmap_node name_node; /* In topology's 'vns', by 'name'. */
    struct hmap_node id_node;   /* In topology's 'vns_by_id'. */
    char *name;
    uint64_t id;

    uint32_t vni;
    bool flood_unknown;         /* Unknown unicast is flooded, not dropped. */
    uint32_t responder_rate;    /* Per port, in packets/s; 0 is no limit. */
    uint32_t responder_burst;   /* In packets. */
    bool snoop;                 /* Multicast to members only, see mcast.h. */
    uint32_t max_groups;        /* That a port can be a member of. */
    unsigned int announce_count; /* How often a move is announced. */
    enum vn_late late;
    unsigned int late_time;     /* For how long, in s. */
    bool gateway_nearest;       /* Ports go to the nearest gateway. */
    bool keeps_connections;     /* Those that exist stay with the old one, */
    unsigned int connection_idle; /* unless silent for that long, in s. */
    struct in6_addr sir;        /* Prefix of 64 bits, see ila.h, or zero. */

    struct hmap ports;          /* Contains "struct port"s by 'vn_node'. */
    struct hmap addresses;      /* Contains "struct address"es of ports. */
    struct hmap members;        /* Contains "struct member"s by 'nve'. */
    struct flow_list *flood[4]; /* Cache of wiring.c, by address families. */
    struct flow_list *list;     /* Cache of wiring.c: of the VN itself. */
    struct hmap groups;         /* Contains "struct mcast_group"s, mcast.h. */
    struct ovs_list gateways;   /* Contains "struct gateway"s, gateway.h. */
    struct ovs_list gateways_node; /* In a list of the owner's: who does what
                                    * is to be looked at. */
};

/* An NVE that takes part in a virtual network, because a port is there or is
 * going to be, or because it is a gateway of it. */
struct member {
    struct hmap_node nve_node;  /* In the NVE's 'members', by hash of 'vn'. */
    struct hmap_node vn_node;   /* In the VN's 'members', by hash of 'nve'. */
    struct nve *nve;
    struct vn *vn;
    struct hmap ports;          /* Contains "struct presence"s by 'port'. */
    bool is_gateway;
};

/* A port has or had something to do at an NVE. */
struct presence {
    struct hmap_node node;      /* In the member's 'ports'. */
    struct port *port;
};

/* Where a port is for everybody else, with the flows that say so. */
struct place {
    struct nve *nve;            /* Null if it is nowhere. */
    struct flow_list *lists[TOPOLOGY_MAX_ENCAP_IPS]; /* By address of 'nve';
                                 * cache of wiring.c. */
};

/* One of the IP addresses of a port, for topology_find_port_by_ip(). */
struct address {
    struct hmap_node node;      /* In the VN's 'addresses'. */
    const struct in6_addr *ip;  /* In the port's 'ips'. */
    struct port *port;
};

/* A Tenant System Interface: a VM's port. */
struct port {
    struct hmap_node name_node; /* In topology's 'ports', by 'name'. */
    struct hmap_node id_node;   /* In topology's 'ports_by_id'. */
    struct hmap_node vn_node;   /* In the VN's 'ports'. */
    char *name;                 /* Its iface-id (C6). */
    uint64_t id;
    struct uuid uuid;           /* Of its row.  Set by the owner. */

    struct vn *vn;
    struct eth_addr mac;
    struct in6_addr *ips;       /* v4-mapped if IPv4; topology_set_ips(). */
    size_t n_ips;
    struct address *addresses;  /* The same in the VN's 'addresses'. */
    bool security;              /* Only its own addresses (V12, A7). */
    int64_t n_spoofed;          /* Reports that it used others'.  Set by the
                                 * owner. */

    struct place place;
    long long int moved_at;     /* When it last was put elsewhere or got other
                                 * addresses, or a move of it ended, in ms.
                                 * Set by the owner. */
    bool closed;                /* Its VM there is stopped (V9). */
    struct move *move;          /* The move that it is on, or null. */
    struct gateway *gateway;    /* The one that serves it, or null. */
    struct keep *keep;          /* Its connections that stay with another one,
                                 * gateway.h; or null. */
    char *gateway_wanted;       /* Name of the one asked for, and */
    char *gateway_last;         /* of the last that did.  Set by the owner. */
    char *gateway_before;       /* Of that of 'keep' when this controller was
                                 * started; null if that has been seen to. */

    struct ovs_list lates;      /* Contains "struct late"s. */
    struct ovs_list memberships; /* Contains "struct mcast_member"s. */
    struct ovs_list query_node; /* Of nva-mcast.c: in a queue, or empty. */
    bool query_soon;            /* It is to answer soon. */
};

/* An NVE where packets for a port are late, because it has left it or because
 * its VM is stopped there. */
struct late {
    struct ovs_list port_node;  /* In the port's 'lates'. */
    struct ovs_list node;       /* Of nva-late.c, in the order of 'until'. */
    struct port *port;
    struct nve *nve;
    long long int until;        /* In ms, LLONG_MAX if the VM is stopped. */
};

/* An interface of an integration bridge whose iface-id names a port, which
 * need not exist (yet). */
struct attachment {
    struct hmap_node iface_node; /* In topology's 'attachments', by name. */
    struct hmap_node nve_node;   /* In the NVE's 'attachments', by 'ofport'. */
    char *port_name;
    char *ifname;
    struct nve *nve;
    ofp_port_t ofport;
};

/* Told when an NVE begins to take part in a virtual network ('joined'), or
 * is about to end that. */
typedef void topology_member_cb(struct member *, bool joined, void *aux);

struct topology {
    topology_member_cb *member_cb;  /* May be null. */
    void *aux;
    struct hmap nves, nves_by_id;
    struct hmap vns, vns_by_id;
    struct hmap ports, ports_by_id;
    struct hmap attachments;
};

void topology_init(struct topology *);
void topology_uninit(struct topology *);

/* Each _add() requires that name and id are not taken. */
struct nve *topology_add_nve(struct topology *, const char *name, uint64_t id);
void topology_remove_nve(struct topology *, struct nve *);
struct nve *topology_find_nve(const struct topology *, const char *name);
struct nve *topology_find_nve_by_id(const struct topology *, uint64_t id);

/* For qsort() of "struct nve *"s, by name. */
int topology_compare_nves(const void *, const void *);

struct vn *topology_add_vn(struct topology *, const char *name, uint64_t id);
void topology_remove_vn(struct topology *, struct vn *);
struct vn *topology_find_vn(const struct topology *, const char *name);
struct vn *topology_find_vn_by_id(const struct topology *, uint64_t id);

struct port *topology_add_port(struct topology *, const char *name,
                               uint64_t id, struct vn *);
void topology_remove_port(struct topology *, struct port *);
struct port *topology_find_port(const struct topology *, const char *name);
struct port *topology_find_port_by_id(const struct topology *, uint64_t id);

/* Makes the 'n' addresses 'ips', of which it takes ownership, those of the
 * port. */
void topology_set_ips(struct port *, struct in6_addr *ips, size_t n);

/* Returns a port of the VN, other than 'except', which may be null, that has
 * been given 'ip', or null. */
struct port *topology_find_port_by_ip(const struct vn *,
                                      const struct in6_addr *,
                                      const struct port *except);

/* Records that 'ifname' at 'nve' is port 'port_name', replacing what was known
 * of 'ifname'. */
struct attachment *topology_attach(struct topology *, struct nve *,
                                   const char *port_name, const char *ifname,
                                   ofp_port_t ofport);
void topology_detach(struct topology *, struct attachment *);

/* Returns the interface of 'port_name' at 'nve', or null.  If there are
 * several, it is the one whose name sorts first; the others are without
 * effect. */
struct attachment *topology_find_attachment(const struct topology *,
                                            const char *port_name,
                                            const struct nve *);

/* Returns an interface of 'port_name' that is without effect because of
 * another one at the same NVE, or null. */
const struct attachment *topology_find_ignored(const struct topology *,
                                               const char *port_name);

/* Returns an interface of 'port_name' at any NVE, or null; of several, the one
 * at the NVE whose name sorts first. */
struct attachment *topology_find_any_attachment(const struct topology *,
                                                const char *port_name);

/* Returns the interface at 'nve' with OpenFlow port 'ofport', or null. */
const struct attachment *topology_find_ofport(const struct nve *,
                                              ofp_port_t ofport);

/* Returns the entry of 'nve' in the port's 'lates', or null. */
struct late *topology_find_late(const struct port *, const struct nve *);

/* Records an uplink of 'nve'; it must have none into 'vn_name'. */
void topology_add_uplink(struct nve *, const char *vn_name,
                         const char *ifname, ofp_port_t ofport,
                         uint16_t vlan, bool down);

/* Removes all uplinks of 'nve'. */
void topology_clear_uplinks(struct nve *);

/* Returns the uplink of 'nve' into 'vn', or null. */
const struct uplink *topology_find_uplink(const struct nve *,
                                          const struct vn *);

/* Returns what 'nve' has to do with 'vn', or null. */
struct member *topology_find_member(const struct nve *, const struct vn *);

/* Makes 'port' present at 'nve', creating the member if necessary; returns
 * true if it was created. */
bool topology_add_presence(struct topology *, struct nve *, struct port *);

/* Takes that back.  Returns true if the member went with it. */
bool topology_remove_presence(struct topology *, struct nve *,
                              struct port *);

/* The same for a gateway of 'vn' at 'nve'. */
bool topology_add_gateway_member(struct topology *, struct nve *,
                                 struct vn *);
bool topology_remove_gateway_member(struct topology *, struct nve *,
                                    struct vn *);

/* Returns true if 'port' is present at 'nve'. */
bool topology_is_present(const struct nve *, const struct port *);

/* Returns the index in to->ips of the address to which 'from' tunnels: the
 * first one of a family that 'from' has, too; -1 if there is none. */
int topology_tunnel_address(const struct nve *from, const struct nve *to);

/* Returns true if 'a' is an IPv4 address in v4-mapped form. */
static inline bool
topology_is_ipv4(const struct in6_addr *a)
{
    return IN6_IS_ADDR_V4MAPPED(a);
}

#endif /* topology.h */
