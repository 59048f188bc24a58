/* snapshot: for each resource a map of the objects that exist, each with when it was last shown; a window is
 * just the moment at which it opened. Moments are numbers that only grow. */
#include "lib/kube/snapshot.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM           1
#define uthash_nonfatal_oom(object) ((object)->keyed = false)
#include <uthash.h>
#include <utlist.h>

/* Namespaces and kinds of one connection whose marks are told apart. */
#define MAX_PARTS      4096
#define NAMESPACE_SIZE 64

struct object {
    UT_hash_handle hh;
    uint64_t shown;   /* last, at this moment ... */
    uint64_t version; /* ... in this version */
    bool keyed;       /* false: the map found no memory for it */
    size_t uid_length;
    char uid[];
};

struct window {
    uint64_t opened; /* the moment at which it opened; 0: it is closed */
    uint64_t known;  /* the version that had been reached by then */
};

/* A namespace that has had a mark of its own. */
struct part {
    struct part *next;
    size_t resource;
    char namespace[NAMESPACE_SIZE];
    struct window window;
};

struct connection {
    struct connection *next;
    uint64_t id;
    struct window windows[RESOURCE_COUNT]; /* of all namespaces that are no parts */
    uint64_t reached[RESOURCE_COUNT];
    struct part *parts;
    size_t part_count;
};

struct snapshot {
    uint64_t moment; /* the present one; from 1 */
    struct connection *connections;
    struct object *objects[RESOURCE_COUNT]; /* uthash */
    bool incomplete[RESOURCE_COUNT];        /* an object found no memory */
    uint64_t known[RESOURCE_COUNT]; /* versions that were reached by connections that are over */
};

enum error_code snapshot_new(struct snapshot **result, struct error *err)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (snapshot == NULL)
        return error_set(err, ERROR_NOMEM, "no memory to keep track of objects");
    snapshot->moment = 1;
    *result = snapshot;
    return ERROR_NONE;
}

static void free_parts(struct connection *connection)
{
    struct part *part, *next;
    LL_FOREACH_SAFE(connection->parts, part, next)
    {
        free(part);
    }
    connection->parts = NULL;
    connection->part_count = 0;
}

void snapshot_free(struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    struct connection *connection, *next_connection;
    LL_FOREACH_SAFE(snapshot->connections, connection, next_connection)
    {
        free_parts(connection);
        free(connection);
    }
    for (size_t i = 0; i < RESOURCE_COUNT; i++) {
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

static void open_window(const struct snapshot *snapshot, struct window *window, size_t resource)
{
    if (window->opened == 0)
        *window = (struct window){snapshot->moment, snapshot->known[resource]};
}

static void open_windows(struct snapshot *snapshot, struct connection *connection)
{
    snapshot->moment++;
    for (size_t i = 0; i < RESOURCE_COUNT; i++) {
        snapshot_set_known(snapshot, i, connection->reached[i]);
        open_window(snapshot, &connection->windows[i], i);
    }
    struct part *part;
    LL_FOREACH(connection->parts, part)
    {
        open_window(snapshot, &part->window, part->resource);
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
    for (size_t i = 0; i < RESOURCE_COUNT; i++)
        snapshot_set_known(snapshot, i, connection->reached[i]);
    LL_DELETE(snapshot->connections, connection);
    free_parts(connection);
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
    if (connection == NULL)
        return;
    memset(connection->windows, 0, sizeof(connection->windows));
    free_parts(connection);
}

static struct object *find_object(const struct snapshot *snapshot, size_t resource, struct text uid)
{
    struct object *object;
    HASH_FIND(hh, snapshot->objects[resource], uid.data, uid.length, object);
    return object;
}

static struct object *add_object(struct snapshot *snapshot, size_t resource, struct text uid)
{
    struct object *object = calloc(1, sizeof(*object) + uid.length);
    if (object == NULL)
        return NULL;
    object->keyed = true;
    object->uid_length = uid.length;
    memcpy(object->uid, uid.data, uid.length);
    HASH_ADD(hh, snapshot->objects[resource], uid[0], object->uid_length, object);
    if (!object->keyed) {
        free(object);
        return NULL;
    }
    return object;
}

uint64_t snapshot_version(const struct snapshot *snapshot, size_t resource, struct text uid)
{
    const struct object *object = find_object(snapshot, resource, uid);
    return object != NULL ? object->version : 0;
}

void snapshot_seen(struct snapshot *snapshot, size_t resource, struct text uid, uint64_t version)
{
    struct object *object = find_object(snapshot, resource, uid);
    if (object == NULL)
        object = add_object(snapshot, resource, uid);
    if (object == NULL) {
        snapshot->incomplete[resource] = true;
        return;
    }
    object->shown = snapshot->moment;
    object->version = version;
}

static void forget(struct snapshot *snapshot, size_t resource, struct object *object)
{
    HASH_DEL(snapshot->objects[resource], object);
    free(object);
}

void snapshot_gone(struct snapshot *snapshot, size_t resource, struct text uid)
{
    struct object *object = find_object(snapshot, resource, uid);
    if (object != NULL)
        forget(snapshot, resource, object);
}

void snapshot_reached(struct snapshot *snapshot, uint64_t id, size_t resource, uint64_t version)
{
    struct connection *connection = find(snapshot, id);
    if (connection != NULL && version > connection->reached[resource])
        connection->reached[resource] = version;
}

uint64_t snapshot_known(const struct snapshot *snapshot, size_t resource)
{
    uint64_t known = snapshot->known[resource];
    const struct connection *connection;
    LL_FOREACH(snapshot->connections, connection)
    {
        if (connection->reached[resource] > known)
            known = connection->reached[resource];
    }
    return known;
}

void snapshot_go_back(struct snapshot *snapshot, size_t resource, uint64_t version)
{
    struct connection *connection;
    snapshot->known[resource] = version;
    LL_FOREACH(snapshot->connections, connection)
    {
        connection->reached[resource] = 0;
        connection->windows[resource].known = 0;
        struct part *part;
        LL_FOREACH(connection->parts, part)
        {
            if (part->resource == resource)
                part->window.known = 0;
        }
    }
}

void snapshot_set_known(struct snapshot *snapshot, size_t resource, uint64_t version)
{
    if (version > snapshot->known[resource])
        snapshot->known[resource] = version;
}

static void earlier(uint64_t *since, const struct window *window)
{
    if (window->opened != 0 && window->opened < *since)
        *since = window->opened;
}

void snapshot_forget(struct snapshot *snapshot, size_t resource, uint64_t since)
{
    const struct connection *connection;
    LL_FOREACH(snapshot->connections, connection)
    {
        earlier(&since, &connection->windows[resource]);
        const struct part *part;
        LL_FOREACH(connection->parts, part)
        {
            if (part->resource == resource)
                earlier(&since, &part->window);
        }
    }
    struct object *object, *next;
    HASH_ITER(hh, snapshot->objects[resource], object, next)
    {
        if (object->shown < since)
            forget(snapshot, resource, object);
    }
}

uint64_t snapshot_moment(struct snapshot *snapshot)
{
    return ++snapshot->moment;
}

/* NULL: too many, or no memory. */
static struct part *find_or_add_part(struct connection *connection, size_t resource,
                                     const char *namespace)
{
    struct part *part;
    LL_FOREACH(connection->parts, part)
    {
        if (part->resource == resource && strcmp(part->namespace, namespace) == 0)
            return part;
    }
    if (connection->part_count == MAX_PARTS || strlen(namespace) >= NAMESPACE_SIZE)
        return NULL;
    part = calloc(1, sizeof(*part));
    if (part == NULL)
        return NULL;
    part->resource = resource;
    part->window = connection->windows[resource];
    memcpy(part->namespace, namespace, strlen(namespace) + 1);
    LL_PREPEND(connection->parts, part);
    connection->part_count++;
    return part;
}

/* The window of all namespaces closes with the parts that have been cut out of it. */
static void close_all_parts(struct connection *connection, size_t resource)
{
    struct part *part, *next;
    LL_FOREACH_SAFE(connection->parts, part, next)
    {
        if (part->resource != resource)
            continue;
        LL_DELETE(connection->parts, part);
        connection->part_count--;
        free(part);
    }
}

bool snapshot_mark(struct snapshot *snapshot, uint64_t id, size_t resource, const char *namespace,
                   uint64_t *since, uint64_t *known)
{
    struct connection *connection = find(snapshot, id);
    if (connection == NULL || snapshot->incomplete[resource])
        return false;
    struct window *window = &connection->windows[resource];
    if (namespace[0] != '\0') {
        struct part *part = find_or_add_part(connection, resource, namespace);
        if (part == NULL)
            return false;
        window = &part->window;
    } else {
        close_all_parts(connection, resource);
    }
    *since = window->opened;
    *known = window->known;
    window->opened = 0;
    return *since != 0;
}

bool snapshot_is_present(const struct snapshot *snapshot, size_t resource, struct text uid,
                         uint64_t since)
{
    const struct object *object = find_object(snapshot, resource, uid);
    return object != NULL && object->shown >= since;
}
