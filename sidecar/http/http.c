/* http: a small HTTP server on the loop thread, with limits. http-parser reads the requests.
 *
 * Happy path: a client connects; its bytes go to the parser until a request is whole; the answer is
 * written, and only then is the next request of this connection read.
 *
 * A connection has REQUEST_SECONDS for each request, from the moment when the client may send it to the last
 * byte of the answer that the client takes. When there are too many connections, in all or from one address,
 * the one that has used most of its time is closed. So a new connection, which may be a probe, always gets
 * in, and clients that hold on to connections only harm each other.
 *
 * Failure modes:
 *   the port is taken                   it is logged with what to do, and tried again with back-off, for
 *                                       ever; the rest of the process does not depend on it
 *   no descriptors                      libuv accepts and closes the waiting connections, so that no client
 *                                       hangs; if it cannot, the server listens again later, as when the port
 *                                       is taken
 *   a client that is slow, or silent    cut off when its time is over
 *   a head of a request that is large   refused by the parser (HEAD_LIMIT)
 *   a body in a request                 not read: the connection ends
 *   no memory for an answer             500 */
#include "sidecar/http/http.h"

#include "lib/base/backoff.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "sidecar/base/clock.h"

#include <errno.h>
#include <http_parser.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS  64
#define MAX_OF_ADDRESS   16
#define REQUEST_SECONDS  10
#define HEAD_LIMIT       8192 /* bytes of a request's line and header */
#define BODY_LIMIT       (1U << 20)
#define BACKLOG          128
#define DEADLINE_MS      1000
#define RETRY_FIRST_MS   1000
#define RETRY_CEILING_MS 30000

#define PLAIN_TEXT "text/plain; charset=utf-8"

struct connection {
    TAILQ_ENTRY(connection) entry;
    struct http *http;
    uv_tcp_t tcp;
    char address[INET6_ADDRSTRLEN];
    int64_t since_us; /* its time for the present request runs from then */
    http_parser parser;
    char target[256]; /* of the request; cut off, since no path is as long */
    char input[2048];
    size_t input_length, input_taken; /* by the parser */
    uv_write_t write;
    char head[512]; /* of the answer */
    struct buffer body;
    bool keep; /* for another request, once the answer is written */
};

TAILQ_HEAD(connections, connection);

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct http {
    struct http_settings settings;
    uv_loop_t *loop;
    union address address;
    bool is_wildcard; /* no address was given: also IPv4, where there is no IPv6 */
    uv_tcp_t listener;
    uv_timer_t retry;    /* to listen again */
    uv_timer_t deadline; /* active while there are connections */
    struct backoff backoff;
    uint32_t retry_ms;
    struct connections connections; /* the one that has had most of its time is first */
    unsigned open_handles;
    void (*closed)(void *context); /* NULL: it is not being closed */
    void *closed_context;
};

/* ---- the address -------------------------------------------------------------------------------*/

static enum error_code parse_listen(const char *listen, union address *address, struct error *err)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(listen, ':');
    size_t length = colon != NULL ? (size_t)(colon - listen) : sizeof(host);
    size_t digits = colon != NULL ? strspn(colon + 1, "0123456789") : 0;
    long port = digits > 0 && digits <= 5 ? strtol(colon + 1, NULL, 10) : LONG_MAX;
    if (length < sizeof(host) && port <= UINT16_MAX && colon[1 + digits] == '\0') {
        bool bracketed = length > 2 && listen[0] == '[' && listen[length - 1] == ']';
        text_copy(host, sizeof(host),
                  bracketed ? (struct text){listen + 1, length - 2}
                            : (struct text){listen, length});
        bool is_wildcard = host[0] == '\0';
        int status = is_wildcard || bracketed
                         ? uv_ip6_addr(is_wildcard ? "::" : host, (int)port, &address->v6)
                         : uv_ip4_addr(host, (int)port, &address->v4);
        if (status == 0)
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
    union address address;
    return parse_listen(listen, &address, err);
}

static const char *advice(int error)
{
    switch (error) {
    case UV_EADDRINUSE:
        return "another process of this pod has the port: give HTTP_LISTEN another one";
    case UV_EACCES:
        return "ports below 1024 need a privilege: give HTTP_LISTEN a higher one";
    case UV_EADDRNOTAVAIL:
        return "this machine has no such address: HTTP_LISTEN=:PORT listens on all there are";
    default:
        return "trying again";
    }
}

enum error_code http_try(const char *listen, struct error *err)
{
    union address address = {.v6 = {0}};
    const int reuse = 1;
    enum error_code code = parse_listen(listen, &address, err);
    if (code != ERROR_NONE)
        return code;
    socklen_t size = address.any.sa_family == AF_INET6 ? sizeof(address.v6) : sizeof(address.v4);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse)) != 0 ||
        bind(fd, &address.any, size) != 0) {
        int error = uv_translate_sys_error(errno);
        code = error_set(err, error == UV_EADDRINUSE ? ERROR_AGAIN : ERROR_OPERATOR, "%s: %s",
                         uv_strerror(error), advice(error));
    }
    if (fd >= 0)
        close(fd);
    return code;
}

/* ---- handles -----------------------------------------------------------------------------------*/

/* Counts a handle as closed; after the last one the server itself is freed, and closed() is called. */
static void release(struct http *http)
{
    if (--http->open_handles > 0 || http->closed == NULL)
        return;
    void (*closed)(void *context) = http->closed;
    void *context = http->closed_context;
    free(http);
    closed(context);
}

static void on_handle_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void on_connection_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    struct http *http = connection->http;
    buffer_fini(&connection->body);
    free(connection);
    release(http);
}

static void drop(struct connection *connection)
{
    TAILQ_REMOVE(&connection->http->connections, connection, entry);
    uv_close((uv_handle_t *)&connection->tcp, on_connection_closed);
}

/* ---- answering ---------------------------------------------------------------------------------*/

static void take_input(struct connection *connection);

static void on_written(uv_write_t *write, int status)
{
    struct connection *connection = write->data;
    if (uv_is_closing((uv_handle_t *)&connection->tcp))
        return;
    if (status != 0 || !connection->keep) {
        drop(connection);
        return;
    }
    buffer_fini(&connection->body);
    connection->target[0] = '\0';
    connection->since_us = clock_steady_us();
    TAILQ_REMOVE(&connection->http->connections, connection, entry);
    TAILQ_INSERT_TAIL(&connection->http->connections, connection, entry);
    take_input(connection);
}

/* Sends the head of an answer and the connection's body. */
static void send_answer(struct connection *connection, unsigned status, const char *content_type)
{
    struct buffer *body = &connection->body;
    if (body->failed) {
        status = HTTP_STATUS_INTERNAL_SERVER_ERROR;
        content_type = PLAIN_TEXT;
        buffer_reset(body);
    }
    time_t now = time(NULL);
    struct tm tm;
    char date[sizeof("Thu, 01 Jan 1970 00:00:00 GMT")];
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    struct text text = buffer_text(body);
    int head_length =
        snprintf(connection->head, sizeof(connection->head),
                 "HTTP/1.1 %u %s\r\n"
                 "Date: %s\r\n"
                 "Content-Type: %s\r\n"
                 "Content-Length: %zu\r\n"
                 "Cache-Control: no-store\r\n"
                 "%sConnection: %s\r\n"
                 "\r\n",
                 status, http_status_str(status), date, content_type, text.length,
                 status == HTTP_STATUS_METHOD_NOT_ALLOWED ? "Allow: GET, HEAD\r\n" : "",
                 connection->keep ? "keep-alive" : "close");
    uv_buf_t parts[] = {uv_buf_init(connection->head, (unsigned)head_length),
                        uv_buf_init((char *)text.data, (unsigned)text.length)}; /* only read */
    connection->write.data = connection;
    if (uv_write(&connection->write, (uv_stream_t *)&connection->tcp, parts,
                 connection->parser.method == HTTP_HEAD ? 1 : 2, on_written) != 0)
        drop(connection);
}

static void answer_request(struct connection *connection)
{
    const struct http_settings *settings = &connection->http->settings;
    struct buffer *body = &connection->body;
    const char *target = connection->target;
    size_t path_length = strcspn(target, "?");
    bool verbose = strncmp(target + path_length, "?verbose", strlen("?verbose")) == 0;
    buffer_append_string(body, "There is:\n");
    for (size_t i = 0; i < settings->route_count; i++) {
        const struct http_route *route = &settings->routes[i];
        if (strlen(route->path) == path_length && memcmp(target, route->path, path_length) == 0) {
            buffer_reset(body);
            unsigned status = route->answer(settings->context, verbose, body);
            send_answer(connection, status, route->content_type);
            return;
        }
        buffer_appendf(body, "%s\n", route->path);
    }
    send_answer(connection, HTTP_STATUS_NOT_FOUND, PLAIN_TEXT);
}

/* Answers with an error. The connection ends with this answer, since it is not known where the next request
 * would begin. */
static void refuse_request(struct connection *connection, unsigned status, const char *reason)
{
    connection->keep = false;
    buffer_appendf(&connection->body, "%s\n", reason);
    send_answer(connection, status, PLAIN_TEXT);
}

/* ---- reading -----------------------------------------------------------------------------------*/

/* The parser may hand the target out in parts. */
static int on_target(http_parser *parser, const char *part, size_t length)
{
    struct connection *connection = parser->data;
    size_t begun = strlen(connection->target);
    snprintf(connection->target + begun, sizeof(connection->target) - begun, "%.*s", (int)length,
             part);
    return 0;
}

static int on_body(http_parser *parser, const char *data, size_t length)
{
    (void)parser;
    (void)data;
    (void)length;
    return 1; /* it is not taken */
}

static int on_request_complete(http_parser *parser)
{
    struct connection *connection = parser->data;
    connection->keep = http_should_keep_alive(parser);
    http_parser_pause(parser, 1); /* until it is answered */
    return 0;
}

static const http_parser_settings callbacks = {
    .on_url = on_target, .on_body = on_body, .on_message_complete = on_request_complete};

static void make_input_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    struct connection *connection = handle->data;
    (void)suggested;
    *room = uv_buf_init(connection->input, sizeof(connection->input));
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *data)
{
    struct connection *connection = stream->data;
    (void)data; /* it is our input */
    if (length < 0) {
        drop(connection);
        return;
    }
    connection->input_taken = 0;
    connection->input_length = (size_t)length;
    uv_read_stop(stream);
    take_input(connection);
}

/* Parses the input that has been read, to the end of a request or until more input is needed. */
static void take_input(struct connection *connection)
{
    http_parser *parser = &connection->parser;
    size_t left = connection->input_length - connection->input_taken;
    http_parser_pause(parser, 0);
    if (left > 0) /* 0 would tell the parser that the stream ends */
        connection->input_taken += http_parser_execute(
            parser, &callbacks, connection->input + connection->input_taken, left);
    bool is_read_only = parser->method == HTTP_GET || parser->method == HTTP_HEAD;
    enum http_errno error = HTTP_PARSER_ERRNO(parser);
    if (error == HPE_OK)
        uv_read_start((uv_stream_t *)&connection->tcp, make_input_room, on_read);
    else if (error == HPE_INVALID_METHOD || !is_read_only)
        refuse_request(connection, HTTP_STATUS_METHOD_NOT_ALLOWED, "GET or HEAD only");
    else if (error == HPE_PAUSED)
        answer_request(connection);
    else if (error == HPE_CB_body)
        refuse_request(connection, HTTP_STATUS_PAYLOAD_TOO_LARGE, "no body is taken");
    else
        refuse_request(connection, HTTP_STATUS_BAD_REQUEST, http_errno_description(error));
}

/* ---- waiting to listen again -------------------------------------------------------------------*/

static void open_http(uv_timer_t *timer);

/* The listener's handle is closed, and only now may it be used again. */
static void on_listening_stopped(uv_handle_t *listener)
{
    struct http *http = listener->data;
    if (http->closed == NULL)
        uv_timer_start(&http->retry, open_http, http->retry_ms, 0);
    release(http);
}

/* Logs why the server can't listen (error: libuv's), and tries again after the back-off. */
static void listen_later(struct http *http, int error)
{
    char text[256];
    snprintf(text, sizeof(text), "%s: %s", uv_strerror(error), advice(error));
    http->retry_ms = backoff_next_ms(&http->backoff, clock_random());
    LOG(http->settings.logger, ERROR,
        "cannot listen for HTTP: there are no metrics and probes until it works, all else goes on",
        log_string("address", http->settings.listen), log_string("error", text),
        log_int("retry_in_ms", http->retry_ms));
    uv_close((uv_handle_t *)&http->listener, on_listening_stopped);
}

/* ---- connections -------------------------------------------------------------------------------*/

static void on_deadline(uv_timer_t *timer)
{
    struct http *http = timer->data;
    int64_t before_us = clock_steady_us() - INT64_C(1000000) * REQUEST_SECONDS;
    struct connection *oldest;
    while ((oldest = TAILQ_FIRST(&http->connections)) != NULL && oldest->since_us < before_us)
        drop(oldest);
    if (oldest == NULL)
        uv_timer_stop(timer);
}

/* Closes connections as needed so that one more from this address is within the limits. */
static void make_room(struct http *http, const char *address)
{
    struct connection *each, *oldest_there = NULL;
    size_t all = 0, there = 0;
    TAILQ_FOREACH(each, &http->connections, entry)
    {
        all++;
        if (strcmp(each->address, address) == 0 && there++ == 0)
            oldest_there = each;
    }
    if (there >= MAX_OF_ADDRESS)
        drop(oldest_there);
    else if (all >= MAX_CONNECTIONS)
        drop(TAILQ_FIRST(&http->connections));
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct http *http = listener->data;
    if (status != 0) {
        listen_later(http, status);
        return;
    }
    struct connection *connection = memory_new(sizeof(*connection));
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    uv_tcp_init(http->loop, &connection->tcp);
    http->open_handles++;
    connection->tcp.data = connection;
    connection->http = http;
    connection->since_us = clock_steady_us();
    buffer_init(&connection->body, BODY_LIMIT);
    http_parser_init(&connection->parser, HTTP_REQUEST);
    connection->parser.data = connection;
    struct sockaddr_storage from = {0};
    if (uv_accept(listener, stream) == 0 &&
        uv_tcp_getpeername(&connection->tcp, (struct sockaddr *)&from, &(int){sizeof(from)}) == 0)
        uv_ip_name((struct sockaddr *)&from, connection->address, sizeof(connection->address));
    make_room(http, connection->address);
    TAILQ_INSERT_TAIL(&http->connections, connection, entry);
    if (uv_read_start(stream, make_input_room, on_read) != 0)
        drop(connection);
    if (!uv_is_active((uv_handle_t *)&http->deadline))
        uv_timer_start(&http->deadline, on_deadline, DEADLINE_MS, DEADLINE_MS);
}

/* ---- listening ---------------------------------------------------------------------------------*/

static void open_http(uv_timer_t *timer)
{
    struct http *http = timer->data;
    uv_tcp_init(http->loop, &http->listener);
    http->open_handles++;
    http->listener.data = http;
    int status = uv_tcp_bind(&http->listener, &http->address.any, 0);
    if (status == UV_EAFNOSUPPORT && http->is_wildcard) {
        uv_ip4_addr("0.0.0.0", ntohs(http->address.v6.sin6_port), &http->address.v4);
        http->is_wildcard = false;
        status = uv_tcp_bind(&http->listener, &http->address.any, 0);
    }
    if (status == 0)
        status = uv_listen((uv_stream_t *)&http->listener, BACKLOG, on_connection);
    if (status != 0) {
        listen_later(http, status);
        return;
    }
    backoff_reset(&http->backoff);
    union address own = {.v6 = {0}};
    (void)uv_tcp_getsockname(&http->listener, &own.any, &(int){sizeof(own)});
    LOG(http->settings.logger, INFO, "listening for HTTP",
        log_string("address", http->settings.listen), log_int("port", ntohs(own.v4.sin_port)));
}

enum error_code http_new(uv_loop_t *loop, const struct http_settings *settings,
                         struct http **result, struct error *err)
{
    union address address;
    enum error_code code = parse_listen(settings->listen, &address, err);
    if (code != ERROR_NONE)
        return code;
    struct http *http = memory_new(sizeof(*http));
    http->address = address;
    http->settings = *settings;
    http->loop = loop;
    http->is_wildcard = settings->listen[0] == ':';
    http->backoff = (struct backoff){.first_ms = RETRY_FIRST_MS, .ceiling_ms = RETRY_CEILING_MS};
    TAILQ_INIT(&http->connections);
    http_parser_set_max_header_size(HEAD_LIMIT);
    uv_timer_init(loop, &http->retry);
    uv_timer_init(loop, &http->deadline);
    http->retry.data = http;
    http->deadline.data = http;
    http->open_handles = 2;
    open_http(&http->retry);
    *result = http;
    return ERROR_NONE;
}

void http_close(struct http *http, void (*closed)(void *context), void *context)
{
    http->closed = closed;
    http->closed_context = context;
    while (!TAILQ_EMPTY(&http->connections))
        drop(TAILQ_FIRST(&http->connections));
    if (!uv_is_closing((uv_handle_t *)&http->listener))
        uv_close((uv_handle_t *)&http->listener, on_handle_closed);
    uv_close((uv_handle_t *)&http->retry, on_handle_closed);
    uv_close((uv_handle_t *)&http->deadline, on_handle_closed);
}
