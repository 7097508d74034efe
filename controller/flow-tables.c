/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "flow-tables.h"

#include <string.h>

#include "packets.h"
#include "util.h"

struct table {
    uint8_t id;
    const char *name;
    const char *reads;
    const char *writes;
    const char *purpose;
};

static const struct table tables[] = {
#define FLOW_TABLE(ID, NAME, STRING, READS, WRITES, PURPOSE)                \
    { ID, STRING, READS, WRITES, PURPOSE },
    FLOW_TABLES
#undef FLOW_TABLE
};

/* What a packet brings along, or a table adds to it without a register. */
static const char *const given[] = { "in_port", "tun_id", "nd_mac",
                                    "mac_in" };

struct eth_addr
flow_nva_mac(void)
{
    struct eth_addr mac;

    ovs_assert(eth_addr_from_string(FLOW_NVA_MAC, &mac));
    return mac;
}

const char *
flow_table_name(uint8_t id)
{
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        if (tables[i].id == id) {
            return tables[i].name;
        }
    }
    return NULL;
}

void
flow_tables_for_each(void (*cb)(uint8_t id, const char *name, void *aux),
                     void *aux)
{
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        cb(tables[i].id, tables[i].name, aux);
    }
}

static const char rule5[] = "=====";
static const char rule15[] = "===============";
static const char rule30[] = "==============================";
static const char rule60[]
    = "============================================================";

/* Only the last column may be wider than its rule. */
static void
print_tables(FILE *stream)
{
    static const char format[] = "%-5s  %-15s  %-30s  %s\n";

    fprintf(stream, format, rule5, rule15, rule30, rule60);
    fprintf(stream, format, "table", "name", "reads", "purpose");
    fprintf(stream, format, rule5, rule15, rule30, rule60);
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        const struct table *t = &tables[i];
        char id[8];

        snprintf(id, sizeof id, "%d", t->id);
        fprintf(stream, format, id, t->name, t->reads[0] ? t->reads : "\\",
                t->purpose);
    }
    fprintf(stream, format, rule5, rule15, rule30, rule60);
}

static void
print_registers(FILE *stream)
{
    static const char format[] = "%-5s  %-15s  %s\n";

    fprintf(stream, format, rule5, rule15, rule60);
    fprintf(stream, format, "reg", "name", "contents");
    fprintf(stream, format, rule5, rule15, rule60);
#define FLOW_REG(N, NAME, STRING, CONTENTS)                                 \
    fprintf(stream, format, "reg" #N, STRING, CONTENTS);
    FLOW_REGS
#undef FLOW_REG
    fprintf(stream, format, rule5, rule15, rule60);
}

void
flow_tables_format(FILE *stream)
{
    print_tables(stream);
    fprintf(stream, "\n");
    print_registers(stream);
}

/* Returns true if 'name' is one of the comma-separated words of 'list'. */
static bool
lists(const char *list, const char *name, size_t len)
{
    while (*list) {
        size_t n = strcspn(list, ",");

        if (n == len && !strncmp(list, name, len)) {
            return true;
        }
        list += n + (list[n] == ',');
    }
    return false;
}

static bool
is_written_before(size_t idx, const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
        if (lists(given[i], name, len)) {
            return true;
        }
    }

    /* A table may come back to itself, as the flood lists do. */
    for (size_t i = 0; i <= idx; i++) {
        if (lists(tables[i].writes, name, len)) {
            return true;
        }
    }
    return false;
}

bool
flow_tables_check(FILE *stream)
{
    bool ok = true;

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        const char *name = tables[i].reads;

        while (*name) {
            size_t len = strcspn(name, ",");

            if (!is_written_before(i, name, len)) {
                fprintf(stream, "table %s reads %.*s before it is written\n",
                        tables[i].name, (int) len, name);
                ok = false;
            }
            name += len + (name[len] == ',');
        }
    }
    return ok;
}
