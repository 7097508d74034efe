/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "bird.h"
#include "clock.h"
#include "coverage.h"
#include "host-route.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "unixctl.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(nva_route);

COVERAGE_DEFINE(nva_route_unchanged);

/* A change of host routes waits this long for others, in ms; then all are
 * written.  It is in nobody's way: the gateway that a route leads to so far
 * forwards as long as it is there. */
#define DELAY_MS 500

/* When to write again if that was not possible. */
#define RETRY_MS 3000

/* The file of host routes for a routing daemon (V5). */
struct nva_routes {
    char *file;
    struct bird *bird;          /* Is told of changes; or null. */
    char *written;              /* What is in the file; null: not known. */
    long long int write_at;     /* LLONG_MAX if nothing has changed. */
};

/* Replaces the file by one with 'text', so that nobody sees half of it.
 * Returns 0 or an errno. */
static int
write_file(const char *file, const char *text, size_t length)
{
    char *tmp = xasprintf("%s.tmp", file);
    FILE *stream = fopen(tmp, "w");
    int error = stream ? 0 : errno;

    if (stream) {
        if (fwrite(text, 1, length, stream) != length) {
            error = errno;
        }
        if (fclose(stream) && !error) {
            error = errno;
        }
        if (!error && rename(tmp, file)) {
            error = errno;
        }
    }
    free(tmp);
    return error;
}

static void
list_routes(struct unixctl_conn *conn, int argc OVS_UNUSED,
            const char *argv[] OVS_UNUSED, void *nva_)
{
    const struct nva *nva = nva_;
    struct ds s = DS_EMPTY_INITIALIZER;

    host_routes_format(&nva->topology, &s);
    unixctl_command_reply(conn, ds_cstr(&s));
    ds_destroy(&s);
}

struct nva_routes *
nva_routes_create(struct nva *nva, const char *file, const char *bird)
{
    struct nva_routes *r = NULL;

    unixctl_command_register("nva/routes", "", 0, 0, list_routes, nva);
    if (file) {
        r = xzalloc(sizeof *r);
        r->file = xstrdup(file);
        r->bird = bird ? bird_create(bird) : NULL;
        r->write_at = LLONG_MAX;
    }
    return r;
}

void
nva_routes_destroy(struct nva_routes *r)
{
    if (r) {
        bird_destroy(r->bird);
        free(r->file);
        free(r->written);
        free(r);
    }
}

void
nva_routes_changed(struct nva *nva)
{
    struct nva_routes *r = nva->routes;

    if (r && r->write_at == LLONG_MAX) {
        r->write_at = clock_msec() + DELAY_MS;
    }
}

/* Writes the file if that changes it, and tells the routing daemon. */
static void
update(struct nva_routes *r, const struct topology *t, long long int now)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);
    struct ds s = DS_EMPTY_INITIALIZER;
    size_t n;
    int error;

    ds_put_cstr(&s, "# Host routes of VMs.  Written by nva-controller; "
                "changes are lost.\n");
    n = host_routes_format(t, &s);
    r->write_at = LLONG_MAX;
    if (r->written && !strcmp(r->written, ds_cstr(&s))) {
        COVERAGE_INC(nva_route_unchanged);
        ds_destroy(&s);
        return;
    }
    error = write_file(r->file, ds_cstr(&s), s.length);
    if (error) {
        VLOG_WARN_RL(&rl, "%s: host routes cannot be written (%s); trying "
                     "again in %d s", r->file, ovs_strerror(error),
                     RETRY_MS / 1000);
        r->write_at = now + RETRY_MS;
        ds_destroy(&s);
        return;
    }
    VLOG_DBG("%s: %"PRIuSIZE" host routes", r->file, n);
    free(r->written);
    r->written = ds_steal_cstr(&s);
    if (r->bird) {
        bird_configure(r->bird);
    }
}

void
nva_routes_run(struct nva *nva, long long int now)
{
    struct nva_routes *r = nva->routes;

    if (r && !r->written && r->write_at == LLONG_MAX) {
        /* What there is may be that of another time. */
        r->write_at = now + DELAY_MS;
    }
    if (r && now >= r->write_at) {
        update(r, &nva->topology, now);
    }
    if (r && r->bird) {
        bird_run(r->bird, now);
    }
}

void
nva_routes_wait(const struct nva *nva)
{
    const struct nva_routes *r = nva->routes;

    if (r && r->write_at != LLONG_MAX) {
        poll_timer_wait_until(r->write_at);
    }
    if (r && r->bird) {
        bird_wait(r->bird);
    }
}
