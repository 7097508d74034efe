/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef HOST_ROUTE_H
#define HOST_ROUTE_H 1

/* Host routes (V5): which gateway the outside shall send what is for a VM to,
 * address by address, as a routing daemon can announce it.
 *
 * There is one for each address of a port that is served by a gateway which
 * leads outside by an exit, a gateway of another VN at the same NVE, if the
 * exit has its routes exported (options:export) and routes back.  Its next hop
 * is the exit's address.  So a route follows the gateway that serves a port,
 * and not the port itself: a move changes none.
 *
 * An address that is in no network of the gateway has no route, for a row of
 * Port must not draw to its VM what is for others; nor has one that the
 * gateway translates. */

#include <stddef.h>

struct ds;
struct topology;

/* Appends the routes to 's' as configuration of BIRD 2, in the order of their
 * addresses, and returns how many they are.  If two ports have the same
 * address, the one whose VN sorts first has the route, and a warning is
 * logged.  Walks all ports that gateways serve. */
size_t host_routes_format(const struct topology *, struct ds *s);

#endif /* host-route.h */
