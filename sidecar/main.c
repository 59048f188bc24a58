/* main: reads the command line and the settings, which come from the environment, and runs the sidecar or a
 * command. */
#include "lib/account/metrics.h"
#include "lib/base/buffer.h"
#include "lib/kube/kind.h"
#include "lib/settings/config.h"
#include "lib/settings/remarks.h"
#include "sidecar/commands/commands.h"
#include "sidecar/http/http.h"
#include "sidecar/run/run.h"
#include "sidecar/source/source.h"
#include "sidecar/store/db.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUTPUT_LIMIT (1U << 20)

static const char *from_environment(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}

/* The process writes no core dump, and only root can read its /proc/PID/environ and /proc/PID/mem. */
static void hide_memory(void)
{
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* If a standard stream is closed, the next file to be opened would get its number: the log would be written
 * into the spool's file, and libuv refuses to close such a number. A placeholder takes the number instead. It
 * refuses to be read or written, as a closed stream does, and does not need /dev/null. */
static void occupy_standard_streams(void)
{
    int fd;
    do
        fd = open("/", O_PATH);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* Overwrites the variable's value, since /proc shows the process's environment as long as it runs. */
static void wipe_variable(const char *name)
{
    char *value = getenv(name);
    if (value != NULL)
        explicit_bzero(value, strlen(value));
}

static int print_version(void)
{
    return printf("kubedl-shipper %s\n", SHIPPER_VERSION) > 0 ? EXIT_OK : EXIT_FAILED;
}

static const char usage[] =
    "Usage: kubedl-shipper [COMMAND]\n"
    "\n"
    "Ships the jobs and pods of a Kubernetes watch stream into the MariaDB or\n"
    "MySQL tables of KubeDL.\n"
    "\n"
    "  (no command)            run as a sidecar\n"
    "  check [--json]          look at all that has to be right, and say what to do\n"
    "  audit                   print what became of every document; exit status 1\n"
    "                          if it does not add up\n"
    "  dead-letters list       rows that the database refused\n"
    "  dead-letters show ID    one of them, whole\n"
    "  dead-letters retry ID   write it again (or all); drops it if that goes well\n"
    "  dead-letters drop ID    delete it (or all)\n"
    "  jobs [OPTION]...        jobs that the database knows (jobs --help)\n"
    "  pods JOB [OPTION]...    the pods of a job, by its name or uid\n"
    "  repair [--dry-run]      mend rows that KubeDL's writer has left wrong, after\n"
    "                          showing them (repair --help)\n"
    "  sweep [--confirm]       show what a refused sweep would close; close it\n"
    "  replay FILE|-           ship a recorded stream, or what kubectl get -o json\n"
    "                          printed, and end\n"
    "  --check-config          check the settings and print them, without secrets\n"
    "  --version, --help       and COMMAND --help\n"
    "\n"
    "All settings are environment variables:\n"
    "\n";

static int print_help(void)
{
    struct buffer out;
    buffer_init(&out, OUTPUT_LIMIT);
    buffer_append_string(&out, usage);
    config_help(&out);
    buffer_append_string(&out, "\n"
                               "Exit status: 0 all is written or in the spool; 1 something went\n"
                               "wrong (the log says what); 2 a setting or argument is wrong;\n"
                               "3 check has nothing but warnings.\n");
    return command_print(&out, stdout);
}

static int print_settings_table(void)
{
    struct buffer out;
    buffer_init(&out, OUTPUT_LIMIT);
    config_markdown(&out);
    return command_print(&out, stdout);
}

static int print_kinds_table(void)
{
    struct buffer out;
    buffer_init(&out, OUTPUT_LIMIT);
    buffer_append_string(&out, "| Kind | API group | Version | Resource |\n|---|---|---|---|\n");
    for (size_t i = 0; i < RESOURCE_COUNT; i++) {
        const struct resource *resource = &resource_table[i];
        if (resource->table != &table_job)
            continue;
        buffer_appendf(&out, "| `%s` | `%s` | `%s` | `%s` |\n", resource->kind, resource->group,
                       resource->version, resource->name);
    }
    return command_print(&out, stdout);
}

static int print_metrics_table(void)
{
    struct buffer out;
    buffer_init(&out, OUTPUT_LIMIT);
    metrics_markdown(&out);
    return command_print(&out, stdout);
}

/* Reads and checks all settings, and wipes the password from the environment. Returns false if some are
 * wrong; *problems has a line for each of these. */
static bool load(struct config *config, struct buffer *problems)
{
    buffer_init(problems, OUTPUT_LIMIT);
    enum error_code code = config_load(config, from_environment, NULL, problems);
    struct error err;
    if (config->event_source[0] != '\0' &&
        source_check(config->event_source, config, &err) != ERROR_NONE) {
        buffer_appendf(problems, "EVENT_SOURCE: %s\n", err.text);
        code = ERROR_OPERATOR;
    } else if (config->leader != LEADER_NONE && !source_may_stand_by(config->event_source)) {
        buffer_append_string(problems, "LEADER: a standby opens no source, but a producer of this "
                                       "EVENT_SOURCE waits for it: leave LEADER out\n");
        code = ERROR_OPERATOR;
    }
    if (config->http_listen[0] != '\0' && http_check(config->http_listen, &err) != ERROR_NONE) {
        buffer_appendf(problems, "HTTP_LISTEN: %s\n", err.text);
        code = ERROR_OPERATOR;
    }
    wipe_variable("MYSQL_PASSWORD");
    return code == ERROR_NONE;
}

static void print_remark(void *context, const struct remark *remark)
{
    if (remark->setting != NULL)
        fprintf(context, "%.*s: is no setting and has no effect; %s is one\n",
                (int)remark->variable.length, remark->variable.data, remark->setting);
}

static int check_config(const struct invocation *invocation)
{
    remarks_make(environ, print_remark, stderr);
    struct buffer out;
    buffer_init(&out, OUTPUT_LIMIT);
    config_show(&out, invocation->config);
    return command_print(&out, stdout);
}

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

/* An option that prints something and needs no settings. */
struct printer {
    const char *name;
    int (*print)(void);
};

static const struct printer printers[] = {
    {"--help", print_help},
    {"-h", print_help},
    {"--version", print_version},
    {"--settings-table", print_settings_table}, /* for docs/ */
    {"--metrics-table", print_metrics_table},   /* the same */
    {"--kinds-table", print_kinds_table},       /* for the rights that manifests/ gives */
};

static const struct command command_check_config = {
    .name = "--check-config",
    .synopsis = "",
    .summary = "Checks the settings and prints them, without secrets.",
    .run = check_config,
};

static const struct command command_run = {
    .name = "", .synopsis = "", .summary = "Runs as a sidecar.", .run = run};

static const struct command *const commands[] = {
    &command_check_config, &command_check,  &command_audit,  &command_dead_letters, &command_jobs,
    &command_pods,         &command_repair, &command_replay, &command_sweep,
};

/* Returns NULL if there is no command of this name. */
static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(name, commands[i]->name) == 0)
            return commands[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    occupy_standard_streams();
    hide_memory();
    umask(S_IRWXG | S_IRWXO); /* what is written is nobody else's business */
    for (size_t i = 0; argc == 2 && i < sizeof(printers) / sizeof(printers[0]); i++) {
        if (strcmp(argv[1], printers[i].name) == 0)
            return printers[i].print();
    }
    const struct command *command = argc > 1 ? find_command(argv[1]) : &command_run;
    struct invocation invocation;
    int status;
    if (command == NULL) {
        fprintf(stderr, "kubedl-shipper: there is no command %s: see kubedl-shipper --help\n",
                argv[1]);
        return EXIT_USAGE;
    }
    if (!command_read(command, argc > 1 ? argc - 1 : argc, argc > 1 ? argv + 1 : argv, &invocation,
                      &status))
        return status;

    struct config config;
    struct buffer problems;
    bool good = load(&config, &problems);
    invocation.config = &config;
    invocation.problems = buffer_text(&problems);
    invocation.version = SHIPPER_VERSION;
    if (good || command->any_settings) {
        status = command->run(&invocation);
        buffer_fini(&problems);
    } else {
        (void)command_print(&problems, stderr);
        remarks_make(environ, print_remark, stderr);
        status = EXIT_USAGE;
    }
    explicit_bzero(&config, sizeof(config));
    return status;
}
