/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ila.h"

#include <stdint.h>
#include <string.h>

#include "packets.h"
#include "util.h"

enum { LOCATOR_LEN = 8 };       /* In bytes. */

/* Adds the 16-bit word at 'p' to the one's complement sum 'sum'. */
static uint16_t
add(uint16_t sum, uint16_t word)
{
    uint32_t total = sum + word;

    return total + (total >> 16);
}

static uint16_t
get_word(const struct in6_addr *a, int ofs)
{
    return a->s6_addr[ofs] << 8 | a->s6_addr[ofs + 1];
}

struct in6_addr
ila_translate(const struct in6_addr *sir, const struct in6_addr *locator)
{
    struct in6_addr a = *sir;
    uint16_t last = get_word(sir, 14);

    memcpy(&a, locator, LOCATOR_LEN);
    for (int i = 0; i < LOCATOR_LEN; i += 2) {
        last = add(last, get_word(sir, i));
        last = add(last, ~get_word(locator, i));
    }
    a.s6_addr[14] = last >> 8;
    a.s6_addr[15] = last;
    return a;
}

bool
ila_has_prefix(const struct in6_addr *ip, const struct in6_addr *prefix)
{
    return !memcmp(ip, prefix, LOCATOR_LEN);
}

char *
ila_parse_prefix(const char *s, struct in6_addr *prefix)
{
    static const uint8_t no_host[LOCATOR_LEN];
    unsigned int plen;
    char *error = ipv6_parse_cidr(s, prefix, &plen);

    free(error);
    if (error || plen != 64 || ipv6_addr_is_multicast(prefix)
        || ipv6_is_zero(prefix) || in6_is_lla(prefix)
        || memcmp(prefix->s6_addr + LOCATOR_LEN, no_host, sizeof no_host)) {
        memset(prefix, 0, sizeof *prefix);
        return xstrdup("is not an IPv6 prefix of 64 bits, such as "
                       "2001:db8:0:1::/64");
    }
    return NULL;
}
