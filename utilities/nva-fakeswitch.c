/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* nva-fakeswitch: plays many hypervisors for one nva-controller, so that the
 * controller is measured and not Open vSwitch.  See fake-nve.h for what it
 * plays, and usage() and its commands below for how to use it. */

#include <config.h>

#include <getopt.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "clock.h"
#include "command-line.h"
#include "daemon.h"
#include "fake-nve.h"
#include "fake-switch.h"
#include "fatal-signal.h"
#include "loop.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "unixctl.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(fakeswitch);

/* As many as have an address of their own in 10.0.0.0/8 and can be had. */
#define NVES_MAX 20000

struct options {
    const char *ovsdb;
    char *unixctl;
    unsigned int nves;
};

static void
usage(void)
{
    printf("%s: plays hypervisors for nva-controller\n"
           "usage: %s --ovsdb=REMOTE [OPTIONS]\n"
           "  --ovsdb=REMOTE      where the controller listens for them, for "
           "example\n"
           "                      tcp:127.0.0.1:6640\n"
           "  --nves=N            how many, called hv0, hv1...\n"
           "  --unixctl=SOCKET    control socket\n"
           "  -h, --help          this help\n"
           "  -V, --version       version\n"
           "Commands for ovs-appctl -t SOCKET; NVE may be \"all\":\n"
           "  fake/nves N             let there be N of them\n"
           "  fake/plug NVE PORT...   add interfaces for ports\n"
           "  fake/unplug NVE PORT... remove them\n"
           "  fake/say NVE PORT       the port's VM sends its first frame "
           "there\n"
           "  fake/delay NVE MS       delay all that its switch says\n"
           "  fake/refuse NVE none|add|commit|meter|stats [always]\n"
           "                          refuse the next such request, or all\n"
           "  fake/drop NVE           lose its connections once\n"
           "  fake/away NVE           lose them until ...\n"
           "  fake/back NVE\n"
           "  fake/stats              counters, in JSON\n"
           "  fake/commits            commits since the last time, as [NVE, "
           "us] in JSON\n"
           "  fake/flows NVE          the flows of its switch\n",
           program_name, program_name);
    daemon_usage();
    vlog_usage();
    exit(EXIT_SUCCESS);
}

static unsigned int
parse_nves(const char *s)
{
    unsigned int n;

    if (!str_to_uint(s, 10, &n) || n > NVES_MAX) {
        ovs_fatal(0, "--nves=%s is not a number from 0 to %d", s, NVES_MAX);
    }
    return n;
}

static void
parse_options(int argc, char *argv[], struct options *o)
{
    enum {
        OPT_OVSDB = UCHAR_MAX + 1,
        OPT_NVES,
        OPT_UNIXCTL,
        VLOG_OPTION_ENUMS,
        DAEMON_OPTION_ENUMS,
    };
    static const struct option long_options[] = {
        {"ovsdb", required_argument, NULL, OPT_OVSDB},
        {"nves", required_argument, NULL, OPT_NVES},
        {"unixctl", required_argument, NULL, OPT_UNIXCTL},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        VLOG_LONG_OPTIONS,
        DAEMON_LONG_OPTIONS,
        {NULL, 0, NULL, 0},
    };
    char *short_options = ovs_cmdl_long_options_to_short_options(long_options);
    int c;

    while ((c = getopt_long(argc, argv, short_options, long_options,
                            NULL)) != -1) {
        switch (c) {
        case OPT_OVSDB:
            o->ovsdb = optarg;
            break;
        case OPT_NVES:
            o->nves = parse_nves(optarg);
            break;
        case OPT_UNIXCTL:
            o->unixctl = optarg;
            break;
        case 'h':
            usage();
            break;
        case 'V':
            printf("nva-fakeswitch (ovs-nva) %s\n", NVA_VERSION);
            exit(EXIT_SUCCESS);
        VLOG_OPTION_HANDLERS
        DAEMON_OPTION_HANDLERS
        default:
            exit(EXIT_FAILURE);
        }
    }
    free(short_options);
    if (optind < argc) {
        ovs_fatal(0, "unexpected argument \"%s\"; see \"%s --help\"",
                  argv[optind], program_name);
    }
    if (!o->ovsdb) {
        ovs_fatal(0, "--ovsdb is missing: it says where nva-controller "
                  "listens (its option --ovsdb-listen)");
    }
}

/* Commands.  Each returns null, or an error that the caller frees. */

typedef char *command_cb(struct fake_nve *, int argc, const char *argv[]);

static char *
cmd_plug(struct fake_nve *nve, int argc, const char *argv[])
{
    char *error = NULL;

    for (int i = 2; i < argc && !error; i++) {
        if (!fake_nve_plug(nve, argv[i])) {
            error = xasprintf("%s: %s is plugged there already, or the "
                              "controller has not made a bridge yet",
                              nve->name, argv[i]);
        }
    }
    fake_nve_flush(nve);
    return error;
}

static char *
cmd_unplug(struct fake_nve *nve, int argc, const char *argv[])
{
    char *error = NULL;

    for (int i = 2; i < argc && !error; i++) {
        if (!fake_nve_unplug(nve, argv[i])) {
            error = xasprintf("%s: %s is not plugged there", nve->name,
                              argv[i]);
        }
    }
    fake_nve_flush(nve);
    return error;
}

static char *
cmd_say(struct fake_nve *nve, int argc OVS_UNUSED, const char *argv[])
{
    return (fake_nve_say(nve, argv[2]) ? NULL
            : xasprintf("%s: no flow tells the controller that %s is there; "
                        "is its move prepared?", nve->name, argv[2]));
}

static char *
cmd_delay(struct fake_nve *nve, int argc OVS_UNUSED, const char *argv[])
{
    int ms;

    if (!str_to_int(argv[2], 10, &ms) || ms < 0) {
        return xasprintf("%s is not a number of milliseconds", argv[2]);
    }
    nve->delay_ms = ms;
    return NULL;
}

static char *
cmd_refuse(struct fake_nve *nve, int argc, const char *argv[])
{
    struct fake_switch_fault *fault = &nve->sw.fault;

    *fault = (struct fake_switch_fault) { .lasting = argc > 3 };
    if (!strcmp(argv[2], "none")) {
        return NULL;
    } else if (!strcmp(argv[2], "add")) {
        fault->add = OFPERR_OFPFMFC_TABLE_FULL;
    } else if (!strcmp(argv[2], "commit")) {
        fault->commit = OFPERR_OFPFMFC_TABLE_FULL;
    } else if (!strcmp(argv[2], "meter")) {
        fault->meter = OFPERR_OFPMMFC_OUT_OF_METERS;
    } else if (!strcmp(argv[2], "stats")) {
        fault->stats = OFPERR_OFPBRC_EPERM;
    } else {
        return xasprintf("cannot refuse \"%s\", but none, add, commit, meter "
                         "or stats", argv[2]);
    }
    return NULL;
}

static char *
cmd_drop(struct fake_nve *nve, int argc OVS_UNUSED,
         const char *argv[] OVS_UNUSED)
{
    fake_nve_drop(nve);
    return NULL;
}

static char *
cmd_away(struct fake_nve *nve, int argc OVS_UNUSED, const char *argv[])
{
    fake_nve_set_away(nve, !strcmp(argv[0], "fake/away"));
    return NULL;
}

static const struct command {
    const char *name, *usage;
    int min_args, max_args;
    command_cb *cb;
} commands[] = {
    { "fake/plug", "NVE PORT...", 2, INT_MAX, cmd_plug },
    { "fake/unplug", "NVE PORT...", 2, INT_MAX, cmd_unplug },
    { "fake/say", "NVE PORT", 2, 2, cmd_say },
    { "fake/delay", "NVE MS", 2, 2, cmd_delay },
    { "fake/refuse", "NVE none|add|commit|meter|stats [always]", 2, 3,
      cmd_refuse },
    { "fake/drop", "NVE", 1, 1, cmd_drop },
    { "fake/away", "NVE", 1, 1, cmd_away },
    { "fake/back", "NVE", 1, 1, cmd_away },
};

/* Runs the command argv[0] for the NVE argv[1], or for all.  Replies with the
 * time, in us since the epoch. */
static void
run_command(struct unixctl_conn *conn, int argc, const char *argv[],
            void *fakes_)
{
    struct fakes *fakes = fakes_;
    struct fake_nve *nve = fakes_find(fakes, argv[1]);
    command_cb *cb = NULL;
    char *result = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(commands[i].name, argv[0])) {
            cb = commands[i].cb;
        }
    }
    if (!strcmp(argv[1], "all")) {
        for (size_t i = 0; i < fakes->n && !result; i++) {
            result = cb(fakes->nves[i], argc, argv);
        }
    } else if (nve) {
        result = cb(nve, argc, argv);
    } else {
        result = xasprintf("there is no NVE \"%s\", but hv0 to hv%"PRIuSIZE,
                           argv[1], fakes->n - 1);
    }
    if (result) {
        unixctl_command_reply_error(conn, result);
    } else {
        result = xasprintf("%lld\n", clock_wall_usec());
        unixctl_command_reply(conn, result);
    }
    free(result);
}

static void
run_nves(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[],
         void *fakes)
{
    unsigned int n;

    if (!str_to_uint(argv[1], 10, &n) || n > NVES_MAX) {
        unixctl_command_reply_error(conn, "not a number of NVEs");
    } else {
        fakes_grow(fakes, n);
        unixctl_command_reply(conn, NULL);
    }
}

static void
run_stats(struct unixctl_conn *conn, int argc OVS_UNUSED,
          const char *argv[] OVS_UNUSED, void *fakes_)
{
    struct fakes *fakes = fakes_;
    unsigned int dbs = 0, switches = 0, mods = 0, bundles = 0, commits = 0;
    unsigned int dumps = 0;
    struct ds s = DS_EMPTY_INITIALIZER;
    size_t flows = 0;

    for (size_t i = 0; i < fakes->n; i++) {
        const struct fake_nve *nve = fakes->nves[i];

        dbs += nve->db_up;
        switches += nve->of_up;
        flows += hmap_count(&nve->sw.flows);
        mods += nve->sw.n_flow_mods;
        bundles += nve->sw.n_bundles;
        commits += nve->sw.n_commits;
        dumps += nve->sw.n_dumps;
    }
    ds_put_format(&s, "{\"nves\": %"PRIuSIZE", \"databases\": %u, "
                  "\"switches\": %u, \"flows\": %"PRIuSIZE", "
                  "\"flow-mods\": %u, \"bundles\": %u, \"commits\": %u, "
                  "\"dumps\": %u, \"probes\": %u, \"packet-ins\": %u}\n",
                  fakes->n, dbs, switches, flows, mods, bundles, commits,
                  dumps, fakes->n_probes, fakes->n_packet_ins);
    unixctl_command_reply(conn, ds_cstr(&s));
    ds_destroy(&s);
}

static void
run_commits(struct unixctl_conn *conn, int argc OVS_UNUSED,
            const char *argv[] OVS_UNUSED, void *fakes_)
{
    struct fakes *fakes = fakes_;
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_char(&s, '[');
    for (size_t i = 0; i < fakes->n_commits; i++) {
        ds_put_format(&s, "%s[\"%s\", %lld]", i ? ", " : "",
                      fakes->commits[i].nve->name, fakes->commits[i].usec);
    }
    ds_put_cstr(&s, "]\n");
    fakes->n_commits = 0;
    unixctl_command_reply(conn, ds_cstr(&s));
    ds_destroy(&s);
}

static void
run_flows(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[],
          void *fakes)
{
    const struct fake_nve *nve = fakes_find(fakes, argv[1]);
    struct ds s = DS_EMPTY_INITIALIZER;

    if (nve) {
        fake_switch_format(&nve->sw, &s);
        unixctl_command_reply(conn, ds_cstr(&s));
    } else {
        unixctl_command_reply_error(conn, "no such NVE");
    }
    ds_destroy(&s);
}

static void
run_exit(struct unixctl_conn *conn, int argc OVS_UNUSED,
         const char *argv[] OVS_UNUSED, void *exiting)
{
    *(bool *) exiting = true;
    unixctl_command_reply(conn, NULL);
}

static void
register_commands(struct fakes *fakes, bool *exiting)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        const struct command *c = &commands[i];

        unixctl_command_register(c->name, c->usage, c->min_args, c->max_args,
                                 run_command, fakes);
    }
    unixctl_command_register("fake/nves", "N", 1, 1, run_nves, fakes);
    unixctl_command_register("fake/stats", "", 0, 0, run_stats, fakes);
    unixctl_command_register("fake/commits", "", 0, 0, run_commits, fakes);
    unixctl_command_register("fake/flows", "NVE", 1, 1, run_flows, fakes);
    unixctl_command_register("exit", "", 0, 0, run_exit, exiting);
}

/* Two connections an NVE. */
static void
raise_fd_limit(void)
{
    struct rlimit r;

    if (!getrlimit(RLIMIT_NOFILE, &r)) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

int
main(int argc, char *argv[])
{
    struct unixctl_server *unixctl;
    struct options o = { .ovsdb = NULL };
    bool exiting = false;
    struct fakes fakes;
    struct loop *loop;
    char *error;

    ovs_cmdl_proctitle_init(argc, argv);
    ovs_set_program_name(argv[0], NVA_VERSION);
    service_start(&argc, &argv);
    parse_options(argc, argv, &o);
    fatal_ignore_sigpipe();
    raise_fd_limit();

    daemonize_start(false);
    if (unixctl_server_create(o.unixctl, &unixctl)) {
        exit(EXIT_FAILURE);
    }
    error = loop_create(NULL, &loop);
    if (!error) {
        error = loop_check_remote(loop, o.ovsdb);
    }
    if (error) {
        ovs_fatal(0, "%s", error);
    }
    fakes_init(&fakes, loop, o.ovsdb);
    register_commands(&fakes, &exiting);
    fakes_grow(&fakes, o.nves);
    daemonize_complete();

    while (!exiting) {
        fakes_run(&fakes);
        unixctl_server_run(unixctl);
        fakes_wait(&fakes);
        unixctl_server_wait(unixctl);
        if (exiting) {
            poll_immediate_wake();
        }
        poll_block();
    }
    fakes_uninit(&fakes);
    loop_destroy(loop);
    unixctl_server_destroy(unixctl);
    service_stop();
    return EXIT_SUCCESS;
}
