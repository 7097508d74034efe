/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#ifndef NVA_CTL_H
#define NVA_CTL_H 1

/* What the commands of nva-ctl share: the context that a command runs in, rows
 * found by name, options of the form KEY=VALUE, and tables as output.
 *
 * A command is run on a transaction that is not committed yet and, when the
 * database changes meanwhile, run again from the start; so it writes nothing
 * anywhere else.  It checks everything first and reports what is wrong with
 * ctl_error(), in one line that says what and what to do; then nothing at all
 * is written, neither by it nor by the commands before it on the command line.
 *
 * Functions with a 'struct ctl_context' that return bool have called
 * ctl_error() when they return false, likewise those that return null where
 * the comment says so.
 *
 * This is the one header that includes the IDL. */

#include "db-ctl-base.h"
#include "ovsdb-idl.h"
#include "nva-idl.h"
#include "table.h"

struct in6_addr;
struct svec;

/* The context of a command, in place of the base class's own. */
struct nva_ctl_context {
    struct ctl_context base;

    /* Rows by name.  Null if the commands at hand do not use the table. */
    struct ovsdb_idl_index *nves;
    struct ovsdb_idl_index *vns;
    struct ovsdb_idl_index *ports;

    bool json;                  /* Is output going to be JSON? */
    bool dry_run;               /* Is nothing going to be committed? */

    /* Who has which address in which VN: "UUID ADDRESS" to 'struct
     * nvarec_port'.  Filled on first use. */
    struct shash addresses;
    bool addresses_valid;

    /* Set by a command that sets 'try_again': what it waits for, as in "timed
     * out waiting for ...".  The context's to free. */
    char *waiting;

    /* Set by a command whose migration is to reach phase "held" after the
     * commit; all zeros otherwise. */
    struct uuid hold;
};

struct nva_ctl_context *nva_ctl_context_cast(struct ctl_context *);

/* Ends the program if there is an option among the arguments of a command.
 * Options are parsed before the command only, as in ovs-vsctl(8). */
void nva_ctl_check_arguments(const struct ctl_command *);

/* The commands, by file. */
extern const struct ctl_command_syntax nva_ctl_nve_commands[];
extern const struct ctl_command_syntax nva_ctl_vn_commands[];
extern const struct ctl_command_syntax nva_ctl_port_commands[];
extern const struct ctl_command_syntax nva_ctl_gateway_commands[];
extern const struct ctl_command_syntax nva_ctl_snat_commands[];
extern const struct ctl_command_syntax nva_ctl_migrate_commands[];
extern const struct ctl_command_syntax nva_ctl_evacuate_commands[];
extern const struct ctl_command_syntax nva_ctl_show_commands[];
extern const struct ctl_command_syntax nva_ctl_stats_commands[];

/* Add to the IDL what the functions below need; for use as, or in,
 * 'prerequisites' of a command. */
void nva_ctl_pre_nve(struct ctl_context *);     /* nva_ctl_find_nve() */
void nva_ctl_pre_vn(struct ctl_context *);      /* nva_ctl_find_vn() */
void nva_ctl_pre_port(struct ctl_context *);    /* nva_ctl_find_port() */
void nva_ctl_pre_addresses(struct ctl_context *);
void nva_ctl_pre_migration(struct ctl_context *);

/* Return the row with the given name, or null. */
const struct nvarec_nve *nva_ctl_find_nve(struct ctl_context *,
                                          const char *name);
const struct nvarec_virtual_network *nva_ctl_find_vn(struct ctl_context *,
                                                     const char *name);
const struct nvarec_port *nva_ctl_find_port(struct ctl_context *,
                                            const char *name);

/* The same, reporting an error if there is none. */
const struct nvarec_nve *nva_ctl_get_nve(struct ctl_context *,
                                         const char *name);
const struct nvarec_virtual_network *nva_ctl_get_vn(struct ctl_context *,
                                                    const char *name);
const struct nvarec_port *nva_ctl_get_port(struct ctl_context *,
                                           const char *name);

/* Addresses, MAC or IP in canonical form, that the ports of a VN have. */
const struct nvarec_port *nva_ctl_find_address(
    struct ctl_context *, const struct nvarec_virtual_network *,
    const char *address);
void nva_ctl_add_address(struct ctl_context *,
                         const struct nvarec_virtual_network *,
                         const char *address, const struct nvarec_port *);
void nva_ctl_invalidate_addresses(struct ctl_context *);

/* Returns the gateway with the given name, reporting an error if there is
 * none. */
const struct nvarec_gateway *nva_ctl_get_gateway(struct ctl_context *,
                                                 const char *name);

/* Returns the gateway of 'vn' that has 'address', MAC or IP, or null; of
 * several, the one whose name sorts first. */
const struct nvarec_gateway *nva_ctl_find_gateway_by_address(
    struct ctl_context *, const struct nvarec_virtual_network *vn,
    const char *address);

/* Returns true if no gateway of 'vn', or that leads there, translates to
 * 'address'; otherwise reports an error. */
bool nva_ctl_is_no_snat(struct ctl_context *,
                        const struct nvarec_virtual_network *vn,
                        const char *address);
void nva_ctl_pre_snat(struct ctl_context *);

/* Returns true if 'ip' is in the network of one of 'ips', ADDRESS/PREFIX. */
bool nva_ctl_has_neighbor(char *const ips[], size_t n,
                          const struct in6_addr *ip);

/* Returns the gateways of 'vn', or all if it is null, '*n' of them, in order
 * of their names, in an array for the caller to free. */
const struct nvarec_gateway **nva_ctl_sort_gateways(
    struct ctl_context *, const struct nvarec_virtual_network *vn, size_t *n);

/* Migrations. */
bool nva_ctl_migration_is_active(const struct nvarec_migration *);
const char *nva_ctl_migration_phase(const struct nvarec_migration *);
const struct nvarec_migration *nva_ctl_find_active_migration(
    struct ctl_context *, const char *port);

/* Returns all migrations, '*n' of them, the oldest request first, in an array
 * for the caller to free.  Needs their 'times'. */
const struct nvarec_migration **nva_ctl_sort_migrations(struct ctl_context *,
                                                        size_t *n);

/* Returns what somebody waits for who waits for phase 'wanted' of a migration,
 * for the caller to free. */
char *nva_ctl_describe_wait(const struct nvarec_migration *,
                            const char *wanted);

/* Returns the time of event 'key', in us since the epoch, 'missing' if there
 * is none. */
long long int nva_ctl_migration_time(const struct nvarec_migration *,
                                     const char *key, long long int missing);

/* Returns the shortest unambiguous id of a migration, 8 digits if that is
 * enough, for the caller to free. */
char *nva_ctl_migration_id(struct ctl_context *,
                           const struct uuid *migration);

/* Returns the migration with 'id', reporting an error if there is none or
 * several. */
const struct nvarec_migration *nva_ctl_get_migration(struct ctl_context *,
                                                     const char *id);

/* Returns "down", "connected" (some flows are not confirmed yet) or
 * "synced". */
const char *nva_ctl_nve_status(const struct nvarec_nve *);

/* Returns the state of a port, "unbound" for one that no controller has seen
 * yet. */
const char *nva_ctl_port_state(const struct nvarec_port *);

/* Checks a name for a new row.  'what' is "NVE", "VN", "port"
 * or "gateway". */
bool nva_ctl_check_name(struct ctl_context *, const char *what,
                        const char *name);

/* Returns true if the two sets are equal. */
bool nva_ctl_same_set(char **a, size_t n_a, char **b, size_t n_b);

/* An option KEY=VALUE on the command line. */
struct nva_ctl_opt {
    const char *key;
    const char *choices;        /* Comma-separated, or null: anything. */
    const char *value;          /* As given, otherwise the default. */
    bool given;
    bool unsettable;            /* May the value be empty? */
};

/* Takes the arguments from argv[first] on: those with a "=" into the 'n_opts'
 * options, all others into 'rest', whose strings stay argv's.  If 'rest' is
 * null, they are refused. */
bool nva_ctl_take_opts(struct ctl_context *, int first,
                       struct nva_ctl_opt opts[], size_t n_opts,
                       struct svec *rest);

/* Output as a table.  'headings' are all the columns that there are; the
 * user's --columns may choose some of them. */
struct nva_ctl_listing {
    struct nva_ctl_context *nctx;
    size_t n_headings;
    struct cell *row;           /* One cell for each heading. */
    size_t *columns;            /* Indexes of the columns chosen. */
    size_t n_columns;
};

bool nva_ctl_listing_init(struct nva_ctl_listing *, struct ctl_context *,
                          const char *const headings[], size_t n_headings);
void nva_ctl_listing_put(struct nva_ctl_listing *, size_t column,
                         const char *text);
void nva_ctl_listing_put_integer(struct nva_ctl_listing *, size_t column,
                                 long long int);
/* Puts 'us' microseconds, as milliseconds. */
void nva_ctl_listing_put_ms(struct nva_ctl_listing *, size_t column,
                            long long int us);
void nva_ctl_listing_put_set(struct nva_ctl_listing *, size_t column,
                             char *const elements[], size_t n);
void nva_ctl_listing_end_row(struct nva_ctl_listing *);
void nva_ctl_listing_uninit(struct nva_ctl_listing *);

#endif /* nva-ctl.h */
