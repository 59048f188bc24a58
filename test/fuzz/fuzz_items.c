/* fuzz_items: the first byte is the bound, the second the size of a read, the rest is the stream. What
 * comes out must be the same as with reads of one byte, and within the bound. */
#include "lib/stream/items.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An event around an object, with the longest kind and version a list can have. */
#define WRAPPING_MAX 400

/* FNV-1a over all that comes out, so that two runs can be compared without keeping it. */
static void add_bytes(uint64_t *hash, const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < length; i++)
        *hash = (*hash ^ byte[i]) * 0x100000001b3U;
}

static void add_document(uint64_t *hash, const struct frame_line *line, size_t max_document)
{
    if (line->text.length > max_document + WRAPPING_MAX)
        abort();
    if (line->kind == FRAME_LINE && line->length > max_document)
        abort();
    add_bytes(hash, &line->kind, sizeof(line->kind));
    add_bytes(hash, &line->length, sizeof(line->length));
    add_bytes(hash, line->text.data, line->text.length);
}

static void add_documents(uint64_t *hash, struct items *items)
{
    struct frame_line line;
    while ((line = items_next(items)).kind != FRAME_NONE)
        add_document(hash, &line, items->max_document);
}

static uint64_t run(struct text stream, size_t max_document, size_t part)
{
    uint64_t hash = 0xcbf29ce484222325U;
    struct items items;
    items_init(&items, max_document);
    for (size_t at = 0; at < stream.length; at += part) {
        size_t room;
        char *start = items_room(&items, &room);
        if (start == NULL)
            abort();
        size_t length = part < stream.length - at ? part : stream.length - at;
        memcpy(start, stream.data + at, length);
        items_fed(&items, length);
        add_documents(&hash, &items);
    }
    add_documents(&hash, &items);
    struct frame_line rest = items_end(&items);
    add_document(&hash, &rest, max_document);
    items_fini(&items);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t max_document = data[0] == 0 ? 1 : data[0];
    size_t part = data[1] == 0 ? 1 : data[1];
    struct text stream = {(const char *)data + 2, size - 2};
    if (run(stream, max_document, part) != run(stream, max_document, 1))
        abort();
    return 0;
}
