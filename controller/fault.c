/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "fault.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "unixctl.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(fault);

/* What has been handed to the I/O thread has this time to leave before the
 * process dies or stops, so that "sent" means sent. */
#define GRACE_NS 2000000

enum fault_action { FAULT_NONE, FAULT_EXIT, FAULT_PAUSE, FAULT_DISCONNECT };

static const char *const actions[] = {
    [FAULT_NONE] = "none",
    [FAULT_EXIT] = "exit",
    [FAULT_PAUSE] = "pause",
    [FAULT_DISCONNECT] = "disconnect",
};

static const char *const points[N_FAULT_POINTS] = {
#define FAULT_POINT(NAME, STRING, MEANING) [FAULT_##NAME] = STRING,
    FAULT_POINTS
#undef FAULT_POINT
};

struct order {
    enum fault_action action;
    char *nve;                  /* To be disconnected. */
};

struct faults {
    fault_disconnect_cb *disconnect;
    void *aux;
    struct order orders[N_FAULT_POINTS];
};

static void
clear(struct order *order)
{
    free(order->nve);
    *order = (struct order) { .action = FAULT_NONE };
}

static void
signal_self(int sig)
{
    struct timespec grace = { .tv_nsec = GRACE_NS };

    nanosleep(&grace, NULL);
    raise(sig);
}

void
faults_reached(struct faults *faults, enum fault_point point)
{
    struct order order;

    if (!faults || faults->orders[point].action == FAULT_NONE) {
        return;
    }
    order = faults->orders[point];
    faults->orders[point] = (struct order) { .action = FAULT_NONE };
    VLOG_INFO("%s at %s", actions[order.action], points[point]);
    if (order.action == FAULT_EXIT) {
        signal_self(SIGKILL);
    } else if (order.action == FAULT_PAUSE) {
        signal_self(SIGSTOP);
    } else if (!faults->disconnect(order.nve, faults->aux)) {
        VLOG_WARN("disconnect at %s: no such NVE as %s", points[point],
                  order.nve);
    }
    free(order.nve);
}

static int
find_word(const char *const words[], size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(words[i], word)) {
            return i;
        }
    }
    return -1;
}

static char *
list_orders(const struct faults *faults)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    for (int i = 0; i < N_FAULT_POINTS; i++) {
        const struct order *order = &faults->orders[i];

        ds_put_format(&s, "%s: %s%s%s\n", points[i], actions[order->action],
                      order->nve ? " " : "", order->nve ? order->nve : "");
    }
    return ds_steal_cstr(&s);
}

static void
fault_cb(struct unixctl_conn *conn, int argc, const char *argv[],
         void *faults_)
{
    struct faults *faults = faults_;
    int point, action;

    if (argc == 1) {
        char *s = list_orders(faults);

        unixctl_command_reply(conn, s);
        free(s);
        return;
    }
    point = find_word(points, N_FAULT_POINTS, argv[1]);
    action = argc > 2 ? find_word(actions, ARRAY_SIZE(actions), argv[2]) : -1;
    if (point < 0) {
        unixctl_command_reply_error(conn, "no such POINT; \"nva/fault\" "
                                    "without arguments lists them");
    } else if (action < 0) {
        unixctl_command_reply_error(conn, "ACTION must be exit, pause, "
                                    "disconnect or none");
    } else if ((action == FAULT_DISCONNECT) != (argc == 4)) {
        unixctl_command_reply_error(conn, "disconnect, and it alone, needs "
                                    "the name of an NVE");
    } else {
        clear(&faults->orders[point]);
        faults->orders[point].action = action;
        faults->orders[point].nve = nullable_xstrdup(argv[3]);
        unixctl_command_reply(conn, NULL);
        if (point == FAULT_NOW) {
            faults_reached(faults, FAULT_NOW);
        }
    }
}

struct faults *
faults_create(fault_disconnect_cb *disconnect, void *aux)
{
    struct faults *faults = xzalloc(sizeof *faults);

    faults->disconnect = disconnect;
    faults->aux = aux;
    unixctl_command_register("nva/fault", "[POINT ACTION [NVE]]", 0, 3,
                             fault_cb, faults);
    return faults;
}

void
faults_destroy(struct faults *faults)
{
    for (int i = 0; faults && i < N_FAULT_POINTS; i++) {
        clear(&faults->orders[i]);
    }
    free(faults);
}
