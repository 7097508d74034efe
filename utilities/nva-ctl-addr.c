/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-ctl-addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "packets.h"
#include "util.h"

/* Prefix length of the IPv4-mapped addresses among all. */
#define MAPPED_PLEN 96

char *
nva_ctl_addr_parse_mac(const char *s, char **macp)
{
    static const char usage[] = "is not a MAC address, such as "
                                "02:00:00:00:00:01";
    struct eth_addr ea;

    *macp = NULL;
    if (strlen(s) != ETH_ADDR_STRLEN) {
        return xasprintf("MAC \"%s\" %s", s, usage);
    }
    for (int i = 0; i < ETH_ADDR_STRLEN; i++) {
        unsigned char c = s[i];

        if (i % 3 == 2 ? c != ':' : !isxdigit(c)) {
            return xasprintf("MAC \"%s\" %s", s, usage);
        }
    }
    if (!eth_addr_from_string(s, &ea)) {
        return xasprintf("MAC \"%s\" %s", s, usage);
    }
    if (eth_addr_is_zero(ea)) {
        return xasprintf("MAC %s is zero, but that of a port is needed", s);
    }
    if (eth_addr_is_multicast(ea)) {
        return xasprintf("MAC %s is a group address, but that of a single "
                         "port is needed (its first octet is even)", s);
    }
    *macp = xasprintf(ETH_ADDR_FMT, ETH_ADDR_ARGS(ea));
    return NULL;
}

/* inet_pton() is strict, in contrast to ip_parse(). */
static bool
parse_ip__(const char *s, struct in6_addr *ip)
{
    struct in_addr ip4;

    if (inet_pton(AF_INET, s, &ip4) == 1) {
        in6_addr_set_mapped_ipv4(ip, ip4.s_addr);
        return true;
    }
    /* Mapped IPv4 addresses are never seen in a packet. */
    return inet_pton(AF_INET6, s, ip) == 1 && !IN6_IS_ADDR_V4MAPPED(ip);
}

/* Returns what keeps 'ip' from being the address of a host, or null. */
static const char *
why_no_host(const struct in6_addr *ip)
{
    if (!IN6_IS_ADDR_V4MAPPED(ip)) {
        return (IN6_IS_ADDR_UNSPECIFIED(ip) ? "the unspecified address"
                : IN6_IS_ADDR_MULTICAST(ip) ? "a multicast address"
                : NULL);
    }

    ovs_be32 ip4 = in6_addr_get_mapped_ipv4(ip);
    return (!ip4 ? "the unspecified address"
            : ip4 == OVS_BE32_MAX ? "the broadcast address"
            : ip_is_multicast(ip4) ? "a multicast address"
            : NULL);
}

char *
nva_ctl_addr_parse_ip(const char *s, const char *what, struct in6_addr *ip)
{
    if (!parse_ip__(s, ip)) {
        return xasprintf("%s \"%s\" is not an IPv4 or IPv6 address", what, s);
    }

    const char *why = why_no_host(ip);
    return why ? xasprintf("%s %s is %s, but that of a single host is needed",
                           what, s, why)
               : NULL;
}

/* Returns the first 'plen' bits of 'ip', all others zero. */
static struct in6_addr
mask_ip(const struct in6_addr *ip, unsigned int plen)
{
    struct in6_addr mask = ipv6_create_mask(plen);
    return ipv6_addr_bitand(ip, &mask);
}

char *
nva_ctl_addr_parse_subnet(const char *s, struct nva_ctl_subnet *subnet)
{
    const char *slash = strchr(s, '/');
    char *ip_s = xmemdup0(s, slash ? slash - s : strlen(s));
    bool ok = parse_ip__(ip_s, &subnet->ip);
    unsigned int plen;

    free(ip_s);
    bool is_ip4 = ok && IN6_IS_ADDR_V4MAPPED(&subnet->ip);
    if (!ok || !slash || !isdigit((unsigned char) slash[1])
        || !str_to_uint(slash + 1, 10, &plen) || plen > (is_ip4 ? 32 : 128)) {
        return xasprintf("subnet \"%s\" is not ADDRESS/PREFIX, such as "
                         "10.0.0.0/24 or fd00::/64", s);
    }
    subnet->plen = plen + (is_ip4 ? MAPPED_PLEN : 0);

    struct in6_addr masked = mask_ip(&subnet->ip, subnet->plen);
    if (!ipv6_addr_equals(&masked, &subnet->ip)) {
        subnet->ip = masked;

        char *canonical = nva_ctl_addr_format_subnet(subnet);
        char *error = xasprintf("subnet %s has host bits set; write %s",
                                s, canonical);
        free(canonical);
        return error;
    }
    if (subnet->plen > 0 && why_no_host(&subnet->ip)
        && (is_ip4 ? ip_is_multicast(in6_addr_get_mapped_ipv4(&subnet->ip))
            : IN6_IS_ADDR_MULTICAST(&subnet->ip))) {
        return xasprintf("subnet %s is one of multicast addresses, but one of "
                         "hosts is needed", s);
    }
    return NULL;
}

char *
nva_ctl_addr_check_remote(const char *s)
{
    char *copy = xstrdup(s);
    char *p = strchr(copy, ':');
    bool ok = false;

    if (p && !strncmp(copy, "unix:", 5)) {
        ok = p[1] == '/' && p[2];
    } else if (p && (!strncmp(copy, "tcp:", 4) || !strncmp(copy, "ssl:", 4))) {
        char *ip_s = ++p;
        bool bracket = *ip_s == '[';
        char *port_s = strrchr(p, ':');
        unsigned int port;
        struct in6_addr ip;

        if (port_s && port_s > ip_s + 1) {
            *port_s++ = '\0';
            if (bracket && port_s[-2] == ']') {
                port_s[-2] = '\0';
                ip_s++;
            }
            ok = (parse_ip__(ip_s, &ip) && !why_no_host(&ip)
                  && bracket == !IN6_IS_ADDR_V4MAPPED(&ip)
                  && isdigit((unsigned char) *port_s)
                  && str_to_uint(port_s, 10, &port)
                  && port >= 1 && port <= UINT16_MAX);
        }
    }
    free(copy);
    return ok ? NULL
              : xasprintf("ovsdb=%s: not a remote; must be tcp:IP:PORT or "
                          "ssl:IP:PORT (IPv6 addresses in brackets), or "
                          "unix:/PATH", s);
}

char *
nva_ctl_addr_format_ip(const struct in6_addr *ip)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ipv6_format_mapped(ip, &s);
    return ds_steal_cstr(&s);
}

char *
nva_ctl_addr_format_subnet(const struct nva_ctl_subnet *subnet)
{
    bool is_ip4 = (IN6_IS_ADDR_V4MAPPED(&subnet->ip)
                   && subnet->plen >= MAPPED_PLEN);
    char *ip = nva_ctl_addr_format_ip(&subnet->ip);
    char *s = xasprintf("%s/%u", ip,
                        subnet->plen - (is_ip4 ? MAPPED_PLEN : 0));
    free(ip);
    return s;
}

char *
nva_ctl_addr_canonicalize(const char *s)
{
    struct in6_addr ip;

    return parse_ip__(s, &ip) ? nva_ctl_addr_format_ip(&ip) : xstrdup(s);
}

bool
nva_ctl_addr_subnet_contains(const struct nva_ctl_subnet *subnet,
                             const struct in6_addr *ip)
{
    struct in6_addr masked = mask_ip(ip, subnet->plen);

    /* Not so for ::/0 and an IPv4 address, which is of another family. */
    return (ipv6_addr_equals(&masked, &subnet->ip)
            && (subnet->plen >= MAPPED_PLEN || !IN6_IS_ADDR_V4MAPPED(ip)));
}

bool
nva_ctl_addr_subnets_overlap(const struct nva_ctl_subnet *a,
                             const struct nva_ctl_subnet *b)
{
    return (nva_ctl_addr_subnet_contains(a, &b->ip)
            || nva_ctl_addr_subnet_contains(b, &a->ip));
}

bool
nva_ctl_addr_is_reserved(const struct nva_ctl_subnet *subnet,
                         const struct in6_addr *ip)
{
    /* A /31 (RFC 3021) and a /32 have neither. */
    if (!IN6_IS_ADDR_V4MAPPED(ip) || subnet->plen < MAPPED_PLEN
        || subnet->plen > MAPPED_PLEN + 30) {
        return false;
    }

    ovs_be32 ip4 = in6_addr_get_mapped_ipv4(ip);
    ovs_be32 host = ~be32_prefix_mask(subnet->plen - MAPPED_PLEN);
    return (ip4 & host) == 0 || (ip4 & host) == host;
}

bool
nva_ctl_addr_is_link_local(const struct in6_addr *ip)
{
    return IN6_IS_ADDR_LINKLOCAL(ip);
}
