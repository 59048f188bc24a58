/* server_epoch: the marks of an epoch, and the note that outlives the process (see server_epoch.h). */
#include "lib/kube/server_epoch.h"

#include "lib/rows/epoch.h"
#include "lib/rows/row.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t server_version(struct text version)
{
    uint64_t number = 0;
    if (version.length > 19 || !version_is_valid(version))
        return 0;
    for (size_t i = 0; i < version.length; i++)
        number = number * 10 + (uint64_t)(version.data[i] - '0');
    return number;
}

static bool has_come(const struct server_epoch *epoch, uint64_t version)
{
    for (size_t i = 0; i < SERVER_EPOCH_MARKS; i++) {
        if (epoch->marks[i] == version)
            return true;
    }
    return false;
}

bool server_epoch_is_over(const struct server_epoch *epoch, uint64_t version, uint64_t known)
{
    return version != 0 && version < known && !has_come(epoch, version);
}

void server_epoch_remember(struct server_epoch *epoch, uint64_t version)
{
    if (has_come(epoch, version))
        return;
    memmove(epoch->marks + 1, epoch->marks, (SERVER_EPOCH_MARKS - 1) * sizeof(epoch->marks[0]));
    epoch->marks[0] = version;
}

void server_epoch_next(struct server_epoch *epoch)
{
    unsigned next = epoch->number < EPOCH_MAX ? epoch->number + 1 : EPOCH_MAX;
    *epoch = (struct server_epoch){.number = next};
}

void server_epoch_write(const struct server_epoch *epoch, uint64_t known, const char *cluster_id,
                        char note[SERVER_EPOCH_NOTE_SIZE])
{
    size_t size = SERVER_EPOCH_NOTE_SIZE;
    size_t used = (size_t)snprintf(note, size, "%u %" PRIu64, epoch->number, known);
    for (size_t i = 0; i < SERVER_EPOCH_MARKS; i++)
        used += (size_t)snprintf(note + used, size - used, " %" PRIu64, epoch->marks[i]);
    (void)snprintf(note + used, size - used, " %s", cluster_id);
}

bool server_epoch_read(struct server_epoch *epoch, uint64_t *known, const char *cluster_id,
                       const char *note)
{
    uint64_t numbers[2 + SERVER_EPOCH_MARKS];
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char *end;
        numbers[i] = strtoull(note, &end, 10);
        if (end == note || *end != ' ')
            return false;
        note = end + 1;
    }
    if (numbers[0] > EPOCH_MAX || strcmp(note, cluster_id) != 0)
        return false;
    epoch->number = (unsigned)numbers[0];
    memcpy(epoch->marks, numbers + 2, sizeof(epoch->marks));
    *known = numbers[1];
    return true;
}
