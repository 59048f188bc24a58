/* sources: makes, opens and closes each source of EVENT_SOURCE (see sources.h).
 *
 * Happy path: all sources are made, started in the order of EVENT_SOURCE, and call the same events. At the end
 * all are finished, then closed.
 *
 * Failure modes:
 *   a source cannot be opened      the process does not start (sidecar/run): to go on with the others would
 *                                  hide a mistake in the set-up, and lose what the source should have brought
 *   a producer, or the API server  each source has its own way to wait for it and to try again; the others
 *   is away                        go on. sources_tick() warns of it
 *   standard input ends, or        the others go on; the process ends when all sources have ended
 *   cannot be read further
 */
#include "sidecar/source/sources.h"

#include "lib/base/memory.h"
#include "sidecar/base/logger.h"

#include <stdlib.h>

#define SILENCE_CEILING_MS 3600000

struct member {
    struct source *source;
    uint64_t opened;      /* connections when it was looked at last */
    uint64_t silent_ms;   /* since when it has had no stream, by the loop's clock */
    uint64_t said_ms;     /* the same, or when it was warned of last */
    uint64_t patience_ms; /* from said_ms to the next warning */
};

struct sources {
    uv_loop_t *loop;
    struct logger *logger;
    struct source_shared shared;
    struct source_list list;
    struct member members[SOURCE_MAX];
    bool started;
    size_t left; /* sources that are not closed yet */
    void (*closed)(void *context);
    void *closed_context;
};

enum error_code sources_new(uv_loop_t *loop, const struct sources_settings *settings,
                            struct sources **sources, struct error *err)
{
    struct source_list list;
    enum error_code code = source_list_read(&list, settings->event_source, err);
    if (code != ERROR_NONE)
        return code;
    struct sources *self = memory_new(sizeof(*self));
    self->loop = loop;
    self->logger = settings->logger;
    self->shared.max_bytes = settings->max_bytes;
    LIST_INIT(&self->shared.bases);
    self->list = list;
    self->left = list.count;
    for (size_t i = 0; i < list.count; i++) {
        const struct source_settings own = {
            .address = self->list.addresses[i],
            .max_document = settings->max_document,
            .max_connections = settings->max_connections,
            .shared = &self->shared,
            .events = settings->events,
            .logger = settings->logger,
            .config = settings->config,
            .spool = settings->spool,
        };
        struct source *source = source_new(loop, &own);
        source->is_reference = list.count == 1 || source->unwatched != NULL;
        self->members[i].source = source;
        self->members[i].patience_ms = settings->silence_ms;
    }
    *sources = self;
    return ERROR_NONE;
}

enum error_code sources_start(struct sources *sources, struct error *err)
{
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < sources->list.count && code == ERROR_NONE; i++) {
        struct member *member = &sources->members[i];
        member->silent_ms = member->said_ms = uv_now(sources->loop);
        code = member->source->start(member->source, err);
    }
    sources->started = code == ERROR_NONE;
    return code;
}

void sources_pause(struct sources *sources)
{
    for (size_t i = 0; i < sources->list.count; i++)
        sources->members[i].source->pause(sources->members[i].source);
}

void sources_resume(struct sources *sources)
{
    for (size_t i = 0; i < sources->list.count; i++)
        sources->members[i].source->resume(sources->members[i].source);
}

void sources_finish(struct sources *sources)
{
    for (size_t i = 0; i < sources->list.count; i++) {
        if (!sources->members[i].source->ended)
            sources->members[i].source->finish(sources->members[i].source);
    }
}

void sources_acknowledge(void *context, struct acks_connection *acks, uint64_t documents)
{
    struct connection *connection = connection_of_acks(acks);
    struct source *source = connection->source;
    (void)context;
    if (source->acknowledge != NULL)
        source->acknowledge(source, connection, documents);
}

void sources_begin_again(struct snapshot_connection *snapshot)
{
    struct connection *connection = connection_of_snapshot(snapshot);
    struct source *source = connection->source;
    if (source->begin_again != NULL)
        source->begin_again(source, connection);
}

static void on_closed(void *context)
{
    struct sources *sources = context;
    if (--sources->left > 0)
        return;
    void (*closed)(void *context) = sources->closed;
    void *closed_context = sources->closed_context;
    free(sources);
    closed(closed_context);
}

void sources_close(struct sources *sources, void (*closed)(void *context), void *context)
{
    sources->closed = closed;
    sources->closed_context = context;
    for (size_t i = 0; i < sources->list.count; i++)
        sources->members[i].source->close(sources->members[i].source, on_closed, sources);
}

/* Where another source brings events, the silence of this one may be as it should be: manifests/base listens on a
 * socket beside the API server, and most controllers send nothing there. Warnings become rarer over the life of
 * the process, also where producers come and go. */
static void say_silence(struct sources *sources, size_t place, uint64_t now_ms)
{
    struct member *member = &sources->members[place];
    struct source_state state, other;
    enum log_level level = LOG_LEVEL_WARN;
    for (size_t i = 0; sources_state(sources, i, &other); i++) {
        if (other.streams > 0)
            level = LOG_LEVEL_INFO;
    }
    member->patience_ms *= 2;
    if (member->patience_ms > SILENCE_CEILING_MS)
        member->patience_ms = SILENCE_CEILING_MS;
    (void)sources_state(sources, place, &state);
    const struct log_field fields[] = {
        log_string("source", state.address),
        log_string("state", state.name),
        log_int("silent_s", (int64_t)((now_ms - member->silent_ms) / 1000)),
        log_string("advice", source_advice(state.address)),
        log_int("said_again_s", (int64_t)(member->patience_ms / 1000)),
    };
    logger_write(sources->logger, level, "no events come from a source: nothing is connected",
                 fields, sizeof(fields) / sizeof(fields[0]));
}

void sources_tick(struct sources *sources)
{
    uint64_t now_ms = uv_now(sources->loop);
    for (size_t i = 0; i < sources->list.count; i++) {
        struct member *member = &sources->members[i];
        const struct source *source = member->source;
        bool is_open = source->streams(source) > 0 || source->opened != member->opened;
        if (is_open || source->ended || !sources->started) {
            member->opened = source->opened;
            member->silent_ms = member->said_ms = now_ms;
        } else if (now_ms - member->said_ms >= member->patience_ms) {
            say_silence(sources, i, now_ms);
            member->said_ms = now_ms;
        }
    }
}

bool sources_have_ended(const struct sources *sources)
{
    bool ended = true;
    for (size_t i = 0; i < sources->list.count; i++)
        ended &= sources->members[i].source->ended;
    return ended;
}

bool sources_state(const struct sources *sources, size_t place, struct source_state *state)
{
    if (place >= sources->list.count)
        return false;
    const struct source *source = sources->members[place].source;
    *state = (struct source_state){
        .address = sources->list.addresses[place],
        .name = !sources->started    ? "closed"
                : source->ended      ? "ended"
                : source->opened > 0 ? "open"
                                     : "waiting",
        .streams = source->streams(source),
        .opened = source->opened,
    };
    return true;
}

const char *sources_unwatched(const struct sources *sources, size_t number)
{
    for (size_t i = 0; i < sources->list.count; i++) {
        const struct source *source = sources->members[i].source;
        if (source->unwatched != NULL)
            return source->unwatched(source, number);
    }
    return NULL;
}
