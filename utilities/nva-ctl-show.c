/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* The commands that print text for people: show and migrate-show. */

#include "nva-ctl.h"

#include <string.h>

#include "util.h"

/* Columns that a bar of the timeline has. */
#define BAR_WIDTH 32

static void
put_field(struct ds *s, int level, const char *name, const char *value)
{
    if (value[0]) {
        ds_put_char_multiple(s, ' ', level * 4);
        ds_put_format(s, "%s: %s\n", name, value);
    }
}

static void
put_set_field(struct ds *s, int level, const char *name,
              char *const elements[], size_t n)
{
    if (n) {
        ds_put_char_multiple(s, ' ', level * 4);
        ds_put_format(s, "%s: ", name);
        for (size_t i = 0; i < n; i++) {
            ds_put_format(s, "%s%s", i ? ", " : "", elements[i]);
        }
        ds_put_char(s, '\n');
    }
}

/* show */

static void
add_all_columns(struct ovsdb_idl *idl, const struct ovsdb_idl_column *columns,
                size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ovsdb_idl_add_column(idl, &columns[i]);
    }
}

static void
pre_show(struct ctl_context *ctx)
{
    ovsdb_idl_add_column(ctx->idl, &nvarec_nva_global_col_nb_cfg);
    ovsdb_idl_add_column(ctx->idl, &nvarec_nva_global_col_nve_cfg);
    add_all_columns(ctx->idl, nvarec_nve_columns, NVAREC_NVE_N_COLUMNS);
    add_all_columns(ctx->idl, nvarec_virtual_network_columns,
                    NVAREC_VIRTUAL_NETWORK_N_COLUMNS);
    add_all_columns(ctx->idl, nvarec_gateway_columns,
                    NVAREC_GATEWAY_N_COLUMNS);
    add_all_columns(ctx->idl, nvarec_port_columns, NVAREC_PORT_N_COLUMNS);
    add_all_columns(ctx->idl, nvarec_migration_columns,
                    NVAREC_MIGRATION_N_COLUMNS);
}

static void
show_nve(struct ds *s, const struct nvarec_nve *nve)
{
    ds_put_format(s, "NVE %s\n", nve->name);
    ds_put_format(s, "    Status: %s", nva_ctl_nve_status(nve));
    if (nve->connected) {
        ds_put_format(s, ", %"PRId64" flows", nve->n_flows);
        if (nve->ovs_version[0]) {
            ds_put_format(s, ", Open vSwitch %s", nve->ovs_version);
        }
    }
    ds_put_char(s, '\n');
    put_set_field(s, 1, !strcmp(nve->encap_type, "vxlan") ? "VXLAN" : "Geneve",
                  nve->encap_ips, nve->n_encap_ips);
    put_field(s, 1, "Bridge", nve->bridge);
    put_field(s, 1, "Datapath", nve->datapath_type);
    put_field(s, 1, "OVSDB", nve->ovsdb[0] ? nve->ovsdb : "dials in");
    put_field(s, 1, "Error", nve->error);
}

static void
show_port(struct ds *s, const struct nvarec_port *port)
{
    ds_put_format(s, "    Port %s\n", port->name);
    put_field(s, 2, "MAC", port->mac);
    put_set_field(s, 2, "IPs", port->ips, port->n_ips);
    put_field(s, 2, "NVE", port->nve ? port->nve : "");
    put_field(s, 2, "State", nva_ctl_port_state(port));
    put_field(s, 2, "Gateway", port->served_by);
    put_field(s, 2, "Security", port->port_security ? "" : "off");
    put_field(s, 2, "Tenant", port->tenant);
    put_field(s, 2, "Error", port->error);
}

static void
show_vn(struct ds *s, const struct nvarec_virtual_network *vn)
{
    const struct smap_node **sorted = smap_sort(&vn->options);

    ds_put_format(s, "VN %s\n", vn->name);
    ds_put_format(s, "    VNI: %"PRId64"\n", vn->vni);
    put_set_field(s, 1, "Subnets", vn->subnets, vn->n_subnets);
    for (size_t i = 0; i < smap_count(&vn->options); i++) {
        put_field(s, 1, sorted[i]->key, sorted[i]->value);
    }
    put_field(s, 1, "Error", vn->error);
    free(sorted);
}

static void
show_gateway(struct ds *s, const struct nvarec_gateway *gw)
{
    ds_put_format(s, "    Gateway %s\n", gw->name);
    put_field(s, 2, "MAC", gw->mac);
    put_set_field(s, 2, "IPs", gw->ips, gw->n_ips);
    put_field(s, 2, "NVE", gw->nve);
    for (size_t i = 0; i < gw->n_vns; i++) {
        put_field(s, 2, "Routes to VN", gw->vns[i]->name);
    }
    put_set_field(s, 2, "Next hops", gw->next_hops, gw->n_next_hops);
    put_field(s, 2, "Source NAT", smap_get_def(&gw->options, "snat", ""));
    for (size_t i = 0; i < gw->n_policy; i++) {
        char *number = xasprintf("Rule %"PRId64, gw->key_policy[i]);

        put_field(s, 2, number, gw->value_policy[i]);
        free(number);
    }
    put_field(s, 2, "State", gw->state);
    put_field(s, 2, "Error", gw->error);
}

static void
show_gateways(struct ctl_context *ctx, const struct nvarec_virtual_network *vn)
{
    size_t n;
    const struct nvarec_gateway **gws = nva_ctl_sort_gateways(ctx, vn, &n);

    for (size_t i = 0; i < n; i++) {
        show_gateway(&ctx->output, gws[i]);
    }
    free(gws);
}

static void
show_migration(struct ctl_context *ctx, const struct nvarec_migration *m)
{
    char *id = nva_ctl_migration_id(ctx, &m->header_.uuid);

    ds_put_format(&ctx->output, "Migration %s\n", id);
    ds_put_format(&ctx->output, "    Port %s: ", m->port);
    if (m->old_nve[0]) {
        ds_put_format(&ctx->output, "NVE %s to ", m->old_nve);
    } else {
        ds_put_cstr(&ctx->output, "to ");
    }
    ds_put_format(&ctx->output, "NVE %s, kind %s, trigger %s\n",
                  m->new_nve, m->kind, m->trigger);
    put_field(&ctx->output, 1, "Phase", nva_ctl_migration_phase(m));
    put_field(&ctx->output, 1, "Request", m->request);
    put_field(&ctx->output, 1, "Triggered by", m->triggered_by);
    put_field(&ctx->output, 1, "Slowest peer", m->slowest_peer);
    put_set_field(&ctx->output, 1, "Waiting for", m->waiting_for,
                  m->n_waiting_for);
    put_field(&ctx->output, 1, "Error", m->error);
    free(id);
}

static void
show_nves(struct ctl_context *ctx)
{
    struct shash nves = SHASH_INITIALIZER(&nves);
    const struct nvarec_nve *nve;

    NVAREC_NVE_FOR_EACH (nve, ctx->idl) {
        shash_add(&nves, nve->name, nve);
    }

    const struct shash_node **sorted = shash_sort(&nves);
    for (size_t i = 0; i < shash_count(&nves); i++) {
        show_nve(&ctx->output, sorted[i]->data);
    }
    free(sorted);
    shash_destroy(&nves);
}

/* Orders by VN, then by name. */
static int
compare_ports(const void *a_, const void *b_)
{
    const struct nvarec_port *const *ap = a_, *const *bp = b_;
    int cmp = strcmp((*ap)->vn->name, (*bp)->vn->name);

    return cmp ? cmp : strcmp((*ap)->name, (*bp)->name);
}

/* Returns the '*np' ports that are in a VN, sorted. */
static const struct nvarec_port **
sort_ports(struct ctl_context *ctx, size_t *np)
{
    const struct nvarec_port **ports = NULL;
    const struct nvarec_port *port;
    size_t allocated = 0;
    size_t n = 0;

    NVAREC_PORT_FOR_EACH (port, ctx->idl) {
        if (port->vn) {
            if (n >= allocated) {
                ports = x2nrealloc(ports, &allocated, sizeof *ports);
            }
            ports[n++] = port;
        }
    }
    if (n) {
        qsort(ports, n, sizeof *ports, compare_ports);
    }
    *np = n;
    return ports;
}

static void
show_vns(struct ctl_context *ctx)
{
    struct shash vns = SHASH_INITIALIZER(&vns);
    const struct nvarec_virtual_network *vn;
    const struct nvarec_port **ports;
    size_t n_ports;
    size_t j = 0;

    NVAREC_VIRTUAL_NETWORK_FOR_EACH (vn, ctx->idl) {
        shash_add(&vns, vn->name, vn);
    }
    ports = sort_ports(ctx, &n_ports);

    const struct shash_node **sorted = shash_sort(&vns);
    for (size_t i = 0; i < shash_count(&vns); i++) {
        vn = sorted[i]->data;
        show_vn(&ctx->output, vn);
        show_gateways(ctx, vn);
        for (; j < n_ports && ports[j]->vn == vn; j++) {
            show_port(&ctx->output, ports[j]);
        }
    }
    free(sorted);
    free(ports);
    shash_destroy(&vns);
}

static void
cmd_show(struct ctl_context *ctx)
{
    const struct nvarec_nva_global *global = nvarec_nva_global_first(ctx->idl);
    const struct nvarec_migration **migrations;
    size_t n;

    show_nves(ctx);
    show_vns(ctx);
    migrations = nva_ctl_sort_migrations(ctx, &n);
    for (size_t i = 0; i < n; i++) {
        if (nva_ctl_migration_is_active(migrations[i])) {
            show_migration(ctx, migrations[i]);
        }
    }
    free(migrations);
    if (global) {
        ds_put_format(&ctx->output, "Configuration %"PRId64", confirmed by "
                      "all NVEs: %"PRId64"\n",
                      global->nb_cfg, global->nve_cfg);
    }
}

/* migrate-show */

static void
pre_migrate_show(struct ctl_context *ctx)
{
    add_all_columns(ctx->idl, nvarec_migration_columns,
                    NVAREC_MIGRATION_N_COLUMNS);
}

long long int
nva_ctl_migration_time(const struct nvarec_migration *m, const char *key,
                       long long int missing)
{
    for (size_t i = 0; i < m->n_times; i++) {
        if (!strcmp(m->key_times[i], key)) {
            return m->value_times[i];
        }
    }
    return missing;
}

/* An event of a migration. */
struct event {
    const char *name;
    long long int time;         /* In us since the epoch. */
    size_t order;               /* Among events of the same time. */
};

/* Orders events of the same time as a move has them. */
static size_t
event_order(const char *name)
{
    static const char *const names[] = {
        "requested", "prepared", "triggered", "committed-new",
        "committed-old", "peers-switched", "held", "resumed",
        "first-redirected", "last-redirected", "drained", "done"
    };
    size_t i = 0;

    while (i < ARRAY_SIZE(names) && strcmp(names[i], name)) {
        i++;
    }
    return i;
}

static int
compare_events(const void *a_, const void *b_)
{
    const struct event *a = a_, *b = b_;

    return (a->time != b->time ? (a->time < b->time ? -1 : 1)
            : a->order != b->order ? (a->order < b->order ? -1 : 1)
            : strcmp(a->name, b->name));
}

/* Draws the time from 'from' to 'to', of a whole of 'total', in us. */
static void
draw_bar(struct ds *s, long long int from, long long int to,
         long long int total)
{
    int a = total ? from * (BAR_WIDTH - 1) / total : 0;
    int b = total ? to * (BAR_WIDTH - 1) / total : 0;

    ds_put_char(s, '|');
    ds_put_char_multiple(s, ' ', a);
    ds_put_char_multiple(s, '=', b - a);
    ds_put_char(s, '*');
    ds_put_char_multiple(s, ' ', BAR_WIDTH - 1 - b);
    ds_put_char(s, '|');
}

static void
show_timeline(struct ds *s, const struct nvarec_migration *m)
{
    struct event *events = xcalloc(m->n_times + 1, sizeof *events);
    size_t n = m->n_times;

    for (size_t i = 0; i < n; i++) {
        events[i].name = m->key_times[i];
        events[i].time = m->value_times[i];
        events[i].order = event_order(m->key_times[i]);
    }
    qsort(events, n, sizeof *events, compare_events);

    if (n) {
        ds_put_cstr(s, "    Timeline, in ms:\n");
    }
    for (size_t i = 0; i < n; i++) {
        long long int start = events[0].time;
        long long int total = events[n - 1].time - start;
        long long int before = events[i ? i - 1 : 0].time;

        ds_put_format(s, "        %12.3f %+12.3f  ",
                      (events[i].time - start) / 1000.0,
                      (events[i].time - before) / 1000.0);
        draw_bar(s, before - start, events[i].time - start, total);
        ds_put_format(s, " %s\n", events[i].name);
    }
    free(events);
}

static void
cmd_migrate_show(struct ctl_context *ctx)
{
    const struct nvarec_migration *m;

    m = nva_ctl_get_migration(ctx, ctx->argv[1]);
    if (!m) {
        return;
    }
    show_migration(ctx, m);
    show_timeline(&ctx->output, m);
    if (m->n_counters) {
        ds_put_cstr(&ctx->output, "    Counters:\n");
    }
    for (size_t i = 0; i < m->n_counters; i++) {
        ds_put_format(&ctx->output, "        %s: %"PRId64"\n",
                      m->key_counters[i], m->value_counters[i]);
    }
}

const struct ctl_command_syntax nva_ctl_show_commands[] = {
    {"show", 0, 0, "", pre_show, cmd_show, NULL, "", RO},
    {"migrate-show", 1, 1, "MIGRATION", pre_migrate_show, cmd_migrate_show,
     NULL, "", RO},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO},
};
