/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "loop-tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "loop.h"
#include "openvswitch/util.h"
#include "util.h"

struct loop_tls {
    SSL_CTX *ctx;
};

struct loop_tls_conn {
    SSL *ssl;
    bool wants_write;
    bool broken;                /* SSL_shutdown() must not be called. */
};

/* Returns what OpenSSL last complained about in this thread. */
static const char *
last_reason(void)
{
    unsigned long int code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    return (reason ? reason
            : ERR_SYSTEM_ERROR(code) ? ovs_strerror(ERR_GET_REASON(code))
            : "unknown TLS error");
}

static char *
load_files(SSL_CTX *ctx, const struct loop_tls_files *files)
{
    if (!files->private_key || !files->certificate || !files->ca_cert) {
        return xstrdup("a private key, a certificate and a CA certificate are "
                       "needed together");
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, files->certificate) != 1) {
        return xasprintf("%s: cannot use certificate (%s)",
                         files->certificate, last_reason());
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, files->private_key,
                                    SSL_FILETYPE_PEM) != 1
        || SSL_CTX_check_private_key(ctx) != 1) {
        return xasprintf("%s: cannot use private key (%s)",
                         files->private_key, last_reason());
    }

    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(files->ca_cert);
    if (!names) {
        return xasprintf("%s: cannot use CA certificate (%s)",
                         files->ca_cert, last_reason());
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    if (SSL_CTX_load_verify_locations(ctx, files->ca_cert, NULL) != 1) {
        return xasprintf("%s: cannot use CA certificate (%s)",
                         files->ca_cert, last_reason());
    }
    return NULL;
}

char *
loop_tls_create(const struct loop_tls_files *files, struct loop_tls **tlsp)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());

    *tlsp = NULL;
    if (!ctx) {
        return xasprintf("TLS cannot be used (%s)", last_reason());
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION
                        | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE
                     | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                     | SSL_MODE_RELEASE_BUFFERS);

    ERR_clear_error();
    char *error = load_files(ctx, files);
    ERR_clear_error();
    if (error) {
        SSL_CTX_free(ctx);
        return error;
    }

    struct loop_tls *tls = xmalloc(sizeof *tls);
    tls->ctx = ctx;
    *tlsp = tls;
    return NULL;
}

void
loop_tls_destroy(struct loop_tls *tls)
{
    if (tls) {
        SSL_CTX_free(tls->ctx);
        free(tls);
    }
}

struct loop_tls_conn *
loop_tls_open(struct loop_tls *tls, int fd, bool server)
{
    SSL *ssl = SSL_new(tls->ctx);

    if (!ssl || !SSL_set_fd(ssl, fd)) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    if (server) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
    }

    struct loop_tls_conn *conn = xzalloc(sizeof *conn);
    conn->ssl = ssl;
    return conn;
}

void
loop_tls_close(struct loop_tls_conn *conn)
{
    if (conn) {
        if (!conn->broken && SSL_is_init_finished(conn->ssl)) {
            SSL_shutdown(conn->ssl);
        }
        SSL_free(conn->ssl);
        ERR_clear_error();
        free(conn);
    }
}

/* Turns 'retval' of an OpenSSL function into what our callers get. */
static int
interpret(struct loop_tls_conn *conn, int retval, char **error)
{
    if (retval > 0) {
        conn->wants_write = false;
        return retval;
    }

    int saved_errno = errno;
    int code = SSL_get_error(conn->ssl, retval);

    conn->wants_write = code == SSL_ERROR_WANT_WRITE;
    if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE) {
        return LOOP_TLS_AGAIN;
    }
    if (code == SSL_ERROR_ZERO_RETURN) {
        return 0;
    }

    /* SSL_shutdown() must not be called after these. */
    conn->broken = true;

    /* A peer that closes the socket without a TLS goodbye, as many do. */
    if ((code == SSL_ERROR_SYSCALL && !saved_errno)
#ifdef SSL_R_UNEXPECTED_EOF_WHILE_READING
        || (code == SSL_ERROR_SSL && (ERR_GET_REASON(ERR_peek_error())
                                      == SSL_R_UNEXPECTED_EOF_WHILE_READING))
#endif
        ) {
        ERR_clear_error();
        return 0;
    }

    long int verify = SSL_get_verify_result(conn->ssl);
    *error = (code == SSL_ERROR_SYSCALL
              ? xstrdup(ovs_strerror(saved_errno))
              : verify != X509_V_OK
              ? xasprintf("TLS: the peer's certificate is refused (%s)",
                          X509_verify_cert_error_string(verify))
              : xasprintf("TLS: %s", last_reason()));
    ERR_clear_error();
    return LOOP_TLS_ERROR;
}

int
loop_tls_handshake(struct loop_tls_conn *conn, char **error)
{
    errno = 0;
    int retval = SSL_do_handshake(conn->ssl);
    return interpret(conn, retval, error);
}

ssize_t
loop_tls_read(struct loop_tls_conn *conn, void *p, size_t n, char **error)
{
    errno = 0;
    int retval = SSL_read(conn->ssl, p, MIN(n, INT_MAX));
    return interpret(conn, retval, error);
}

ssize_t
loop_tls_write(struct loop_tls_conn *conn, const void *p, size_t n,
               char **error)
{
    errno = 0;
    int retval = SSL_write(conn->ssl, p, MIN(n, INT_MAX));
    return interpret(conn, retval, error);
}

bool
loop_tls_wants_write(const struct loop_tls_conn *conn)
{
    return conn->wants_write;
}
