/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <limits.h>
#include <stdlib.h>

#include "cookie.h"
#include "ila.h"
#include "openvswitch/dynamic-string.h"
#include "util.h"

/* Rows of Virtual_Network. */

/* Defaults of options, see nva(5). */
#define RESPONDER_RATE 100
#define RESPONDER_BURST 50
#define MULTICAST_GROUPS 64
#define ANNOUNCE_COUNT 5
#define LATE_TIME 300
#define CONNECTION_IDLE 120

/* The highest Virtual_Network:options:announce_count. */
#define ANNOUNCE_COUNT_MAX 10

/* The highest Virtual_Network:options:late_time, in s. */
#define LATE_TIME_MAX 86400

/* That of connection_idle, in s: what OpenFlow can say. */
#define CONNECTION_IDLE_MAX 65535

/* Returns option 'key' of 'row', a number from 'min' to 'max', or 'def' if it
 * is not set or not one; then appends what is wrong to 'errors'. */
static int
get_number(const struct db_vn *row, const char *key, int min, int max,
           int def, struct ds *errors)
{
    const char *s = smap_get(row->options, key);
    int value = def;

    if (s && (!str_to_int(s, 10, &value) || value < min || value > max)) {
        ds_put_format(errors, "%soptions:%s=%s is not a number from %d to %d; "
                      "using %d", errors->length ? "; " : "", key, s, min, max,
                      def);
        return def;
    }
    return value;
}

/* Returns true if option 'key' of 'row' is 'other', false if it is 'def' or
 * not set.  Anything else is as if it were not set, and told in 'errors'. */
static bool
get_choice(const struct db_vn *row, const char *key, const char *def,
           const char *other, struct ds *errors)
{
    const char *s = smap_get_def(row->options, key, def);

    if (strcmp(s, def) && strcmp(s, other)) {
        ds_put_format(errors, "%soptions:%s=%s must be %s or %s; using %s",
                      errors->length ? "; " : "", key, s, def, other, def);
    }
    return !strcmp(s, other);
}

static enum vn_late
get_late(const struct db_vn *row, struct ds *errors)
{
    const char *s = smap_get_def(row->options, "late", "drop");

    if (!strcmp(s, "icmp-unreachable")) {
        return VN_LATE_ICMP_UNREACHABLE;
    } else if (!strcmp(s, "forward")) {
        return VN_LATE_FORWARD;
    } else if (strcmp(s, "drop")) {
        ds_put_format(errors, "%soptions:late=%s must be drop, "
                      "icmp-unreachable or forward; using drop",
                      errors->length ? "; " : "", s);
    }
    return VN_LATE_DROP;
}

/* Returns the SIR prefix of 'row' for 'vn', zero if it has none.  No two VNs
 * may have the same, for a packet from the underlay does not name its VN.
 * What 'vn' has already is not looked up again. */
static struct in6_addr
get_sir(const struct nva *nva, const struct vn *vn, const struct db_vn *row,
        struct ds *errors)
{
    const char *s = smap_get_def(row->options, "ila", "");
    struct in6_addr sir = in6addr_any;
    char *error = s[0] ? ila_parse_prefix(s, &sir) : NULL;

    if (ipv6_addr_is_set(&sir) && !(vn && ipv6_addr_equals(&sir, &vn->sir))) {
        const struct vn *other;

        HMAP_FOR_EACH (other, name_node, &nva->topology.vns) {
            if (ipv6_addr_equals(&other->sir, &sir)) {
                error = xasprintf("is that of VN %s", other->name);
                sir = in6addr_any;
                break;
            }
        }
    }
    if (error) {
        ds_put_format(errors, "%soptions:ila=%s %s; using none",
                      errors->length ? "; " : "", s, error);
        free(error);
    }
    return sir;
}

/* Takes what 'row' says about how ports of 'vn' change their gateway. */
static void
take_gateway_options(struct nva *nva, struct vn *vn, const struct db_vn *row,
                     struct ds *errors)
{
    bool nearest = get_choice(row, "gateway_policy", "stay", "nearest",
                              errors);
    bool keeps = get_choice(row, "gateway_change", "all", "new", errors);
    int idle = get_number(row, "connection_idle", 1, CONNECTION_IDLE_MAX,
                          CONNECTION_IDLE, errors);

    if (vn->gateway_nearest != nearest || vn->keeps_connections != keeps
        || vn->connection_idle != idle) {
        vn->gateway_nearest = nearest;
        vn->keeps_connections = keeps;
        vn->connection_idle = idle;
        nva_keep_vn_changed(nva, vn);
        nva_gateways_vn_changed(nva, vn);
    }
}

void
nva_vn_row(struct nva *nva, const struct db_vn *row)
{
    uint64_t id = cookie_id_from_uuid(&row->uuid);
    struct vn *vn = topology_find_vn_by_id(&nva->topology, id);
    struct ds errors = DS_EMPTY_INITIALIZER;
    bool flood = get_choice(row, "unknown_unicast", "drop", "flood", &errors);
    bool snoop = !get_choice(row, "multicast", "snoop", "flood", &errors);
    uint32_t rate = get_number(row, "responder_rate", 0, INT_MAX,
                               RESPONDER_RATE, &errors);
    uint32_t burst = get_number(row, "responder_burst", 1, INT_MAX,
                                RESPONDER_BURST, &errors);
    int max_groups = get_number(row, "multicast_groups", 1, INT_MAX,
                                MULTICAST_GROUPS, &errors);
    int announce = get_number(row, "announce_count", 0, ANNOUNCE_COUNT_MAX,
                              ANNOUNCE_COUNT, &errors);
    enum vn_late late = get_late(row, &errors);
    int late_time = get_number(row, "late_time", 0, LATE_TIME_MAX, LATE_TIME,
                               &errors);
    struct in6_addr sir = get_sir(nva, vn, row, &errors);
    struct port *port;

    if (!vn) {
        vn = topology_add_vn(&nva->topology, row->name, id);
    }
    take_gateway_options(nva, vn, row, &errors);
    db_write_vn_error(nva->db, &row->uuid,
                      errors.length ? ds_cstr(&errors) : NULL);
    ds_destroy(&errors);
    vn->announce_count = announce;
    vn->late_time = late_time;
    if (vn->vni == row->vni && vn->flood_unknown == flood
        && vn->responder_rate == rate && vn->responder_burst == burst
        && vn->snoop == snoop && vn->max_groups == max_groups
        && vn->late == late && ipv6_addr_equals(&vn->sir, &sir)) {
        return;
    }
    vn->vni = row->vni;
    vn->flood_unknown = flood;
    vn->responder_rate = rate;
    vn->responder_burst = burst;
    vn->snoop = snoop;
    vn->max_groups = max_groups;
    vn->late = late;
    vn->sir = sir;
    wiring_vn_changed(&nva->topology, vn);
    nva_gateways_changed(nva);
    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        if (port->move) {
            move_refresh(port->move);
        }
    }
    nva_mcast_vn_changed(nva, vn);
    nva_late_vn_changed(nva, vn);
}
