/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* Who watches whom, and who has failed.
 *
 * There are NVEs a to j, VNs red and blue.  Reads commands from stdin, one a
 * line, and prints each with what happens.
 *
 *   gateway VN NVE         adds or removes a gateway of VN
 *   port VN NVE            adds a port of VN
 *   plan [off]             says which sessions there are
 *   up NVE NVE...          the first hears the others
 *   down NVE NVE...        the first does not hear the others any more
 *   lost NVE, found NVE    the controller's sessions
 *   judge                  says what is to be thought of each */

#include <config.h>

#include "test-nva.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway.h"
#include "topology.h"
#include "util.h"
#include "watch.h"
#include "wiring.h"

#define LAST_NVE 'j'

/* The controller has no session with an NVE whose 'failed' is set here. */
static bool
is_credible(const struct nve *nve)
{
    return !nve->failed;
}

static void
on_changed(struct nve *nve OVS_UNUSED, void *aux OVS_UNUSED)
{
}

static void
toggle_gateway(struct vn *vn, struct nve *nve)
{
    static const struct gateway_config config = { .metric = 0 };
    struct gateway *gw = gateway_at(vn, nve);

    if (gw) {
        gateway_unlink(gw);
        gateway_free(gw);
    } else {
        gateway_add(nve->name, vn->id * 16 + nve->id, vn, nve)->config
            = &config;
    }
}

static void
plan(struct topology *t, bool enabled)
{
    size_t n = watch_plan(t, enabled, on_changed, NULL);

    for (char name[] = "a"; name[0] <= LAST_NVE; name[0]++) {
        struct nve *nve = topology_find_nve(t, name);

        for (char other[] = "a"; other[0] <= LAST_NVE; other[0]++) {
            if (other[0] > name[0]
                && watch_find(nve, topology_find_nve(t, other))) {
                printf(" %s-%s", name, other);
            }
        }
    }
    printf(" (%"PRIuSIZE" without a witness)\n", n);
}

static void
judge(const struct topology *t)
{
    for (char name[] = "a"; name[0] <= LAST_NVE; name[0]++) {
        const struct nve *nve = topology_find_nve(t, name);

        if (!ovs_list_is_empty(&nve->watches)) {
            enum watch_verdict verdict = watch_judge(nve, is_credible);

            printf(" %s:%s", name, verdict == WATCH_ALIVE ? "alive"
                                   : verdict == WATCH_FAILED ? "failed" : "?");
        }
    }
    putchar('\n');
}

static void
report(const struct topology *t, struct nve *nve, char *others,
       enum watch_report value)
{
    char *save_ptr = NULL;

    for (char *name = strtok_r(others, " ", &save_ptr); name;
         name = strtok_r(NULL, " ", &save_ptr)) {
        watch_find(nve, topology_find_nve(t, name))->report = value;
    }
}

static void
run_command(struct topology *t, char *line)
{
    char *save_ptr = NULL;
    const char *cmd = strtok_r(line, " ", &save_ptr);
    char *arg = strtok_r(NULL, " ", &save_ptr);
    char *rest = save_ptr ? save_ptr : "";

    if (!strcmp(cmd, "gateway")) {
        toggle_gateway(topology_find_vn(t, arg), topology_find_nve(t, rest));
    } else if (!strcmp(cmd, "port")) {
        char *name = xasprintf("%s-%s", arg, rest);
        struct port *port = topology_add_port(t, name,
                                              hmap_count(&t->ports) + 100,
                                              topology_find_vn(t, arg));

        port->place.nve = topology_find_nve(t, rest);
        topology_add_presence(t, port->place.nve, port);
        free(name);
    } else if (!strcmp(cmd, "plan")) {
        plan(t, !arg);
    } else if (!strcmp(cmd, "judge")) {
        judge(t);
    } else if (!strcmp(cmd, "up") || !strcmp(cmd, "down")) {
        report(t, topology_find_nve(t, arg), rest,
               cmd[0] == 'u' ? WATCH_UP : WATCH_DOWN);
    } else if (!strcmp(cmd, "lost") || !strcmp(cmd, "found")) {
        topology_find_nve(t, arg)->failed = cmd[0] == 'l';
    } else {
        ovs_fatal(0, "%s: no such command", cmd);
    }
}

static void
remove_all(struct topology *t)
{
    struct gateway *gw;
    struct port *port;
    struct vn *vn;

    HMAP_FOR_EACH (vn, name_node, &t->vns) {
        LIST_FOR_EACH_SAFE (gw, vn_node, &vn->gateways) {
            toggle_gateway(vn, gw->nve);
        }
    }
    HMAP_FOR_EACH (port, name_node, &t->ports) {
        topology_remove_presence(t, port->place.nve, port);
    }
    watch_plan(t, true, on_changed, NULL);
    topology_uninit(t);
}

int
test_watch(int argc OVS_UNUSED, char *argv[] OVS_UNUSED)
{
    struct topology t;
    char line[128];

    topology_init(&t);
    for (char name[] = "a"; name[0] <= LAST_NVE; name[0]++) {
        topology_add_nve(&t, name, name[0] - 'a' + 1);
    }
    topology_add_vn(&t, "red", 32);
    topology_add_vn(&t, "blue", 33);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        printf("### %s\n", line);
        run_command(&t, line);
    }
    remove_all(&t);
    return 0;
}
