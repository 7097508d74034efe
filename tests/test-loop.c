/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#undef NDEBUG
#include "loop.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "command-line.h"
#include "jsonrpc.h"
#include "openflow/openflow-common.h"
#include "openvswitch/json.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/poll-loop.h"
#include "ovs-thread.h"
#include "peer.h"
#include "socket-util.h"
#include "timeval.h"
#include "util.h"

/* A test that hangs is ended by SIGALRM. */

/* Prints 'error', from a function that returns null if all is well, and frees
 * it. */
static void
print_error(char *error)
{
    puts(error ? error : "ok");
    free(error);
}

static struct loop *
start(void)
{
    struct loop *loop;
    char *error = loop_create(NULL, &loop);

    ovs_assert(!error);
    return loop;
}

static struct loop *
start_tls(const char *dir, const char *who, const char *ca)
{
    char *key = xasprintf("%s/%s-key.pem", dir, who);
    char *cert = xasprintf("%s/%s-cert.pem", dir, who);
    char *ca_cert = xasprintf("%s/%s-cert.pem", dir, ca);
    struct loop_tls_files files = { key, cert, ca_cert };
    struct loop *loop;
    char *error = loop_create(&files, &loop);

    if (error) {
        ovs_fatal(0, "%s", error);
    }
    free(key);
    free(cert);
    free(ca_cert);
    return loop;
}

static struct loop_event
next(struct loop *loop)
{
    struct loop_event event;

    while (!loop_next_event(loop, &event)) {
        loop_wait(loop);
        poll_block();
    }
    return event;
}

/* Takes the next event, which must be of 'type' and of 'conn', if nonnull. */
static struct loop_event
expect(struct loop *loop, enum loop_event_type type, struct loop_conn *conn)
{
    struct loop_event event = next(loop);

    if (event.type != type) {
        ovs_fatal(0, "event %d (%s) instead of %d", event.type,
                  event.error ? event.error : "no error", type);
    }
    ovs_assert(!conn || event.conn == conn);
    ovs_assert((event.error != NULL) == (type == LOOP_DISCONNECTED));
    ovs_assert((event.ofp || event.json) == (type == LOOP_MESSAGE));
    return event;
}

static void
print_disconnect(struct loop *loop, struct loop_conn *conn)
{
    struct loop_event event = expect(loop, LOOP_DISCONNECTED, conn);

    puts(event.error);
    free(event.error);
}

/* Takes an OpenFlow message from 'loop' and prints type, length and the sum of
 * the bytes that follow the header. */
static void
print_ofp(struct loop *loop, struct loop_conn *conn)
{
    struct loop_event event = expect(loop, LOOP_MESSAGE, conn);
    const struct ofp_header *oh = event.ofp->data;
    unsigned int sum = 0;

    ovs_assert(ntohs(oh->length) == event.ofp->size);
    for (size_t i = sizeof *oh; i < event.ofp->size; i++) {
        sum += *(uint8_t *) ofpbuf_at_assert(event.ofp, i, 1);
    }
    printf("type %u, length %u, sum %u\n", oh->type, event.ofp->size, sum);
    ofpbuf_delete(event.ofp);
}

static void
print_json(struct loop *loop, struct loop_conn *conn)
{
    struct loop_event event = expect(loop, LOOP_MESSAGE, conn);
    struct json *json = jsonrpc_msg_to_json(event.json);
    char *s = json_to_string(json, JSSF_SORT);

    puts(s);
    free(s);
    json_destroy(json);
}

/* A loop and a peer at the two ends of a Unix socket. */
struct pair {
    struct loop *loop;
    struct loop_conn *conn;
    int listen_fd;
    int fd;                     /* The peer's. */
};

static void
pair_init(struct pair *pair, enum loop_protocol protocol)
{
    pair->listen_fd = peer_listen_unix("peer.sock");
    pair->loop = start();

    char *cwd = get_cwd();
    char *remote = xasprintf("unix:%s/peer.sock", cwd);
    pair->conn = loop_connect(pair->loop, remote, protocol, pair);
    free(remote);
    free(cwd);
    pair->fd = peer_accept(pair->listen_fd);
    expect(pair->loop, LOOP_CONNECTED, pair->conn);
    ovs_assert(loop_conn_get_aux(pair->conn) == pair);
}

static void
pair_uninit(struct pair *pair)
{
    loop_destroy(pair->loop);
    close(pair->fd);
    close(pair->listen_fd);
}

/* Commands. */

static void
cmd_check_remote(struct ovs_cmdl_context *ctx)
{
    struct loop *loop = start();

    for (int i = 1; i < ctx->argc; i++) {
        print_error(loop_check_remote(loop, ctx->argv[i]));
    }
    loop_destroy(loop);
}

static void
cmd_listen(struct ovs_cmdl_context *ctx)
{
    struct loop *loop = start();

    for (int i = 1; i < ctx->argc; i++) {
        print_error(loop_listen(loop, ctx->argv[i], LOOP_OPENFLOW));
    }
    loop_destroy(loop);
}

static void
cmd_tls_files(struct ovs_cmdl_context *ctx)
{
    struct loop_tls_files files = {
        ctx->argv[1][0] ? ctx->argv[1] : NULL, ctx->argv[2], ctx->argv[3]
    };
    struct loop *loop;

    print_error(loop_create(&files, &loop));
    loop_destroy(loop);
}

/* Exchanges messages over TCP, in a connection that the loop makes. */
static void
cmd_tcp(struct ovs_cmdl_context *ctx)
{
    bool v6 = !strcmp(ctx->argv[1], "6");
    int port;
    int listen_fd = peer_listen_inet(v6 ? AF_INET6 : AF_INET, &port);
    char *remote = xasprintf("tcp:%s:%d", v6 ? "[::1]" : "127.0.0.1", port);
    struct loop *loop = start();
    struct loop_conn *conn = loop_connect(loop, remote, LOOP_OPENFLOW, NULL);

    ovs_assert(!strcmp(loop_conn_get_name(conn), remote));
    int fd = peer_accept(listen_fd);
    expect(loop, LOOP_CONNECTED, conn);
    loop_conn_send_ofp(conn, peer_make_ofp(0, 8));
    loop_conn_send_ofp(conn, peer_make_ofp(4, 65535));
    peer_print_ofp(fd);
    peer_print_ofp(fd);
    peer_write_ofp(fd, 0, 16);
    print_ofp(loop, conn);

    /* What is sent before a close goes out. */
    loop_conn_send_ofp(conn, peer_make_ofp(1, 12));
    loop_conn_close(conn);
    peer_print_ofp(fd);
    peer_print_end(fd);
    loop_destroy(loop);
    close(listen_fd);
    free(remote);
}

/* Two loops talk with each other, the one by 'argv[1]', a listener, and the
 * other by 'argv[2]', a remote, in which PORT stands for a free port. */
static void
cmd_accept(struct ovs_cmdl_context *ctx)
{
    int port;
    close(peer_listen_inet(AF_INET, &port));

    char *port_s = xasprintf("%d", port);
    char *args[2];
    for (int i = 0; i < 2; i++) {
        const char *arg = ctx->argv[i + 1];
        const char *p = strstr(arg, "PORT");
        args[i] = (p ? xasprintf("%.*s%s%s", (int) (p - arg), arg, port_s,
                                 p + 4)
                   : xstrdup(arg));
    }

    bool tls = ctx->argc > 3;
    struct loop *server = tls ? start_tls(ctx->argv[3], "a", "ca") : start();
    struct loop *client = tls ? start_tls(ctx->argv[3], "b", "ca") : start();
    char *error = loop_listen(server, args[0], LOOP_JSONRPC);
    if (error) {
        ovs_fatal(0, "%s", error);
    }

    struct loop_conn *conn = loop_connect(client, args[1], LOOP_JSONRPC, NULL);
    expect(client, LOOP_CONNECTED, conn);
    struct loop_conn *peer = expect(server, LOOP_ACCEPTED, NULL).conn;
    ovs_assert(!loop_conn_get_aux(peer));
    loop_conn_set_aux(peer, &port);
    ovs_assert(loop_conn_get_aux(peer) == &port);
    const char *name = loop_conn_get_name(peer);
    printf("name %.*s\n", (int) strcspn(name, "0123456789"), name);

    /* 3 MB both ways at once. */
    char *big = xmalloc(3000001);
    memset(big, 'x', 3000000);
    big[3000000] = '\0';
    struct json *params = json_array_create_1(json_string_create(big));
    loop_conn_send_json(conn, jsonrpc_create_notify("big",
                                                    json_clone(params)));
    loop_conn_send_json(peer, jsonrpc_create_notify("big", params));
    jsonrpc_msg_destroy(expect(client, LOOP_MESSAGE, conn).json);
    struct loop_event event = expect(server, LOOP_MESSAGE, peer);
    ovs_assert(!strcmp(json_string(event.json->params->array.elems[0]), big));
    jsonrpc_msg_destroy(event.json);
    free(big);

    loop_conn_send_json(peer, jsonrpc_create_notify(
                            "hi", json_array_create_empty()));
    print_json(client, conn);
    loop_conn_close(conn);
    print_disconnect(server, peer);
    loop_conn_send_json(peer, jsonrpc_create_notify(
                            "late", json_array_create_empty()));
    loop_conn_close(peer);
    loop_destroy(client);
    loop_destroy(server);
    free(args[0]);
    free(args[1]);
    free(port_s);
}

/* Tries to connect with TLS to a server whose certificate, or whose client's,
 * the other side must refuse: argv[2] and argv[3] are server and its CA,
 * argv[4] and argv[5] client and its CA. */
static void
cmd_tls_refused(struct ovs_cmdl_context *ctx)
{
    int port;
    close(peer_listen_inet(AF_INET, &port));

    char *target = xasprintf("pssl:%d:127.0.0.1", port);
    char *remote = xasprintf("ssl:127.0.0.1:%d", port);
    const char *dir = ctx->argv[1];
    struct loop *server = start_tls(dir, ctx->argv[2], ctx->argv[3]);
    struct loop *client = start_tls(dir, ctx->argv[4], ctx->argv[5]);
    print_error(loop_listen(server, target, LOOP_OPENFLOW));
    struct loop_conn *conn = loop_connect(client, remote, LOOP_OPENFLOW, NULL);

    /* With TLS 1.3, a client is done before the server has seen its
     * certificate, so it may be told that it was connected.  The server must
     * not be told anything.  Nobody tells when they have tried: in valgrind it
     * takes a second. */
    for (long long int end = time_msec() + 3000; time_msec() < end; ) {
        struct loop_event event;

        ovs_assert(!loop_next_event(server, &event));
        if (loop_next_event(client, &event)) {
            ovs_assert(event.conn == conn);
            free(event.error);
        }
        loop_wait(client);
        loop_wait(server);
        poll_timer_wait_until(end);
        poll_block();
    }
    loop_destroy(client);
    loop_destroy(server);
    free(target);
    free(remote);
}

/* Cuts two messages at each place, and one byte at a time. */
static void
cmd_fragments(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    const char json[] = "{\"method\":\"m\",\"params\":[\"\\u00e9}\"],\"id\":1}"
                        " \n{\"method\":\"m\",\"params\":[2],\"id\":null}";
    struct pair p;

    pair_init(&p, LOOP_OPENFLOW);
    struct ofpbuf *b = peer_make_ofp(10, 20);
    struct ofpbuf *c = peer_make_ofp(11, 8);
    ofpbuf_put(b, c->data, c->size);
    for (size_t i = 1; i < b->size; i++) {
        peer_write(p.fd, b->data, i);
        poll(NULL, 0, 1);
        peer_write(p.fd, (char *) b->data + i, b->size - i);
        ofpbuf_delete(expect(p.loop, LOOP_MESSAGE, p.conn).ofp);
        ofpbuf_delete(expect(p.loop, LOOP_MESSAGE, p.conn).ofp);
    }
    for (size_t i = 0; i < b->size; i++) {
        peer_write(p.fd, (char *) b->data + i, 1);
        poll(NULL, 0, 1);
    }
    print_ofp(p.loop, p.conn);
    print_ofp(p.loop, p.conn);
    ofpbuf_delete(b);
    ofpbuf_delete(c);
    pair_uninit(&p);

    pair_init(&p, LOOP_JSONRPC);
    for (size_t i = 1; i < strlen(json); i++) {
        peer_write(p.fd, json, i);
        poll(NULL, 0, 1);
        peer_write_str(p.fd, json + i);
        jsonrpc_msg_destroy(expect(p.loop, LOOP_MESSAGE, p.conn).json);
        jsonrpc_msg_destroy(expect(p.loop, LOOP_MESSAGE, p.conn).json);
    }
    peer_write_str(p.fd, json);
    print_json(p.loop, p.conn);
    print_json(p.loop, p.conn);
    pair_uninit(&p);
}

/* Sends more messages at once than one read takes. */
static void
cmd_many(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    struct ofpbuf *all = ofpbuf_new(0);
    unsigned int n = 0;
    struct pair p;

    pair_init(&p, LOOP_OPENFLOW);
    for (int i = 0; i < 3000; i++) {
        struct ofpbuf *b = peer_make_ofp(13, 8 + i % 97);
        ofpbuf_put(all, b->data, b->size);
        ofpbuf_delete(b);
    }
    fcntl(p.fd, F_SETFL, O_NONBLOCK);
    while (n < 3000) {
        struct loop_event event;
        ssize_t sent = write(p.fd, all->data, all->size);

        if (sent > 0) {
            ofpbuf_pull(all, sent);
        }
        while (loop_next_event(p.loop, &event)) {
            ovs_assert(event.type == LOOP_MESSAGE
                       && event.ofp->size == 8 + n % 97);
            ofpbuf_delete(event.ofp);
            n++;
        }
    }
    printf("%u messages\n", n);
    ofpbuf_delete(all);
    pair_uninit(&p);
}

/* Sends "argv[2]", in which hexadecimal digits stand for bytes if the protocol
 * in argv[1] is "ofp", and prints why the connection was lost. */
static void
cmd_rubbish(struct ovs_cmdl_context *ctx)
{
    bool ofp = !strcmp(ctx->argv[1], "ofp");
    struct pair p;

    pair_init(&p, ofp ? LOOP_OPENFLOW : LOOP_JSONRPC);
    if (ofp) {
        struct ofpbuf *b = ofpbuf_new(0);
        size_t n;
        ovs_assert(!*ofpbuf_put_hex(b, ctx->argv[2], &n));
        peer_write(p.fd, b->data, b->size);
        ofpbuf_delete(b);
    } else {
        peer_write_str(p.fd, ctx->argv[2]);
    }
    print_disconnect(p.loop, p.conn);
    pair_uninit(&p);
}

static void
cmd_reconnect(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    struct pair p;

    pair_init(&p, LOOP_OPENFLOW);
    for (int i = 0; i < 3; i++) {
        long long int lost = time_msec();

        /* Half of a message and then the end. */
        peer_write(p.fd, "\4\0\0\20", 4);
        close(p.fd);
        print_disconnect(p.loop, p.conn);

        /* Must not be sent in the next session. */
        loop_conn_send_ofp(p.conn, peer_make_ofp(4, 100));
        p.fd = peer_accept(p.listen_fd);
        expect(p.loop, LOOP_CONNECTED, p.conn);
        printf("%s\n", time_msec() - lost >= (100 << i) - 10
               ? "after back-off" : "too early");
        loop_conn_send_ofp(p.conn, peer_make_ofp(5, 8));
        peer_print_ofp(p.fd);
    }

    /* Sent after the connection went down but before that is known here. */
    close(p.fd);
    p.fd = peer_accept(p.listen_fd);
    loop_conn_send_ofp(p.conn, peer_make_ofp(6, 8));
    loop_conn_reset(p.conn, "of another session");
    print_disconnect(p.loop, p.conn);
    expect(p.loop, LOOP_CONNECTED, p.conn);
    loop_conn_send_ofp(p.conn, peer_make_ofp(7, 8));
    peer_print_ofp(p.fd);

    loop_conn_send_ofp(p.conn, peer_make_ofp(8, 8));
    loop_conn_reset(p.conn, "I do not like it");
    print_disconnect(p.loop, p.conn);
    peer_print_ofp(p.fd);
    peer_print_end(p.fd);
    p.fd = peer_accept(p.listen_fd);
    expect(p.loop, LOOP_CONNECTED, p.conn);
    pair_uninit(&p);
}

/* The control thread does nothing until the peer has its answers. */
static void
cmd_echo(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    struct loop_event event;
    struct pair p;

    pair_init(&p, LOOP_OPENFLOW);
    peer_write_ofp(p.fd, 2, 8);
    peer_print_ofp(p.fd);
    peer_write_ofp(p.fd, 2, 5000);
    peer_write_ofp(p.fd, 3, 9);
    peer_print_ofp(p.fd);
    ovs_assert(!loop_next_event(p.loop, &event));
    pair_uninit(&p);

    pair_init(&p, LOOP_JSONRPC);
    peer_write_str(p.fd, "{\"method\":\"echo\",\"params\":[],\"id\":\"echo\"}"
                   "{\"result\":[],\"error\":null,\"id\":\"echo\"}"
                   "{\"method\":\"echo\",\"params\":[\"a\",1],\"id\":2}");
    peer_print_json(p.fd);
    peer_print_json(p.fd);
    ovs_assert(!loop_next_event(p.loop, &event));
    pair_uninit(&p);
}

static void
cmd_close(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    struct loop_event event;
    struct pair p;

    /* The answer to the echo proves that the messages before it are queued. */
    pair_init(&p, LOOP_OPENFLOW);
    peer_write_ofp(p.fd, 10, 100);
    peer_write_ofp(p.fd, 10, 100);
    peer_write_ofp(p.fd, 2, 8);
    peer_print_ofp(p.fd);
    ofpbuf_delete(expect(p.loop, LOOP_MESSAGE, p.conn).ofp);
    loop_conn_close(p.conn);
    ovs_assert(!loop_next_event(p.loop, &event));
    peer_print_end(p.fd);
    ovs_assert(!loop_next_event(p.loop, &event));

    /* At once, before the I/O thread has done anything, and so on. */
    char *cwd = get_cwd();
    char *remote = xasprintf("unix:%s/peer.sock", cwd);
    char *nobody = xasprintf("unix:%s/nobody", cwd);
    for (int i = 0; i < 100; i++) {
        bool even = i % 2 == 0;
        struct loop_conn *conn = loop_connect(p.loop, even ? remote : nobody,
                                              LOOP_JSONRPC, NULL);
        if (i % 3 == 0) {
            poll(NULL, 0, 1);
        }
        loop_conn_close(conn);
        ovs_assert(!loop_next_event(p.loop, &event));
        if (even) {
            close(peer_accept(p.listen_fd));
        }
    }
    loop_connect(p.loop, nobody, LOOP_JSONRPC, NULL);
    p.conn = loop_connect(p.loop, remote, LOOP_JSONRPC, NULL);
    p.fd = peer_accept(p.listen_fd);
    peer_write_str(p.fd, "{\"id\":null,\"params\":[],\"method\":\"unread\"}"
                   "{\"id\":null,\"par");
    free(cwd);
    free(remote);
    free(nobody);
    pair_uninit(&p);
}

static void
cmd_deaf(struct ovs_cmdl_context *ctx OVS_UNUSED)
{
    struct ofpbuf *msg = peer_make_ofp(4, 60000);
    struct loop_event event;
    struct pair p;
    int n = 0;

    /* Copies, for the peer is given up after 15 s, too, and to make so many
     * takes longer under valgrind. */
    pair_init(&p, LOOP_OPENFLOW);
    do {
        loop_conn_send_ofp(p.conn, ofpbuf_clone(msg));
        if (++n % 100 == 0) {
            poll(NULL, 0, 1);
        }
    } while (!loop_next_event(p.loop, &event) && n < 5000);
    printf("%s\n", (60000LL * n > 64 * 1024 * 1024 && n < 5000
                    ? "after 64 MB" : "wrong amount"));
    ovs_assert(event.type == LOOP_DISCONNECTED);
    printf("%.*s\n", (int) strcspn(event.error, ","), event.error);
    free(event.error);
    ofpbuf_delete(msg);
    pair_uninit(&p);
}

/* Prints that 'what' has come, and whether that is at least 'seconds' after
 * 'begin'. */
static void
print_not_before(const char *what, long long int begin, int seconds)
{
    printf("%s %s %d s\n", what,
           time_msec() - begin >= seconds * 1000 ? "not before" : "BEFORE",
           seconds);
}

/* Has 'pair' exchange HELLO. */
static void
greet(struct pair *pair)
{
    loop_conn_send_ofp(pair->conn, peer_make_ofp(0, 8));
    peer_print_ofp(pair->fd);
    peer_write(pair->fd, "\6\0\0\10\0\0\0\0", 8);
    print_ofp(pair->loop, pair->conn);
}

/* Silent peers, and ones that do not even let connections through, all at
 * once because it takes long. */
static void
cmd_silent(struct ovs_cmdl_context *ctx)
{
    long long int begin = time_msec();
    struct pair quiet, mute, json, busy, idle;
    int port;
    int listen_fd = peer_listen_inet(AF_INET, &port);
    char *remote = xasprintf("ssl:127.0.0.1:%d", port);
    struct loop *tls = start_tls(ctx->argv[1], "a", "ca");

    /* The queue of 'listen_fd' has place for one, which gets no answer to its
     * TLS; the others do not even get there. */
    for (int i = 0; i < 5; i++) {
        loop_connect(tls, remote, LOOP_OPENFLOW, NULL);
    }

    pair_init(&quiet, LOOP_OPENFLOW);
    pair_init(&mute, LOOP_OPENFLOW);
    pair_init(&json, LOOP_JSONRPC);
    pair_init(&busy, LOOP_OPENFLOW);
    pair_init(&idle, LOOP_OPENFLOW);
    greet(&quiet);
    greet(&busy);
    greet(&idle);

    /* Who is idle is asked as seldom as is said, who owes an answer is not. */
    loop_conn_set_probe(busy.conn, 60000);
    loop_conn_set_probe(idle.conn, 60000);
    loop_conn_send_ofp(busy.conn, peer_make_ofp(14, 8));
    peer_print_ofp(busy.fd);

    /* Probes, of which the first gets an answer by JSON-RPC. */
    peer_print_ofp(quiet.fd);
    peer_print_json(json.fd);
    peer_write_str(json.fd, "{\"result\":[],\"error\":null,\"id\":\"echo\"}");
    peer_print_ofp(busy.fd);
    print_not_before("first", begin, 5);
    printf("idle: %s\n", recv(idle.fd, (char[1]) { 0 }, 1, MSG_DONTWAIT) < 0
           ? "not asked" : "ASKED");
    peer_print_ofp(quiet.fd);
    print_not_before("second", begin, 10);
    print_disconnect(mute.loop, mute.conn);
    print_disconnect(quiet.loop, quiet.conn);
    print_not_before("end", begin, 15);
    peer_print_end(mute.fd);
    mute.fd = open("/dev/null", O_RDONLY);
    peer_print_json(json.fd);
    pair_uninit(&quiet);
    pair_uninit(&mute);
    pair_uninit(&json);
    pair_uninit(&busy);
    pair_uninit(&idle);
    loop_destroy(tls);
    close(listen_fd);
    free(remote);
}

/* Sends back what comes in until the connection ends. */
static void *
pong_main(void *loop_)
{
    struct loop *loop = loop_;
    struct loop_conn *conn = expect(loop, LOOP_ACCEPTED, NULL).conn;

    for (;;) {
        struct loop_event event = next(loop);
        if (event.type != LOOP_MESSAGE) {
            free(event.error);
            return NULL;
        }
        loop_conn_send_ofp(conn, event.ofp);
    }
}

static int
compare_ints(const void *a_, const void *b_)
{
    const int *a = a_, *b = b_;
    return *a < *b ? -1 : *a > *b;
}

static void
measure_throughput(struct loop *client, struct loop_conn *conn, int n)
{
    long long int begin = time_usec();
    for (int i = 0, got = 0; got < n; ) {
        struct loop_event event;

        for (int j = 0; i < n && j < 100; i++, j++) {
            loop_conn_send_ofp(conn, peer_make_ofp(14, 100));
        }
        while (loop_next_event(client, &event)) {
            ofpbuf_delete(event.ofp);
            got++;
        }
        if (i == n && got < n) {
            loop_wait(client);
            poll_block();
        }
    }
    printf("throughput: %lld messages/s there and back\n",
           n * 1000000LL / (time_usec() - begin));
}

/* Measures argv[1] round trips from the control thread to the control thread
 * of another loop and back. */
static void
cmd_latency(struct ovs_cmdl_context *ctx)
{
    int n = atoi(ctx->argv[1]);
    int *us = xmalloc(n * sizeof *us);
    struct loop *server = start(), *client = start();
    char *cwd = get_cwd();
    char *target = xasprintf("punix:%s/pong.sock", cwd);
    char *error = loop_listen(server, target, LOOP_OPENFLOW);

    ovs_assert(!error);
    pthread_t thread = ovs_thread_create("pong", pong_main, server);
    struct loop_conn *conn = loop_connect(client, target + 1, LOOP_OPENFLOW,
                                          NULL);
    expect(client, LOOP_CONNECTED, conn);
    for (int i = 0; i < n; i++) {
        long long int begin = time_usec();
        loop_conn_send_ofp(conn, peer_make_ofp(14, 100));
        ofpbuf_delete(expect(client, LOOP_MESSAGE, conn).ofp);
        us[i] = time_usec() - begin;
    }
    qsort(us, n, sizeof *us, compare_ints);
    printf("round trip: median %d us, 99%% %d us, max %d us\n",
           us[n / 2], us[n * 99 / 100], us[n - 1]);

    measure_throughput(client, conn, n);
    loop_conn_close(conn);
    xpthread_join(thread, NULL);
    loop_destroy(client);
    loop_destroy(server);
    free(us);
    free(cwd);
    free(target);
}

static const struct ovs_cmdl_command commands[] = {
    { "check-remote", NULL, 1, INT_MAX, cmd_check_remote, OVS_RO },
    { "listen", NULL, 1, INT_MAX, cmd_listen, OVS_RO },
    { "tls-files", NULL, 3, 3, cmd_tls_files, OVS_RO },
    { "tcp", NULL, 1, 1, cmd_tcp, OVS_RO },
    { "accept", NULL, 2, 3, cmd_accept, OVS_RO },
    { "tls-refused", NULL, 5, 5, cmd_tls_refused, OVS_RO },
    { "fragments", NULL, 0, 0, cmd_fragments, OVS_RO },
    { "many", NULL, 0, 0, cmd_many, OVS_RO },
    { "rubbish", NULL, 2, 2, cmd_rubbish, OVS_RO },
    { "reconnect", NULL, 0, 0, cmd_reconnect, OVS_RO },
    { "echo", NULL, 0, 0, cmd_echo, OVS_RO },
    { "close", NULL, 0, 0, cmd_close, OVS_RO },
    { "deaf", NULL, 0, 0, cmd_deaf, OVS_RO },
    { "silent", NULL, 1, 1, cmd_silent, OVS_RO },
    { "latency", NULL, 1, 1, cmd_latency, OVS_RO },
    { NULL, NULL, 0, 0, NULL, OVS_RO },
};

int
main(int argc, char *argv[])
{
    set_program_name(argv[0]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(120);

    struct ovs_cmdl_context ctx = { .argc = argc - 1, .argv = argv + 1 };
    ovs_cmdl_run_command(&ctx, commands);
    return 0;
}
