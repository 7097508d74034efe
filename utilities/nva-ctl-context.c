/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-ctl.h"

#include <ctype.h>
#include <string.h>

#include "nva-ctl-addr.h"
#include "openvswitch/json.h"
#include "svec.h"
#include "util.h"

struct nva_ctl_context *
nva_ctl_context_cast(struct ctl_context *base)
{
    return CONTAINER_OF(base, struct nva_ctl_context, base);
}

void
nva_ctl_check_arguments(const struct ctl_command *c)
{
    for (int i = 1; i < c->argc && strcmp(c->argv[0], "comment"); i++) {
        const char *arg = c->argv[i];

        if (!strncmp(arg, "--", 2)) {
            /* As its synopsis has a setting. */
            char *key = xasprintf("[%.*s", (int) strcspn(arg + 2, "=") + 1,
                                  arg + 2);

            if (strchr(key, '=') && strstr(c->syntax->arguments, key)) {
                ctl_fatal("%s takes %s, not %s", c->argv[0], arg + 2, arg);
            }
            ctl_fatal("option %s must stand before the command: nva-ctl %s "
                      "%s ...", arg, arg, c->argv[0]);
        }
    }
}

/* Returns 's' in lower case, for the caller to free. */
static char *
lower(const char *s)
{
    char *copy = xstrdup(s);

    for (char *p = copy; *p; p++) {
        *p = tolower((unsigned char) *p);
    }
    return copy;
}

/* Prerequisites. */

/* Asks for 'column', by which '*index' finds rows. */
static void
pre_index(struct ctl_context *ctx, const struct ovsdb_idl_column *column,
          struct ovsdb_idl_index **index)
{
    ovsdb_idl_add_column(ctx->idl, column);
    if (!*index) {
        *index = ovsdb_idl_index_create1(ctx->idl, column);
    }
}

void
nva_ctl_pre_nve(struct ctl_context *ctx)
{
    pre_index(ctx, &nvarec_nve_col_name,
              &nva_ctl_context_cast(ctx)->nves);
}

void
nva_ctl_pre_vn(struct ctl_context *ctx)
{
    pre_index(ctx, &nvarec_virtual_network_col_name,
              &nva_ctl_context_cast(ctx)->vns);
}

void
nva_ctl_pre_port(struct ctl_context *ctx)
{
    pre_index(ctx, &nvarec_port_col_name,
              &nva_ctl_context_cast(ctx)->ports);
}

void
nva_ctl_pre_addresses(struct ctl_context *ctx)
{
    nva_ctl_pre_vn(ctx);
    nva_ctl_pre_port(ctx);
    ovsdb_idl_add_column(ctx->idl, &nvarec_port_col_vn);
    ovsdb_idl_add_column(ctx->idl, &nvarec_port_col_mac);
    ovsdb_idl_add_column(ctx->idl, &nvarec_port_col_ips);
}

void
nva_ctl_pre_migration(struct ctl_context *ctx)
{
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_port);
    ovsdb_idl_add_column(ctx->idl, &nvarec_migration_col_phase);
}

/* Rows by name. */

const struct nvarec_nve *
nva_ctl_find_nve(struct ctl_context *ctx, const char *name)
{
    struct ovsdb_idl_index *index = nva_ctl_context_cast(ctx)->nves;
    struct nvarec_nve *key = nvarec_nve_index_init_row(index);
    nvarec_nve_index_set_name(key, name);
    const struct nvarec_nve *nve = nvarec_nve_index_find(index, key);
    nvarec_nve_index_destroy_row(key);
    return nve;
}

const struct nvarec_virtual_network *
nva_ctl_find_vn(struct ctl_context *ctx, const char *name)
{
    struct ovsdb_idl_index *index = nva_ctl_context_cast(ctx)->vns;
    struct nvarec_virtual_network *key
        = nvarec_virtual_network_index_init_row(index);
    nvarec_virtual_network_index_set_name(key, name);
    const struct nvarec_virtual_network *vn
        = nvarec_virtual_network_index_find(index, key);
    nvarec_virtual_network_index_destroy_row(key);
    return vn;
}

const struct nvarec_port *
nva_ctl_find_port(struct ctl_context *ctx, const char *name)
{
    struct ovsdb_idl_index *index = nva_ctl_context_cast(ctx)->ports;
    struct nvarec_port *key = nvarec_port_index_init_row(index);
    nvarec_port_index_set_name(key, name);
    const struct nvarec_port *port = nvarec_port_index_find(index, key);
    nvarec_port_index_destroy_row(key);
    return port;
}

const struct nvarec_nve *
nva_ctl_get_nve(struct ctl_context *ctx, const char *name)
{
    const struct nvarec_nve *nve = nva_ctl_find_nve(ctx, name);
    if (!nve) {
        ctl_error(ctx, "no NVE is named \"%s\"; \"nva-ctl nve-list\" lists "
                  "them", name);
    }
    return nve;
}

const struct nvarec_virtual_network *
nva_ctl_get_vn(struct ctl_context *ctx, const char *name)
{
    const struct nvarec_virtual_network *vn = nva_ctl_find_vn(ctx, name);
    if (!vn) {
        ctl_error(ctx, "no VN is named \"%s\"; \"nva-ctl vn-list\" lists them",
                  name);
    }
    return vn;
}

const struct nvarec_port *
nva_ctl_get_port(struct ctl_context *ctx, const char *name)
{
    const struct nvarec_port *port = nva_ctl_find_port(ctx, name);
    if (!port) {
        ctl_error(ctx, "no port is named \"%s\"; \"nva-ctl port-list\" lists "
                  "them", name);
    }
    return port;
}

/* Addresses. */

static char *
address_key(const struct nvarec_virtual_network *vn, const char *address)
{
    return xasprintf(UUID_FMT" %s", UUID_ARGS(&vn->header_.uuid), address);
}

static void
add_address__(struct shash *addresses,
              const struct nvarec_virtual_network *vn, const char *address,
              const struct nvarec_port *port)
{
    shash_replace_nocopy(addresses, address_key(vn, address), port);
}

static void
add_addresses_of_port(struct shash *addresses, const struct nvarec_port *port)
{
    if (!port->vn) {
        return;
    }

    char *mac = lower(port->mac);
    add_address__(addresses, port->vn, mac, port);
    free(mac);

    for (size_t i = 0; i < port->n_ips; i++) {
        char *ip = nva_ctl_addr_canonicalize(port->ips[i]);
        add_address__(addresses, port->vn, ip, port);
        free(ip);
    }
}

const struct nvarec_port *
nva_ctl_find_address(struct ctl_context *ctx,
                     const struct nvarec_virtual_network *vn,
                     const char *address)
{
    struct nva_ctl_context *nctx = nva_ctl_context_cast(ctx);
    if (!nctx->addresses_valid) {
        const struct nvarec_port *port;

        NVAREC_PORT_FOR_EACH (port, ctx->idl) {
            add_addresses_of_port(&nctx->addresses, port);
        }
        nctx->addresses_valid = true;
    }

    char *key = address_key(vn, address);
    const struct nvarec_port *port = shash_find_data(&nctx->addresses, key);
    free(key);
    return port;
}

void
nva_ctl_add_address(struct ctl_context *ctx,
                    const struct nvarec_virtual_network *vn,
                    const char *address, const struct nvarec_port *port)
{
    struct nva_ctl_context *nctx = nva_ctl_context_cast(ctx);
    if (nctx->addresses_valid) {
        add_address__(&nctx->addresses, vn, address, port);
    }
}

void
nva_ctl_invalidate_addresses(struct ctl_context *ctx)
{
    struct nva_ctl_context *nctx = nva_ctl_context_cast(ctx);
    shash_clear(&nctx->addresses);
    nctx->addresses_valid = false;
}

/* NVEs, ports and migrations. */

const char *
nva_ctl_nve_status(const struct nvarec_nve *nve)
{
    return (!nve->connected ? "down"
            : !nve->synced ? "connected"
            : "synced");
}

const char *
nva_ctl_port_state(const struct nvarec_port *port)
{
    return port->state[0] ? port->state : "unbound";
}

const char *
nva_ctl_migration_phase(const struct nvarec_migration *m)
{
    return m->phase[0] ? m->phase : "requested";
}

bool
nva_ctl_migration_is_active(const struct nvarec_migration *m)
{
    return (strcmp(m->phase, "done")
            && strcmp(m->phase, "cancelled")
            && strcmp(m->phase, "failed"));
}

const struct nvarec_migration *
nva_ctl_find_active_migration(struct ctl_context *ctx, const char *port)
{
    const struct nvarec_migration *found = NULL;
    const struct nvarec_migration *m;

    NVAREC_MIGRATION_FOR_EACH (m, ctx->idl) {
        if (!strcmp(m->port, port) && nva_ctl_migration_is_active(m)
            && (!found || strcmp(nva_ctl_migration_phase(m), "draining"))) {
            found = m;
        }
    }
    return found;
}

char *
nva_ctl_migration_id(struct ctl_context *ctx, const struct uuid *uuid)
{
    char s[UUID_LEN + 1];
    size_t len = 8;

    snprintf(s, sizeof s, UUID_FMT, UUID_ARGS(uuid));
    for (;;) {
        const struct nvarec_migration *m;
        bool ambiguous = false;
        char *id = xmemdup0(s, len);

        NVAREC_MIGRATION_FOR_EACH (m, ctx->idl) {
            ambiguous |= (!uuid_equals(&m->header_.uuid, uuid)
                          && uuid_is_partial_match(&m->header_.uuid, id));
        }
        if (!ambiguous || len == UUID_LEN) {
            return id;
        }
        free(id);
        len++;
    }
}

const struct nvarec_migration *
nva_ctl_get_migration(struct ctl_context *ctx, const char *arg)
{
    const struct nvarec_migration *found = NULL;
    const struct nvarec_migration *m;
    char *id = lower(arg);

    if (uuid_is_partial_string(id) < 4) {
        ctl_error(ctx, "\"%s\" is not the id of a migration, which has 4 or "
                  "more hexadecimal digits; \"nva-ctl migrate-list\" lists "
                  "them", arg);
        free(id);
        return NULL;
    }
    NVAREC_MIGRATION_FOR_EACH (m, ctx->idl) {
        if (!uuid_is_partial_match(&m->header_.uuid, id)) {
            continue;
        }
        if (found) {
            ctl_error(ctx, "id %s is ambiguous, at least ports %s and %s have "
                      "migrations that begin so; give more digits",
                      arg, found->port, m->port);
            free(id);
            return NULL;
        }
        found = m;
    }
    if (!found) {
        ctl_error(ctx, "no migration has the id %s; \"nva-ctl migrate-list\" "
                  "lists them", arg);
    }
    free(id);
    return found;
}

/* Command line. */

bool
nva_ctl_check_name(struct ctl_context *ctx, const char *what, const char *name)
{
    if (!name[0] || strlen(name) > 255) {
        ctl_error(ctx, "the name of a%s %s must have 1 to 255 bytes",
                  !strcmp(what, "NVE") ? "n" : "", what);
        return false;
    }
    for (const char *p = name; *p; p++) {
        unsigned char c = *p;

        if (c <= ' ' || c == 0x7f || strchr(",=\"'", c)) {
            ctl_error(ctx, "\"%s\" cannot be the name of a%s %s: leave out "
                      "blanks, commas, quotes and \"=\"",
                      name, !strcmp(what, "NVE") ? "n" : "", what);
            return false;
        }
    }
    return true;
}

bool
nva_ctl_same_set(char **a, size_t n_a, char **b, size_t n_b)
{
    struct svec sa = SVEC_EMPTY_INITIALIZER;
    struct svec sb = SVEC_EMPTY_INITIALIZER;

    for (size_t i = 0; i < n_a; i++) {
        svec_add(&sa, a[i]);
    }
    for (size_t i = 0; i < n_b; i++) {
        svec_add(&sb, b[i]);
    }
    svec_sort_unique(&sa);
    svec_sort_unique(&sb);
    bool same = svec_equal(&sa, &sb);
    svec_destroy(&sa);
    svec_destroy(&sb);
    return same;
}

/* Returns true if comma-separated 'choices' has 'value'. */
static bool
is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);

    for (const char *p = choices; *p; ) {
        size_t n = strcspn(p, ",");
        if (n == len && !strncmp(p, value, n)) {
            return true;
        }
        p += n;
        p += strspn(p, ",");
    }
    return false;
}

static void
refuse_opt(struct ctl_context *ctx, const char *arg,
           const struct nva_ctl_opt opts[], size_t n_opts)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < n_opts; i++) {
        ds_put_format(&s, "%s%s=", i ? ", " : "", opts[i].key);
    }
    ctl_error(ctx, "\"%s\" is not an option of %s, which has %s",
              arg, ctx->argv[0], ds_cstr(&s));
    ds_destroy(&s);
}

static bool
take_opt(struct ctl_context *ctx, const char *arg,
         struct nva_ctl_opt opts[], size_t n_opts)
{
    size_t key_len = strcspn(arg, "=");

    for (size_t i = 0; i < n_opts; i++) {
        struct nva_ctl_opt *o = &opts[i];

        if (strlen(o->key) != key_len || strncmp(o->key, arg, key_len)) {
            continue;
        }
        if (o->given) {
            ctl_error(ctx, "%s= is given twice; give it once", o->key);
            return false;
        }
        o->value = arg + key_len + 1;
        o->given = true;
        if (o->choices && !is_choice(o->choices, o->value)
            && (o->value[0] || !o->unsettable)) {
            ctl_error(ctx, "%s: must be one of %s", arg, o->choices);
            return false;
        }
        return true;
    }
    refuse_opt(ctx, arg, opts, n_opts);
    return false;
}

bool
nva_ctl_take_opts(struct ctl_context *ctx, int first,
                  struct nva_ctl_opt opts[], size_t n_opts, struct svec *rest)
{
    for (int i = first; i < ctx->argc; i++) {
        const char *arg = ctx->argv[i];

        if (strchr(arg, '=')) {
            if (!take_opt(ctx, arg, opts, n_opts)) {
                return false;
            }
        } else if (rest) {
            svec_add(rest, arg);
        } else {
            refuse_opt(ctx, arg, opts, n_opts);
            return false;
        }
    }
    return true;
}

/* Listings. */

static bool
choose_columns(struct nva_ctl_listing *l, const char *names,
               const char *const headings[])
{
    struct ctl_context *ctx = &l->nctx->base;
    char *copy = xstrdup(names);
    char *save_ptr = NULL;
    bool ok = true;

    for (char *name = strtok_r(copy, ", ", &save_ptr); name && ok;
         name = strtok_r(NULL, ", ", &save_ptr)) {
        size_t i = 0;

        while (i < l->n_headings && strcmp(headings[i], name)) {
            i++;
        }
        if (i >= l->n_headings || l->n_columns >= l->n_headings) {
            struct ds s = DS_EMPTY_INITIALIZER;

            for (i = 0; i < l->n_headings; i++) {
                ds_put_format(&s, "%s%s", i ? ", " : "", headings[i]);
            }
            ctl_error(ctx, "--columns=%s: choose from %s, each once",
                      names, ds_cstr(&s));
            ds_destroy(&s);
            ok = false;
        } else {
            l->columns[l->n_columns++] = i;
        }
    }
    free(copy);
    return ok;
}

bool
nva_ctl_listing_init(struct nva_ctl_listing *l, struct ctl_context *ctx,
                     const char *const headings[], size_t n_headings)
{
    const char *names = shash_find_data(&ctx->options, "--columns");

    l->nctx = nva_ctl_context_cast(ctx);
    l->n_headings = n_headings;
    l->row = xcalloc(n_headings, sizeof *l->row);
    l->columns = xcalloc(n_headings, sizeof *l->columns);
    l->n_columns = 0;
    if (!names) {
        while (l->n_columns < n_headings) {
            l->columns[l->n_columns] = l->n_columns;
            l->n_columns++;
        }
    } else if (!choose_columns(l, names, headings)) {
        nva_ctl_listing_uninit(l);
        return false;
    }

    ctx->table = xmalloc(sizeof *ctx->table);
    table_init(ctx->table);
    for (size_t i = 0; i < l->n_columns; i++) {
        table_add_column(ctx->table, "%s", headings[l->columns[i]]);
    }
    return true;
}

void
nva_ctl_listing_put(struct nva_ctl_listing *l, size_t column, const char *text)
{
    l->row[column].text = xstrdup(text);
}

void
nva_ctl_listing_put_integer(struct nva_ctl_listing *l, size_t column,
                            long long int value)
{
    l->row[column].json = json_integer_create(value);
}

void
nva_ctl_listing_put_ms(struct nva_ctl_listing *l, size_t column,
                       long long int us)
{
    if (l->nctx->json) {
        l->row[column].json = json_real_create(us / 1000.0);
    } else {
        l->row[column].text = xasprintf("%.3f", us / 1000.0);
    }
}

/* In JSON a set is an array whatever its size, elsewhere its elements are
 * separated by blanks, which are in none of them. */
void
nva_ctl_listing_put_set(struct nva_ctl_listing *l, size_t column,
                        char *const elements[], size_t n)
{
    if (l->nctx->json) {
        struct json *array = json_array_create_empty();

        for (size_t i = 0; i < n; i++) {
            json_array_add(array, json_string_create(elements[i]));
        }
        l->row[column].json = array;
    } else {
        struct ds s = DS_EMPTY_INITIALIZER;

        for (size_t i = 0; i < n; i++) {
            ds_put_format(&s, "%s%s", i ? " " : "", elements[i]);
        }
        l->row[column].text = ds_steal_cstr(&s);
    }
}

void
nva_ctl_listing_end_row(struct nva_ctl_listing *l)
{
    struct table *table = l->nctx->base.table;

    table_add_row(table);
    for (size_t i = 0; i < l->n_columns; i++) {
        const struct cell *from = &l->row[l->columns[i]];
        struct cell *to = table_add_cell(table);

        to->text = nullable_xstrdup(from->text);
        to->json = from->json ? json_clone(from->json) : NULL;
    }
    for (size_t i = 0; i < l->n_headings; i++) {
        free(l->row[i].text);
        json_destroy(l->row[i].json);
        memset(&l->row[i], 0, sizeof l->row[i]);
    }
}

void
nva_ctl_listing_uninit(struct nva_ctl_listing *l)
{
    free(l->row);
    free(l->columns);
}
