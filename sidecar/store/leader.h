/* leader: LEADER=mysql decides which of several sidecars takes events in. The others stand by.
 *
 * The sidecar that holds a named lock of the database server leads. This saves work and nothing else: rows
 * are guarded by their versions, so that the tables are right even if two sidecars write at once. */
#ifndef SIDECAR_LEADER_H
#define SIDECAR_LEADER_H

#include "lib/base/error.h"
#include "lib/settings/config.h"
#include "sidecar/base/logger.h"

#include <stdbool.h>
#include <uv.h>

struct leader;

struct leader_settings {
    const struct config *config; /* with a cluster_id */
    struct logger *logger;

    /* Called once, when this sidecar begins to lead. */
    void (*leads)(void *context);

    /* Called once, when another sidecar leads after this one. */
    void (*yields)(void *context);
    void *context;
};

/* Starts a thread that asks for the lock over a connection of its own. The callbacks are called on the loop's
 * thread. */
enum error_code leader_new(uv_loop_t *loop, const struct leader_settings *settings,
                           struct leader **leader, struct error *err) MUST_CHECK;

/* Gives the lock up, frees the leader, then calls closed(). No other callback is called any more.
 * left_behind: the thread could not be interrupted, as in struct store. */
void leader_close(struct leader *leader, void (*closed)(void *context, bool left_behind),
                  void *context);

#endif
