/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Holds one OVSDB session and prints what its callbacks say, one line each:
 *
 *     test-hvdb UNIXCTL connect REMOTE [WANTED...]
 *     test-hvdb UNIXCTL listen TARGET [WANTED...]
 *
 * WANTED are as parsed by parse_wanted().  UNIXCTL takes the commands
 * "wanted WANTED...", "facts", "interfaces" and "exit", and "time/stop" and
 * "time/warp". */

#include <config.h>

#undef NDEBUG
#include "hvdb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dummy.h"
#include "loop.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "svec.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"

#define MAX_TABLES 16

struct test {
    struct loop *loop;
    struct hvdb *hvdb;
    bool exiting;
    bool gone;                  /* An accepted session was lost. */
    bool accepted;
    bool settled;               /* As printed last. */
    int n_wanted;
    char **wanted;
    struct hvdb_table tables[2][MAX_TABLES]; /* Now, and before. */
    bool flip;
};

static void OVS_PRINTF_FORMAT(1, 2)
say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

/* Formatting. */

static void
format_field(struct ds *s, const char *name, const char *value)
{
    if (value) {
        ds_put_format(s, " %s=%s", name, value);
    }
}

static char *
format_interface(const struct hvdb_interface *iface)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, "%s type=%s ofport=%s", iface->name, iface->type,
                  iface->ofport > 0 ? "yes" : iface->ofport ? "bad" : "no");
    format_field(&s, "iface-id", iface->iface_id);
    format_field(&s, "mac", iface->attached_mac);
    format_field(&s, "ver", iface->iface_id_ver);
    format_field(&s, "vm", iface->vm_uuid);
    format_field(&s, "error", iface->error);
    return ds_steal_cstr(&s);
}

static char *
format_facts(const struct hvdb *hvdb)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    format_field(&s, "system-id", hvdb_get_external_id(hvdb, "system-id"));
    format_field(&s, "version", hvdb_get_ovs_version(hvdb));
    if (hvdb_get_max_idle(hvdb) != 10000) {
        ds_put_format(&s, " max-idle=%d", hvdb_get_max_idle(hvdb));
    }
    format_field(&s, "manager", hvdb_get_manager_target(hvdb));
    ds_put_format(&s, " dpid=%016"PRIx64" geneve=%"PRId64" vxlan=%"PRId64,
                  hvdb_get_datapath_id(hvdb),
                  hvdb_get_tunnel_ofport(hvdb, "geneve"),
                  hvdb_get_tunnel_ofport(hvdb, "vxlan"));
    return ds_steal_cstr(&s);
}

/* Callbacks. */

static void
synced(struct hvdb *hvdb, void *aux OVS_UNUSED)
{
    ovs_assert(hvdb_is_synced(hvdb));
    say("synced");
}

static void
lost(struct hvdb *hvdb, const char *reason, void *test_)
{
    struct test *test = test_;

    ovs_assert(!hvdb_is_synced(hvdb));
    ovs_assert(!hvdb_is_settled(hvdb));
    say("lost %s", reason);
    test->gone = test->accepted;
}

static void
interface_changed(struct hvdb *hvdb OVS_UNUSED,
                  const struct hvdb_interface *old,
                  const struct hvdb_interface *new, void *aux OVS_UNUSED)
{
    char *s = format_interface(new ? new : old);

    say("%s %s", !old ? "add" : !new ? "delete" : "change", s);
    free(s);
}

static void
changed(struct hvdb *hvdb, void *aux OVS_UNUSED)
{
    char *s = format_facts(hvdb);

    say("facts%s", s);
    free(s);
}

static void
refused(struct hvdb *hvdb OVS_UNUSED, const char *error, void *aux OVS_UNUSED)
{
    say("refused %s", error);
}

static const struct hvdb_class class = {
    .synced = synced,
    .lost = lost,
    .interface_changed = interface_changed,
    .changed = changed,
    .refused = refused,
};

/* What is wanted. */

/* Returns what follows "KEY=" in 'arg', null if that does not begin so. */
static const char *
get_value(const char *arg, const char *key)
{
    size_t n = strlen(key);

    return !strncmp(arg, key, n) && arg[n] == '=' ? arg + n + 1 : NULL;
}

static void
set_wanted(struct test *test)
{
    struct hvdb_table *tables = test->tables[test->flip ^= 1];
    struct hvdb_wanted wanted = {
        .bridge = "br-int", .datapath_type = "", .tables = tables,
        .inactivity_probe = HVDB_INACTIVITY_PROBE_MS,
    };

    if (!test->n_wanted) {
        return;
    }
    for (int i = 0; i < test->n_wanted; i++) {
        const char *arg = test->wanted[i];
        const char *value;

        if ((value = get_value(arg, "bridge"))) {
            wanted.bridge = value;
        } else if ((value = get_value(arg, "type"))) {
            wanted.datapath_type = value;
        } else if ((value = get_value(arg, "controller"))) {
            wanted.controller = value;
        } else if ((value = get_value(arg, "idle"))) {
            wanted.bundle_idle_timeout = atoi(value);
        } else if ((value = get_value(arg, "probe"))) {
            wanted.inactivity_probe = atoi(value);
        } else if ((value = get_value(arg, "table"))) {
            ovs_assert(wanted.n_tables < MAX_TABLES);
            tables[wanted.n_tables].id = atoi(value);
            tables[wanted.n_tables++].name = strchr(value, ':') + 1;
        } else if (!strcmp(arg, "geneve")) {
            wanted.geneve = true;
        } else if (!strcmp(arg, "vxlan")) {
            wanted.vxlan = true;
        } else {
            ovs_fatal(0, "%s: unknown argument", arg);
        }
    }
    hvdb_set_wanted(test->hvdb, &wanted);
}

static void
store_wanted(struct test *test, int n, const char *const argv[])
{
    for (int i = 0; i < test->n_wanted; i++) {
        free(test->wanted[i]);
    }
    free(test->wanted);
    test->wanted = xcalloc(n, sizeof *test->wanted);
    test->n_wanted = n;
    for (int i = 0; i < n; i++) {
        test->wanted[i] = xstrdup(argv[i]);
    }
}

/* Commands. */

static void
cmd_wanted(struct unixctl_conn *conn, int argc, const char *argv[],
           void *test_)
{
    struct test *test = test_;

    store_wanted(test, argc - 1, argv + 1);
    if (test->hvdb) {
        set_wanted(test);
    }
    unixctl_command_reply(conn, NULL);
}

static void
cmd_facts(struct unixctl_conn *conn, int argc OVS_UNUSED,
          const char *argv[] OVS_UNUSED, void *test_)
{
    struct test *test = test_;
    char *s = test->hvdb ? format_facts(test->hvdb) : xstrdup("");

    unixctl_command_reply(conn, s);
    free(s);
}

static void
cmd_interfaces(struct unixctl_conn *conn, int argc OVS_UNUSED,
               const char *argv[] OVS_UNUSED, void *test_)
{
    struct test *test = test_;
    struct svec lines = SVEC_EMPTY_INITIALIZER;
    const struct hvdb_interface *iface;
    char *s;

    if (test->hvdb) {
        HMAP_FOR_EACH (iface, name_node, hvdb_get_interfaces(test->hvdb)) {
            svec_add_nocopy(&lines, format_interface(iface));
        }
    }
    svec_sort(&lines);
    s = svec_join(&lines, "\n", "");
    unixctl_command_reply(conn, s);
    free(s);
    svec_destroy(&lines);
}

static void
cmd_exit(struct unixctl_conn *conn, int argc OVS_UNUSED,
         const char *argv[] OVS_UNUSED, void *test_)
{
    struct test *test = test_;

    test->exiting = true;
    unixctl_command_reply(conn, NULL);
}

/* Main. */

static void
process_event(struct test *test, struct loop_event *event)
{
    if (event->type != LOOP_ACCEPTED) {
        hvdb_process(loop_conn_get_aux(event->conn), event);
    } else if (test->hvdb) {
        loop_conn_close(event->conn);
    } else {
        say("accepted");
        test->hvdb = hvdb_accept(event->conn, &class, test);
        test->accepted = true;
        set_wanted(test);
    }
}

static void
report_settled(struct test *test)
{
    bool settled = test->hvdb && hvdb_is_settled(test->hvdb);

    if (settled != test->settled) {
        test->settled = settled;
        say(settled ? "settled" : "unsettled");
    }
}

static void
test_run(struct test *test)
{
    struct loop_event event;

    while (loop_next_event(test->loop, &event)) {
        process_event(test, &event);
        report_settled(test);
        if (test->gone) {
            hvdb_destroy(test->hvdb);
            test->hvdb = NULL;
            test->gone = false;
        }
    }
    if (test->hvdb) {
        hvdb_run(test->hvdb, time_msec());
    }
    report_settled(test);
}

static void
test_wait(struct test *test)
{
    loop_wait(test->loop);
    if (test->hvdb && hvdb_deadline(test->hvdb) != LLONG_MAX) {
        poll_timer_wait_until(hvdb_deadline(test->hvdb));
    }
}

int
main(int argc, char *argv[])
{
    struct test test = { .loop = NULL };
    struct unixctl_server *server;
    char *error;

    set_program_name(argv[0]);
    time_msec();                /* Initializes the clock, which this needs. */
    timeval_dummy_register();
    if (argc < 4) {
        ovs_fatal(0, "usage: %s UNIXCTL connect|listen WHERE [WANTED...]",
                  argv[0]);
    }
    if (unixctl_server_create(argv[1], &server)) {
        return 1;
    }
    unixctl_command_register("wanted", "", 0, 64, cmd_wanted, &test);
    unixctl_command_register("facts", "", 0, 0, cmd_facts, &test);
    unixctl_command_register("interfaces", "", 0, 0, cmd_interfaces, &test);
    unixctl_command_register("exit", "", 0, 0, cmd_exit, &test);

    store_wanted(&test, argc - 4, (const char *const *) argv + 4);
    error = loop_create(NULL, &test.loop);
    if (!error && !strcmp(argv[2], "listen")) {
        error = loop_listen(test.loop, argv[3], LOOP_JSONRPC);
    } else if (!error) {
        error = loop_check_remote(test.loop, argv[3]);
        if (!error) {
            test.hvdb = hvdb_connect(test.loop, argv[3], &class, &test);
            set_wanted(&test);
        }
    }
    if (error) {
        ovs_fatal(0, "%s", error);
    }

    while (!test.exiting) {
        unixctl_server_run(server);
        test_run(&test);
        unixctl_server_wait(server);
        test_wait(&test);
        if (test.exiting) {
            poll_immediate_wake();
        }
        poll_block();
    }

    hvdb_destroy(test.hvdb);
    loop_destroy(test.loop);
    unixctl_server_run(server);
    unixctl_server_destroy(server);
    store_wanted(&test, 0, NULL);
    free(test.wanted);
    return 0;
}
