/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "pipeline-private.h"

#include "cookie.h"
#include "igmp.h"
#include "mcast.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"

/* How many outputs a flow of a flood list has, at most if they are ports here,
 * and if they are NVEs at most on average. */
#define FLOOD_CHUNK 32

/* The meter through which go packets to the controller that are about
 * memberships, and how many, in packets/s, for all VMs at an NVE. */
#define SNOOPING_METER 0x30001
#define SNOOPING_METER_RATE 500

/* The MAC addresses of IP multicast (RFC 1112 section 6.4, RFC 2464
 * section 7). */
#define IPV4_GROUPS "dl_dst=01:00:5e:00:00:00/ff:ff:ff:80:00:00"
#define IPV6_GROUPS "dl_dst=33:33:00:00:00:00/ff:ff:00:00:00:00"

/* Lists of copies. */

/* A flood list in parts.  A part is one flow of 'table', found by its number
 * in a register: a list for thousands of NVEs does not fit into a flow.  The
 * list of a multicast group is found before that of its VN. */
struct flood {
    struct flow_list *fl;
    enum flow_table table;
    uint64_t cookie;
    const struct vn *vn;
    const struct in6_addr *group; /* Null for everything. */
    struct chunk *chunks;
    size_t n_chunks;
    bool empty;                 /* No output at all. */
};

struct chunk {
    struct ds actions;
    bool ipv6;                  /* The output before may have been to an IPv6
                                 * address. */
};

/* Appends the match of frames to 'group'.  What reaches a group by its IP
 * address but not by its MAC address, or with a VLAN tag, is none of its
 * traffic. */
static void
put_group_match(struct ds *m, const struct in6_addr *group)
{
    struct eth_addr mac;

    ipv6_multicast_to_ethernet(&mac, group);
    if (IN6_IS_ADDR_V4MAPPED(group)) {
        /* RFC 1112 section 6.4. */
        mac.ea[0] = 0x01;
        mac.ea[1] = 0x00;
        mac.ea[2] = 0x5e;
        mac.ea[3] &= 0x7f;
        ds_put_cstr(m, ",ip,nw_dst=");
    } else {
        ds_put_cstr(m, ",ipv6,ipv6_dst=");
    }
    ipv6_format_mapped(group, m);
    ds_put_format(m, ",dl_vlan=0xffff,dl_dst="ETH_ADDR_FMT,
                  ETH_ADDR_ARGS(mac));
}

/* Starts a list of 'n_chunks' parts. */
static void
flood_start(struct flood *f, size_t n_chunks)
{
    f->fl = flow_list_create();
    f->n_chunks = n_chunks;
    f->chunks = xcalloc(n_chunks, sizeof *f->chunks);
    f->empty = true;
    for (size_t i = 0; i < n_chunks; i++) {
        ds_init(&f->chunks[i].actions);
    }
}

/* Returns part 'i', ready for the actions of one more output. */
static struct chunk *
flood_next(struct flood *f, size_t i)
{
    struct chunk *chunk = &f->chunks[i];

    f->empty = false;
    if (chunk->actions.length) {
        ds_put_char(&chunk->actions, ',');
    }
    return chunk;
}

/* Adds the flow of part 'i'.  That of the first calls the others, which do not
 * call each other: Open vSwitch follows 64 calls within calls. */
static void
flood_put_chunk(struct flood *f, size_t i)
{
    struct ds *actions = &f->chunks[i].actions;
    struct ds m = DS_EMPTY_INITIALIZER;

    if (!i) {
        for (size_t j = 1; j < f->n_chunks; j++) {
            ds_put_format(actions,
                          "%sset_field:%"PRIuSIZE"->"REG_CHUNK",resubmit(,%d)",
                          actions->length ? "," : "", j, f->table);
        }
    }
    if (!actions->length) {
        ds_put_cstr(actions, "drop");
    }
    fmt(&m, "metadata=%"PRIu32","REG_CHUNK"=%"PRIuSIZE, f->vn->vni, i);
    if (f->group) {
        put_group_match(&m, f->group);
    }
    flow_list_add(f->fl, f->table,
                  f->group ? FLOW_PRIO_OVERRIDE : FLOW_PRIO_NORMAL, f->cookie,
                  ds_cstr(&m), "%s", ds_cstr(actions));
    ds_destroy(&m);
}

static struct flow_list *
flood_finish(struct flood *f)
{
    bool any = !f->empty || f->group;

    for (size_t i = 0; i < f->n_chunks; i++) {
        if (any) {
            flood_put_chunk(f, i);
        }
        ds_destroy(&f->chunks[i].actions);
    }
    free(f->chunks);
    return flow_list_finish(f->fl);
}

static struct flow_list *
flood_local(struct flood *f, const ofp_port_t ports[], size_t n)
{
    flood_start(f, MAX(1, DIV_ROUND_UP(n, FLOOD_CHUNK)));
    for (size_t i = 0; i < n; i++) {
        struct chunk *chunk = flood_next(f, i / FLOOD_CHUNK);

        ds_put_format(&chunk->actions, "set_field:%"PRIu32"->"REG_PORT
                      ",resubmit(,%d)", ports[i], FLOW_TABLE_FLOOD_PORT);
    }
    return flood_finish(f);
}

/* Of thousands of NVEs one joins or leaves with a move.  That must rewrite one
 * part, not all that come after it: which part an NVE is in depends on itself
 * alone, and on the number of parts. */
static struct flow_list *
flood_remote(struct flood *f, const struct nve *from,
             const struct nve *const remotes[], size_t n)
{
    bool ipv6_before = false;
    size_t n_chunks = 1;

    while (n > n_chunks * FLOOD_CHUNK) {
        n_chunks *= 2;
    }
    flood_start(f, n_chunks);
    /* No part may depend on what is in the one before. */
    for (size_t i = 0; i < from->n_ips; i++) {
        ipv6_before |= !topology_is_ipv4(&from->ips[i]);
    }
    for (size_t i = 1; i < n_chunks; i++) {
        f->chunks[i].ipv6 = ipv6_before;
    }
    for (size_t i = 0; i < n; i++) {
        int ip = topology_tunnel_address(from, remotes[i]);

        if (ip >= 0) {
            struct chunk *chunk = flood_next(f, remotes[i]->id % n_chunks);
            bool ipv6 = !topology_is_ipv4(&remotes[i]->ips[ip]);

            /* The other family must not be left over from the last one. */
            ds_put_cstr(&chunk->actions,
                        ipv6 ? "set_field:0.0.0.0->tun_dst,"
                        : chunk->ipv6 ? "set_field:::->tun_ipv6_dst,"
                        : "");
            chunk->ipv6 = ipv6;
            pipeline_put_tunnel_to__(&chunk->actions, remotes[i], ip);
            ds_put_format(&chunk->actions, ",resubmit(,%d)",
                          FLOW_TABLE_TUNNEL);
        }
    }
    return flood_finish(f);
}

struct flow_list *
pipeline_flood_local(const struct vn *vn, const ofp_port_t ports[], size_t n)
{
    struct flood f = {
        .table = FLOW_TABLE_FLOOD_LOCAL,
        .cookie = cookie_make(COOKIE_FLOOD_LOCAL, vn->id),
        .vn = vn,
    };

    return flood_local(&f, ports, n);
}

struct flow_list *
pipeline_flood_remote(const struct vn *vn, const struct nve *from,
                      const struct nve *const remotes[], size_t n)
{
    struct flood f = {
        .table = FLOW_TABLE_FLOOD_REMOTE,
        .cookie = cookie_make(COOKIE_FLOOD_REMOTE, vn->id),
        .vn = vn,
    };

    return flood_remote(&f, from, remotes, n);
}

struct flow_list *
pipeline_group_local(const struct mcast_group *group,
                     const ofp_port_t ports[], size_t n)
{
    struct flood f = {
        .table = FLOW_TABLE_FLOOD_LOCAL,
        .cookie = cookie_make(COOKIE_GROUP_LOCAL, group->id),
        .vn = group->vn,
        .group = &group->ip,
    };

    return flood_local(&f, ports, n);
}

struct flow_list *
pipeline_group_remote(const struct mcast_group *group, const struct nve *from,
                      const struct nve *const remotes[], size_t n)
{
    struct flood f = {
        .table = FLOW_TABLE_FLOOD_REMOTE,
        .cookie = cookie_make(COOKIE_GROUP_REMOTE, group->id),
        .vn = group->vn,
        .group = &group->ip,
    };

    return flood_remote(&f, from, remotes, n);
}

/* What goes to them. */

void
pipeline_put_copies__(struct ds *s)
{
    ds_put_format(s, "resubmit(,%d),set_field:0->"REG_CHUNK",resubmit(,%d)",
                  FLOW_TABLE_FLOOD_LOCAL, FLOW_TABLE_FLOOD_REMOTE);
}

/* What VMs say about their multicast memberships goes to the controller, by a
 * meter of its own: whoever floods it does not keep moves from being heard.
 *
 * A report of one group is not flooded: who hears it keeps silent about its
 * own membership (RFC 2236 section 3, RFC 2710 section 4), which would then be
 * unknown (RFC 4541 section 2.1.1).  It leaves only by the uplink, if there is
 * one, for the physical network has to know what to send here.  It cannot be
 * told from a query for one group in IGMP, for which the controller therefore
 * makes the copies that are missing, see pipeline_put_flood(). */
void
pipeline_add_snooping__(struct flow_list *fl, const struct vn *vn)
{
    static const struct {
        int priority;
        const char *match;
        enum flow_table next;
    } flows[] = {
        { FLOW_PRIO_OVERRIDE, IPV4_GROUPS",ip,nw_proto=2,"
          "nw_dst="IGMP_LINK_LOCAL, FLOW_TABLE_FLOOD },
        { FLOW_PRIO_NORMAL, IPV4_GROUPS",ip,nw_proto=2", FLOW_TABLE_UPLINK },
        { FLOW_PRIO_NORMAL, IPV6_GROUPS",icmp6,icmp_type=130",
          FLOW_TABLE_FLOOD },
        { FLOW_PRIO_NORMAL, IPV6_GROUPS",icmp6,icmp_type=131",
          FLOW_TABLE_UPLINK },
        { FLOW_PRIO_NORMAL, IPV6_GROUPS",icmp6,icmp_type=132",
          FLOW_TABLE_FLOOD },
        { FLOW_PRIO_NORMAL, IPV6_GROUPS",icmp6,icmp_type=143",
          FLOW_TABLE_FLOOD },
    };
    uint64_t cookie = cookie_make(COOKIE_VN, vn->id);
    struct ds m = DS_EMPTY_INITIALIZER;

    fl->meter.id = SNOOPING_METER;
    fl->meter.rate = SNOOPING_METER_RATE;
    fl->meter.burst = SNOOPING_METER_RATE;
    for (size_t i = 0; i < ARRAY_SIZE(flows); i++) {
        flow_list_add(fl, FLOW_TABLE_LOOKUP, flows[i].priority, cookie,
                      fmt(&m, "metadata=%"PRIu32","REG_ORIGIN"=%d,"
                          "dl_vlan=0xffff,%s", vn->vni, FLOW_FROM_VM,
                          flows[i].match),
                      "controller(max_len=65535,userdata=%02x,meter_id=%d),"
                      "resubmit(,%d)", PIPELINE_PUNT_MEMBERSHIP,
                      SNOOPING_METER, flows[i].next);
    }
    ds_destroy(&m);
}

void
pipeline_put_flood(struct ds *s, const struct vn *vn)
{
    ds_put_format(s, "set_field:%"PRIu32"->metadata,", vn->vni);
    pipeline_put_copies__(s);
}
