/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Multicast memberships, in virtual time.
 *
 * Reads commands from stdin and prints each with what happens.  Ports a, b and
 * c are in VN blue, d in red; a port can be a member of 4 groups.  Whether a
 * packet is IGMP or MLD depends on the group.
 *
 *   run TIME                 lets time pass, in ms
 *   report1 PORT GROUP       IGMPv1 or MLDv1
 *   report PORT GROUP        IGMPv2 or MLDv1
 *   leave PORT GROUP         likewise
 *   reports PORT RECORD...   IGMPv3 or MLDv2; RECORD is TYPE,N-SOURCES,GROUP
 *   query PORT SOURCE        general query
 *   claim N                  the next one with records says it has N more
 *   cut N                    the next packet lacks its last N bytes
 *   poke OFFSET BYTE         the next packet has BYTE there
 *   state                    who is a member of what
 *   forget PORT
 *   our-query 4|6 SECONDS    the query that the NVA sends
 *   fuzz SEED N              N packets of port a, most of them wrong */

#include <config.h>

#include "test-nva.h"

#include <netinet/ip6.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "csum.h"
#include "igmp.h"
#include "mcast.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "random.h"
#include "svec.h"
#include "topology.h"
#include "unaligned.h"
#include "util.h"

enum { MAX_GROUPS = 4, N_PORTS = 4 };

struct scene {
    struct topology t;
    struct mcast *mcast;
    struct port *ports[N_PORTS];
    long long int now;
    size_t claim, cut;
    int poke_at, poke;          /* 'poke_at' is -1 for none. */
    uint8_t *guard;             /* Memory after this cannot be read. */
    bool quiet;
};

static void
on_changed(struct mcast_group *g, void *s_)
{
    const struct scene *s = s_;
    struct ds name = DS_EMPTY_INITIALIZER;

    if (!s->quiet) {
        mcast_format_group(g, &name);
        printf("%lld: %s %s has %"PRIuSIZE"\n", s->now, g->vn->name,
               ds_cstr(&name), ovs_list_size(&g->members));
        ds_destroy(&name);
    }
}

/* Packets. */

static void
put_ip(struct ofpbuf *b, const struct in6_addr *ip, bool ipv6)
{
    if (ipv6) {
        ofpbuf_put(b, ip, sizeof *ip);
    } else {
        ovs_be32 v4 = in6_addr_get_mapped_ipv4(ip);

        ofpbuf_put(b, &v4, sizeof v4);
    }
}

static void
put_bytes(struct ofpbuf *b, uint8_t a, uint8_t c, uint8_t d, uint8_t e)
{
    uint8_t bytes[] = { a, c, d, e };

    ofpbuf_put(b, bytes, sizeof bytes);
}

/* Makes 'b', which holds a message with a checksum of 0, a frame from 'src' to
 * 'dst'. */
static void
wrap(struct ofpbuf *b, const struct in6_addr *src, const struct in6_addr *dst,
     bool ipv6)
{
    struct ofpbuf frame;
    uint16_t len = b->size;
    uint8_t *l4;

    ofpbuf_init(&frame, 128);
    ofpbuf_put_zeros(&frame, 12);
    put_bytes(&frame, ipv6 ? 0x86 : 0x08, ipv6 ? 0xdd : 0x00,
              ipv6 ? 0x60 : 0x46, 0);
    if (ipv6) {
        len += 8;
        put_bytes(&frame, 0, 0, len >> 8, len);
        ofpbuf_put(&frame, (uint8_t []) { 0, 1 }, 2);
    } else {
        len += 24;
        put_bytes(&frame, len >> 8, len, 0, 0);
        put_bytes(&frame, 0, 0, 1, 2);
        ofpbuf_put_zeros(&frame, 2);
    }
    put_ip(&frame, src, ipv6);
    put_ip(&frame, dst, ipv6);
    if (ipv6) {
        struct ovs_16aligned_ip6_hdr pseudo;

        memcpy(&pseudo, (uint8_t *) frame.data + 14, sizeof pseudo);
        pseudo.ip6_plen = htons(b->size);
        pseudo.ip6_nxt = IPPROTO_ICMPV6;
        put_bytes(&frame, IPPROTO_ICMPV6, 0, 5, 2);
        put_bytes(&frame, 0, 0, 1, 0);
        l4 = b->data;
        put_unaligned_be16((void *) (l4 + 2), csum_finish(csum_continue(
            packet_csum_pseudoheader6(&pseudo), l4, b->size)));
    } else {
        put_bytes(&frame, 0x94, 4, 0, 0);
        l4 = b->data;
        put_unaligned_be16((void *) (l4 + 2), csum(l4, b->size));
    }
    ofpbuf_put(&frame, b->data, b->size);
    ofpbuf_uninit(b);
    *b = frame;
}

/* Starts a message; 'group' is null for one with records. */
static void
start(struct ofpbuf *b, bool ipv6, uint8_t type, const struct in6_addr *group)
{
    ofpbuf_init(b, 128);
    put_bytes(b, type, 0, 0, 0);
    if (ipv6 || !group) {
        ofpbuf_put_zeros(b, 4);
    }
    if (group) {
        put_ip(b, group, ipv6);
    }
}

static void
put_record(struct ofpbuf *b, uint8_t type, int n_sources,
           const struct in6_addr *group, bool ipv6)
{
    put_bytes(b, type, 0, n_sources >> 8, n_sources);
    put_ip(b, group, ipv6);
    for (int i = 0; i < n_sources; i++) {
        put_ip(b, group, ipv6);
    }
    ((uint8_t *) b->data)[7]++;
}

static void
deliver(struct scene *s, struct port *port, struct ofpbuf *b)
{
    struct igmp_message msg;
    const char *error;
    uint8_t *frame;

    b->size -= MIN(s->cut, b->size);
    if (s->poke_at >= 0 && s->poke_at < b->size) {
        ((uint8_t *) b->data)[s->poke_at] = s->poke;
    }
    s->cut = 0;
    s->poke_at = -1;

    frame = s->guard - b->size;
    memcpy(frame, b->data, b->size);
    ofpbuf_uninit(b);
    error = igmp_parse(frame, s->guard - frame, &msg);
    if (error && !s->quiet) {
        printf("%lld: %s\n", s->now, error);
    } else if (!error && mcast_receive(s->mcast, port, &msg, s->now)
               && !s->quiet) {
        printf("%lld: ask %s\n", s->now, port->name);
    }
}

/* Commands. */

static struct port *
find(const struct scene *s, const char *name)
{
    struct port *port = topology_find_port(&s->t, name);

    if (!port) {
        ovs_fatal(0, "%s: no such port", name);
    }
    return port;
}

static struct in6_addr
vm_ip(bool ipv6)
{
    return test_ip(ipv6 ? "fe80::1" : "10.0.0.1");
}

/* A message about one group. */
static void
do_simple(struct scene *s, struct port *port, const char *command,
          const char *group_s)
{
    struct in6_addr group = test_ip(group_s);
    bool ipv6 = !topology_is_ipv4(&group);
    bool leave = !strcmp(command, "leave");
    struct in6_addr src = vm_ip(ipv6), dst = group;
    struct ofpbuf b;

    if (leave) {
        dst = test_ip(ipv6 ? "ff02::2" : "224.0.0.2");
    }
    start(&b, ipv6,
          ipv6 ? (leave ? 132 : 131)
          : leave ? 0x17 : !strcmp(command, "report1") ? 0x12 : 0x16, &group);
    wrap(&b, &src, &dst, ipv6);
    deliver(s, port, &b);
}

static void
do_reports(struct scene *s, struct port *port, const struct svec *args)
{
    bool ipv6 = args->n > 2 && strstr(args->names[2], "::");
    struct in6_addr src = vm_ip(ipv6);
    struct in6_addr dst = test_ip(ipv6 ? "ff02::16" : "224.0.0.22");
    struct ofpbuf b;

    start(&b, ipv6, ipv6 ? 143 : 0x22, NULL);
    for (size_t i = 2; i < args->n; i++) {
        struct in6_addr group;
        int type, n_sources;
        char group_s[64];

        ovs_assert(sscanf(args->names[i], "%d,%d,%63s", &type, &n_sources,
                          group_s) == 3);
        group = test_ip(group_s);
        put_record(&b, type, n_sources, &group, ipv6);
    }
    ((uint8_t *) b.data)[7] += s->claim;
    s->claim = 0;
    wrap(&b, &src, &dst, ipv6);
    deliver(s, port, &b);
}

static void
do_query(struct scene *s, struct port *port, const char *src_s)
{
    struct in6_addr src = test_ip(src_s);
    bool ipv6 = !topology_is_ipv4(&src);
    struct in6_addr dst = test_ip(ipv6 ? "ff02::1" : "224.0.0.1");
    struct in6_addr none = ipv6 ? in6addr_any : test_ip("0.0.0.0");
    struct ofpbuf b;

    start(&b, ipv6, ipv6 ? 130 : 0x11, &none);
    wrap(&b, &src, &dst, ipv6);
    deliver(s, port, &b);
}

static void
put_state(const struct scene *s)
{
    for (int i = 0; i < N_PORTS; i++) {
        const struct mcast_member *member;

        printf("%s:", s->ports[i]->name);
        LIST_FOR_EACH (member, port_node, &s->ports[i]->memberships) {
            struct ds name = DS_EMPTY_INITIALIZER;

            mcast_format_group(member->group, &name);
            printf(" %s until %lld%s%s,", ds_cstr(&name), member->expires,
                   member->leaving ? " leaving" : "",
                   member->is_router ? " router" : "");
            ds_destroy(&name);
        }
        putchar('\n');
    }
}

static void
run(struct scene *s, long long int until)
{
    while (mcast_deadline(s->mcast) <= until) {
        s->now = mcast_deadline(s->mcast);
        mcast_run(s->mcast, s->now);
    }
    s->now = until;
}

static void
do_our_query(bool ipv6, int seconds)
{
    struct igmp_message msg;
    struct ofpbuf b;
    const char *error;

    ofpbuf_init(&b, 0);
    igmp_put_query(&b, ipv6, seconds);
    for (size_t i = 0; i < b.size; i++) {
        printf("%02x%s", ((uint8_t *) b.data)[i],
               i == 13 || i % 16 == 13 || i == b.size - 1 ? "\n" : "");
    }
    error = igmp_parse(b.data, b.size, &msg);
    puts(error ? error : msg.type == IGMP_QUERY ? "is a query" : "is none");
    ofpbuf_uninit(&b);
}

/* Fuzz. */

static void
random_packet(struct ofpbuf *b)
{
    static const uint8_t types[] = { 1, 2, 3, 4, 5, 6, 7, 255 };
    bool ipv6 = random_range(2);
    struct in6_addr src = vm_ip(ipv6);
    struct in6_addr group = test_ip(ipv6 ? "ff05::1" : "239.0.0.1");
    bool records = random_range(3);

    group.s6_addr[15] = random_range(16);
    start(b, ipv6, records ? (ipv6 ? 143 : 0x22) : (ipv6 ? 131 : 0x16),
          records ? NULL : &group);
    for (int i = random_range(records ? 6 : 1); i > 0; i--) {
        put_record(b, types[random_range(ARRAY_SIZE(types))],
                   random_range(3), &group, ipv6);
        group.s6_addr[15]++;
    }

    /* Before the checksum, so that it is right. */
    for (int i = random_range(4); i > 0; i--) {
        ((uint8_t *) b->data)[4 + random_range(b->size - 4)] =
            random_range(2) ? random_range(256) : 0xff;
    }
    wrap(b, &src, &group, ipv6);

    /* After it. */
    for (int i = random_range(5) / 4; i > 0; i--) {
        ((uint8_t *) b->data)[random_range(b->size)] = random_range(256);
    }
    if (!random_range(3)) {
        b->size = random_range(b->size + 1);
    }
}

static void
do_fuzz(struct scene *s, int seed, int n)
{
    struct port *port = s->ports[0];

    random_set_seed(seed);
    s->quiet = true;
    for (int i = 0; i < n; i++) {
        const struct mcast_member *member;
        struct ofpbuf b;

        random_packet(&b);
        deliver(s, port, &b);
        ovs_assert(ovs_list_size(&port->memberships) <= MAX_GROUPS + 1);
        LIST_FOR_EACH (member, port_node, &port->memberships) {
            ovs_assert(mcast_is_every_group(member->group)
                       || igmp_is_tracked(&member->group->ip));
        }
        run(s, s->now + random_range(1000));
    }
    s->quiet = false;
}

static void
do_line(struct scene *s, char *line)
{
    struct svec args = SVEC_EMPTY_INITIALIZER;
    const char *command, *a, *b;

    svec_parse_words(&args, line);
    if (!args.n) {
        svec_destroy(&args);
        return;
    }
    printf("### %s", line);
    command = args.names[0];
    a = args.n > 1 ? args.names[1] : "";
    b = args.n > 2 ? args.names[2] : "";
    if (!strcmp(command, "run")) {
        run(s, atoll(a));
    } else if (!strcmp(command, "reports")) {
        do_reports(s, find(s, a), &args);
    } else if (!strcmp(command, "query")) {
        do_query(s, find(s, a), b);
    } else if (!strcmp(command, "claim")) {
        s->claim = atoi(a);
    } else if (!strcmp(command, "cut")) {
        s->cut = atoi(a);
    } else if (!strcmp(command, "poke")) {
        s->poke_at = atoi(a);
        s->poke = strtol(b, NULL, 0);
    } else if (!strcmp(command, "state")) {
        put_state(s);
    } else if (!strcmp(command, "forget")) {
        mcast_forget_port(s->mcast, find(s, a));
    } else if (!strcmp(command, "our-query")) {
        do_our_query(a[0] == '6', atoi(b));
    } else if (!strcmp(command, "fuzz")) {
        do_fuzz(s, atoi(a), atoi(b));
    } else {
        do_simple(s, find(s, a), command, b);
    }
    svec_destroy(&args);
}

int
test_mcast(int argc OVS_UNUSED, char *argv[] OVS_UNUSED)
{
    struct scene s = { .poke_at = -1 };
    size_t page = sysconf(_SC_PAGESIZE);
    uint8_t *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char line[256];

    ovs_assert(memory != MAP_FAILED && !mprotect(memory + page, page,
                                                 PROT_NONE));
    s.guard = memory + page;
    topology_init(&s.t);
    s.mcast = mcast_create(on_changed, &s);
    for (int i = 0; i < N_PORTS; i++) {
        const char *vn_name = i < 3 ? "blue" : "red";
        struct vn *vn = topology_find_vn(&s.t, vn_name);
        char name[2] = { 'a' + i, '\0' };

        if (!vn) {
            vn = topology_add_vn(&s.t, vn_name, 10 + i);
            vn->max_groups = MAX_GROUPS;
        }
        s.ports[i] = topology_add_port(&s.t, name, i + 1, vn);
    }
    while (fgets(line, sizeof line, stdin)) {
        do_line(&s, line);
    }
    s.quiet = true;
    for (int i = 0; i < N_PORTS; i++) {
        mcast_forget_port(s.mcast, s.ports[i]);
    }
    mcast_destroy(s.mcast);
    topology_uninit(&s.t);
    return EXIT_SUCCESS;
}
