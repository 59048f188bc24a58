/* source: where the stream of documents comes from.
 *
 * Nothing else in the program knows which source is used. A source calls back on the loop thread
 * and never from inside its own functions. From inside any callback it may be paused, resumed and
 * closed. While it is paused no document comes; after close() nothing but closed().
 *
 * A producer that shuts down its sending side, or closes, has ended its stream: all whole lines of
 * it are still delivered before closed(). */
#ifndef SIDECAR_SOURCE_H
#define SIDECAR_SOURCE_H

#include "lib/base/error.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct config;
struct connection;
struct logger;
struct spool;

struct source_events {
    void *context;

    /* A connection begins (see connection.h). */
    void (*opened)(void *context, struct connection *connection);

    /* One document: a line without its newline, not blank. Valid during the call. */
    void (*document)(void *context, struct connection *connection, struct text line);

    /* A document over the bound was skipped: its first bytes and its whole length. */
    void (*too_long)(void *context, struct connection *connection, struct text head,
                     uint64_t length);

    /* A burst of at most some hundred documents, or none, is over for now: the moment to look at
     * the outbox and to pause. */
    void (*drained)(void *context);

    /* A connection ends; an unfinished last line is reported here and is not a document. */
    void (*closed)(void *context, struct connection *connection, uint64_t cut_bytes);

    /* The connection has been silent for so long that it is ended for another one. NULL: nobody counts. */
    void (*evicted)(void *context, struct connection *connection);

    /* There will be no more documents: the end of standard input, or after finish(). Once. */
    void (*finished)(void *context);

    /* Which cluster the documents come from, if the source knows it: the uid of its namespace kube-system.
     * Before the first of them; where it becomes known later, all objects are shown once more. Valid during
     * the call. NULL: nobody wants to know. */
    void (*cluster)(void *context, const char *id);

    /* The API server does not serve the kind: there is no object of it. NULL: nobody wants to know. */
    void (*absent)(void *context, const char *api_version, const char *kind);
};

/* The address of standard input as kubedl-shipper replay reads it: to ship once what is there, with
 * its documents laid out in any way (lib/items). */
#define SOURCE_REPLAY "replay:-"

struct source_settings {
    const char *address; /* EVENT_SOURCE, or SOURCE_REPLAY; read by source_new() only */
    size_t max_document; /* bytes */
    size_t
        max_bytes; /* memory that unfinished documents of all connections may take; one of them is
                            let beyond it at a time */
    size_t max_connections; /* at once, where producers connect */
    struct source_events events;
    struct logger *logger;
    const struct config *config; /* for sources that list and watch; NULL: for others */
    struct spool *spool;         /* keeps how far they have come; NULL: nothing does */
};

struct source {
    /* Once. If it fails, the source is only good for close(). */
    enum error_code (*start)(struct source *source, struct error *err);
    void (*pause)(struct source *source); /* no further documents; the producer feels it */
    void (*resume)(struct source *source);

    /* The first `documents` documents of the connection are safe: its producer is told, if it can be
     * told and reads. NULL where there is nobody to tell. */
    void (*acknowledge)(struct source *source, struct connection *connection, uint64_t documents);

    /* Of a source that lists and watches: in a word, why the resource of that number
     * (lib/kube/kind.h) is not watched just now ("forbidden"); "" if it is; NULL behind the last
     * one. NULL where producers send what they like. */
    const char *(*unwatched)(const struct source *source, size_t number);

    /* The connection ends, and all objects are shown again on a new one. Not from inside a callback. NULL
     * where nobody can be asked to. */
    void (*begin_again)(struct source *source, struct connection *connection);

    /* Takes in nothing more. What producers on a socket have sent until now is still delivered, of
     * standard input what was read; an API server keeps what it has for the next process to ask.
     * Then finished() is called. Once, after a start that did not fail; a pause holds it up. */
    void (*finish)(struct source *source);

    /* Stops, closes every handle, frees the source, then calls closed(). Once, in any state. */
    void (*close)(struct source *source, void (*closed)(void *context), void *context);
};

/* Makes the source that settings->address names. Does nothing yet: source->start() opens it.
 * ERROR_OPERATOR if the address is none. */
enum error_code source_new(uv_loop_t *loop, const struct source_settings *settings,
                           struct source **source, struct error *err) MUST_CHECK;

/* The same check, and of the settings that such a source needs: no side effects. config may be NULL: then
 * only of the address. */
enum error_code source_check(const char *address, const struct config *config,
                             struct error *err) MUST_CHECK;

/* Whether nothing is missed while the source of this valid address is not open: it connects to a
 * producer, which shows all there is at the beginning. The others are waited for by theirs. */
bool source_may_stand_by(const char *address);

#endif
