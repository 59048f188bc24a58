/* sources: all sources of EVENT_SOURCE at work together, in one process.
 *
 * What two sources show twice is written once, since rows are guarded by versions; what is acknowledged, and
 * which objects were shown, is kept for each connection (connection.h). All sources show the same cluster. They
 * share the memory of unfinished documents, and are paused and resumed together, since they fill the same
 * outbox. */
#ifndef SIDECAR_SOURCES_H
#define SIDECAR_SOURCES_H

#include "sidecar/source/connection.h"
#include "sidecar/source/source.h"

/* A minute, in milliseconds: a source that is silent for longer is said in the log. */
#define SOURCES_SILENCE_MS 60000

struct sources_settings {
    const char *event_source; /* EVENT_SOURCE, or SOURCE_REPLAY; read by sources_new() only */
    size_t max_document;      /* bytes */
    size_t max_connections;   /* as in struct source_settings */

    /* Bytes of memory that the unfinished documents of all connections may take. One connection at a time
     * may exceed it, so that its document is finished. */
    size_t max_bytes;

    struct source_events events;
    struct logger *logger;
    const struct config *config; /* as in struct source_settings, as the next */
    struct spool *spool;
    uint64_t silence_ms; /* SOURCES_SILENCE_MS, but in tests */
};

struct sources;

/* Makes the sources; sources_start() opens them. ERROR_OPERATOR as source_list_read(). */
enum error_code sources_new(uv_loop_t *loop, const struct sources_settings *settings,
                            struct sources **sources, struct error *err) MUST_CHECK;

/* To be called once. If one of the sources cannot be opened, the others are not used either, and only
 * sources_close() may be called: that is a mistake in the set-up, and is best seen at once. */
enum error_code sources_start(struct sources *sources, struct error *err) MUST_CHECK;

/* As the members of struct source, for each of them. */
void sources_pause(struct sources *sources);
void sources_resume(struct sources *sources);
void sources_finish(struct sources *sources);

/* Closes and frees all of it, then calls closed(), never from inside this call. */
void sources_close(struct sources *sources, void (*closed)(void *context), void *context);

/* For acks_settle(): so many documents of the connection are safe; its source tells its producer. */
void sources_acknowledge(void *context, struct acks_connection *acks, uint64_t documents);

/* The connection ends, so that all objects are shown again on a new one, if its source can do that. Not to be
 * called from inside a callback of a source. */
void sources_begin_again(struct snapshot_connection *snapshot);

/* To be called some times a second while the sources are open. Says in the log that a source has had no stream
 * for a minute, and what to do, and from then on at growing intervals of up to an hour: as a warning, or as an
 * information if another source has one. */
void sources_tick(struct sources *sources);

/* True once every source has ended, so that no more documents can come. */
bool sources_have_ended(const struct sources *sources);

/* How things stand with a source. */
struct source_state {
    const char *address; /* valid until sources_close() */

    /* "closed": it is not open yet; "waiting": it is, but no producer has connected, or no list or watch has
     * succeeded so far; "open"; "ended": no more documents come from it. */
    const char *name;
    size_t streams;  /* see source->streams() */
    uint64_t opened; /* connections so far */
};

/* Sets *state to that of the source with that place in EVENT_SOURCE, from 0; false if there is none. */
bool sources_state(const struct sources *sources, size_t place, struct source_state *state);

/* Returns why the resource of that number is not watched, as source->unwatched(); NULL after the last one, and
 * if no source lists and watches. */
const char *sources_unwatched(const struct sources *sources, size_t number);

#endif
