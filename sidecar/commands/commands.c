/* commands: what all commands have in common (see commands.h). */
#include "sidecar/commands/commands.h"

#include "lib/base/nearest.h"
#include "sidecar/store/db.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELP_LIMIT  ((size_t)1 << 16)
#define HELP_COLUMN 26
#define HELP_WIDTH  79

#define TABLE_LIMIT ((size_t)256 << 20)

/* What getopt_long() returns for the option at a place in the table, beyond all letters. */
#define FIRST_OPTION 256

/* ---- arguments -------------------------------------------------------------------------------- */

enum { OPTION_HELP = 1, OPTION_VERSION = 2 };

/* Turns the command's options into the tables that getopt_long() takes, and adds --help and --version. */
static void describe(const struct command *command, struct option *longs, char *letters)
{
    size_t i = 0;
    *letters++ = ':'; /* getopt_long() then tells a missing value from an unknown option */
    for (; command->options[i].name != NULL; i++) {
        const struct command_option *option = &command->options[i];
        bool takes_value = option->value != NULL;
        longs[i] = (struct option){option->name, takes_value ? required_argument : no_argument,
                                   NULL, FIRST_OPTION + (int)i};
        if (option->letter != '\0')
            *letters++ = option->letter;
        if (option->letter != '\0' && takes_value)
            *letters++ = ':';
    }
    longs[i] = (struct option){"help", no_argument, NULL, OPTION_HELP};
    longs[i + 1] = (struct option){"version", no_argument, NULL, OPTION_VERSION};
    *letters++ = 'h';
    *letters = '\0';
}

/* Returns the place in the table of the option that getopt_long() has found: a number or a letter. */
static size_t place_of(const struct command *command, int found)
{
    size_t i = 0;
    if (found >= FIRST_OPTION)
        return (size_t)(found - FIRST_OPTION);
    while (command->options[i].name != NULL && command->options[i].letter != found)
        i++;
    return i;
}

/* Says what is wrong with an option, of which getopt_long() has returned `found` and set optopt. argument:
 * as it was given, such as "--nmespace=x", or an abbreviation that several options have. */
static void explain(const struct command *command, const struct option *longs, int found,
                    const char *argument, struct error *err)
{
    const struct command_option *option = &command->options[place_of(command, optopt)];
    if (found == ':') {
        error_set(err, ERROR_INPUT, "--%s needs a value: %s", option->name, option->value);
    } else if (optopt == OPTION_HELP || optopt == OPTION_VERSION || optopt >= FIRST_OPTION) {
        error_set(err, ERROR_INPUT, "--%s takes no value",
                  optopt == OPTION_HELP      ? "help"
                  : optopt == OPTION_VERSION ? "version"
                                             : option->name);
    } else if (optopt != 0) {
        error_set(err, ERROR_INPUT, "there is no option -%c", optopt);
    } else {
        const char *name = argument + strspn(argument, "-");
        struct nearest nearest = nearest_to((struct text){name, strcspn(name, "=")});
        for (; longs->name != NULL; longs++)
            nearest_try(&nearest, longs->name);
        bool near = nearest.name != NULL;
        error_set(err, ERROR_INPUT, "there is no option %s%s%s%s", argument,
                  near ? " (did you mean --" : "", near ? nearest.name : "", near ? "?)" : "");
    }
}

bool command_read(const struct command *command, int argc, char **argv,
                  struct invocation *invocation, int *status)
{
    struct option longs[COMMAND_MAX_OPTIONS + 2] = {0};
    char letters[2 * COMMAND_MAX_OPTIONS + 3];
    const int wanted = command->operand != NULL ? 1 : 0;
    struct error err;
    int found;
    describe(command, longs, letters);
    *invocation = (struct invocation){.command = command, .version = invocation->version};
    opterr = 0;
    optind = 0; /* begins anew, whatever was read before */
    while ((found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (found == '?' || found == ':') {
            explain(command, longs, found, argv[optind - 1], &err);
            *status = command_misused(command, err.text);
            return false;
        }
        if (found == OPTION_HELP || found == 'h' || found == OPTION_VERSION) {
            *status = found == OPTION_VERSION ? command_print_version(invocation->version)
                                              : command_print_help(command);
            return false;
        }
        invocation->values[place_of(command, found)] = optarg != NULL ? optarg : "";
    }
    invocation->operands = argv + optind;
    invocation->operand_count = argc - optind;
    if (command->any_operands || invocation->operand_count == wanted)
        return true;
    if (invocation->operand_count < wanted)
        error_set(&err, ERROR_INPUT, "%s is missing", command->operand);
    else
        error_set(&err, ERROR_INPUT, "one argument too many: %s", invocation->operands[wanted]);
    *status = command_misused(command, err.text);
    return false;
}

enum error_code command_number(const struct invocation *invocation, size_t option, long min,
                               long max, long fallback, long *number, struct error *err)
{
    const char *value = invocation->values[option];
    char *end;
    *number = fallback;
    if (value == NULL)
        return ERROR_NONE;
    errno = 0;
    *number = strtol(value, &end, 10);
    if (errno == 0 && end != value && *end == '\0' && *number >= min && *number <= max)
        return ERROR_NONE;
    return error_set(err, ERROR_INPUT, "--%s takes a number from %ld to %ld, not %s",
                     invocation->command->options[option].name, min, max, value);
}

/* ---- what is printed --------------------------------------------------------------------------- */

void command_help_line(struct buffer *out, const char *left, const char *right)
{
    size_t length = strlen(left);
    while (length > 0 && left[length - 1] == ' ')
        length--;
    buffer_appendf(out, "  %.*s", (int)length, left);
    if (length + 4 > HELP_COLUMN) {
        buffer_append_char(out, '\n');
        buffer_appendf(out, "%*s", HELP_COLUMN, "");
    } else {
        buffer_appendf(out, "%*s", (int)(HELP_COLUMN - 2 - length), "");
    }
    buffer_append_wrapped(out, text_from(right), HELP_COLUMN, HELP_WIDTH);
}

int command_print_help(const struct command *command)
{
    struct buffer out;
    buffer_init(&out, HELP_LIMIT);
    buffer_appendf(&out, "Usage: kubedl-shipper%s%s%s%s\n\n", command->name[0] != '\0' ? " " : "",
                   command->name, command->synopsis[0] != '\0' ? " " : "", command->synopsis);
    buffer_append_wrapped(&out, text_from(command->summary), 0, HELP_WIDTH);
    buffer_append_char(&out, '\n');
    for (const struct command_option *option = command->options; option->name != NULL; option++) {
        char left[64];
        char letter[] = {'-', option->letter, ',', ' ', '\0'};
        (void)snprintf(left, sizeof(left), "%s--%s %s", option->letter != '\0' ? letter : "",
                       option->name, option->value != NULL ? option->value : "");
        command_help_line(&out, left, option->help);
    }
    command_help_line(&out, "-h, --help", "this text");
    command_help_line(&out, "--version", "the version");
    if (command->help != NULL)
        command->help(&out);
    return command_print(&out, stdout);
}

int command_print_version(const char *version)
{
    printf("kubedl-shipper %s\n", version);
    return EXIT_OK;
}

int command_misused(const struct command *command, const char *problem)
{
    fprintf(stderr, "kubedl-shipper: %s: see kubedl-shipper%s%s --help\n", problem,
            command->name[0] != '\0' ? " " : "", command->name);
    return EXIT_USAGE;
}

int command_failed(const struct error *err)
{
    fflush(stdout);
    fprintf(stderr, "kubedl-shipper: %s\n", err->text);
    return EXIT_FAILED;
}

int command_end(int status)
{
    struct pollfd out = {.fd = STDOUT_FILENO};
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    bool is_read_no_more = poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
    if (!is_read_no_more)
        fprintf(stderr, "kubedl-shipper: standard output does not take what is printed: is it "
                        "closed, or its disk full?\n");
    return EXIT_FAILED;
}

int command_print(struct buffer *out, FILE *stream)
{
    struct text text = buffer_text(out);
    bool whole = !out->failed && fwrite(text.data, 1, text.length, stream) == text.length &&
                 fflush(stream) == 0;
    buffer_fini(out);
    return whole ? EXIT_OK : EXIT_FAILED;
}

int command_print_columns(struct columns *columns, FILE *stream)
{
    struct buffer out;
    buffer_init(&out, TABLE_LIMIT);
    columns_append(columns, &out);
    columns_fini(columns);
    if (out.failed)
        fputs("(no memory to show it)\n", stream);
    return command_print(&out, stream);
}

/* ---- the database ------------------------------------------------------------------------------ */

enum error_code command_connect(const struct config *config, bool read_only, struct db **db,
                                struct db_error *err)
{
    *db = NULL;
    *err = (struct db_error){0};
    enum error_code code = db_library_init(&err->error);
    if (code != ERROR_NONE)
        return code;
    *db = db_new(config);
    if (read_only)
        db_read_only(*db);
    return db_connect_any(*db, err);
}

void command_disconnect(struct db *db)
{
    if (db == NULL)
        return;
    db_free(db);
    db_library_fini();
}
