/* acks: each connection has a short queue of checkpoints (see acks.h). */
#include "lib/outbox/acks.h"

#include <string.h>
#include <utlist.h>

void acks_init(struct acks *acks)
{
    acks->connections = NULL;
}

void acks_opened(struct acks *acks, struct acks_connection *connection)
{
    *connection = (struct acks_connection){0};
    DL_APPEND(acks->connections, connection);
}

void acks_closed(struct acks *acks, struct acks_connection *connection)
{
    DL_DELETE(acks->connections, connection);
}

void acks_document(struct acks_connection *connection)
{
    connection->documents++;
}

void acks_checkpoint(struct acks *acks, uint64_t epoch)
{
    struct acks_connection *connection;
    DL_FOREACH(acks->connections, connection)
    {
        if (connection->documents == connection->checkpointed)
            continue;
        if (connection->count == ACKS_MAX_CHECKPOINTS)
            connection->count--;
        connection->checkpoints[connection->count++] =
            (struct acks_checkpoint){epoch, connection->documents};
        connection->checkpointed = connection->documents;
    }
}

void acks_settle(struct acks *acks, uint64_t safe_epoch,
                 void (*acknowledge)(void *context, struct acks_connection *connection,
                                     uint64_t documents),
                 void *context)
{
    struct acks_connection *connection;
    DL_FOREACH(acks->connections, connection)
    {
        struct acks_checkpoint *checkpoints = connection->checkpoints;
        size_t safe = 0;
        while (safe < connection->count && checkpoints[safe].epoch <= safe_epoch)
            safe++;
        if (safe == 0)
            continue;
        uint64_t documents = checkpoints[safe - 1].documents;
        connection->count -= safe;
        memmove(checkpoints, checkpoints + safe, connection->count * sizeof(*checkpoints));
        acknowledge(context, connection, documents);
    }
}
