/* snapshot: has a map for each resource of the objects that exist, each with the moment at which it was shown
 * last. A window does not list objects: it is the moment at which it opened. A moment is a number that only
 * grows, and no time of a clock (see snapshot.h). */
#include "lib/kube/snapshot.h"

#include "lib/base/memory.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM   1
#define uthash_malloc(size) memory_new(size)
#include <uthash.h>
#include <utlist.h>

/* How many parts, each a namespace and a resource, one connection may have. */
#define MAX_PARTS      4096
#define NAMESPACE_SIZE 64

struct object {
    UT_hash_handle hh;
    uint64_t shown;   /* the moment at which it was shown last */
    uint64_t version; /* the newest version in which it was shown */
    size_t uid_length;
    char uid[];
};

struct snapshot_part {
    struct snapshot_part *next;
    size_t resource;
    char namespace[NAMESPACE_SIZE];
    struct snapshot_window window;
};

struct snapshot {
    uint64_t moment; /* the present moment; the first one is 1 */
    struct snapshot_connection *connections;
    struct object *objects[RESOURCE_COUNT]; /* uthash, by uid */
    uint64_t
        known[RESOURCE_COUNT]; /* versions that closed connections and earlier processes reached */
};

struct snapshot *snapshot_new(void)
{
    struct snapshot *snapshot = memory_new(sizeof(*snapshot));
    snapshot->moment = 1;
    return snapshot;
}

void snapshot_free(struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
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

static void open_window(const struct snapshot *snapshot, struct snapshot_window *window,
                        size_t resource)
{
    if (window->opened == 0)
        *window = (struct snapshot_window){snapshot->moment, snapshot->known[resource]};
}

/* Returns the version that the server has reached, if the connection tells it; else 0. */
static uint64_t reached_by(const struct snapshot_connection *connection, size_t resource)
{
    return connection->is_reference ? connection->reached[resource] : 0;
}

static void open_windows(struct snapshot *snapshot, struct snapshot_connection *connection)
{
    snapshot->moment++;
    for (size_t i = 0; i < RESOURCE_COUNT; i++) {
        snapshot_set_known(snapshot, i, reached_by(connection, i));
        open_window(snapshot, &connection->windows[i], i);
    }
    struct snapshot_part *part;
    LL_FOREACH(connection->parts, part)
    {
        open_window(snapshot, &part->window, part->resource);
    }
}

void snapshot_opened(struct snapshot *snapshot, struct snapshot_connection *connection,
                     bool is_reference)
{
    *connection = (struct snapshot_connection){.is_reference = is_reference};
    DL_APPEND(snapshot->connections, connection);
    open_windows(snapshot, connection);
}

void snapshot_lost(struct snapshot_connection *connection)
{
    struct snapshot_part *part, *next;
    memset(connection->windows, 0, sizeof(connection->windows));
    LL_FOREACH_SAFE(connection->parts, part, next)
    {
        free(part);
    }
    connection->parts = NULL;
    connection->part_count = 0;
}

void snapshot_closed(struct snapshot *snapshot, struct snapshot_connection *connection)
{
    for (size_t i = 0; i < RESOURCE_COUNT; i++)
        snapshot_set_known(snapshot, i, reached_by(connection, i));
    DL_DELETE(snapshot->connections, connection);
    snapshot_lost(connection);
}

void snapshot_close_all(struct snapshot *snapshot)
{
    while (snapshot->connections != NULL)
        snapshot_closed(snapshot, snapshot->connections);
}

struct snapshot_connection *snapshot_take_outdated(struct snapshot *snapshot)
{
    struct snapshot_connection *connection;
    DL_SEARCH_SCALAR(snapshot->connections, connection, is_outdated, true);
    if (connection != NULL)
        connection->is_outdated = false;
    return connection;
}

void snapshot_unnamed(struct snapshot_connection *connection)
{
    if (!connection->is_unnamed)
        snapshot_lost(connection);
    connection->is_unnamed = true;
}

void snapshot_named(struct snapshot *snapshot)
{
    struct snapshot_connection *connection;
    DL_FOREACH(snapshot->connections, connection)
    {
        connection->is_outdated |= connection->is_unnamed;
        connection->is_unnamed = false;
    }
}

void snapshot_outdate(struct snapshot *snapshot, size_t resource)
{
    struct snapshot_connection *connection;
    DL_FOREACH(snapshot->connections, connection)
    {
        connection->is_outdated |= connection->reached[resource] > 0;
    }
}

void snapshot_error(struct snapshot *snapshot, struct snapshot_connection *connection)
{
    open_windows(snapshot, connection);
}

static struct object *find_object(const struct snapshot *snapshot, size_t resource, struct text uid)
{
    struct object *object;
    HASH_FIND(hh, snapshot->objects[resource], uid.data, uid.length, object);
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
    if (object == NULL) {
        object = memory_new(sizeof(*object) + uid.length);
        object->uid_length = uid.length;
        memcpy(object->uid, uid.data, uid.length);
        HASH_ADD(hh, snapshot->objects[resource], uid[0], object->uid_length, object);
    }
    object->shown = snapshot->moment;
    if (version > object->version)
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

void snapshot_reached(struct snapshot_connection *connection, size_t resource, uint64_t version)
{
    if (version > connection->reached[resource])
        connection->reached[resource] = version;
}

uint64_t snapshot_known(const struct snapshot *snapshot, size_t resource)
{
    uint64_t known = snapshot->known[resource];
    const struct snapshot_connection *connection;
    DL_FOREACH(snapshot->connections, connection)
    {
        if (reached_by(connection, resource) > known)
            known = reached_by(connection, resource);
    }
    return known;
}

void snapshot_go_back(struct snapshot *snapshot, size_t resource, uint64_t version)
{
    struct snapshot_connection *connection;
    snapshot->known[resource] = version;
    DL_FOREACH(snapshot->connections, connection)
    {
        connection->is_outdated |= !connection->is_reference && connection->reached[resource] > 0;
        connection->reached[resource] = 0;
        connection->windows[resource].known = 0;
        struct snapshot_part *part;
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

/* Sets *since to the moment at which the window opened, if it is open and opened earlier than *since. */
static void bring_forward(uint64_t *since, const struct snapshot_window *window)
{
    if (window->opened != 0 && window->opened < *since)
        *since = window->opened;
}

void snapshot_forget(struct snapshot *snapshot, size_t resource, uint64_t since)
{
    const struct snapshot_connection *connection;
    DL_FOREACH(snapshot->connections, connection)
    {
        bring_forward(&since, &connection->windows[resource]);
        const struct snapshot_part *part;
        LL_FOREACH(connection->parts, part)
        {
            if (part->resource == resource)
                bring_forward(&since, &part->window);
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

/* Returns the part for the namespace. NULL if the connection has too many, or the name is too long for a
 * namespace. */
static struct snapshot_part *find_or_add_part(struct snapshot_connection *connection,
                                              size_t resource, const char *namespace)
{
    struct snapshot_part *part;
    LL_FOREACH(connection->parts, part)
    {
        if (part->resource == resource && strcmp(part->namespace, namespace) == 0)
            return part;
    }
    if (connection->part_count == MAX_PARTS || strlen(namespace) >= NAMESPACE_SIZE)
        return NULL;
    part = memory_new(sizeof(*part));
    part->resource = resource;
    part->window = connection->windows[resource];
    memcpy(part->namespace, namespace, strlen(namespace) + 1);
    LL_PREPEND(connection->parts, part);
    connection->part_count++;
    return part;
}

/* A mark for all namespaces closes the windows of the resource's parts, too: the parts are freed. */
static void close_all_parts(struct snapshot_connection *connection, size_t resource)
{
    struct snapshot_part *part, *next;
    LL_FOREACH_SAFE(connection->parts, part, next)
    {
        if (part->resource != resource)
            continue;
        LL_DELETE(connection->parts, part);
        connection->part_count--;
        free(part);
    }
}

bool snapshot_mark(struct snapshot_connection *connection, size_t resource, const char *namespace,
                   uint64_t *since, uint64_t *known)
{
    struct snapshot_window *window = &connection->windows[resource];
    if (namespace[0] != '\0') {
        struct snapshot_part *part = find_or_add_part(connection, resource, namespace);
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
