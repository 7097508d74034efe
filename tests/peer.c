/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#undef NDEBUG
#include "peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "openflow/openflow-common.h"
#include "openvswitch/json.h"
#include "openvswitch/ofpbuf.h"
#include "socket-util.h"
#include "util.h"

struct ofpbuf *
peer_make_ofp(uint8_t type, size_t length)
{
    struct ofpbuf *b = ofpbuf_new(length);
    struct ofp_header *oh = ofpbuf_put_uninit(b, sizeof *oh);

    oh->version = OFP13_VERSION;
    oh->type = type;
    oh->length = htons(length);
    oh->xid = htonl(1);
    for (size_t i = sizeof *oh; i < length; i++) {
        uint8_t c = i;
        ofpbuf_put(b, &c, 1);
    }
    return b;
}

int
peer_listen_unix(const char *path)
{
    int fd = make_unix_socket(SOCK_STREAM, false, path, NULL);
    ovs_assert(fd >= 0 && !listen(fd, 10));
    return fd;
}

int
peer_listen_inet(int family, int *port)
{
    struct sockaddr_storage ss = { .ss_family = family };
    struct sockaddr_in *sin = (struct sockaddr_in *) &ss;
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *) &ss;
    socklen_t len = sizeof ss;
    int fd = socket(family, SOCK_STREAM, 0);

    if (family == AF_INET) {
        sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        sin6->sin6_addr = in6addr_loopback;
    }
    if (fd < 0 || bind(fd, (struct sockaddr *) &ss, sizeof ss)) {
        puts("no such address family");
        exit(77);
    }
    ovs_assert(!listen(fd, 0));
    ovs_assert(!getsockname(fd, (struct sockaddr *) &ss, &len));
    *port = ntohs(family == AF_INET ? sin->sin_port : sin6->sin6_port);
    return fd;
}

int
peer_accept(int listen_fd)
{
    int fd = accept(listen_fd, NULL, NULL);
    ovs_assert(fd >= 0);
    return fd;
}

void
peer_write(int fd, const void *p, size_t n)
{
    size_t written;
    ovs_assert(!write_fully(fd, p, n, &written));
}

void
peer_write_str(int fd, const char *s)
{
    peer_write(fd, s, strlen(s));
}

void
peer_write_ofp(int fd, uint8_t type, size_t length)
{
    struct ofpbuf *b = peer_make_ofp(type, length);
    peer_write(fd, b->data, b->size);
    ofpbuf_delete(b);
}

void
peer_print_ofp(int fd)
{
    struct ofp_header oh;
    unsigned int sum = 0;
    size_t n;

    ovs_assert(!read_fully(fd, &oh, sizeof oh, &n));
    for (size_t i = sizeof oh; i < ntohs(oh.length); i++) {
        uint8_t c;
        ovs_assert(!read_fully(fd, &c, 1, &n));
        sum += c;
    }
    printf("peer: version %u, type %u, length %u, sum %u\n",
           oh.version, oh.type, ntohs(oh.length), sum);
}

void
peer_print_json(int fd)
{
    struct json_parser *parser = json_parser_create(0);
    char c;

    while (!json_parser_is_done(parser)) {
        ovs_assert(read(fd, &c, 1) == 1);
        json_parser_feed(parser, &c, 1);
    }

    struct json *json = json_parser_finish(parser);
    char *s = json_to_string(json, JSSF_SORT);
    printf("peer: %s\n", s);
    free(s);
    json_destroy(json);
}

void
peer_print_end(int fd)
{
    char buffer[4096];
    ssize_t n;
    size_t total = 0;

    while ((n = read(fd, buffer, sizeof buffer)) > 0) {
        total += n;
    }
    printf("peer: end after %"PRIuSIZE" bytes\n", total);
    close(fd);
}
