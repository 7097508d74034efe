/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <limits.h>
#include <stdlib.h>

#include "clock.h"
#include "cookie.h"
#include "flow-tables.h"
#include "gateway.h"
#include "ila.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "pipeline.h"
#include "util.h"
#include "watch.h"

VLOG_DEFINE_THIS_MODULE(intent);

/* The default of NVA_Global:options:packet_in_rate. */
#define PACKET_IN_RATE 1000

/* Bounds of NVA_Global:options:inactivity_probe, in ms. */
#define INACTIVITY_MIN 1000
#define INACTIVITY_MAX 600000

static struct nva *
nva_from(void *aux)
{
    return aux;
}

/* NVEs. */

/* Parses the addresses of 'row' into 'nve'.  Returns true if they changed. */
static bool
parse_encap_ips(struct nve *nve, const struct db_nve *row)
{
    enum encap encap = (strcmp(row->encap_type, "vxlan")
                        ? ENCAP_GENEVE : ENCAP_VXLAN);
    struct in6_addr ips[TOPOLOGY_MAX_ENCAP_IPS];
    size_t n = 0;
    bool changed;

    memset(ips, 0, sizeof ips);
    for (size_t i = 0; i < row->n_encap_ips && n < ARRAY_SIZE(ips); i++) {
        ovs_be32 ip4;

        if (ip_parse(row->encap_ips[i], &ip4)) {
            ips[n++] = in6_addr_mapped_ipv4(ip4);
        } else if (ipv6_parse(row->encap_ips[i], &ips[n])) {
            n++;
        } else {
            char *error = xasprintf("encap_ips: \"%s\" is not an IP address",
                                    row->encap_ips[i]);

            nva_session_set_error(nve->session, error);
            free(error);
        }
    }
    changed = (encap != nve->encap || n != nve->n_ips
               || memcmp(ips, nve->ips, sizeof ips));
    nve->encap = encap;
    nve->n_ips = n;
    memcpy(nve->ips, ips, sizeof ips);
    return changed;
}

/* Returns why 'nve' cannot have 'locator', which the caller must free, or
 * null.  What it has already is not looked up again. */
static char *
check_locator(const struct topology *t, const struct nve *nve,
              const struct in6_addr *locator)
{
    const struct nve *other;

    if (!ipv6_addr_equals(&nve->locator, locator)) {
        HMAP_FOR_EACH (other, name_node, &t->nves) {
            if (ipv6_addr_equals(&other->locator, locator)) {
                return xasprintf("is that of NVE %s", other->name);
            }
        }
    }
    return NULL;
}

/* Returns the MTU of the underlay that 'row' tells, 0 if it tells none, and
 * appends what is wrong with it. */
static uint16_t
get_underlay_mtu(const struct db_nve *row, struct ds *errors)
{
    const char *s = smap_get_def(row->options, "underlay_mtu", "");
    int mtu = 0;

    if (s[0] && (!str_to_int(s, 10, &mtu) || mtu < PIPELINE_UNDERLAY_MTU_MIN
                 || mtu > UINT16_MAX)) {
        ds_put_format(errors, "options:underlay_mtu=%s is not a number from "
                      "%d to %d; using none", s, PIPELINE_UNDERLAY_MTU_MIN,
                      UINT16_MAX);
        mtu = 0;
    }
    return mtu;
}

/* Parses the options of 'row' into 'nve'.  Returns true if they changed. */
static bool
parse_nve_options(const struct topology *t, struct nve *nve,
                  const struct db_nve *row)
{
    struct ds errors = DS_EMPTY_INITIALIZER;
    uint16_t mtu = get_underlay_mtu(row, &errors);
    const char *s = smap_get_def(row->options, "ila_locator", "");
    struct session *session = nve->session;
    struct in6_addr locator = in6addr_any;
    char *error = s[0] ? ila_parse_prefix(s, &locator) : NULL;
    bool changed;

    if (s[0] && !error) {
        error = check_locator(t, nve, &locator);
    }
    if (error) {
        ds_put_format(&errors, "%soptions:ila_locator=%s %s; using none",
                      errors.length ? "; " : "", s, error);
        locator = in6addr_any;
        free(error);
    }
    if (errors.length || session->options_wrong) {
        nva_session_set_error(session,
                              errors.length ? ds_cstr(&errors) : NULL);
    }
    session->options_wrong = errors.length > 0;
    ds_destroy(&errors);
    changed = (!ipv6_addr_equals(&locator, &nve->locator)
               || mtu != nve->underlay_mtu);
    nve->locator = locator;
    nve->underlay_mtu = mtu;
    return changed;
}

static void
remove_nve(struct nva *nva, struct nve *nve)
{
    struct session *s = nve->session;
    struct port *port;

    nva_evacuate_nve_gone(nva, nve);
    nva_mig_nve_gone(nva, nve);
    nva_keep_nve_gone(nva, nve);
    nva_gateways_nve_gone(nva, nve);
    nva_late_nve_gone(nva, nve);
    HMAP_FOR_EACH (port, name_node, &nva->topology.ports) {
        if (port->place.nve == nve) {
            wiring_place_port(&nva->topology, port, NULL);
            nva_write_port(nva, port);
        }
    }
    nva_session_destroy(s);
    topology_remove_nve(&nva->topology, nve);
}

static void
on_nve(const struct db_nve *row, void *nva_)
{
    struct nva *nva = nva_from(nva_);
    uint64_t id = cookie_id_from_uuid(&row->uuid);
    struct nve *nve = topology_find_nve_by_id(&nva->topology, id);
    struct watch_end *end;
    struct move_part *part;
    bool created = false;
    bool moved;

    if (nve && strcmp(nve->name, row->name)) {
        remove_nve(nva, nve);
        nve = NULL;
    }
    if (!nve) {
        nve = topology_add_nve(&nva->topology, row->name, id);
        created = true;
    }
    nva_session_configure(nva, nve, row);
    moved = parse_nve_options(&nva->topology, nve, row);
    if (parse_encap_ips(nve, row) || moved) {
        wiring_nve_changed(nve, &nva->wiring);
        wiring_nve_moved(&nva->topology, nve);
        LIST_FOR_EACH (end, nve_node, &nve->watches) {
            nva_watch_changed(end->nve);
            nva_watch_changed(end->other);
        }
        LIST_FOR_EACH (part, nve_node, &nve->move_parts) {
            move_refresh(part->move);
        }
        if (!created && ((struct session *) nve->session)->up) {
            neighbors_nve_changed(nva->neighbors, nve);
        }
    }
    if (created) {
        struct port *port;

        nva_gateways_changed(nva);
        /* Ports that the database says to be here. */
        HMAP_FOR_EACH (port, name_node, &nva->topology.ports) {
            if (!port->place.nve) {
                nva_rebind(nva, port);
            }
        }
    }
}

static void
on_nve_deleted(const struct uuid *uuid, void *nva_)
{
    struct nva *nva = nva_from(nva_);
    struct nve *nve;

    nve = topology_find_nve_by_id(&nva->topology, cookie_id_from_uuid(uuid));
    if (nve) {
        remove_nve(nva, nve);
    }
}

/* Virtual networks and ports. */

static void
remove_port(struct nva *nva, struct port *port)
{
    nva_evacuate_port_gone(nva, port);
    nva_mig_port_gone(nva, port);
    nva_takeover_port_gone(nva, port);
    nva_mcast_port_gone(nva, port);
    nva_late_port_gone(port);
    wiring_port_removed(&nva->topology, port);
    topology_remove_port(&nva->topology, port);
    nva_routes_changed(nva);
    if (!ovs_list_is_empty(&nva->due_gateways)) {
        nva_gateways_changed(nva);
    }
}

static void
on_vn(const struct db_vn *row, void *nva_)
{
    nva_vn_row(nva_from(nva_), row);
}

static void
on_vn_deleted(const struct uuid *uuid, void *nva_)
{
    struct nva *nva = nva_from(nva_);
    struct vn *vn;

    vn = topology_find_vn_by_id(&nva->topology, cookie_id_from_uuid(uuid));
    if (vn) {
        struct port *port;

        HMAP_FOR_EACH_SAFE (port, vn_node, &vn->ports) {
            remove_port(nva, port);
        }
        topology_remove_vn(&nva->topology, vn);
    }
}

/* Ports. */

/* Returns what is wrong with the interfaces of 'port', which the caller must
 * free, or null. */
static char *
check_interfaces(const struct topology *t, const struct port *port)
{
    const struct attachment *a = topology_find_ignored(t, port->name);

    return (a ? xasprintf("interface %s of NVE %s also has this iface-id and "
                          "is ignored, because the name of interface %s comes "
                          "first", a->ifname, a->nve->name,
                          topology_find_attachment(t, port->name,
                                                   a->nve)->ifname)
            : NULL);
}

static void
write_port_at(struct nva *nva, const struct port *port, const struct nve *nve,
              bool lazy)
{
    char *error = nva_probe_get_error(port);
    struct db_port_status status = {
        .nve = nve ? nve->name : NULL,
        .state = (port->move || port->closed ? "moving"
                  : nve ? "bound" : "unbound"),
        .served_by = port->gateway ? port->gateway->name : NULL,
        .served_before = port->keep ? port->keep->gw->name : NULL,
        .n_spoofed = port->n_spoofed,
    };

    if (!error) {
        error = check_interfaces(&nva->topology, port);
    }
    if (!error) {
        error = nva_takeover_get_port_error(port);
    }
    status.error = error;
    status.lazy = lazy && !error;
    db_write_port(nva->db, &port->uuid, &status);
    free(error);
}

void
nva_write_port(struct nva *nva, const struct port *port)
{
    write_port_at(nva, port, port->place.nve, port->move != NULL);
}

void
nva_record_port(struct nva *nva, const struct port *port,
                const struct nve *nve)
{
    write_port_at(nva, port, nve, false);
}

static void
write_port_error(struct nva *nva, const struct db_port *row,
                 const char *error)
{
    struct db_port_status status = {
        .nve = row->nve, .state = "unbound", .error = error,
        .served_by = row->served_by, .served_before = row->served_before,
        .n_spoofed = row->n_spoofed,
    };

    db_write_port(nva->db, &row->uuid, &status);
}

/* Returns true if 'nve' is known to have no interface for 'port'. */
static bool
is_absent(const struct nva *nva, const struct port *port,
          const struct nve *nve)
{
    const struct session *s = nve->session;

    return (s->known
            && !topology_find_attachment(&nva->topology, port->name, nve));
}

/* Decides where 'port' is: it stays where it is as long as it has an interface
 * there, or that is not known yet; then it is where it has one. */
void
nva_rebind(struct nva *nva, struct port *port)
{
    struct nve *nve = port->place.nve;

    if (port->move) {
        if (migration_is_revocable(&port->move->migration)
            && is_absent(nva, port, port->move->new_nve)) {
            move_fail(port->move, "its interface at the new NVE is gone",
                      clock_msec(), clock_wall_usec());
        } else {
            wiring_port_changed(&nva->topology, port);
            move_refresh(port->move);
        }
        return;
    }

    if (!nve || is_absent(nva, port, nve)) {
        struct attachment *a;

        a = topology_find_any_attachment(&nva->topology, port->name);
        nve = a ? a->nve : NULL;
    }
    if (nve != port->place.nve) {
        port->closed = false;
        port->moved_at = clock_msec();
        wiring_place_port(&nva->topology, port, nve);
        nva_write_port(nva, port);
        nva_mig_try(nva, port->name);
    } else {
        wiring_port_changed(&nva->topology, port);
    }
    nva_takeover_assign(nva, port);
    nva_late_port_changed(nva, port);
    nva_evacuate_port_changed(nva, port);
    nva_mcast_query(nva, port, true);
}

/* Parses the addresses of 'row' into 'mac' and '*ips', which the caller must
 * free.  Returns what is wrong, which the caller must free, or null. */
static char *
parse_addresses(const struct db_port *row, struct eth_addr *mac,
                struct in6_addr **ips)
{
    *ips = xzalloc(MAX(1, row->n_ips) * sizeof **ips);
    if (!eth_addr_from_string(row->mac, mac) || eth_addr_is_multicast(*mac)
        || eth_addr_is_zero(*mac)) {
        return xasprintf("mac: \"%s\" is not the MAC address of a VM",
                         row->mac);
    } else if (!strcasecmp(row->mac, FLOW_NVA_MAC)) {
        return xasprintf("mac: %s is the controller's own; use another one",
                         row->mac);
    }
    for (size_t i = 0; i < row->n_ips; i++) {
        ovs_be32 ip4;

        if (ip_parse(row->ips[i], &ip4)) {
            (*ips)[i] = in6_addr_mapped_ipv4(ip4);
        } else if (!ipv6_parse(row->ips[i], &(*ips)[i])) {
            return xasprintf("ips: \"%s\" is not an IP address", row->ips[i]);
        }
    }
    return NULL;
}

static bool
has_ips(const struct port *port, const struct in6_addr ips[], size_t n)
{
    return (port->n_ips == n
            && (!n || !memcmp(port->ips, ips, n * sizeof *ips)));
}

/* Returns the port of 'vn' other than 'port' that has one of 'ips', or null.
 * Their responders would contradict each other. */
static const struct port *
find_duplicate(const struct vn *vn, const struct port *port,
               const struct in6_addr ips[], size_t n)
{
    const struct port *other = NULL;

    for (size_t i = 0; i < n && !other; i++) {
        other = topology_find_port_by_ip(vn, &ips[i], port);
    }
    return other;
}

/* Brings 'port' in line with its row.  Takes 'ips'. */
static void
update_port(struct nva *nva, struct port *port, const struct db_port *row,
            struct eth_addr mac, struct in6_addr *ips)
{
    if (!eth_addr_equals(port->mac, mac)
        || port->security != row->port_security
        || !has_ips(port, ips, row->n_ips)) {
        topology_set_ips(port, ips, row->n_ips);
        nva_routes_changed(nva);
        port->mac = mac;
        port->moved_at = clock_msec();
        port->security = row->port_security;
        wiring_port_changed(&nva->topology, port);
        nva_late_port_changed(nva, port);
        if (port->move) {
            move_refresh(port->move);
        }
    } else {
        free(ips);
    }
}

/* Notes which gateway the row of 'port' asks for. */
static void
want_gateway(struct nva *nva, struct port *port, const struct db_port *row)
{
    if (strcmp(port->gateway_wanted, row->gateway)) {
        free(port->gateway_wanted);
        port->gateway_wanted = xstrdup(row->gateway);
        nva_takeover_assign(nva, port);
        nva_write_port(nva, port);
    }
}

static void
on_port(const struct db_port *row, void *nva_)
{
    struct nva *nva = nva_from(nva_);
    uint64_t id = cookie_id_from_uuid(&row->uuid);
    struct port *port = topology_find_port_by_id(&nva->topology, id);
    struct vn *vn = topology_find_vn_by_id(&nva->topology,
                                           cookie_id_from_uuid(&row->vn));
    const struct port *duplicate;
    struct in6_addr *ips;
    struct eth_addr mac;
    char *error;

    if (port && (port->vn != vn || strcmp(port->name, row->name))) {
        remove_port(nva, port);
        port = NULL;
    }
    error = parse_addresses(row, &mac, &ips);
    duplicate = (!error && vn ? find_duplicate(vn, port, ips, row->n_ips)
                 : NULL);
    if (duplicate) {
        error = xasprintf("ips: an address is already that of port %s",
                          duplicate->name);
    } else if (!error && vn) {
        error = nva_gateway_find_duplicate(nva, vn, mac, ips,
                                           row->n_ips);
    }
    if (error || !vn) {
        if (port) {
            remove_port(nva, port);
        }
        write_port_error(nva, row, error);
        free(error);
        free(ips);
        return;
    }

    if (port) {
        update_port(nva, port, row, mac, ips);
        want_gateway(nva, port, row);
        return;
    }
    port = topology_add_port(&nva->topology, row->name, id, vn);
    port->uuid = row->uuid;
    port->moved_at = clock_msec();
    port->n_spoofed = row->n_spoofed;
    port->mac = mac;
    topology_set_ips(port, ips, row->n_ips);
    port->security = row->port_security;
    port->gateway_last = row->served_by[0] ? xstrdup(row->served_by) : NULL;
    if (row->served_before[0]) {
        port->gateway_before = xstrdup(row->served_before);
    }
    port->gateway_wanted = xstrdup(row->gateway);
    if (row->nve) {
        wiring_place_port(&nva->topology, port,
                          topology_find_nve(&nva->topology, row->nve));
    }
    nva_rebind(nva, port);
    nva_write_port(nva, port);
    nva_mig_try(nva, port->name);
}

static void
on_port_deleted(const struct uuid *uuid, void *nva_)
{
    struct nva *nva = nva_from(nva_);
    struct port *port;

    port = topology_find_port_by_id(&nva->topology, cookie_id_from_uuid(uuid));
    if (port) {
        remove_port(nva, port);
    }
}

/* The rest. */

static void
on_gateway(const struct db_gateway *row, void *nva_)
{
    nva_gateway_row(nva_from(nva_), row);
}

static void
on_gateway_deleted(const struct uuid *uuid, void *nva_)
{
    nva_gateway_row_deleted(nva_from(nva_), uuid);
}

static void
on_migration(const struct db_migration *row, void *nva_)
{
    struct nva *nva = nva_from(nva_);

    nva_mig_row(nva, row);
    nva_history_row(nva, row);
    nva_late_row(nva, row);
    nva_evacuate_migration(nva, row);
}

static void
on_migration_deleted(const struct uuid *uuid, void *nva_)
{
    struct nva *nva = nva_from(nva_);

    nva_mig_deleted(nva, uuid);
    nva_history_deleted(nva->history, uuid);
    nva_evacuate_migration_deleted(nva, uuid);
}

static void
on_evacuation(const struct db_evacuation *row, void *nva_)
{
    nva_evacuate_row(nva_from(nva_), row);
}

static void
on_evacuation_deleted(const struct uuid *uuid, void *nva_)
{
    nva_evacuate_row_deleted(nva_from(nva_), uuid);
}

/* Returns option drain_max, 's' or null, in ms. */
static long long int
drain_max_ms(const char *s)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);
    int seconds = NVA_DRAIN_MAX;

    if (s && (!str_to_int(s, 10, &seconds) || seconds < 0
              || seconds > 86400)) {
        VLOG_WARN_RL(&rl, "NVA_Global: options:drain_max=%s is not a number "
                     "of seconds from 0 to 86400; %d is used", s,
                     NVA_DRAIN_MAX);
        seconds = NVA_DRAIN_MAX;
    }
    return seconds * 1000LL;
}

int
nva_option_number(const struct smap *options, const char *key, int min,
                  int max, int def)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);
    const char *s = smap_get(options, key);
    int value = def;

    if (s && (!str_to_int(s, 10, &value) || value > max
              || (value < min && value))) {
        VLOG_WARN_RL(&rl, "NVA_Global: options:%s=%s is not 0 or a number "
                     "from %d to %d; %d is used", key, s, min, max, def);
        value = def;
    }
    return value;
}

void
nva_configure(struct nva *nva, const struct smap *options)
{
    const char *target = smap_get(options, "openflow_target");
    uint32_t rate = MAX(0, smap_get_int(options, "packet_in_rate",
                                        PACKET_IN_RATE));
    struct nve *nve;

    if (!nullable_string_is_equal(nva->openflow_target, target)) {
        free(nva->openflow_target);
        nva->openflow_target = nullable_xstrdup(target);
        HMAP_FOR_EACH (nve, name_node, &nva->topology.nves) {
            struct session *s = nve->session;

            if (s->db_peer) {
                nva_hypervisor_want(s);
            }
        }
    }
    if (rate != nva->wiring.packet_in_rate) {
        nva->wiring.packet_in_rate = rate;
        HMAP_FOR_EACH (nve, name_node, &nva->topology.nves) {
            wiring_nve_changed(nve, &nva->wiring);
        }
    }
    nva->drain_max_ms = drain_max_ms(smap_get(options, "drain_max"));
    nva_history_configure(nva->history, options);
    nva->inactivity_option = nva_option_number(options, "inactivity_probe",
                                               INACTIVITY_MIN, INACTIVITY_MAX,
                                               0);
    nva_watch_configure(nva, options);
    nva_probe_configure(nva, smap_get(options, "probe_timeout"));
}

static void
on_global(const struct db_global *row, void *nva_)
{
    struct nva *nva = nva_from(nva_);

    nva_configure(nva, row->options);
    nva->nb_cfg = row->nb_cfg;
}

static void
on_written(uint64_t seqno, void *nva_)
{
    nva_mig_written(nva_from(nva_), seqno);
}

static void
on_refused(const char *error, void *nva_ OVS_UNUSED)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

    VLOG_WARN_RL(&rl, "NVA database: %s", error);
}

const struct db_class nva_db_class = {
    .nve = on_nve,
    .vn = on_vn,
    .gateway = on_gateway,
    .port = on_port,
    .evacuation = on_evacuation,
    .migration = on_migration,
    .global = on_global,
    .nve_deleted = on_nve_deleted,
    .vn_deleted = on_vn_deleted,
    .gateway_deleted = on_gateway_deleted,
    .port_deleted = on_port_deleted,
    .evacuation_deleted = on_evacuation_deleted,
    .migration_deleted = on_migration_deleted,
    .written = on_written,
    .refused = on_refused,
};
