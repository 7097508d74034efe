/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef WIRING_H
#define WIRING_H 1

/* Who needs which flows: from the topology to the units of each NVE.
 *
 * Whoever changes the topology calls the function below that is for the
 * change; the flows that depend on it change with it, on just those NVEs that
 * need them, found by index.  Lists that are the same for many NVEs are built
 * once and shared.
 *
 * wiring_check() builds everything from nothing and compares: it is the oracle
 * for the incremental functions (nva/recompute).
 *
 * Thread-safety: none; use from one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ds;
struct flow_list;
struct gateway;
struct late;
struct mcast_group;
struct move;
struct nve;
struct port;
struct topology;
struct vn;

/* Settings for all NVEs. */
struct wiring_config {
    uint32_t packet_in_rate;    /* To the controller, per bridge, in
                                 * packets/s (C3); 0 is no limit. */
};

/* 'nve' changed: its tunnel ports or 'config'. */
void wiring_nve_changed(struct nve *, const struct wiring_config *);

/* The addresses or the encapsulation of 'nve' changed: what everybody has for
 * the ports there is out of date. */
void wiring_nve_moved(struct topology *, struct nve *);

/* The uplinks of 'nve' changed. */
void wiring_uplinks_changed(struct nve *);

/* An attribute of 'vn' changed. */
void wiring_vn_changed(struct topology *, struct vn *);

/* An attribute, the place or an interface of 'port' changed. */
void wiring_port_changed(struct topology *, struct port *);

/* 'port' is going to vanish. */
void wiring_port_removed(struct topology *, struct port *);

/* 'port' gets or loses its business at 'nve'.  Joining the first port of a
 * VN brings the VN to the NVE, leaving with the last one removes it. */
void wiring_join(struct topology *, struct nve *, struct port *);
void wiring_leave(struct topology *, struct nve *, struct port *);

/* Makes 'nve' (null for none) the place of 'port', for everybody. */
void wiring_place_port(struct topology *, struct port *, struct nve *);

/* What 'nve' needs for 'port' before or after the cut-over of its move.  The
 * caller owns the reference. */
struct flow_list *wiring_port_list(struct topology *, struct port *,
                                   struct nve *, bool after);

/* The same for broadcast copies at 'nve'. */
struct flow_list *wiring_flood_local_list(struct topology *, struct nve *,
                                          const struct vn *);

/* 'gw' is new, or an attribute of it changed, but not its NVE or VN. */
void wiring_gateway_changed(struct topology *, struct gateway *gw);

/* What 'gw' is for a physical network changed. */
void wiring_gateway_outside_changed(const struct gateway *gw);

/* 'gw' is about to vanish; gateway_unlink() has been called. */
void wiring_gateway_removed(struct topology *, struct gateway *gw);

/* Another gateway serves 'port', or its address has changed. */
void wiring_way_out_changed(struct topology *, struct port *);

/* Broadcast copies changed at 'nve' by something else than a stage. */
void wiring_flood_local_changed(struct topology *, struct nve *,
                                const struct vn *);

/* The members of a multicast group changed; it may have none any more. */
void wiring_group_changed(struct topology *, struct mcast_group *);

/* 'port' is now, as a member of multicast groups, at its new place: its move
 * has been cut over. */
void wiring_port_groups_changed(struct topology *, struct port *);

/* What becomes of packets at 'late->nve' is new or has changed. */
void wiring_late_changed(const struct late *);

/* Drops what has been cached about the place of 'port'. */
void wiring_forget(struct port *);

/* Compares what is wanted at 'nve' with what would be if everything were
 * built from nothing, the units of moves aside.  Appends what differs to
 * 'out' and returns the number of differences. */
size_t wiring_check(struct topology *, struct nve *,
                    const struct wiring_config *, struct ds *out);

#endif /* wiring.h */
