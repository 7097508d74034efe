/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "hvdb-schema.h"
#include "util.h"

#define COLUMN(TABLE_ID, ID, NAME, KEY, VALUE, REQUIRED) \
    { NAME, OVSDB_ATOM_##KEY, OVSDB_ATOM_##VALUE, REQUIRED },
#define TABLE(ID, NAME) \
    static const struct ovsdb_column_spec ID##_columns[] = { \
        HVDB_##ID##_COLUMNS \
    };
HVDB_TABLES
#undef TABLE
#undef COLUMN

const struct ovsdb_table_spec hvdb_schema[HVDB_N_TABLES] = {
#define TABLE(ID, NAME) { NAME, ID##_columns, ARRAY_SIZE(ID##_columns) },
    HVDB_TABLES
#undef TABLE
};
