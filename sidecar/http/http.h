/* http: answers GET and HEAD on some fixed paths. The only file that includes http_parser.h.
 *
 * It does not know what the answers mean: each path has a function that writes the answer. All is done on the
 * loop thread. The server is read-only, has no log-in and no TLS, and its answers hold no secrets. */
#ifndef SIDECAR_HTTP_H
#define SIDECAR_HTTP_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "sidecar/base/logger.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct http;

struct http_route {
    const char *path; /* "/livez" */
    const char *content_type;

    /* Appends the body and returns the HTTP status, such as 200. verbose: the query is ?verbose. If appending
     * has failed (body->failed), the answer is 500. */
    unsigned (*answer)(void *context, bool verbose, struct buffer *body);
};

struct http_settings {
    const char *listen;              /* HTTP_LISTEN: an address that http_check() has accepted */
    const struct http_route *routes; /* all three are borrowed until it is closed */
    size_t route_count;
    void *context; /* the routes' */
    struct logger *logger;
};

/* Accepts "ADDRESS:PORT", "[ADDRESS]:PORT" and ":PORT" (all addresses); port 0 means any free one. All else
 * is an error whose text says what is wrong. */
enum error_code http_check(const char *listen, struct error *err) MUST_CHECK;

/* Tries whether a server could listen there now. ERROR_AGAIN: the port is in use. */
enum error_code http_try(const char *listen, struct error *err) MUST_CHECK;

/* Makes the server and begins to listen. A port that is taken is no error: the log says so, and listening is
 * tried again. */
enum error_code http_new(uv_loop_t *loop, const struct http_settings *settings, struct http **http,
                         struct error *err) MUST_CHECK;

/* Breaks off the answers that are being sent, closes every handle, frees the server, then calls closed(). It
 * must not be called from inside an answer() function. */
void http_close(struct http *http, void (*closed)(void *context), void *context);

#endif
