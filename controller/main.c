/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <getopt.h>
#include <stdlib.h>

#include "command-line.h"
#include "daemon.h"
#include "dummy.h"
#include "fatal-signal.h"
#include "memory.h"
#include "nva.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "stream-ssl.h"
#include "stream.h"
#include "unixctl.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(main);

struct options {
    struct nva_config nva;
    struct loop_tls_files tls;
    char *db;
    char *unixctl;
    char *route_file;
    char *bird;
};

static void
usage(void)
{
    printf("%s: the Network Virtualization Authority for Open vSwitch\n"
           "usage: %s [OPTIONS]\n"
           "  --db=REMOTE               NVA database (default: "
           "unix:%s/db.sock)\n"
           "  --ovsdb-listen=TARGET     hypervisors may dial in here, for "
           "example ptcp:6640\n"
           "  --openflow-listen=TARGET  likewise their bridges, for example "
           "ptcp:6653\n"
           "  --route-file=FILE         write host routes of VMs to FILE, for "
           "BIRD\n"
           "  --bird=SOCKET             tell BIRD of them by its control "
           "socket\n"
           "  --unixctl=SOCKET          control socket\n"
           "  --enable-faults           for tests: nva/fault, time/warp\n"
           "  -h, --help                this help\n"
           "  -V, --version             version\n",
           program_name, program_name, NVA_RUNDIR);
    stream_usage("REMOTE", true, true, false);
    daemon_usage();
    vlog_usage();
    exit(EXIT_SUCCESS);
}

/* Returns the absolute name of 'file', as the daemon leaves its folder. */
static char *
get_file(const char *file, const char *option)
{
    char *name = file[0] ? abs_file_name(NULL, file) : NULL;

    if (!name) {
        ovs_fatal(0, "%s: give the name of a file", option);
    }
    return name;
}

static void
parse_options(int argc, char *argv[], struct options *o)
{
    enum {
        OPT_DB = UCHAR_MAX + 1,
        OPT_OVSDB_LISTEN,
        OPT_OPENFLOW_LISTEN,
        OPT_ENABLE_FAULTS,
        OPT_ROUTE_FILE,
        OPT_BIRD,
        OPT_UNIXCTL,
        VLOG_OPTION_ENUMS,
        DAEMON_OPTION_ENUMS,
        SSL_OPTION_ENUMS,
    };
    static const struct option long_options[] = {
        {"db", required_argument, NULL, OPT_DB},
        {"ovsdb-listen", required_argument, NULL, OPT_OVSDB_LISTEN},
        {"openflow-listen", required_argument, NULL, OPT_OPENFLOW_LISTEN},
        {"enable-faults", no_argument, NULL, OPT_ENABLE_FAULTS},
        {"route-file", required_argument, NULL, OPT_ROUTE_FILE},
        {"bird", required_argument, NULL, OPT_BIRD},
        {"unixctl", required_argument, NULL, OPT_UNIXCTL},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        VLOG_LONG_OPTIONS,
        DAEMON_LONG_OPTIONS,
        STREAM_SSL_LONG_OPTIONS,
        {NULL, 0, NULL, 0},
    };
    char *short_options = ovs_cmdl_long_options_to_short_options(long_options);
    int c;

    while ((c = getopt_long(argc, argv, short_options, long_options,
                            NULL)) != -1) {
        switch (c) {
        case OPT_DB:
            o->db = xstrdup(optarg);
            break;
        case OPT_OVSDB_LISTEN:
            o->nva.ovsdb_listen = optarg;
            break;
        case OPT_OPENFLOW_LISTEN:
            o->nva.openflow_listen = optarg;
            break;
        case OPT_ENABLE_FAULTS:
            o->nva.enable_faults = true;
            break;
        case OPT_ROUTE_FILE:
            free(o->route_file);
            o->route_file = get_file(optarg, "--route-file");
            break;
        case OPT_BIRD:
            free(o->bird);
            o->bird = get_file(optarg, "--bird");
            break;
        case OPT_UNIXCTL:
            o->unixctl = optarg;
            break;
        case 'h':
            usage();
            break;
        case 'V':
            printf("nva-controller (ovs-nva) %s\n", NVA_VERSION);
            exit(EXIT_SUCCESS);

        VLOG_OPTION_HANDLERS
        DAEMON_OPTION_HANDLERS

        /* The database's library and the I/O thread both need to know. */
        case 'p':
            o->tls.private_key = optarg;
            stream_ssl_set_private_key_file(optarg);
            break;
        case 'c':
            o->tls.certificate = optarg;
            stream_ssl_set_certificate_file(optarg);
            break;
        case 'C':
            o->tls.ca_cert = optarg;
            stream_ssl_set_ca_cert_file(optarg, false);
            break;
        case OPT_SSL_PROTOCOLS:
            stream_ssl_set_protocols(optarg);
            break;
        case OPT_SSL_CIPHERS:
            stream_ssl_set_ciphers(optarg);
            break;
        default:
            exit(EXIT_FAILURE);
        }
    }
    free(short_options);
    if (optind < argc) {
        ovs_fatal(0, "unexpected argument \"%s\"; see \"%s --help\"",
                  argv[optind], program_name);
    }
    if (o->bird && !o->route_file) {
        ovs_fatal(0, "--bird needs --route-file, which BIRD has to include");
    }
    o->nva.route_file = o->route_file;
    o->nva.bird = o->bird;
}

static void
exit_cb(struct unixctl_conn *conn, int argc OVS_UNUSED,
        const char *argv[] OVS_UNUSED, void *exiting)
{
    *(bool *) exiting = true;
    unixctl_command_reply(conn, NULL);
}

static struct nva *
start(const struct options *o)
{
    struct nva *nva;
    char *error = nva_create(&o->nva, &nva);

    if (error) {
        ovs_fatal(0, "%s", error);
    }
    return nva;
}

int
main(int argc, char *argv[])
{
    struct unixctl_server *unixctl;
    struct options o = { .db = NULL };
    bool exiting = false;
    struct nva *nva;
    int retval;

    ovs_cmdl_proctitle_init(argc, argv);
    ovs_set_program_name(argv[0], NVA_VERSION);
    service_start(&argc, &argv);
    parse_options(argc, argv, &o);
    fatal_ignore_sigpipe();

    o.nva.db = o.db = o.db ? o.db : xasprintf("unix:%s/db.sock", NVA_RUNDIR);
    if (o.tls.private_key || o.tls.certificate || o.tls.ca_cert) {
        o.nva.tls = &o.tls;
    }

    daemonize_start(false);
    retval = unixctl_server_create(o.unixctl, &unixctl);
    if (retval) {
        exit(EXIT_FAILURE);
    }
    unixctl_command_register("exit", "", 0, 0, exit_cb, &exiting);
    if (o.nva.enable_faults) {
        timeval_dummy_register();
    }
    nva = start(&o);
    daemonize_complete();
    VLOG_INFO("ovs-nva %s", NVA_VERSION);

    while (!exiting) {
        nva_run(nva);
        unixctl_server_run(unixctl);
        nva_wait(nva);
        unixctl_server_wait(unixctl);
        if (exiting) {
            poll_immediate_wake();
        }
        poll_block();
    }
    nva_destroy(nva);
    unixctl_server_destroy(unixctl);
    free(o.db);
    free(o.route_file);
    free(o.bird);
    service_stop();
    return EXIT_SUCCESS;
}
