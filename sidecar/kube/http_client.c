/* http_client: libcurl's multi interface, driven by a loop of libuv.
 *
 * Happy path: a request is added; curl says for which sockets and for how long it wants to wait, in
 * callbacks; what libuv then reports is passed on to it; it calls back with the body, piece by piece,
 * and says at last how the request went.
 *
 * Failure modes:
 *   the reader is slow             its buffer fills, the transfer is paused until it has been emptied
 *   the server cannot be reached,  the request ends with curl's words for it
 *   is another one, or goes away
 *   its certificate is not from    the same: nothing has been sent to it, the token neither
 *   our CA, or for another name
 *   the token cannot be read       the request is not begun
 *   over MAX_POLLERS sockets       curl gives up all requests; that is logged as an error
 *   closed                         connections that are kept are closed by curl, then the handles
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
#include <sys/queue.h>
#include <unistd.h>

#define MAX_POLLERS        128
#define CONNECT_TIMEOUT_MS 10000L
#define KEEPALIVE_S        30L
#define BODY_LIMIT         (64U << 10) /* bytes that wait for the reader, and one more piece of curl's */
#define TOKEN_LIMIT        16384
#define URL_LIMIT          65536
#define AUTHORIZATION      "Authorization: Bearer "

struct poller {
    SLIST_ENTRY(poller) unused;
    struct http_client *client;
    uv_poll_t poll;
};

struct http_client {
    uv_loop_t *loop;
    struct logger *logger;
    struct curl_library curl;
    CURLM *multi;
    uv_timer_t timer; /* curl's */
    struct poller pollers[MAX_POLLERS];
    SLIST_HEAD(, poller) unused;
    unsigned requests;
    unsigned pending_closes;
    bool closing;
    void (*closed)(void *context);
    void *closed_context;
    char *base_url, *socket_path, *ca_file, *token_file; /* the last three: NULL where not used */
};

struct http_request {
    struct http_client *client;
    CURL *easy;
    struct curl_slist *headers;
    struct buffer body;
    bool paused; /* the body does not fit */
    bool done;   /* curl has ended it, as result says */
    CURLcode result;
    void (*progress)(void *context);
    void *context;
    char error[CURL_ERROR_SIZE];
};

/* ---- between curl and the loop ---------------------------------------------------------------- */

/* Puts into words why the request ended. Of a Unix socket curl would say "Failed to connect to localhost port
 * 80". */
static void say_why(struct http_request *request)
{
    const struct http_client *client = request->client;
    long number = 0;
    client->curl.easy_getinfo(request->easy, CURLINFO_OS_ERRNO, &number);
    if (request->result == CURLE_COULDNT_CONNECT && client->socket_path != NULL)
        (void)snprintf(
            request->error, sizeof(request->error),
            "cannot connect to the socket %.108s: %s: kubectl proxy --unix-socket makes it",
            client->socket_path, strerror((int)number));
    else if (request->error[0] == '\0')
        (void)snprintf(request->error, sizeof(request->error), "%s",
                       client->curl.easy_strerror(request->result));
}

static void on_done(const struct http_client *client, CURLMsg *message)
{
    struct http_request *request = NULL;
    client->curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
    request->done = true;
    request->result = message->data.result;
    say_why(request);
    request->progress(request->context);
}

static void act(struct http_client *client, curl_socket_t fd, int events)
{
    int running, queued;
    CURLMsg *message;
    CURLMcode code = client->curl.multi_socket_action(client->multi, fd, events, &running);
    if (code != CURLM_OK)
        LOG(client->logger, ERROR, "requests to the API server cannot be driven any more",
            log_string("error", client->curl.multi_strerror(code)));
    while ((message = client->curl.multi_info_read(client->multi, &queued)) != NULL) {
        if (message->msg == CURLMSG_DONE)
            on_done(client, message);
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

static void free_when_closed(struct http_client *client)
{
    if (client->pending_closes > 0 || !client->closing)
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
    SLIST_INSERT_HEAD(&client->unused, poller, unused);
    client->pending_closes--;
    free_when_closed(client);
}

static void close_poller(struct poller *poller)
{
    poller->client->pending_closes++;
    uv_close((uv_handle_t *)&poller->poll, on_poller_closed);
}

static struct poller *open_poller(struct http_client *client, curl_socket_t fd)
{
    struct poller *poller = SLIST_FIRST(&client->unused);
    if (poller == NULL || uv_poll_init_socket(client->loop, &poller->poll, fd) != 0)
        return NULL;
    SLIST_REMOVE_HEAD(&client->unused, unused);
    poller->poll.data = poller;
    client->curl.multi_assign(client->multi, fd, poller);
    return poller;
}

/* Curl calls this where it wants to hear about a socket, or no longer wants to. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *of_fd)
{
    struct http_client *client = context;
    struct poller *poller = of_fd;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (poller != NULL)
            close_poller(poller);
        client->curl.multi_assign(client->multi, fd, NULL);
        return 0;
    }
    if (poller == NULL)
        poller = open_poller(client, fd);
    if (poller == NULL)
        return -1;
    int events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                 ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
    return uv_poll_start(&poller->poll, events, on_poll) == 0 ? 0 : -1;
}

static void on_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

/* timeout_ms: until curl wants to be called; -1: not at all. */
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
    return request->body.failed ? 0 : length; /* 0: no memory, which ends the request */
}

/* Curl calls this for each line of the head. Its last one, which is empty, is progress: a watch may be answered long
 * before something happens. */
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

static bool is_json(const struct http_request *request)
{
    static const char json[] = "application/json";
    const char *type = NULL;
    request->client->curl.easy_getinfo(request->easy, CURLINFO_CONTENT_TYPE, &type);
    return type != NULL && strncasecmp(type, json, sizeof(json) - 1) == 0;
}

struct http_state http_request_state(struct http_request *request)
{
    long status = 0;
    curl_off_t retry_after_s = 0;
    const struct curl_library *curl = &request->client->curl;
    curl->easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    curl->easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    bool whole = request->done && request->result == CURLE_OK;
    return (struct http_state){
        .status = status >= 200 ? (int)status : 0, /* the others only announce the answer */
        .is_json = is_json(request),
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

/* Appends the token to the line. It is read for each request, since the kubelet replaces it. */
static enum error_code read_token(const char *path, struct buffer *line, struct error *err)
{
    char token[TOKEN_LIMIT];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, token, sizeof(token)) : -1;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (length < 0)
        return error_set(err, ERROR_OPERATOR,
                         "cannot read the service account's token %s: %s: the pod has to mount it",
                         path, strerror(error));
    while (length > 0 && (token[length - 1] == '\n' || token[length - 1] == '\r'))
        length--;
    bool good = length > 0 && length < (ssize_t)sizeof(token);
    for (ssize_t i = 0; i < length; i++)
        good &= token[i] > ' ' && token[i] < 0x7F;
    if (good)
        buffer_append(line, (struct text){token, (size_t)length});
    explicit_bzero(token, sizeof(token));
    return good ? ERROR_NONE : error_set(err, ERROR_OPERATOR, "%s does not hold a token", path);
}

static bool add_header(struct http_request *request, const char *line)
{
    struct curl_slist *longer = request->client->curl.slist_append(request->headers, line);
    if (longer != NULL)
        request->headers = longer;
    return longer != NULL;
}

static enum error_code add_token(struct http_request *request, struct error *err)
{
    const char *path = request->client->token_file;
    if (path == NULL)
        return ERROR_NONE;
    struct buffer line;
    buffer_init(&line, TOKEN_LIMIT + sizeof(AUTHORIZATION));
    buffer_append_string(&line, AUTHORIZATION);
    enum error_code code = read_token(path, &line, err);
    const char *header = buffer_cstring(&line);
    if (code == ERROR_NONE && (header == NULL || !add_header(request, header)))
        code = error_set(err, ERROR_NOMEM, "no memory for a request");
    if (line.data != NULL)
        explicit_bzero(line.data, line.capacity);
    buffer_fini(&line);
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
    /* Without CAPATH the system's CAs are not believed, and a CA that is replaced is read again. */
    return SET(PROTOCOLS_STR, "https") && SET(CAINFO, client->ca_file) &&
           SET(CAPATH, (char *)NULL) && SET(CA_CACHE_TIMEOUT, 0L) && SET(SSL_VERIFYPEER, 1L) &&
           SET(SSL_VERIFYHOST, 2L) && SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static bool set_connection(const struct http_request *request)
{
    return SET(NOSIGNAL, 1L) && SET(PROXY, "") && SET(FOLLOWLOCATION, 0L) &&
           SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           SET(CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) && SET(TCP_KEEPALIVE, 1L) &&
           SET(TCP_KEEPIDLE, KEEPALIVE_S) && SET(TCP_KEEPINTVL, KEEPALIVE_S);
}

static bool set_url(const struct http_request *request, const char *path)
{
    struct buffer url;
    buffer_init(&url, URL_LIMIT);
    buffer_append_string(&url, request->client->base_url);
    buffer_append_string(&url, path);
    const char *text = buffer_cstring(&url);
    bool set = text != NULL && SET(URL, text);
    buffer_fini(&url);
    return set;
}

static bool set_request(struct http_request *request, const struct http_get *get)
{
    return set_url(request, get->path) && SET(USERAGENT, "kubedl-shipper") &&
           SET(HTTPHEADER, request->headers) &&
           (!get->compressed || SET(ACCEPT_ENCODING, "gzip")) && SET(WRITEFUNCTION, on_body) &&
           SET(WRITEDATA, request) && SET(HEADERFUNCTION, on_header) && SET(HEADERDATA, request) &&
           SET(PRIVATE, request) && SET(ERRORBUFFER, request->error);
}

static enum error_code begin(struct http_request *request, const struct http_get *get,
                             struct error *err)
{
    const struct curl_library *curl = &request->client->curl;
    request->easy = curl->easy_init();
    if (request->easy == NULL || !add_header(request, "Accept: application/json"))
        return error_set(err, ERROR_NOMEM, "no memory for a request");
    enum error_code code = add_token(request, err);
    if (code != ERROR_NONE)
        return code;
    if (!set_server(request) || !set_connection(request) || !set_request(request, get))
        return error_set(err, ERROR_AGAIN, "the request cannot be made");
    CURLMcode added = curl->multi_add_handle(request->client->multi, request->easy);
    if (added != CURLM_OK)
        return error_set(err, ERROR_AGAIN, "the request cannot be begun: %s",
                         curl->multi_strerror(added));
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
    struct http_client *client = handle->data;
    client->pending_closes--;
    free_when_closed(client);
}

void http_client_close(struct http_client *client, void (*closed)(void *context), void *context)
{
    invariant(client->requests == 0);
    client->closing = true;
    client->closed = closed;
    client->closed_context = context;
    client->pending_closes++;                  /* until the timer is closed */
    client->curl.multi_cleanup(client->multi); /* with on_socket() for what it closes */
    client->curl.global_cleanup();
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}

/* NULL for an empty text, or none. */
static char *copy(const char *text)
{
    return text != NULL && text[0] != '\0' ? memory_copy_string(text) : NULL;
}

static void copy_server(struct http_client *client, const struct http_server *server)
{
    char url[512];
    bool is_ipv6 = server->host != NULL && strchr(server->host, ':') != NULL;
    if (server->socket_path[0] != '\0')
        (void)snprintf(url, sizeof(url), "http://localhost");
    else
        (void)snprintf(url, sizeof(url), "https://%s%.255s%s:%.5s", is_ipv6 ? "[" : "",
                       server->host, is_ipv6 ? "]" : "", server->port);
    client->base_url = memory_copy_string(url);
    client->socket_path = copy(server->socket_path);
    client->ca_file = copy(server->ca_file);
    client->token_file = copy(server->token_file);
}

static bool set_multi(struct http_client *client)
{
    client->multi = client->curl.multi_init();
    return client->multi != NULL &&
           client->curl.multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket) ==
               CURLM_OK &&
           client->curl.multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client) == CURLM_OK &&
           client->curl.multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timeout) ==
               CURLM_OK &&
           client->curl.multi_setopt(client->multi, CURLMOPT_TIMERDATA, client) == CURLM_OK;
}

static enum error_code open_curl(struct http_client *client, struct error *err)
{
    enum error_code code = curl_library_open(&client->curl, err);
    if (code != ERROR_NONE)
        return code;
    if (client->curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(err, ERROR_AGAIN, "libcurl cannot be initialised");
    if (set_multi(client))
        return ERROR_NONE;
    client->curl.multi_cleanup(client->multi);
    client->curl.global_cleanup();
    return error_set(err, ERROR_NOMEM, "no memory for requests to the API server");
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
    copy_server(client, server);
    SLIST_INIT(&client->unused);
    for (size_t i = 0; i < MAX_POLLERS; i++) {
        client->pollers[i].client = client;
        SLIST_INSERT_HEAD(&client->unused, &client->pollers[i], unused);
    }
    uv_timer_init(loop, &client->timer);
    client->timer.data = client;
    *result = client;
    return ERROR_NONE;
}
