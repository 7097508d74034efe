/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

/* The traffic of tests with a real guest.
 *
 * "test-guest serve" runs in the guest.  It says GUEST READY and echoes UDP
 * and TCP.  To each UDP packet it adds a number of its own, one more for each
 * packet, which tells apart what happened on the way there and on the way
 * back.
 *
 * "test-guest probe IP RATE FILE" runs at a peer.  It sends RATE numbered UDP
 * packets per second, and a byte stream on one TCP connection, until SIGTERM,
 * waits for what is under way, and writes to FILE what was sent, and what came
 * back in the order in which it came:
 *
 *     sent NUMBER TIME
 *     echo NUMBER GUEST-NUMBER TIME
 *     tcp SENT-BYTES ECHOED-BYTES ok|ERROR
 *
 * Times are of the wall clock, in ns.  The C library only: it is linked
 * statically. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PORT = 7,
    MAX_CONNS = 4,
    TCP_CHUNK = 100,            /* Bytes, and as often as... */
    TCP_INTERVAL_MS = 10,
    BURST = 32,                 /* Echoes between two rests of... */
    REST_MS = 2,
    SETTLE_MS = 1500,
    TCP_SETTLE_MS = 30000,      /* A retransmission may take its time. */
    RECEIVE_BYTES = 8 << 20,    /* A guest that was away has to catch up... */
    SEND_BYTES = 16 << 10       /* ...but is to wait for its device. */
};

#define NS_PER_S 1000000000ULL
#define NS_PER_MS 1000000ULL

struct packet {
    uint32_t number;            /* Of the sender. */
    uint32_t guest_number;      /* Of the one that echoes. */
    uint8_t padding[56];
};

static void
fatal(const char *what)
{
    fprintf(stderr, "test-guest: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t
now_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int
open_socket(int type)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    int receive = RECEIVE_BYTES, sent = SEND_BYTES, one = 1;

    if (fd < 0) {
        fatal("socket");
    }
    if (type == SOCK_DGRAM
        && (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive,
                       sizeof receive)
            || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sent, sizeof sent))) {
        fatal("buffer size");
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    return fd;
}

static void
sleep_ns(uint64_t ns)
{
    struct timespec ts = { ns / NS_PER_S, ns % NS_PER_S };

    nanosleep(&ts, NULL);
}

/* The guest. */

static int
listen_at(int type)
{
    struct sockaddr_in sin = {
        .sin_family = AF_INET, .sin_port = htons(PORT)
    };
    int fd = open_socket(type);

    if (bind(fd, (struct sockaddr *) &sin, sizeof sin)
        || (type == SOCK_STREAM && listen(fd, 4))) {
        fatal("bind");
    }
    return fd;
}

/* Echoes some of what there is.  A guest that was away for long has got much
 * to echo.  It must not send all of it at once, more than the socket by which
 * the switch gets it can take. */
static void
echo_udp(int fd, uint32_t *guest_number)
{
    struct sockaddr_in sin;
    struct packet p;

    for (int i = 0; i < BURST; i++) {
        socklen_t len = sizeof sin;
        ssize_t n = recvfrom(fd, &p, sizeof p, MSG_DONTWAIT,
                             (struct sockaddr *) &sin, &len);

        if (n < 0) {
            return;
        } else if (n == sizeof p) {
            p.guest_number = htonl((*guest_number)++);
            sendto(fd, &p, sizeof p, 0, (struct sockaddr *) &sin, len);
        }
    }
    sleep_ns(REST_MS * NS_PER_MS);
}

/* Echoes what there is.  Returns false if the connection is over. */
static bool
echo_tcp(int fd)
{
    char buf[4096];
    ssize_t n = read(fd, buf, sizeof buf);

    return n > 0 && write(fd, buf, n) == n;
}

static void
serve(void)
{
    struct pollfd fds[2 + MAX_CONNS] = {
        { .fd = listen_at(SOCK_DGRAM), .events = POLLIN },
        { .fd = listen_at(SOCK_STREAM), .events = POLLIN },
    };
    uint32_t guest_number = 0;

    puts("GUEST READY");
    fflush(stdout);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 2; i < 2 + MAX_CONNS; i++) {
        fds[i] = (struct pollfd) { .fd = -1, .events = POLLIN };
    }
    for (;;) {
        if (poll(fds, 2 + MAX_CONNS, -1) < 0) {
            fatal("poll");
        }
        echo_udp(fds[0].fd, &guest_number);
        for (int i = 2; i < 2 + MAX_CONNS; i++) {
            if (fds[i].fd < 0 && fds[1].revents & POLLIN) {
                fds[i].fd = accept(fds[1].fd, NULL, NULL);
                fds[1].revents = 0;
            } else if (fds[i].fd >= 0 && fds[i].revents
                       && !echo_tcp(fds[i].fd)) {
                close(fds[i].fd);
                fds[i].fd = -1;
            }
        }
    }
}

/* The peer. */

struct echo {
    uint32_t number, guest_number;
    uint64_t received_ns;
};

struct probe {
    int udp, tcp;
    uint64_t *sent_ns;          /* One for each packet sent. */
    struct echo *echoes;        /* In the order of arrival. */
    size_t n_sent, n_echoes, allocated, allocated_echoes;
    uint64_t tcp_sent, tcp_echoed;
    const char *tcp_error;      /* Null as long as the session is fine. */
};

/* Returns 'array' with room for at least one more element of 'size' bytes. */
static void *
grow(void *array, size_t n, size_t *allocated, size_t size)
{
    if (n >= *allocated) {
        *allocated = *allocated ? *allocated * 2 : 1024;
        array = realloc(array, *allocated * size);
        if (!array) {
            fatal("memory");
        }
    }
    return array;
}

static int
connect_to(const char *ip, int type)
{
    struct sockaddr_in sin = {
        .sin_family = AF_INET, .sin_port = htons(PORT)
    };
    int fd = open_socket(type);
    int one = 1;

    if (inet_pton(AF_INET, ip, &sin.sin_addr) != 1) {
        errno = EINVAL;
        fatal(ip);
    }
    if (type == SOCK_STREAM) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    if (connect(fd, (struct sockaddr *) &sin, sizeof sin)) {
        fatal("connect");
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void
send_udp(struct probe *pr)
{
    struct packet p = { .number = htonl(pr->n_sent) };

    pr->sent_ns = grow(pr->sent_ns, pr->n_sent, &pr->allocated,
                       sizeof *pr->sent_ns);
    pr->sent_ns[pr->n_sent++] = now_ns(CLOCK_REALTIME);
    if (send(pr->udp, &p, sizeof p, 0) != sizeof p) {
        fatal("send");
    }
}

static void
receive_udp(struct probe *pr)
{
    struct packet p;

    while (recv(pr->udp, &p, sizeof p, 0) == sizeof p) {
        pr->echoes = grow(pr->echoes, pr->n_echoes, &pr->allocated_echoes,
                          sizeof *pr->echoes);
        pr->echoes[pr->n_echoes++] = (struct echo) {
            .number = ntohl(p.number),
            .guest_number = ntohl(p.guest_number),
            .received_ns = now_ns(CLOCK_REALTIME),
        };
    }
}

/* The stream has at each position a byte that follows from the position. */
static uint8_t
stream_byte(uint64_t position)
{
    return position * 2654435761u >> 13;
}

static void
send_tcp(struct probe *pr)
{
    uint8_t buf[TCP_CHUNK];
    ssize_t n;

    for (size_t i = 0; i < sizeof buf; i++) {
        buf[i] = stream_byte(pr->tcp_sent + i);
    }
    n = write(pr->tcp, buf, sizeof buf);
    if (n > 0) {
        pr->tcp_sent += n;
    } else if (errno != EAGAIN && !pr->tcp_error) {
        pr->tcp_error = strerror(errno);
    }
}

static void
receive_tcp(struct probe *pr)
{
    uint8_t buf[4096];
    ssize_t n;

    while ((n = read(pr->tcp, buf, sizeof buf)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            if (buf[i] != stream_byte(pr->tcp_echoed++)) {
                pr->tcp_error = "a byte of the echo is wrong";
            }
        }
    }
    if (!pr->tcp_error && (!n || errno != EAGAIN)) {
        pr->tcp_error = n ? strerror(errno) : "closed by the guest";
    }
}

/* Receives until 'deadline', of the monotonic clock. */
static void
receive_until(struct probe *pr, uint64_t deadline)
{
    struct pollfd fds[] = {
        { .fd = pr->udp, .events = POLLIN },
        { .fd = pr->tcp_error ? -1 : pr->tcp, .events = POLLIN },
    };

    for (;;) {
        uint64_t now = now_ns(CLOCK_MONOTONIC);
        struct timespec ts;

        if (now >= deadline) {
            return;
        }
        ts.tv_sec = (deadline - now) / NS_PER_S;
        ts.tv_nsec = (deadline - now) % NS_PER_S;
        if (ppoll(fds, 2, &ts, NULL) <= 0) {
            continue;
        }
        receive_udp(pr);
        if (fds[1].revents) {
            receive_tcp(pr);
            fds[1].fd = pr->tcp_error ? -1 : pr->tcp;
        }
    }
}

static void
write_results(const struct probe *pr, const char *name)
{
    FILE *file = fopen(name, "w");

    if (!file) {
        fatal(name);
    }
    for (size_t i = 0; i < pr->n_sent; i++) {
        fprintf(file, "sent %zu %llu\n", i,
                (unsigned long long) pr->sent_ns[i]);
    }
    for (size_t i = 0; i < pr->n_echoes; i++) {
        const struct echo *e = &pr->echoes[i];

        fprintf(file, "echo %u %u %llu\n", e->number, e->guest_number,
                (unsigned long long) e->received_ns);
    }
    fprintf(file, "tcp %llu %llu %s\n", (unsigned long long) pr->tcp_sent,
            (unsigned long long) pr->tcp_echoed,
            pr->tcp_error ? pr->tcp_error : "ok");
    if (fclose(file)) {
        fatal(name);
    }
}

static volatile sig_atomic_t stop;

static void
handle_signal(int sig)
{
    stop = sig;
}

static void
probe(const char *ip, unsigned int rate, const char *file)
{
    struct probe pr = {
        .udp = connect_to(ip, SOCK_DGRAM),
        .tcp = connect_to(ip, SOCK_STREAM),
    };
    const uint64_t interval = NS_PER_S / rate;
    uint64_t next, next_tcp, deadline;

    signal(SIGTERM, handle_signal);
    signal(SIGINT, handle_signal);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1);
    setpriority(PRIO_PROCESS, 0, -10);
    next = next_tcp = now_ns(CLOCK_MONOTONIC);
    while (!stop) {
        uint64_t now;

        receive_until(&pr, next);
        send_udp(&pr);
        /* One that is late does not make up for it by a burst. */
        now = now_ns(CLOCK_MONOTONIC);
        next = (now > next + 4 * interval ? now : next) + interval;
        if (now >= next_tcp) {
            next_tcp += TCP_INTERVAL_MS * NS_PER_MS;
            send_tcp(&pr);
        }
    }
    receive_until(&pr, now_ns(CLOCK_MONOTONIC) + SETTLE_MS * NS_PER_MS);
    deadline = now_ns(CLOCK_MONOTONIC) + TCP_SETTLE_MS * NS_PER_MS;
    while (!pr.tcp_error && pr.tcp_echoed < pr.tcp_sent
           && now_ns(CLOCK_MONOTONIC) < deadline) {
        receive_until(&pr, now_ns(CLOCK_MONOTONIC) + NS_PER_S / 10);
    }
    write_results(&pr, file);
    free(pr.sent_ns);
    free(pr.echoes);
}

int
main(int argc, char *argv[])
{
    if (argc == 2 && !strcmp(argv[1], "serve")) {
        serve();
    } else if (argc == 5 && !strcmp(argv[1], "probe") && atoi(argv[3]) > 0) {
        probe(argv[2], atoi(argv[3]), argv[4]);
    } else {
        fprintf(stderr, "usage: test-guest serve | probe IP RATE FILE\n");
        return 2;
    }
    return 0;
}
