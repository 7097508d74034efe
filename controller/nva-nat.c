/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include "gateway.h"
#include "packets.h"
#include "util.h"

/* The external addresses of gateways, which belong to one of them each.  All
 * those in service are in 'snats', by what they translate to. */

char *
nva_nat_parse(const struct smap *options, struct gateway_config *config)
{
    const char *s = smap_get(options, "snat");
    ovs_be32 ip;

    if (!s || !s[0]) {
        return NULL;
    }
    if (!ip_parse(s, &ip)) {
        return xasprintf("options:snat=%s is not an IPv4 address", s);
    } else if (ip_is_multicast(ip) || ip_is_local_multicast(ip)
               || (ntohl(ip) >> 28) == 15 || !(ntohl(ip) >> 24)
               || (ntohl(ip) >> 24) == 127 || (ntohl(ip) >> 16) == 0xa9fe) {
        return xasprintf("options:snat=%s is not the address of a single "
                         "host outside", s);
    }
    config->snat = in6_addr_mapped_ipv4(ip);
    if (gateway_is_neighbor(config, &config->snat)) {
        return xasprintf("options:snat=%s is in the gateway's own network; it "
                         "must be an address outside", s);
    }
    return NULL;
}

/* Returns who has 'ip' in 'vn', for the caller to free, or null. */
static char *
find_owner(const struct vn *vn, const struct in6_addr *ip)
{
    const struct port *port = topology_find_port_by_ip(vn, ip, NULL);
    const struct gateway *gw = gateway_find_by_ip(vn, ip);

    return (port ? xasprintf("port %s", port->name)
            : gw ? xasprintf("gateway %s", gw->name) : NULL);
}

/* Returns the gateway that leads to 'vn' and translates to 'ip', or null.  Who
 * sends to 'ip' there wants the connections that it has translated. */
const struct gateway *
nva_nat_find(const struct nva *nva, const struct vn *vn,
             const struct in6_addr *ip)
{
    const struct gateway *gw;
    char s[INET6_ADDRSTRLEN];

    ipv6_string_mapped(s, ip);
    gw = shash_find_data(&nva->snats, s);
    return (gw && (gw->vn == vn || gateway_names(gw->config, vn)) ? gw
            : NULL);
}

/* Returns that one of 'config', of a gateway of 'vn', is the address to which
 * a gateway translates that leads there, for the caller to free, or null. */
static char *
check_ips(const struct nva *nva, const struct gateway_config *config,
          const struct vn *vn)
{
    for (size_t i = 0; i < config->n_ips; i++) {
        const struct in6_addr *ip = &config->ips[i].ip;
        const struct gateway *inner = nva_nat_find(nva, vn, ip);
        char s[INET6_ADDRSTRLEN];

        if (inner) {
            ipv6_string_mapped(s, ip);
            return xasprintf("ips: gateway %s translates to %s", inner->name,
                             s);
        }
    }
    return NULL;
}

char *
nva_nat_check(const struct nva *nva, const struct gateway_config *config,
              const struct vn *vn, const struct gateway *gw)
{
    const struct in6_addr *ip = &config->snat;
    char s[INET6_ADDRSTRLEN];
    const struct gateway *other;
    char *owner, *error;

    error = check_ips(nva, config, vn);
    if (error || !ipv6_addr_is_set(ip)) {
        return error;
    }
    ipv6_string_mapped(s, ip);
    other = shash_find_data(&nva->snats, s);
    if (other && other != gw) {
        return xasprintf("options:snat=%s is already that of gateway %s", s,
                         other->name);
    }
    owner = find_owner(vn, ip);
    for (size_t i = 0; i < config->n_vns && !owner; i++) {
        const struct vn *exit = topology_find_vn_by_id(&nva->topology,
                                                       config->vns[i]);

        owner = exit ? find_owner(exit, ip) : NULL;
    }
    if (!owner) {
        return NULL;
    }
    error = xasprintf("options:snat=%s is already the address of %s", s,
                      owner);
    free(owner);
    return error;
}

void
nva_nat_set(struct nva *nva, struct gateway *gw, const struct in6_addr *ip)
{
    char s[INET6_ADDRSTRLEN];

    if (ipv6_addr_is_set(&gw->snat)) {
        ipv6_string_mapped(s, &gw->snat);
        shash_find_and_delete(&nva->snats, s);
    }
    gateway_set_snat(gw, ip);
    nva_routes_changed(nva);
    if (ipv6_addr_is_set(ip)) {
        ipv6_string_mapped(s, ip);
        shash_add_assert(&nva->snats, s, gw);
    }
}
