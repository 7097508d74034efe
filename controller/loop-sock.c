/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "loop-sock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "loop-tls.h"
#include "openvswitch/ofpbuf.h"
#include "util.h"

#define LOOP_SOCK_IOVS 64
#define LOOP_SOCK_RECORD (16 * 1024)    /* The largest TLS record. */

void
loop_sock_init(struct loop_sock *sock)
{
    sock->fd = -1;
    sock->tls = NULL;
    ovs_list_init(&sock->out);
    sock->out_bytes = 0;
}

void
loop_sock_close(struct loop_sock *sock)
{
    loop_tls_close(sock->tls);
    if (sock->fd >= 0) {
        close(sock->fd);
    }
    ofpbuf_list_delete(&sock->out);
    loop_sock_init(sock);
}

int
loop_sock_connect_error(const struct loop_sock *sock)
{
    int error = 0;
    socklen_t len = sizeof error;

    return (getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &len) ? errno
            : error);
}

void
loop_sock_put(struct loop_sock *sock, struct ofpbuf *msg)
{
    ovs_list_push_back(&sock->out, &msg->list_node);
    sock->out_bytes += msg->size;
}

static ssize_t
write_tls(struct loop_sock *sock, char **error)
{
    uint8_t record[LOOP_SOCK_RECORD];
    struct ofpbuf *b;
    size_t n = 0;

    LIST_FOR_EACH (b, list_node, &sock->out) {
        size_t chunk = MIN(b->size, sizeof record - n);

        memcpy(record + n, b->data, chunk);
        n += chunk;
        if (n == sizeof record) {
            break;
        }
    }

    ssize_t retval = loop_tls_write(sock->tls, record, n, error);
    if (!retval) {
        *error = xstrdup("connection closed by peer");
        return LOOP_TLS_ERROR;
    }
    return retval;
}

/* Turns what a system call returned into what we return. */
static ssize_t
interpret(ssize_t n, char **error)
{
    if (n >= 0) {
        return n;
    } else if (errno == EAGAIN) {
        return LOOP_TLS_AGAIN;
    }
    *error = xstrdup(ovs_strerror(errno));
    return LOOP_TLS_ERROR;
}

static ssize_t
write_plain(struct loop_sock *sock, char **error)
{
    struct iovec iovs[LOOP_SOCK_IOVS];
    struct msghdr msg = { .msg_iov = iovs };
    struct ofpbuf *b;
    ssize_t n;

    LIST_FOR_EACH (b, list_node, &sock->out) {
        iovs[msg.msg_iovlen].iov_base = b->data;
        iovs[msg.msg_iovlen].iov_len = b->size;
        if (++msg.msg_iovlen == LOOP_SOCK_IOVS) {
            break;
        }
    }
    do {
        n = sendmsg(sock->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return interpret(n, error);
}

/* Drops the first 'n' bytes of 'sock->out'. */
static void
written(struct loop_sock *sock, size_t n)
{
    sock->out_bytes -= n;
    while (n) {
        struct ofpbuf *b = ofpbuf_from_list(ovs_list_front(&sock->out));
        size_t chunk = MIN(n, b->size);

        ofpbuf_pull(b, chunk);
        n -= chunk;
        if (!b->size) {
            ovs_list_remove(&b->list_node);
            ofpbuf_delete(b);
        }
    }
}

char *
loop_sock_flush(struct loop_sock *sock)
{
    char *error = NULL;

    while (sock->out_bytes) {
        ssize_t n = (sock->tls ? write_tls(sock, &error)
                     : write_plain(sock, &error));
        if (n < 0) {
            break;
        }
        written(sock, n);
    }
    return error;
}

ssize_t
loop_sock_read(struct loop_sock *sock, void *p, size_t size, char **error)
{
    ssize_t n;

    if (sock->tls) {
        return loop_tls_read(sock->tls, p, size, error);
    }
    do {
        n = recv(sock->fd, p, size, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return interpret(n, error);
}

bool
loop_sock_wants_write(const struct loop_sock *sock)
{
    return sock->tls ? loop_tls_wants_write(sock->tls) : sock->out_bytes > 0;
}
