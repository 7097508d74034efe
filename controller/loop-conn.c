/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>


#include "loop-private.h"

#include <errno.h>
#include <string.h>

#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(loop_conn);

#define LOOP_CONNECT_MS 5000
#define LOOP_BACKLOG_MAX (64 * 1024 * 1024)
#define LOOP_READ_MAX 16                /* Before others get a turn. */

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 20);

static void conn_ready(int fd, short int what, void *conn_);

/* Life of a connection. */

/* Frees 'up', which has no socket and is in no list, and of which neither
 * thread knows anything. */
static void
conn_destroy(struct loop_conn *up)
{
    struct conn *conn = CONTAINER_OF(up, struct conn, up);

    loop_remote_uninit(&conn->remote);
    loop_framer_uninit(&conn->framer);
    free(conn->up.name);
    free(conn);
}

struct conn *
conn_create(struct loop *loop, char *name, enum loop_protocol protocol)
{
    struct conn *conn = xzalloc(sizeof *conn);

    conn->up.queue = &loop->queue;
    conn->up.name = name;
    conn->up.protocol = protocol;
    conn->up.destroy = conn_destroy;
    conn->loop = loop;
    ovs_list_init(&conn->dirty_node);
    loop_sock_init(&conn->sock);
    loop_framer_init(&conn->framer, protocol);
    loop_pulse_init(&conn->pulse);
    return conn;
}

static struct loop_item *
conn_report(struct conn *conn, enum loop_event_type type)
{
    return loop_queue_report(&conn->loop->queue, &conn->up, type);
}

/* Makes 'fd' the socket of 'conn', with the limit of time for it to come up
 * running. */
static void
conn_attach(struct conn *conn, int fd)
{
    struct event_base *base = conn->loop->base;

    conn->sock.fd = fd;
    event_assign(&conn->readable, base, fd, EV_READ | EV_PERSIST,
                 conn_ready, conn);
    event_assign(&conn->writable, base, fd, EV_WRITE | EV_PERSIST,
                 conn_ready, conn);
    loop_timer_start(&conn->timer, LOOP_CONNECT_MS);
}

/* Closes the socket of 'conn', if there is one, and forgets what was partly
 * received or sent. */
static void
conn_detach(struct conn *conn)
{
    event_del(&conn->timer);
    if (conn->sock.fd >= 0) {
        event_del(&conn->readable);
        event_del(&conn->writable);
    }
    loop_sock_close(&conn->sock);
    loop_framer_uninit(&conn->framer);
    loop_framer_init(&conn->framer, conn->up.protocol);
    ovs_list_remove(&conn->dirty_node);
    ovs_list_init(&conn->dirty_node);
}

/* Takes 'conn' down because of 'reason', of which it takes ownership.  The
 * caller must not use 'conn' any more: if it is one that was never reported to
 * the control thread, it is gone. */
static void
conn_lost(struct conn *conn, enum vlog_level level, char *reason)
{
    bool was_up = conn->state == CONN_UP;

    /* An attempt that goes on failing is not worth repeating. */
    if (was_up || !loop_pulse_is_hopeless(&conn->pulse)) {
        vlog_rate_limit(&this_module, level, &rl, "%s: %s (%s)", conn->up.name,
                        was_up ? "disconnected" : "connection failed", reason);
    }

    conn_detach(conn);
    if (was_up) {
        conn_report(conn, LOOP_DISCONNECTED)->event.error = reason;
    } else {
        free(reason);
    }
    if (conn->active) {
        conn->state = CONN_BACKOFF;
        loop_timer_start(&conn->timer,
                         loop_pulse_down(&conn->pulse, time_msec(), was_up));
    } else if (was_up) {
        conn->state = CONN_DEAD;
    } else {
        ovs_list_remove(&conn->node);
        conn_destroy(&conn->up);
    }
}

static void
conn_up(struct conn *conn)
{
    conn->state = CONN_UP;
    event_del(&conn->writable);
    event_add(&conn->readable, NULL);
    loop_timer_start(&conn->timer, loop_pulse_up(&conn->pulse, time_msec()));
    VLOG_INFO_RL(&rl, "%s: connected", conn->up.name);

    /* Zero means down. */
    conn->session += conn->session == UINT32_MAX ? 2 : 1;
    conn_report(conn, conn->active ? LOOP_CONNECTED : LOOP_ACCEPTED)->session
        = conn->session;
}

static void
conn_handshake(struct conn *conn)
{
    char *error = NULL;
    int retval = loop_tls_handshake(conn->sock.tls, &error);

    if (retval > 0) {
        conn_up(conn);
    } else if (retval == LOOP_TLS_AGAIN) {
        event_add(&conn->readable, NULL);
        if (loop_tls_wants_write(conn->sock.tls)) {
            event_add(&conn->writable, NULL);
        } else {
            event_del(&conn->writable);
        }
    } else {
        conn_lost(conn, retval ? VLL_WARN : VLL_INFO,
                  retval ? error
                  : xstrdup("connection closed by peer in TLS handshake"));
    }
}

/* Goes on with 'conn', whose socket is connected. */
static void
conn_established(struct conn *conn)
{
    if (!conn->tls) {
        conn_up(conn);
        return;
    }

    conn->sock.tls = loop_tls_open(conn->loop->tls, conn->sock.fd,
                                   !conn->active);
    if (!conn->sock.tls) {
        conn_lost(conn, VLL_WARN, xstrdup("TLS cannot be started"));
        return;
    }
    conn->state = CONN_HANDSHAKE;
    conn_handshake(conn);
}

static void
conn_connect(struct conn *conn)
{
    int fd = loop_remote_connect(&conn->remote);

    conn->state = CONN_CONNECTING;
    if (fd < 0) {
        conn_lost(conn, VLL_INFO, xstrdup(ovs_strerror(-fd)));
        return;
    }
    conn_attach(conn, fd);
    if (conn->remote.path) {
        /* Never in progress. */
        conn_established(conn);
    } else {
        event_add(&conn->writable, NULL);
    }
}

static void
conn_connected(struct conn *conn)
{
    int error = loop_sock_connect_error(&conn->sock);

    if (error) {
        conn_lost(conn, VLL_INFO, xstrdup(ovs_strerror(error)));
    } else {
        event_del(&conn->writable);
        conn_established(conn);
    }
}

/* Messages. */

/* Queues 'msg' and takes ownership of it.  conn_flush() writes it. */
static void
conn_put(struct conn *conn, struct ofpbuf *msg)
{
    loop_sock_put(&conn->sock, msg);
    if (ovs_list_is_empty(&conn->dirty_node)) {
        ovs_list_push_back(&conn->loop->dirty, &conn->dirty_node);
    }
}

void
conn_flush(struct conn *conn)
{
    ovs_list_remove(&conn->dirty_node);
    ovs_list_init(&conn->dirty_node);

    char *error = loop_sock_flush(&conn->sock);
    if (error) {
        conn_lost(conn, VLL_INFO, error);
    } else if (conn->sock.out_bytes > LOOP_BACKLOG_MAX) {
        conn_lost(conn, VLL_WARN,
                  xasprintf("peer does not read, %"PRIuSIZE" bytes wait for "
                            "it", conn->sock.out_bytes));
    } else if (loop_sock_wants_write(&conn->sock)) {
        event_add(&conn->writable, NULL);
    } else if (event_pending(&conn->writable, EV_WRITE, NULL)) {
        event_del(&conn->writable);
    }
}

/* Returns null if the 'n' bytes at 'p' make sense, otherwise why not. */
static char *
conn_received(struct conn *conn, const uint8_t *p, size_t n)
{
    while (n) {
        struct loop_frame frame;
        char *error = loop_framer_feed(&conn->framer, &p, &n, &frame);

        if (error) {
            return error;
        } else if (frame.reply) {
            conn_put(conn, frame.reply);
        } else if (frame.ofp || frame.json) {
            struct loop_item *item = conn_report(conn, LOOP_MESSAGE);
            item->event.ofp = frame.ofp;
            item->event.json = frame.json;
        }
    }
    return NULL;
}

/* Reads what there is to read.  Returns false if the connection was lost. */
static bool
conn_read(struct conn *conn)
{
    uint8_t *buffer = conn->loop->buffer;

    for (int i = 0; i < LOOP_READ_MAX; i++) {
        char *error = NULL;
        ssize_t n = loop_sock_read(&conn->sock, buffer, LOOP_READ_SIZE,
                                   &error);

        if (n == LOOP_TLS_AGAIN) {
            break;
        } else if (n <= 0) {
            conn_lost(conn, VLL_INFO,
                      error ? error : xstrdup("connection closed by peer"));
            return false;
        }

        loop_pulse_received(&conn->pulse, time_msec());
        error = conn_received(conn, buffer, n);
        if (error) {
            conn_lost(conn, VLL_WARN, error);
            return false;
        }
        if (!conn->sock.tls && n < LOOP_READ_SIZE) {
            break;
        }
    }
    return true;
}

/* The socket of 'conn_' is ready for something. */
static void
conn_ready(int fd OVS_UNUSED, short int what, void *conn_)
{
    struct conn *conn = conn_;
    struct loop *loop = conn->loop;

    switch (conn->state) {
    case CONN_CONNECTING:
        conn_connected(conn);
        break;

    case CONN_HANDSHAKE:
        conn_handshake(conn);
        break;

    case CONN_UP:
        /* TLS may have to write in order to read, and the other way round. */
        if (!(what & EV_READ || conn->sock.tls) || conn_read(conn)) {
            conn_flush(conn);
        }
        break;

    case CONN_BACKOFF:
    case CONN_DEAD:
    default:
        OVS_NOT_REACHED();
    }
    loop_queue_publish(&loop->queue);
}

/* Looks after a connection that is up and may have been silent. */
static void
conn_check_alive(struct conn *conn)
{
    struct ofpbuf *probe;
    int delay;

    switch (loop_pulse_run(&conn->pulse, time_msec(), &delay)) {
    case LOOP_PULSE_WAIT:
        loop_timer_start(&conn->timer, delay);
        break;

    case LOOP_PULSE_PROBE:
        loop_timer_start(&conn->timer, delay);
        probe = loop_framer_probe(&conn->framer);
        if (probe) {
            conn_put(conn, probe);
            conn_flush(conn);
        }
        break;

    case LOOP_PULSE_GIVE_UP:
        conn_lost(conn, VLL_WARN,
                  xasprintf("nothing received for %lld seconds",
                            (time_msec() - conn->pulse.received) / 1000));
        break;

    default:
        OVS_NOT_REACHED();
    }
}

static void
conn_timeout(int fd OVS_UNUSED, short int what OVS_UNUSED, void *conn_)
{
    struct conn *conn = conn_;
    struct loop *loop = conn->loop;

    switch (conn->state) {
    case CONN_BACKOFF:
        conn_connect(conn);
        break;

    case CONN_CONNECTING:
        conn_lost(conn, VLL_INFO, xstrdup("connection attempt timed out"));
        break;

    case CONN_HANDSHAKE:
        conn_lost(conn, VLL_INFO, xstrdup("TLS handshake timed out"));
        break;

    case CONN_UP:
        conn_check_alive(conn);
        break;

    case CONN_DEAD:
    default:
        OVS_NOT_REACHED();
    }
    loop_queue_publish(&loop->queue);
}

/* Adds 'conn', new, to those of the I/O thread. */
static void
conn_adopt(struct conn *conn)
{
    evtimer_assign(&conn->timer, conn->loop->base, conn_timeout, conn);
    ovs_list_push_back(&conn->loop->conns, &conn->node);
}

void
conn_accept(struct conn *conn, int fd)
{
    conn_adopt(conn);
    conn_attach(conn, fd);
    conn_established(conn);
}

void
conn_end(struct conn *conn)
{
    conn_detach(conn);
    conn_destroy(&conn->up);
}

/* Commands. */

static void
do_send(struct conn *conn, struct loop_cmd *cmd)
{
    if (conn->state == CONN_UP && conn->session == cmd->session) {
        long long int now = time_msec();
        int delay;

        loop_framer_sent(&conn->framer, cmd->msg);
        conn_put(conn, cmd->msg);
        cmd->msg = NULL;
        if (loop_pulse_sent(&conn->pulse, now, &delay)) {
            loop_timer_start(&conn->timer, delay);
        }
    }
}

static void
do_reset(struct conn *conn, struct loop_cmd *cmd)
{
    if (conn->state == CONN_UP && conn->session == cmd->session) {
        /* Farewells sent so far still go out, if the socket takes them.  An
         * error does not matter any more. */
        free(loop_sock_flush(&conn->sock));
        conn_lost(conn, VLL_INFO, cmd->reason);
        cmd->reason = NULL;
    }
}

static void
do_close(struct conn *conn)
{
    if (conn->state == CONN_UP) {
        free(loop_sock_flush(&conn->sock));
    }
    conn_detach(conn);
    ovs_list_remove(&conn->node);
    conn_report(conn, LOOP_DISCONNECTED)->closed = true;
}

/* Changes how often a silent peer is asked. */
static void
do_probe(struct conn *conn, int interval)
{
    conn->pulse.interval = interval;
    if (conn->state == CONN_UP) {
        conn_check_alive(conn);
    }
}

void
conn_do(struct loop_cmd *cmd)
{
    struct conn *conn = CONTAINER_OF(cmd->conn, struct conn, up);

    switch (cmd->type) {
    case LOOP_CMD_CONNECT:
        conn_adopt(conn);
        conn_connect(conn);
        break;

    case LOOP_CMD_SEND:
        do_send(conn, cmd);
        break;

    case LOOP_CMD_PROBE:
        do_probe(conn, cmd->interval);
        break;

    case LOOP_CMD_RESET:
        do_reset(conn, cmd);
        break;

    case LOOP_CMD_CLOSE:
        do_close(conn);
        break;

    case LOOP_CMD_LISTEN:
    case LOOP_CMD_STOP:
    default:
        OVS_NOT_REACHED();
    }
}
