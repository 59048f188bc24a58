/* main: the command line. Everything else comes from the environment. */
#include "lib/account/metrics.h"
#include "lib/base/buffer.h"
#include "lib/kube/kind.h"
#include "lib/settings/config.h"
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

/* No core dump, and /proc/PID/environ and mem are for root alone. */
static void hide_memory(void)
{
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* What is opened next would otherwise get the number of a standard stream that is closed: the log would
 * be written into the spool's file, and libuv refuses to close such a number. The placeholder refuses to
 * be read or written, as a closed stream does, and is there without /dev/null, too. */
static void occupy_standard_streams(void)
{
    int fd;
    do
        fd = open("/", O_PATH);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* The environment stays readable in /proc for as long as the process runs. */
static void wipe_variable(const char *name)
{
    char *value = getenv(name);
    if (value != NULL)
        explicit_bzero(value, strlen(value));
}

static int print(struct buffer *out, FILE *stream)
{
    struct text text = buffer_text(out);
    bool whole = !out->failed && fwrite(text.data, 1, text.length, stream) == text.length &&
                 fflush(stream) == 0;
    buffer_fini(out);
    return whole ? EXIT_OK : EXIT_FAILED;
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
    "  dead-letters drop ID    forget it (or all)\n"
    "  jobs [OPTION]...        jobs that the database knows (jobs --help)\n"
    "  pods JOB [OPTION]...    the pods of a job, by its name or uid\n"
    "  repair [--dry-run]      mend rows that KubeDL's writer has left wrong, after\n"
    "                          showing them (repair --help)\n"
    "  sweep [--confirm]       show what a refused sweep would close; close it\n"
    "  replay FILE|-           ship a recorded stream, or what kubectl get -o json\n"
    "                          printed, and end\n"
    "  --check-config          check the settings and print them, without secrets\n"
    "  --version, --help\n"
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
    return print(&out, stdout);
}

static int print_settings_table(void)
{
    struct buffer out;
    buffer_init(&out, OUTPUT_LIMIT);
    config_markdown(&out);
    return print(&out, stdout);
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
    return print(&out, stdout);
}

static int print_metrics_table(void)
{
    struct buffer out;
    buffer_init(&out, OUTPUT_LIMIT);
    metrics_markdown(&out);
    return print(&out, stdout);
}

/* Reads and checks all settings; *problems has a line for every one that is wrong. The password is not
 * in the environment any more, then. */
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
        buffer_append_string(problems,
                             "LEADER: a standby opens no source, but the producer of this "
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

static int check_config(const struct config *config, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    struct buffer out;
    buffer_init(&out, OUTPUT_LIMIT);
    config_show(&out, config);
    return print(&out, stdout);
}

static int run(const struct config *config, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    struct error err;
    if (db_library_init(&err) != ERROR_NONE) {
        fprintf(stderr, "kubedl-shipper: %s\n", err.text);
        return EXIT_FAILED;
    }
    bool left_behind = false;
    int status =
        run_sidecar(config, &(struct run_options){.version = SHIPPER_VERSION}, &left_behind);
    return run_end(status, left_behind);
}

/* Also with wrong settings: to say what is wrong is what it is for. */
static int check(int count, char **arguments)
{
    struct config config;
    struct buffer problems;
    (void)load(&config, &problems);
    int status = command_check(&config, buffer_text(&problems), count, arguments);
    buffer_fini(&problems);
    explicit_bzero(&config, sizeof(config));
    return status;
}

static int replay(const struct config *config, int count, char **arguments)
{
    return command_replay(config, count, arguments, SHIPPER_VERSION);
}

/* These need no settings. */
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

struct command {
    const char *name;
    int (*execute)(const struct config *config, int count, char **arguments);
    bool takes_arguments;
    bool explains_itself; /* with --help alone it only prints, and needs no settings */
};

static const struct command commands[] = {
    {"--check-config", check_config, false, false},
    {"audit", command_audit, false, false},
    {"dead-letters", command_dead_letters, true, false},
    {"jobs", command_jobs, true, true},
    {"pods", command_pods, true, true},
    {"repair", command_repair, true, true},
    {"sweep", command_sweep, true, false},
    {"replay", replay, true, false},
};

static const struct command sidecar = {"", run, false, false};

static const struct command *find_command(int argc, char **argv)
{
    if (argc == 1)
        return &sidecar;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        const struct command *command = &commands[i];
        if (strcmp(argv[1], command->name) == 0)
            return command->takes_arguments || argc == 2 ? command : NULL;
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
    if (argc >= 2 && strcmp(argv[1], "check") == 0)
        return check(argc - 2, argv + 2);
    const struct command *command = find_command(argc, argv);
    if (command == NULL) {
        fprintf(stderr, "kubedl-shipper: unknown arguments: see kubedl-shipper --help\n");
        return EXIT_USAGE;
    }
    struct config config = {0};
    if (command->explains_itself && argc == 3 && strcmp(argv[2], "--help") == 0)
        return command->execute(&config, argc - 2, argv + 2);
    struct buffer problems;
    int status = EXIT_USAGE;
    bool good = load(&config, &problems);
    print(&problems, stderr);
    if (good)
        status = argc > 2 ? command->execute(&config, argc - 2, argv + 2)
                          : command->execute(&config, 0, NULL);
    explicit_bzero(&config, sizeof(config));
    return status;
}
