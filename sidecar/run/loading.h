/* loading: reads what the spool holds back into the outbox, as far as there is room, a chunk in each round of
 * the loop.
 *
 * While the spool can't be opened or the outbox is full, no further chunk is read by itself: the user of
 * this module calls loading_go_on() now and then. All calls are made on the loop thread. */
#ifndef SIDECAR_LOADING_H
#define SIDECAR_LOADING_H

#include "sidecar/spool/spool.h"

#include <stdbool.h>
#include <uv.h>

/* This struct is embedded in its user's, who touches no field of it. */
struct loading {
    struct spool *spool; /* NULL: there is none, and nothing to load */
    enum spool_loading state;
    uv_idle_t idle; /* active while there is a chunk to read */
    void (*progress)(void *context);
    void *context;
};

/* progress() is called after each step, also from inside loading_go_on(). */
void loading_init(struct loading *loading, uv_loop_t *loop, void (*progress)(void *context),
                  void *context);

/* The spool is open for loading from now on; borrowed until loading_stop(). */
void loading_start(struct loading *loading, struct spool *spool);

/* Reads the next chunk, if there is one. */
void loading_go_on(struct loading *loading);

/* True while the next chunk will be read by itself: the spool is being opened, or it has more records and the
 * outbox has room for them. */
bool loading_is_under_way(const struct loading *loading);

/* True while the spool holds records that are still to be read: loading is under way, or it waits for room. A
 * spool that can't be opened is not waited for. */
bool loading_is_awaited(const struct loading *loading);

/* Ends the loading: no further chunk is read. */
void loading_stop(struct loading *loading);
void loading_close(struct loading *loading);

#endif
