/* snapshot: for each scope a map of the objects that exist, each with when it was last shown; a window is
 * just the moment at which it opened. Moments are numbers that only grow. */
#include "lib/kube/snapshot.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM           1
#define uthash_nonfatal_oom(object) ((object)->keyed = false)
#include <uthash.h>
#include <utlist.h>

#define MAX_SCOPES 64

struct object {
    UT_hash_handle hh;
    uint64_t shown; /* last, at this moment */
    bool keyed;     /* false: the map found no memory for it */
    size_t uid_length;
    char uid[];
};

struct connection {
    struct connection *next;
    uint64_t id;
    uint64_t opened[MAX_SCOPES]; /* the moment at which the window opened; 0: it is closed */
};

struct snapshot {
    uint64_t moment; /* the present one; from 1 */
    struct connection *connections;
    struct object *objects[MAX_SCOPES]; /* uthash */
    bool incomplete[MAX_SCOPES];        /* an object found no memory */
};

/* The pods, then the kinds of jobs in their order. */
size_t scope_count(void)
{
    size_t count = 1;
    while (kind_at(count - 1) != NULL)
        count++;
    return count;
}

struct scope scope_at(size_t scope)
{
    if (scope == 0)
        return (struct scope){.table = &table_pod};
    return (struct scope){.table = &table_job, .kind = kind_at(scope - 1)};
}

const char *scope_kind(size_t scope)
{
    const struct kind *kind = scope_at(scope).kind;
    return kind != NULL ? kind->kind : "Pod";
}

const char *scope_group(size_t scope)
{
    const struct kind *kind = scope_at(scope).kind;
    return kind != NULL ? kind->group : "";
}

size_t scope_find(const char *api_version, const char *kind)
{
    if (strcmp(api_version, "v1") == 0 && strcmp(kind, "Pod") == 0)
        return 0;
    const struct kind *found = kind_find_api(text_from(api_version), text_from(kind));
    for (size_t i = 0; kind_at(i) != NULL; i++) {
        if (kind_at(i) == found)
            return i + 1;
    }
    return SCOPE_NONE;
}

enum error_code snapshot_new(struct snapshot **result, struct error *err)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (snapshot == NULL)
        return error_set(err, ERROR_NOMEM, "no memory to keep track of objects");
    snapshot->moment = 1;
    *result = snapshot;
    return ERROR_NONE;
}

void snapshot_free(struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    struct connection *connection, *next_connection;
    LL_FOREACH_SAFE(snapshot->connections, connection, next_connection)
    {
        free(connection);
    }
    for (size_t i = 0; i < MAX_SCOPES; i++) {
        struct object *object, *next;
        HASH_ITER(hh, snapshot->objects[i], object, next)
        {
            HASH_DEL(snapshot->objects[i], object);
            free(object);
        }
    }
    free(snapshot);
}

static struct connection *find(struct snapshot *snapshot, uint64_t id)
{
    struct connection *connection;
    LL_SEARCH_SCALAR(snapshot->connections, connection, id, id);
    return connection;
}

static void open_windows(struct snapshot *snapshot, struct connection *connection)
{
    snapshot->moment++;
    for (size_t i = 0; i < MAX_SCOPES; i++) {
        if (connection->opened[i] == 0)
            connection->opened[i] = snapshot->moment;
    }
}

/* Without memory the connection has no windows, and nothing is swept for it. */
void snapshot_opened(struct snapshot *snapshot, uint64_t id)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return;
    connection->id = id;
    LL_PREPEND(snapshot->connections, connection);
    open_windows(snapshot, connection);
}

void snapshot_closed(struct snapshot *snapshot, uint64_t id)
{
    struct connection *connection = find(snapshot, id);
    if (connection == NULL)
        return;
    LL_DELETE(snapshot->connections, connection);
    free(connection);
}

void snapshot_error(struct snapshot *snapshot, uint64_t id)
{
    struct connection *connection = find(snapshot, id);
    if (connection != NULL)
        open_windows(snapshot, connection);
}

void snapshot_lost(struct snapshot *snapshot, uint64_t id)
{
    struct connection *connection = find(snapshot, id);
    if (connection != NULL)
        memset(connection->opened, 0, sizeof(connection->opened));
}

static struct object *find_object(const struct snapshot *snapshot, size_t scope, struct text uid)
{
    struct object *object;
    HASH_FIND(hh, snapshot->objects[scope], uid.data, uid.length, object);
    return object;
}

static struct object *add_object(struct snapshot *snapshot, size_t scope, struct text uid)
{
    struct object *object = calloc(1, sizeof(*object) + uid.length);
    if (object == NULL)
        return NULL;
    object->keyed = true;
    object->uid_length = uid.length;
    memcpy(object->uid, uid.data, uid.length);
    HASH_ADD(hh, snapshot->objects[scope], uid[0], object->uid_length, object);
    if (!object->keyed) {
        free(object);
        return NULL;
    }
    return object;
}

void snapshot_seen(struct snapshot *snapshot, size_t scope, struct text uid)
{
    struct object *object = find_object(snapshot, scope, uid);
    if (object == NULL)
        object = add_object(snapshot, scope, uid);
    if (object == NULL)
        snapshot->incomplete[scope] = true;
    else
        object->shown = snapshot->moment;
}

static void forget(struct snapshot *snapshot, size_t scope, struct object *object)
{
    HASH_DEL(snapshot->objects[scope], object);
    free(object);
}

void snapshot_gone(struct snapshot *snapshot, size_t scope, struct text uid)
{
    struct object *object = find_object(snapshot, scope, uid);
    if (object != NULL)
        forget(snapshot, scope, object);
}

/* An object that no open window has seen has vanished, and no later window will count it. */
static void forget_before(struct snapshot *snapshot, size_t scope, uint64_t since)
{
    const struct connection *connection;
    LL_FOREACH(snapshot->connections, connection)
    {
        if (connection->opened[scope] != 0 && connection->opened[scope] < since)
            since = connection->opened[scope];
    }
    struct object *object, *next;
    HASH_ITER(hh, snapshot->objects[scope], object, next)
    {
        if (object->shown < since)
            forget(snapshot, scope, object);
    }
}

bool snapshot_mark(struct snapshot *snapshot, uint64_t id, size_t scope, uint64_t *since)
{
    struct connection *connection = find(snapshot, id);
    if (connection == NULL || connection->opened[scope] == 0 || snapshot->incomplete[scope])
        return false;
    *since = connection->opened[scope];
    connection->opened[scope] = 0;
    forget_before(snapshot, scope, *since);
    return true;
}

bool snapshot_is_present(const struct snapshot *snapshot, size_t scope, struct text uid,
                         uint64_t since)
{
    const struct object *object = find_object(snapshot, scope, uid);
    return object != NULL && object->shown >= since;
}
