/* help: what the program says of itself: the table of its commands, their help, its version and its settings,
 * and the tables of docs/. None of it needs settings that are right. */
#include "lib/account/metrics.h"
#include "lib/base/nearest.h"
#include "lib/kube/kind.h"
#include "sidecar/commands/commands.h"

#include <stdio.h>
#include <string.h>

#define OUTPUT_LIMIT ((size_t)1 << 20)

static const struct command command_help, command_version, command_settings_table,
    command_metrics_table, command_kinds_table;

/* In the order in which the help lists them. A command without a .brief is not listed. */
static const struct command *const commands[] = {
    &command_check,         &command_audit,       &command_dead_letters, &command_jobs,
    &command_pods,          &command_repair,      &command_sweep,        &command_replay,
    &command_check_config,  &command_help,        &command_version,      &command_settings_table,
    &command_metrics_table, &command_kinds_table,
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(name, commands[i]->name) == 0)
            return commands[i];
    }
    return NULL;
}

int command_unknown(const char *name)
{
    struct nearest nearest = nearest_to(text_from(name));
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (commands[i]->brief != NULL)
            nearest_try(&nearest, commands[i]->name);
    }
    fprintf(stderr, "kubedl-shipper: there is no command %s%s%s%s: see kubedl-shipper help\n",
            name[0] != '\0' ? name : "''", nearest.name != NULL ? " (did you mean " : "",
            nearest.name != NULL ? nearest.name : "", nearest.name != NULL ? "?)" : "");
    return EXIT_USAGE;
}

void command_append_usage(struct buffer *out)
{
    buffer_append_string(out, "\nCommands:\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char left[64];
        const struct command *command = commands[i];
        (void)snprintf(left, sizeof(left), "%s %s", command->name,
                       command->operand != NULL ? command->operand : "");
        if (command->brief != NULL)
            command_help_line(out, left, command->brief);
    }
    buffer_append_string(out, "\nAll settings are environment variables: see kubedl-shipper help "
                              "settings.\n"
                              "\nExit status: 0 all is written or in the spool; 1 something went "
                              "wrong (the log\nsays what); 2 a setting or argument is wrong; 3 "
                              "check has nothing but warnings.\n");
}

/* ---- the commands ----------------------------------------------------------------------------- */

static int run_help(const struct invocation *invocation)
{
    if (invocation->operand_count > 1)
        return command_misused(invocation->command, "help takes the name of one command");
    if (invocation->operand_count == 0)
        return command_print_help(&command_run);
    const char *name = invocation->operands[0];
    const struct command *command = command_find(name);
    if (strcmp(name, "settings") != 0)
        return command != NULL ? command_print_help(command) : command_unknown(name);
    struct buffer out;
    buffer_init(&out, OUTPUT_LIMIT);
    buffer_append_string(&out, "All settings are environment variables:\n\n");
    config_help(&out);
    return command_print(&out, stdout);
}

static int run_version(const struct invocation *invocation)
{
    return command_print_version(invocation->version);
}

static void append_kinds(struct buffer *out)
{
    buffer_append_string(out, "| Kind | API group | Version | Resource |\n|---|---|---|---|\n");
    for (size_t i = 0; i < RESOURCE_COUNT; i++) {
        const struct resource *resource = &resource_table[i];
        if (resource->table == &table_job)
            buffer_appendf(out, "| `%s` | `%s` | `%s` | `%s` |\n", resource->kind, resource->group,
                           resource->version, resource->name);
    }
}

static int print_table(const struct invocation *invocation)
{
    struct buffer out;
    buffer_init(&out, OUTPUT_LIMIT);
    if (invocation->command == &command_settings_table)
        config_markdown(&out);
    else if (invocation->command == &command_metrics_table)
        metrics_markdown(&out);
    else
        append_kinds(&out);
    return command_print(&out, stdout);
}

static const struct command command_help = {
    .name = "help",
    .synopsis = "[COMMAND|settings]",
    .brief = "this text, the help of a command, or the settings",
    .summary = "Prints the commands, the help of one of them, or all settings.",
    .any_operands = true,
    .any_settings = true,
    .run = run_help,
};

static const struct command command_version = {
    .name = "version",
    .synopsis = "",
    .brief = "the version",
    .summary = "Prints the version.",
    .any_settings = true,
    .run = run_version,
};

/* These three are for docs/ and for the tests of manifests/. */
static const struct command command_settings_table = {
    .name = "--settings-table",
    .synopsis = "",
    .summary = "Prints the settings as a table in Markdown.",
    .any_settings = true,
    .run = print_table,
};

static const struct command command_metrics_table = {
    .name = "--metrics-table",
    .synopsis = "",
    .summary = "Prints the metrics as a table in Markdown.",
    .any_settings = true,
    .run = print_table,
};

static const struct command command_kinds_table = {
    .name = "--kinds-table",
    .synopsis = "",
    .summary = "Prints the kinds of jobs as a table in Markdown.",
    .any_settings = true,
    .run = print_table,
};
