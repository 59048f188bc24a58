/* memory: what to do where the program cannot go on without some memory and cannot go back either. */
#ifndef SIDECAR_BASE_MEMORY_H
#define SIDECAR_BASE_MEMORY_H

/* Says so on standard error and ends the process with status 1, at once: what was acknowledged is in the
 * spool or in the database, and what was not comes again. what: "a dead letter". */
_Noreturn void memory_exhausted(const char *what);

#endif
