/* source: where a stream of documents comes from. EVENT_SOURCE names one source or several; sources.h has
 * all of them together.
 *
 * The users of a source do not know which kind it is. A source calls back on the loop's thread, and never
 * from inside its own functions. Any callback may pause, resume or close it. While it is paused, it delivers
 * no document. After close() it calls only the closed() of that call.
 *
 * A producer that shuts down its sending side, or closes, has ended its stream: all whole lines of
 * the stream are still delivered before closed(). */
#ifndef SIDECAR_SOURCE_H
#define SIDECAR_SOURCE_H

#include "lib/base/error.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

struct config;
struct connection;
struct logger;
struct source_base;
struct source_connection;
struct spool;

struct source_events {
    void *context;

    /* A connection begins (see connection.h). */
    void (*opened)(void *context, struct connection *connection);

    /* One document: a line without its newline, not blank. Valid during the call. */
    void (*document)(void *context, struct connection *connection, struct text line);

    /* A document longer than max_document was skipped. head is its first bytes, length all its bytes. */
    void (*too_long)(void *context, struct connection *connection, struct text head,
                     uint64_t length);

    /* A burst of documents is over for now: some hundred at the most, perhaps none. This is the moment
     * to wake the writers. */
    void (*drained)(void *context);

    /* A connection ends. cut_bytes is the length of an unfinished last line, which is no document; 0 if
     * there is none. */
    void (*closed)(void *context, struct connection *connection, uint64_t cut_bytes);

    /* The connection has been silent for so long that it is ended to make room for a new one; closed()
     * follows. NULL: nobody counts it. */
    void (*evicted)(void *context, struct connection *connection);

    /* There will be no more documents of this source: standard input has ended, or finish() is done. Called
     * once by each source, which has set source->ended before. */
    void (*finished)(void *context);

    /* The source knows which cluster its documents come from: id is the uid of the namespace kube-system,
     * valid during the call. It is called before the first document; if the cluster becomes known later,
     * all objects are shown once more. NULL: nobody wants to know. */
    void (*cluster)(void *context, const char *id);

    /* The API server does not serve the kind, so that it has no object of it. NULL: nobody wants to know. */
    void (*absent)(void *context, const char *api_version, const char *kind);
};

/* The address of standard input for the command replay, which ships once what is there. Its documents may
 * be laid out in any way (lib/stream/items). */
#define SOURCE_REPLAY "replay:-"

LIST_HEAD(source_base_list, source_base);

/* What all sources of a process share. */
struct source_shared {
    uint64_t opened; /* how many connections were opened so far; the last id */

    /* The memory of unfinished documents, see source_memory.h. */
    size_t max_bytes;
    size_t held; /* bytes */
    struct source_connection *privileged;
    struct source_base_list bases;
};

struct source_settings {
    const char *address;    /* of one source, or SOURCE_REPLAY; read by source_new() only */
    size_t max_document;    /* bytes */
    size_t max_connections; /* open at the same time at one source, where producers connect */
    struct source_shared *shared;
    struct source_events events;
    struct logger *logger;
    const struct config *config; /* for sources that list and watch; may be NULL for others */
    struct spool *spool; /* keeps the resourceVersion that they have reached; NULL: nothing does */
};

struct source {
    uint64_t opened; /* how many of its connections were opened so far */
    bool ended;      /* there will be no more documents */

    /* Its versions tell how far the API server has come: it is the only source, or it lists and watches. Where
     * several sources are open, another one may lag behind. */
    bool is_reference;

    /* Returns how many streams bring events just now: connections that are open, or resources that are
     * watched. */
    size_t (*streams)(const struct source *source);

    /* Called once. If it fails, only close() may be called. */
    enum error_code (*start)(struct source *source, struct error *err);
    void (*pause)(struct source *source); /* no further documents; its producer soon cannot write */
    void (*resume)(struct source *source);

    /* The first `documents` documents of the connection are safe. The source tells its producer so, as soon
     * as the producer reads. NULL: producers cannot be told. */
    void (*acknowledge)(struct source *source, struct connection *connection, uint64_t documents);

    /* Returns in one word why the resource of that number (lib/kube/kind.h) is not watched just now, such
     * as "forbidden"; "" if it is watched; NULL after the last resource. The member is NULL if the source
     * does not list and watch. */
    const char *(*unwatched)(const struct source *source, size_t number);

    /* Ends the connection, so that all objects are shown again on a new one. Not to be called from inside
     * a callback. NULL: nobody can be asked to show them again. */
    void (*begin_again)(struct source *source, struct connection *connection);

    /* Takes in nothing more. What producers on a socket have sent until now is still delivered, and what
     * was already read from standard input; an API server keeps its watch events for the next process.
     * Then finished() is called; while the source is paused, that waits for resume(). To be called once,
     * after a start() that did not fail. */
    void (*finish)(struct source *source);

    /* Stops, closes every handle, frees the source, then calls closed(). To be called once, in any state. */
    void (*close)(struct source *source, void (*closed)(void *context), void *context);
};

/* So many sources EVENT_SOURCE may name. */
#define SOURCE_MAX 8

/* Bytes of one address, NUL included: the longest prefix and the longest path of a socket. */
#define SOURCE_ADDRESS_SIZE 128

/* The addresses of EVENT_SOURCE, in its order. */
struct source_list {
    size_t count; /* at least 1 */
    char addresses[SOURCE_MAX][SOURCE_ADDRESS_SIZE];
};

/* Reads EVENT_SOURCE: addresses with commas between them, and blanks around them. ERROR_OPERATOR if one is no
 * address of a source, or if two of them name the same socket, the API server or standard input. */
enum error_code source_list_read(struct source_list *list, const char *event_source,
                                 struct error *err) MUST_CHECK;

/* Checks EVENT_SOURCE as source_list_read() does, and the settings that its sources need, without side
 * effects. If config is NULL, only the addresses are checked. */
enum error_code source_check(const char *event_source, const struct config *config,
                             struct error *err) MUST_CHECK;

/* True if nothing is lost while the sources of this valid EVENT_SOURCE are not open, because each of them
 * connects to a producer that shows all objects at the beginning. False if a producer waits for a source. */
bool source_may_stand_by(const char *event_source);

/* True if this valid EVENT_SOURCE has sockets of producers and nothing that tells which cluster the events are
 * of, as an API server does: then CLUSTER_ID has to be set if vanished objects are to be swept. */
bool source_needs_cluster_id(const char *event_source);

/* Makes the source that settings->address names, which is one of a struct source_list; source->start() opens
 * it. */
struct source *source_new(uv_loop_t *loop, const struct source_settings *settings)
    __attribute__((returns_nonnull));

/* Returns what to do where nothing comes from the source of the address. */
const char *source_advice(const char *address);

#endif
