/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include "qmp-io.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CONNECT_TIMEOUT_S = 10 };

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
enum { N_SIGNALS = sizeof signals / sizeof signals[0] };

struct qmp_io {
    struct event_base *base;
    struct event *signals[N_SIGNALS];
    struct event *timer;        /* Ends a turn. */
    int signal;                 /* The last one, 0 if there was none. */
};

struct qmp_io_conn {
    struct bufferevent *bev;    /* Owns the descriptor. */
    bool closed;
};

struct qmp_io_child {
    struct qmp_io_conn *output; /* Closed when the program ends. */
    pid_t pid;
};

static void
handle_signal(evutil_socket_t sig, short int what, void *io_)
{
    struct qmp_io *io = io_;

    io->signal = sig;
}

/* Ends a turn by having happened. */
static void
handle_timer(evutil_socket_t fd, short int what, void *io)
{
}

struct qmp_io *
qmp_io_create(void)
{
    struct qmp_io *io = calloc(1, sizeof *io);

    if (!io || !(io->base = event_base_new())) {
        abort();
    }
    for (int i = 0; i < N_SIGNALS; i++) {
        io->signals[i] = evsignal_new(io->base, signals[i], handle_signal,
                                      io);
        event_add(io->signals[i], NULL);
    }
    io->timer = evtimer_new(io->base, handle_timer, io);
    signal(SIGPIPE, SIG_IGN);
    return io;
}

void
qmp_io_destroy(struct qmp_io *io)
{
    for (int i = 0; i < N_SIGNALS; i++) {
        event_free(io->signals[i]);
    }
    event_free(io->timer);
    event_base_free(io->base);
    free(io);
}

double
qmp_io_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

void
qmp_io_turn(struct qmp_io *io, double deadline)
{
    double ms = deadline - qmp_io_now();
    struct timeval tv = { 0, 0 };

    if (ms > 0) {
        tv.tv_sec = ms / 1e3;
        tv.tv_usec = (ms - tv.tv_sec * 1e3) * 1e3;
    }
    event_add(io->timer, &tv);
    event_base_loop(io->base, EVLOOP_ONCE);
}

int
qmp_io_signal(const struct qmp_io *io)
{
    return io->signal;
}

/* Connections. */

static void
handle_event(struct bufferevent *bev, short int what, void *conn_)
{
    struct qmp_io_conn *conn = conn_;

    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
        conn->closed = true;
    }
}

/* Takes 'fd'. */
static struct qmp_io_conn *
create_conn(struct qmp_io *io, int fd)
{
    struct qmp_io_conn *conn = calloc(1, sizeof *conn);

    if (!conn) {
        abort();
    }
    evutil_make_socket_nonblocking(fd);
    conn->bev = bufferevent_socket_new(io->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!conn->bev) {
        abort();
    }
    bufferevent_setcb(conn->bev, NULL, NULL, handle_event, conn);
    bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
    return conn;
}

/* Returns a connected socket, or -1 with errno set. */
static int
connect_socket(const struct sockaddr *sa, socklen_t len)
{
    struct timeval timeout = { CONNECT_TIMEOUT_S, 0 };
    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(fd, sa, len)) {
        int error = errno == EINPROGRESS ? ETIMEDOUT : errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static char *
connect_unix(const char *file, int *fdp)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    char *error = NULL;

    if (strlen(file) >= sizeof sun.sun_path) {
        errno = ENAMETOOLONG;
    } else {
        strcpy(sun.sun_path, file);
        *fdp = connect_socket((struct sockaddr *) &sun, sizeof sun);
        if (*fdp >= 0) {
            return NULL;
        }
    }
    if (asprintf(&error, "%s: %s", file, strerror(errno)) < 0) {
        abort();
    }
    return error;
}

/* 'address' is HOST:PORT, where HOST may be in brackets. */
static char *
connect_tcp(const char *address, int *fdp)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    char *host = strdup(address);
    char *port = strrchr(host, ':');
    const char *why = "a port is missing, as in tcp:HOST:PORT";
    char *error = NULL;

    if (port) {
        char *name = host;
        int status;

        *port++ = '\0';
        if (name[0] == '[' && name[strlen(name) - 1] == ']') {
            name[strlen(name) - 1] = '\0';
            name++;
        }
        status = getaddrinfo(name, port, &hints, &list);
        why = status ? gai_strerror(status) : "no address";
    }
    for (struct addrinfo *ai = list; ai && *fdp < 0; ai = ai->ai_next) {
        *fdp = connect_socket(ai->ai_addr, ai->ai_addrlen);
        why = strerror(errno);
    }
    if (list) {
        freeaddrinfo(list);
    }
    if (*fdp < 0 && asprintf(&error, "%s: %s", address, why) < 0) {
        abort();
    }
    free(host);
    return error;
}

char *
qmp_io_connect(struct qmp_io *io, const char *remote,
               struct qmp_io_conn **connp)
{
    int fd = -1;
    char *error;

    if (!strncmp(remote, "tcp:", 4)) {
        error = connect_tcp(remote + 4, &fd);
    } else if (!strncmp(remote, "unix:", 5)) {
        error = connect_unix(remote + 5, &fd);
    } else if (strchr(remote, '/')) {
        error = connect_unix(remote, &fd);
    } else if (asprintf(&error, "%s: use unix:FILE or tcp:HOST:PORT",
                        remote) < 0) {
        abort();
    }
    *connp = error ? NULL : create_conn(io, fd);
    return error;
}

void
qmp_io_disconnect(struct qmp_io_conn *conn)
{
    if (conn) {
        bufferevent_free(conn->bev);
        free(conn);
    }
}

void
qmp_io_write(struct qmp_io_conn *conn, const char *text)
{
    bufferevent_write(conn->bev, text, strlen(text));
}

char *
qmp_io_read_line(struct qmp_io_conn *conn)
{
    return evbuffer_readln(bufferevent_get_input(conn->bev), NULL,
                           EVBUFFER_EOL_CRLF);
}

bool
qmp_io_is_closed(const struct qmp_io_conn *conn)
{
    return conn->closed;
}

/* Child processes. */

/* Starts the program with 'fd' as its standard output.  Returns 0 or errno. */
static int
spawn(const char *const argv[], int fd, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, defaults;
    int error;

    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, (POSIX_SPAWN_SETPGROUP
                                     | POSIX_SPAWN_SETSIGMASK
                                     | POSIX_SPAWN_SETSIGDEF));
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    error = posix_spawnp(pid, argv[0], &actions, &attr,
                         (char *const *) argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

struct qmp_io_child *
qmp_io_spawn(struct qmp_io *io, const char *const argv[])
{
    struct qmp_io_child *child;
    int fds[2];
    pid_t pid;
    int error;

    if (pipe2(fds, O_CLOEXEC)) {
        return NULL;
    }
    error = spawn(argv, fds[1], &pid);
    close(fds[1]);
    if (error) {
        close(fds[0]);
        errno = error;
        return NULL;
    }
    child = malloc(sizeof *child);
    if (!child) {
        abort();
    }
    *child = (struct qmp_io_child) {
        .output = create_conn(io, fds[0]),
        .pid = pid,
    };
    return child;
}

bool
qmp_io_child_has_ended(const struct qmp_io_child *child)
{
    return child->output->closed;
}

bool
qmp_io_reap(struct qmp_io_child *child, char **outputp)
{
    struct evbuffer *input = bufferevent_get_input(child->output->bev);
    int status = -1;

    if (!child->output->closed) {
        /* What we run and do not want any more only reads. */
        kill(child->pid, SIGKILL);
    }
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
        continue;
    }
    if (outputp) {
        size_t n = evbuffer_get_length(input);

        *outputp = calloc(1, n + 1);
        evbuffer_remove(input, *outputp, n);
    }
    qmp_io_disconnect(child->output);
    free(child);
    return !status;
}
