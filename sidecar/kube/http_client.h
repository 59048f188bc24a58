/* http_client: GET requests to one server, made by libcurl on the loop's thread.
 *
 * The server is on a Unix socket, without encryption, or behind TLS with a CA of its own and a bearer token.
 * HTTP/1.1, no proxy, no redirects. The body waits in a bounded buffer until it is read; while the buffer is
 * full, nothing is read from the server, which soon cannot write. */
#ifndef SIDECAR_HTTP_CLIENT_H
#define SIDECAR_HTTP_CLIENT_H

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "sidecar/base/logger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct http_client;
struct http_request;

struct http_server {         /* the texts are copied */
    const char *socket_path; /* a Unix socket; "": TLS to host and port */
    const char *host;        /* a name or an address; IPv6 without brackets */
    const char *port;
    const char *ca_file;    /* PEM: the only CAs that are believed; "": not used */
    const char *token_file; /* read for each request; "": not used */
};

/* Makes a client; it connects to nothing yet. The caller ends it by http_client_close(). ERROR_OPERATOR:
 * libcurl is not installed; ERROR_AGAIN, ERROR_NOMEM: libcurl cannot begin. */
enum error_code http_client_new(uv_loop_t *loop, const struct http_server *server,
                                struct logger *logger, struct http_client **client,
                                struct error *err) MUST_CHECK;

/* Closes every handle, frees the client, then calls closed(). The caller has freed all its requests before. */
void http_client_close(struct http_client *client, void (*closed)(void *context), void *context);

struct http_get {
    const char *path; /* with its query */
    bool compressed;  /* the server may send gzip */

    /* The head of the answer has come, there is more to read, or the request has ended. It is called from
     * inside libcurl, so it may only note that. */
    void (*progress)(void *context);
    void *context;
};

/* Begins a request, which the caller frees. ERROR_OPERATOR: the token cannot be read; ERROR_AGAIN,
 * ERROR_NOMEM: the request cannot be made. */
enum error_code http_client_get(struct http_client *client, const struct http_get *get,
                                struct http_request **request, struct error *err) MUST_CHECK;

/* Moves up to `room` bytes of the body to `to`, and returns how many. 0: there are none for now, or no more.
 * Not to be called from progress(). */
size_t http_request_read(struct http_request *request, char *to, size_t room);

struct http_state {
    int status;            /* of HTTP; 0: there was no answer yet */
    bool is_json;          /* the content type is application/json */
    bool ended;            /* all was read, and nothing follows */
    bool whole;            /* the answer has ended as HTTP lets an answer end */
    int64_t retry_after_s; /* header Retry-After, in seconds; 0: none */
    const char *error; /* why the answer is not whole; "" if it is; valid as long as the request */
};

struct http_state http_request_state(struct http_request *request);

/* Frees the request, which ends it if it is under way. NULL is allowed. Not to be called from progress(). */
void http_request_free(struct http_request *request);

#endif
