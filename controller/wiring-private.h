/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef WIRING_PRIVATE_H
#define WIRING_PRIVATE_H 1

/* What wiring.c and wiring-gateway.c share.  For them only. */

#include "cookie.h"
#include "wiring.h"

struct flow_list;

/* Sets unit 'kind' of object 'id' at 'nve', null for nothing, and drops the
 * caller's reference to the list. */
void wiring_set_unit__(struct nve *, enum cookie_kind, uint64_t id,
                       struct flow_list *);

/* A comparison of what is wanted with what should be. */
struct wiring_comparison {
    const char *nve;
    struct ds *out;
    size_t n;
};

/* Compares a unit with 'fl', null for nothing, and drops the reference. */
void wiring_check_unit__(struct wiring_comparison *, const struct nve *,
                         enum cookie_kind, uint64_t id, struct flow_list *);

/* Brings all of 'vn' to 'nve', or removes it, because 'nve' has become, or is
 * no longer, a member. */
void wiring_member_added__(struct topology *, struct nve *, struct vn *);
void wiring_member_removed__(struct nve *, struct vn *);

/* What the VN has at 'nve' because of its gateways. */
void wiring_set_router__(struct nve *, const struct vn *);

/* Tells the gateways of its VN what they need for 'port', or that it goes. */
void wiring_set_hosts__(const struct port *);
void wiring_remove_hosts__(const struct port *);

/* The addresses of 'nve', to which ports are served by its gateways, changed.
 */
void wiring_gateways_moved__(struct topology *, const struct nve *);

/* An uplink of 'nve' has come or gone. */
void wiring_gateway_uplinks_changed__(const struct nve *);

/* All gateways of the VN changed with it. */
void wiring_vn_gateways_changed__(struct topology *, struct vn *);

/* Compares what 'nve' has for 'vn' because of gateways. */
void wiring_check_gateways__(struct wiring_comparison *, const struct nve *,
                             const struct vn *);

#endif /* wiring-private.h */
