/* acks: a short list of checkpoints for each connection. */
#include "lib/outbox/acks.h"

#include <stddef.h>
#include <stdlib.h>
#include <utlist.h>

/* More than these are folded into the last one: acknowledgements then come later, never earlier. */
#define MAX_CHECKPOINTS 64

struct checkpoint {
    uint64_t epoch;     /* at the end of which ... */
    uint64_t documents; /* ... the connection had so many */
};

struct connection {
    struct connection *next;
    uint64_t id;
    uint64_t documents;    /* so far */
    uint64_t checkpointed; /* of these: in a checkpoint, or acknowledged */
    struct checkpoint checkpoints[MAX_CHECKPOINTS];
    size_t count;
};

struct acks {
    struct connection *connections; /* the one that spoke last comes first */
};

enum error_code acks_new(struct acks **acks, struct error *err)
{
    *acks = calloc(1, sizeof(**acks));
    return *acks != NULL ? ERROR_NONE : error_set(err, ERROR_NOMEM, "no memory for connections");
}

void acks_free(struct acks *acks)
{
    if (acks == NULL)
        return;
    struct connection *connection, *next;
    LL_FOREACH_SAFE(acks->connections, connection, next)
    {
        free(connection);
    }
    free(acks);
}

void acks_opened(struct acks *acks, uint64_t id)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return;
    connection->id = id;
    LL_PREPEND(acks->connections, connection);
}

static struct connection *find(struct acks *acks, uint64_t id)
{
    struct connection *connection;
    LL_SEARCH_SCALAR(acks->connections, connection, id, id);
    return connection;
}

void acks_closed(struct acks *acks, uint64_t id)
{
    struct connection *connection = find(acks, id);
    if (connection == NULL)
        return;
    LL_DELETE(acks->connections, connection);
    free(connection);
}

void acks_document(struct acks *acks, uint64_t id)
{
    struct connection *connection = find(acks, id);
    if (connection == NULL)
        return;
    connection->documents++;
    if (connection != acks->connections) {
        LL_DELETE(acks->connections, connection);
        LL_PREPEND(acks->connections, connection);
    }
}

static void add_checkpoint(struct connection *connection, uint64_t epoch)
{
    if (connection->count == MAX_CHECKPOINTS)
        connection->count--;
    connection->checkpoints[connection->count++] =
        (struct checkpoint){epoch, connection->documents};
    connection->checkpointed = connection->documents;
}

void acks_checkpoint(struct acks *acks, uint64_t epoch)
{
    struct connection *connection;
    LL_FOREACH(acks->connections, connection)
    {
        if (connection->documents > connection->checkpointed)
            add_checkpoint(connection, epoch);
    }
}

/* Takes the checkpoints that are safe out of the list; returns how many documents they cover, 0 if
 * there is none. */
static uint64_t take_safe(struct connection *connection, uint64_t safe_epoch)
{
    size_t taken = 0;
    uint64_t documents = 0;
    while (taken < connection->count && connection->checkpoints[taken].epoch <= safe_epoch)
        documents = connection->checkpoints[taken++].documents;
    connection->count -= taken;
    for (size_t i = 0; i < connection->count; i++)
        connection->checkpoints[i] = connection->checkpoints[i + taken];
    return documents;
}

void acks_settle(struct acks *acks, uint64_t safe_epoch,
                 void (*acknowledge)(void *context, uint64_t connection, uint64_t documents),
                 void *context)
{
    struct connection *connection;
    LL_FOREACH(acks->connections, connection)
    {
        uint64_t documents = take_safe(connection, safe_epoch);
        if (documents > 0)
            acknowledge(context, connection->id, documents);
    }
}
