/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "loop-queue.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/poll-loop.h"
#include "util.h"

int
loop_queue_init(struct loop_queue *queue)
{
    queue->cmd_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->cmd_fd < 0) {
        return errno;
    }
    ovs_mutex_init(&queue->mutex);
    latch_init(&queue->latch);
    ovs_list_init(&queue->cmds);
    ovs_list_init(&queue->items);
    ovs_list_init(&queue->taken);
    ovs_list_init(&queue->news);
    return 0;
}

static void
item_destroy(struct loop_item *item)
{
    ofpbuf_delete(item->event.ofp);
    jsonrpc_msg_destroy(item->event.json);
    free(item->event.error);
    if (item->closed) {
        item->event.conn->destroy(item->event.conn);
    }
    free(item);
}

void
loop_cmd_destroy(struct loop_cmd *cmd)
{
    ofpbuf_delete(cmd->msg);
    free(cmd->reason);
    free(cmd);
}

void
loop_queue_uninit(struct loop_queue *queue)
{
    struct loop_item *item;
    struct loop_cmd *cmd;

    loop_queue_publish(queue);
    ovs_list_push_back_all(&queue->taken, &queue->items);
    LIST_FOR_EACH_POP (item, node, &queue->taken) {
        item_destroy(item);
    }
    LIST_FOR_EACH_POP (cmd, node, &queue->cmds) {
        loop_cmd_destroy(cmd);
    }
    latch_destroy(&queue->latch);
    ovs_mutex_destroy(&queue->mutex);
    close(queue->cmd_fd);
}

void
loop_queue_put(struct loop_queue *queue, const struct loop_cmd *cmd_)
{
    struct loop_cmd *cmd = xmemdup(cmd_, sizeof *cmd_);

    ovs_mutex_lock(&queue->mutex);
    bool wake = ovs_list_is_empty(&queue->cmds);
    ovs_list_push_back(&queue->cmds, &cmd->node);
    ovs_mutex_unlock(&queue->mutex);
    if (wake) {
        uint64_t one = 1;
        ignore(write(queue->cmd_fd, &one, sizeof one));
    }
}

void
loop_queue_take(struct loop_queue *queue, struct ovs_list *cmds)
{
    uint64_t n;

    /* In this order, so that no wake-up is lost. */
    ignore(read(queue->cmd_fd, &n, sizeof n));
    ovs_mutex_lock(&queue->mutex);
    ovs_list_push_back_all(cmds, &queue->cmds);
    ovs_mutex_unlock(&queue->mutex);
}

struct loop_item *
loop_queue_report(struct loop_queue *queue, struct loop_conn *conn,
                  enum loop_event_type type)
{
    struct loop_item *item = xzalloc(sizeof *item);

    item->event.type = type;
    item->event.protocol = conn->protocol;
    item->event.conn = conn;
    ovs_list_push_back(&queue->news, &item->node);
    return item;
}

void
loop_queue_publish(struct loop_queue *queue)
{
    if (!ovs_list_is_empty(&queue->news)) {
        ovs_mutex_lock(&queue->mutex);
        bool wake = ovs_list_is_empty(&queue->items);
        ovs_list_push_back_all(&queue->items, &queue->news);
        ovs_mutex_unlock(&queue->mutex);
        if (wake) {
            latch_set(&queue->latch);
        }
    }
}

static struct loop_queue *
loop_queue(struct loop *loop)
{
    return (struct loop_queue *) loop;
}

bool
loop_next_event(struct loop *loop, struct loop_event *event)
{
    struct loop_queue *queue = loop_queue(loop);
    struct loop_item *item;

    if (ovs_list_is_empty(&queue->taken)) {
        latch_poll(&queue->latch);
        ovs_mutex_lock(&queue->mutex);
        ovs_list_push_back_all(&queue->taken, &queue->items);
        ovs_mutex_unlock(&queue->mutex);
    }

    LIST_FOR_EACH_POP (item, node, &queue->taken) {
        struct loop_conn *conn = item->event.conn;

        if (conn->closed) {
            item_destroy(item);
            continue;
        }
        if (item->event.type == LOOP_DISCONNECTED) {
            conn->session = 0;
        } else if (item->event.type != LOOP_MESSAGE) {
            conn->session = item->session;
        }
        *event = item->event;
        free(item);
        return true;
    }
    return false;
}

void
loop_wait(struct loop *loop)
{
    struct loop_queue *queue = loop_queue(loop);

    if (!ovs_list_is_empty(&queue->taken)) {
        poll_immediate_wake();
    } else {
        latch_wait(&queue->latch);
    }
}

/* Sends the bytes of 'msg', of which it takes ownership. */
static void
conn_send(struct loop_conn *conn, struct ofpbuf *msg)
{
    loop_queue_put(conn->queue, &(struct loop_cmd) {
        .type = LOOP_CMD_SEND,
        .conn = conn,
        .session = conn->session,
        .msg = msg,
    });
}

void
loop_conn_send_ofp(struct loop_conn *conn, struct ofpbuf *msg)
{
    ovs_assert(conn->protocol == LOOP_OPENFLOW && msg->size <= UINT16_MAX);
    ofpmsg_update_length(msg);
    loop_conn_send_ofps(conn, msg);
}

void
loop_conn_send_ofps(struct loop_conn *conn, struct ofpbuf *msgs)
{
    if (conn->session) {
        conn_send(conn, msgs);
    } else {
        ofpbuf_delete(msgs);
    }
}

void
loop_conn_send_json(struct loop_conn *conn, struct jsonrpc_msg *msg)
{
    ovs_assert(conn->protocol == LOOP_JSONRPC);
    if (!conn->session) {
        jsonrpc_msg_destroy(msg);
        return;
    }

    /* Here and not in the I/O thread, because 'msg' may share data with other
     * things of the control thread, and the reference counts of JSON are not
     * atomic. */
    struct json *json = jsonrpc_msg_to_json(msg);
    struct ds s = DS_EMPTY_INITIALIZER;
    json_to_ds(json, 0, &s);
    json_destroy(json);

    struct ofpbuf *b = xmalloc(sizeof *b);
    ofpbuf_use_ds(b, &s);
    conn_send(conn, b);
}

void
loop_conn_reset(struct loop_conn *conn, const char *reason)
{
    if (conn->session) {
        loop_queue_put(conn->queue, &(struct loop_cmd) {
            .type = LOOP_CMD_RESET,
            .conn = conn,
            .session = conn->session,
            .reason = xstrdup(reason),
        });
    }
}

void
loop_conn_close(struct loop_conn *conn)
{
    if (conn) {
        ovs_assert(!conn->closed);
        conn->closed = true;
        loop_queue_put(conn->queue, &(struct loop_cmd) {
            .type = LOOP_CMD_CLOSE,
            .conn = conn,
        });
    }
}

void *
loop_conn_get_aux(const struct loop_conn *conn)
{
    return conn->aux;
}

void
loop_conn_set_aux(struct loop_conn *conn, void *aux)
{
    conn->aux = aux;
}

const char *
loop_conn_get_name(const struct loop_conn *conn)
{
    return conn->name;
}

void
loop_conn_set_probe(struct loop_conn *conn, int interval)
{
    loop_queue_put(conn->queue, &(struct loop_cmd) {
        .type = LOOP_CMD_PROBE,
        .conn = conn,
        .interval = interval,
    });
}
