/* kube_watch: the requests of one resource, and what becomes of their answers.
 *
 * Happy path: a snapshot is asked for. Its lines are delivered; its mark makes it a watch, whose lines are
 * delivered as they come. When the server ends the watch, the next one goes on after the last line. Or a
 * list is asked for, page by page; its items are delivered one by one, then a mark, and then it is watched.
 *
 * Failure modes (the rules are in lib/apiserver/reflector):
 *   no answer, or a broken one         the same request again after a back-off; half a line is dropped,
 *                                      since the server sends its object again
 *   the server no longer knows what    the connection ends; a new one begins with all objects
 *   has happened (410)
 *   an RBAC rule is missing            logged with what the rule has to allow; tried again
 *   nothing comes for KUBE_SILENCE_MS  the connection to the server may be dead: the request is given up; a
 *                                      watch then goes on from its last version
 *   a kind is not installed            said once, looked for again
 *   no memory for the body, or a body  the request is given up, and tried again
 *   that is too long
 *   the answer is HTML, or no JSON     logged with its beginning; tried again
 */
#include "sidecar/kube/kube_watch.h"

#include "sidecar/base/clock.h"
#include "sidecar/base/logger.h"
#include "sidecar/kube/kube_client.h"
#include "sidecar/kube/kube_report.h"

#include <stdio.h>
#include <string.h>

#define PATH_LIMIT 32768      /* bytes */
#define MARK_LIMIT 1024       /* bytes */
#define BODY_LIMIT (1U << 20) /* bytes of a body that is read as one text */

/* A document, or a read, that is longer than this costs more than one unit of work. */
#define BYTES_PER_WORK 8192

static const struct {
    const char *verb; /* that an RBAC rule has to allow */
    enum kube_body body;
} requests[] = {
    [REFLECTOR_IDENTIFY] = {"get", KUBE_BODY_WHOLE},
    [REFLECTOR_DISCOVER] = {"get", KUBE_BODY_WHOLE},
    [REFLECTOR_SNAPSHOT] = {"watch", KUBE_BODY_LINES},
    [REFLECTOR_LIST] = {"list", KUBE_BODY_ITEMS},
    [REFLECTOR_WATCH] = {"watch", KUBE_BODY_LINES},
    [REFLECTOR_CONFIRM] = {"list", KUBE_BODY_ITEMS},
};

static void on_timer(uv_timer_t *timer);

void kube_watch_init(struct kube_watch *watch, struct kube_session *session,
                     const struct resource *resource, const char *namespace)
{
    *watch = (struct kube_watch){.session = session, .trouble = "not_asked"};
    if (resource != NULL)
        reflector_init(&watch->reflector, resource, session->discovery_ms);
    else
        reflector_init_identify(&watch->reflector, namespace);
    uv_timer_init(session->loop, &watch->timer);
    watch->timer.data = watch;
}

/* ---- requests --------------------------------------------------------------------------------- */

static void on_progress(void *context)
{
    struct kube_watch *watch = context;
    watch->session->ready(watch);
}

static uint64_t now_ms(const struct kube_watch *watch)
{
    return uv_now(watch->session->loop);
}

static void answer_ended(struct kube_watch *watch, const char *error);

static void begin_request(struct kube_watch *watch)
{
    struct kube_session *session = watch->session;
    struct error err;
    struct buffer path;
    buffer_init(&path, PATH_LIMIT);
    watch->answer = (struct reflector_answer){0};
    watch->begun_ms = watch->active_ms = now_ms(watch);
    reflector_path(&watch->reflector, &session->selection, clock_random(), &path);
    const struct http_get get = {
        .path = buffer_cstring(&path),
        .compressed = watch->reflector.request == REFLECTOR_LIST,
        .progress = on_progress,
        .context = watch,
    };
    enum error_code code = get.path != NULL
                               ? http_client_get(session->client, &get, &watch->request, &err)
                               : error_set(&err, ERROR_NOMEM, "no memory for a request");
    buffer_fini(&path);
    if (code == ERROR_NONE)
        uv_timer_start(&watch->timer, on_timer, session->silence_ms, 0);
    else
        answer_ended(watch, err.text);
}

void kube_watch_begin(struct kube_watch *watch, const char *version)
{
    if (version[0] != '\0') {
        reflector_resume(&watch->reflector, version);
        LOG(watch->session->logger, INFO, "watch resumed: no list is needed",
            log_string("resource", watch->reflector.resource.name),
            log_string("group", watch->reflector.resource.group), log_string("version", version));
    }
    begin_request(watch);
}

/* Frees the input. kube_watch_stop() does not, since it may be called while a line of the input is in use. */
void kube_watch_fini(struct kube_watch *watch)
{
    if (watch->body != KUBE_BODY_UNKNOWN)
        input_fini(&watch->input);
    watch->body = KUBE_BODY_UNKNOWN;
}

void kube_watch_stop(struct kube_watch *watch)
{
    http_request_free(watch->request);
    watch->request = NULL;
    uv_timer_stop(&watch->timer);
}

static void give_up(struct kube_watch *watch)
{
    kube_watch_stop(watch);
    kube_watch_fini(watch);
}

void kube_watch_show_again(struct kube_watch *watch)
{
    give_up(watch);
    watch->objects = 0;
    reflector_show_all(&watch->reflector);
    kube_watch_close_connection(watch);
    begin_request(watch);
}

void kube_watch_begin_again(struct kube_watch *watch)
{
    give_up(watch);
    reflector_begin_again(&watch->reflector);
    uv_timer_start(&watch->timer, on_timer, 0, 0);
    kube_watch_close_connection(watch);
}

/* ---- connections ------------------------------------------------------------------------------ */

static void open_connection(struct kube_watch *watch)
{
    struct kube_session *session = watch->session;
    if (watch->connection.id != 0)
        return;
    session->source->opened++;
    watch->connection.source = session->source;
    watch->connection.id = ++session->shared->opened;
    watch->documents = 0;
    watch->objects = 0;
    watch->unsafe = watch->newest = (struct kube_position){0};
    session->events.opened(session->events.context, &watch->connection);
}

void kube_watch_close_connection(struct kube_watch *watch)
{
    const struct source_events *events = &watch->session->events;
    if (watch->connection.id != 0)
        events->closed(events->context, &watch->connection, 0);
    watch->connection.id = 0;
}

/* Notes that all that had happened up to the version is delivered with the last document. */
static void note_position(struct kube_watch *watch, const char *version)
{
    struct kube_position *position = watch->unsafe.documents == 0 ? &watch->unsafe : &watch->newest;
    position->documents = watch->documents;
    (void)snprintf(position->version, sizeof(position->version), "%s", version);
}

bool kube_watch_acknowledge(struct kube_watch *watch, uint64_t documents,
                            struct kube_position *position)
{
    if (watch->unsafe.documents == 0 || watch->unsafe.documents > documents)
        return false;
    *position = watch->unsafe;
    watch->unsafe = watch->newest;
    watch->newest.documents = 0;
    if (watch->unsafe.documents != 0 && watch->unsafe.documents <= documents) {
        *position = watch->unsafe;
        watch->unsafe.documents = 0;
    }
    return true;
}

/* ---- what an answer ends in ------------------------------------------------------------------- */

static void log_ending(struct kube_watch *watch, enum reflector_request request,
                       const struct reflector_step *step, const struct kube_status *said,
                       const char *error)
{
    const struct resource *resource = &watch->reflector.resource;
    const struct kube_report *report =
        watch->answer.status != 0 ? &kube_reports[step->outcome] : &kube_report_no_answer;
    bool is_missed = step->outcome == REFLECTOR_ABSENT || step->outcome == REFLECTOR_STARTING;
    bool is_known = is_missed && watch->said_absent;
    watch->said_absent = step->outcome == REFLECTOR_ABSENT ||
                         (watch->said_absent && step->outcome != REFLECTOR_PROCEED);
    if (report->message == NULL || is_known)
        return;
    const char *advice = report == &kube_report_no_answer
                             ? kube_client_advice(watch->session->server)
                         : report->advice != NULL ? report->advice
                                                  : "";
    const struct log_field fields[] = {
        log_string("verb", requests[request].verb),
        log_string("resource", resource->name),
        log_string("group", resource->group),
        log_string("namespace", watch->session->selection.namespace),
        log_int("status", watch->answer.status),
        log_string("reason", said->reason),
        log_string("said", said->message),
        log_string("server", watch->session->server),
        log_string("error", error),
        log_int("retry_ms", step->delay_ms),
        log_string("advice", advice),
    };
    logger_write(watch->session->logger, report->level, report->message, fields,
                 sizeof(fields) / sizeof(fields[0]));
}

static void log_listed(const struct kube_watch *watch)
{
    LOG(watch->session->logger, INFO, "listed",
        log_string("resource", watch->reflector.resource.name),
        log_string("group", watch->reflector.resource.group),
        log_int("objects", (int64_t)watch->objects),
        log_string("version", watch->reflector.version),
        log_int("connection", (int64_t)watch->connection.id));
}

/* Delivers the mark that ends a list, which has none itself. If there is no memory for the mark, nothing is
 * swept. */
static void deliver_mark(struct kube_watch *watch)
{
    const struct source_events *events = &watch->session->events;
    struct buffer mark;
    buffer_init(&mark, MARK_LIMIT);
    kube_mark_append(&mark, &watch->reflector.resource, watch->reflector.version);
    log_listed(watch);
    watch->documents++;
    note_position(watch, watch->reflector.version);
    if (!mark.failed)
        events->document(events->context, &watch->connection, buffer_text(&mark));
    buffer_fini(&mark);
}

/* Says that there is no object of the kind, since the API server does not serve it. */
static void tell_absent(const struct kube_watch *watch)
{
    const struct source_events *events = &watch->session->events;
    const struct resource *resource = &watch->reflector.resource;
    char api_version[128];
    (void)snprintf(api_version, sizeof(api_version), "%s/%s", resource->group, resource->version);
    if (events->absent != NULL)
        events->absent(events->context, api_version, resource->kind);
}

/* Fills watch->answer, and uid (with IDENTIFY) and *said (with any status but 200) from the body. */
static void complete_answer(struct kube_watch *watch, char uid[KUBE_UID_SIZE],
                            struct kube_status *said)
{
    struct json *json = watch->session->json;
    struct reflector_answer *answer = &watch->answer;
    enum reflector_request request = watch->reflector.request;
    if (watch->request != NULL) {
        struct http_state state = http_request_state(watch->request);
        answer->status = state.status;
        answer->is_json = state.is_json;
        answer->whole = state.whole;
        answer->retry_after_s = state.retry_after_s;
    }
    answer->elapsed_ms = (uint32_t)(now_ms(watch) - watch->begun_ms);
    bool is_list = watch->body == KUBE_BODY_ITEMS;
    kube_list_read(json, is_list ? items_list(&watch->input.items) : TEXT(""), &watch->list);
    answer->list = &watch->list;
    struct text body = watch->body == KUBE_BODY_WHOLE ? input_window(&watch->input) : TEXT("");
    if (request == REFLECTOR_DISCOVER)
        answer->found = kube_discovery_has(json, body, watch->reflector.resource.name);
    if (request == REFLECTOR_IDENTIFY)
        answer->found = kube_uid_read(json, body, uid);
    if (watch->body == KUBE_BODY_WHOLE && answer->status != 200)
        kube_status_read(json, body, said);
}

/* error: of the transport; "" if there was none. A callback may close the source, so the connection is closed, or
 * its mark delivered, last of all. */
static void answer_ended(struct kube_watch *watch, const char *error)
{
    enum reflector_request request = watch->reflector.request;
    char uid[KUBE_UID_SIZE] = "";
    struct kube_status said = {0};
    complete_answer(watch, uid, &said);
    struct reflector_step step =
        reflector_answered(&watch->reflector, &watch->answer, clock_random());
    bool is_news = step.outcome == REFLECTOR_ABSENT && !watch->said_absent;
    log_ending(watch, request, &step, &said, error);
    const struct kube_report *report = &kube_reports[step.outcome];
    if (report->trouble != NULL) /* what a proxy answers in its place is no answer */
        watch->trouble = watch->reflector.away ? kube_report_no_answer.trouble : report->trouble;
    if (is_news)
        tell_absent(watch);
    give_up(watch);
    bool of_namespace = step.outcome == REFLECTOR_IDENTIFIED || step.outcome == REFLECTOR_ANONYMOUS;
    if (of_namespace && !watch->session->identified(watch, uid, &said))
        return;
    uv_timer_start(&watch->timer, on_timer, step.delay_ms, 0);
    if (step.ends_chain)
        kube_watch_close_connection(watch);
    else if (step.outcome == REFLECTOR_LISTED)
        deliver_mark(watch);
}

/* It is time for the next request, or patience with this one is over. Time in which we did not read is not
 * the server's silence. */
static void on_timer(uv_timer_t *timer)
{
    struct kube_watch *watch = timer->data;
    const struct kube_session *session = watch->session;
    if (watch->request == NULL) {
        begin_request(watch);
        return;
    }
    uint64_t silent_ms = now_ms(watch) - watch->active_ms;
    if (session->paused || watch->is_ready)
        silent_ms = 0;
    if (silent_ms < session->silence_ms) {
        uv_timer_start(&watch->timer, on_timer, session->silence_ms - silent_ms, 0);
        return;
    }
    watch->answer.silent = true;
    answer_ended(watch, "nothing came for KUBE_SILENCE_MS");
}

/* ---- delivering ------------------------------------------------------------------------------- */

/* Begins to read the body. Returns false while the head of the answer has not come. */
static bool begin_body(struct kube_watch *watch)
{
    struct http_state state = http_request_state(watch->request);
    enum reflector_request request = watch->reflector.request;
    if (state.status == 0) {
        if (state.ended)
            answer_ended(watch, state.error);
        return false;
    }
    watch->body = state.status == 200 && state.is_json ? requests[request].body : KUBE_BODY_WHOLE;
    bool is_whole = watch->body == KUBE_BODY_WHOLE;
    input_init(&watch->input, watch->body == KUBE_BODY_ITEMS ? INPUT_ITEMS : INPUT_LINES,
               is_whole ? BODY_LIMIT : watch->session->max_document);
    if (!is_whole && request != REFLECTOR_CONFIRM) {
        watch->trouble = "";
        open_connection(watch);
    }
    return true;
}

/* What it costs to look through so many bytes, for the end of an item or for what is in it. */
static unsigned cost_of(uint64_t bytes)
{
    return 1 + (unsigned)(bytes / BYTES_PER_WORK);
}

/* Reads more of the body. Returns false if there is nothing for now, or no more. */
static bool refill(struct kube_watch *watch, unsigned *cost)
{
    size_t room = 0;
    char *start = input_room(&watch->input, &room);
    if (start == NULL) {
        answer_ended(watch, "no memory, or more than is looked at");
        return false;
    }
    size_t bytes = http_request_read(watch->request, start, room);
    if (bytes > 0) {
        watch->active_ms = now_ms(watch);
        input_fed(&watch->input, bytes);
        *cost = cost_of(bytes);
        return true;
    }
    struct http_state state = http_request_state(watch->request);
    if (state.ended)
        answer_ended(watch, state.error);
    return false;
}

/* Tells the reflector what it has to know about a watch event. */
static void note_event(struct kube_watch *watch, struct text line)
{
    struct reflector *reflector = &watch->reflector;
    struct kube_event event;
    kube_event_read(watch->session->json, line, &event);
    watch->objects += event.type == KUBE_OBJECT;
    bool is_mark =
        event.ends_snapshot && reflector->request == REFLECTOR_SNAPSHOT && event.version[0] != '\0';
    if (is_mark) {
        reflector_marked(reflector, event.version);
        watch->begun_ms = now_ms(watch); /* the watch that follows is judged by its own length */
        log_listed(watch);
    } else {
        reflector_saw(reflector, event.version);
    }
    if (event.type == KUBE_ERROR)
        watch->answer.error_code = event.status.code != 0 ? event.status.code : 500;
    if (reflector->request == REFLECTOR_WATCH && event.version[0] != '\0')
        note_position(watch, event.version);
}

static void take(struct kube_watch *watch, const struct frame_line *line)
{
    const struct source_events *events = &watch->session->events;
    if (watch->reflector.request == REFLECTOR_CONFIRM) /* only the list's own metadata counts */
        return;
    watch->documents++;
    watch->answer.documents++;
    if (line->kind == FRAME_LINE && watch->body == KUBE_BODY_LINES)
        note_event(watch, line->text);
    else
        watch->objects++;
    if (line->kind == FRAME_TOO_LONG)
        events->too_long(events->context, &watch->connection, line->text, line->length);
    else
        events->document(events->context, &watch->connection, line->text);
}

/* Makes one step. *cost: the work that it took. Returns false if there is nothing to do for now. */
static bool advance(struct kube_watch *watch, unsigned *cost)
{
    *cost = 1;
    if (watch->request == NULL)
        return false;
    if (watch->body == KUBE_BODY_UNKNOWN)
        return begin_body(watch);
    if (watch->answer.error_code != 0) { /* an ERROR event is the last one */
        answer_ended(watch, "");
        return false;
    }
    struct frame_line line = {.kind = FRAME_NONE};
    if (watch->body != KUBE_BODY_WHOLE)
        line = input_next(&watch->input);
    if (line.kind == FRAME_NONE)
        return refill(watch, cost);
    *cost = cost_of(line.length);
    take(watch, &line);
    return true;
}

bool kube_watch_serve(struct kube_watch *watch, unsigned *work)
{
    while (*work > 0 && !watch->session->paused && !watch->session->stopped) {
        unsigned cost;
        bool has_more = advance(watch, &cost);
        *work -= cost < *work ? cost : *work;
        if (!has_more)
            return false;
    }
    return true;
}
