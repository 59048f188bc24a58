/* input: passes each call on by the layout of the stream (see input.h). */
#include "lib/stream/input.h"

void input_init(struct input *input, enum input_layout layout, size_t max_document)
{
    input->layout = layout;
    if (layout == INPUT_ITEMS)
        items_init(&input->items, max_document);
    else
        frame_init(&input->lines, max_document);
}

void input_fini(struct input *input)
{
    if (input->layout == INPUT_ITEMS)
        items_fini(&input->items);
    else
        frame_fini(&input->lines);
}

char *input_room(struct input *input, size_t *room)
{
    return input->layout == INPUT_ITEMS ? items_room(&input->items, room)
                                        : frame_room(&input->lines, room);
}

void input_fed(struct input *input, size_t bytes)
{
    if (input->layout == INPUT_ITEMS)
        items_fed(&input->items, bytes);
    else
        frame_fed(&input->lines, bytes);
}

struct frame_line input_next(struct input *input)
{
    return input->layout == INPUT_ITEMS ? items_next(&input->items) : frame_next(&input->lines);
}

struct frame_line input_end(struct input *input)
{
    return input->layout == INPUT_ITEMS ? items_end(&input->items) : frame_end(&input->lines);
}

static const struct buffer *window_of(const struct input *input)
{
    return input->layout == INPUT_ITEMS ? &input->items.window : &input->lines.window;
}

struct text input_window(const struct input *input)
{
    return buffer_text(window_of(input));
}

size_t input_memory(const struct input *input)
{
    const struct buffer *kept =
        input->layout == INPUT_ITEMS ? &input->items.event : &input->lines.head;
    return window_of(input)->capacity + kept->capacity;
}

/* lib/base/buffer doubles a window that has no room for a read. */
size_t input_memory_next(const struct input *input)
{
    const struct buffer *window = window_of(input);
    bool grows = window->capacity - window->start - window->length < FRAME_READ_SIZE;
    return input_memory(input) + (grows ? window->capacity : 0);
}
