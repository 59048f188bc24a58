/* options: reading arguments by a table (see options.h). */
#include "lib/base/options.h"

#include "lib/base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMN 26
#define HELP_WIDTH  79

/* The option that an argument begins with: "--name", "--name=value" or "-n". */
static const struct option_spec *find(const struct option_spec *specs, const char *argument,
                                      const char **value)
{
    const char *equals = strchr(argument, '=');
    size_t length = equals != NULL ? (size_t)(equals - argument) : strlen(argument);
    for (const struct option_spec *spec = specs; spec->name != NULL; spec++) {
        if (text_equal((struct text){argument, length}, text_from(spec->name))) {
            *value = equals != NULL ? equals + 1 : NULL;
            return spec;
        }
        if (spec->brief != NULL && strcmp(argument, spec->brief) == 0) {
            *value = NULL;
            return spec;
        }
    }
    return NULL;
}

static bool is_option(const char *argument)
{
    return argument[0] == '-' && argument[1] != '\0';
}

/* Reads the option at arguments[*i], and steps over its value. */
static enum error_code read_option(const struct option_spec *specs, int count,
                                   char *const *arguments, int *i, struct options *options,
                                   struct error *err)
{
    const char *value;
    const struct option_spec *spec = find(specs, arguments[*i], &value);
    if (spec == NULL)
        return error_set(err, ERROR_INPUT, "there is no option %s", arguments[*i]);
    if (spec->value == NULL) {
        if (value != NULL)
            return error_set(err, ERROR_INPUT, "%s takes no value", spec->name);
        value = spec->name;
    } else if (value == NULL) {
        if (*i + 1 == count)
            return error_set(err, ERROR_INPUT, "%s needs a value: %s", spec->name, spec->value);
        value = arguments[++*i];
    }
    options->values[spec - specs] = value;
    return ERROR_NONE;
}

enum error_code options_read(const struct option_spec *specs, const char *operand, int count,
                             char *const *arguments, struct options *options, struct error *err)
{
    bool ended = false;
    *options = (struct options){0};
    for (int i = 0; i < count; i++) {
        enum error_code code = ERROR_NONE;
        if (!ended && strcmp(arguments[i], "--") == 0)
            ended = true;
        else if (!ended && is_option(arguments[i]))
            code = read_option(specs, count, arguments, &i, options, err);
        else if (operand == NULL || options->operand != NULL)
            code = error_set(err, ERROR_INPUT, "one argument too many: %s", arguments[i]);
        else
            options->operand = arguments[i];
        if (code != ERROR_NONE)
            return code;
    }
    if (operand != NULL && options->operand == NULL)
        return error_set(err, ERROR_INPUT, "%s is missing", operand);
    return ERROR_NONE;
}

/* Words of text, wrapped. */
static void append_wrapped(struct buffer *out, const char *text)
{
    size_t column = HELP_COLUMN;
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + length > HELP_WIDTH) {
            buffer_appendf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            buffer_append_char(out, ' ');
            column++;
        }
        buffer_append(out, (struct text){text, length});
        column += length;
        text += length + strspn(text + length, " ");
    }
    buffer_append_char(out, '\n');
}

void options_help(struct buffer *out, const struct option_spec *specs)
{
    for (const struct option_spec *spec = specs; spec->name != NULL; spec++) {
        size_t before = out->length;
        buffer_append_string(out, "  ");
        if (spec->brief != NULL)
            buffer_appendf(out, "%s, ", spec->brief);
        buffer_append_string(out, spec->name);
        if (spec->value != NULL)
            buffer_appendf(out, " %s", spec->value);
        size_t column = out->length - before;
        if (column + 2 > HELP_COLUMN) {
            buffer_append_char(out, '\n');
            column = 0;
        }
        buffer_appendf(out, "%*s", (int)(HELP_COLUMN - column), "");
        append_wrapped(out, spec->help);
    }
}

enum error_code options_number(const struct option_spec *spec, const char *value, long min,
                               long max, long *number, struct error *err)
{
    char *end;
    errno = 0;
    *number = strtol(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || *number < min || *number > max)
        return error_set(err, ERROR_INPUT, "%s takes a number from %ld to %ld, not %s", spec->name,
                         min, max, value);
    return ERROR_NONE;
}
