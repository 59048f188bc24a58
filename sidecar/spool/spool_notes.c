/* spool_notes: a short table, which is searched from its beginning (see spool_notes.h). */
#include "sidecar/spool/spool_notes.h"

#include "lib/base/memory.h"

#include <stdlib.h>
#include <string.h>

static struct spool_note *find(const struct spool_notes *notes, struct text name)
{
    for (size_t i = 0; i < notes->count; i++) {
        if (text_is(name, notes->notes[i].name))
            return (struct spool_note *)&notes->notes[i];
    }
    return NULL;
}

/* Adds a note, whose text is to be set. Returns NULL if there is no room for it. */
static struct spool_note *add(struct spool_notes *notes, struct text name)
{
    if (notes->count == SPOOL_MAX_NOTES || name.length >= SPOOL_NOTE_SIZE)
        return NULL;
    struct spool_note *note = &notes->notes[notes->count++];
    *note = (struct spool_note){0};
    memcpy(note->name, name.data, name.length);
    return note;
}

static void set_text(struct spool_note *note, struct text text)
{
    char *copy = memory_new(text.length + 1);
    memcpy(copy, text.data, text.length);
    free(note->text);
    note->text = copy;
}

void spool_notes_fini(struct spool_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        free(notes->notes[i].text);
    notes->count = 0;
}

const char *spool_notes_get(const struct spool_notes *notes, const char *name)
{
    const struct spool_note *note = find(notes, text_from(name));
    return note != NULL ? note->text : "";
}

bool spool_notes_hold(const struct spool_notes *notes, const char *name)
{
    return find(notes, text_from(name)) != NULL;
}

bool spool_notes_changed(const struct spool_notes *notes, const char *name)
{
    const struct spool_note *note = find(notes, text_from(name));
    return note != NULL && note->changed;
}

enum error_code spool_notes_set(struct spool_notes *notes, const char *name, const char *text)
{
    struct spool_note *note = find(notes, text_from(name));
    if (note == NULL)
        note = add(notes, text_from(name));
    if (note == NULL)
        return ERROR_FULL;
    set_text(note, text_from(text));
    note->changed = true;
    return ERROR_NONE;
}

void spool_notes_restore(struct spool_notes *notes, struct text name, struct text text)
{
    if (find(notes, name) != NULL)
        return;
    struct spool_note *note = add(notes, name);
    if (note != NULL)
        set_text(note, text);
}

void spool_notes_each(const struct spool_notes *notes, const char *prefix,
                      void (*note)(void *context, const char *name, const char *text),
                      void *context)
{
    for (size_t i = 0; i < notes->count; i++) {
        const struct spool_note *one = &notes->notes[i];
        if (strncmp(one->name, prefix, strlen(prefix)) == 0 && one->text[0] != '\0')
            note(context, one->name, one->text);
    }
}

bool spool_notes_have_changed(const struct spool_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++) {
        if (notes->notes[i].changed)
            return true;
    }
    return false;
}

void spool_notes_take(struct spool_notes *notes, struct spool_notes *to)
{
    spool_notes_fini(to);
    for (size_t i = 0; i < notes->count; i++) {
        struct spool_note *note = &notes->notes[i];
        if (!note->changed)
            continue;
        set_text(add(to, text_from(note->name)), text_from(note->text));
        note->changed = false;
    }
}

void spool_notes_put_back(struct spool_notes *notes, const struct spool_notes *from)
{
    for (size_t i = 0; i < from->count; i++) {
        struct spool_note *note = find(notes, text_from(from->notes[i].name));
        if (note != NULL)
            note->changed = true;
    }
}

void spool_notes_store_anew(struct spool_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        notes->notes[i].changed = true;
}
