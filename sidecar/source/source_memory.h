/* source_memory: bounds the memory of the unfinished documents of all connections, of whichever source.
 *
 * A connection asks before each read whether there is memory for it. A connection that needs more than is left
 * is not read for now, except for one at a time, which is privileged: it is read on until its document is
 * finished, so that the connections cannot all wait for each other. A privileged connection that is silent for
 * too long is ended. Short documents are always read. All on the loop's thread. */
#ifndef SIDECAR_SOURCE_MEMORY_H
#define SIDECAR_SOURCE_MEMORY_H

#include "sidecar/source/source_base.h"

/* To be called when the memory of the connection's input may have changed; held: how many bytes it is now.
 * Connections for which there is room now become ready. */
void source_memory_note(struct source_connection *connection, size_t held);

/* Returns whether the connection may be read once more. It may become the privileged one. */
bool source_memory_has_room(struct source_connection *connection);

/* The connection, for which there is no room, waits as SOURCE_CROWDED until others need less memory. While it
 * waits, a privileged connection that is silent is ended. */
void source_memory_crowd_out(struct source_connection *connection);

#endif
