/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* What the loop decides without a connection. */

#include <config.h>

#undef NDEBUG
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command-line.h"
#include "loop-pulse.h"
#include "loop-remote.h"
#include "util.h"

/* Prints which of argv[2] and so on who connects to argv[1] reaches. */
static void
cmd_reaches(struct ovs_cmdl_context *ctx)
{
    for (int i = 2; i < ctx->argc; i++) {
        printf("%s: %s\n", ctx->argv[i],
               loop_remote_reaches(ctx->argv[1], ctx->argv[i]) ? "yes" : "no");
    }
}

/* Takes "up NOW", "received NOW", "sent NOW", "down NOW", "fail NOW",
 * "run NOW" and "interval MS" from the arguments and prints what loop-pulse.h
 * answers. */
static void
cmd_pulse(struct ovs_cmdl_context *ctx)
{
    static const char *const actions[] = { "wait", "probe", "give up" };
    struct loop_pulse pulse;

    loop_pulse_init(&pulse);
    for (int i = 1; i + 1 < ctx->argc; i += 2) {
        const char *what = ctx->argv[i];
        long long int now = atoll(ctx->argv[i + 1]);
        int delay;

        printf("%s %lld:", what, now);
        if (!strcmp(what, "up")) {
            printf(" %d\n", loop_pulse_up(&pulse, now));
        } else if (!strcmp(what, "received")) {
            loop_pulse_received(&pulse, now);
            printf("\n");
        } else if (!strcmp(what, "sent")) {
            if (loop_pulse_sent(&pulse, now, &delay)) {
                printf(" %d", delay);
            }
            printf("\n");
        } else if (!strcmp(what, "interval")) {
            pulse.interval = now;
            printf("\n");
        } else if (!strcmp(what, "run")) {
            const char *s = actions[loop_pulse_run(&pulse, now, &delay)];
            printf(" %s %d\n", s, delay);
        } else {
            delay = loop_pulse_down(&pulse, now, !strcmp(what, "down"));
            printf(" %d%s\n", delay,
                   loop_pulse_is_hopeless(&pulse) ? " hopeless" : "");
        }
    }
}

static const struct ovs_cmdl_command commands[] = {
    { "reaches", NULL, 2, INT_MAX, cmd_reaches, OVS_RO },
    { "pulse", NULL, 2, INT_MAX, cmd_pulse, OVS_RO },
    { NULL, NULL, 0, 0, NULL, OVS_RO },
};

int
main(int argc, char *argv[])
{
    struct ovs_cmdl_context ctx = { .argc = argc - 1, .argv = argv + 1 };

    set_program_name(argv[0]);
    ovs_cmdl_run_command(&ctx, commands);
    return 0;
}
