/* run: the sidecar at work, from start to stop. */
#ifndef SIDECAR_RUN_H
#define SIDECAR_RUN_H

#include "lib/config.h"

/* Runs until a signal or the end of the source. Returns the exit status: 0 if everything that was
 * received is in the database or accounted for, 1 if not. version is for the log. */
int run_sidecar(const struct config *config, const char *version);

#endif
