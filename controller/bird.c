/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "bird.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "socket-util.h"
#include "stream.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(bird);

/* When to try again, and how long an answer may take, in ms. */
#define RETRY_MS 3000
#define ANSWER_MS 10000

/* The most that it may say before the line that ends an answer, in bytes. */
#define MAX_ANSWER 65536

struct bird {
    char *socket;
    bool wanted;                /* The configuration is to be read. */
    long long int retry_at;     /* Not before then. */

    struct stream *stream;      /* Null if nothing is under way. */
    bool greeted;               /* It has said who it is, and was asked. */
    long long int deadline;
    struct ds answer;           /* What has been heard. */
};

struct bird *
bird_create(const char *socket)
{
    struct bird *bird = xzalloc(sizeof *bird);

    bird->socket = xstrdup(socket);
    bird->retry_at = LLONG_MIN;
    ds_init(&bird->answer);
    return bird;
}

void
bird_destroy(struct bird *bird)
{
    if (bird) {
        stream_close(bird->stream);
        ds_destroy(&bird->answer);
        free(bird->socket);
        free(bird);
    }
}

void
bird_configure(struct bird *bird)
{
    bird->wanted = true;
}

static void
disconnect(struct bird *bird)
{
    stream_close(bird->stream);
    bird->stream = NULL;
    bird->greeted = false;
    ds_clear(&bird->answer);
}

static void
fail(struct bird *bird, long long int now, const char *reason)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

    VLOG_WARN_RL(&rl, "%s: BIRD has not read its configuration (%s); trying "
                 "again in %d s", bird->socket, reason, RETRY_MS / 1000);
    disconnect(bird);
    bird->wanted = true;
    bird->retry_at = now + RETRY_MS;
}

static void
start(struct bird *bird, long long int now)
{
    char *name = xasprintf("unix:%s", bird->socket);
    int error = stream_open(name, &bird->stream, DSCP_DEFAULT);

    free(name);
    if (error) {
        bird->stream = NULL;
        fail(bird, now, ovs_strerror(error));
        return;
    }
    bird->wanted = false;
    bird->deadline = now + ANSWER_MS;
}

/* Returns the line that ends an answer, without the end of the line, or null
 * if it is not there yet.  All lines of an answer but the last have no code of
 * four digits that a space follows. */
static char *
take_last_line(struct ds *answer)
{
    for (char *line = ds_cstr(answer), *end; (end = strchr(line, '\n'));
         line = end + 1) {
        if (end - line >= 5 && isdigit((unsigned char) line[0])
            && isdigit((unsigned char) line[1])
            && isdigit((unsigned char) line[2])
            && isdigit((unsigned char) line[3]) && line[4] == ' ') {
            char *last = xmemdup0(line, end - line);

            ds_clear(answer);
            return last;
        }
    }
    return NULL;
}

/* 'line' ended an answer: that to the connection, or that to the command.
 * Codes above 8000 are errors. */
static void
answered(struct bird *bird, const char *line, long long int now)
{
    static const char command[] = "configure\n";

    if (line[0] >= '8') {
        fail(bird, now, line);
    } else if (!bird->greeted) {
        bird->greeted = true;
        if (stream_send(bird->stream, command, strlen(command))
            != strlen(command)) {
            fail(bird, now, "it does not listen");
        }
    } else {
        VLOG_DBG("%s: %s", bird->socket, line);
        disconnect(bird);
    }
}

/* Reads what there is.  Returns false if it is all. */
static bool
read_answer(struct bird *bird, long long int now)
{
    char buffer[512];
    int n = stream_recv(bird->stream, buffer, sizeof buffer);
    char *line;

    if (n == -EAGAIN) {
        if (now >= bird->deadline) {
            fail(bird, now, "it does not answer");
        }
        return false;
    } else if (n <= 0) {
        fail(bird, now, n ? ovs_strerror(-n) : "it closed the connection");
        return false;
    }
    ds_put_buffer(&bird->answer, buffer, n);
    line = take_last_line(&bird->answer);
    if (line) {
        answered(bird, line, now);
        free(line);
    } else if (bird->answer.length > MAX_ANSWER) {
        fail(bird, now, "it does not end its answer");
    }
    return bird->stream != NULL;
}

void
bird_run(struct bird *bird, long long int now)
{
    int error;

    if (!bird->stream && bird->wanted && now >= bird->retry_at) {
        start(bird, now);
    }
    if (!bird->stream) {
        return;
    }
    stream_run(bird->stream);
    error = stream_connect(bird->stream);
    if (error && error != EAGAIN) {
        fail(bird, now, ovs_strerror(error));
    } else if (!error) {
        while (read_answer(bird, now)) {
            /* There may be more. */
        }
    }
}

void
bird_wait(struct bird *bird)
{
    if (bird->stream) {
        stream_run_wait(bird->stream);
        stream_recv_wait(bird->stream);
        poll_timer_wait_until(bird->deadline);
    } else if (bird->wanted) {
        poll_timer_wait_until(bird->retry_at);
    }
}
