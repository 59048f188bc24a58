/* input: a byte stream -> documents, in the layout that the stream has.
 *
 * It passes each call on to lib/stream/frame or lib/stream/items. Both are used alike: the caller reads into
 * input_room(), passes the count to input_fed(), calls input_next() until it returns FRAME_NONE, and reads
 * again; at the end of the stream it calls input_end(). */
#ifndef LIB_INPUT_H
#define LIB_INPUT_H

#include "lib/stream/frame.h"
#include "lib/stream/items.h"

enum input_layout {
    INPUT_LINES, /* one document a line */
    INPUT_ITEMS, /* documents in any layout; a list is delivered as its items */
};

struct input {
    enum input_layout layout;
    union {
        struct frame lines;
        struct items items;
    };
};

void input_init(struct input *input, enum input_layout layout, size_t max_document);
void input_fini(struct input *input);

char *input_room(struct input *input, size_t *room) MUST_CHECK;
void input_fed(struct input *input, size_t bytes);
struct frame_line input_next(struct input *input);
struct frame_line input_end(struct input *input);

/* Returns what was read and is not delivered yet. It is valid until the next call. */
struct text input_window(const struct input *input);

/* Return the bytes of memory that the input takes now, and will take after one more read. */
size_t input_memory(const struct input *input);
size_t input_memory_next(const struct input *input);

#endif
