/* source: reads EVENT_SOURCE, and chooses the kind of each source by the prefix of its address (see source.h).
 *
 * A new kind needs a line in the table `kinds`, and a file that fills in struct source. */
#include "sidecar/source/source.h"

#include "lib/base/invariant.h"
#include "sidecar/source/source_kinds.h"

#include <sys/un.h>

#define LONGEST_SHOWN 1024 /* bytes of an address in an error, NUL included */

/* libuv would cut a longer path without an error, and so use another socket. */
#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

struct kind {
    const char *prefix;
    bool takes_path;    /* a path follows the prefix; else the prefix is the whole address */
    bool may_stand_by;  /* see source_may_stand_by() */
    const char *origin; /* where its events come from, of which there is one; NULL: from the path */
    struct source *(*make)(uv_loop_t *loop, const struct source_settings *settings,
                           const char *path);

    /* NULL: it needs no settings. */
    enum error_code (*check)(const struct config *config, bool alone, struct error *err);
    const char *advice; /* what to do where nothing comes from it */
};

static const char standard_input[] = "standard input", api_server[] = "the API server";

#define NO_STREAM                                                                                  \
    "no release of KubeDL sends events by itself: start the controller that does, or use the "     \
    "source kube:, which lists and watches"
#define NO_LIST                                                                                    \
    "see the warnings about the API server, or run kubedl-shipper check, which asks it and says "  \
    "what it lacks"

static const struct kind kinds[] = {
    {"unix:", true, true, NULL, source_connect_new, NULL,
     "nobody listens on the socket; " NO_STREAM},
    {"unix-listen:", true, false, NULL, source_listen_new, NULL,
     "nobody is connected to the socket; " NO_STREAM},
    {"-", false, false, standard_input, source_stdin_new, NULL, ""},
    {SOURCE_REPLAY, false, false, standard_input, source_replay_new, NULL, ""},
    {"kube:", false, true, api_server, source_kube_new, source_kube_check, NO_LIST},
    {"kube+unix:", true, true, api_server, source_kube_new, source_kube_unix_check, NO_LIST},
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

/* The address is one of a struct source_list. */
static const struct kind *kind_of(const char *address, const char **path)
{
    const struct kind *kind = find_kind(address, path);
    invariant(kind != NULL);
    return kind;
}

static enum error_code check_address(const char *address, struct error *err)
{
    const char *path;
    const struct kind *kind = find_kind(address, &path);
    if (kind == NULL)
        return error_set(err, ERROR_OPERATOR,
                         "\"%s\" is not a source of events: use unix:PATH (connect), "
                         "unix-listen:PATH, kube:, kube+unix:PATH or - (standard input), or "
                         "several of these with commas between them",
                         address);
    if (kind->takes_path && *path == '\0')
        return error_set(err, ERROR_OPERATOR, "\"%s\" lacks the path of the socket", address);
    size_t length = strlen(path);
    if (length > SOCKET_PATH_MAX)
        return error_set(err, ERROR_OPERATOR,
                         "the socket path has %zu bytes, and a Unix socket's can have %zu: \"%s\"",
                         length, SOCKET_PATH_MAX, path);
    return ERROR_NONE;
}

static struct text take_part(const char **path)
{
    struct text part;
    do {
        *path += strspn(*path, "/");
        part = (struct text){*path, strcspn(*path, "/")};
        *path += part.length;
    } while (text_is(part, "."));
    return part;
}

/* Compares what is between the slashes, but for parts that are "."; links are not followed. */
static bool is_same_path(const char *one, const char *other)
{
    struct text part, other_part;
    bool is_same = (one[0] == '/') == (other[0] == '/');
    do {
        part = take_part(&one);
        other_part = take_part(&other);
        is_same = is_same && text_equal(part, other_part);
    } while (is_same && part.length > 0);
    return is_same;
}

/* Two sources of the same events would do all work twice, and two of the same socket would connect to each
 * other, or take it from each other. */
static enum error_code check_pair(const char *one, const char *other, struct error *err)
{
    const char *path, *other_path;
    const struct kind *kind = kind_of(one, &path);
    const struct kind *other_kind = kind_of(other, &other_path);
    if (strcmp(one, other) == 0)
        return error_set(err, ERROR_OPERATOR, "\"%s\" is named twice", one);
    if (kind->origin != NULL && kind->origin == other_kind->origin)
        return error_set(err, ERROR_OPERATOR, "\"%s\" and \"%s\" are both %s: name one of them",
                         one, other, kind->origin);
    if (path[0] != '\0' && is_same_path(path, other_path))
        return error_set(err, ERROR_OPERATOR,
                         "\"%s\" and \"%s\" are the same socket: name one of them", one, other);
    return ERROR_NONE;
}

static struct text without_blanks(struct text text)
{
    while (text.length > 0 && text_is_blank((struct text){text.data, 1}))
        text = text_skip(text, 1);
    while (text.length > 0 && text_is_blank(text_skip(text, text.length - 1)))
        text.length--;
    return text;
}

enum error_code source_list_read(struct source_list *list, const char *event_source,
                                 struct error *err)
{
    enum error_code code = ERROR_NONE;
    list->count = 0;
    for (const char *next = event_source; next != NULL && code == ERROR_NONE; list->count++) {
        char address[LONGEST_SHOWN];
        const char *end = strchrnul(next, ',');
        if (list->count == SOURCE_MAX)
            return error_set(err, ERROR_OPERATOR, "it names more than %d sources", SOURCE_MAX);
        text_copy(address, sizeof(address),
                  without_blanks((struct text){next, (size_t)(end - next)}));
        code = check_address(address, err);
        for (size_t i = 0; i < list->count && code == ERROR_NONE; i++)
            code = check_pair(list->addresses[i], address, err);
        text_copy(list->addresses[list->count], SOURCE_ADDRESS_SIZE, text_from(address));
        next = *end == ',' ? end + 1 : NULL;
    }
    return code;
}

enum error_code source_check(const char *event_source, const struct config *config,
                             struct error *err)
{
    struct source_list list;
    const char *path;
    enum error_code code = source_list_read(&list, event_source, err);
    for (size_t i = 0; i < list.count && code == ERROR_NONE && config != NULL; i++) {
        const struct kind *kind = kind_of(list.addresses[i], &path);
        if (kind->check != NULL)
            code = kind->check(config, list.count == 1, err);
    }
    return code;
}

bool source_may_stand_by(const char *event_source)
{
    struct source_list list;
    struct error err;
    const char *path;
    bool may = source_list_read(&list, event_source, &err) == ERROR_NONE;
    for (size_t i = 0; i < list.count && may; i++)
        may = kind_of(list.addresses[i], &path)->may_stand_by;
    return may;
}

bool source_needs_cluster_id(const char *event_source)
{
    struct source_list list;
    struct error err;
    const char *path;
    bool needs = false;
    if (source_list_read(&list, event_source, &err) != ERROR_NONE)
        return false;
    for (size_t i = 0; i < list.count; i++) {
        const struct kind *kind = kind_of(list.addresses[i], &path);
        if (kind->origin == api_server)
            return false;
        needs |= kind->origin == NULL;
    }
    return needs;
}

struct source *source_new(uv_loop_t *loop, const struct source_settings *settings)
{
    const char *path;
    return kind_of(settings->address, &path)->make(loop, settings, path);
}

const char *source_advice(const char *address)
{
    const char *path;
    return kind_of(address, &path)->advice;
}
