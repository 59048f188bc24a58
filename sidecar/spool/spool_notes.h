/* spool_notes: short texts by name that outlive the process, and which of them are to be stored. */
#ifndef SIDECAR_SPOOL_NOTES_H
#define SIDECAR_SPOOL_NOTES_H

#include "lib/base/error.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>

#define SPOOL_NOTE_SIZE 128 /* of a name, and of a text, with the NUL */
#define SPOOL_MAX_NOTES 128

struct spool_note {
    char name[SPOOL_NOTE_SIZE];
    char text[SPOOL_NOTE_SIZE];
    bool changed; /* it is not stored as it is here */
};

struct spool_notes {
    struct spool_note notes[SPOOL_MAX_NOTES];
    size_t count;
};

/* "" if there is none of that name. Valid until it is set. */
const char *spool_notes_get(const struct spool_notes *notes, const char *name);

/* ERROR_FULL: there are as many as can be, or one of the texts is too long. */
enum error_code spool_notes_set(struct spool_notes *notes, const char *name,
                                const char *text) MUST_CHECK;

/* As it was stored: not over one that has been set since. What does not fit is left out. */
void spool_notes_restore(struct spool_notes *notes, struct text name, struct text text);

bool spool_notes_have_changed(const struct spool_notes *notes);

/* Moves what is to be stored: to hold just these. */
void spool_notes_take(struct spool_notes *notes, struct spool_notes *to);

/* They could not be stored. */
void spool_notes_put_back(struct spool_notes *notes, const struct spool_notes *from);

/* What was stored is lost: all are to be stored again. */
void spool_notes_store_anew(struct spool_notes *notes);

#endif
