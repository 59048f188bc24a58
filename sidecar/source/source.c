/* source: chooses the kind of source by the prefix of the address (see source.h).
 *
 * A new kind needs a line in the table `kinds`, and a file that fills in struct source. */
#include "sidecar/source/source.h"

#include "sidecar/source/source_kinds.h"

#include <sys/un.h>

/* libuv would cut a longer path without an error, and so use another socket. */
#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

struct kind {
    const char *prefix;
    bool takes_path;   /* a path follows the prefix; else the prefix is the whole address */
    bool may_stand_by; /* see source_may_stand_by() */
    enum error_code (*make)(uv_loop_t *loop, const struct source_settings *settings,
                            const char *path, struct source **source, struct error *err);

    /* NULL: it needs no settings. */
    enum error_code (*check)(const struct config *config, struct error *err);
};

static const struct kind kinds[] = {
    {"unix:", true, true, source_connect_new, NULL},
    {"unix-listen:", true, false, source_listen_new, NULL},
    {"-", false, false, source_stdin_new, NULL},
    {SOURCE_REPLAY, false, false, source_replay_new, NULL},
    {"kube:", false, true, source_kube_new, source_kube_check},
    {"kube+unix:", true, true, source_kube_new, source_kube_unix_check},
};

/* Returns NULL if the address names no source; else sets *path to what follows the prefix. */
static const struct kind *find_kind(const char *address, const char **path)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t length = strlen(kinds[i].prefix);
        if (strncmp(address, kinds[i].prefix, length) != 0)
            continue;
        *path = address + length;
        if (kinds[i].takes_path || **path == '\0')
            return &kinds[i];
    }
    return NULL;
}

static enum error_code parse(const char *address, const struct kind **kind, const char **path,
                             struct error *err)
{
    *kind = find_kind(address, path);
    if (*kind == NULL)
        return error_set(err, ERROR_OPERATOR,
                         "\"%s\" is not a source of events: use unix:PATH (connect), "
                         "unix-listen:PATH, kube:, kube+unix:PATH or - (standard input)",
                         address);
    if ((*kind)->takes_path && **path == '\0')
        return error_set(err, ERROR_OPERATOR, "\"%s\" lacks the path of the socket", address);
    size_t length = strlen(*path);
    if (length > SOCKET_PATH_MAX)
        return error_set(err, ERROR_OPERATOR,
                         "the socket path has %zu bytes, and a Unix socket's can have %zu: \"%s\"",
                         length, SOCKET_PATH_MAX, *path);
    return ERROR_NONE;
}

enum error_code source_check(const char *address, const struct config *config, struct error *err)
{
    const struct kind *kind;
    const char *path;
    enum error_code code = parse(address, &kind, &path, err);
    if (code != ERROR_NONE || config == NULL || kind->check == NULL)
        return code;
    return kind->check(config, err);
}

bool source_may_stand_by(const char *address)
{
    const char *path;
    const struct kind *kind = find_kind(address, &path);
    return kind != NULL && kind->may_stand_by;
}

enum error_code source_new(uv_loop_t *loop, const struct source_settings *settings,
                           struct source **source, struct error *err)
{
    const struct kind *kind;
    const char *path;
    enum error_code code = parse(settings->address, &kind, &path, err);
    if (code != ERROR_NONE)
        return code;
    return kind->make(loop, settings, path, source, err);
}
