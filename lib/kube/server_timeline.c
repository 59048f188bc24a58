/* server_timeline: the marks of an timeline, and the note that outlives the process (see server_timeline.h). */
#include "lib/kube/server_timeline.h"

#include "lib/rows/row.h"
#include "lib/rows/timeline.h"

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

static bool has_come(const struct server_timeline *timeline, uint64_t version)
{
    for (size_t i = 0; i < SERVER_TIMELINE_MARKS; i++) {
        if (timeline->marks[i] == version)
            return true;
    }
    return false;
}

bool server_timeline_is_over(const struct server_timeline *timeline, uint64_t version,
                             uint64_t known)
{
    return version != 0 && version < known && !has_come(timeline, version);
}

void server_timeline_remember(struct server_timeline *timeline, uint64_t version)
{
    if (has_come(timeline, version))
        return;
    memmove(timeline->marks + 1, timeline->marks,
            (SERVER_TIMELINE_MARKS - 1) * sizeof(timeline->marks[0]));
    timeline->marks[0] = version;
}

void server_timeline_next(struct server_timeline *timeline)
{
    unsigned next = timeline->number < TIMELINE_MAX ? timeline->number + 1 : TIMELINE_MAX;
    *timeline = (struct server_timeline){.number = next};
}

void server_timeline_write(const struct server_timeline *timeline, uint64_t known,
                           const char *cluster_id, char note[SERVER_TIMELINE_NOTE_SIZE])
{
    size_t size = SERVER_TIMELINE_NOTE_SIZE;
    size_t used = (size_t)snprintf(note, size, "%u %" PRIu64, timeline->number, known);
    for (size_t i = 0; i < SERVER_TIMELINE_MARKS; i++)
        used += (size_t)snprintf(note + used, size - used, " %" PRIu64, timeline->marks[i]);
    (void)snprintf(note + used, size - used, " %s", cluster_id);
}

bool server_timeline_read(struct server_timeline *timeline, uint64_t *known, const char *cluster_id,
                          const char *note)
{
    uint64_t numbers[2 + SERVER_TIMELINE_MARKS];
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char *end;
        numbers[i] = strtoull(note, &end, 10);
        if (end == note || *end != ' ')
            return false;
        note = end + 1;
    }
    if (numbers[0] > TIMELINE_MAX || strcmp(note, cluster_id) != 0)
        return false;
    timeline->number = (unsigned)numbers[0];
    memcpy(timeline->marks, numbers + 2, sizeof(timeline->marks));
    *known = numbers[1];
    return true;
}
