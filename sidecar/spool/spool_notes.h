/* spool_notes: named texts that outlive the process, and which of them are still to be stored. */
#ifndef SIDECAR_SPOOL_NOTES_H
#define SIDECAR_SPOOL_NOTES_H

#include "lib/base/error.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>

#define SPOOL_NOTE_SIZE 128 /* of a name with its NUL; most texts are no longer either */
#define SPOOL_MAX_NOTES 128

struct spool_note {
    char name[SPOOL_NOTE_SIZE];
    char *text;   /* owned */
    bool changed; /* it is not stored as it is here */
};

struct spool_notes {
    struct spool_note notes[SPOOL_MAX_NOTES];
    size_t count;
};

/* Frees the notes. A struct spool_notes that is all zero has none and needs no other beginning. */
void spool_notes_fini(struct spool_notes *notes);

/* Returns the note, or "" if there is none of that name. Valid until the note is set. */
const char *spool_notes_get(const struct spool_notes *notes, const char *name);

/* Sets a note. ERROR_FULL: there are SPOOL_MAX_NOTES already, or the name is too long. */
enum error_code spool_notes_set(struct spool_notes *notes, const char *name,
                                const char *text) MUST_CHECK;

/* Adds a note that was read from the file, unless it has been set since. What does not fit is left out. */
void spool_notes_restore(struct spool_notes *notes, struct text name, struct text text);

/* Calls note() for each note whose name begins with prefix and whose text is not empty. */
void spool_notes_each(const struct spool_notes *notes, const char *prefix,
                      void (*note)(void *context, const char *name, const char *text),
                      void *context);

/* The first returns whether there is a note of that name, the second whether it is still to be stored. */
bool spool_notes_hold(const struct spool_notes *notes, const char *name);
bool spool_notes_changed(const struct spool_notes *notes, const char *name);

bool spool_notes_have_changed(const struct spool_notes *notes);

/* Moves the notes that are to be stored into `to`, as copies: here they count as stored from then on. */
void spool_notes_take(struct spool_notes *notes, struct spool_notes *to);

/* Marks the notes in `from`, which could not be stored, as to be stored again. */
void spool_notes_put_back(struct spool_notes *notes, const struct spool_notes *from);

/* Marks all notes as to be stored again, since the stored ones are lost. */
void spool_notes_store_anew(struct spool_notes *notes);

#endif
