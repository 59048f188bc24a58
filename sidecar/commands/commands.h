/* commands: the commands of the program, and the one way in which they read their arguments, connect, print
 * and end.
 *
 * A struct command describes a command. main() finds it by its name. command_read() reads the arguments,
 * which needs no settings, and answers --help and --version by itself. main() then reads the settings and
 * calls run(), which returns the exit status. The help, docs/commands.md, the man page and the completion of
 * bash are all made from these descriptions. */
#ifndef SIDECAR_COMMANDS_H
#define SIDECAR_COMMANDS_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/settings/config.h"
#include "lib/show/columns.h"

#include <stdbool.h>
#include <stdio.h>

struct db;
struct db_error;
struct invocation;

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_WARNED = 3 };

#define COMMAND_MAX_OPTIONS 8

struct command_option {
    const char *name;  /* "namespace" */
    char letter;       /* 'n'; '\0': it has none */
    const char *value; /* what stands for its value in the help: "NAMESPACE"; NULL: it takes none */
    const char *help;
};

struct command {
    const char *name;
    const char *synopsis; /* what may follow the name: "JOB [OPTION]..." */
    const char *brief;    /* what it does, in the list of commands; NULL: it is not listed */
    const char *summary;  /* what it does, in whole sentences */
    struct command_option options
        [COMMAND_MAX_OPTIONS]; /* end in .name == NULL; --help and --version are not among them */
    const char
        *operand;      /* the one argument that must be there and is no option: "JOB"; NULL: none */
    bool any_operands; /* run() looks at them itself */
    bool any_settings; /* it runs with settings that are wrong, too */
    void (*help)(struct buffer *out); /* appends to the help; NULL: nothing */
    int (*run)(const struct invocation *invocation);
};

/* One call of a command: its arguments and the settings. */
struct invocation {
    const struct command *command;
    const char
        *values[COMMAND_MAX_OPTIONS]; /* by the place of the option; NULL: not given; of an option
                                                without a value "" */
    char *const *operands;
    int operand_count;
    const struct config *config;
    struct text problems; /* what is wrong with the settings, a line for each */
    const char *version;  /* of the program, for the log */
};

extern const struct command command_run;   /* the sidecar itself, which has no name */
extern const struct command command_audit; /* the ledger; EXIT_FAILED if it does not balance */
extern const struct command command_check; /* all that has to be right, and what to do */
extern const struct command command_check_config; /* the settings alone */
extern const struct command command_dead_letters; /* rows that the database refused */
extern const struct command command_jobs;         /* what the database knows of them */
extern const struct command command_pods;
extern const struct command command_repair; /* rows that KubeDL's writer has left wrong */
extern const struct command command_replay; /* ships a file, which becomes standard input */
extern const struct command command_sweep;  /* what refused sweeps would close */

/* Returns the command of this name; NULL if there is none. The sidecar itself is not found. */
const struct command *command_find(const char *name);

/* Says on standard error that there is no such command, and the nearest name. Returns EXIT_USAGE. */
int command_unknown(const char *name);

/* Reads argv[1..argc), which follow the command's name, into *invocation, of which .version is set, and
 * reorders argv. Returns false if the command has ended with the exit status *status: the help or the version
 * was printed, or the arguments are wrong and a message on standard error has said so. */
bool command_read(const struct command *command, int argc, char **argv,
                  struct invocation *invocation, int *status) MUST_CHECK;

/* Reads the option as an integer within min..max; the result is fallback where the option is not given. */
enum error_code command_number(const struct invocation *invocation, size_t option, long min,
                               long max, long fallback, long *number, struct error *err) MUST_CHECK;

/* Print the help of the command, and the version. Return as command_print() does. */
int command_print_help(const struct command *command);
int command_print_version(const char *version);

/* Appends the list of all commands. */
void command_append_usage(struct buffer *out);

/* Appends "  left      right": right is wrapped, for a terminal of 80 columns. */
void command_help_line(struct buffer *out, const char *left, const char *right);

/* Says on standard error, in one line, what is wrong with the arguments. Returns EXIT_USAGE. */
int command_misused(const struct command *command, const char *problem);

/* Says on standard error what is wrong with the settings, and which variables look like settings and are none. */
void command_refuse_settings(struct text problems);

/* Says on standard error what went wrong. Returns EXIT_FAILED. */
int command_failed(const struct error *err);

/* Ends the program. Returns status, or EXIT_FAILED with a line on standard error if standard output did not
 * take all that was printed. If it is a pipe that nobody reads any more, as before `head`, there is no line. */
int command_end(int status);

/* Prints the buffer's content and frees the buffer. Returns EXIT_OK, or EXIT_FAILED if the content is not
 * whole (.failed) or could not be written. */
int command_print(struct buffer *out, FILE *stream);

/* Prints the table and frees it. Returns as command_print() does. */
int command_print_columns(struct columns *columns, FILE *stream);

/* Connects to the first host in MYSQL_HOST on which the command can work. read_only: the session refuses to
 * write, and a read-only server is accepted. The caller calls command_disconnect() even after an error. */
enum error_code command_connect(const struct config *config, bool read_only, struct db **db,
                                struct db_error *err) MUST_CHECK;
void command_disconnect(struct db *db);

#endif
