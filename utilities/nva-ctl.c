/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* nva-ctl: the command line on the NVA database.
 *
 * This file has the options and the transaction: all commands of one command
 * line run on one transaction, which is tried until it is committed or one of
 * them refuses.  The commands themselves are in nva-ctl-*.c. */

#include "nva-ctl.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command-line.h"
#include "fatal-signal.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "process.h"
#include "stream.h"
#include "stream-ssl.h"
#include "svec.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(nva_ctl);

struct nva_ctl {
    /* From the command line. */
    char *args;                 /* All of it, for the database's log. */
    char *db;
    struct table_style style;
    bool style_given;           /* Has the user chosen a format? */
    bool wait_nve;              /* --wait=nve? */
    bool leader_only;
    unsigned int timeout;       /* In s, or 0 for none. */
    struct ctl_command *commands;
    size_t n_commands;

    /* The work. */
    long long int deadline;     /* In ms, or LLONG_MAX. */
    struct ovsdb_idl *idl;
    struct ovsdb_idl_txn *txn;
    struct ovsdb_symbol_table *symtab;
    struct nva_ctl_context ctx;
};

/* How the generic commands find rows. */
static const struct ctl_table_class tables[NVAREC_N_TABLES] = {
    [NVAREC_TABLE_NVE].row_ids[0] = {&nvarec_nve_col_name, NULL, NULL},
    [NVAREC_TABLE_VIRTUAL_NETWORK].row_ids[0]
    = {&nvarec_virtual_network_col_name, NULL, NULL},
    [NVAREC_TABLE_GATEWAY].row_ids[0]
    = {&nvarec_gateway_col_name, NULL, NULL},
    [NVAREC_TABLE_PORT].row_ids[0] = {&nvarec_port_col_name, NULL, NULL},
    [NVAREC_TABLE_MIGRATION].row_ids[0]
    = {&nvarec_migration_col_port, NULL, NULL},
    [NVAREC_TABLE_EVACUATION].row_ids[0]
    = {&nvarec_evacuation_col_nve, NULL, NULL},
    [NVAREC_TABLE_CONNECTION].row_ids[0]
    = {&nvarec_connection_col_target, NULL, NULL},
};

/* Options. */

static char *
default_db(void)
{
    const char *db = getenv("NVA_DB");
    const char *rundir = getenv("NVA_RUNDIR");

    return (db && db[0] ? xstrdup(db)
            : xasprintf("unix:%s/db.sock",
                        rundir && rundir[0] ? rundir : NVA_RUNDIR));
}

static void
print_version(void)
{
    printf("nva-ctl (ovs-nva) %s\nDB Schema %s\n",
           NVA_VERSION, nvarec_get_db_version());
}

static void
print_command_usage(void)
{
    printf("\
%s: network virtualization authority management utility\n\
usage: %s [OPTIONS] COMMAND [ARG]... [-- [OPTIONS] COMMAND [ARG]...]...\n\
\n\
General commands:\n\
  init                        prepare the database\n\
  show                        print an overview of the database\n\
\n\
NVE (hypervisor) commands:\n\
  nve-add NVE ENCAP_IP[,ENCAP_IP] [ovsdb=REMOTE] [encap=geneve|vxlan]\n\
      [bridge=BRIDGE] [datapath=netdev|system]\n\
  nve-del NVE...              delete NVEs that no port is bound to\n\
  nve-list                    list NVEs and their state\n\
\n\
Virtual network commands:\n\
  vn-add VN VNI [SUBNET]...   add a virtual network\n\
  vn-del VN...                delete virtual networks without ports\n\
  vn-list                     list virtual networks\n\
  vn-set-option VN KEY=VALUE...  set or, with empty VALUE, unset options\n\
\n\
Port commands:\n\
  port-add PORT VN MAC [IP]... [security=on|off] [tenant=TENANT]\n\
  port-del PORT...            delete ports\n\
  port-list [VN]              list ports and where they are\n\
\n\
Gateway commands:\n\
  gw-add NAME VN NVE MAC IP... [metric=METRIC] [vns=VN,VN]\n\
      [policy=allow:SUBNET,deny:SUBNET] [rate=RATE] [next-hop=IP]\n\
                              add a gateway of a VN at an NVE\n\
  gw-del GATEWAY...           delete gateways\n\
  gw-list [VN]                list gateways and how many ports they serve\n\
  gw-relocate PORT GATEWAY    have another gateway serve a port\n\
  gw-set-snat GATEWAY [IP]    translate what it routes outside, or not\n\
  gw-drain GATEWAY...         have other gateways serve their ports\n\
  gw-undrain GATEWAY...       take that back\n\
\n\
Migration commands:\n\
  migrate PORT NEW_NVE [kind=hot|warm|cold] [trigger=announce|now]\n\
                              start a migration and print its id\n\
  migrate-hold PORT           switch now: the VM is going to stop\n\
  migrate-paused PORT         switch now: the VM has stopped\n\
  migrate-activate PORT       switch now: the VM runs at the new NVE\n\
  migrate-cancel PORT         leave the port where it is\n\
  migrate-wait ID [PHASE]     wait until PHASE (default: done)\n\
  migrate-list [PORT]         list migrations\n\
  migrate-show ID             print one migration and its timeline\n\
  migrate-stats               medians and worst cases by NVEs and kind\n\
  evacuate NVE [to=NVE,NVE...] [parallel=N] [trigger=announce|now]\n\
                              move all ports away and print an id\n\
  evacuate-cancel NVE         leave the ports that are left where they are\n\
  evacuate-wait ID|NVE        print progress until all is done\n\
  evacuate-list               list evacuations\n\
\n\
%s%s",
           program_name, program_name, ctl_get_db_cmd_usage(),
           ctl_list_db_tables_usage());
}

static void
usage(void)
{
    char *db = default_db();

    print_command_usage();
    printf("\n\
Options:\n\
  --db=REMOTE                 connect to REMOTE\n\
                              (default: %s)\n\
  --wait=none|nve             wait until the connected NVEs have confirmed\n\
                              (default: none)\n\
  -t, --timeout=SECS          wait at most SECS seconds\n\
  --dry-run                   do not commit changes to the database\n\
  --no-leader-only            accept any server of a cluster\n",
           db);
    free(db);
    table_usage();
    vlog_usage();
    stream_usage("database", true, true, false);
    printf("\nOther options:\n\
  --commands, --options       list commands or options for shell completion\n\
  -h, --help                  display this help message\n\
  -V, --version               display version information\n");
}

enum {
    OPT_DB = UCHAR_MAX + 1,
    OPT_WAIT,
    OPT_DRY_RUN,
    OPT_LEADER_ONLY,
    OPT_NO_LEADER_ONLY,
    OPT_NO_SYSLOG,
    OPT_COMMANDS,
    OPT_OPTIONS,
    OPT_PEER_CA_CERT,
    OPT_LOCAL,
    VLOG_OPTION_ENUMS,
    TABLE_OPTION_ENUMS,
    SSL_OPTION_ENUMS,
};

static const struct option global_options[] = {
    {"db", required_argument, NULL, OPT_DB},
    {"wait", required_argument, NULL, OPT_WAIT},
    {"timeout", required_argument, NULL, 't'},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"leader-only", no_argument, NULL, OPT_LEADER_ONLY},
    {"no-leader-only", no_argument, NULL, OPT_NO_LEADER_ONLY},
    {"no-syslog", no_argument, NULL, OPT_NO_SYSLOG},
    {"commands", no_argument, NULL, OPT_COMMANDS},
    {"options", no_argument, NULL, OPT_OPTIONS},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    VLOG_LONG_OPTIONS,
    TABLE_LONG_OPTIONS,
    STREAM_SSL_LONG_OPTIONS,
    {"peer-ca-cert", required_argument, NULL, OPT_PEER_CA_CERT},
    {NULL, 0, NULL, 0},
};
#define N_GLOBAL_OPTIONS (ARRAY_SIZE(global_options) - 1)

/* Handles options that libopenvswitch brings along. */
static void
handle_library_option(struct nva_ctl *ctl, int c)
{
    switch (c) {
    VLOG_OPTION_HANDLERS
    TABLE_OPTION_HANDLERS(&ctl->style)
    STREAM_SSL_OPTION_HANDLERS

    case OPT_PEER_CA_CERT:
        stream_ssl_set_peer_ca_cert_file(optarg);
        break;

    default:
        exit(EXIT_FAILURE);
    }
    ctl->style_given |= c == 'f' || c == OPT_BARE;
}

static void
set_wait(struct nva_ctl *ctl, const char *arg)
{
    if (strcmp(arg, "none") && strcmp(arg, "nve")) {
        ctl_fatal("--wait=%s: must be none or nve", arg);
    }
    ctl->wait_nve = !strcmp(arg, "nve");
}

/* Handles option 'c'. */
static void
handle_option(struct nva_ctl *ctl, int c, const struct option *options)
{
    switch (c) {
    case OPT_DB:
        free(ctl->db);
        ctl->db = xstrdup(optarg);
        break;

    case OPT_WAIT:
        set_wait(ctl, optarg);
        break;

    case 't':
        if (!str_to_uint(optarg, 10, &ctl->timeout) || !ctl->timeout) {
            ctl_fatal("--timeout=%s: must be a number of seconds, 1 or more",
                      optarg);
        }
        break;

    case OPT_DRY_RUN:
        ctl->ctx.dry_run = true;
        break;

    case OPT_LEADER_ONLY:
        ctl->leader_only = true;
        break;

    case OPT_NO_LEADER_ONLY:
        ctl->leader_only = false;
        break;

    case OPT_NO_SYSLOG:
        vlog_set_levels(&this_module, VLF_SYSLOG, VLL_WARN);
        break;

    case OPT_COMMANDS:
        ctl_print_commands();
        OVS_NOT_REACHED();

    case OPT_OPTIONS:
        ctl_print_options(options);
        OVS_NOT_REACHED();

    case 'h':
        usage();
        exit(EXIT_SUCCESS);

    case 'V':
        print_version();
        exit(EXIT_SUCCESS);

    default:
        handle_library_option(ctl, c);
        break;
    }
}

/* Parses global options and, into 'local_options', those of the first
 * command, which stand before it. */
static void
parse_options(struct nva_ctl *ctl, int argc, char *argv[],
              struct shash *local_options)
{
    char *tmp = ovs_cmdl_long_options_to_short_options(global_options);
    char *short_options = xasprintf("+%s", tmp);
    struct option *options = xmemdup(global_options, sizeof global_options);
    size_t allocated = ARRAY_SIZE(global_options);
    size_t n = N_GLOBAL_OPTIONS;
    int idx, c;

    free(tmp);
    ctl_add_cmd_options(&options, &n, &allocated, OPT_LOCAL);
    while ((c = getopt_long(argc, argv, short_options, options, &idx)) != -1) {
        if (c != OPT_LOCAL) {
            handle_option(ctl, c, options);
            continue;
        }
        if (shash_find(local_options, options[idx].name)) {
            ctl_fatal("--%s is given twice; give it once", options[idx].name);
        }
        shash_add_nocopy(local_options,
                         xasprintf("--%s", options[idx].name),
                         nullable_xstrdup(optarg));
    }
    free(short_options);

    for (size_t i = N_GLOBAL_OPTIONS; options[i].name; i++) {
        free(CONST_CAST(char *, options[i].name));
    }
    free(options);
}

/* Context. */

static void
invalidate_cache(struct ctl_context *ctx)
{
    nva_ctl_invalidate_addresses(ctx);
}

static void
init_context(struct nva_ctl *ctl, struct ctl_command *c)
{
    ctl_context_init(&ctl->ctx.base, c, ctl->idl, ctl->txn, ctl->symtab,
                     invalidate_cache);
}

/* Asks the database for what the commands and --wait need. */
static void
run_prerequisites(struct nva_ctl *ctl)
{
    struct ctl_command *c;

    if (ctl->wait_nve) {
        ovsdb_idl_add_column(ctl->idl, &nvarec_nva_global_col_nve_cfg);
        ovsdb_idl_add_column(ctl->idl, &nvarec_nve_col_name);
        ovsdb_idl_add_column(ctl->idl, &nvarec_nve_col_connected);
        ovsdb_idl_add_column(ctl->idl, &nvarec_nve_col_synced);
    }
    for (c = ctl->commands; c < &ctl->commands[ctl->n_commands]; c++) {
        if (c->syntax->prerequisites) {
            ds_init(&c->output);
            c->table = NULL;

            init_context(ctl, c);
            c->syntax->prerequisites(&ctl->ctx.base);
            if (ctl->ctx.base.error) {
                ctl_fatal("%s", ctl->ctx.base.error);
            }
            ctl_context_done(&ctl->ctx.base, c);
        }
    }
}

/* Waiting. */

/* Blocks until something happens.  At the deadline fails, naming what was
 * 'waited_for'. */
static void
block(struct nva_ctl *ctl, const char *waited_for)
{
    VLOG_DBG("waiting for %s", waited_for);
    ovsdb_idl_wait(ctl->idl);
    poll_timer_wait_until(ctl->deadline);
    poll_block();
    if (time_msec() >= ctl->deadline) {
        ctl_fatal("timed out waiting for %s", waited_for);
    }
}

/* Keeps the connection up.  If 'patient', waits for the database to come back
 * when it has gone away, otherwise fails then. */
static void
run_idl(struct nva_ctl *ctl, bool patient)
{
    ovsdb_idl_run(ctl->idl);
    if (ovsdb_idl_is_alive(ctl->idl)) {
        return;
    }
    if (!patient) {
        int retval = ovsdb_idl_get_last_error(ctl->idl);
        ctl_fatal("%s: database connection failed (%s); is ovsdb-server "
                  "running?  --db=REMOTE chooses another one",
                  ctl->db, ovs_retval_to_string(retval));
    }
    /* A new session, because setting the same remote does nothing. */
    ovsdb_idl_set_remote(ctl->idl, NULL, true);
    ovsdb_idl_set_remote(ctl->idl, ctl->db, true);
}

/* Returns what keeps the NVEs from having confirmed, for the caller to free.
 */
static char *
describe_unsynced(struct nva_ctl *ctl)
{
    struct svec names = SVEC_EMPTY_INITIALIZER;
    const struct nvarec_nve *nve;

    NVAREC_NVE_FOR_EACH (nve, ctl->idl) {
        if (nve->connected && !nve->synced) {
            svec_add(&names, nve->name);
        }
    }
    svec_sort(&names);

    char *list = svec_join(&names, ", ", "");
    char *s = (names.n
               ? xasprintf("NVE%s %s to confirm", names.n > 1 ? "s" : "", list)
               : xstrdup("a controller, but none answers; is nva-controller "
                         "running?"));
    free(list);
    svec_destroy(&names);
    return s;
}

/* Waits until all connected NVEs have confirmed configuration 'cfg'. */
static void
wait_for_nves(struct nva_ctl *ctl, int64_t cfg)
{
    for (;;) {
        run_idl(ctl, true);

        const struct nvarec_nva_global *global
            = nvarec_nva_global_first(ctl->idl);
        if (global && global->nve_cfg >= cfg) {
            return;
        }

        char *unsynced = describe_unsynced(ctl);
        block(ctl, unsynced);
        free(unsynced);
    }
}

/* The transaction. */

static void
start_txn(struct nva_ctl *ctl)
{
    ctl->txn = ovsdb_idl_txn_create(ctl->idl);
    if (ctl->ctx.dry_run) {
        ovsdb_idl_txn_set_dry_run(ctl->txn);
    }
    ovsdb_idl_txn_add_comment(ctl->txn, "nva-ctl: %s", ctl->args);
    ctl->symtab = ovsdb_symbol_table_create();
}

/* Runs all commands on the transaction.  Returns false if one of them waits
 * for something. */
static bool
run_commands(struct nva_ctl *ctl)
{
    struct ctl_context *ctx = &ctl->ctx.base;
    struct ctl_command *c;

    init_context(ctl, NULL);
    for (c = ctl->commands; c < &ctl->commands[ctl->n_commands]; c++) {
        ctl_context_init_command(ctx, c,
                                 c == &ctl->commands[ctl->n_commands - 1]);
        if (c->syntax->run) {
            c->syntax->run(ctx);
        }
        if (ctx->error) {
            ctl_fatal("%s", ctx->error);
        }
        ctl_context_done_command(ctx, c);
        if (ctx->try_again) {
            break;
        }
    }
    ctl_context_done(ctx, NULL);
    return !ctx->try_again;
}

/* Checks that every row that --id= names was created and is used. */
static void
check_symbols(const struct ovsdb_symbol_table *symtab)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, &symtab->sh) {
        const struct ovsdb_symbol *symbol = node->data;

        if (!symbol->created) {
            ctl_fatal("row id \"%s\" is referenced but never created; do so "
                      "with \"-- --id=%s create ...\"",
                      node->name, node->name);
        }
        if (!symbol->strong_ref) {
            VLOG_WARN("row id \"%s\" was created but no %sreference to it "
                      "was inserted, so it will not actually appear in the "
                      "database", node->name,
                      symbol->weak_ref ? "strong " : "");
        }
    }
}

/* After --wait=nve, adds 1 to the number of the configuration.  Must run
 * after the commands, of which one may have inserted the row. */
static void
increment_cfg(struct nva_ctl *ctl)
{
    const struct nvarec_nva_global *global = nvarec_nva_global_first(ctl->idl);

    if (!global) {
        global = nvarec_nva_global_insert(ctl->txn);
    }
    ovsdb_idl_txn_increment(ctl->txn, &global->header_,
                            &nvarec_nva_global_col_nb_cfg, true);
}

/* Commits.  Returns false if the transaction must be tried again, because the
 * database has changed. */
static bool
commit(struct nva_ctl *ctl)
{
    enum ovsdb_idl_txn_status status;

    while ((status = ovsdb_idl_txn_commit(ctl->txn)) == TXN_INCOMPLETE) {
        run_idl(ctl, false);
        ovsdb_idl_txn_wait(ctl->txn);
        block(ctl, "the database to commit");
    }
    switch (status) {
    case TXN_UNCHANGED:
    case TXN_SUCCESS:
        return true;

    case TXN_TRY_AGAIN:
        return false;

    case TXN_ERROR:
        ctl_fatal("transaction error: %s",
                  ovsdb_idl_txn_get_error(ctl->txn));

    case TXN_UNCOMMITTED:
    case TXN_INCOMPLETE:
    case TXN_ABORTED:
    case TXN_NOT_LOCKED:
    default:
        OVS_NOT_REACHED();
    }
}

static void
run_postprocessing(struct nva_ctl *ctl)
{
    struct ctl_command *c;

    for (c = ctl->commands; c < &ctl->commands[ctl->n_commands]; c++) {
        if (c->syntax->postprocess) {
            init_context(ctl, c);
            c->syntax->postprocess(&ctl->ctx.base);
            if (ctl->ctx.base.error) {
                ctl_fatal("%s", ctl->ctx.base.error);
            }
            ctl_context_done(&ctl->ctx.base, c);
        }
    }
}

/* Runs and commits the commands.  Returns false if that must be tried again
 * when the database has changed. */
static bool
try_commands(struct nva_ctl *ctl, int64_t *cfg)
{
    struct ctl_command *c;

    for (c = ctl->commands; c < &ctl->commands[ctl->n_commands]; c++) {
        ds_init(&c->output);
        c->table = NULL;
    }
    start_txn(ctl);

    bool ok = run_commands(ctl);
    if (ok) {
        check_symbols(ctl->symtab);
        if (ctl->wait_nve) {
            increment_cfg(ctl);
        }
        ok = commit(ctl);
    }
    if (ok) {
        run_postprocessing(ctl);
        if (ctl->wait_nve && !ctl->ctx.dry_run) {
            *cfg = ovsdb_idl_txn_get_increment_new_value(ctl->txn);
        }
    } else {
        ovsdb_idl_txn_abort(ctl->txn);
        for (c = ctl->commands; c < &ctl->commands[ctl->n_commands]; c++) {
            ds_destroy(&c->output);
            table_destroy(c->table);
            free(c->table);
        }
    }
    ovsdb_idl_txn_destroy(ctl->txn);
    ctl->txn = NULL;
    ovsdb_symbol_table_destroy(ctl->symtab);
    ctl->symtab = NULL;
    return ok;
}

/* Prints what the commands have put out.  Our own listings are tables unless
 * the user wants otherwise, those of the generic commands are lists. */
static void
print_output(struct nva_ctl *ctl)
{
    struct ctl_command *c;

    for (c = ctl->commands; c < &ctl->commands[ctl->n_commands]; c++) {
        if (c->table) {
            struct table_style style = ctl->style;
            const char *name = c->syntax->name;

            if (!ctl->style_given
                && strcmp(name, "list") && strcmp(name, "find")) {
                style.format = TF_TABLE;
            }
            table_print(c->table, &style);
        } else {
            fputs(ds_cstr(&c->output), stdout);
        }
    }
    fflush(stdout);
}

static void
destroy_commands(struct nva_ctl *ctl)
{
    struct ctl_command *c;

    for (c = ctl->commands; c < &ctl->commands[ctl->n_commands]; c++) {
        ds_destroy(&c->output);
        table_destroy(c->table);
        free(c->table);
        shash_destroy_free_data(&c->options);
    }
    free(ctl->commands);
}

/* Waits until the migration that migrate-hold or migrate-paused is about has
 * been cut over everywhere. */
static void
wait_for_hold(struct nva_ctl *ctl)
{
    for (;;) {
        const struct nvarec_migration *m;

        run_idl(ctl, true);
        m = nvarec_migration_get_for_uuid(ctl->idl, &ctl->ctx.hold);
        if (!m) {
            ctl_fatal("the migration was deleted");
        } else if (!strcmp(m->phase, "held") || !strcmp(m->phase, "draining")
                   || !strcmp(m->phase, "done")) {
            return;
        } else if (!nva_ctl_migration_is_active(m)) {
            ctl_fatal("the migration of port %s %s%s%s", m->port,
                      !strcmp(m->phase, "failed") ? "failed"
                      : "was cancelled", m->error[0] ? ": " : "", m->error);
        }

        char *waiting = nva_ctl_describe_wait(m, "held");
        block(ctl, waiting);
        free(waiting);
    }
}

/* There is no point in trying more than once for one state of the database,
 * hence 'seqno'. */
static void
run(struct nva_ctl *ctl)
{
    unsigned int seqno = ovsdb_idl_get_seqno(ctl->idl);
    int64_t cfg = -1;

    for (;;) {
        run_idl(ctl, ctl->ctx.waiting != NULL);
        if (seqno != ovsdb_idl_get_seqno(ctl->idl)) {
            seqno = ovsdb_idl_get_seqno(ctl->idl);
            if (try_commands(ctl, &cfg)) {
                break;
            }
        }
        if (seqno == ovsdb_idl_get_seqno(ctl->idl)) {
            block(ctl, ctl->ctx.waiting ? ctl->ctx.waiting
                  : ovsdb_idl_has_ever_connected(ctl->idl)
                  ? "the database to change" : "the database to answer");
        }
    }
    print_output(ctl);
    if (cfg >= 0) {
        wait_for_nves(ctl, cfg);
    }
    if (!uuid_is_zero(&ctl->ctx.hold) && !ctl->ctx.dry_run) {
        wait_for_hold(ctl);
    }
}

static void
register_commands(void)
{
    ctl_init(&nvarec_idl_class, nvarec_table_classes, tables, NULL, NULL);
    ctl_register_commands(nva_ctl_nve_commands);
    ctl_register_commands(nva_ctl_vn_commands);
    ctl_register_commands(nva_ctl_port_commands);
    ctl_register_commands(nva_ctl_gateway_commands);
    ctl_register_commands(nva_ctl_snat_commands);
    ctl_register_commands(nva_ctl_migrate_commands);
    ctl_register_commands(nva_ctl_evacuate_commands);
    ctl_register_commands(nva_ctl_show_commands);
    ctl_register_commands(nva_ctl_stats_commands);
}

int
main(int argc, char *argv[])
{
    struct nva_ctl ctl = {
        .style = TABLE_STYLE_DEFAULT,
        .leader_only = true,
        .ctx.addresses = SHASH_INITIALIZER(&ctl.ctx.addresses),
    };
    struct shash local_options = SHASH_INITIALIZER(&local_options);

    set_program_name(argv[0]);
    fatal_ignore_sigpipe();
    vlog_set_levels(NULL, VLF_CONSOLE, VLL_WARN);
    vlog_set_levels_from_string_assert("reconnect:warn");
    /* What it warns of is what ctl_fatal() prints anyway. */
    vlog_set_levels_from_string_assert("ovsdb_idl:console:err");
    register_commands();

    ctl.args = process_escape_args(argv);
    ctl.db = default_db();
    parse_options(&ctl, argc, argv, &local_options);
    char *error = ctl_parse_commands(argc - optind, argv + optind,
                                     &local_options, &ctl.commands,
                                     &ctl.n_commands);
    if (error) {
        ctl_fatal("%s", error);
    }
    for (size_t i = 0; i < ctl.n_commands; i++) {
        nva_ctl_check_arguments(&ctl.commands[i]);
    }
    VLOG(ctl_might_write_to_db(ctl.commands, ctl.n_commands)
         ? VLL_INFO : VLL_DBG, "Called as %s", ctl.args);
    ctl.deadline = (ctl.timeout ? time_msec() + ctl.timeout * 1000LL
                    : LLONG_MAX);
    ctl.ctx.json = ctl.style.format == TF_JSON;

    ctl.idl = ovsdb_idl_create(ctl.db, &nvarec_idl_class, false, false);
    ovsdb_idl_set_leader_only(ctl.idl, ctl.leader_only);
    run_prerequisites(&ctl);

    run(&ctl);

    destroy_commands(&ctl);
    ovsdb_idl_destroy(ctl.idl);
    shash_destroy(&ctl.ctx.addresses);
    free(ctl.ctx.waiting);
    free(ctl.db);
    free(ctl.args);
    return EXIT_SUCCESS;
}
