/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "pipeline-private.h"

#include "cookie.h"
#include "openvswitch/dynamic-string.h"

/* A match on frames without a VLAN tag. */
#define UNTAGGED "vlan_tci=0x0000/0x1fff"

/* What the physical network sends into the VN.  Its source is looked up as if
 * it were the destination: an address of the VN's own has been sent by one of
 * our VMs, whose frames have come through our tunnels, too. */
static void
add_input(struct flow_list *fl, const struct vn *vn, ofp_port_t ofport,
          uint16_t vlan)
{
    uint64_t cookie = cookie_make(COOKIE_UPLINK, vn->id);
    struct ds m = DS_EMPTY_INITIALIZER;

    if (vlan) {
        fmt(&m, "in_port=%"PRIu32",dl_vlan=%"PRIu16, ofport, vlan);
    } else {
        fmt(&m, "in_port=%"PRIu32","UNTAGGED, ofport);
    }
    flow_list_add(fl, FLOW_TABLE_CLASSIFY, FLOW_PRIO_NORMAL, cookie,
                  ds_cstr(&m),
                  "%sset_field:%"PRIu32"->metadata,"
                  "set_field:%d->"REG_ORIGIN",push:NXM_OF_ETH_DST[],"
                  "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],resubmit(,%d),"
                  "pop:NXM_OF_ETH_DST[],resubmit(,%d)",
                  vlan ? "pop_vlan," : "", vn->vni, FLOW_FROM_UPLINK,
                  FLOW_TABLE_MAPPING, FLOW_TABLE_UPLINK_IN);
    flow_list_add(fl, FLOW_TABLE_UPLINK_IN, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, "metadata=%"PRIu32","REG_PLACE"=%d", vn->vni,
                      FLOW_PLACE_UNKNOWN),
                  "clone(resubmit(,%d)),resubmit(,%d)", FLOW_TABLE_LOOKUP,
                  FLOW_TABLE_UPLINK_SEEN);

    /* Split horizon: for VMs here only.  Other NVEs have uplinks of their
     * own, or no business with this network. */
    flow_list_add(fl, FLOW_TABLE_FLOOD, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, "metadata=%"PRIu32","REG_ORIGIN"=%d", vn->vni,
                      FLOW_FROM_UPLINK),
                  "resubmit(,%d)", FLOW_TABLE_FLOOD_LOCAL);
    ds_destroy(&m);
}

/* What VMs here send to the physical network. */
static void
add_output(struct flow_list *fl, const struct vn *vn, ofp_port_t ofport,
           uint16_t vlan)
{
    uint64_t cookie = cookie_make(COOKIE_UPLINK, vn->id);
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;

    flow_list_add(fl, FLOW_TABLE_FLOOD, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, "metadata=%"PRIu32","REG_ORIGIN"=%d", vn->vni,
                      FLOW_FROM_VM),
                  "clone(resubmit(,%d)),resubmit(,%d),"
                  "set_field:0->"REG_CHUNK",resubmit(,%d)",
                  FLOW_TABLE_UPLINK, FLOW_TABLE_FLOOD_LOCAL,
                  FLOW_TABLE_FLOOD_REMOTE);
    flow_list_add(fl, FLOW_TABLE_OUTPUT, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, "metadata=%"PRIu32","REG_PLACE"=%d,"REG_ORIGIN"=%d",
                      vn->vni, FLOW_PLACE_UNKNOWN, FLOW_FROM_VM),
                  "resubmit(,%d)", vn->flood_unknown ? FLOW_TABLE_FLOOD
                                                     : FLOW_TABLE_UPLINK);

    /* A tag of the VM's own would lead into another VLAN. */
    if (vlan) {
        fmt(&a, "push_vlan:0x8100,set_field:%d->vlan_vid,", 0x1000 | vlan);
    }
    flow_list_add(fl, FLOW_TABLE_UPLINK, FLOW_PRIO_NORMAL, cookie,
                  fmt(&m, "metadata=%"PRIu32","UNTAGGED, vn->vni),
                  "%soutput:%"PRIu32, ds_cstr(&a), ofport);
    ds_destroy(&m);
    ds_destroy(&a);
}

struct flow_list *
pipeline_uplink(const struct vn *vn, ofp_port_t ofport, uint16_t vlan)
{
    struct flow_list *fl = flow_list_create();

    add_input(fl, vn, ofport, vlan);
    add_output(fl, vn, ofport, vlan);
    return flow_list_finish(fl);
}
