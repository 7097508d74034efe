/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "hvdb-plan-private.h"

#include <stdlib.h>
#include <string.h>
#include "openvswitch/json.h"
#include "openvswitch/util.h"
#include "util.h"
#include "uuid.h"

/* The tunnels. */
static const struct tunnel {
    const char *type, *name;
    size_t offset;              /* Of the flag in 'struct hvdb_wanted'. */
} tunnels[] = {
    { "geneve", "nva-geneve", offsetof(struct hvdb_wanted, geneve) },
    { "vxlan", "nva-vxlan", offsetof(struct hvdb_wanted, vxlan) },
};

/* Options of a tunnel.  A soft one is only written if there is none. */
static const struct tunnel_option {
    const char *key, *value;
    bool soft;
} tunnel_options[] = {
    { "remote_ip", "flow", false },
    { "key", "flow", false },
    { "csum", "true", true },
};

/* VNI of the tunnels that carry BFD, which is that of no VN: else such a port
 * would take what is for the VN. */
#define BFD_VNI "16777215"

/* Tunnels. */

static bool
tunnel_is_wanted(const struct plan *p, const struct tunnel *tunnel)
{
    const char *flag = (const char *) p->in->wanted + tunnel->offset;

    return *ALIGNED_CAST(const bool *, flag);
}

static const struct tunnel *
find_tunnel(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(tunnels); i++) {
        if (!strcmp(tunnels[i].name, name)) {
            return &tunnels[i];
        }
    }
    return NULL;
}

bool
hvdb_plan_is_our_port(const struct ovsdb_row *port)
{
    return (plan_is_marked(port, HVDB_PORT_EXTERNAL_IDS)
            || find_tunnel(ovsdb_row_get_string(port, HVDB_PORT_NAME, 0)));
}

const char *
hvdb_plan_tunnel_name(const char *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(tunnels); i++) {
        if (!strcmp(tunnels[i].type, type)) {
            return tunnels[i].name;
        }
    }
    return NULL;
}

/* Adds a port of ours with the interface 'row', whose name, type and options
 * this function sets, and which becomes its own.  'label' is what it is called
 * within the transaction. */
static void
plan_add_port(struct plan *p, const char *label, const char *name,
              const char *type, struct json *options, struct json *row)
{
    char *iface = xasprintf("iface_%s", label);
    char *port = xasprintf("port_%s", label);

    json_object_put_string(row, "name", name);
    json_object_put_string(row, "type", type);
    json_object_put(row, "options",
                    json_array_create_2(json_string_create("map"), options));
    plan_insert(p, HVDB_T_INTERFACE, iface, row);

    row = json_object_create();
    json_object_put_string(row, "name", name);
    json_object_put(row, "interfaces", plan_pair("named-uuid", iface));
    json_object_put(row, "external_ids", plan_map_1(HVDB_OURS_KEY, "1"));
    plan_insert(p, HVDB_T_PORT, port, row);

    plan_mutate(p, HVDB_T_BRIDGE, plan_where_bridge(p), "ports", "insert",
                plan_tag_1("set", plan_pair("named-uuid", port)));
    plan_say(p, "add tunnel port %s", name);
    free(iface);
    free(port);
}

static void
plan_add_tunnel(struct plan *p, const struct tunnel *tunnel)
{
    struct json *options = json_array_create_empty();

    for (size_t i = 0; i < ARRAY_SIZE(tunnel_options); i++) {
        json_array_add(options, plan_pair(tunnel_options[i].key,
                                          tunnel_options[i].value));
    }
    plan_add_port(p, tunnel->type, tunnel->name, tunnel->type, options,
                  json_object_create());
}

static void
plan_delete_port(struct plan *p, const struct ovsdb_row *port)
{
    plan_mutate(p, HVDB_T_BRIDGE, plan_where_bridge(p), "ports", "delete",
                plan_tag_1("set", plan_uuid(&port->uuid)));
    plan_say(p, "delete port %s",
             ovsdb_row_get_string(port, HVDB_PORT_NAME, 0));
}

/* Returns the only interface of 'port', null if it has not exactly one that is
 * named as the port is. */
static const struct ovsdb_row *
find_only_interface(const struct plan *p, const struct ovsdb_row *port)
{
    const struct ovsdb_row *iface;
    struct uuid uuid;

    if (ovsdb_row_count(port, HVDB_PORT_INTERFACES) != 1) {
        return NULL;
    }
    uuid = ovsdb_row_get_uuid(port, HVDB_PORT_INTERFACES, 0);
    iface = ovsdb_replica_find(p->in->db, HVDB_T_INTERFACE, &uuid);
    return (iface
            && !strcmp(ovsdb_row_get_string(iface, HVDB_INTERFACE_NAME, 0),
                       ovsdb_row_get_string(port, HVDB_PORT_NAME, 0))
            ? iface : NULL);
}

static void
plan_fix_tunnel(struct plan *p, const struct tunnel *tunnel,
                const struct ovsdb_row *port)
{
    const struct ovsdb_row *iface = find_only_interface(p, port);

    if (!iface) {
        /* Added again by the next transaction. */
        plan_delete_port(p, port);
        return;
    }
    if (strcmp(ovsdb_row_get_string(iface, HVDB_INTERFACE_TYPE, 0),
               tunnel->type)) {
        plan_update(p, HVDB_T_INTERFACE, plan_where_uuid(&iface->uuid),
                    "type", json_string_create(tunnel->type));
        plan_say(p, "set type=%s on %s", tunnel->type, tunnel->name);
    }
    for (size_t i = 0; i < ARRAY_SIZE(tunnel_options); i++) {
        const struct tunnel_option *o = &tunnel_options[i];
        const char *value = ovsdb_row_map_find(iface, HVDB_INTERFACE_OPTIONS,
                                               o->key);

        if (!value || (!o->soft && strcmp(value, o->value))) {
            plan_set_key(p, HVDB_T_INTERFACE, iface, HVDB_INTERFACE_OPTIONS,
                         o->key, o->value);
            plan_say(p, "set options:%s=%s on %s", o->key, o->value,
                     tunnel->name);
        }
    }
    if (!plan_is_marked(port, HVDB_PORT_EXTERNAL_IDS)) {
        plan_set_key(p, HVDB_T_PORT, port, HVDB_PORT_EXTERNAL_IDS,
                     HVDB_OURS_KEY, "1");
        plan_say(p, "mark port %s", tunnel->name);
    }
}

/* Ports with a BFD session. */

/* Keys of Interface:bfd. */
static const char *const bfd_keys[] = { "enable", "min_rx", "min_tx" };

/* Returns the value of bfd_keys[i], which the caller must free. */
static char *
bfd_value(const struct plan *p, size_t i)
{
    return (i ? xasprintf("%d", p->in->wanted->bfd_interval)
            : xstrdup("true"));
}

/* Returns the number of the port 'name' in what is wanted, or -1. */
static int
find_bfd(const struct plan *p, const char *name)
{
    for (size_t i = 0; i < p->in->wanted->n_bfd; i++) {
        if (!strcmp(p->in->wanted->bfd[i].name, name)) {
            return i;
        }
    }
    return -1;
}

static void
plan_add_bfd(struct plan *p, const struct hvdb_bfd *b, size_t i)
{
    char *label = xasprintf("bfd%"PRIuSIZE, i);
    struct json *row = json_object_create();
    struct json *bfd = json_array_create_empty();

    for (size_t j = 0; j < ARRAY_SIZE(bfd_keys); j++) {
        char *value = bfd_value(p, j);

        json_array_add(bfd, plan_pair(bfd_keys[j], value));
        free(value);
    }
    json_object_put(row, "bfd",
                    json_array_create_2(json_string_create("map"), bfd));
    json_object_put(row, "external_ids", plan_map_1(HVDB_WATCH_KEY, b->nve));
    plan_add_port(p, label, b->name, b->type,
                  json_array_create_2(plan_pair("remote_ip", b->remote_ip),
                                      plan_pair("key", BFD_VNI)), row);
    free(label);
}

/* Brings 'port' in line with 'b'.  A port that leads elsewhere is made anew by
 * the next transaction. */
static void
plan_fix_bfd(struct plan *p, const struct hvdb_bfd *b,
             const struct ovsdb_row *port)
{
    const struct ovsdb_row *iface = find_only_interface(p, port);

    if (!iface
        || strcmp(ovsdb_row_get_string(iface, HVDB_INTERFACE_TYPE, 0), b->type)
        || !plan_has_value(iface, HVDB_INTERFACE_OPTIONS, "remote_ip",
                           b->remote_ip)
        || !plan_has_value(iface, HVDB_INTERFACE_OPTIONS, "key", BFD_VNI)
        || !plan_has_value(iface, HVDB_INTERFACE_EXTERNAL_IDS, HVDB_WATCH_KEY,
                           b->nve)) {
        plan_delete_port(p, port);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(bfd_keys); i++) {
        char *value = bfd_value(p, i);

        if (!plan_has_value(iface, HVDB_INTERFACE_BFD, bfd_keys[i], value)) {
            plan_set_key(p, HVDB_T_INTERFACE, iface, HVDB_INTERFACE_BFD,
                         bfd_keys[i], value);
            plan_say(p, "set bfd:%s=%s on %s", bfd_keys[i], value, b->name);
        }
        free(value);
    }
}

void
hvdb_plan_tunnels(struct plan *p)
{
    size_t n_bfd = p->in->wanted->n_bfd;
    bool *bfd_found = xcalloc(MAX(1, n_bfd), sizeof *bfd_found);
    bool found[ARRAY_SIZE(tunnels)] = { false };
    const struct uuidset_node *node;

    UUIDSET_FOR_EACH (node, p->in->ours) {
        const struct ovsdb_row *port = ovsdb_replica_find(
            p->in->db, HVDB_T_PORT, &node->uuid);
        const struct tunnel *tunnel;
        const char *name;
        int bfd;

        if (!port || !uuidset_contains(p->in->ports, &node->uuid)) {
            continue;
        }
        name = ovsdb_row_get_string(port, HVDB_PORT_NAME, 0);
        tunnel = find_tunnel(name);
        bfd = find_bfd(p, name);
        if (tunnel && tunnel_is_wanted(p, tunnel)) {
            found[tunnel - tunnels] = true;
            plan_fix_tunnel(p, tunnel, port);
        } else if (bfd >= 0) {
            bfd_found[bfd] = true;
            plan_fix_bfd(p, &p->in->wanted->bfd[bfd], port);
        } else if (plan_is_marked(port, HVDB_PORT_EXTERNAL_IDS)) {
            plan_delete_port(p, port);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(tunnels); i++) {
        if (!found[i] && tunnel_is_wanted(p, &tunnels[i])) {
            plan_add_tunnel(p, &tunnels[i]);
        }
    }
    for (size_t i = 0; i < n_bfd; i++) {
        if (!bfd_found[i]) {
            plan_add_bfd(p, &p->in->wanted->bfd[i], i);
        }
    }
    free(bfd_found);
}
