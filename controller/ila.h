/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef ILA_H
#define ILA_H 1

/* Identifier-Locator Addressing for IPv6 (draft-herbert-intarea-ila), as
 * numbers.
 *
 * A VM has an address of which the upper 64 bits are the SIR prefix of its
 * virtual network, and the lower 64 bits identify it.  In the underlay the
 * upper 64 bits are the locator of the NVE where it is.  The translation is
 * neutral to the checksums of TCP, UDP and ICMPv6: the lowest 16 bits of the
 * identifier take up the difference (section 5.4.1 of the draft, without the C
 * bit, for each NVE knows each address that it translates; Linux calls that
 * "neutral-map-auto").
 *
 * In one's complement arithmetic 0 and ffff are the same number.  So two
 * identifiers that differ only in having 0000 and ffff at the end have the
 * same address in the underlay; a virtual network must not have both. */

#include <netinet/in.h>
#include <stdbool.h>

/* Returns the address in the underlay of the VM with address 'sir' at the NVE
 * with the given 'locator', of which the upper 64 bits count. */
struct in6_addr ila_translate(const struct in6_addr *sir,
                              const struct in6_addr *locator);

/* Returns true if the upper 64 bits of 'ip' are those of 'prefix'. */
bool ila_has_prefix(const struct in6_addr *ip, const struct in6_addr *prefix);

/* Parses 's', a prefix of 64 bits such as "2001:db8:0:1::/64", into '*prefix'.
 * Returns null, or what is wrong with it ("is not ..."), which the caller must
 * free; then '*prefix' is zero. */
char *ila_parse_prefix(const char *s, struct in6_addr *prefix);

#endif /* ila.h */
