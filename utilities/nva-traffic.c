/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* nva-traffic: sends numbered, time-stamped packets between a virtual machine
 * and its peers, both ways, moves the "machine" meanwhile, and tells what
 * became of every packet.  See usage() and traffic.h. */

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "traffic.h"
#include "traffic-io.h"
#include "traffic-report.h"

/* Exit status: 0 if every packet was where it should be, 1 if not, else: */
enum { EXIT_TROUBLE = 2 };

enum trigger { TRIGGER_RARP, TRIGGER_NONE };

/* The command line. */
struct options {
    unsigned int duration_ms, warmup_ms, lead_ms, pause_ms, settle_ms;
    enum trigger trigger;
    bool both, stay, json, interactive;
    const char *hook_prepared, *hook_paused, *hook_resumed;
};

static void
usage(void)
{
    printf("\
nva-traffic: measure what a move does to a virtual machine's packets\n\
usage: nva-traffic --peer=... --old=... [--new=...] --mac=... --ip=...\n\
\n\
Where packets come from and go to (NS is a namespace of \"ip netns\"):\n\
  --peer=NS:IF:MAC:IP[,IP]  a peer of the VM; may be repeated\n\
  --old=NS:IF, --new=NS:IF  the places of the VM, before and after the move\n\
  --place=NAME:NS:IF        one more place (the first place is the first)\n\
  --mac=MAC --ip=IP[,IP]    the VM: IPv4, IPv6 or both\n\
  --underlay=NAME:NS:IF     also see which hypervisor tunnels what; repeated\n\
\n\
What is sent:\n\
  --rate=N         packets per second each way, all flows (default 1000)\n\
  --size=BYTES     of a frame (default 128)\n\
  --vm-silent      nothing is sent from the VM\n\
  --duration=SEC   of the counted traffic (default 3; may have a fraction)\n\
  --warmup-ms=MS   of traffic before, which does not count (default 200)\n\
\n\
The move, if there is a new place, or --stay:\n\
  --lead-ms=MS         from the first counted packet to the move (default a\n\
                       quarter of the duration)\n\
  --hook-prepared=CMD  run before the pause; the pause waits for it\n\
  --pause-ms=MS        how long the VM is at no place (default 50), and up\n\
                       to the time between two packets longer\n\
  --hook-paused=CMD    run as soon as the VM is paused\n\
  --trigger=rarp|none  what the VM does when it is resumed (default rarp)\n\
  --hook-resumed=CMD   run after the resume\n\
  --both               the VM is alive at both places from before\n\
                       --hook-prepared to the end of the pause, and sends\n\
                       from the old one\n\
  --stay               the VM is resumed where it was: what the instrument\n\
                       reads without a move\n\
  --queue=N            the new port keeps N packets until the resume\n\
  --drain-ms=MS        a paused VM reads so long what was sent before\n\
\n\
Results:\n\
  --settle-ms=MS   wait so long for late packets (default 300)\n\
  --json           print JSON only\n\
  --interactive    read commands from standard input instead, one a line:\n\
                     start, stop, count, pause, resume [PLACE] [rarp], both,\n\
                     send PLACE|none, rarp [PLACE], sleep MS, report, quit\n\
                   each answered by \"ok COMMAND TIME-NS\" or \"error ...\"\n\
  -h, --help, -V, --version\n\
\n\
The last line is \"sent=N lost=N doubled=N reordered=N misdelivered=N\n\
outage_ms=X\".  Exit status: 0 if nothing was lost, doubled, reordered or\n\
misdelivered, 1 if something was, 2 if it could not be measured.\n");
}

static void
fatal(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "nva-traffic: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    putc('\n', stderr);
    exit(EXIT_TROUBLE);
}

/* Parsing. */

static unsigned int
parse_uint(const char *option, const char *s, unsigned int min,
           unsigned int max)
{
    unsigned long int n;
    char *tail;

    errno = 0;
    n = strtoul(s, &tail, 10);
    if (errno || tail == s || *tail || n < min || n > max) {
        fatal("--%s=%s: a number from %u to %u is needed", option, s, min,
              max);
    }
    return n;
}

static unsigned int
parse_seconds(const char *option, const char *s)
{
    char *tail;
    double d = strtod(s, &tail);

    if (tail == s || *tail || !(d >= 0 && d <= 86400)) {
        fatal("--%s=%s: a number of seconds is needed", option, s);
    }
    return d * 1000;
}

/* Copies the part of '*s' before the next colon, or all if there is none, into
 * the 'size' bytes at 'dst', and moves '*s' behind it. */
static void
parse_field(const char *option, const char **s, char *dst, size_t size)
{
    size_t n = strcspn(*s, ":");

    if (!n || n >= size) {
        fatal("--%s: a field is empty or too long at \"%s\"", option, *s);
    }
    memcpy(dst, *s, n);
    dst[n] = '\0';
    *s += n + ((*s)[n] == ':');
}

/* Parses NS:IF. */
static void
parse_if(const char *option, const char **s, struct traffic_if *iface)
{
    parse_field(option, s, iface->netns, sizeof iface->netns);
    parse_field(option, s, iface->dev, sizeof iface->dev);
}

static void
parse_mac(const char *option, const char *s, uint8_t mac[6])
{
    int n = 0;

    if (sscanf(s, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1],
               &mac[2], &mac[3], &mac[4], &mac[5], &n) != 6 || n != 17) {
        fatal("--%s: \"%s\" is not a MAC address", option, s);
    }
}

static void
parse_ips(const char *option, const char *s, struct traffic_addr *addr)
{
    char *copy = strdup(s), *save = NULL;

    for (char *ip = strtok_r(copy, ",", &save); ip;
         ip = strtok_r(NULL, ",", &save)) {
        bool ipv6 = strchr(ip, ':') != NULL;

        if (inet_pton(ipv6 ? AF_INET6 : AF_INET, ip, addr->ip[ipv6]) != 1) {
            fatal("--%s: \"%s\" is not an IP address", option, ip);
        }
        addr->has_ip[ipv6] = true;
    }
    free(copy);
}

/* Parses NS:IF:MAC:IP[,IP]. */
static void
parse_peer(struct traffic *t, const char *s)
{
    struct traffic_if *iface = &t->peers[t->n_peers];
    struct traffic_addr *addr = &t->peer_addrs[t->n_peers];
    char mac[18] = "";

    if (t->n_peers >= TRAFFIC_MAX_PEERS) {
        fatal("there can be %d peers", TRAFFIC_MAX_PEERS);
    }
    parse_if("peer", &s, iface);
    snprintf(iface->name, sizeof iface->name, "peer%d", t->n_peers);
    snprintf(mac, sizeof mac, "%s", s);
    parse_mac("peer", mac, addr->mac);
    if (s[17] != ':') {
        fatal("--peer: an IP address is needed after %s", mac);
    }
    parse_ips("peer", s + 18, addr);
    t->n_peers++;
}

static void
add_place(struct traffic *t, const char *name, const char *s)
{
    struct traffic_if *iface = &t->places[t->n_places];

    if (t->n_places >= TRAFFIC_MAX_PLACES) {
        fatal("there can be %d places", TRAFFIC_MAX_PLACES);
    }
    if (name) {
        snprintf(iface->name, sizeof iface->name, "%s", name);
    } else {
        parse_field("place", &s, iface->name, sizeof iface->name);
    }
    parse_if(name ? name : "place", &s, iface);
    t->n_places++;
}

static void
add_nve(struct traffic *t, const char *s)
{
    struct traffic_if *iface = &t->nves[t->n_nves];

    if (t->n_nves >= TRAFFIC_MAX_NVES) {
        fatal("there can be %d underlay interfaces", TRAFFIC_MAX_NVES);
    }
    parse_field("underlay", &s, iface->name, sizeof iface->name);
    parse_if("underlay", &s, iface);
    t->n_nves++;
}

enum {
    OPT_PEER = UCHAR_MAX + 1, OPT_OLD, OPT_NEW, OPT_PLACE, OPT_MAC, OPT_IP,
    OPT_UNDERLAY, OPT_RATE, OPT_SIZE, OPT_VM_SILENT, OPT_DURATION,
    OPT_WARMUP_MS, OPT_LEAD_MS, OPT_HOOK_PREPARED, OPT_PAUSE_MS,
    OPT_HOOK_PAUSED, OPT_TRIGGER, OPT_HOOK_RESUMED, OPT_BOTH, OPT_STAY,
    OPT_QUEUE, OPT_DRAIN_MS, OPT_SETTLE_MS, OPT_JSON, OPT_INTERACTIVE
};

static const struct option long_options[] = {
    { "peer", required_argument, NULL, OPT_PEER },
    { "old", required_argument, NULL, OPT_OLD },
    { "new", required_argument, NULL, OPT_NEW },
    { "place", required_argument, NULL, OPT_PLACE },
    { "mac", required_argument, NULL, OPT_MAC },
    { "ip", required_argument, NULL, OPT_IP },
    { "underlay", required_argument, NULL, OPT_UNDERLAY },
    { "rate", required_argument, NULL, OPT_RATE },
    { "size", required_argument, NULL, OPT_SIZE },
    { "vm-silent", no_argument, NULL, OPT_VM_SILENT },
    { "duration", required_argument, NULL, OPT_DURATION },
    { "warmup-ms", required_argument, NULL, OPT_WARMUP_MS },
    { "lead-ms", required_argument, NULL, OPT_LEAD_MS },
    { "hook-prepared", required_argument, NULL, OPT_HOOK_PREPARED },
    { "pause-ms", required_argument, NULL, OPT_PAUSE_MS },
    { "hook-paused", required_argument, NULL, OPT_HOOK_PAUSED },
    { "trigger", required_argument, NULL, OPT_TRIGGER },
    { "hook-resumed", required_argument, NULL, OPT_HOOK_RESUMED },
    { "both", no_argument, NULL, OPT_BOTH },
    { "stay", no_argument, NULL, OPT_STAY },
    { "queue", required_argument, NULL, OPT_QUEUE },
    { "drain-ms", required_argument, NULL, OPT_DRAIN_MS },
    { "settle-ms", required_argument, NULL, OPT_SETTLE_MS },
    { "json", no_argument, NULL, OPT_JSON },
    { "interactive", no_argument, NULL, OPT_INTERACTIVE },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 }
};

/* Handles an option that says what is sent, from where to where. */
static bool
parse_traffic_option(int c, struct traffic *t)
{
    switch (c) {
    case OPT_PEER:
        parse_peer(t, optarg);
        return true;
    case OPT_OLD:
        add_place(t, "old", optarg);
        return true;
    case OPT_NEW:
        add_place(t, "new", optarg);
        return true;
    case OPT_PLACE:
        add_place(t, NULL, optarg);
        return true;
    case OPT_MAC:
        parse_mac("mac", optarg, t->vm.mac);
        return true;
    case OPT_IP:
        parse_ips("ip", optarg, &t->vm);
        return true;
    case OPT_UNDERLAY:
        add_nve(t, optarg);
        return true;
    case OPT_RATE:
        t->rate = parse_uint("rate", optarg, 1, 1000000);
        return true;
    case OPT_SIZE:
        t->size = parse_uint("size", optarg, 96, TRAFFIC_MAX_FRAME);
        return true;
    case OPT_VM_SILENT:
        t->vm_silent = true;
        return true;
    case OPT_QUEUE:
        t->queue = parse_uint("queue", optarg, 0, 1000000);
        return true;
    case OPT_DRAIN_MS:
        t->drain_ns = parse_uint("drain-ms", optarg, 0, 60000)
                      * TRAFFIC_NS_PER_MS;
        return true;
    default:
        return false;
    }
}

static void
parse_option(int c, struct options *o)
{
    switch (c) {
    case OPT_DURATION:
        o->duration_ms = parse_seconds("duration", optarg);
        break;
    case OPT_WARMUP_MS:
        o->warmup_ms = parse_uint("warmup-ms", optarg, 0, 600000);
        break;
    case OPT_LEAD_MS:
        o->lead_ms = parse_uint("lead-ms", optarg, 0, 600000);
        break;
    case OPT_PAUSE_MS:
        o->pause_ms = parse_uint("pause-ms", optarg, 0, 600000);
        break;
    case OPT_SETTLE_MS:
        o->settle_ms = parse_uint("settle-ms", optarg, 1, 60000);
        break;
    case OPT_HOOK_PREPARED:
        o->hook_prepared = optarg;
        break;
    case OPT_HOOK_PAUSED:
        o->hook_paused = optarg;
        break;
    case OPT_HOOK_RESUMED:
        o->hook_resumed = optarg;
        break;
    case OPT_TRIGGER:
        if (strcmp(optarg, "rarp") && strcmp(optarg, "none")) {
            fatal("--trigger=%s: it is \"rarp\" or \"none\"", optarg);
        }
        o->trigger = strcmp(optarg, "rarp") ? TRIGGER_NONE : TRIGGER_RARP;
        break;
    case OPT_BOTH:
        o->both = true;
        break;
    case OPT_STAY:
        o->stay = true;
        break;
    case OPT_JSON:
        o->json = true;
        break;
    case OPT_INTERACTIVE:
        o->interactive = true;
        break;
    case 'h':
        usage();
        exit(EXIT_SUCCESS);
    case 'V':
        printf("nva-traffic (ovs-nva) %s\n", NVA_VERSION);
        exit(EXIT_SUCCESS);
    default:
        exit(EXIT_TROUBLE);
    }
}

static void
parse_options(int argc, char *argv[], struct traffic *t, struct options *o)
{
    static const uint8_t zero[6];
    int c;

    *o = (struct options) {
        .duration_ms = 3000,
        .warmup_ms = 200,
        .lead_ms = UINT_MAX,
        .pause_ms = 50,
        .settle_ms = 300,
        .trigger = TRIGGER_RARP,
    };
    t->rate = 1000;
    t->size = 128;
    while ((c = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
        if (!parse_traffic_option(c, t)) {
            parse_option(c, o);
        }
    }
    if (o->lead_ms == UINT_MAX) {
        o->lead_ms = o->duration_ms / 4;
    }
    if (optind < argc) {
        fatal("%s: there are no arguments; try --help", argv[optind]);
    } else if (!t->n_peers || !t->n_places
               || !memcmp(t->vm.mac, zero, sizeof zero)
               || (!t->vm.has_ip[0] && !t->vm.has_ip[1])) {
        fatal("--peer, --old, --mac and --ip are needed; try --help");
    } else if (o->stay && (t->n_places > 1 || o->both)) {
        fatal("--stay is for a VM with one place, without --new and --both");
    }
}

/* Work. */

static void
sleep_ms(unsigned int ms)
{
    struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

    while (nanosleep(&ts, &ts) && errno == EINTR) {
        continue;
    }
}

/* Sleeps for 'ms' and a random part of the time between two packets.  Without
 * the latter, all runs would go on from the same point of it. */
static void
sleep_off_beat(const struct traffic *t, unsigned int ms)
{
    struct timespec ts = { 0, random() % (1000000000 / t->rate) };

    sleep_ms(ms);
    nanosleep(&ts, NULL);
}

/* Runs 'command', if there is one, with its output on standard error.  Returns
 * false if it fails. */
static bool
run_hook(const char *name, const char *command)
{
    char *line;
    int status;

    if (!command) {
        return true;
    }
    fflush(stdout);
    if (asprintf(&line, "{ %s\n} >&2", command) < 0) {
        abort();
    }
    status = system(line);
    free(line);
    if (status) {
        fprintf(stderr, "nva-traffic: the command of --%s failed (%s %d)\n",
                name, WIFEXITED(status) ? "exit status" : "status",
                WIFEXITED(status) ? WEXITSTATUS(status) : status);
    }
    return !status;
}

/* Prints the results of the run so far and returns the exit status. */
static int
report(struct traffic *t, const struct options *o)
{
    struct traffic_report r;

    traffic_io_settle(t, o->settle_ms);
    pthread_mutex_lock(&t->recs_mutex);
    traffic_report_make(&r, t);
    pthread_mutex_unlock(&t->recs_mutex);
    if (o->json) {
        traffic_report_json(&r, t, stdout);
    } else {
        traffic_report_text(&r, t, stdout);
        traffic_report_line(&r, stdout);
    }
    fflush(stdout);
    return !traffic_report_is_valid(t) ? EXIT_TROUBLE
           : !traffic_report_is_clean(&r);
}

static int
sender_at(const struct traffic *t, int place)
{
    return t->vm_silent ? -1 : place;
}

/* Lets the VM live at 'place' only.  Returns the time. */
static uint64_t
resume(struct traffic *t, int place, bool rarp)
{
    int nice_value = getpriority(PRIO_PROCESS, 0);
    uint64_t now;

    /* What the VM announces comes before what it sends, and at once: time
     * between the two first steps would be held against the network. */
    setpriority(PRIO_PROCESS, 0, -20);
    now = traffic_io_set_alive(t, 1u << place, -1);
    if (rarp) {
        traffic_io_rarp(t, place);
    }
    traffic_io_set_alive(t, 1u << place, sender_at(t, place));
    setpriority(PRIO_PROCESS, 0, nice_value);
    return now;
}

/* Moves the VM to its second place, if there is one.  Returns false if a
 * command failed; the VM stays where it is if that was the one that prepares
 * the move. */
static bool
move(struct traffic *t, const struct options *o)
{
    bool ok = true;

    if (o->both) {
        traffic_io_set_alive(t, 3, sender_at(t, 0));
    }
    if (!run_hook("hook-prepared", o->hook_prepared)) {
        return false;
    }
    if (o->both) {
        sleep_off_beat(t, o->pause_ms);
    } else if (o->pause_ms) {
        traffic_io_set_alive(t, 0, -1);
        ok = run_hook("hook-paused", o->hook_paused) && ok;
        sleep_off_beat(t, o->pause_ms);
    }
    resume(t, t->n_places > 1, o->trigger == TRIGGER_RARP);
    return run_hook("hook-resumed", o->hook_resumed) && ok;
}

/* Does what the options say, and returns the exit status. */
static int
run_once(struct traffic *t, const struct options *o)
{
    bool ok = true;
    int status;

    srandom(t->run_id);
    traffic_io_start(t);
    if (o->warmup_ms) {
        sleep_ms(o->warmup_ms);
        t->count_ns = traffic_io_now();
    }
    if (t->n_places > 1 || o->stay) {
        sleep_ms(o->lead_ms);
        ok = move(t, o);
        if (ok && o->duration_ms > o->lead_ms) {
            sleep_ms(o->duration_ms - o->lead_ms);
        }
    } else {
        sleep_ms(o->duration_ms);
    }
    traffic_io_stop(t);
    status = report(t, o);
    return ok ? status : EXIT_TROUBLE;
}

/* Interactive mode. */

static int
find_place(const struct traffic *t, const char *name)
{
    for (int i = 0; i < t->n_places; i++) {
        if (!strcmp(t->places[i].name, name)) {
            return i;
        }
    }
    return -1;
}

/* Carries out the command of the words in 'argv', which holds at least 'argc'
 * of them and then null pointers.  Returns the time at which it was done, or 0
 * if it cannot be. */
static uint64_t
run_command(struct traffic *t, char *argv[])
{
    const char *command = argv[0];
    const char *arg = argv[1] ? argv[1] : "";
    int place = argv[1] ? find_place(t, argv[1]) : t->n_places > 1;

    if (!strcmp(command, "start")) {
        traffic_io_start(t);
    } else if (!strcmp(command, "stop")) {
        traffic_io_stop(t);
    } else if (!strcmp(command, "count")) {
        t->count_ns = traffic_io_now();
    } else if (!strcmp(command, "pause")) {
        return traffic_io_set_alive(t, 0, -1);
    } else if (!strcmp(command, "both") && t->n_places > 1) {
        return traffic_io_set_alive(t, 3, sender_at(t, 0));
    } else if (!strcmp(command, "resume")) {
        bool rarp = !strcmp(arg, "rarp")
                    || (argv[1] && argv[2] && !strcmp(argv[2], "rarp"));

        place = !strcmp(arg, "rarp") ? t->n_places > 1 : place;
        return place < 0 ? 0 : resume(t, place, rarp);
    } else if (!strcmp(command, "rarp")) {
        return place < 0 ? 0 : traffic_io_rarp(t, place);
    } else if (!strcmp(command, "send")
               && (place >= 0 || !strcmp(arg, "none"))) {
        return traffic_io_set_alive(t, t->epochs[t->n_epochs - 1].alive,
                                    place);
    } else if (!strcmp(command, "sleep") && argv[1]) {
        sleep_ms(atoi(arg));
    } else {
        return 0;
    }
    return traffic_io_now();
}

static int
run_interactive(struct traffic *t, const struct options *o)
{
    int status = EXIT_TROUBLE;
    bool reported = false;
    char line[256];

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("ok ready %llu\n", (unsigned long long) traffic_io_now());
    while (fgets(line, sizeof line, stdin)) {
        char *argv[4] = { NULL }, *save = NULL;
        uint64_t ns;

        for (int i = 0; i < 3; i++) {
            argv[i] = strtok_r(i ? NULL : line, " \t\n", &save);
        }
        if (!argv[0]) {
            continue;
        } else if (!strcmp(argv[0], "quit")) {
            break;
        } else if (!strcmp(argv[0], "report")) {
            status = report(t, o);
            reported = true;
            continue;
        }
        ns = run_command(t, argv);
        if (ns) {
            reported = false;
            printf("ok %s %llu\n", argv[0], (unsigned long long) ns);
        } else {
            printf("error %s: no such command or place\n", argv[0]);
        }
    }
    traffic_io_stop(t);
    return reported ? status : report(t, o);
}

int
main(int argc, char *argv[])
{
    static struct traffic traffic;      /* Too big for the stack. */
    struct options o;
    int status;
    char *s;

    parse_options(argc, argv, &traffic, &o);
    prctl(PR_SET_TIMERSLACK, 1);
    s = traffic_io_open(&traffic);
    if (s) {
        fatal("%s%s", s, geteuid() ? " (it needs root; run it with sudo)"
                                   : "");
    }
    status = o.interactive ? run_interactive(&traffic, &o)
                           : run_once(&traffic, &o);
    traffic_io_close(&traffic);
    for (int i = 0; i < traffic.n_flows; i++) {
        free(traffic.flows[i].tx_ns);
    }
    free(traffic.recs);
    return status;
}
