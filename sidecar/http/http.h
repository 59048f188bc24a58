/* http: answers GET and HEAD on some fixed paths. The only file that includes http_parser.h.
 *
 * It knows nothing of what it tells: each path has a function that writes the answer. All is done on the
 * loop thread. It is read-only, has no log-in and no TLS, and its answers hold no secrets. */
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

    /* Appends the body and returns the status, such as 200. verbose: the query says ?verbose. A body
     * that has failed is answered with 500. */
    unsigned (*answer)(void *context, bool verbose, struct buffer *body);
};

struct http_settings {
    const char *listen;              /* HTTP_LISTEN: an address that http_check() has accepted */
    const struct http_route *routes; /* all three are borrowed until it is closed */
    size_t route_count;
    void *context; /* the routes' */
    struct logger *logger;
};

/* True if listen is "ADDRESS:PORT", "[ADDRESS]:PORT" or ":PORT" (all addresses). Port 0: any free one. */
enum error_code http_check(const char *listen, struct error *err) MUST_CHECK;

/* A port that is taken is no error: it is said loudly, and tried again. */
enum error_code http_new(uv_loop_t *loop, const struct http_settings *settings, struct http **http,
                         struct error *err) MUST_CHECK;

/* Breaks off what is being answered, closes every handle, frees it, then calls closed(). Not from inside
 * an answer. */
void http_close(struct http *http, void (*closed)(void *context), void *context);

#endif
