/* sidecar: runs the sidecar itself, which is what the program does without a command, or shows the settings
 * that it would run with. */
#include "lib/settings/remarks.h"
#include "sidecar/commands/commands.h"
#include "sidecar/run/run.h"
#include "sidecar/store/db.h"

#include <stdio.h>
#include <unistd.h>

#define OUTPUT_LIMIT ((size_t)1 << 20)

static int run(const struct invocation *invocation)
{
    struct error err;
    if (db_library_init(&err) != ERROR_NONE)
        return command_failed(&err);
    bool left_behind = false;
    int status = run_sidecar(invocation->config,
                             &(struct run_options){.version = invocation->version}, &left_behind);
    return run_end(status, left_behind);
}

static void print_remark(void *context, const struct remark *remark)
{
    if (remark->setting != NULL)
        fprintf(context, "%.*s: is no setting and has no effect; %s is one\n",
                (int)remark->variable.length, remark->variable.data, remark->setting);
}

void command_refuse_settings(struct text problems)
{
    fprintf(stderr, "%.*s", (int)problems.length, problems.data);
    remarks_make(environ, print_remark, stderr);
}

static int show_settings(const struct invocation *invocation)
{
    struct buffer out;
    remarks_make(environ, print_remark, stderr);
    buffer_init(&out, OUTPUT_LIMIT);
    config_show(&out, invocation->config);
    return command_print(&out, stdout);
}

const struct command command_run = {
    .name = "",
    .synopsis = "[COMMAND]",
    .summary = "Ships the jobs and pods of a Kubernetes watch stream into the MariaDB or MySQL "
               "tables of KubeDL. Without a command it runs as a sidecar.",
    .help = command_append_usage,
    .run = run,
};

const struct command command_check_config = {
    .name = "--check-config",
    .synopsis = "",
    .brief = "check the settings and print them, without secrets",
    .summary = "Checks the settings and prints them, without secrets.",
    .run = show_settings,
};
