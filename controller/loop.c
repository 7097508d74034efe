/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "fatal-signal.h"
#include "loop-framer.h"
#include "loop-pulse.h"
#include "loop-queue.h"
#include "loop-remote.h"
#include "loop-sock.h"
#include "loop-tls.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(loop);

/* The I/O thread.  See loop-queue.h for how it talks with the control thread.
 *
 * It carries out the commands that have come, and then writes to each
 * connection what has gathered for it, without waiting for another turn of the
 * event loop.  What a connection receives is told to the control thread at the
 * end of the callback that read it.  Timers are not touched when messages come
 * and go: a connection notes when it last received something, and its one
 * timer finds out when it expires whether that was too long ago.
 *
 * Everything here runs in the I/O thread, except where a comment says
 * otherwise. */

#define LOOP_CONNECT_MS 5000
#define LOOP_ACCEPT_PAUSE_MS 1000       /* When out of file descriptors. */
#define LOOP_ACCEPT_MAX 16              /* Before others get a turn. */
#define LOOP_BACKLOG_MAX (64 * 1024 * 1024)
#define LOOP_READ_SIZE (64 * 1024)
#define LOOP_READ_MAX 16                /* Before others get a turn. */

enum conn_state {
    CONN_BACKOFF,               /* No socket; 'timer' ends it. */
    CONN_CONNECTING,            /* Until the socket is writable. */
    CONN_HANDSHAKE,             /* TLS. */
    CONN_UP,                    /* Messages flow. */
    CONN_DEAD                   /* No socket; waits for loop_conn_close(). */
};

struct conn {
    struct loop_conn up;        /* What the control thread sees. */
    struct loop *loop;
    bool active;                /* Whether 'remote' is there to retry. */
    bool tls;
    struct loop_remote remote;

    struct ovs_list node;       /* In struct loop's 'conns'. */
    struct ovs_list dirty_node; /* In struct loop's 'dirty', or empty. */
    enum conn_state state;
    struct event timer;         /* Its meaning depends on 'state'. */
    struct loop_pulse pulse;
    uint32_t session;           /* The last one. */

    struct loop_sock sock;
    struct event readable;      /* Valid if 'sock' is open. */
    struct event writable;      /* Ditto. */
    struct loop_framer framer;
};

struct loop_listener {
    struct ovs_list node;       /* In struct loop's 'listeners'. */
    struct loop *loop;
    struct loop_remote remote;
    enum loop_protocol protocol;
    char *target;
    int fd;
    struct event readable;
    struct event timer;         /* Ends a pause. */
};

struct loop {
    struct loop_queue queue;    /* Must be first, see loop-queue.h. */
    struct loop_tls *tls;       /* Or null. */
    pthread_t thread;

    struct event_base *base;
    struct event cmd_event;
    struct ovs_list conns;      /* Contains "struct conn"s. */
    struct ovs_list listeners;  /* Contains "struct loop_listener"s. */
    struct ovs_list dirty;      /* Connections with something to write. */
    unsigned int n_accepted;
    uint8_t buffer[LOOP_READ_SIZE];
};

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 20);

static void conn_ready(int fd, short int what, void *conn_);

static void
timer_start(struct event *timer, long long int ms)
{
    struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
    event_add(timer, &tv);
}

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

/* Takes ownership of 'name'.  May be called in either thread. */
static struct conn *
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
    timer_start(&conn->timer, LOOP_CONNECT_MS);
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
        timer_start(&conn->timer,
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
    timer_start(&conn->timer, loop_pulse_up(&conn->pulse, time_msec()));
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

/* Writes as much as the socket takes. */
static void
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
        timer_start(&conn->timer, delay);
        break;

    case LOOP_PULSE_PROBE:
        timer_start(&conn->timer, delay);
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

/* Listeners. */

static void
listener_resume(int fd OVS_UNUSED, short int what OVS_UNUSED, void *listener_)
{
    struct loop_listener *listener = listener_;
    event_add(&listener->readable, NULL);
}

static void
listener_ready(int listen_fd, short int what OVS_UNUSED, void *listener_)
{
    struct loop_listener *listener = listener_;
    struct loop *loop = listener->loop;

    for (int i = 0; i < LOOP_ACCEPT_MAX; i++) {
        char *name;
        int fd = loop_remote_accept(&listener->remote, listen_fd,
                                    loop->n_accepted, &name);

        if (fd < 0) {
            if (fd != -EAGAIN && fd != -EINTR && fd != -ECONNABORTED) {
                VLOG_WARN_RL(&rl, "%s: cannot accept a connection (%s)",
                             listener->target, ovs_strerror(-fd));
                event_del(&listener->readable);
                timer_start(&listener->timer, LOOP_ACCEPT_PAUSE_MS);
            }
            break;
        }

        struct conn *conn = conn_create(loop, name, listener->protocol);
        loop->n_accepted++;
        conn->tls = listener->remote.tls;
        conn_adopt(conn);
        conn_attach(conn, fd);
        conn_established(conn);
    }
    loop_queue_publish(&loop->queue);
}

static void
listener_adopt(struct loop_listener *listener)
{
    struct loop *loop = listener->loop;

    ovs_list_push_back(&loop->listeners, &listener->node);
    event_assign(&listener->readable, loop->base, listener->fd,
                 EV_READ | EV_PERSIST, listener_ready, listener);
    evtimer_assign(&listener->timer, loop->base, listener_resume, listener);
    event_add(&listener->readable, NULL);
}

static void
listener_destroy(struct loop_listener *listener)
{
    close(listener->fd);
    if (listener->remote.path) {
        fatal_signal_unlink_file_now(listener->remote.path);
    }
    loop_remote_uninit(&listener->remote);
    free(listener->target);
    free(listener);
}

/* Commands. */

static void
loop_do_send(struct conn *conn, struct loop_cmd *cmd)
{
    if (conn->state == CONN_UP && conn->session == cmd->session) {
        loop_framer_sent(&conn->framer, cmd->msg);
        conn_put(conn, cmd->msg);
        cmd->msg = NULL;
    }
}

static void
loop_do_reset(struct conn *conn, struct loop_cmd *cmd)
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
loop_do_close(struct conn *conn)
{
    if (conn->state == CONN_UP) {
        free(loop_sock_flush(&conn->sock));
    }
    conn_detach(conn);
    ovs_list_remove(&conn->node);
    conn_report(conn, LOOP_DISCONNECTED)->closed = true;
}

/* Carries out 'cmd' and frees it. */
static void
loop_do(struct loop *loop, struct loop_cmd *cmd)
{
    struct conn *conn = (cmd->conn ? CONTAINER_OF(cmd->conn, struct conn, up)
                         : NULL);

    switch (cmd->type) {
    case LOOP_CMD_CONNECT:
        conn_adopt(conn);
        conn_connect(conn);
        break;

    case LOOP_CMD_LISTEN:
        listener_adopt(cmd->listener);
        break;

    case LOOP_CMD_SEND:
        loop_do_send(conn, cmd);
        break;

    case LOOP_CMD_RESET:
        loop_do_reset(conn, cmd);
        break;

    case LOOP_CMD_CLOSE:
        loop_do_close(conn);
        break;

    case LOOP_CMD_STOP:
        event_base_loopbreak(loop->base);
        break;

    default:
        OVS_NOT_REACHED();
    }
    loop_cmd_destroy(cmd);
}

static void
loop_cmds_ready(int fd OVS_UNUSED, short int what OVS_UNUSED, void *loop_)
{
    struct ovs_list cmds = OVS_LIST_INITIALIZER(&cmds);
    struct loop *loop = loop_;
    struct loop_cmd *cmd;

    loop_queue_take(&loop->queue, &cmds);
    LIST_FOR_EACH_POP (cmd, node, &cmds) {
        loop_do(loop, cmd);
    }
    while (!ovs_list_is_empty(&loop->dirty)) {
        conn_flush(CONTAINER_OF(ovs_list_front(&loop->dirty), struct conn,
                                dirty_node));
    }
    loop_queue_publish(&loop->queue);
}

static void *
loop_main(void *loop_)
{
    struct loop_listener *listener;
    struct loop *loop = loop_;
    struct conn *conn;

    /* This thread never looks at what RCU protects, and must not keep others
     * from freeing it. */
    ovsrcu_quiesce_start();

    event_base_dispatch(loop->base);

    LIST_FOR_EACH_POP (conn, node, &loop->conns) {
        conn_detach(conn);
        conn_destroy(&conn->up);
    }
    LIST_FOR_EACH_POP (listener, node, &loop->listeners) {
        event_del(&listener->readable);
        event_del(&listener->timer);
        listener_destroy(listener);
    }
    return NULL;
}

/* Life of the loop, in the control thread. */

/* Starts loop_main() with all signals blocked.  That includes SIGPIPE, which
 * TLS would cause when the peer is gone. */
static void
loop_start(struct loop *loop)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    loop->thread = ovs_thread_create("loop", loop_main, loop);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

char *
loop_create(const struct loop_tls_files *files, struct loop **loopp)
{
    struct loop_tls *tls = NULL;

    *loopp = NULL;
    if (files) {
        char *error = loop_tls_create(files, &tls);
        if (error) {
            return error;
        }
    }

    struct loop *loop = xzalloc(sizeof *loop);
    loop->tls = tls;
    loop->base = event_base_new();
    int error = loop->base ? loop_queue_init(&loop->queue) : ENOMEM;
    if (error) {
        if (loop->base) {
            event_base_free(loop->base);
        }
        loop_tls_destroy(tls);
        free(loop);
        return xasprintf("cannot start the I/O thread (%s)",
                         ovs_strerror(error));
    }
    ovs_list_init(&loop->conns);
    ovs_list_init(&loop->listeners);
    ovs_list_init(&loop->dirty);
    event_assign(&loop->cmd_event, loop->base, loop->queue.cmd_fd,
                 EV_READ | EV_PERSIST, loop_cmds_ready, loop);
    event_add(&loop->cmd_event, NULL);
    loop_start(loop);
    *loopp = loop;
    return NULL;
}

void
loop_destroy(struct loop *loop)
{
    if (loop) {
        loop_queue_put(&loop->queue,
                       &(struct loop_cmd) { .type = LOOP_CMD_STOP });
        xpthread_join(loop->thread, NULL);

        event_del(&loop->cmd_event);
        event_base_free(loop->base);
        loop_queue_uninit(&loop->queue);
        loop_tls_destroy(loop->tls);
        free(loop);
    }
}

char *
loop_check_remote(const struct loop *loop, const char *s)
{
    struct loop_remote remote;
    char *error = loop_remote_parse(s, false, loop->tls, &remote);

    if (!error) {
        loop_remote_uninit(&remote);
    }
    return error;
}

struct loop_conn *
loop_connect(struct loop *loop, const char *s, enum loop_protocol protocol,
             void *aux)
{
    struct conn *conn = conn_create(loop, xstrdup(s), protocol);
    char *error = loop_remote_parse(s, false, loop->tls, &conn->remote);

    ovs_assert(!error);
    conn->up.aux = aux;
    conn->active = true;
    conn->tls = conn->remote.tls;
    loop_queue_put(&loop->queue, &(struct loop_cmd) {
        .type = LOOP_CMD_CONNECT,
        .conn = &conn->up,
    });
    return &conn->up;
}

char *
loop_listen(struct loop *loop, const char *target, enum loop_protocol protocol)
{
    struct loop_remote remote;
    char *error = loop_remote_parse(target, true, loop->tls, &remote);

    if (error) {
        return error;
    }

    int fd = loop_remote_listen(&remote);
    if (fd < 0) {
        loop_remote_uninit(&remote);
        return xasprintf("%s: cannot listen (%s)", target, ovs_strerror(-fd));
    }

    struct loop_listener *listener = xzalloc(sizeof *listener);
    listener->loop = loop;
    listener->remote = remote;
    listener->protocol = protocol;
    listener->target = xstrdup(target);
    listener->fd = fd;
    loop_queue_put(&loop->queue, &(struct loop_cmd) {
        .type = LOOP_CMD_LISTEN,
        .listener = listener,
    });
    return NULL;
}
