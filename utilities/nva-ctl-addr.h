/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef NVA_CTL_ADDR_H
#define NVA_CTL_ADDR_H 1

/* Addresses as a person types them: MAC and IP addresses, subnets, remotes.
 *
 * Each parser is strict, because what it lets through ends up in flows: no
 * leading zeros, no missing digits, no host names.  IPv4 addresses are kept as
 * IPv4-mapped IPv6 addresses, so that the rest need not tell the families
 * apart.  Pure functions, no I/O.
 *
 * Functions that return 'char *' return null for success, otherwise what is
 * wrong, which the caller must free. */

#include <netinet/in.h>
#include <stdbool.h>

/* A subnet, host bits zero. */
struct nva_ctl_subnet {
    struct in6_addr ip;
    unsigned int plen;          /* 0...128; that of IPv4 plus 96. */
};

/* Stores the MAC address 's' into '*macp', in lower case, for the caller to
 * free.  Refuses group addresses and the zero address.  On failure stores
 * null. */
char *nva_ctl_addr_parse_mac(const char *s, char **macp)
    __attribute__((warn_unused_result));

/* Parses IP address 's', which must be one that a single host can have.
 * 'what' names it in the error message, such as "IP". */
char *nva_ctl_addr_parse_ip(const char *s, const char *what,
                            struct in6_addr *)
    __attribute__((warn_unused_result));

/* Parses 's', ADDRESS/PREFIX. */
char *nva_ctl_addr_parse_subnet(const char *s, struct nva_ctl_subnet *)
    __attribute__((warn_unused_result));

/* Checks an OVSDB remote that a controller can connect to. */
char *nva_ctl_addr_check_remote(const char *s)
    __attribute__((warn_unused_result));

/* Return canonical text for the caller to free. */
char *nva_ctl_addr_format_ip(const struct in6_addr *);
char *nva_ctl_addr_format_subnet(const struct nva_ctl_subnet *);

/* Returns 's' in canonical form if it is an IP address, otherwise a copy, for
 * the caller to free.  For what others have written into the database. */
char *nva_ctl_addr_canonicalize(const char *s);

bool nva_ctl_addr_subnet_contains(const struct nva_ctl_subnet *,
                                  const struct in6_addr *);
bool nva_ctl_addr_subnets_overlap(const struct nva_ctl_subnet *,
                                  const struct nva_ctl_subnet *);

/* Returns true if 'ip' is the network or the broadcast address of an IPv4
 * subnet that has these. */
bool nva_ctl_addr_is_reserved(const struct nva_ctl_subnet *,
                              const struct in6_addr *ip);

/* Returns true for IPv6 link-local addresses, which no subnet of a virtual
 * network contains. */
bool nva_ctl_addr_is_link_local(const struct in6_addr *);

#endif /* nva-ctl-addr.h */
