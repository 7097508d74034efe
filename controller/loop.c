/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "loop-private.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "fatal-signal.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(loop);

/* The I/O thread.  See loop-queue.h for how it talks with the control thread.
 *
 * It carries out the commands that have come, and then writes to each
 * connection what has gathered for it, without waiting for another turn of the
 * event loop.  What a connection receives is told to the control thread at the
 * end of the callback that read it.  Timers are not touched when messages come
 * and go: a connection notes when it last received something, and its one
 * timer finds out when it expires whether that was too long ago.  Only what is
 * sent to a peer that has been idle may make that sooner.
 *
 * Everything here runs in the I/O thread, except where a comment says
 * otherwise. */

#define LOOP_ACCEPT_PAUSE_MS 1000       /* When out of file descriptors. */
#define LOOP_ACCEPT_MAX 16              /* Before others get a turn. */

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

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 20);

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
                loop_timer_start(&listener->timer, LOOP_ACCEPT_PAUSE_MS);
            }
            break;
        }

        struct conn *conn = conn_create(loop, name, listener->protocol);
        loop->n_accepted++;
        conn->tls = listener->remote.tls;
        conn_accept(conn, fd);
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

/* Carries out 'cmd' and frees it. */
static void
loop_do(struct loop *loop, struct loop_cmd *cmd)
{
    switch (cmd->type) {
    case LOOP_CMD_CONNECT:
    case LOOP_CMD_SEND:
    case LOOP_CMD_PROBE:
    case LOOP_CMD_RESET:
    case LOOP_CMD_CLOSE:
        conn_do(cmd);
        break;

    case LOOP_CMD_LISTEN:
        listener_adopt(cmd->listener);
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
        conn_end(conn);
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
