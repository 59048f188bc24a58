/* http: libmicrohttpd on the loop, between limits.
 *
 * Happy path: a client connects, is accepted here and handed to libmicrohttpd, which waits in an epoll
 * set of its own; when that is readable libmicrohttpd runs, reads the request, asks answer_request() and
 * sends what it gets; the connection may be used again.
 *
 * A connection has REQUEST_SECONDS for each request, from the first byte it could have sent to the last
 * byte it takes. When there are too many, of all or of one address, the one that has had most of its time
 * goes: so a new one, which may be a probe, always gets in, and clients that hold on to connections only
 * hurt each other.
 *
 * Failure modes:
 *   the port is taken, no descriptors   logged with what to do; tried again with back-off, for ever. The
 *                                       rest of the process does not depend on it
 *   a client that is slow, or silent    cut off when its time is over
 *   a request or header that is large   refused by libmicrohttpd, within CONNECTION_BYTES
 *   a body in a request                 not read: the connection is closed
 *   no memory for an answer             500, or the connection is closed
 */
#include "sidecar/http/http.h"

#include "lib/base/backoff.h"
#include "lib/base/text.h"
#include "sidecar/base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNECTIONS  64
#define MAX_OF_ADDRESS   16
#define SLOTS            (MAX_CONNECTIONS * 2) /* those that are being closed included */
#define REQUEST_SECONDS  10
#define CONNECTION_BYTES 8192 /* for the head of a request and that of its answer */
#define BODY_LIMIT       (1U << 20)
#define BACKLOG          128
#define ACCEPTS          16 /* in one round of the loop */
#define DEADLINE_MS      1000
#define RETRY_FIRST_MS   1000
#define RETRY_CEILING_MS 30000

struct connection {
    struct http *http;
    bool used;
    bool leaving; /* its socket is shut down: libmicrohttpd will notice */
    int fd;       /* libmicrohttpd's */
    int64_t since_us;
    struct in6_addr address;
};

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    bool is_wildcard; /* no address was given: also IPv4, where there is no IPv6 */
};

struct http {
    struct http_settings settings;
    uv_loop_t *loop;
    struct address address;
    struct MHD_Daemon *daemon; /* NULL: it could not be started yet */
    int listen_fd;             /* -1: not listening */
    uv_timer_t run;            /* libmicrohttpd wants to run without an event */
    uv_timer_t retry;          /* to listen, or to accept, again */
    uv_timer_t deadline;       /* active while there are connections */
    uv_poll_t events;          /* libmicrohttpd's epoll set; if there is a daemon */
    uv_poll_t listener;        /* if it listens */
    struct backoff backoff;
    struct connection connections[SLOTS];
    struct connection *accepted; /* the one that libmicrohttpd is just given */
    size_t staying;              /* used, and not leaving */
    unsigned open_handles;
    void (*closed)(void *context);
    void *closed_context;
};

/* ---- the address -------------------------------------------------------------------------------*/

static bool parse_port(const char *text, in_port_t *port)
{
    unsigned long number = 0;
    size_t length = strspn(text, "0123456789");
    if (length == 0 || length > 5 || text[length] != '\0')
        return false;
    number = strtoul(text, NULL, 10);
    *port = htons((in_port_t)number);
    return number <= UINT16_MAX;
}

/* host: without brackets; "": all addresses. */
static bool parse_host(const char *host, bool bracketed, in_port_t port, struct address *address)
{
    *address = (struct address){.is_wildcard = host[0] == '\0'};
    if (bracketed || address->is_wildcard) {
        address->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        return address->is_wildcard || inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1;
    }
    address->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
    return inet_pton(AF_INET, host, &address->v4.sin_addr) == 1;
}

static enum error_code parse_listen(const char *listen, struct address *address, struct error *err)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(listen, ':');
    size_t length = colon != NULL ? (size_t)(colon - listen) : sizeof(host);
    in_port_t port;
    if (length < sizeof(host) && parse_port(colon + 1, &port)) {
        bool bracketed = length > 2 && listen[0] == '[' && listen[length - 1] == ']';
        size_t used = bracketed ? length - 2 : length;
        memcpy(host, bracketed ? listen + 1 : listen, used);
        host[used] = '\0';
        if (parse_host(host, bracketed, port, address))
            return ERROR_NONE;
    }
    return error_set(
        err, ERROR_OPERATOR,
        "\"%s\" is not a place to listen: use :PORT, or ADDRESS:PORT with an address such "
        "as 127.0.0.1 or [::1] (no name)",
        listen);
}

enum error_code http_check(const char *listen, struct error *err)
{
    struct address address;
    return parse_listen(listen, &address, err);
}

/* ---- answering ---------------------------------------------------------------------------------*/

static enum MHD_Result send_body(struct MHD_Connection *connection, unsigned status,
                                 const char *content_type, const struct buffer *body)
{
    struct text text = buffer_text(body);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        text.length, (char *)text.data, MHD_RESPMEM_MUST_COPY); /* which only reads it */
    if (response == NULL)
        return MHD_NO; /* the connection is closed */
    enum MHD_Result result = MHD_NO;
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type) == MHD_YES &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
        (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
         MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES))
        result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status,
                                 const char *text)
{
    struct buffer body;
    buffer_init(&body, BODY_LIMIT);
    buffer_append_string(&body, text);
    enum MHD_Result result = send_body(connection, status, "text/plain; charset=utf-8", &body);
    buffer_fini(&body);
    return result;
}

static enum MHD_Result send_not_found(const struct http *http, struct MHD_Connection *connection)
{
    struct buffer body;
    buffer_init(&body, BODY_LIMIT);
    buffer_append_string(&body, "There is:\n");
    for (size_t i = 0; i < http->settings.route_count; i++)
        buffer_appendf(&body, "%s\n", http->settings.routes[i].path);
    enum MHD_Result result =
        send_body(connection, MHD_HTTP_NOT_FOUND, "text/plain; charset=utf-8", &body);
    buffer_fini(&body);
    return result;
}

static bool is_verbose(struct MHD_Connection *connection)
{
    const char *value;
    size_t length;
    return MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND, "verbose",
                                         strlen("verbose"), &value, &length) == MHD_YES;
}

static enum MHD_Result send_route(const struct http *http, struct MHD_Connection *connection,
                                  const struct http_route *route)
{
    struct buffer body;
    buffer_init(&body, BODY_LIMIT);
    unsigned status = route->answer(http->settings.context, is_verbose(connection), &body);
    enum MHD_Result result =
        body.failed ? send_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory\n")
                    : send_body(connection, status, route->content_type, &body);
    buffer_fini(&body);
    return result;
}

/* Called when the head of a request is there, with its body, and when all of it is there. An answer in
 * the first call ends the connection, since it does not know how far the body goes. */
static enum MHD_Result answer_request(void *context, struct MHD_Connection *connection,
                                      const char *url, const char *method, const char *version,
                                      const char *upload, size_t *upload_size, void **seen)
{
    struct http *http = context;
    (void)version;
    (void)upload;
    if (*seen == NULL) {
        *seen = http;
        if (strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0)
            return MHD_YES;
        return send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD only\n");
    }
    if (*upload_size > 0)
        return MHD_NO;
    for (size_t i = 0; i < http->settings.route_count; i++) {
        if (strcmp(url, http->settings.routes[i].path) == 0)
            return send_route(http, connection, &http->settings.routes[i]);
    }
    return send_not_found(http, connection);
}

/* ---- connections -------------------------------------------------------------------------------*/

static void release(struct connection *connection)
{
    if (!connection->leaving)
        connection->http->staying--;
    connection->used = false;
}

static void dismiss(struct connection *connection)
{
    connection->leaving = true;
    connection->http->staying--;
    shutdown(connection->fd, SHUT_RDWR);
}

static void on_deadline(uv_timer_t *timer)
{
    struct http *http = timer->data;
    int64_t before_us = clock_steady_us() - INT64_C(1000000) * REQUEST_SECONDS;
    for (size_t i = 0; i < SLOTS; i++) {
        struct connection *connection = &http->connections[i];
        if (connection->used && !connection->leaving && connection->since_us < before_us)
            dismiss(connection);
    }
    if (http->staying == 0)
        uv_timer_stop(timer);
}

/* For a connection more from this address; NULL: there is room for it. */
static struct connection *find_who_must_go(struct http *http, const struct in6_addr *address)
{
    struct connection *oldest = NULL, *oldest_there = NULL;
    size_t there = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        struct connection *connection = &http->connections[i];
        if (!connection->used || connection->leaving)
            continue;
        if (oldest == NULL || connection->since_us < oldest->since_us)
            oldest = connection;
        if (!IN6_ARE_ADDR_EQUAL(&connection->address, address))
            continue;
        there++;
        if (oldest_there == NULL || connection->since_us < oldest_there->since_us)
            oldest_there = connection;
    }
    if (there >= MAX_OF_ADDRESS)
        return oldest_there;
    return http->staying >= MAX_CONNECTIONS ? oldest : NULL;
}

/* NULL: all are used. */
static struct connection *find_slot(struct http *http)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (!http->connections[i].used)
            return &http->connections[i];
    }
    return NULL;
}

/* IPv4 addresses as IPv6 has them, so that there is one kind. */
static struct in6_addr address_of(const struct sockaddr_storage *from)
{
    struct in6_addr address = IN6ADDR_ANY_INIT;
    if (from->ss_family == AF_INET6)
        return ((const struct sockaddr_in6 *)from)->sin6_addr;
    address.s6_addr[10] = address.s6_addr[11] = 0xFF;
    memcpy(&address.s6_addr[12], &((const struct sockaddr_in *)from)->sin_addr, 4);
    return address;
}

/* libmicrohttpd has taken the connection, or is about to close it. *slot is for us to keep. */
static void on_connection(void *context, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = context;
    (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *slot = http->accepted;
    else if (*slot != NULL)
        release(*slot);
}

static void on_request_completed(void *context, struct MHD_Connection *connection, void **seen,
                                 enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)code;
    *seen = NULL;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info != NULL && info->socket_context != NULL)
        ((struct connection *)info->socket_context)->since_us = clock_steady_us();
}

/* ---- the daemon --------------------------------------------------------------------------------*/

static void on_run(uv_timer_t *timer);

static void run_daemon(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    (void)MHD_run(http->daemon); /* it fails only for other kinds of daemons */
    if (MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES)
        uv_timer_start(&http->run, on_run, wait_ms, 0);
    else
        uv_timer_stop(&http->run);
}

static void on_run(uv_timer_t *timer)
{
    run_daemon(timer->data);
}

static void on_daemon_events(uv_poll_t *events, int status, int what)
{
    (void)status;
    (void)what;
    run_daemon(events->data);
}

static enum error_code start_daemon(struct http *http, struct error *err)
{
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, answer_request, http,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_NOTIFY_COMPLETED,
        on_request_completed, http, MHD_OPTION_CONNECTION_LIMIT, (unsigned)SLOTS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (http->daemon == NULL)
        return error_set(err, ERROR_AGAIN, "libmicrohttpd does not start: %s", strerror(errno));
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int status = info != NULL ? uv_poll_init(http->loop, &http->events, info->epoll_fd) : UV_EINVAL;
    if (status != 0) {
        MHD_stop_daemon(http->daemon);
        http->daemon = NULL;
        return error_set(err, ERROR_AGAIN, "libmicrohttpd: %s", uv_strerror(status));
    }
    http->events.data = http;
    uv_poll_start(&http->events, UV_READABLE, on_daemon_events);
    return ERROR_NONE;
}

/* ---- accepting ---------------------------------------------------------------------------------*/

static void on_connectable(uv_poll_t *listener, int status, int events);

static void accept_again(uv_timer_t *timer)
{
    struct http *http = timer->data;
    uv_poll_start(&http->listener, UV_READABLE, on_connectable);
}

static void pause_accepting(struct http *http)
{
    uv_poll_stop(&http->listener);
    uv_timer_start(&http->retry, accept_again, RETRY_FIRST_MS, 0);
}

/* The slot is free. */
static void take(struct http *http, struct connection *slot, int fd,
                 const struct sockaddr_storage *from, socklen_t from_length)
{
    struct in6_addr address = address_of(from);
    struct connection *other = find_who_must_go(http, &address);
    if (other != NULL)
        dismiss(other);
    *slot = (struct connection){
        .http = http, .used = true, .fd = fd, .since_us = clock_steady_us(), .address = address};
    http->staying++;
    http->accepted = slot;
    if (MHD_add_connection(http->daemon, fd, (const struct sockaddr *)from, from_length) !=
            MHD_YES &&
        slot->used)
        release(slot); /* the descriptor is closed */
    if (!uv_is_active((uv_handle_t *)&http->deadline))
        uv_timer_start(&http->deadline, on_deadline, DEADLINE_MS, DEADLINE_MS);
}

/* False if there is none for now. */
static bool accept_one(struct http *http)
{
    struct sockaddr_storage from = {0};
    socklen_t length = sizeof(from);
    struct connection *slot = find_slot(http);
    int fd = slot != NULL ? accept4(http->listen_fd, (struct sockaddr *)&from, &length,
                                    SOCK_NONBLOCK | SOCK_CLOEXEC)
                          : -1;
    if (fd >= 0) {
        take(http, slot, fd, &from, length);
        return true;
    }
    if (slot != NULL && (errno == EINTR || errno == ECONNABORTED))
        return true;
    if (slot == NULL || errno != EAGAIN) {
        LOG(http->settings.logger, WARN, "cannot accept an HTTP connection: trying again",
            log_string("error", slot == NULL ? "too many are being closed" : strerror(errno)));
        pause_accepting(http);
    }
    return false;
}

static void on_connectable(uv_poll_t *listener, int status, int events)
{
    struct http *http = listener->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS && accept_one(http); i++)
        ;
    run_daemon(http);
}

/* ---- listening ---------------------------------------------------------------------------------*/

static const char *advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "another process of this pod has the port: give HTTP_LISTEN another one";
    case EACCES:
        return "ports below 1024 need a privilege: give HTTP_LISTEN a higher one";
    case EADDRNOTAVAIL:
        return "this machine has no such address: HTTP_LISTEN=:PORT listens on all there are";
    default:
        return "trying again";
    }
}

/* A socket that listens, or -errno. */
static int listen_on(const struct sockaddr *address)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    bool is_v6 = address->sa_family == AF_INET6;
    socklen_t length = is_v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) == 0 &&
        (!is_v6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int)) == 0) &&
        bind(fd, address, length) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

static int listen_on_address(const struct address *address)
{
    int fd = listen_on(&address->any);
    if ((fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL) && address->is_wildcard) {
        const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = address->v6.sin6_port};
        fd = listen_on((const struct sockaddr *)&v4);
    }
    return fd;
}

static unsigned port_of(int fd)
{
    struct address own = {.v6 = {0}};
    socklen_t length = sizeof(own.v6);
    if (getsockname(fd, &own.any, &length) != 0)
        return 0;
    return ntohs(own.any.sa_family == AF_INET6 ? own.v6.sin6_port : own.v4.sin_port);
}

static enum error_code start_listening(struct http *http, struct error *err)
{
    int fd = listen_on_address(&http->address);
    if (fd < 0)
        return error_set(err, ERROR_OPERATOR, "%s: %s", strerror(-fd), advice(-fd));
    int status = uv_poll_init(http->loop, &http->listener, fd);
    if (status != 0) {
        close(fd);
        return error_set(err, ERROR_AGAIN, "%s", uv_strerror(status));
    }
    http->listen_fd = fd;
    http->listener.data = http;
    uv_poll_start(&http->listener, UV_READABLE, on_connectable);
    LOG(http->settings.logger, INFO, "listening for HTTP",
        log_string("address", http->settings.listen), log_int("port", port_of(fd)));
    return ERROR_NONE;
}

static void open_http(uv_timer_t *timer)
{
    struct http *http = timer->data;
    struct error err;
    enum error_code code = http->daemon == NULL ? start_daemon(http, &err) : ERROR_NONE;
    if (code == ERROR_NONE)
        code = start_listening(http, &err);
    if (code == ERROR_NONE)
        return;
    uint32_t delay_ms = backoff_next_ms(&http->backoff, clock_random());
    LOG(http->settings.logger, ERROR,
        "cannot listen for HTTP: there are no metrics and probes until it works, all else goes on",
        log_string("address", http->settings.listen), log_string("error", err.text),
        log_int("retry_in_ms", delay_ms));
    uv_timer_start(timer, open_http, delay_ms, 0);
}

enum error_code http_new(uv_loop_t *loop, const struct http_settings *settings,
                         struct http **result, struct error *err)
{
    struct http *http = calloc(1, sizeof(*http));
    if (http == NULL)
        return error_set(err, ERROR_NOMEM, "no memory for HTTP");
    enum error_code code = parse_listen(settings->listen, &http->address, err);
    if (code != ERROR_NONE) {
        free(http);
        return code;
    }
    http->settings = *settings;
    http->loop = loop;
    http->listen_fd = -1;
    http->backoff = (struct backoff){.first_ms = RETRY_FIRST_MS, .ceiling_ms = RETRY_CEILING_MS};
    uv_timer_init(loop, &http->run);
    uv_timer_init(loop, &http->retry);
    uv_timer_init(loop, &http->deadline);
    http->run.data = http;
    http->retry.data = http;
    http->deadline.data = http;
    open_http(&http->retry);
    *result = http;
    return ERROR_NONE;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct http *http = handle->data;
    if (--http->open_handles > 0)
        return;
    void (*closed)(void *context) = http->closed;
    void *context = http->closed_context;
    free(http);
    closed(context);
}

static void close_handle(struct http *http, uv_handle_t *handle)
{
    http->open_handles++;
    uv_close(handle, on_handle_closed);
}

void http_close(struct http *http, void (*closed)(void *context), void *context)
{
    http->closed = closed;
    http->closed_context = context;
    close_handle(http, (uv_handle_t *)&http->run);
    close_handle(http, (uv_handle_t *)&http->retry);
    close_handle(http, (uv_handle_t *)&http->deadline);
    if (http->listen_fd >= 0) {
        close_handle(http, (uv_handle_t *)&http->listener);
        close(http->listen_fd);
    }
    if (http->daemon != NULL) {
        close_handle(http, (uv_handle_t *)&http->events);
        MHD_stop_daemon(http->daemon);
    }
}
