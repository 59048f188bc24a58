/* source_world: a loop, a source in a directory of its own, and a record of all that it says. Every
 * test ends with world_end(), which closes the source and proves that the loop is then empty. */
#ifndef TEST_UNIT_SOURCE_WORLD_H
#define TEST_UNIT_SOURCE_WORLD_H

#include "lib/base/buffer.h"
#include "sidecar/source/sources.h"

enum world_event {
    WORLD_OPENED,
    WORLD_DOCUMENT,
    WORLD_TOO_LONG,
    WORLD_DRAINED,
    WORLD_CLOSED,
    WORLD_FINISHED,
    WORLD_EVENT_COUNT
};

#define WORLD_MAX_CONNECTIONS 256
#define WORLD_MAX_AT_ONCE     64
#define WORLD_MAX_BYTES       (64 << 20) /* unless world->max_bytes is set before it starts */
#define WORLD_MAX_DOCUMENT    100000 /* bytes, unless world->max_document is set before it starts */

struct world {
    uv_loop_t loop;
    uv_timer_t watchdog;
    struct source_shared shared;
    struct source *source;   /* NULL once it is closed */
    struct sources *sources; /* in its place: NULL, or several sources */
    struct logger *logger;
    int log; /* a file in memory */
    size_t max_document;
    size_t max_bytes;
    char directory[64];
    char socket_path[100]; /* in the directory; nothing is there yet */

    size_t count[WORLD_EVENT_COUNT];
    size_t source_closed;
    size_t evicted;
    uint64_t last_evicted;
    struct buffer received[WORLD_MAX_CONNECTIONS]; /* by id: its documents, each with a newline */
    uint64_t last;                                 /* connection of the last event that has one */
    uint64_t cut_bytes;                            /* of the last closed() */
    char head[64];                                 /* of the last too_long(), cut */
    uint64_t too_long_length;                      /* of the last too_long() */
    size_t burst;                                  /* documents since drained() */
    size_t largest_burst;

    bool paused;
    bool inside;               /* a function of the source is being called */
    size_t pause_at;           /* pauses in the document of this number; 0: never */
    enum world_event close_at; /* closes in the first event of this kind; EVENT_COUNT: never */
};

/* *state is the world. For cmocka_unit_test_setup_teardown. */
int world_begin(void **state);
int world_end(void **state);

/* Makes and starts a source; prefix: "unix:", "unix-listen:" (at socket_path), "-" or
 * SOURCE_REPLAY. */
void world_start(struct world *world, const char *prefix);
enum error_code world_try_start(struct world *world, const char *prefix, struct error *err);

/* Makes and starts the sources of this EVENT_SOURCE, in world->sources. */
enum error_code world_try_start_all(struct world *world, const char *event_source,
                                    uint64_t silence_ms, struct error *err);

void world_pause(struct world *world);
void world_resume(struct world *world);
void world_close(struct world *world);

/* Runs the loop until there were n of these events, or fails the test after a minute. */
void world_wait(struct world *world, enum world_event event, size_t n);
void world_wait_until(struct world *world, const size_t *counter, size_t n);

/* Runs the loop for some rounds, without waiting for anything. */
void world_rounds(struct world *world, int rounds);

/* What the documents of this connection are by now, each with a newline. */
void world_expect(const struct world *world, uint64_t connection, struct text documents);

/* Records in the log that contain text. */
size_t world_logged(const struct world *world, const char *text);

/* The other end. A producer's socket does not block; send runs the loop while it is full. */
int world_connect(struct world *world);
int world_listen(struct world *world);
int world_accept(struct world *world, int listener);
void world_send(struct world *world, int producer, struct text bytes);
void world_send_string(struct world *world, int producer, const char *string);

#endif
