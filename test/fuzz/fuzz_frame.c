/* fuzz_frame: the first byte is the bound, the second the size of a read, the rest is the stream.
 * What comes out must be the same as with reads of one byte, and within the bound. */
#include "lib/stream/frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* FNV-1a over all that comes out, so that two runs can be compared without keeping it. */
struct digest {
    uint64_t hash;
};

static void add_bytes(struct digest *digest, const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < length; i++)
        digest->hash = (digest->hash ^ byte[i]) * 0x100000001b3U;
}

static void add_line(struct digest *digest, const struct frame_line *line, size_t max_line)
{
    /* Only an unfinished line may hold one byte more: a "\r" whose "\n" has not come. */
    if (line->text.length > max_line + (line->kind == FRAME_CUT))
        abort();
    if (line->kind == FRAME_LINE && memchr(line->text.data, '\n', line->text.length) != NULL)
        abort();
    add_bytes(digest, &line->kind, sizeof(line->kind));
    add_bytes(digest, &line->length, sizeof(line->length));
    add_bytes(digest, line->text.data, line->text.length);
}

static struct digest run(struct text stream, size_t max_line, size_t part)
{
    struct digest digest = {0xcbf29ce484222325U};
    struct frame frame;
    struct frame_line line;

    frame_init(&frame, max_line);
    for (size_t at = 0; at < stream.length; at += part) {
        size_t room;
        char *start = frame_room(&frame, &room);
        if (start == NULL)
            abort();
        size_t length = part < stream.length - at ? part : stream.length - at;
        memcpy(start, stream.data + at, length);
        frame_fed(&frame, length);
        while ((line = frame_next(&frame)).kind != FRAME_NONE)
            add_line(&digest, &line, max_line);
    }
    line = frame_end(&frame);
    add_line(&digest, &line, max_line);
    frame_fini(&frame);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t max_line = data[0] == 0 ? 1 : data[0];
    size_t part = data[1] == 0 ? 1 : data[1];
    struct text stream = {(const char *)data + 2, size - 2};

    if (run(stream, max_line, part).hash != run(stream, max_line, 1).hash)
        abort();
    return 0;
}
