/* spool_notes: texts by name that outlive the process, and which of them are to be stored. */
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
    char *text;   /* on the heap; NULL: "" */
    bool changed; /* it is not stored as it is here */
};

struct spool_notes {
    struct spool_note notes[SPOOL_MAX_NOTES];
    size_t count;
};

/* All zero at first. */
void spool_notes_fini(struct spool_notes *notes);

/* "" if there is none of that name. Valid until it is set. */
const char *spool_notes_get(const struct spool_notes *notes, const char *name);

/* ERROR_FULL: there are as many as can be, or the name is too long. */
enum error_code spool_notes_set(struct spool_notes *notes, const char *name,
                                const char *text) MUST_CHECK;

/* As it was stored: not over one that has been set since. What does not fit is left out. */
void spool_notes_restore(struct spool_notes *notes, struct text name, struct text text);

/* Calls note() for each one whose name begins so, and whose text is not empty. */
void spool_notes_each(const struct spool_notes *notes, const char *prefix,
                      void (*note)(void *context, const char *name, const char *text),
                      void *context);

/* True if there is one of that name; and if it is to be stored. */
bool spool_notes_hold(const struct spool_notes *notes, const char *name);
bool spool_notes_changed(const struct spool_notes *notes, const char *name);

bool spool_notes_have_changed(const struct spool_notes *notes);

/* Copies what is to be stored: to holds just these. */
void spool_notes_take(struct spool_notes *notes, struct spool_notes *to);

/* They could not be stored. */
void spool_notes_put_back(struct spool_notes *notes, const struct spool_notes *from);

/* What was stored is lost: all are to be stored again. */
void spool_notes_store_anew(struct spool_notes *notes);

#endif
