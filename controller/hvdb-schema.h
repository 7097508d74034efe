/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef HVDB_SCHEMA_H
#define HVDB_SCHEMA_H 1

/* The tables and columns of database Open_vSwitch that hvdb reads, for a
 * 'struct ovsdb_replica'.  A table is HVDB_T_<TABLE>, a column is
 * HVDB_<TABLE>_<COLUMN>. */

#include "ovsdb-replica.h"

/* TABLE(ID, name) and COLUMN(TABLE_ID, ID, name, key, value, required). */
#define HVDB_TABLES                             \
    TABLE(OVS, "Open_vSwitch")                  \
    TABLE(BRIDGE, "Bridge")                     \
    TABLE(PORT, "Port")                         \
    TABLE(INTERFACE, "Interface")               \
    TABLE(CONTROLLER, "Controller")             \
    TABLE(MANAGER, "Manager")                   \
    TABLE(FLOW_TABLE, "Flow_Table")

#define HVDB_OVS_COLUMNS                                                \
    COLUMN(OVS, EXTERNAL_IDS, "external_ids", STRING, STRING, false)    \
    COLUMN(OVS, OTHER_CONFIG, "other_config", STRING, STRING, false)    \
    COLUMN(OVS, OVS_VERSION, "ovs_version", STRING, NONE, false)        \
    COLUMN(OVS, BRIDGES, "bridges", UUID, NONE, false)                  \
    COLUMN(OVS, MANAGER_OPTIONS, "manager_options", UUID, NONE, false)

#define HVDB_BRIDGE_COLUMNS                                             \
    COLUMN(BRIDGE, NAME, "name", STRING, NONE, true)                    \
    COLUMN(BRIDGE, DATAPATH_ID, "datapath_id", STRING, NONE, false)     \
    COLUMN(BRIDGE, DATAPATH_TYPE, "datapath_type", STRING, NONE, true)  \
    COLUMN(BRIDGE, FAIL_MODE, "fail_mode", STRING, NONE, false)         \
    COLUMN(BRIDGE, PROTOCOLS, "protocols", STRING, NONE, false)         \
    COLUMN(BRIDGE, CONTROLLER, "controller", UUID, NONE, false)         \
    COLUMN(BRIDGE, PORTS, "ports", UUID, NONE, false)                   \
    COLUMN(BRIDGE, FLOW_TABLES, "flow_tables", INTEGER, UUID, false)

#define HVDB_PORT_COLUMNS                                               \
    COLUMN(PORT, NAME, "name", STRING, NONE, true)                      \
    COLUMN(PORT, INTERFACES, "interfaces", UUID, NONE, false)           \
    COLUMN(PORT, EXTERNAL_IDS, "external_ids", STRING, STRING, false)

#define HVDB_INTERFACE_COLUMNS                                          \
    COLUMN(INTERFACE, NAME, "name", STRING, NONE, true)                 \
    COLUMN(INTERFACE, TYPE, "type", STRING, NONE, true)                 \
    COLUMN(INTERFACE, OPTIONS, "options", STRING, STRING, false)        \
    COLUMN(INTERFACE, OFPORT, "ofport", INTEGER, NONE, false)           \
    COLUMN(INTERFACE, EXTERNAL_IDS, "external_ids", STRING, STRING,     \
           false)                                                       \
    COLUMN(INTERFACE, BFD, "bfd", STRING, STRING, false)                \
    COLUMN(INTERFACE, BFD_STATUS, "bfd_status", STRING, STRING, false)  \
    COLUMN(INTERFACE, LINK_STATE, "link_state", STRING, NONE, false)    \
    COLUMN(INTERFACE, ERROR, "error", STRING, NONE, false)

#define HVDB_CONTROLLER_COLUMNS                                         \
    COLUMN(CONTROLLER, TARGET, "target", STRING, NONE, true)            \
    COLUMN(CONTROLLER, CONNECTION_MODE, "connection_mode", STRING,      \
           NONE, false)                                                 \
    COLUMN(CONTROLLER, MAX_BACKOFF, "max_backoff", INTEGER, NONE,       \
           false)                                                       \
    COLUMN(CONTROLLER, INACTIVITY_PROBE, "inactivity_probe", INTEGER,   \
           NONE, false)

#define HVDB_MANAGER_COLUMNS                                            \
    COLUMN(MANAGER, TARGET, "target", STRING, NONE, true)               \
    COLUMN(MANAGER, IS_CONNECTED, "is_connected", BOOLEAN, NONE, true)  \
    COLUMN(MANAGER, INACTIVITY_PROBE, "inactivity_probe", INTEGER,      \
           NONE, false)

#define HVDB_FLOW_TABLE_COLUMNS                                         \
    COLUMN(FLOW_TABLE, NAME, "name", STRING, NONE, false)               \
    COLUMN(FLOW_TABLE, EXTERNAL_IDS, "external_ids", STRING, STRING, false)

enum hvdb_table_id {
#define TABLE(ID, NAME) HVDB_T_##ID,
    HVDB_TABLES
#undef TABLE
    HVDB_N_TABLES
};

#define COLUMN(TABLE_ID, ID, NAME, KEY, VALUE, REQUIRED) \
    HVDB_##TABLE_ID##_##ID,
enum { HVDB_OVS_COLUMNS };
enum { HVDB_BRIDGE_COLUMNS };
enum { HVDB_PORT_COLUMNS };
enum { HVDB_INTERFACE_COLUMNS };
enum { HVDB_CONTROLLER_COLUMNS };
enum { HVDB_MANAGER_COLUMNS };
enum { HVDB_FLOW_TABLE_COLUMNS };
#undef COLUMN

/* By 'enum hvdb_table_id'. */
extern const struct ovsdb_table_spec hvdb_schema[HVDB_N_TABLES];

#endif /* hvdb-schema.h */
