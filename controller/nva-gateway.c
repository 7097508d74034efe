/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <limits.h>
#include <stdlib.h>

#include "cookie.h"
#include "flow-tables.h"
#include "gateway.h"
#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(nva_gateway);

/* A row of Gateway.  What it says is looked at once a turn of the main loop,
 * when all rows are known that have changed together. */
struct row {
    struct hmap_node node;      /* In nva's 'gateways', by 'id'. */
    struct uuid uuid;
    uint64_t id;
    char *name;
    uint64_t vn;                /* Id of the VN. */
    char *nve;
    struct gateway_config *config;
    char *error;                /* What is wrong with it, whatever else there
                                 * is; or null. */
    struct ovs_list due_node;   /* In nva's 'due_gateways', if it has changed
                                 * since it was looked at or is refused. */
    struct gateway *gw;         /* Null if it is refused. */
    char *written;              /* Error that was written, */
    const char *written_state;  /* with this state; null if none was, */
    const char *written_outside; /* and this. */

    /* Before a restart. */
    bool spoke;                 /* Outside. */
    bool failed;
};

/* Reading rows. */

static void
free_config(struct gateway_config *config)
{
    if (config) {
        simap_destroy(&config->metrics);
        free(config->ips);
        free(config->vns);
        free(config->rules);
        free(config);
    }
}

static char *
parse_ips(const struct db_gateway *row, struct gateway_config *config)
{
    config->ips = xcalloc(MAX(1, row->n_ips), sizeof *config->ips);
    for (size_t i = 0; i < row->n_ips; i++) {
        struct gateway_prefix *p = &config->ips[i];

        if (!gateway_parse_prefix(row->ips[i], p)) {
            return xasprintf("ips: \"%s\" is not ADDRESS/PREFIX",
                             row->ips[i]);
        } else if (ipv6_addr_is_multicast(&p->ip) || ipv6_is_zero(&p->ip)) {
            return xasprintf("ips: \"%s\" is not the address of a single host",
                             row->ips[i]);
        }
        config->n_ips++;
    }
    return NULL;
}

static char *
parse_next_hops(const struct db_gateway *row, struct gateway_config *config)
{
    for (size_t i = 0; i < row->n_next_hops; i++) {
        const char *s = row->next_hops[i];
        struct in6_addr *ip = &config->next_hops[config->n_next_hops];
        bool found = false;
        ovs_be32 ip4;

        if (ip_parse(s, &ip4)) {
            *ip = in6_addr_mapped_ipv4(ip4);
        } else if (!ipv6_parse(s, ip) || IN6_IS_ADDR_V4MAPPED(ip)) {
            return xasprintf("next_hops: \"%s\" is not an IP address", s);
        }
        for (size_t j = 0; j < config->n_ips; j++) {
            found |= gateway_prefix_contains(&config->ips[j], ip);
        }
        if (!found) {
            return xasprintf("next_hops: %s is in no network of \"ips\"", s);
        } else if (i && (topology_is_ipv4(ip)
                         == topology_is_ipv4(&config->next_hops[0]))) {
            return xstrdup("next_hops: there is more than one of a version");
        }
        config->n_next_hops++;
    }
    return NULL;
}

static char *
parse_mac(const char *s, struct eth_addr *mac)
{
    if (!eth_addr_from_string(s, mac) || eth_addr_is_multicast(*mac)
        || eth_addr_is_zero(*mac)) {
        return xasprintf("mac: \"%s\" is not the MAC address of a gateway", s);
    } else if (!strcasecmp(s, FLOW_NVA_MAC)) {
        return xasprintf("mac: %s is the controller's own; use another one",
                         s);
    }
    return NULL;
}

static int
compare_numbers(const void *a_, const void *b_)
{
    const struct smap_node *const *a = a_;
    const struct smap_node *const *b = b_;

    return atoi((*a)->key) - atoi((*b)->key);
}

/* Parses "allow PREFIX" or "deny PREFIX". */
static bool
parse_rule(const char *s, struct gateway_rule *rule)
{
    size_t n = strcspn(s, " ");

    rule->allow = !strncmp(s, "allow ", n + 1);
    return ((rule->allow || !strncmp(s, "deny ", n + 1)) && s[n]
            && gateway_parse_prefix(s + n + 1, &rule->prefix));
}

static char *
parse_policy(const struct smap *policy, struct gateway_config *config)
{
    size_t n = smap_count(policy);
    const struct smap_node **nodes = xmalloc(MAX(1, n) * sizeof *nodes);
    const struct smap_node *node;
    char *error = NULL;
    size_t i = 0;

    SMAP_FOR_EACH (node, policy) {
        nodes[i++] = node;
    }
    qsort(nodes, n, sizeof *nodes, compare_numbers);
    config->rules = xmalloc(MAX(1, n) * sizeof *config->rules);
    for (i = 0; i < n && !error; i++) {
        if (parse_rule(nodes[i]->value, &config->rules[config->n_rules])) {
            config->n_rules++;
        } else {
            error = xasprintf("policy: rule %s, \"%s\", is neither \"allow "
                              "ADDRESS/PREFIX\" nor \"deny ADDRESS/PREFIX\"",
                              nodes[i]->key, nodes[i]->value);
        }
    }
    free(nodes);
    return error;
}

/* Stores option 'key', a number from 'min' up, into '*value'. */
static char *
parse_option(const struct smap *options, const char *key, int min, int def,
             uint32_t *value)
{
    const char *s = smap_get(options, key);
    int n = def;

    if (s && (!str_to_int(s, 10, &n) || n < min)) {
        return xasprintf("options:%s=%s is not a number from %d to %d", key,
                         s, min, INT_MAX);
    }
    *value = n;
    return NULL;
}

/* The same for "true" or "false", the default. */
static char *
parse_bool(const struct smap *options, const char *key, bool *value)
{
    const char *s = smap_get_def(options, key, "false");

    *value = !strcmp(s, "true");
    return (*value || !strcmp(s, "false") ? NULL
            : xasprintf("options:%s=%s is neither true nor false", key, s));
}

/* Returns what is wrong with 'row' whatever else there is, for the caller to
 * free, or null. */
static char *
parse_row(const struct db_gateway *row, struct gateway_config *config)
{
    const struct smap_node *node;
    char *error;

    config->metric = row->metric;
    simap_init(&config->metrics);
    SMAP_FOR_EACH (node, row->metrics) {
        simap_put(&config->metrics, node->key, atoi(node->value));
    }
    config->vns = xmalloc(MAX(1, row->n_vns) * sizeof *config->vns);
    for (size_t i = 0; i < row->n_vns; i++) {
        config->vns[config->n_vns++] = cookie_id_from_uuid(&row->vns[i]);
    }
    if (row->metric < 0 || row->metric > INT_MAX) {
        return xasprintf("metric: %"PRId64" is not from 0 to %d", row->metric,
                         INT_MAX);
    }
    error = parse_mac(row->mac, &config->mac);
    if (!error) {
        error = parse_ips(row, config);
    }
    if (!error) {
        error = parse_next_hops(row, config);
    }
    if (!error) {
        error = parse_policy(row->policy, config);
    }
    if (!error) {
        error = parse_option(row->options, "rate", 0, 0, &config->rate);
    }
    if (!error) {
        error = parse_option(row->options, "burst", 1, MAX(1, config->rate),
                             &config->burst);
    }
    if (!error) {
        error = nva_nat_parse(row->options, config);
    }
    if (!error) {
        error = parse_bool(row->options, "drain", &config->drain);
    }
    if (!error) {
        error = parse_bool(row->options, "reject", &config->reject);
    }
    if (!error) {
        error = parse_bool(row->options, "export", &config->export);
    }
    return error;
}

static struct row *
find_row(const struct nva *nva, uint64_t id)
{
    struct row *row;

    HMAP_FOR_EACH_WITH_HASH (row, node, hash_uint64(id), &nva->gateways) {
        if (row->id == id) {
            return row;
        }
    }
    return NULL;
}

/* The flows of all ports of 'vn' may have changed. */
static void
refresh_moves(struct vn *vn)
{
    struct port *port;

    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        if (port->move) {
            move_refresh(port->move);
        }
    }
}

/* Has nva_gateways_run() look at 'row' when it looks at any. */
static void
make_due(struct nva *nva, struct row *row)
{
    if (ovs_list_is_empty(&row->due_node)) {
        ovs_list_push_back(&nva->due_gateways, &row->due_node);
    }
}

/* Ends the gateway of 'row', if it has one. */
static void
remove_gateway(struct nva *nva, struct row *row)
{
    struct gateway *gw = row->gw;

    if (gw) {
        struct vn *vn = gw->vn;
        struct port *port;

        HMAP_FOR_EACH (port, vn_node, &vn->ports) {
            if (port->keep && port->keep->gw == gw) {
                nva_keep_stop(nva, port, "that was deleted");
            }
            if (port->gateway == gw) {
                nva_takeover_serve(port, NULL);
            }
        }
        nva_nat_set(nva, gw, &in6addr_any);
        nva_takeover_gone(nva, gw);
        gateway_unlink(gw);
        HMAP_FOR_EACH (port, vn_node, &vn->ports) {
            if (!port->gateway) {
                nva_write_port(nva, port);
            }
        }
        row->gw = NULL;
        nva->watch_dirty = true;
        wiring_gateway_removed(&nva->topology, gw);
        refresh_moves(vn);
        gateway_free(gw);
        make_due(nva, row);
        nva_gateways_vn_changed(nva, vn);
        nva_routes_changed(nva);
    }
}

static void
free_row(struct nva *nva, struct row *row)
{
    hmap_remove(&nva->gateways, &row->node);
    ovs_list_remove(&row->due_node);
    free_config(row->config);
    free(row->name);
    free(row->nve);
    free(row->error);
    free(row->written);
    free(row);
}

void
nva_gateway_row(struct nva *nva, const struct db_gateway *db_row)
{
    uint64_t id = cookie_id_from_uuid(&db_row->uuid);
    struct gateway_config *config = xzalloc(sizeof *config);
    struct row *row = find_row(nva, id);
    uint64_t vn = cookie_id_from_uuid(&db_row->vn);

    if (row && (row->vn != vn || strcmp(row->name, db_row->name)
                || strcmp(row->nve, db_row->nve))) {
        remove_gateway(nva, row);
        free_row(nva, row);
        row = NULL;
    }
    if (!row) {
        row = xzalloc(sizeof *row);
        row->uuid = db_row->uuid;
        row->id = id;
        row->name = xstrdup(db_row->name);
        row->vn = vn;
        row->nve = xstrdup(db_row->nve);
        row->spoke = !strcmp(db_row->outside, "active");
        row->failed = !strcmp(db_row->state, "failed");
        ovs_list_init(&row->due_node);
        hmap_insert(&nva->gateways, &row->node, hash_uint64(id));
    }
    free(row->error);
    row->error = parse_row(db_row, config);
    if (row->gw) {
        row->gw->config = config;
    }
    free_config(row->config);
    row->config = config;
    make_due(nva, row);
    nva_gateways_changed(nva);
}

void
nva_gateway_row_deleted(struct nva *nva, const struct uuid *uuid)
{
    struct row *row = find_row(nva, cookie_id_from_uuid(uuid));

    if (row) {
        remove_gateway(nva, row);
        free_row(nva, row);
    }
}

void
nva_gateways_nve_gone(struct nva *nva, const struct nve *nve)
{
    struct row *row;

    HMAP_FOR_EACH (row, node, &nva->gateways) {
        if (row->gw && row->gw->nve == nve) {
            remove_gateway(nva, row);
        }
    }
}

void
nva_gateways_changed(struct nva *nva)
{
    /* Whoever has none pays nothing. */
    if (!hmap_is_empty(&nva->gateways)) {
        nva->gateways_dirty = true;
    }
}

void
nva_gateways_vn_changed(struct nva *nva, struct vn *vn)
{
    if (ovs_list_is_empty(&vn->gateways_node)) {
        ovs_list_push_back(&nva->gateway_vns, &vn->gateways_node);
    }
    nva_gateways_changed(nva);
}

/* Looking at them. */

/* Returns true if 'a' and 'b' have the same addresses. */
static bool
same_addresses(const struct gateway_config *a, const struct gateway_config *b)
{
    bool same = eth_addr_equals(a->mac, b->mac) && a->n_ips == b->n_ips;

    for (size_t i = 0; same && i < a->n_ips; i++) {
        bool found = false;

        for (size_t j = 0; j < b->n_ips; j++) {
            found |= (a->ips[i].plen == b->ips[j].plen
                      && ipv6_addr_equals(&a->ips[i].ip, &b->ips[j].ip));
        }
        same = found;
    }
    return same;
}

static char *
check_ports(const struct row *row, const struct vn *vn)
{
    const struct port *port;

    for (size_t i = 0; i < row->config->n_ips; i++) {
        port = topology_find_port_by_ip(vn, &row->config->ips[i].ip, NULL);
        if (port) {
            return xasprintf("ips: an address is already that of port %s",
                             port->name);
        }
    }
    HMAP_FOR_EACH (port, vn_node, &vn->ports) {
        if (eth_addr_equals(port->mac, row->config->mac)) {
            return xasprintf("mac: it is already that of port %s",
                             port->name);
        }
    }
    return NULL;
}

/* Returns why 'row' cannot be a gateway, for the caller to free, or null. */
static char *
check_row(const struct nva *nva, const struct row *row, const struct vn *vn,
          const struct nve *nve)
{
    const struct gateway *other;
    char *error;

    if (row->error) {
        return xstrdup(row->error);
    } else if (!vn) {
        return xstrdup("vn: it is not there any more");
    } else if (!nve) {
        return xasprintf("nve: no NVE is named %s", row->nve);
    }
    LIST_FOR_EACH (other, vn_node, &vn->gateways) {
        if (other == row->gw) {
            continue;
        } else if (other->nve == nve) {
            return xasprintf("nve: %s has a gateway of VN %s already, %s",
                             nve->name, vn->name, other->name);
        } else if (!same_addresses(other->config, row->config)) {
            return xasprintf("mac, ips: all gateways of a VN have the same, "
                             "but %s has others", other->name);
        }
    }
    error = check_ports(row, vn);
    return error ? error : nva_nat_check(nva, row->config, vn, row->gw);
}

static void
write_status(struct nva *nva, struct row *row, const char *error)
{
    const char *state = row->gw ? nva_takeover_state(row->gw) : "refused";
    const char *outside = row->gw ? nva_takeover_outside(row->gw) : "";

    if (row->written_state != state || row->written_outside != outside
        || !nullable_string_is_equal(row->written, error)) {
        if (row->gw && error
            && !nullable_string_is_equal(row->written, error)) {
            VLOG_WARN("gateway %s: %s", row->name, error);
        }
        free(row->written);
        row->written = nullable_xstrdup(error);
        row->written_state = state;
        row->written_outside = outside;
        db_write_gateway(nva->db, &row->uuid, state, outside, error);
    }
}

/* What the row of 'gw' is to say may have changed. */
void
nva_gateway_write(struct nva *nva, const struct gateway *gw)
{
    char *error = nva_takeover_get_error(gw);

    write_status(nva, find_row(nva, gw->id), error);
    free(error);
}

/* Makes of 'row', which has changed or is no gateway so far, what it says. */
static void
update_row(struct nva *nva, struct row *row)
{
    struct vn *vn = topology_find_vn_by_id(&nva->topology, row->vn);
    struct nve *nve = topology_find_nve(&nva->topology, row->nve);
    char *error = check_row(nva, row, vn, nve);

    if (error) {
        remove_gateway(nva, row);
        make_due(nva, row);
        write_status(nva, row, error);
    } else {
        if (!row->gw) {
            row->gw = gateway_add(row->name, row->id, vn, nve);
            row->gw->config = row->config;
            row->gw->outside = row->spoke ? GATEWAY_SPEAKS : GATEWAY_SILENT;
            if (row->failed) {
                nva_watch_remember(nve->session);
            }
            row->spoke = row->failed = false;
            nva->watch_dirty = true;
        }
        nva_gateways_vn_changed(nva, vn);
        nva_nat_set(nva, row->gw, &row->config->snat);
        wiring_gateway_changed(&nva->topology, row->gw);
        refresh_moves(vn);
        nva_routes_changed(nva);
    }
    free(error);
}

/* Those that are gateways come first, so that a new one does not take from
 * them what they have. */
static int
compare_rows(const void *a_, const void *b_)
{
    const struct row *const *a = a_;
    const struct row *const *b = b_;

    return (!(*a)->gw != !(*b)->gw ? !(*a)->gw - !(*b)->gw
            : strcmp((*a)->name, (*b)->name));
}

/* Looks at rows that have changed, and at those that are refused: what they
 * lack may be there now.  Whoever wants what a gateway has is refused, so
 * others need no look. */
static void
update_rows(struct nva *nva)
{
    size_t n = 0, n_due = ovs_list_size(&nva->due_gateways);
    struct row **rows = xmalloc(MAX(1, n_due) * sizeof *rows);
    struct row *row;

    LIST_FOR_EACH_POP (row, due_node, &nva->due_gateways) {
        ovs_list_init(&row->due_node);
        rows[n++] = row;
    }
    qsort(rows, n, sizeof *rows, compare_rows);
    for (size_t i = 0; i < n; i++) {
        update_row(nva, rows[i]);
    }
    free(rows);
}

void
nva_gateways_run(struct nva *nva)
{
    struct vn *vn;

    if (nva->gateways_dirty) {
        nva->gateways_dirty = false;
        update_rows(nva);
        /* When all are known, lest a port goes to one that comes first. */
        LIST_FOR_EACH_SAFE (vn, gateways_node, &nva->gateway_vns) {
            nva_takeover_refresh(nva, vn);
            ovs_list_remove(&vn->gateways_node);
            ovs_list_init(&vn->gateways_node);
        }
    }
}

void
nva_gateways_destroy(struct nva *nva)
{
    struct row *row;

    HMAP_FOR_EACH_SAFE (row, node, &nva->gateways) {
        remove_gateway(nva, row);
        free_row(nva, row);
    }
    hmap_destroy(&nva->gateways);
    shash_destroy(&nva->snats);
}

/* Addresses of ports. */

/* Returns what of the addresses of a port of 'vn' is that of a gateway, for
 * the caller to free, or null. */
char *
nva_gateway_find_duplicate(const struct nva *nva, const struct vn *vn,
                           struct eth_addr mac, const struct in6_addr ips[],
                           size_t n)
{
    const struct gateway *gw;

    for (size_t i = 0; i < n; i++) {
        gw = nva_nat_find(nva, vn, &ips[i]);
        if (gw) {
            return xasprintf("ips: gateway %s translates to one of the "
                             "addresses", gw->name);
        }
        gw = gateway_find_by_ip(vn, &ips[i]);
        if (gw) {
            return xasprintf("ips: an address is already that of gateway %s",
                             gw->name);
        }
    }
    gw = gateway_find_by_mac(vn, mac);
    return (gw ? xasprintf("mac: it is already that of gateway %s", gw->name)
            : NULL);
}
