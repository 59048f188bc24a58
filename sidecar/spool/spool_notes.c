/* spool_notes: a table that is searched from its beginning: it is short. */
#include "sidecar/spool/spool_notes.h"

#include <string.h>

static struct spool_note *find(struct spool_notes *notes, struct text name)
{
    for (size_t i = 0; i < notes->count; i++) {
        if (text_is(name, notes->notes[i].name))
            return &notes->notes[i];
    }
    return NULL;
}

static void copy(char to[SPOOL_NOTE_SIZE], struct text from)
{
    memcpy(to, from.data, from.length);
    to[from.length] = '\0';
}

/* NULL: no room for it. */
static struct spool_note *add(struct spool_notes *notes, struct text name)
{
    if (notes->count == SPOOL_MAX_NOTES || name.length >= SPOOL_NOTE_SIZE)
        return NULL;
    struct spool_note *note = &notes->notes[notes->count++];
    *note = (struct spool_note){0};
    copy(note->name, name);
    return note;
}

const char *spool_notes_get(const struct spool_notes *notes, const char *name)
{
    for (size_t i = 0; i < notes->count; i++) {
        if (strcmp(notes->notes[i].name, name) == 0)
            return notes->notes[i].text;
    }
    return "";
}

enum error_code spool_notes_set(struct spool_notes *notes, const char *name, const char *text)
{
    if (strlen(text) >= SPOOL_NOTE_SIZE)
        return ERROR_FULL;
    struct spool_note *note = find(notes, text_from(name));
    if (note == NULL)
        note = add(notes, text_from(name));
    if (note == NULL)
        return ERROR_FULL;
    copy(note->text, text_from(text));
    note->changed = true;
    return ERROR_NONE;
}

void spool_notes_restore(struct spool_notes *notes, struct text name, struct text text)
{
    if (text.length >= SPOOL_NOTE_SIZE || find(notes, name) != NULL)
        return;
    struct spool_note *note = add(notes, name);
    if (note != NULL)
        copy(note->text, text);
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
    to->count = 0;
    for (size_t i = 0; i < notes->count; i++) {
        if (!notes->notes[i].changed)
            continue;
        notes->notes[i].changed = false;
        to->notes[to->count++] = notes->notes[i];
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
