/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef FLOW_TABLES_H
#define FLOW_TABLES_H 1

/* OpenFlow tables, registers and priorities of an NVE's integration bridge.
 *
 * This is the only place where a table number, a register or a priority is
 * written.  The names appear in "ovs-ofctl --names dump-flows" (through
 * Flow_Table in OVSDB), and Documentation/topics/pipeline.rst has the tables
 * as flow_tables_format() prints them.
 *
 * The metadata field holds the VNI of the virtual network from classify on. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "openvswitch/types.h"

/* Number, C name, name in OVSDB, fields read, registers written, purpose. */
#define FLOW_TABLES                                                         \
    FLOW_TABLE(0,  CLASSIFY, "classify", "in_port,tun_id",                  \
               "metadata,origin",                                           \
               "Find the virtual network and where a packet came from")     \
    FLOW_TABLE(10, PORT_SECURITY, "port-security", "in_port", "",           \
               "Drop what is not from the port's own MAC and IP addresses") \
    FLOW_TABLE(11, ND_SECURITY, "nd-security", "in_port", "",               \
               "The same for what neighbor discovery says")                 \
    FLOW_TABLE(12, DENIED, "denied", "", "",                                \
               "Drop what port security denies, and report a sample")       \
    FLOW_TABLE(15, ACTIVATION, "activation",                                \
               "in_port,origin,metadata", "place,announced",                \
               "Cut over a move when its VM is heard at the new NVE")       \
    FLOW_TABLE(16, ANNOUNCE, "announce", "in_port,metadata",                 \
               "place,announced",                                           \
               "Tell all others that a VM runs at its new place")           \
    FLOW_TABLE(28, RESPONDER_LIMIT, "responder-limit", "in_port", "",       \
               "Meter ARP and ND requests of a port")                       \
    FLOW_TABLE(30, RESPONDER, "responder", "in_port,metadata", "nd_mac",    \
               "Answer ARP and ND for the addresses of a virtual network")  \
    FLOW_TABLE(31, ND_REPLY, "nd-reply", "nd_mac", "nd_flags,nd_option",    \
               "Turn a neighbor solicitation into its answer")              \
    FLOW_TABLE(35, LOOKUP, "lookup", "in_port,origin,metadata", "",         \
               "Tell unicast from broadcast and multicast")                 \
    FLOW_TABLE(38, CONNECTION, "connection", "in_port", "way",              \
               "Find which gateway a connection of a port goes by")         \
    FLOW_TABLE(39, WAY_OUT, "way-out", "in_port,way", "place,encap",        \
               "To the gateway of a connection")                            \
    FLOW_TABLE(40, GATEWAY, "gateway", "in_port,origin,metadata",           \
               "place,encap",                                               \
               "To the gateway that serves a port")                         \
    FLOW_TABLE(41, ROUTER, "router", "origin,metadata", "vn_in,mac_in",     \
               "What is for a gateway itself; count hops; limit the rate")  \
    FLOW_TABLE(42, POLICY_OUT, "policy-out", "metadata", "",                \
               "Where what leaves a virtual network may go")                \
    FLOW_TABLE(43, ROUTE, "route", "metadata", "metadata",                  \
               "Longest prefix: into which virtual network, or outside")    \
    FLOW_TABLE(44, POLICY_IN, "policy-in", "metadata", "",                  \
               "From where what enters a virtual network may come")         \
    FLOW_TABLE(45, NAT, "nat", "metadata,origin", "",                       \
               "What has become of a packet whose address is translated")   \
    FLOW_TABLE(46, HOST, "host", "metadata", "origin",                      \
               "(virtual network, IP) to the MAC address of a port")        \
    FLOW_TABLE(50, MAPPING, "mapping", "metadata,origin",                   \
               "place,port,encap",                                          \
               "(virtual network, MAC) to a local port or a remote NVE")    \
    FLOW_TABLE(52, UPLINK_IN, "uplink-in", "metadata,place", "",            \
               "Drop what our VMs have sent from an uplink elsewhere")      \
    FLOW_TABLE(53, UPLINK_SEEN, "uplink-seen", "metadata", "",              \
               "Tell that a physical network sends to a VM that has moved") \
    FLOW_TABLE(60, FLOOD, "flood", "origin,metadata", "chunk",              \
               "Split horizon: only what a VM sent goes into tunnels")      \
    FLOW_TABLE(61, FLOOD_LOCAL, "flood-local", "metadata,chunk",            \
               "chunk,port",                                                \
               "Copies for the virtual network's ports here")               \
    FLOW_TABLE(62, FLOOD_REMOTE, "flood-remote", "metadata,chunk",          \
               "chunk,encap",                                               \
               "Copies for the virtual network's other NVEs")               \
    FLOW_TABLE(63, FLOOD_PORT, "flood-port",                                \
               "in_port,origin,metadata,port", "",                          \
               "A copy for one port, unless its own VM sent it")            \
    FLOW_TABLE(70, OUTPUT, "output", "place,port,origin,announced", "",     \
               "Deliver to a port; from tunnel to tunnel only by redirect") \
    FLOW_TABLE(71, TUNNEL, "tunnel", "encap,place,announced,metadata", "",  \
               "Send through the tunnel port of an encapsulation")          \
    FLOW_TABLE(72, UPLINK, "uplink", "metadata", "",                        \
               "Send through the uplink into a physical network")           \
    FLOW_TABLE(73, LATE, "late", "metadata", "",                            \
               "Answer a packet for a VM that has left or is stopped")      \
    FLOW_TABLE(74, ILA, "ila", "metadata", "",                              \
               "Put the locator in the place of the identifier's prefix")   \
    FLOW_TABLE(75, ILA_OUTPUT, "ila-output", "", "",                        \
               "Have the host route a packet to a locator")                 \
    FLOW_TABLE(76, PATH_MTU, "path-mtu", "metadata", "mtu,too_big",         \
               "Find what is too big for the underlay of another NVE")      \
    FLOW_TABLE(77, OWN_MTU, "own-mtu", "too_big", "mtu,too_big",            \
               "Find what is too big for the underlay of this NVE")         \
    FLOW_TABLE(78, TOO_BIG, "too-big", "in_port,too_big,vn_in,mac_in", "",  \
               "Tell who sent a packet that it is too big")

/* Register, C name, name in documents, contents. */
#define FLOW_REGS                                                           \
    FLOW_REG(0,  WAY,       "way",                                          \
             "0 unknown, 1 the port's gateway, 2 the one before")           \
    FLOW_REG(1,  ND_FLAGS,  "nd_flags",  "flags of the answer")             \
    FLOW_REG(2,  ND_OPTION, "nd_option", "option type of the answer")       \
    FLOW_REG(3,  ANNOUNCED, "announced",                                    \
             "last 32 bits of the address for place 5")                     \
    FLOW_REG(8,  VN_IN,     "vn_in",     "VNI before a gateway routed it")  \
    FLOW_REG(9,  CHUNK,     "chunk",     "next part of a flood list")       \
    FLOW_REG(10, ORIGIN,    "origin",                                       \
             "0 from a VM, 1 from a tunnel, 2 from an uplink, 3 routed")    \
    FLOW_REG(11, PLACE,     "place",                                        \
             "1 local, 2 remote, 3 redirect, 4 closed, 5 told, 6-11 gates") \
    FLOW_REG(12, PORT,      "port",      "OpenFlow port of place 1")        \
    FLOW_REG(13, ENCAP,     "encap",     "1 Geneve, 2 VXLAN")               \
    FLOW_REG(14, MTU,       "mtu",       "longest IP packet that fits")     \
    FLOW_REG(15, TOO_BIG,   "too_big",   "1 if it is longer")

/* xreg3 (reg6 and reg7) is not in the list above, for it is 64 bits wide; nor
 * is xreg2 (reg4 and reg5), where the MAC address is kept from which a gateway
 * got a packet. */
#define FLOW_XREG_ND_MAC "xreg3"

enum flow_table {
#define FLOW_TABLE(ID, NAME, STRING, READS, WRITES, PURPOSE)                \
    FLOW_TABLE_##NAME = ID,
    FLOW_TABLES
#undef FLOW_TABLE
};

/* FLOW_REG_ORIGIN and so on: the number of the register. */
enum flow_reg {
#define FLOW_REG(N, NAME, STRING, CONTENTS) FLOW_REG_##NAME = N,
    FLOW_REGS
#undef FLOW_REG
};

/* Values of registers. */
enum flow_origin {
    FLOW_FROM_VM = 0,
    FLOW_FROM_TUNNEL = 1,
    FLOW_FROM_UPLINK = 2,
    FLOW_ROUTED = 3             /* By a gateway here, whatever it came by. */
};
/* A gate is a meter that each packet has to pass so many times, which takes
 * more than its bucket holds when it is shut: 1 packet in the userspace
 * datapath, 2 in that of the kernel. */
#define FLOW_GATE_PASSES 3

enum flow_place {
    FLOW_PLACE_UNKNOWN = 0,
    FLOW_PLACE_LOCAL = 1,
    FLOW_PLACE_REMOTE = 2,
    FLOW_PLACE_REDIRECT = 3,    /* Remote, also for what a tunnel brought. */
    FLOW_PLACE_CLOSED = 4,      /* A local port whose VM is stopped. */
    FLOW_PLACE_ANNOUNCED = 5,   /* All other NVEs, of an announcement. */
    FLOW_PLACE_GATE_OLD = 6,    /* The local port of a VM that is about to
                                 * move, FLOW_GATE_PASSES times ... */
    /* ... and its new place. */
    FLOW_PLACE_GATE_NEW = FLOW_PLACE_GATE_OLD + FLOW_GATE_PASSES
};

enum flow_way {
    FLOW_WAY_UNKNOWN = 0,
    FLOW_WAY_NEW = 1,           /* By the gateway that serves the port. */
    FLOW_WAY_OLD = 2            /* By the one that did. */
};

/* Priorities, in all tables.  What a move learns in the data path is above
 * what the controller installs for the same address, see MAPPING. */
enum flow_priority {
    FLOW_PRIO_DEFAULT = 0,
    FLOW_PRIO_LOW = 50,
    FLOW_PRIO_DENY = 80,
    FLOW_PRIO_ALLOW = 90,
    FLOW_PRIO_NORMAL = 100,
    FLOW_PRIO_OVERRIDE = 110,
    FLOW_PRIO_REDIRECT = 150,
    FLOW_PRIO_LEARNED = 200,
    FLOW_PRIO_ROUTE = 300,      /* Plus the length of the prefix. */
    FLOW_PRIO_POLICY = 2000     /* Minus the number of the rule. */
};

/* Frames to these addresses say by their source: "this VM is here now".  They
 * are group addresses of our own, which are never forwarded, so they reach no
 * VM and none can send them.  The last 16 bits are those of the move: what was
 * said in an earlier one must not be taken for news.
 *
 * COPY is of a frame that goes its way besides, and carries nothing else.
 * FRAME is a broadcast that is sent in no other way; its receivers make it a
 * broadcast again.  FMT and MACS match both. */
#define FLOW_ANNOUNCE_HIGH_BITS "03:4e:00:00:00:00/ff:ff:00:00:00:00"
#define FLOW_ANNOUNCE_COPY 0x56410000
#define FLOW_ANNOUNCE_FRAME 0x56430000
#define FLOW_ANNOUNCE_LOW_BITS(KIND, ID) ((KIND) | ((ID) & 0xffff))
#define FLOW_ANNOUNCE_FMT "03:4e:56:41:%02x:%02x/ff:ff:ff:fd:ff:ff"
#define FLOW_ANNOUNCE_ARGS(ID) (int) ((ID) >> 8 & 0xff), (int) ((ID) & 0xff)
#define FLOW_ANNOUNCE_MACS "03:4e:56:41:00:00/ff:ff:ff:fd:00:00"
#define FLOW_ANNOUNCE_FRAME_MACS "03:4e:56:43:00:00/ff:ff:ff:ff:00:00"

/* The controller's own address, from which it asks VMs whether they are there
 * (prober.h), and the IPv6 link-local address that is made from it.  What VMs
 * answer goes to the controller or nowhere. */
#define FLOW_NVA_MAC "02:4e:56:41:00:01"
#define FLOW_NVA_LLA "fe80::4e:56ff:fe41:1"
/* Broadcast and multicast, the above among it. */
#define FLOW_GROUP_MACS "01:00:00:00:00:00/01:00:00:00:00:00"

/* Changes nothing, but has Open vSwitch match the source address in all cached
 * flows.  If some matched it and some did not, depending on which moves there
 * were when they were made, they would overlap; the userspace datapath of
 * Open vSwitch 3.1 then may change one of them in place of the other
 * (flow_put_on_pmd() in lib/dpif-netdev.c), which goes on as before until it
 * has been idle for 10 s. */
#define FLOW_KEEP_SOURCE "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_SRC[]"

/* Destination and Ethernet type of the controller's own probes of the underlay
 * (an address that bridges never forward, IEEE 802.1Q table 8-1; IEEE 802
 * local experimental EtherType 1). */
#define FLOW_PROBE_MAC "01:80:c2:00:00:01"
#define FLOW_PROBE_ETH_TYPE 0x88b5

/* The type of what is only sent to be sent (local experimental EtherType 2).
 * It has the address of a probe, and its receiver drops it. */
#define FLOW_REFRESH_ETH_TYPE 0x88b6

/* Returns FLOW_NVA_MAC. */
struct eth_addr flow_nva_mac(void);

/* Returns the name of table 'id', or null if there is none. */
const char *flow_table_name(uint8_t id);

/* Calls 'cb' for each table in pipeline order. */
void flow_tables_for_each(void (*cb)(uint8_t id, const char *name, void *aux),
                          void *aux);

/* Prints the pipeline as reStructuredText. */
void flow_tables_format(FILE *);

/* Returns true if each register that a table reads is written by one before
 * it; otherwise prints which is not to 'stream'. */
bool flow_tables_check(FILE *);

#endif /* flow-tables.h */
