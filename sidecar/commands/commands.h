/* commands: what the program does beside running as a sidecar. Each returns the exit status and gets
 * its own arguments, without the program's and the command's name. */
#ifndef SIDECAR_COMMANDS_H
#define SIDECAR_COMMANDS_H

#include "lib/settings/config.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Prints the ledger that the spool keeps; EXIT_FAILED if it does not balance. */
int command_audit(const struct config *config, int count, char **arguments);

/* list, show ID, retry ID|all, drop ID|all */
int command_dead_letters(const struct config *config, int count, char **arguments);

/* [--confirm]: shows what the sweeps would close that were refused; --confirm closes it. */
int command_sweep(const struct config *config, int count, char **arguments);

/* FILE or -: ships what is in it, and returns when all is written. Makes FILE its standard input.
 * version is for the log. */
int command_replay(const struct config *config, int count, char **arguments, const char *version);

/* [OPTION]... and JOB [OPTION]...: what the database knows of them, as a table or as JSON. */
int command_jobs(const struct config *config, int count, char **arguments);
int command_pods(const struct config *config, int count, char **arguments);

/* [OPTION]...: mends rows that KubeDL's writer has left wrong. */
int command_repair(const struct config *config, int count, char **arguments);

/* [--json]: says what is wrong with the settings and with all that they name, and what to do.
 * problems: what config_load() found, a line for each; where there are any, *config is not looked at.
 * 0: all is well; CHECK_WARNED: nothing but warnings; EXIT_FAILED; EXIT_USAGE: a setting or argument
 * is wrong. */
enum { CHECK_WARNED = 3 };
int command_check(const struct config *config, struct text problems, int count, char **arguments);

#endif
