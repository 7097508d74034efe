/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include "traffic-io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "traffic.h"

/* The numbers are at the END of the frame, so that a capture point on the
 * underlay finds them whatever headers a tunnel puts in front. */
struct trailer {
    uint32_t magic;             /* Network byte order. */
    uint32_t run_id;
    uint32_t flow;
    uint32_t seq;
    uint64_t tx_ns;
};

enum {
    MAGIC = 0x4e564154,         /* "NVAT". */
    PORT = 9,                   /* UDP "discard". */
    BATCH = 64,
    CAPTURE_LEN = 2048,
    RCVBUF = 64 << 20,
    SENDER_NICE = -10           /* The instrument is not what is measured. */
};

/* A sender that is later than this forgets what it owes. */
#define MAX_DEBT_NS (20 * TRAFFIC_NS_PER_MS)

uint64_t
traffic_io_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void
sleep_until(uint64_t ns)
{
    struct timespec ts = { ns / 1000000000ULL, ns % 1000000000ULL };

    while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL)
           == EINTR) {
        continue;
    }
}

static char *
error_msg(const struct traffic_if *iface, const char *what, int error)
{
    char *s;

    if (asprintf(&s, "%s in namespace %s: %s: %s", iface->dev, iface->netns,
                 what, strerror(error)) < 0) {
        abort();
    }
    return s;
}

/* Sockets. */

/* Enters the namespace of 'iface'.  Returns 0 and stores a descriptor of the
 * present namespace in '*home', or a positive errno value. */
static int
netns_enter(const struct traffic_if *iface, int *home)
{
    char path[256];
    int fd, error = 0;

    *home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof path, "/var/run/netns/%s", iface->netns);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*home < 0 || fd < 0 || setns(fd, 0)) {
        error = errno;
        if (*home >= 0) {
            close(*home);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return error;
}

static void
netns_leave(int home)
{
    if (setns(home, 0)) {
        abort();
    }
    close(home);
}

/* Keeps packets that enter the interface (or leave it, if 'outgoing') and have
 * our magic number where the trailer is. */
static int
attach_filter(int fd, bool outgoing)
{
    const uint32_t len = sizeof(struct trailer);
    const uint32_t pkttype = SKF_AD_OFF + SKF_AD_PKTTYPE;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, pkttype),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING,
                 outgoing ? 0 : 7, outgoing ? 7 : 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, len + ETH_HLEN, 0, 5),
        BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, len),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAGIC, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, CAPTURE_LEN),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog prog = { sizeof code / sizeof *code, code };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog);
}

enum socket_kind { SEND, CAPTURE_IN, CAPTURE_OUT };

/* Opens a packet socket on 'dev' of the present namespace.  Returns it, or a
 * negative errno value. */
static int
packet_socket(const char *dev, enum socket_kind kind)
{
    struct sockaddr_ll sll = {
        .sll_family = AF_PACKET,
        .sll_protocol = kind == SEND ? 0 : htons(ETH_P_ALL),
        .sll_ifindex = if_nametoindex(dev),
    };
    int on = 1, size = RCVBUF;
    int error;
    int fd;

    if (!sll.sll_ifindex) {
        return -errno;
    }
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    /* The filter comes before bind(), as what is queued is not filtered. */
    if ((kind == SEND
         || (!attach_filter(fd, kind == CAPTURE_OUT)
             && !setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on)
             && !setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size,
                            sizeof size)))
        && !bind(fd, (struct sockaddr *) &sll, sizeof sll)) {
        return fd;
    }
    error = errno;
    close(fd);
    return -error;
}

/* Takes our UDP port in the present namespace, so that its kernel, if it has
 * the addresses, does not answer our packets with ICMP errors.  Nothing is
 * ever read.  It does no harm if this fails. */
static int
sink_socket(void)
{
    struct sockaddr_in6 sin6 = {
        .sin6_family = AF_INET6,
        .sin6_port = htons(PORT),
    };
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int off = 0, size = 1;

    if (fd >= 0) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        if (bind(fd, (struct sockaddr *) &sin6, sizeof sin6)) {
            close(fd);
            fd = -1;
        }
    }
    return fd;
}

/* Opens the sockets of 'iface': one to send into '*send_fd' unless that is
 * null, and one to capture as a new point of 'kind' and 'index'. */
static char *
open_if(struct traffic *t, const struct traffic_if *iface,
        enum traffic_point_kind kind, int index, int *send_fd)
{
    struct traffic_point *point = &t->points[t->n_points];
    int send = 0, capture;
    int error, home;

    error = netns_enter(iface, &home);
    if (error) {
        return error_msg(iface, "cannot enter the namespace", error);
    }
    capture = packet_socket(iface->dev, kind == TRAFFIC_POINT_NVE
                                        ? CAPTURE_OUT : CAPTURE_IN);
    if (send_fd) {
        send = packet_socket(iface->dev, SEND);
        t->sink_fds[t->n_points] = sink_socket();
    }
    netns_leave(home);

    if (capture < 0 || send < 0) {
        return error_msg(iface, "cannot open a packet socket",
                         capture < 0 ? -capture : -send);
    }
    if (send_fd) {
        *send_fd = send;
    }
    point->kind = kind;
    point->index = index;
    point->fd = capture;
    t->n_points++;
    return NULL;
}

/* Frames. */

static uint32_t
csum_add(uint32_t sum, const void *data_, size_t n)
{
    const uint8_t *data = data_;
    size_t i;

    for (i = 0; i + 1 < n; i += 2) {
        sum += data[i] << 8 | data[i + 1];
    }
    return i < n ? sum + (data[i] << 8) : sum;
}

static uint16_t
csum_finish(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum;
}

static void
put_be16(uint8_t *p, uint16_t x)
{
    p[0] = x >> 8;
    p[1] = x;
}

static size_t
udp_ofs(const struct traffic_flow *flow)
{
    return ETH_HLEN + (flow->frame[12] == 0x08 ? 20 : 40);
}

/* Writes the headers of a flow of IPv4 ('family' 0) or IPv6 (1) packets. */
static void
flow_init(struct traffic *t, struct traffic_flow *flow, int family)
{
    const struct traffic_addr *peer = &t->peer_addrs[flow->peer];
    const bool to_vm = flow->dir == TRAFFIC_TO_VM;
    const struct traffic_addr *src = to_vm ? peer : &t->vm;
    const struct traffic_addr *dst = to_vm ? &t->vm : peer;
    uint8_t *p = flow->frame;
    size_t ip_len = t->size - ETH_HLEN;
    size_t addr_len = family ? 16 : 4;

    memcpy(p, dst->mac, 6);
    memcpy(p + 6, src->mac, 6);
    put_be16(p + 12, family ? ETH_P_IPV6 : ETH_P_IP);
    p += ETH_HLEN;
    if (family) {
        p[0] = 0x60;
        put_be16(p + 4, ip_len - 40);
        p[6] = IPPROTO_UDP;
        p[7] = 64;
    } else {
        p[0] = 0x45;
        put_be16(p + 2, ip_len);
        p[8] = 64;
        p[9] = IPPROTO_UDP;
    }
    memcpy(p + (family ? 8 : 12), src->ip[family], addr_len);
    memcpy(p + (family ? 8 : 12) + addr_len, dst->ip[family], addr_len);
    if (!family) {
        put_be16(p + 10, csum_finish(csum_add(0, p, 20)));
    }
    p = flow->frame + udp_ofs(flow);
    put_be16(p, 20000 + (flow - t->flows));
    put_be16(p + 2, PORT);
    put_be16(p + 4, t->size - udp_ofs(flow));
}

/* Makes the flows that the addresses allow. */
static char *
make_flows(struct traffic *t)
{
    for (int peer = 0; peer < t->n_peers; peer++) {
        for (int family = 0; family < 2; family++) {
            if (!t->vm.has_ip[family]
                || !t->peer_addrs[peer].has_ip[family]) {
                continue;
            }
            for (int dir = 0; dir < TRAFFIC_N_DIRS; dir++) {
                struct traffic_flow *flow = &t->flows[t->n_flows++];

                flow->dir = dir;
                flow->peer = peer;
                flow_init(t, flow, family);
            }
        }
    }
    return t->n_flows ? NULL : strdup("the VM and its peers have no address "
                                      "family in common");
}

/* Writes number and time into the frame of 'flow'. */
static void
flow_stamp(const struct traffic *t, struct traffic_flow *flow, uint64_t now)
{
    const size_t udp = udp_ofs(flow);
    const bool ipv6 = udp == ETH_HLEN + 40;
    const size_t addrs = udp - (ipv6 ? 32 : 8);
    const size_t udp_len = t->size - udp;
    struct trailer trailer = {
        .magic = htonl(MAGIC),
        .run_id = t->run_id,
        .flow = flow - t->flows,
        .seq = flow->n_tx,
        .tx_ns = now,
    };
    uint32_t sum;
    uint16_t csum;

    memcpy(flow->frame + t->size - sizeof trailer, &trailer, sizeof trailer);
    put_be16(flow->frame + udp + 6, 0);
    sum = csum_add(IPPROTO_UDP + udp_len, flow->frame + addrs, udp - addrs);
    csum = csum_finish(csum_add(sum, flow->frame + udp, udp_len));
    put_be16(flow->frame + udp + 6, csum ? csum : 0xffff);
}

/* Senders. */

/* Sends the next packet of 'flow' if somebody is there to send it.  The caller
 * holds the sender's mutex. */
static void
flow_send(struct traffic_sender *sender, struct traffic_flow *flow)
{
    struct traffic *t = sender->traffic;
    uint64_t now;
    int fd;

    if (sender->dir == TRAFFIC_TO_VM) {
        fd = t->peer_fds[flow->peer];
    } else if (sender->place >= 0) {
        fd = t->place_fds[sender->place];
    } else {
        return;
    }
    if (flow->n_tx >= flow->allocated_tx) {
        flow->allocated_tx = flow->allocated_tx ? flow->allocated_tx * 2
                                                : 1 << 16;
        flow->tx_ns = realloc(flow->tx_ns,
                              flow->allocated_tx * sizeof *flow->tx_ns);
        if (!flow->tx_ns) {
            abort();
        }
    }
    now = traffic_io_now();
    flow_stamp(t, flow, now);
    if (send(fd, flow->frame, t->size, 0) == (ssize_t) t->size) {
        flow->tx_ns[flow->n_tx++] = now;
    } else {
        sender->n_errors++;
    }
}

/* Returns the next flow of the sender's direction after the one numbered '*i',
 * in turn, and updates '*i'. */
static struct traffic_flow *
next_flow(const struct traffic_sender *sender, int *i)
{
    struct traffic *t = sender->traffic;

    do {
        *i = (*i + 1) % t->n_flows;
    } while (t->flows[*i].dir != sender->dir);
    return &t->flows[*i];
}

/* A sender keeps its rate, but it does not burst: when it is late, it catches
 * up at no more than twice the rate, and not at all if it is very late. */
static void *
sender_main(void *sender_)
{
    struct traffic_sender *sender = sender_;
    const uint64_t period = 1000000000ULL / sender->traffic->rate;
    uint64_t due = 0, earliest = 0;
    int i = 0;

    setpriority(PRIO_PROCESS, 0, SENDER_NICE);
    prctl(PR_SET_TIMERSLACK, 1);
    for (;;) {
        uint64_t now = traffic_io_now();
        bool running;

        pthread_mutex_lock(&sender->mutex);
        running = sender->running;
        if (sender->quit) {
            pthread_mutex_unlock(&sender->mutex);
            return NULL;
        }
        if (running) {
            flow_send(sender, next_flow(sender, &i));
            if (due && now > due && now - due > sender->max_stall_ns) {
                sender->max_stall_ns = now - due;
            }
        }
        pthread_mutex_unlock(&sender->mutex);

        if (!running) {
            due = 0;
            sleep_until(now + TRAFFIC_NS_PER_MS);
            continue;
        }
        due = (due ? due : now) + period;
        earliest = now + period / 2;
        if (now > due + MAX_DEBT_NS) {
            sender->n_skipped += (now - due) / period;
            due = now + period;
        }
        sleep_until(due > earliest ? due : earliest);
    }
}

/* Receiver. */

static void
add_rec(struct traffic *t, struct traffic_point *point,
        const struct trailer *trailer, uint64_t rx_ns)
{
    if (trailer->run_id != t->run_id || trailer->flow >= t->n_flows) {
        return;
    }
    /* The order in which a point sees packets is the truth, but two CPUs'
     * stamps may be slightly out of order. */
    if (rx_ns <= point->last_ns) {
        rx_ns = point->last_ns + 1;
    }
    point->last_ns = rx_ns;

    if (t->n_recs >= t->allocated_recs) {
        t->allocated_recs = t->allocated_recs ? t->allocated_recs * 2
                                              : 1 << 18;
        t->recs = realloc(t->recs, t->allocated_recs * sizeof *t->recs);
        if (!t->recs) {
            abort();
        }
    }
    t->recs[t->n_recs++] = (struct traffic_rec) {
        .rx_ns = rx_ns,
        .seq = trailer->seq,
        .flow = trailer->flow,
        .point = point - t->points,
    };
}

static uint64_t
get_stamp(struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec ts;

            memcpy(&ts, CMSG_DATA(c), sizeof ts);
            return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
        }
    }
    return 0;
}

/* The receiver's memory for one call of recvmmsg(). */
struct batch {
    uint8_t data[BATCH][CAPTURE_LEN];
    char control[BATCH][64];
    struct iovec iov[BATCH];
    struct mmsghdr msgs[BATCH];
};

/* Reads what is queued at 'point'. */
static void
read_point(struct traffic *t, struct traffic_point *point, struct batch *b)
{
    int n;

    do {
        for (int i = 0; i < BATCH; i++) {
            b->iov[i] = (struct iovec) { b->data[i], CAPTURE_LEN };
            b->msgs[i].msg_hdr = (struct msghdr) {
                .msg_iov = &b->iov[i],
                .msg_iovlen = 1,
                .msg_control = b->control[i],
                .msg_controllen = sizeof b->control[i],
            };
        }
        n = recvmmsg(point->fd, b->msgs, BATCH, MSG_DONTWAIT, NULL);
        pthread_mutex_lock(&t->recs_mutex);
        for (int i = 0; i < n; i++) {
            size_t len = b->msgs[i].msg_len;
            struct trailer trailer;

            if (len >= sizeof trailer && len <= CAPTURE_LEN) {
                memcpy(&trailer, b->data[i] + len - sizeof trailer,
                       sizeof trailer);
                add_rec(t, point, &trailer, get_stamp(&b->msgs[i].msg_hdr));
            }
        }
        pthread_mutex_unlock(&t->recs_mutex);
    } while (n == BATCH);
}

/* Adds what the kernel dropped at all points since the last call. */
static void
count_drops(struct traffic *t)
{
    for (int i = 0; i < t->n_points; i++) {
        struct tpacket_stats stats;
        socklen_t len = sizeof stats;

        if (!getsockopt(t->points[i].fd, SOL_PACKET, PACKET_STATISTICS,
                        &stats, &len)) {
            t->n_capture_drops += stats.tp_drops;
        }
    }
}

static void *
receiver_main(void *t_)
{
    struct traffic *t = t_;
    struct pollfd pfds[TRAFFIC_MAX_POINTS];
    struct batch *batch = calloc(1, sizeof *batch);

    if (!batch) {
        abort();
    }
    for (int i = 0; i < t->n_points; i++) {
        pfds[i] = (struct pollfd) { .fd = t->points[i].fd, .events = POLLIN };
    }
    setpriority(PRIO_PROCESS, 0, SENDER_NICE);
    while (!__atomic_load_n(&t->receiver_quit, __ATOMIC_ACQUIRE)) {
        if (poll(pfds, t->n_points, 50) > 0) {
            for (int i = 0; i < t->n_points; i++) {
                if (pfds[i].revents) {
                    read_point(t, &t->points[i], batch);
                }
            }
            /* The kernel has the exact times, so there is no hurry. */
            sleep_until(traffic_io_now() + 2 * TRAFFIC_NS_PER_MS);
        }
    }
    free(batch);
    return NULL;
}

/* Life. */

static char *
open_all(struct traffic *t)
{
    char *s = NULL;

    for (int i = 0; i < t->n_places && !s; i++) {
        s = open_if(t, &t->places[i], TRAFFIC_POINT_PLACE, i,
                    &t->place_fds[i]);
    }
    for (int i = 0; i < t->n_peers && !s; i++) {
        s = open_if(t, &t->peers[i], TRAFFIC_POINT_PEER, i, &t->peer_fds[i]);
    }
    for (int i = 0; i < t->n_nves && !s; i++) {
        s = open_if(t, &t->nves[i], TRAFFIC_POINT_NVE, i, NULL);
    }
    return s ? s : make_flows(t);
}

char *
traffic_io_open(struct traffic *t)
{
    char *s;

    memset(t->sink_fds, -1, sizeof t->sink_fds);
    t->run_id = traffic_io_now() ^ getpid() << 16;
    s = open_all(t);
    if (s) {
        return s;
    }

    pthread_mutex_init(&t->recs_mutex, NULL);
    for (int dir = 0; dir < TRAFFIC_N_DIRS; dir++) {
        pthread_mutex_init(&t->senders[dir].mutex, NULL);
    }
    traffic_io_set_alive(t, 1, t->vm_silent ? -1 : 0);
    pthread_create(&t->receiver, NULL, receiver_main, t);
    for (int dir = 0; dir < TRAFFIC_N_DIRS; dir++) {
        struct traffic_sender *sender = &t->senders[dir];

        sender->traffic = t;
        sender->dir = dir;
        pthread_create(&sender->thread, NULL, sender_main, sender);
    }
    return NULL;
}

static void
set_senders(struct traffic *t, bool running, bool quit)
{
    for (int dir = 0; dir < TRAFFIC_N_DIRS; dir++) {
        struct traffic_sender *sender = &t->senders[dir];

        pthread_mutex_lock(&sender->mutex);
        sender->running = running;
        sender->quit = quit;
        pthread_mutex_unlock(&sender->mutex);
    }
}

void
traffic_io_close(struct traffic *t)
{
    set_senders(t, false, true);
    for (int dir = 0; dir < TRAFFIC_N_DIRS; dir++) {
        pthread_join(t->senders[dir].thread, NULL);
    }
    __atomic_store_n(&t->receiver_quit, true, __ATOMIC_RELEASE);
    pthread_join(t->receiver, NULL);
    count_drops(t);
    for (int i = 0; i < t->n_points; i++) {
        close(t->points[i].fd);
        if (t->sink_fds[i] >= 0) {
            close(t->sink_fds[i]);
        }
    }
    for (int i = 0; i < t->n_places; i++) {
        close(t->place_fds[i]);
    }
    for (int i = 0; i < t->n_peers; i++) {
        close(t->peer_fds[i]);
    }
}

/* Work. */

void
traffic_io_start(struct traffic *t)
{
    set_senders(t, true, false);
}

void
traffic_io_stop(struct traffic *t)
{
    set_senders(t, false, false);
}

uint64_t
traffic_io_set_alive(struct traffic *t, uint32_t alive, int place)
{
    uint64_t now;

    for (int dir = 0; dir < TRAFFIC_N_DIRS; dir++) {
        pthread_mutex_lock(&t->senders[dir].mutex);
    }
    now = traffic_io_now();
    t->senders[TRAFFIC_FROM_VM].place = place;
    if (t->n_epochs < TRAFFIC_MAX_EPOCHS
        && (!t->n_epochs || t->epochs[t->n_epochs - 1].alive != alive)) {
        t->epochs[t->n_epochs++] = (struct traffic_epoch) { now, alive };
    }
    for (int dir = 0; dir < TRAFFIC_N_DIRS; dir++) {
        pthread_mutex_unlock(&t->senders[dir].mutex);
    }
    return now;
}

uint64_t
traffic_io_rarp(struct traffic *t, int place)
{
    static const uint8_t header[] = {
        0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3 /* request reverse */
    };
    uint8_t frame[60] = { 0 };

    memset(frame, 0xff, 6);
    memcpy(frame + 6, t->vm.mac, 6);
    memcpy(frame + 12, header, sizeof header);
    memcpy(frame + 22, t->vm.mac, 6);           /* Sender. */
    memcpy(frame + 32, t->vm.mac, 6);           /* Target. */

    t->rarp_ns = traffic_io_now();
    if (send(t->place_fds[place], frame, sizeof frame, 0) < 0) {
        perror("nva-traffic: sending RARP failed");
    }
    return t->rarp_ns;
}

void
traffic_io_settle(struct traffic *t, unsigned int ms)
{
    size_t before, after = 0;
    int n = 0;

    do {
        before = after;
        sleep_until(traffic_io_now() + ms * TRAFFIC_NS_PER_MS);
        pthread_mutex_lock(&t->recs_mutex);
        after = t->n_recs;
        pthread_mutex_unlock(&t->recs_mutex);
    } while (after != before && n++ < 10);      /* Packets may loop. */
    count_drops(t);
}
