/* commands: what the program does beside running as a sidecar, and the one way in which commands read
 * their arguments, connect, print and end.
 *
 * A command is described by a struct command. main() finds it by its name, command_read() reads the
 * arguments, which needs no settings, and answers --help by itself; then the settings are read, and run()
 * returns the exit status. */
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
    const char *summary;  /* what it does, in whole sentences */
    struct command_option
        options[COMMAND_MAX_OPTIONS]; /* end in .name == NULL; --help is no one of them */
    const char
        *operand;      /* the one argument that must be there and is no option: "JOB"; NULL: none */
    bool any_operands; /* run() looks at them itself */
    bool any_settings; /* it runs with settings that are wrong, too */
    void (*help)(struct buffer *out); /* appends to the help; NULL: nothing */
    int (*run)(const struct invocation *invocation);
};

/* A command, and what it was called with. */
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

extern const struct command command_audit; /* the ledger; EXIT_FAILED if it does not balance */
extern const struct command command_check; /* all that has to be right, and what to do */
extern const struct command command_dead_letters; /* rows that the database refused */
extern const struct command command_jobs;         /* what the database knows of them */
extern const struct command command_pods;
extern const struct command command_repair; /* rows that KubeDL's writer has left wrong */
extern const struct command command_replay; /* ships a file, which becomes standard input */
extern const struct command command_sweep;  /* what refused sweeps would close */

/* Reads argv[1..argc), behind the command's name. False: the command is over, with *status: the help was
 * asked for, or the arguments are wrong, which was told. argv is reordered. */
bool command_read(const struct command *command, int argc, char **argv,
                  struct invocation *invocation, int *status) MUST_CHECK;

/* The option as an integer within min..max, or fallback where it is not given. */
enum error_code command_number(const struct invocation *invocation, size_t option, long min,
                               long max, long fallback, long *number, struct error *err) MUST_CHECK;

/* Appends "  left      right": right is wrapped, for a terminal of 80 columns. */
void command_help_line(struct buffer *out, const char *left, const char *right);

/* Tells on standard error what is wrong with the arguments and how the command is used: EXIT_USAGE. */
int command_misused(const struct command *command, const char *problem);

/* Tells on standard error what went wrong: EXIT_FAILED. */
int command_failed(const struct error *err);

/* Prints what is in the buffer and frees that: EXIT_OK, or EXIT_FAILED if it is not whole or could not
 * be written. */
int command_print(struct buffer *out, FILE *stream);

/* A table with this head; then columns_add...() for its cells, row by row. */
void command_begin_columns(struct columns *columns, const char *const *head, size_t count);

/* Prints the table and frees it. */
int command_print_columns(struct columns *columns, FILE *stream);

/* Connects to the first host in MYSQL_HOST that takes the command. read_only: the session refuses to
 * write, and a read-only server will do. command_disconnect() in any case: *db may be NULL. */
enum error_code command_connect(const struct config *config, bool read_only, struct db **db,
                                struct db_error *err) MUST_CHECK;
void command_disconnect(struct db *db);

#endif
