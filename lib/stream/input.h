/* input: a byte stream -> documents, in the layout that the stream has.
 *
 * A choice between lib/stream/frame and lib/stream/items, which are used alike: read into input_room(), tell
 * input_fed(), call input_next() until FRAME_NONE, read again; at the end of the stream input_end(). */
#ifndef LIB_INPUT_H
#define LIB_INPUT_H

#include "lib/stream/frame.h"
#include "lib/stream/items.h"

enum input_layout {
    INPUT_LINES, /* one document a line */
    INPUT_ITEMS, /* any layout; of a list, its items */
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

/* What was read and is not delivered yet. */
struct text input_window(const struct input *input);

/* The bytes of memory that it takes, now and behind one more read. */
size_t input_memory(const struct input *input);
size_t input_memory_next(const struct input *input);

#endif
