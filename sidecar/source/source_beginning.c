/* source_beginning: judges how a stream begins (see source_beginning.h). */
#include "sidecar/source/source_beginning.h"

#include "lib/stream/beginning.h"
#include "sidecar/base/logger.h"

/* Ends the connection without a document: all bytes that were read are dropped. why is a literal. */
static void refuse(struct source_connection *connection, const char *why)
{
    const struct source_base *base = connection->base;
    logger_write(base->logger, LOG_LEVEL_ERROR, why,
                 (const struct log_field[]){log_int("connection", (int64_t)connection->shared.id)},
                 1);
    input_fini(&connection->input);
    input_init(&connection->input, base->kind->layout, base->max_document);
    connection->shared.refused = true;
    connection->end = UV_ECHARSET;
}

static bool is_blank(struct text lines)
{
    while (lines.length > 0) {
        if (!text_is_blank(text_take_line(&lines)))
            return false;
    }
    return true;
}

void source_beginning_judge(struct source_connection *connection)
{
    struct text window = input_window(&connection->input);
    connection->is_filled |= !is_blank(window);
    bool is_replay = connection->base->kind->layout == INPUT_ITEMS;
    const char *why = window.length == connection->received ? beginning_refuse(window) : NULL;
    if (why != NULL)
        refuse(connection, why);
    else if (is_replay && connection->end == UV_EOF && !connection->is_filled)
        refuse(connection, "this file or stream is empty: see what was to write it");
}
