/* run: the sidecar at work, from start to stop. */
#ifndef SIDECAR_RUN_H
#define SIDECAR_RUN_H

#include "lib/account/ledger.h"
#include "lib/settings/config.h"

#include <stdbool.h>

struct run_options {
    const char *version; /* for the log */
    bool to_the_end;     /* a stop before the source has ended is a failure */

    /* Called before the source is opened, some times a second from then on, and at the end. NULL: nobody
     * wants to be called. */
    void (*progress)(void *context, const struct ledger *ledger, const struct outbox *outbox);
    void *context;
};

/* Runs until a signal or the end of the source. Returns the exit status: 0 if everything that was received is
 * in the database or accounted for, 1 if not. *left_behind becomes true if a thread is still inside the
 * database's client library and reads config; the caller passes it on to run_end(). */
int run_sidecar(const struct config *config, const struct run_options *options, bool *left_behind);

/* Ends the database's client library; until then everything that run_sidecar() was given must live. Returns
 * status; if a thread was left behind, it does not return but ends the process with that status. */
int run_end(int status, bool left_behind);

#endif
