/* options: the arguments of a command, read by a table that also makes its help. */
#ifndef LIB_OPTIONS_H
#define LIB_OPTIONS_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define OPTIONS_MAX 16

struct option_spec {
    const char *name;  /* "--namespace" */
    const char *brief; /* "-n"; NULL: there is none */
    const char *value; /* what stands for its value in the help: "NAME"; NULL: it takes none */
    const char *help;
};

struct options {
    const char *values[OPTIONS_MAX]; /* by the place in the table; NULL: not given. Of one without a
                                        value its name */
    const char *operand;             /* the argument that is no option; NULL: none */
};

/* Options as people write them: "--since 7d", "--since=7d", "-n team"; "--" ends them. The last of
 * several wins. operand: what the one further argument is ("JOB"), which has to be there; NULL: there is
 * none. ERROR_INPUT: the text says what is wrong. specs ends in a name that is NULL; at most
 * OPTIONS_MAX. */
enum error_code options_read(const struct option_spec *specs, const char *operand, int count,
                             char *const *arguments, struct options *options,
                             struct error *err) MUST_CHECK;

/* One line or more for each, for a terminal of 80 columns, indented by two blanks. */
void options_help(struct buffer *out, const struct option_spec *specs);

/* A number within min..max. ERROR_INPUT names the option. */
enum error_code options_number(const struct option_spec *spec, const char *value, long min,
                               long max, long *number, struct error *err) MUST_CHECK;

#endif
