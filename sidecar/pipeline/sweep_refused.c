/* sweep_refused: sweeps that the brake has refused.
 *
 * Happy path: the objects that such a sweep would close are noted in the spool; then the mark lets go of its
 * epoch, and may be acknowledged. The sweep is tried again each minute, also after a restart, until the next
 * snapshot shows the objects, or a person confirms the sweep (the command sweep).
 *
 * Failure modes:
 *   no spool, or it cannot be written   the mark lets go of its epoch without a note
 *   no memory for the list              the store is asked again later; the mark keeps its hold
 */
#include "sidecar/pipeline/sweep_private.h"

#include "sidecar/base/clock.h"

#include <stdio.h>

#define REFUSED_US 60000000 /* until it is tried again: a person may have confirmed it */

void sweep_name_note(const char *what, size_t resource, const char *namespace,
                     char name[SWEEP_NOTE_SIZE])
{
    char title[RESOURCE_TITLE_SIZE];
    resource_title(&resource_table[resource], title);
    (void)snprintf(name, SWEEP_NOTE_SIZE, "%s%s%s%s", what, title, namespace[0] != '\0' ? "/" : "",
                   namespace);
}

void sweep_set_note(struct sweep *sweep, const char *what, size_t resource, const char *namespace,
                    const char *text)
{
    char name[SWEEP_NOTE_SIZE];
    sweep_name_note(what, resource, namespace, name);
    if (sweep->settings.spool != NULL && strcmp(spool_note(sweep->settings.spool, name), text) != 0)
        spool_set_note(sweep->settings.spool, name, text);
}

void sweep_show_refused(struct sweep *sweep, size_t resource)
{
    size_t rows = 0;
    const struct mark *mark;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        if (mark->resource == resource)
            rows += mark->refused_rows;
    }
    sweep->settings.metrics->refused_rows[resource] = (double)rows;
}

/* Lists the objects that the sweep would close. NULL: there is no memory. */
static struct suspects *list_vanished(const struct sweep *sweep)
{
    struct text rest = buffer_text(&sweep->listing.uids);
    struct buffer text;
    struct sweep_line line;
    buffer_init(&text, SWEEP_LISTING_LIMIT);
    suspects_begin(&text, sweep->mark->version, sweep->census.live, sweep->census.live_vanished);
    while (sweep_next_line(&rest, &line)) {
        if (!sweep_has_vanished(sweep, &line))
            continue;
        buffer_append(&text, line.uid);
        buffer_append_char(&text, '\n');
    }
    const char *whole = buffer_cstring(&text);
    struct suspects *suspects = whole != NULL ? suspects_read(whole) : NULL;
    buffer_fini(&text);
    return suspects;
}

/* Refuses the present sweep. The mark keeps its hold until the spool has the note. So after a crash either
 * the snapshot is shown again, or the note tells the next process of the refused sweep. */
void sweep_refuse(struct sweep *sweep)
{
    struct mark *mark = sweep->mark;
    struct suspects *list = list_vanished(sweep);
    if (list == NULL) {
        sweep_ask_later(sweep);
        return;
    }
    if (mark->refused == NULL) {
        sweep_count(sweep, METRICS_SWEEP_REFUSED);
        LOG(sweep->settings.logger, ERROR,
            "sweep refused: it would close more than half of the live rows; if the snapshot is "
            "right, confirm it with kubedl-shipper sweep --confirm",
            log_string("kind", resource_table[mark->resource].kind),
            log_string("api_group", resource_table[mark->resource].group),
            log_string("namespace", mark->namespace), log_int("alive", (int64_t)sweep->census.live),
            log_int("vanished", (int64_t)sweep->census.live_vanished));
    }
    suspects_free(mark->refused);
    mark->refused = list;
    mark->refused_rows = list->count;
    mark->due_us = sweep->ending ? SWEEP_NEVER : clock_steady_us() + REFUSED_US;
    sweep_set_note(sweep, SUSPECTS_NOTES, mark->resource, mark->namespace, list->text);
    if (sweep->settings.spool != NULL)
        spool_store_notes(sweep->settings.spool);
    sweep_show_refused(sweep, mark->resource);
    mark->noting = true;
    sweep_move(sweep, SWEEP_IDLE);
}

/* Lets go of the epochs of refused marks whose notes are on disk. Where there is no spool, or it cannot be
 * written, it does not wait for the note. */
void sweep_look_at_notes(struct sweep *sweep)
{
    const struct spool *spool = sweep->settings.spool;
    struct mark *mark;
    TAILQ_FOREACH(mark, &sweep->marks, entry)
    {
        char name[SWEEP_NOTE_SIZE];
        if (!mark->noting)
            continue;
        sweep_name_note(SUSPECTS_NOTES, mark->resource, mark->namespace, name);
        if (spool != NULL && spool_is_up(spool) && !spool_has_note(spool, name))
            continue;
        mark->noting = false;
        sweep_release_mark(sweep, mark);
    }
}

/* Takes a refused sweep back from its note, unless a newer mark has come. */
static void on_note(void *context, const char *name, const char *text)
{
    struct sweep *sweep = context;
    const char *namespace;
    const struct resource *found = resource_find_title(name + strlen(SUSPECTS_NOTES), &namespace);
    if (found == NULL || strlen(namespace) >= sizeof(((struct mark *)NULL)->namespace))
        return;
    size_t resource = resource_number(found);
    struct suspects *list = suspects_read(text);
    if (list == NULL || sweep_find_mark(sweep, resource, namespace) != NULL) {
        suspects_free(list);
        return;
    }
    struct mark *mark = sweep_renew_mark(sweep, resource, namespace);
    sweep_release_mark(sweep, mark);
    mark->refused = list;
    mark->refused_rows = list->count;
    memcpy(mark->version, list->version, sizeof(mark->version));
    sweep_show_refused(sweep, resource);
    LOG(sweep->settings.logger, WARN, "a sweep that was refused is tried again",
        log_string("kind", found->kind), log_string("api_group", found->group),
        log_string("namespace", namespace), log_int("vanished", (int64_t)list->count));
}

void sweep_restore(struct sweep *sweep)
{
    if (sweep->settings.spool == NULL)
        return;
    sweep_restore_versions(sweep);
    spool_each_note(sweep->settings.spool, SUSPECTS_NOTES, on_note, sweep);
}
