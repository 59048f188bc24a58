/* loading: reads back what the spool holds, as far as there is room, a chunk in each round of the loop.
 *
 * Where the spool can't be opened now, or the outbox is full, nothing more happens by itself: whoever uses
 * it calls loading_go_on() now and then. */
#ifndef SIDECAR_LOADING_H
#define SIDECAR_LOADING_H

#include "sidecar/spool/spool.h"

#include <stdbool.h>
#include <uv.h>

/* Embedded; no field is the user's. */
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

/* Takes the next step, if there is one. */
void loading_go_on(struct loading *loading);

/* True while a step will come by itself: the spool is being opened, or has more that there is room for. */
bool loading_is_under_way(const struct loading *loading);

/* True while the spool holds something that is still to come: under way, or waiting for room. A spool that
 * can't be opened is not waited for. */
bool loading_is_awaited(const struct loading *loading);

/* No further step is taken by itself. */
void loading_stop(struct loading *loading);
void loading_close(struct loading *loading);

#endif
