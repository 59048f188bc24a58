/* http_client: libcurl's multi interface, driven by the libuv loop. All on the loop's thread.
 *
 * Happy path: a request is added. By callbacks curl says which sockets it waits for, and for how long; what
 * libuv then reports is passed on to curl. Curl calls back with the body, piece by piece, and says at last
 * how the request has ended.
 *
 * Failure modes:
 *   the reader is slow              the buffer fills, and the transfer is paused until the buffer is empty
 *   the server cannot be reached,   the request ends with curl's words for it
 *   or goes away
 *   the server's certificate is     the same; neither the request nor the token has been sent
 *   not from our CA, or is for
 *   another name
 *   the token cannot be read        the request is not begun
 *   a socket cannot be polled       curl gives up its requests, which is logged as an error
 *   the client is closed            curl closes the connections that it kept; then the handles are closed
 */
#include "sidecar/kube/http_client.h"

#include "lib/base/buffer.h"
#include "lib/base/invariant.h"
#include "lib/base/memory.h"
#include "sidecar/kube/curl_library.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 10000L
#define KEEPALIVE_S        30L
#define BODY_LIMIT         (64U << 10) /* bytes that wait for the reader, and one more piece of curl's */
#define TOKEN_LIMIT        16384       /* bytes */
#define URL_LIMIT          65536       /* bytes */
#define JSON_TYPE          "application/json"
#define AUTHORIZATION      "Authorization: Bearer "

/* A socket of curl's that the loop waits for. */
struct poller {
    struct http_client *client;
    uv_poll_t poll;
};

struct http_client {
    uv_loop_t *loop;
    struct logger *logger;
    struct curl_library curl;
    CURLM *multi;
    uv_timer_t timer;              /* runs as long as curl has asked for */
    unsigned requests;             /* that are not freed yet */
    unsigned pending_closes;       /* handles */
    void (*closed)(void *context); /* NULL until http_client_close() */
    void *closed_context;
    char *base_url, *socket_path, *ca_file,
        *token_file; /* owned; the last three: NULL if not used */
};

struct http_request {
    struct http_client *client;
    CURL *easy;
    struct curl_slist *headers;
    struct buffer body; /* what has come and was not read yet */
    bool paused;        /* the next piece of the body does not fit */
    bool done;          /* curl has ended the request, with `result` */
    CURLcode result;
    void (*progress)(void *context);
    void *context;
    char error[CURL_ERROR_SIZE];
};

/* ---- between curl and the loop ---------------------------------------------------------------- */

/* Tells curl what has happened to a socket, or with CURL_SOCKET_TIMEOUT that the time is over, and asks it
 * which requests have ended. Where a Unix socket refuses, curl would say "Failed to connect to localhost port
 * 80", so the text is made here. */
static void act(struct http_client *client, curl_socket_t fd, int events)
{
    const struct curl_library *curl = &client->curl;
    int running, queued;
    CURLMsg *message;
    CURLMcode code = curl->multi_socket_action(client->multi, fd, events, &running);
    if (code != CURLM_OK)
        LOG(client->logger, ERROR, "requests to the API server cannot be driven any more",
            log_string("error", curl->multi_strerror(code)));
    while ((message = curl->multi_info_read(client->multi, &queued)) != NULL) {
        struct http_request *request = NULL;
        long number = 0;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
        curl->easy_getinfo(message->easy_handle, CURLINFO_OS_ERRNO, &number);
        request->done = true;
        request->result = message->data.result;
        if (request->result == CURLE_COULDNT_CONNECT && client->socket_path != NULL)
            (void)snprintf(
                request->error, sizeof(request->error),
                "cannot connect to the socket %.108s: %s: kubectl proxy --unix-socket makes it",
                client->socket_path, strerror((int)number));
        else if (request->error[0] == '\0')
            text_copy(request->error, sizeof(request->error),
                      text_from(curl->easy_strerror(request->result)));
        request->progress(request->context);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    const struct poller *poller = poll->data;
    uv_os_fd_t fd;
    int what = status < 0 ? CURL_CSELECT_ERR : 0;
    if ((events & UV_READABLE) != 0)
        what |= CURL_CSELECT_IN;
    if ((events & UV_WRITABLE) != 0)
        what |= CURL_CSELECT_OUT;
    if (uv_fileno((uv_handle_t *)poll, &fd) == 0)
        act(poller->client, fd, what);
}

/* One of the client's handles is closed. The last one frees a client that is being closed. */
static void handle_closed(struct http_client *client)
{
    if (--client->pending_closes > 0 || client->closed == NULL)
        return;
    void (*closed)(void *context) = client->closed;
    void *context = client->closed_context;
    free(client->base_url);
    free(client->socket_path);
    free(client->ca_file);
    free(client->token_file);
    free(client);
    closed(context);
}

static void on_poller_closed(uv_handle_t *handle)
{
    struct poller *poller = handle->data;
    struct http_client *client = poller->client;
    free(poller);
    handle_closed(client);
}

/* Curl calls this when it wants to hear about a socket, or no longer wants to. of_fd: the socket's poller; NULL:
 * it has none yet. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *of_fd)
{
    struct http_client *client = context;
    struct poller *poller = of_fd;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (poller != NULL) {
            client->pending_closes++;
            uv_close((uv_handle_t *)&poller->poll, on_poller_closed);
        }
        client->curl.multi_assign(client->multi, fd, NULL);
        return 0;
    }
    if (poller == NULL) {
        poller = memory_new(sizeof(*poller));
        if (uv_poll_init_socket(client->loop, &poller->poll, fd) != 0) {
            free(poller);
            return -1;
        }
        poller->client = client;
        poller->poll.data = poller;
        client->curl.multi_assign(client->multi, fd, poller);
    }
    int events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                 ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
    return uv_poll_start(&poller->poll, events, on_poll) == 0 ? 0 : -1;
}

static void on_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

/* Curl wants to be called in timeout_ms milliseconds; -1: not at all. */
static int on_timeout(CURLM *multi, long timeout_ms, void *context)
{
    struct http_client *client = context;
    (void)multi;
    if (timeout_ms < 0)
        uv_timer_stop(&client->timer);
    else
        uv_timer_start(&client->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

/* ---- a request -------------------------------------------------------------------------------- */

/* Curl has a piece of the body. If there is no memory for it, 0 is returned, which ends the request. */
static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct http_request *request = context;
    size_t length = size * count;
    request->progress(request->context);
    if (request->body.length >= BODY_LIMIT) {
        request->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    buffer_append(&request->body, (struct text){data, length});
    return request->body.failed ? 0 : length;
}

/* Curl has a line of the answer's head. The empty line after the head is progress, because a watch is answered
 * long before its first event. */
static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct http_request *request = context;
    if (line[0] == '\r' || line[0] == '\n')
        request->progress(request->context);
    return size * count;
}

size_t http_request_read(struct http_request *request, char *to, size_t room)
{
    struct text body = buffer_text(&request->body);
    size_t length = body.length < room ? body.length : room;
    if (length > 0)
        memcpy(to, body.data, length);
    buffer_consume(&request->body, length);
    if (request->body.length == 0 && request->paused) {
        request->paused = false;
        /* If this fails, the result of the request says so. */
        (void)request->client->curl.easy_pause(request->easy, CURLPAUSE_CONT);
    }
    return length;
}

struct http_state http_request_state(struct http_request *request)
{
    long status = 0;
    curl_off_t retry_after_s = 0;
    const char *type = NULL;
    const struct curl_library *curl = &request->client->curl;
    curl->easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    curl->easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    curl->easy_getinfo(request->easy, CURLINFO_CONTENT_TYPE, &type);
    bool whole = request->done && request->result == CURLE_OK;
    return (struct http_state){
        .status = status >= 200 ? (int)status : 0, /* lower ones only announce the answer */
        .is_json = type != NULL && strncasecmp(type, JSON_TYPE, strlen(JSON_TYPE)) == 0,
        .ended = request->done && request->body.length == 0,
        .whole = whole,
        .retry_after_s = retry_after_s,
        .error = request->done && !whole ? request->error : "",
    };
}

void http_request_free(struct http_request *request)
{
    if (request == NULL)
        return;
    const struct curl_library *curl = &request->client->curl;
    request->client->requests--;
    curl->multi_remove_handle(request->client->multi, request->easy);
    curl->easy_cleanup(request->easy);
    curl->slist_free_all(request->headers);
    buffer_fini(&request->body);
    free(request);
}

static bool add_header(struct http_request *request, const char *line)
{
    struct curl_slist *longer = request->client->curl.slist_append(request->headers, line);
    if (longer != NULL)
        request->headers = longer;
    return longer != NULL;
}

/* Adds the header with the token. The token is read for each request, since the kubelet replaces it. */
static enum error_code add_token(struct http_request *request, const char *path, struct error *err)
{
    char line[sizeof(AUTHORIZATION) + TOKEN_LIMIT] = AUTHORIZATION;
    char *token = line + strlen(AUTHORIZATION);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, token, TOKEN_LIMIT) : -1;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (length < 0)
        return error_set(err, ERROR_OPERATOR,
                         "cannot read the service account's token %s: %s: the pod has to mount it",
                         path, strerror(error));
    while (length > 0 && (token[length - 1] == '\n' || token[length - 1] == '\r'))
        length--;
    token[length] = '\0';
    bool good = length > 0 && length < TOKEN_LIMIT;
    for (ssize_t i = 0; i < length; i++)
        good &= token[i] > ' ' && token[i] < 0x7F;
    enum error_code code = ERROR_NONE;
    if (!good)
        code = error_set(err, ERROR_OPERATOR, "%s does not hold a token", path);
    else if (!add_header(request, line))
        code = error_set(err, ERROR_NOMEM, "no memory for a request");
    explicit_bzero(line, sizeof(line));
    return code;
}

/* Options of curl take long, pointers or functions: a macro keeps their types. */
#define SET(option, value)                                                                         \
    (request->client->curl.easy_setopt(request->easy, CURLOPT_##option, value) == CURLE_OK)

static bool set_server(const struct http_request *request)
{
    const struct http_client *client = request->client;
    if (client->socket_path != NULL)
        return SET(UNIX_SOCKET_PATH, client->socket_path) && SET(PROTOCOLS_STR, "http");
    /* With no CAPATH, curl does not believe the system's CAs. With no cache, it reads a CA that is replaced. */
    return SET(PROTOCOLS_STR, "https") && SET(CAINFO, client->ca_file) &&
           SET(CAPATH, (char *)NULL) && SET(CA_CACHE_TIMEOUT, 0L) && SET(SSL_VERIFYPEER, 1L) &&
           SET(SSL_VERIFYHOST, 2L) && SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static bool set_request(struct http_request *request, const struct http_get *get)
{
    struct buffer url;
    buffer_init(&url, URL_LIMIT);
    buffer_append_string(&url, request->client->base_url);
    buffer_append_string(&url, get->path);
    const char *text = buffer_cstring(&url);
    bool set = text != NULL && SET(URL, text); /* curl copies it */
    buffer_fini(&url);
    return set && SET(NOSIGNAL, 1L) && SET(PROXY, "") && SET(FOLLOWLOCATION, 0L) &&
           SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           SET(CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) && SET(TCP_KEEPALIVE, 1L) &&
           SET(TCP_KEEPIDLE, KEEPALIVE_S) && SET(TCP_KEEPINTVL, KEEPALIVE_S) &&
           SET(USERAGENT, "kubedl-shipper") && SET(HTTPHEADER, request->headers) &&
           (!get->compressed || SET(ACCEPT_ENCODING, "gzip")) && SET(WRITEFUNCTION, on_body) &&
           SET(WRITEDATA, request) && SET(HEADERFUNCTION, on_header) && SET(HEADERDATA, request) &&
           SET(PRIVATE, request) && SET(ERRORBUFFER, request->error);
}

static enum error_code begin(struct http_request *request, const struct http_get *get,
                             struct error *err)
{
    const struct http_client *client = request->client;
    request->easy = client->curl.easy_init();
    if (request->easy == NULL || !add_header(request, "Accept: " JSON_TYPE))
        return error_set(err, ERROR_NOMEM, "no memory for a request");
    enum error_code code = ERROR_NONE;
    if (client->token_file != NULL)
        code = add_token(request, client->token_file, err);
    if (code != ERROR_NONE)
        return code;
    if (!set_server(request) || !set_request(request, get))
        return error_set(err, ERROR_AGAIN, "the request cannot be made");
    CURLMcode added = client->curl.multi_add_handle(client->multi, request->easy);
    if (added != CURLM_OK)
        return error_set(err, ERROR_AGAIN, "the request cannot be begun: %s",
                         client->curl.multi_strerror(added));
    return ERROR_NONE;
}

enum error_code http_client_get(struct http_client *client, const struct http_get *get,
                                struct http_request **result, struct error *err)
{
    struct http_request *request = memory_new(sizeof(*request));
    request->client = client;
    request->progress = get->progress;
    request->context = get->context;
    buffer_init(&request->body, BODY_LIMIT + CURL_MAX_WRITE_SIZE);
    client->requests++;
    enum error_code code = begin(request, get, err);
    if (code != ERROR_NONE) {
        http_request_free(request);
        return code;
    }
    *result = request;
    return ERROR_NONE;
}

/* ---- the client ------------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

void http_client_close(struct http_client *client, void (*closed)(void *context), void *context)
{
    invariant(client->requests == 0);
    client->closed = closed;
    client->closed_context = context;
    client->pending_closes++;                  /* of the timer */
    client->curl.multi_cleanup(client->multi); /* calls on_socket() for connections that it kept */
    client->curl.global_cleanup();
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}

static enum error_code open_curl(struct http_client *client, struct error *err)
{
    const struct curl_library *curl = &client->curl;
    enum error_code code = curl_library_open(&client->curl, err);
    if (code != ERROR_NONE)
        return code;
    if (curl->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(err, ERROR_AGAIN, "libcurl cannot be initialised");
    client->multi = curl->multi_init();
    if (client->multi == NULL) {
        curl->global_cleanup();
        return error_set(err, ERROR_NOMEM, "no memory for requests to the API server");
    }
    /* These fail only where curl does not know an option, and it has known these since 2006. */
    (void)curl->multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl->multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    (void)curl->multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    (void)curl->multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    return ERROR_NONE;
}

/* NULL for an empty text. */
static char *copy(const char *text)
{
    return text[0] != '\0' ? memory_copy_string(text) : NULL;
}

enum error_code http_client_new(uv_loop_t *loop, const struct http_server *server,
                                struct logger *logger, struct http_client **result,
                                struct error *err)
{
    struct http_client *client = memory_new(sizeof(*client));
    enum error_code code = open_curl(client, err);
    if (code != ERROR_NONE) {
        free(client);
        return code;
    }
    client->loop = loop;
    client->logger = logger;
    char url[512] = "http://localhost";
    bool is_ipv6 = strchr(server->host, ':') != NULL;
    if (server->socket_path[0] == '\0')
        (void)snprintf(url, sizeof(url), "https://%s%.255s%s:%.5s", is_ipv6 ? "[" : "",
                       server->host, is_ipv6 ? "]" : "", server->port);
    client->base_url = memory_copy_string(url);
    client->socket_path = copy(server->socket_path);
    client->ca_file = copy(server->ca_file);
    client->token_file = copy(server->token_file);
    uv_timer_init(loop, &client->timer);
    client->timer.data = client;
    *result = client;
    return ERROR_NONE;
}
