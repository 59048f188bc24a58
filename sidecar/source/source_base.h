/* source_base: what all sources of bytes share: connections, and the way from their bytes to events.
 *
 * A connection reads once, and reads again only when what it read has been delivered. To pause a source
 * is therefore just not to deliver: each connection reads at most once more, and then its producer cannot
 * write any more. source_memory.h bounds the memory of unfinished documents.
 *
 * A kind of source (source_connect, source_listen, source_stdin) has struct source_base as its first
 * member, makes the handles of its connections, and is told through struct source_kind what became of
 * them. The connections are part of its own memory, so that a new one never lacks memory. All of it is on
 * the loop's thread. */
#ifndef SIDECAR_SOURCE_BASE_H
#define SIDECAR_SOURCE_BASE_H

#include "lib/stream/input.h"
#include "sidecar/source/connection.h"
#include "sidecar/source/source.h"

#include <sys/queue.h>
#include <sys/types.h>

struct source_base;
struct source_connection;

TAILQ_HEAD(source_connection_list, source_connection);

#define SOURCE_ACK_SIZE 40 /* bytes: {"acked":N} and a newline */

/* What a connection waits for. From source_connection_init() until it closes it is in base->lists[state].
 * source_connection_move() moves it. */
enum source_state {
    SOURCE_READY,   /* it waits for its turn: there may be something to deliver */
    SOURCE_WAITING, /* it waits for the kernel: it connects or reads */
    SOURCE_STARVED, /* it waits for memory, since there was none to read into */
    SOURCE_CROWDED, /* it waits for other connections, which hold as much memory as is allowed */
    SOURCE_STATE_COUNT,
    SOURCE_CLOSED = SOURCE_STATE_COUNT /* it is in no list */
};

struct source_connection {
    struct connection shared; /* the first member: what others see; id 0: not open yet */
    struct source_base *base;
    TAILQ_ENTRY(source_connection) entry;
    enum source_state state;
    struct input input;
    uint64_t received; /* bytes */
    bool is_filled;    /* something else than blank lines was among them */
    uint64_t heard_ms; /* when the last byte came, by the loop's clock */
    size_t held;       /* bytes of memory of its input, as counted in shared->held */
    int end;           /* libuv's error that ended it; UV_EOF: a clean end; 0: it goes on */
    bool announced;    /* opened() was called */

    uint64_t safe; /* how many of its documents are safe */
    uint64_t told; /* how many its producer was told of */
    bool telling;  /* libuv has `ack`, until the producer reads */
    uv_write_t ack;
    char ack_line[SOURCE_ACK_SIZE];

    /* Starts one read, which calls source_connection_fed() at its end, at once or later. */
    void (*read)(struct source_connection *connection);

    union {
        uv_handle_t any;
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tty_t tty;
    } handle;
};

struct source_kind {
    bool answers; /* its connections are sockets: acknowledgements can be written to them */
    enum input_layout layout;

    enum error_code (*start)(struct source_base *base, struct error *err);

    /* The connection is closed, and its memory may be used again. Its id is 0 if it was never open. */
    void (*gone)(struct source_connection *connection);

    /* The source finishes: accept the connections that wait, and then no more. gone() is not called after
     * it. NULL: no further connection can come. */
    void (*finish)(struct source_base *base);

    /* The source closes: close the handles that are not connections. gone() is not called after it. */
    void (*stop)(struct source_base *base);
};

struct source_base {
    struct source source;
    const struct source_kind *kind;
    uv_loop_t *loop;
    size_t max_document;
    struct source_events events;
    struct logger *logger;

    struct source_connection_list lists[SOURCE_STATE_COUNT]; /* in the order in which they came */

    struct source_shared *shared;
    LIST_ENTRY(source_base) entry; /* in shared->bases until the source is closed */
    uv_timer_t crowd;              /* active while a connection is SOURCE_CROWDED */
    uv_idle_t turn;                /* active while something is to be delivered */
    uv_timer_t starvation;         /* active while a connection is SOURCE_STARVED */
    size_t streams;       /* for how many connections opened() was called, and closed() was not */
    unsigned connections; /* how many are between source_connection_init() and their close */
    unsigned pending_closes; /* handles whose close callback has not come yet */
    bool paused;             /* by the user of the source */
    bool finishing;          /* source->finish() was called */
    bool stopped;            /* source->close() was called */
    void (*closed)(void *context);
    void *closed_context;
};

/* base is the beginning of memory from memory_new(); the base frees it when the source is closed. */
void source_base_init(struct source_base *base, const struct source_kind *kind, uv_loop_t *loop,
                      const struct source_settings *settings);

/* For kind->stop(): closes a handle of the kind itself. */
void source_base_close_handle(struct source_base *base, uv_handle_t *handle);

/* To be called when connection->handle has just been initialised: from then on the base closes it. */
void source_connection_init(struct source_connection *connection, struct source_base *base,
                            void (*read)(struct source_connection *connection));

/* The connection is connected: opened() and its documents follow. */
void source_connection_open(struct source_connection *connection);

/* The connection could not be connected, by libuv's error: it is closed, then gone() is called. */
void source_connection_abandon(struct source_connection *connection, int error);

/* Ends the connection: what its producer has sent is still delivered, nothing that it sends later; then
 * closed() is called. */
void source_connection_end(struct source_connection *connection);

/* Returns the connection that has been silent longest of those that wait for the kernel, and sets
 * *silent_ms to how long; NULL if there is none. */
struct source_connection *source_base_most_silent(const struct source_base *base,
                                                  uint64_t *silent_ms);

/* Moves the connection to the end of the list of the state. */
void source_connection_move(struct source_connection *connection, enum source_state state);

/* Makes all connections in the state `from` ready: in its turn each checks again what it waited for. */
void source_base_make_ready(struct source_base *base, enum source_state from);

/* A connection that has been silent for so long may be ended to make room for another one. */
#define SOURCE_SILENT_MS 10000

/* Returns where to read to, as frame_room() does. */
char *source_connection_room(struct source_connection *connection, size_t *room) MUST_CHECK;

/* One read is over. result is the number of bytes, or libuv's error: UV_EOF at the end of the stream,
 * UV_ENOBUFS if there was no memory to read into. */
void source_connection_fed(struct source_connection *connection, ssize_t result);

/* For connection->read where the handle is a stream. */
void source_connection_read_stream(struct source_connection *connection);

#endif
