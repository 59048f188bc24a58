/* main: finds the command that the command line names, reads the settings, which come from the environment, and
 * runs the command. */
#include "lib/base/buffer.h"
#include "lib/settings/config.h"
#include "sidecar/commands/commands.h"
#include "sidecar/http/http.h"
#include "sidecar/source/source.h"

#include <fcntl.h>
#include <signal.h>
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

static int run_command(struct invocation invocation)
{
    const struct command *command = invocation.command;
    struct config config;
    struct buffer problems;
    int status = EXIT_USAGE;
    bool good = load(&config, &problems);
    invocation.config = &config;
    invocation.problems = buffer_text(&problems);
    if (good || command->any_settings)
        status = command->run(&invocation);
    else
        command_refuse_settings(invocation.problems);
    buffer_fini(&problems);
    explicit_bzero(&config, sizeof(config));
    return status;
}

/* The first argument is the name of a command; options without a command belong to the sidecar itself. */
int main(int argc, char **argv)
{
    struct invocation invocation = {.version = SHIPPER_VERSION};
    const struct command *command = argc > 1 ? command_find(argv[1]) : &command_run;
    int status;
    occupy_standard_streams();
    hide_memory();
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files counts as a full disk */
    umask(S_IRWXG | S_IRWXO); /* what is written is nobody else's business */
    if (command == NULL && argv[1][0] == '-')
        command = &command_run;
    else if (argc > 1)
        argc--, argv++;
    if (command == NULL)
        return command_unknown(argv[0]);
    if (command_read(command, argc, argv, &invocation, &status))
        status = run_command(invocation);
    return command_end(status);
}
