/* source_base: what all sources share: connections, and the way from their bytes to events.
 *
 * A connection reads once, and reads again only when what it read has been delivered. So pausing
 * is just not delivering: each connection takes up to one more read into memory, then its producer
 * feels it. Where unfinished documents take more memory than they may, all but one of those that need
 * more are not read further, so that one after the other gets finished.
 *
 * A kind of source (source_connect, source_listen, source_stdin) embeds struct source_base first,
 * makes the handles of its connections, and is told through struct source_kind what became of
 * them. It allocates its connections with itself, so that a new one never lacks memory. */
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

#define SOURCE_ACK_SIZE 40 /* {"acked":N} and a newline */

/* What a connection waits for. From init until it closes it is in the base's list of that name, and
 * source_base.c alone moves it. */
enum source_state {
    SOURCE_READY,   /* for its turn: there may be something to deliver */
    SOURCE_WAITING, /* for the kernel: connecting, or reading */
    SOURCE_STARVED, /* for memory to read into */
    SOURCE_CROWDED, /* for others, which hold as much memory as there may be */
    SOURCE_STATE_COUNT,
    SOURCE_CLOSED = SOURCE_STATE_COUNT /* in no list */
};

struct source_connection {
    struct connection shared; /* first: what others see of it; id 0: it is not open yet */
    struct source_base *base;
    TAILQ_ENTRY(source_connection) entry;
    enum source_state state;
    struct input input;
    uint64_t received; /* bytes */
    uint64_t heard_ms; /* when the last of them came, of the loop's clock */
    size_t held;       /* memory of its input, as it is counted in base->held */
    int end;           /* libuv's error that ended it, UV_EOF for a clean end; 0: it goes on */
    bool announced;    /* opened() was called */

    uint64_t safe; /* documents that its producer may be told are safe */
    uint64_t told; /* those it was told of */
    bool telling;  /* ack is with libuv: it may stay there if the producer does not read */
    uv_write_t ack;
    char ack_line[SOURCE_ACK_SIZE];

    /* Starts one read, which ends in source_connection_fed(), at once or later. */
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

    /* The connection is closed and may be used again; id 0: it was never open. Last call. */
    void (*gone)(struct source_connection *connection);

    /* The source finishes: take what waits for a connection, and then no more of them. No gone()
     * follows. NULL where nothing can come. */
    void (*finish)(struct source_base *base);

    /* The source closes: close what is not a connection. No gone() follows. */
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

    size_t max_bytes;
    size_t held; /* memory of all connections' input */
    struct source_connection
        *privileged;  /* may take more than max_bytes leaves; NULL: nobody needs to */
    uv_timer_t crowd; /* active while a connection is crowded out */

    uv_idle_t turn;          /* active while something is to be delivered */
    uv_timer_t starvation;   /* active while a connection is starved */
    uint64_t opened;         /* connections so far */
    unsigned connections;    /* from init until they are closed */
    unsigned pending_closes; /* handles whose close callback is still to come */
    bool paused;             /* by the user of the source */
    bool finishing;          /* source->finish() was called */
    bool finished;           /* and the event, too */
    bool stopped;            /* source->close() was called */
    void (*closed)(void *context);
    void *closed_context;
};

/* base: the beginning of memory from malloc, which is freed when the source is closed. */
void source_base_init(struct source_base *base, const struct source_kind *kind, uv_loop_t *loop,
                      const struct source_settings *settings);

/* For kind->stop(): closes a handle of the kind itself. */
void source_base_close_handle(struct source_base *base, uv_handle_t *handle);

/* connection->handle has just been initialised: from now on the base closes it. */
void source_connection_init(struct source_connection *connection, struct source_base *base,
                            void (*read)(struct source_connection *connection));

/* It is connected: opened() and its documents follow. */
void source_connection_open(struct source_connection *connection);

/* It could not be connected: closes it, then gone(). error: libuv's. */
void source_connection_abandon(struct source_connection *connection, int error);

/* Its producer has nothing more to say that will be heard: what it has sent is delivered, then closed(). */
void source_connection_end(struct source_connection *connection);

/* That which has been silent longest of those that are read, and for how long; NULL: there is none. */
struct source_connection *source_base_most_silent(const struct source_base *base,
                                                  uint64_t *silent_ms);

/* One that has been silent for so long may have to go for another one. */
#define SOURCE_SILENT_MS 10000

/* Where to read to, as frame_room() says. */
char *source_connection_room(struct source_connection *connection, size_t *room) MUST_CHECK;

/* One read is over. result: bytes, or libuv's error: UV_EOF at the end, UV_ENOBUFS when there was no
 * room. */
void source_connection_fed(struct source_connection *connection, ssize_t result);

/* connection->read for a handle that is a stream. */
void source_connection_read_stream(struct source_connection *connection);

#endif
