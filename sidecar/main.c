/* main: the command line. Everything else comes from the environment. */
#include "lib/buffer.h"
#include "lib/config.h"
#include "sidecar/db.h"
#include "sidecar/run.h"
#include "sidecar/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define OUTPUT_LIMIT (1U << 20)

static const char *from_environment(void *context, const char *name)
{
    (void)context;
    return getenv(name);
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

static int print_help(void)
{
    struct buffer out;
    buffer_init(&out, OUTPUT_LIMIT);
    buffer_append_string(
        &out, "Usage: kubedl-shipper [--check-config | --help | --version]\n"
              "\n"
              "Ships the jobs and pods of a Kubernetes watch stream into the MariaDB or\n"
              "MySQL tables of KubeDL. All settings are environment variables:\n"
              "\n");
    config_help(&out);
    buffer_append_string(&out,
                         "\n"
                         "Exit status: 0 all is written; 1 something went wrong or is left\n"
                         "unwritten (the log says what); 2 a setting or argument is wrong.\n");
    return print(&out, stdout);
}

static int print_settings_table(void)
{
    struct buffer out;
    buffer_init(&out, OUTPUT_LIMIT);
    config_markdown(&out);
    return print(&out, stdout);
}

/* Reads and checks all settings; tells every one that is wrong. */
static bool load(struct config *config)
{
    struct buffer problems;
    buffer_init(&problems, OUTPUT_LIMIT);
    enum error_code code = config_load(config, from_environment, NULL, &problems);
    struct error err;
    if (config->event_source[0] != '\0' && source_check(config->event_source, &err) != ERROR_NONE) {
        buffer_appendf(&problems, "EVENT_SOURCE: %s\n", err.text);
        code = ERROR_OPERATOR;
    }
    print(&problems, stderr);
    return code == ERROR_NONE;
}

static int check_config(void)
{
    struct config config;
    if (!load(&config))
        return EXIT_USAGE;
    struct buffer out;
    buffer_init(&out, OUTPUT_LIMIT);
    config_show(&out, &config);
    return print(&out, stdout);
}

static int run(void)
{
    struct config config;
    if (!load(&config))
        return EXIT_USAGE;
    struct error err;
    if (db_library_init(&err) != ERROR_NONE) {
        fprintf(stderr, "kubedl-shipper: %s\n", err.text);
        return EXIT_FAILED;
    }
    int status = run_sidecar(&config, SHIPPER_VERSION);
    db_library_fini();
    explicit_bzero(&config, sizeof(config));
    return status;
}

struct command {
    const char *name;
    int (*execute)(void);
};

static const struct command commands[] = {
    {"--help", print_help},
    {"-h", print_help},
    {"--version", print_version},
    {"--check-config", check_config},
    {"--settings-table", print_settings_table}, /* for README.md */
};

int main(int argc, char **argv)
{
    if (argc == 1)
        return run();
    for (size_t i = 0; argc == 2 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].execute();
    }
    fprintf(stderr, "kubedl-shipper: unknown arguments; it takes its settings from the "
                    "environment, see kubedl-shipper --help\n");
    return EXIT_USAGE;
}
