/* source_beginning: refuses a stream that is no JSON by its first bytes, and a file of replay's without anything. */
#ifndef SIDECAR_SOURCE_BEGINNING_H
#define SIDECAR_SOURCE_BEGINNING_H

#include "sidecar/source/source_base.h"

/* To be called after each of the first reads (BEGINNING_SIZE), and at the end of a stream that has had nothing
 * but blank lines. Sets is_filled. A stream that is refused is logged and loses what was read of it, and its
 * connection has an end; documents that were delivered before stay. All on the loop's thread. */
void source_beginning_judge(struct source_connection *connection);

#endif
