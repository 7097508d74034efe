/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* nva-qmp-migrate: moves a virtual machine from one QEMU to another, and its
 * network with it.  It drives both by their monitors, and the network by
 * running nva-ctl.  This is the command line; qmp-move.h has the rest. */

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qmp-move.h"

static void
usage(void)
{
    printf("\
nva-qmp-migrate: moves a VM, and its network, from one QEMU to another\n\
usage: nva-qmp-migrate [OPTION]... SOURCE DESTINATION URI PORT NVE\n\
\n\
  SOURCE           the monitor (QMP) of the QEMU that has the VM, unix:FILE\n\
                   or tcp:HOST:PORT\n\
  DESTINATION      the monitor of the QEMU that was started with -incoming\n\
  URI              where that waits for the VM, as in QEMU's \"migrate\"\n\
  PORT NVE         the VM's port, and the NVE of the destination\n\
\n\
  --db=REMOTE             the NVA database, as for nva-ctl\n\
  --trigger=hold          tell the network before the VM stops (default)\n\
  --trigger=paused        tell it when the VM has stopped\n\
  --trigger=activate      tell it when the VM runs at the destination\n\
  --trigger=announce      tell it nothing; the VM's first frame does\n\
  --downtime-limit=MS     how long the VM may be stopped (default 100)\n\
  --max-bandwidth=BYTES[K|M|G]\n\
                          per second (default: what QEMU is set to)\n\
  --timeout=SEC           for all (default 600)\n\
  -h, --help, -V, --version\n\
\n\
Exit status: 0 if the VM has moved, 1 if it has not and all is as it was\n\
before, 2 if somebody has to look.\n");
}

static void
refuse(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "nva-qmp-migrate: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "; try --help\n");
    exit(QMP_MOVE_NOT_MOVED);
}

static unsigned int
parse_number(const char *option, const char *s, unsigned int max)
{
    unsigned long int n;
    char *tail;

    errno = 0;
    n = strtoul(s, &tail, 10);
    if (errno || tail == s || *tail || *s == '-' || n < 1 || n > max) {
        refuse("--%s=%s: a number from 1 to %u is needed", option, s, max);
    }
    return n;
}

static int64_t
parse_bandwidth(const char *s)
{
    static const char units[] = "KMG";
    const char *unit;
    long long int n;
    char *tail;

    errno = 0;
    n = strtoll(s, &tail, 10);
    unit = *tail ? strchr(units, *tail) : NULL;
    if (errno || tail == s || n < 1 || n > INT_MAX
        || (*tail && (!unit || tail[1]))) {
        refuse("--max-bandwidth=%s: a number of bytes per second is needed, "
               "as in 100M", s);
    }
    return n << (unit ? 10 * (unit - units + 1) : 0);
}

static enum qmp_move_trigger
parse_trigger(const char *s)
{
    static const char *const names[] = {
        [QMP_MOVE_HOLD] = "hold",
        [QMP_MOVE_PAUSED] = "paused",
        [QMP_MOVE_ACTIVATE] = "activate",
        [QMP_MOVE_ANNOUNCE] = "announce",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!strcmp(s, names[i])) {
            return i;
        }
    }
    refuse("--trigger=%s: it is hold, paused, activate or announce", s);
    return QMP_MOVE_HOLD;
}

static void
parse_options(int argc, char *argv[], struct qmp_move_options *o)
{
    enum {
        OPT_DB = UCHAR_MAX + 1, OPT_TRIGGER, OPT_DOWNTIME, OPT_BANDWIDTH,
        OPT_TIMEOUT
    };
    static const struct option long_options[] = {
        { "db", required_argument, NULL, OPT_DB },
        { "trigger", required_argument, NULL, OPT_TRIGGER },
        { "downtime-limit", required_argument, NULL, OPT_DOWNTIME },
        { "max-bandwidth", required_argument, NULL, OPT_BANDWIDTH },
        { "timeout", required_argument, NULL, OPT_TIMEOUT },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 }
    };
    int c;

    *o = (struct qmp_move_options) { .downtime_ms = 100, .timeout_s = 600 };
    while ((c = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
        switch (c) {
        case OPT_DB:
            o->db = optarg;
            break;
        case OPT_TRIGGER:
            o->trigger = parse_trigger(optarg);
            break;
        case OPT_DOWNTIME:
            o->downtime_ms = parse_number("downtime-limit", optarg, 2000000);
            break;
        case OPT_BANDWIDTH:
            o->bandwidth = parse_bandwidth(optarg);
            break;
        case OPT_TIMEOUT:
            o->timeout_s = parse_number("timeout", optarg, 1000000);
            break;
        case 'h':
            usage();
            exit(EXIT_SUCCESS);
        case 'V':
            printf("nva-qmp-migrate (ovs-nva) %s\n", NVA_VERSION);
            exit(EXIT_SUCCESS);
        default:
            exit(QMP_MOVE_NOT_MOVED);
        }
    }
    if (argc - optind != 5) {
        refuse("SOURCE, DESTINATION, URI, PORT and NVE are needed");
    }
    o->source = argv[optind];
    o->destination = argv[optind + 1];
    o->uri = argv[optind + 2];
    o->port = argv[optind + 3];
    o->nve = argv[optind + 4];
}

int
main(int argc, char *argv[])
{
    struct qmp_move_options o;

    parse_options(argc, argv, &o);
    return qmp_move(&o);
}
