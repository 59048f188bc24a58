/* kube_watch: requests of one resource, and the way from their answers to events.
 *
 * Happy path: a snapshot is asked for; its lines are delivered, its mark makes it a watch, whose lines are
 * delivered as they come; when the server ends it the next one goes on behind the last line. Or a list is
 * asked for, page by page; its items are delivered one by one, then a mark, then it is watched.
 *
 * Failure modes (lib/apiserver/reflector has the rules):
 *   no answer, a broken one            the same again after a back-off; a half line is dropped, since the
 *                                      server sends its object again
 *   what has happened is not known     the connection ends; a new one begins with all objects
 *   any more (410, in three forms)
 *   an RBAC rule is missing            logged with what the rule has to allow; tried again
 *   nothing comes for KUBE_SILENCE_MS  the connection to the server may be dead: the request is given up; a
 *                                      watch then goes on from its last version
 *   a kind is not installed            said once, looked for again
 *   no memory to read into             the request is given up, and tried again
 *   the answer is HTML, or no JSON     logged with its beginning; tried again
 */
#include "sidecar/kube/kube_watch.h"

#include "sidecar/base/clock.h"
#include "sidecar/base/logger.h"
#include "sidecar/kube/kube_client.h"

#include <stdio.h>
#include <string.h>

#define PATH_LIMIT 32768
#define MARK_LIMIT 1024

/* A longer line, or read, counts as more than one. */
#define BYTES_PER_WORK 8192

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

static enum error_code send_request(struct kube_watch *watch, struct error *err)
{
    struct buffer path;
    buffer_init(&path, PATH_LIMIT);
    reflector_path(&watch->reflector, &watch->session->selection, clock_random(), &path);
    const struct http_get get = {
        .path = buffer_cstring(&path),
        .compressed = watch->reflector.request == REFLECTOR_LIST,
        .progress = on_progress,
        .context = watch,
    };
    enum error_code code = get.path != NULL
                               ? http_client_get(watch->session->client, &get, &watch->request, err)
                               : error_set(err, ERROR_NOMEM, "no memory for a request");
    buffer_fini(&path);
    return code;
}

static void answer_ended(struct kube_watch *watch, const char *error);

static void begin_request(struct kube_watch *watch)
{
    struct error err;
    watch->answer = (struct reflector_answer){0};
    watch->begun_ms = watch->active_ms = now_ms(watch);
    if (send_request(watch, &err) == ERROR_NONE)
        uv_timer_start(&watch->timer, on_timer, watch->session->silence_ms, 0);
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

void kube_watch_show_again(struct kube_watch *watch)
{
    kube_watch_stop(watch);
    kube_input_fini(&watch->input);
    watch->objects = 0;
    reflector_show_all(&watch->reflector);
    kube_watch_close_connection(watch);
    begin_request(watch);
}

void kube_watch_stop(struct kube_watch *watch)
{
    http_request_free(watch->request);
    watch->request = NULL;
    uv_timer_stop(&watch->timer);
}

/* The input stays until here: a line of it may be in use. */
void kube_watch_fini(struct kube_watch *watch)
{
    kube_input_fini(&watch->input);
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
    watch->unsafe.documents = 0;
    watch->newest.documents = 0;
    session->events.opened(session->events.context, &watch->connection);
}

void kube_watch_close_connection(struct kube_watch *watch)
{
    const struct source_events *events = &watch->session->events;
    if (watch->connection.id != 0)
        events->closed(events->context, &watch->connection, 0);
    watch->connection.id = 0;
}

/* Notes that with the last document all is delivered that has happened up to the version. */
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

struct report {
    enum log_level level;
    const char *message; /* NULL: nothing is said */
    const char *trouble; /* in a word, why the resource is not watched; NULL: as before */
    const char *advice;  /* what to do; NULL: nothing */
};

#define NO_ANSWER "no_answer"

static const struct report no_answer = {LOG_LEVEL_WARN, "no answer from the API server", NO_ANSWER,
                                        NULL}; /* kube_client_advice() has it */

static const struct report reports[] = {
    [REFLECTOR_PROCEED] = {LOG_LEVEL_DEBUG, NULL, NULL},
    [REFLECTOR_LISTED] = {LOG_LEVEL_DEBUG, NULL, NULL},
    [REFLECTOR_IDENTIFIED] = {LOG_LEVEL_DEBUG, NULL, NULL},
    [REFLECTOR_ANONYMOUS] = {LOG_LEVEL_DEBUG, NULL, NULL}, /* the source says it */
    [REFLECTOR_ABSENT] = {LOG_LEVEL_INFO, "kind not installed: looked for again later",
                          "not_installed"},
    [REFLECTOR_STARTING] = {LOG_LEVEL_INFO,
                            "not found: the API server may be starting, it is asked again soon",
                            "not_installed"},
    [REFLECTOR_ELSEWHERE] = {LOG_LEVEL_DEBUG, NULL, NULL},
    [REFLECTOR_FORBIDDEN] =
        {LOG_LEVEL_ERROR, "forbidden: an RBAC rule is missing", "forbidden",
         "the account needs a rule for this resource and group with the verbs list and watch: "
         "manifests/rights/role.yaml has all rules, and kubedl-shipper check prints those that are "
         "missing"},
    [REFLECTOR_UNAUTHORIZED] = {LOG_LEVEL_ERROR, "the API server does not accept the token",
                                "unauthorized", KUBE_CLIENT_TOKEN_ADVICE},
    [REFLECTOR_REFUSED] = {LOG_LEVEL_ERROR,
                           "the API server does not take the request: if what it says is about "
                           "labels, correct KUBE_LABEL_SELECTOR",
                           "refused"},
    [REFLECTOR_SILENT] = {LOG_LEVEL_INFO,
                          "nothing happens, or the API server is lost: asking it again, from where "
                          "the watch was",
                          NULL},
    [REFLECTOR_GONE] =
        {LOG_LEVEL_WARN,
         "the API server no longer knows what has happened since: listing all objects", NULL},
    [REFLECTOR_NO_SNAPSHOTS] =
        {LOG_LEVEL_INFO, "the API server cannot begin a watch with all objects: listing them",
         NULL},
    [REFLECTOR_BUSY] = {LOG_LEVEL_WARN, "the API server is busy: asking again later", "busy"},
    [REFLECTOR_BROKEN] = {LOG_LEVEL_WARN, "the API server's answer broke off", NO_ANSWER},
    [REFLECTOR_TROUBLE] = {LOG_LEVEL_WARN, "the API server's answer is of no use", "bad_answer"},
};

/* What an RBAC rule has to allow for the request. */
static const char *verb_of(enum reflector_request request)
{
    static const char *const verbs[] = {
        [REFLECTOR_IDENTIFY] = "get",   [REFLECTOR_DISCOVER] = "get", [REFLECTOR_LIST] = "list",
        [REFLECTOR_SNAPSHOT] = "watch", [REFLECTOR_WATCH] = "watch",  [REFLECTOR_CONFIRM] = "list",
    };
    return verbs[request];
}

struct ending {
    enum reflector_request request;
    struct kube_status status;
    const char *error; /* of the transport; "" if there was none */
};

static void log_ending(struct kube_watch *watch, const struct ending *ending,
                       const struct reflector_step *step)
{
    const struct resource *resource = &watch->reflector.resource;
    bool is_answered = watch->answer.status != 0;
    const struct report *report = is_answered ? &reports[step->outcome] : &no_answer;
    bool is_missed = step->outcome == REFLECTOR_ABSENT || step->outcome == REFLECTOR_STARTING;
    bool is_known = is_missed && watch->said_absent;
    watch->said_absent = step->outcome == REFLECTOR_ABSENT ||
                         (watch->said_absent && step->outcome != REFLECTOR_PROCEED);
    if (report->message == NULL || is_known)
        return;
    const char *advice = !is_answered             ? kube_client_advice(watch->session->server)
                         : report->advice != NULL ? report->advice
                                                  : "";
    const struct log_field fields[] = {
        log_string("verb", verb_of(ending->request)),
        log_string("resource", resource->name),
        log_string("group", resource->group),
        log_string("namespace", watch->session->selection.namespace),
        log_int("status", watch->answer.status),
        log_string("reason", ending->status.reason),
        log_string("said", ending->status.message),
        log_string("server", watch->session->server),
        log_string("error", ending->error),
        log_int("retry_ms", step->delay_ms),
        log_string("advice", advice),
    };
    logger_write(watch->session->logger, report->level, report->message, fields,
                 sizeof(fields) / sizeof(fields[0]));
}

static void log_listed(const struct kube_watch *watch, const char *version)
{
    LOG(watch->session->logger, INFO, "listed",
        log_string("resource", watch->reflector.resource.name),
        log_string("group", watch->reflector.resource.group),
        log_int("objects", (int64_t)watch->objects), log_string("version", version),
        log_int("connection", (int64_t)watch->connection.id));
}

/* Delivers the mark by which a snapshot ends: a list has none. */
static void deliver_mark(struct kube_watch *watch)
{
    struct kube_session *session = watch->session;
    char room[MARK_LIMIT];
    struct buffer mark;
    buffer_init(&mark, MARK_LIMIT);
    kube_mark_append(&mark, &watch->reflector.resource, watch->reflector.version);
    struct text text = buffer_text(&mark);
    bool whole = !mark.failed;
    if (whole)
        memcpy(room, text.data, text.length);
    buffer_fini(&mark);
    log_listed(watch, watch->reflector.version);
    watch->documents++;
    note_position(watch, watch->reflector.version);
    if (whole) /* else there is no memory: nothing is swept */
        session->events.document(session->events.context, &watch->connection,
                                 (struct text){room, text.length});
}

/* Says that there is no object of the kind, since it is not served. */
static void tell_absent(const struct kube_watch *watch)
{
    const struct kube_session *session = watch->session;
    const struct resource *resource = &watch->reflector.resource;
    char api_version[128];
    (void)snprintf(api_version, sizeof(api_version), "%s/%s", resource->group, resource->version);
    if (session->events.absent != NULL)
        session->events.absent(session->events.context, api_version, resource->kind);
}

static void complete_answer(struct kube_watch *watch)
{
    struct reflector_answer *answer = &watch->answer;
    if (watch->request != NULL) {
        struct http_state state = http_request_state(watch->request);
        answer->status = state.status;
        answer->is_json = state.is_json;
        answer->whole = state.whole;
        answer->retry_after_s = state.retry_after_s;
    }
    kube_list_read(watch->session->json, kube_input_around(&watch->input), &watch->list);
    answer->list = &watch->list;
    answer->elapsed_ms = (uint32_t)(now_ms(watch) - watch->begun_ms);
    if (watch->reflector.request == REFLECTOR_DISCOVER)
        answer->found = kube_discovery_has(watch->session->json, kube_input_body(&watch->input),
                                           watch->reflector.resource.name);
}

/* error: of the transport. The connection is closed, or its mark delivered, last of all, since a callback may close the
 * source. */
static void answer_ended(struct kube_watch *watch, const char *error)
{
    struct kube_session *session = watch->session;
    struct ending ending = {.request = watch->reflector.request, .error = error};
    char id[KUBE_UID_SIZE] = "";
    complete_answer(watch);
    if (watch->reflector.request == REFLECTOR_IDENTIFY)
        watch->answer.found = kube_uid_read(session->json, kube_input_body(&watch->input), id);
    if (watch->input.kind == KUBE_INPUT_WHOLE && watch->answer.status != 200)
        kube_status_read(session->json, kube_input_body(&watch->input), &ending.status);
    struct reflector_step step =
        reflector_answered(&watch->reflector, &watch->answer, clock_random());
    bool is_news = step.outcome == REFLECTOR_ABSENT && !watch->said_absent;
    log_ending(watch, &ending, &step);
    if (reports[step.outcome].trouble !=
        NULL) /* a proxy's answer in place of the API server's is none */
        watch->trouble = watch->reflector.away ? NO_ANSWER : reports[step.outcome].trouble;
    if (is_news)
        tell_absent(watch);
    kube_watch_stop(watch);
    kube_input_fini(&watch->input);
    bool of_namespace = step.outcome == REFLECTOR_IDENTIFIED || step.outcome == REFLECTOR_ANONYMOUS;
    if (of_namespace && !session->identified(watch, id, &ending.status))
        return;
    uv_timer_start(&watch->timer, on_timer, step.delay_ms, 0);
    if (step.ends_chain)
        kube_watch_close_connection(watch);
    else if (step.outcome == REFLECTOR_LISTED)
        deliver_mark(watch);
}

void kube_watch_begin_again(struct kube_watch *watch)
{
    kube_watch_stop(watch);
    kube_input_fini(&watch->input);
    reflector_begin_again(&watch->reflector);
    uv_timer_start(&watch->timer, on_timer, 0, 0);
    kube_watch_close_connection(watch);
}

/* Called when the patience with a request is over. Time in which we did not read is not the server's silence. */
static void look_at_silence(struct kube_watch *watch)
{
    const struct kube_session *session = watch->session;
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

static void on_timer(uv_timer_t *timer)
{
    struct kube_watch *watch = timer->data;
    if (watch->request != NULL)
        look_at_silence(watch);
    else
        begin_request(watch);
}

/* ---- delivering ------------------------------------------------------------------------------- */

static enum kube_input_kind input_for(enum reflector_request request,
                                      const struct http_state *state)
{
    if (state->status != 200 || !state->is_json)
        return KUBE_INPUT_WHOLE;
    switch (request) {
    case REFLECTOR_SNAPSHOT:
    case REFLECTOR_WATCH:
        return KUBE_INPUT_LINES;
    case REFLECTOR_LIST:
    case REFLECTOR_CONFIRM:
        return KUBE_INPUT_ITEMS;
    case REFLECTOR_IDENTIFY:
    case REFLECTOR_DISCOVER:
        break;
    }
    return KUBE_INPUT_WHOLE;
}

/* Begins to read the body, once the head of the answer has come; false as long as it has not. */
static bool begin_input(struct kube_watch *watch)
{
    struct http_state state = http_request_state(watch->request);
    if (state.status == 0) {
        if (state.ended)
            answer_ended(watch, state.error);
        return false;
    }
    kube_input_init(&watch->input, input_for(watch->reflector.request, &state),
                    watch->session->max_document);
    if (watch->input.kind != KUBE_INPUT_WHOLE && watch->reflector.request != REFLECTOR_CONFIRM) {
        watch->trouble = "";
        open_connection(watch);
    }
    return true;
}

/* What it costs to look through bytes, as a share of a turn: for the end of an item, or for what is in it. */
static unsigned cost_of(uint64_t bytes)
{
    return 1 + (unsigned)(bytes / BYTES_PER_WORK);
}

/* Reads more of the answer; false if there is nothing for now, or no more. */
static bool refill(struct kube_watch *watch, unsigned *cost)
{
    size_t room = 0;
    char *start = kube_input_room(&watch->input, &room);
    if (start == NULL) {
        answer_ended(watch, "no memory, or more than is looked at");
        return false;
    }
    size_t bytes = http_request_read(watch->request, start, room);
    if (bytes > 0) {
        watch->active_ms = now_ms(watch);
        kube_input_fed(&watch->input, bytes);
        *cost = cost_of(bytes);
        return true;
    }
    struct http_state state = http_request_state(watch->request);
    if (state.ended)
        answer_ended(watch, state.error);
    return false;
}

/* Tells the reflector what it has to know about the line; true if that was the mark of the snapshot. */
static bool note_event(struct kube_watch *watch, const struct kube_event *event)
{
    struct reflector *reflector = &watch->reflector;
    bool is_mark = event->ends_snapshot && reflector->request == REFLECTOR_SNAPSHOT &&
                   event->version[0] != '\0';
    if (is_mark)
        reflector_marked(reflector, event->version);
    else
        reflector_saw(reflector, event->version);
    if (event->type == KUBE_ERROR)
        watch->answer.error_code = event->status.code != 0 ? event->status.code : 500;
    if (reflector->request == REFLECTOR_WATCH && event->version[0] != '\0')
        note_position(watch, event->version);
    return is_mark;
}

static void take_event(struct kube_watch *watch, struct text line)
{
    struct kube_session *session = watch->session;
    struct kube_event event;
    kube_event_read(session->json, line, &event);
    watch->objects += event.type == KUBE_OBJECT;
    if (note_event(watch, &event)) {
        /* The watch that follows is to be known by its own length. */
        watch->begun_ms = now_ms(watch);
        log_listed(watch, event.version);
    }
    session->events.document(session->events.context, &watch->connection, line);
}

static void take(struct kube_watch *watch, const struct frame_line *line)
{
    const struct source_events *events = &watch->session->events;
    if (watch->reflector.request == REFLECTOR_CONFIRM) /* only what the list says itself counts */
        return;
    watch->documents++;
    watch->answer.documents++;
    if (line->kind == FRAME_LINE && watch->input.kind == KUBE_INPUT_LINES) {
        take_event(watch, line->text);
        return;
    }
    watch->objects++;
    if (line->kind == FRAME_TOO_LONG)
        events->too_long(events->context, &watch->connection, line->text, line->length);
    else
        events->document(events->context, &watch->connection, line->text);
}

/* One step; false if there is nothing to do for now. *cost: what it took. */
static bool advance(struct kube_watch *watch, unsigned *cost)
{
    *cost = 1;
    if (watch->request == NULL)
        return false;
    if (watch->input.kind == KUBE_INPUT_NONE)
        return begin_input(watch);
    if (watch->answer.error_code != 0) { /* an ERROR event is the last one */
        answer_ended(watch, "");
        return false;
    }
    struct frame_line line = kube_input_next(&watch->input);
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
