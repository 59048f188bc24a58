/* source_kube: the source kube: or kube+unix:PATH, which lists and watches the API server itself.
 *
 * Happy path: the cluster is identified. Each resource is then listed and watched by a kube_watch of its own,
 * or watched from where an earlier process has stopped. What is acknowledged is noted in the spool, as the
 * version from which the next process goes on.
 *
 * All on the loop's thread. Documents come from one place, on_turn(), which does a bounded piece of work; a
 * timer of a kube_watch brings only a mark, or the end of a connection. While the source is paused it reads
 * nothing, so that the server soon cannot write.
 *
 * Failure modes:
 *   the API server is away             each request is tried again (kube_watch)
 *   the cluster's id may not be read   the source goes on without it, and asks again; once the id is known,
 *                                      all objects are shown again, with it
 *   KUBE_NAMESPACE does not exist      said once, looked for again
 *   the note is of another cluster,    it is not used: all objects are listed
 *   namespace or selector
 *   finished by its user               requests are given up: the server keeps what has not been read
 *   closed in any state                requests are freed and all handles closed; the last one to be closed
 *                                      frees the source
 */
#include "lib/base/memory.h"
#include "lib/settings/config.h"
#include "sidecar/kube/kube_client.h"
#include "sidecar/kube/kube_watch.h"
#include "sidecar/source/source_kinds.h"
#include "sidecar/spool/spool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN_WORK 128 /* documents and reads in one round of the loop: some milliseconds of work */

/* A watch for each resource has the resource's number; then come two that only ask for a namespace. */
enum {
    IDENTITY = RESOURCE_COUNT, /* whose uid names the cluster */
    PLACE,                     /* KUBE_NAMESPACE; not used if that is not set */
    WATCH_COUNT,
};

struct source_kube {
    struct source source; /* first: the memory that is freed */
    struct kube_session session;
    const struct config *config;
    char address[SOURCE_ADDRESS_SIZE];
    const char *socket_path; /* in address; "": the API server of the own cluster */
    struct spool *spool;     /* NULL: there is none */
    struct kube_watch watches[WATCH_COUNT];
    struct kube_watch_list ready;
    uv_idle_t turn;    /* active while something is to be delivered, or said */
    uint64_t scope;    /* of the notes that may be used */
    bool said_missing; /* that there is no such namespace */
    bool begun;        /* the resources are watched, with or without the cluster's id */
    bool finishing;
    unsigned pending_closes;
    void (*closed)(void *context); /* NULL until close() */
    void *closed_context;
};

/* ---- turns ------------------------------------------------------------------------------------ */

static struct source_kube *of_session(struct kube_session *session)
{
    return (struct source_kube *)((char *)session - offsetof(struct source_kube, session));
}

static void on_turn(uv_idle_t *handle);

static void schedule_turn(struct source_kube *self)
{
    bool works = !self->session.stopped && !TAILQ_EMPTY(&self->ready);
    bool ends = self->finishing && !self->source.ended;
    if (!self->session.paused && (works || ends))
        uv_idle_start(&self->turn, on_turn);
    else
        uv_idle_stop(&self->turn);
}

static void on_ready(struct kube_watch *watch)
{
    struct source_kube *self = of_session(watch->session);
    if (watch->is_ready || self->session.stopped)
        return;
    watch->is_ready = true;
    TAILQ_INSERT_TAIL(&self->ready, watch, entry);
    schedule_turn(self);
}

static void on_turn(uv_idle_t *handle)
{
    struct source_kube *self = handle->data;
    struct kube_session *session = &self->session;
    unsigned work = TURN_WORK;
    if (self->finishing) { /* the connections end, until a callback pauses or closes the source */
        for (size_t i = 0; i < RESOURCE_COUNT && !session->paused && self->closed == NULL; i++)
            kube_watch_close_connection(&self->watches[i]);
        if (session->paused || self->closed != NULL)
            return;
        self->source.ended = true;
        schedule_turn(self);
        session->events.finished(session->events.context);
        return;
    }
    while (work > 0 && !session->paused && !session->stopped && !TAILQ_EMPTY(&self->ready)) {
        struct kube_watch *watch = TAILQ_FIRST(&self->ready);
        TAILQ_REMOVE(&self->ready, watch, entry);
        watch->is_ready = false;
        if (kube_watch_serve(watch, &work))
            on_ready(watch); /* behind the others */
    }
    if (session->stopped)
        return;
    schedule_turn(self);
    session->events.drained(session->events.context);
}

static void pause_source(struct source *source)
{
    struct source_kube *self = (struct source_kube *)source;
    self->session.paused = true;
    schedule_turn(self);
}

static void resume_source(struct source *source)
{
    struct source_kube *self = (struct source_kube *)source;
    self->session.paused = false;
    schedule_turn(self);
}

/* ---- notes ------------------------------------------------------------------------------------ */

/* FNV-1a, over the texts with their NULs. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    do
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    while (*text++ != '\0');
    return hash;
}

/* A version in a note counts only for the same objects of the same cluster. */
static void set_scope(struct source_kube *self, const char *cluster_id)
{
    uint64_t hash = hash_text(UINT64_C(0xcbf29ce484222325), cluster_id);
    hash = hash_text(hash, self->config->kube_namespace);
    self->scope = hash_text(hash, self->config->kube_label_selector);
}

static void name_note(const struct kube_watch *watch, char name[SPOOL_NOTE_SIZE])
{
    const struct resource *resource = &watch->reflector.resource;
    (void)snprintf(name, SPOOL_NOTE_SIZE, "watched/%s%s%s", resource->name,
                   resource->group[0] != '\0' ? "." : "", resource->group);
}

/* Reads a note, which is "VERSION SCOPE". version: "" if there is none that may be used. */
static void read_note(const struct source_kube *self, const struct kube_watch *watch,
                      char version[KUBE_VERSION_SIZE])
{
    char name[SPOOL_NOTE_SIZE];
    char scope[20];
    version[0] = '\0';
    if (self->spool == NULL)
        return;
    name_note(watch, name);
    const char *note = spool_note(self->spool, name);
    const char *blank = strchr(note, ' ');
    (void)snprintf(scope, sizeof(scope), "%016" PRIx64, self->scope);
    if (blank == NULL || blank - note >= KUBE_VERSION_SIZE || strcmp(blank + 1, scope) != 0)
        return;
    memcpy(version, note, (size_t)(blank - note));
    version[blank - note] = '\0';
}

static void write_note(struct source_kube *self, const struct kube_watch *watch,
                       const char *version)
{
    char name[SPOOL_NOTE_SIZE];
    char note[SPOOL_NOTE_SIZE];
    if (self->spool == NULL)
        return;
    name_note(watch, name);
    (void)snprintf(note, sizeof(note), "%s %016" PRIx64, version, self->scope);
    spool_set_note(self->spool, name, note);
}

static struct kube_watch *watch_of(struct connection *connection)
{
    return (struct kube_watch *)((char *)connection - offsetof(struct kube_watch, connection));
}

static void acknowledge(struct source *source, struct connection *connection, uint64_t documents)
{
    struct kube_position position;
    if (kube_watch_acknowledge(watch_of(connection), documents, &position))
        write_note((struct source_kube *)source, watch_of(connection), position.version);
}

/* Until the cluster is identified, all resources wait for that. */
static const char *unwatched(const struct source *source, size_t number)
{
    const struct source_kube *self = (const struct source_kube *)source;
    if (number >= RESOURCE_COUNT)
        return NULL;
    return self->begun ? self->watches[number].trouble : self->watches[IDENTITY].trouble;
}

static size_t count_watched(const struct source *source)
{
    size_t watched = 0;
    for (size_t i = 0; i < RESOURCE_COUNT; i++)
        watched += unwatched(source, i)[0] == '\0';
    return watched;
}

static void begin_again(struct source *source, struct connection *connection)
{
    const struct source_kube *self = (struct source_kube *)source;
    if (!self->session.stopped)
        kube_watch_begin_again(watch_of(connection));
}

/* ---- beginning and end ------------------------------------------------------------------------ */

static void log_refusal(const struct source_kube *self, const struct kube_watch *watch,
                        const char *message, const struct kube_status *said)
{
    LOG(self->session.logger, WARN, message, log_string("verb", "get"),
        log_string("resource", "namespaces"), log_string("name", watch->reflector.namespace),
        log_int("status", watch->answer.status), log_string("said", said->message));
}

/* id: "" if it may not be read, or not yet; the source then goes on without it. Returns true if it is to be asked
 * for again, which is not needed where CLUSTER_ID is set. */
static bool on_cluster(struct source_kube *self, const char *id, const struct kube_status *said)
{
    const struct source_events *events = &self->session.events;
    bool begun = self->begun, named = self->config->cluster_id[0] != '\0';
    if (begun && id[0] == '\0')
        return true;
    self->begun = true;
    if (id[0] == '\0' && !named)
        log_refusal(self, &self->watches[IDENTITY],
                    "the cluster's id cannot be read, which is tried again: until then, objects "
                    "that vanish while nobody watches are not closed; set CLUSTER_ID, or let the "
                    "account get this namespace (manifests/rights/role.yaml)",
                    said);
    set_scope(self, id[0] != '\0' ? id : self->config->cluster_id);
    for (size_t i = 0; i < RESOURCE_COUNT; i++) {
        struct kube_watch *watch = &self->watches[i];
        char version[KUBE_VERSION_SIZE];
        if (begun) {
            kube_watch_show_again(watch);
            continue;
        }
        read_note(self, watch, version);
        watch->reflector.starting = self->watches[IDENTITY].reflector.starting;
        kube_watch_begin(watch, version);
    }
    if (id[0] != '\0' && events->cluster != NULL)
        events->cluster(events->context, id);
    return id[0] == '\0' && !named;
}

/* The API server does not refuse to list the objects of a namespace that does not exist: it lists none. So the
 * namespace itself is asked for. */
static bool on_place(struct source_kube *self, const struct kube_status *said)
{
    const struct kube_watch *place = &self->watches[PLACE];
    bool is_missing = place->answer.status == 404;
    if (is_missing && !self->said_missing)
        log_refusal(
            self, place,
            "KUBE_NAMESPACE names a namespace that does not exist: nothing is recorded until it "
            "is made; or correct the setting",
            said);
    self->said_missing = is_missing;
    return is_missing;
}

static bool on_identified(struct kube_watch *watch, const char *uid, const struct kube_status *said)
{
    struct source_kube *self = of_session(watch->session);
    return watch == &self->watches[PLACE] ? on_place(self, said) : on_cluster(self, uid, said);
}

static enum error_code start(struct source *source, struct error *err)
{
    struct source_kube *self = (struct source_kube *)source;
    enum error_code code = kube_client_new(self->session.loop, self->socket_path, self->config,
                                           self->session.logger, &self->session.client, err);
    if (code != ERROR_NONE)
        return code;
    kube_watch_begin(&self->watches[IDENTITY], "");
    if (self->config->kube_namespace[0] != '\0')
        kube_watch_begin(&self->watches[PLACE], "");
    return ERROR_NONE;
}

static void stop_watches(struct source_kube *self)
{
    self->session.stopped = true;
    for (size_t i = 0; i < WATCH_COUNT; i++)
        kube_watch_stop(&self->watches[i]);
}

static void finish(struct source *source)
{
    struct source_kube *self = (struct source_kube *)source;
    stop_watches(self);
    self->finishing = true;
    schedule_turn(self);
}

static void free_when_closed(struct source_kube *self)
{
    if (--self->pending_closes > 0)
        return;
    void (*closed)(void *context) = self->closed;
    void *context = self->closed_context;
    for (size_t i = 0; i < WATCH_COUNT; i++)
        kube_watch_fini(&self->watches[i]);
    json_free(self->session.json);
    free(self);
    closed(context);
}

static void on_handle_closed(uv_handle_t *handle)
{
    free_when_closed(handle->data);
}

static void on_client_closed(void *context)
{
    free_when_closed(context);
}

static void close_handle(struct source_kube *self, uv_handle_t *handle)
{
    handle->data = self;
    self->pending_closes++;
    uv_close(handle, on_handle_closed);
}

static void close_source(struct source *source, void (*closed)(void *context), void *context)
{
    struct source_kube *self = (struct source_kube *)source;
    stop_watches(self);
    self->closed = closed;
    self->closed_context = context;
    close_handle(self, (uv_handle_t *)&self->turn);
    for (size_t i = 0; i < WATCH_COUNT; i++)
        close_handle(self, (uv_handle_t *)&self->watches[i].timer);
    if (self->session.client == NULL)
        return;
    self->pending_closes++;
    http_client_close(self->session.client, on_client_closed, self);
}

/* ---- making ----------------------------------------------------------------------------------- */

struct source *source_kube_new(uv_loop_t *loop, const struct source_settings *settings,
                               const char *path)
{
    struct source_kube *self = memory_new(sizeof(*self));
    const struct config *config = settings->config;
    self->source = (struct source){.streams = count_watched,
                                   .start = start,
                                   .pause = pause_source,
                                   .resume = resume_source,
                                   .acknowledge = acknowledge,
                                   .unwatched = unwatched,
                                   .begin_again = begin_again,
                                   .finish = finish,
                                   .close = close_source};
    self->session = (struct kube_session){
        .loop = loop,
        .server = self->address,
        .json = kube_answer_reader(),
        .selection = {config->kube_namespace, config->kube_label_selector},
        .silence_ms = (uint32_t)config->kube_silence_ms,
        .discovery_ms = (uint32_t)config->kube_discovery_ms,
        .max_document = settings->max_document,
        .events = settings->events,
        .logger = settings->logger,
        .source = &self->source,
        .shared = settings->shared,
        .ready = on_ready,
        .identified = on_identified,
    };
    self->config = config;
    text_copy(self->address, sizeof(self->address), text_from(settings->address));
    self->socket_path = self->address + (path - settings->address);
    self->spool = settings->spool;
    TAILQ_INIT(&self->ready);
    for (size_t i = 0; i < RESOURCE_COUNT; i++)
        kube_watch_init(&self->watches[i], &self->session, &resource_table[i], NULL);
    kube_watch_init(&self->watches[IDENTITY], &self->session, NULL, KUBE_CLUSTER_NAMESPACE);
    kube_watch_init(&self->watches[PLACE], &self->session, NULL, config->kube_namespace);
    uv_idle_init(loop, &self->turn);
    self->turn.data = self;
    return &self->source;
}

enum error_code source_kube_unix_check(const struct config *config, bool alone, struct error *err)
{
    if (config->kube_label_selector[0] == '\0')
        return ERROR_NONE;
    if (!alone)
        return error_set(err, ERROR_OPERATOR,
                         "with a KUBE_LABEL_SELECTOR there can be no other source beside the one "
                         "that lists and watches: what the selector leaves out is taken for "
                         "deleted, and the other source may show it");
    if (config->cluster_id[0] == '\0')
        return error_set(err, ERROR_OPERATOR,
                         "with a KUBE_LABEL_SELECTOR a CLUSTER_ID has to be set, one that nothing "
                         "else uses: what the selector leaves out is taken for deleted");
    return ERROR_NONE;
}

enum error_code source_kube_check(const struct config *config, bool alone, struct error *err)
{
    if (config->kubernetes_service_host[0] == '\0' || config->kubernetes_service_port[0] == '\0')
        return error_set(
            err, ERROR_OPERATOR,
            "kube: is for a container in the cluster, where KUBERNETES_SERVICE_HOST and "
            "KUBERNETES_SERVICE_PORT are set; elsewhere use kube+unix:PATH with a "
            "kubectl proxy");
    return source_kube_unix_check(config, alone, err);
}
