/* http_client: GET requests on the loop, by libcurl.
 *
 * One server: a Unix socket without encryption, or TLS with a CA of its own and a bearer token. HTTP/1.1,
 * no proxy, no redirects. The body waits in a bounded buffer until it is read; while that is full the
 * server feels it. */
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
    const char *ca_file;    /* PEM: the CAs that are believed, and no others */
    const char *token_file; /* read for each request */
};

/* ERROR_OPERATOR: libcurl is not installed. Nothing is connected yet. */
enum error_code http_client_new(uv_loop_t *loop, const struct http_server *server,
                                struct logger *logger, struct http_client **client,
                                struct error *err) MUST_CHECK;

/* Closes every handle, frees it, then calls closed(). All its requests are freed before. */
void http_client_close(struct http_client *client, void (*closed)(void *context), void *context);

struct http_get {
    const char *path; /* with its query */
    bool compressed;  /* gzip may be used */

    /* The head of the answer has come, there is more to read, or the request has ended. May only note it: it comes from inside. */
    void (*progress)(void *context);
    void *context;
};

/* Begins a request. ERROR_OPERATOR: the token cannot be read; ERROR_AGAIN: the request cannot be made. */
enum error_code http_client_get(struct http_client *client, const struct http_get *get,
                                struct http_request **request, struct error *err) MUST_CHECK;

/* Takes up to room bytes of the body; 0: there are none for now, or no more. Not from progress(). */
size_t http_request_read(struct http_request *request, char *to, size_t room);

struct http_state {
    int status;            /* 0: no answer yet, or none at all */
    bool is_json;          /* as the answer says */
    bool ended;            /* all was read, and nothing follows */
    bool whole;            /* it ended as HTTP lets an answer end */
    int64_t retry_after_s; /* 0: not said */
    const char *error;     /* why it is not whole; "" if it is; valid as long as the request */
};

struct http_state http_request_state(struct http_request *request);

/* Ends it, if it still runs. Not from progress(). */
void http_request_free(struct http_request *request);

#endif
