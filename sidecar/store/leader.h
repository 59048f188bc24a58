/* leader: LEADER=mysql, which of several sidecars takes events in. The others stand by.
 *
 * The one that holds a named lock of the database server leads. This saves work and nothing else: rows
 * are guarded by their versions, so that what two of them write at once is right all the same. */
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

    /* This sidecar leads from now on; once. */
    void (*leads)(void *context);

    /* It led, and another one does now; once. */
    void (*yields)(void *context);
    void *context;
};

/* Starts at once to ask for the lock, on a thread and a connection of its own. */
enum error_code leader_new(uv_loop_t *loop, const struct leader_settings *settings,
                           struct leader **leader, struct error *err) MUST_CHECK;

/* Gives the lock up, frees it, then calls closed(); no other callback comes any more. left_behind: its
 * thread could not be interrupted, as in struct store. */
void leader_close(struct leader *leader, void (*closed)(void *context, bool left_behind),
                  void *context);

#endif
