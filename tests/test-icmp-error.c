/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* ICMP and ICMPv6 errors.
 *
 * Reads commands from stdin and prints each with what happens:
 *
 *   from MAC IP4 IP6   who says it; at first, 0a:00:00:00:00:fe and nobody
 *   CAUSE[:MTU] FLOW [payload=N] [cut=N] [OFFSET=HEX]...
 *                      answers a packet of FLOW, in the syntax of ovs-ofctl,
 *                      with N bytes behind all headers; of which only the
 *                      first N bytes are there; in which HEX replaces what is
 *                      at OFFSET.
 *   every-length CAUSE FLOW [payload=N] [cut=N] [OFFSET=HEX]...
 *                      the same with each length, and each byte inverted; it
 *                      prints nothing, but must not read what is not there
 *
 * The checksums of each answer are checked with the functions of Open vSwitch
 * that it does not use, and the quoted bytes are compared. */

#include <config.h>

#include "test-nva.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csum.h"
#include "dp-packet.h"
#include "flow.h"
#include "icmp-error.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "util.h"

struct scene {
    struct icmp_error from;
};

/* The value of the argument 'name', which is "NAME=N", in 'args'. */
static bool
get_option(const char *arg, const char *name, size_t *value)
{
    size_t len = strlen(name);

    if (strncmp(arg, name, len) || arg[len] != '=') {
        return false;
    }
    *value = strtoul(arg + len + 1, NULL, 10);
    return true;
}

/* Composes the packet that 'save_ptr' has the rest of the words of. */
static void
read_packet(char **save_ptr, struct dp_packet *p)
{
    char *flow_s = strtok_r(NULL, " \n", save_ptr);
    size_t payload = 16, cut = SIZE_MAX;
    char *rest = xstrdup(*save_ptr);
    char *sub_ptr = NULL;
    struct flow flow;
    uint8_t *l7;
    char *error, *arg;

    error = parse_ofp_exact_flow(&flow, NULL, NULL, flow_s, NULL);
    if (error) {
        ovs_fatal(0, "%s: %s", flow_s, error);
    }
    for (arg = strtok_r(rest, " \n", &sub_ptr); arg;
         arg = strtok_r(NULL, " \n", &sub_ptr)) {
        get_option(arg, "payload", &payload);
    }
    free(rest);
    l7 = xmalloc(payload + 1);
    for (size_t i = 0; i < payload; i++) {
        l7[i] = i;
    }
    dp_packet_init(p, 0);
    flow_compose(p, &flow, l7, payload);
    free(l7);

    while ((arg = strtok_r(NULL, " \n", save_ptr))) {
        size_t ignored;

        if (!get_option(arg, "cut", &cut)
            && !get_option(arg, "payload", &ignored)) {
            size_t ofs = strtoul(arg, &arg, 10);
            struct ofpbuf bytes;

            ofpbuf_init(&bytes, 0);
            if (*ofpbuf_put_hex(&bytes, arg + 1, NULL)) {
                ovs_fatal(0, "%s: not in hexadecimal", arg);
            }
            ovs_assert(ofs + bytes.size <= dp_packet_size(p));
            memcpy((char *) dp_packet_data(p) + ofs, bytes.data, bytes.size);
            ofpbuf_uninit(&bytes);
        }
    }
    dp_packet_set_size(p, MIN(cut, dp_packet_size(p)));
}

/* Prints the answer, which must be one. */
static void
print_answer(const struct ofpbuf *answer, const struct dp_packet *request)
{
    const uint8_t *quoted = (uint8_t *) dp_packet_data(request)
                            + ETH_HEADER_LEN;
    struct ds ds = DS_EMPTY_INITIALIZER;
    struct dp_packet p;
    struct flow flow;
    const uint8_t *icmp;
    size_t len;
    bool ipv6;

    dp_packet_use_const(&p, answer->data, answer->size);
    p.packet_type = htonl(PT_ETH);
    flow_extract(&p, &flow);
    ipv6 = flow.dl_type == htons(ETH_TYPE_IPV6);
    icmp = dp_packet_l4(&p);
    len = dp_packet_l4_size(&p);
    if (ipv6) {
        ovs_assert(!csum_finish(csum_continue(
            packet_csum_pseudoheader6(dp_packet_l3(&p)), icmp, len)));
        ovs_assert(flow.nw_proto == IPPROTO_ICMPV6);
    } else {
        const struct ip_header *ip = dp_packet_l3(&p);

        ovs_assert(!csum(ip, IP_HEADER_LEN) && !csum(icmp, len));
        ovs_assert(flow.nw_proto == IPPROTO_ICMP);
        ovs_assert(ntohs(ip->ip_tot_len) == IP_HEADER_LEN + len);
    }
    ovs_assert(!memcmp(icmp + 8, quoted, len - 8));
    ds_put_format(&ds, ETH_ADDR_FMT" > "ETH_ADDR_FMT", ",
                  ETH_ADDR_ARGS(flow.dl_src), ETH_ADDR_ARGS(flow.dl_dst));
    if (ipv6) {
        ipv6_format_addr(&flow.ipv6_src, &ds);
        ds_put_cstr(&ds, " > ");
        ipv6_format_addr(&flow.ipv6_dst, &ds);
    } else {
        ds_put_format(&ds, IP_FMT" > "IP_FMT, IP_ARGS(flow.nw_src),
                      IP_ARGS(flow.nw_dst));
    }
    ds_put_format(&ds, ", tos %#x, ttl %d, type %d code %d, "
                  "%02x%02x%02x%02x, quotes %"PRIuSIZE" bytes",
                  flow.nw_tos, flow.nw_ttl, icmp[0], icmp[1], icmp[4],
                  icmp[5], icmp[6], icmp[7], len - 8);
    puts(ds_cstr(&ds));
    ds_destroy(&ds);
}

static void
answer(struct scene *s, const char *cause, const struct dp_packet *p,
       bool print)
{
    struct icmp_error e = s->from;
    const char *mtu = strchr(cause, ':');
    size_t len = mtu ? mtu - cause : strlen(cause);
    uint8_t *frame = xmemdup(dp_packet_data(p), dp_packet_size(p));
    struct ofpbuf buf;
    const char *error;
    int i = 0;

    while (strlen(icmp_error_cause_to_string(i)) != len
           || strncmp(icmp_error_cause_to_string(i), cause, len)) {
        i++;
    }
    e.cause = i;
    e.mtu = mtu ? strtoul(mtu + 1, NULL, 10) : 0;
    ofpbuf_init(&buf, 0);
    error = icmp_error_put(&buf, frame, dp_packet_size(p), &e);
    ovs_assert(!error == (buf.size > 0));
    if (error && print) {
        puts(error);
    } else if (print) {
        print_answer(&buf, p);
    }
    ofpbuf_uninit(&buf);
    free(frame);
}

/* Answers 'p' as it is, and cut and spoiled at each place. */
static void
every_length(struct scene *s, const char *cause, struct dp_packet *p)
{
    size_t size = dp_packet_size(p);
    uint8_t *bytes = dp_packet_data(p);

    for (size_t i = 0; i <= size; i++) {
        dp_packet_set_size(p, i);
        answer(s, cause, p, false);
    }
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= 0xff;
        answer(s, cause, p, false);
        bytes[i] ^= 0xff;
    }
}

static void
set_from(struct scene *s, char **save_ptr)
{
    char *mac = strtok_r(NULL, " \n", save_ptr);
    char *ip4 = strtok_r(NULL, " \n", save_ptr);
    char *ip6 = strtok_r(NULL, " \n", save_ptr);

    ovs_assert(eth_addr_from_string(mac, &s->from.mac)
               && ip_parse(ip4, &s->from.ip4)
               && ipv6_parse(ip6, &s->from.ip6));
}

int
test_icmp_error(int argc OVS_UNUSED, char *argv[] OVS_UNUSED)
{
    struct scene s = {
        .from.mac = ETH_ADDR_C(0a,00,00,00,00,fe),
    };
    char line[1024];

    while (fgets(line, sizeof line, stdin)) {
        char *save_ptr = NULL;
        struct dp_packet p;
        char *word;

        printf("### %s", line);
        word = strtok_r(line, " \n", &save_ptr);
        if (!strcmp(word, "from")) {
            set_from(&s, &save_ptr);
        } else if (!strcmp(word, "every-length")) {
            word = strtok_r(NULL, " \n", &save_ptr);
            read_packet(&save_ptr, &p);
            every_length(&s, word, &p);
            dp_packet_uninit(&p);
        } else {
            read_packet(&save_ptr, &p);
            answer(&s, word, &p, true);
            dp_packet_uninit(&p);
        }
    }
    return EXIT_SUCCESS;
}
