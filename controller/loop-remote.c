/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "loop-remote.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#include "fatal-signal.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/util.h"
#include "packets.h"
#include "socket-util.h"
#include "util.h"

#define LOOP_REMOTE_BACKLOG 1024

/* Makes '*ss' of 'host', an IP address without brackets, or null for any
 * address of IPv4.  Returns false if 'host' is no such thing. */
static bool
parse_host(const char *host, int family, struct sockaddr_storage *ss)
{
    struct addrinfo hints = {
        .ai_family = family,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICHOST | (host ? 0 : AI_PASSIVE),
    };
    struct addrinfo *ai;
    ovs_be32 ip;

    /* getaddrinfo() also takes "127.1", which is more likely a typing error
     * than an address. */
    if (host && family == AF_INET && !ip_parse(host, &ip)) {
        return false;
    }
    if (getaddrinfo(host, host ? NULL : "0", &hints, &ai)) {
        return false;
    }
    memset(ss, 0, sizeof *ss);
    memcpy(ss, ai->ai_addr, ai->ai_addrlen);
    freeaddrinfo(ai);
    return true;
}

/* Removes the brackets from '*host', if there are any, and returns the address
 * family that they stand for, or -1 if only one of them is there. */
static int
strip_brackets(char **host)
{
    size_t n = strlen(*host);

    if (**host != '[') {
        return AF_INET;
    } else if (n < 2 || (*host)[n - 1] != ']') {
        return -1;
    }
    (*host)[n - 1] = '\0';
    ++*host;
    return AF_INET6;
}

/* Parses what follows the scheme of 's', "IP:PORT" or "PORT[:IP]".  Modifies
 * 'rest'. */
static char *
parse_inet(const char *s, char *rest, bool passive,
           struct sockaddr_storage *ss)
{
    char *colon = passive ? strchr(rest, ':') : strrchr(rest, ':');
    char *host = passive ? (colon ? colon + 1 : NULL) : rest;
    char *port_s = passive ? rest : (colon ? colon + 1 : NULL);

    if (!passive && (!colon || (*rest == '[' && colon[-1] != ']'))) {
        return xasprintf("%s: a port is missing", s);
    }
    if (colon) {
        *colon = '\0';
    }

    int port;
    if (!*port_s || port_s[strspn(port_s, "0123456789")]
        || !str_to_int(port_s, 10, &port) || port < 1 || port > 65535) {
        return xasprintf("%s: \"%s\" is not a port between 1 and 65535",
                         s, port_s);
    }

    int family = host ? strip_brackets(&host) : AF_INET;
    if (family < 0 || !parse_host(host, family, ss)) {
        return xasprintf("%s: \"%s\" is not an IP address%s", s, host,
                         family == AF_INET && strchr(host, ':')
                         ? " (IPv6 needs brackets)" : "");
    }
    if (ss->ss_family == AF_INET6) {
        ALIGNED_CAST(struct sockaddr_in6 *, ss)->sin6_port = htons(port);
    } else {
        ALIGNED_CAST(struct sockaddr_in *, ss)->sin_port = htons(port);
    }
    return NULL;
}

char *
loop_remote_parse(const char *s, bool passive, bool have_tls,
                  struct loop_remote *remote)
{
    const char *scheme = passive && *s == 'p' ? s + 1 : s;
    char *error = NULL;

    memset(remote, 0, sizeof *remote);
    if (s[strcspn(s, "\n\r")]) {
        error = xstrdup("a remote has more than one line");
    } else if (passive && scheme == s) {
        error = xasprintf("%s: none of ptcp:, pssl: and punix:", s);
    } else if (!strncmp(scheme, "unix:", 5)) {
        if (scheme[5] == '/') {
            remote->path = xstrdup(scheme + 5);
        } else {
            error = xasprintf("%s: the path must begin with \"/\"", s);
        }
    } else if (!strncmp(scheme, "tcp:", 4) || !strncmp(scheme, "ssl:", 4)) {
        char *rest = xstrdup(scheme + 4);
        error = parse_inet(s, rest, passive, &remote->ss);
        remote->tls = *scheme == 's';
        free(rest);
        if (!error && remote->tls && !have_tls) {
            error = xasprintf("%s: TLS needs a private key, a certificate and "
                              "a CA certificate, which are not configured", s);
        }
    } else {
        error = xasprintf("%s: none of %s", s,
                          passive ? "ptcp:, pssl: and punix:"
                          : "tcp:, ssl: and unix:");
    }
    return error;
}

void
loop_remote_uninit(struct loop_remote *remote)
{
    free(remote->path);
    remote->path = NULL;
}

/* Returns true if 'ss' has "any" as its address. */
static bool
is_any(const struct sockaddr_storage *ss)
{
    struct in6_addr ip = ss_get_address(ss);

    return (IN6_IS_ADDR_UNSPECIFIED(&ip)
            || (IN6_IS_ADDR_V4MAPPED(&ip)
                && !in6_addr_get_mapped_ipv4(&ip)));
}

static bool
reaches(const struct loop_remote *active, const struct loop_remote *passive)
{
    struct in6_addr a, b;

    if (active->tls != passive->tls || !active->path != !passive->path) {
        return false;
    } else if (active->path) {
        return !strcmp(active->path, passive->path);
    }
    a = ss_get_address(&active->ss);
    b = ss_get_address(&passive->ss);
    return (ss_get_port(&active->ss) == ss_get_port(&passive->ss)
            && (is_any(&passive->ss) || ipv6_addr_equals(&a, &b)));
}

bool
loop_remote_reaches(const char *active, const char *passive)
{
    struct loop_remote a = { .path = NULL }, b = { .path = NULL };
    char *error = loop_remote_parse(active, false, true, &a);
    bool retval;

    if (!error) {
        error = loop_remote_parse(passive, true, true, &b);
    }
    retval = !error && reaches(&a, &b);
    loop_remote_uninit(&a);
    loop_remote_uninit(&b);
    free(error);
    return retval;
}

int
loop_remote_connect(const struct loop_remote *remote)
{
    if (remote->path) {
        return make_unix_socket(SOCK_STREAM, true, NULL, remote->path);
    }

    int fd = socket(remote->ss.ss_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    setsockopt_tcp_nodelay(fd);
    set_dscp(fd, remote->ss.ss_family, DSCP_DEFAULT);
    if (connect(fd, (const struct sockaddr *) &remote->ss,
                ss_length(&remote->ss)) && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

int
loop_remote_listen(const struct loop_remote *remote)
{
    int fd = (remote->path
              ? make_unix_socket(SOCK_STREAM, true, remote->path, NULL)
              : socket(remote->ss.ss_family,
                       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd < 0) {
        return remote->path ? fd : -errno;
    }

    int yes = 1;
    if ((!remote->path
         && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes)
             || bind(fd, (const struct sockaddr *) &remote->ss,
                     ss_length(&remote->ss))))
        || listen(fd, LOOP_REMOTE_BACKLOG)) {
        int error = errno;
        close(fd);
        if (remote->path) {
            fatal_signal_unlink_file_now(remote->path);
        }
        return -error;
    }
    return fd;
}

int
loop_remote_accept(const struct loop_remote *remote, int fd, unsigned int id,
                   char **name)
{
    struct sockaddr_storage ss;
    socklen_t ss_len = sizeof ss;

    memset(&ss, 0, sizeof ss);
    int new_fd = accept4(fd, (struct sockaddr *) &ss, &ss_len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (new_fd < 0) {
        return -errno;
    }

    if (remote->path) {
        *name = xasprintf("unix#%u", id);
    } else {
        struct ds s = DS_EMPTY_INITIALIZER;

        setsockopt_tcp_nodelay(new_fd);
        set_dscp(new_fd, ss.ss_family, DSCP_DEFAULT);
        ds_put_cstr(&s, remote->tls ? "ssl:" : "tcp:");
        ss_format_address(&ss, &s);
        ds_put_format(&s, ":%d", ss_get_port(&ss));
        *name = ds_steal_cstr(&s);
    }
    return new_fd;
}
