/* beginning: tells by its first bytes that a file or stream holds no JSON, and what it holds instead. */
#ifndef LIB_BEGINNING_H
#define LIB_BEGINNING_H

#include "lib/base/text.h"

/* No more than so many bytes are looked at. */
#define BEGINNING_SIZE ((size_t)512)

/* Returns a sentence for a person: what it is, and what to do; it lives for ever. Returns NULL if the bytes may
 * be JSON, or are too few to tell. A damaged first line of a recording may be anything, so that only what is
 * certain is told. */
const char *beginning_refuse(struct text beginning);

#endif
