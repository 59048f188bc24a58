/* sweep_marks: the marks whose sweep is still to be made, and what they hold (see sweep_private.h). */
#include "sidecar/pipeline/sweep_private.h"

#include "lib/base/memory.h"

#include <stdlib.h>

void sweep_free_mark(struct mark *mark)
{
    suspects_free(mark->refused);
    free(mark);
}

void sweep_release_mark(struct sweep *sweep, struct mark *mark)
{
    if (mark->epoch != 0)
        durability_release(sweep->settings.durability, mark->epoch);
    mark->epoch = 0;
}

/* Frees a mark whose sweep is done. What was shown before the oldest mark that is left is forgotten. */
void sweep_drop_mark(struct sweep *sweep, struct mark *mark)
{
    size_t resource = mark->resource;
    bool was_refused = mark->refused_rows > 0;
    sweep_set_note(sweep, SUSPECTS_NOTES, resource, mark->namespace, "");
    sweep_release_mark(sweep, mark);
    TAILQ_REMOVE(&sweep->marks, mark, entry);
    sweep_free_mark(mark);
    if (was_refused)
        sweep_show_refused(sweep, resource);
    uint64_t since = UINT64_MAX;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        if (mark->resource == resource && mark->since < since)
            since = mark->since;
    }
    snapshot_forget(sweep->snapshot, resource, since);
}

struct mark *sweep_find_mark(const struct sweep *sweep, size_t resource, const char *namespace)
{
    struct mark *mark;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        if (mark->resource == resource && strcmp(mark->namespace, namespace) == 0)
            return mark;
    }
    return NULL;
}

/* Returns the mark of the resource and namespace for a new sweep. It replaces an older one, and keeps the
 * epoch that the older one holds. */
struct mark *sweep_renew_mark(struct sweep *sweep, size_t resource, const char *namespace)
{
    struct mark *mark = sweep_find_mark(sweep, resource, namespace);
    if (mark == NULL) {
        mark = memory_new(sizeof(*mark));
        mark->resource = resource;
        memcpy(mark->namespace, namespace, strlen(namespace) + 1);
        TAILQ_INSERT_TAIL(&sweep->marks, mark, entry);
    } else if (mark == sweep->mark && sweep->stage == SWEEP_ASKING) {
        sweep->replaced = true;
    } else if (mark == sweep->mark) {
        sweep_move(sweep, SWEEP_IDLE);
    }
    mark->due_us = 0;
    mark->doubted = false;
    suspects_free(mark->refused);
    mark->refused = NULL;
    mark->noting = false;
    if (mark->epoch == 0 && sweep->settings.durability != NULL) {
        mark->epoch = durability_epoch(sweep->settings.durability);
        durability_hold(sweep->settings.durability, mark->epoch);
    }
    return mark;
}
