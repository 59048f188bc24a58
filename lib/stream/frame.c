/* frame: a byte stream -> documents, one a line (see frame.h). */
#include "lib/stream/frame.h"

/* A window that holds part of a line is made smaller only if its capacity is above this. */
#define LARGE_WINDOW (4 * FRAME_READ_SIZE)

void frame_init(struct frame *frame, size_t max_line)
{
    *frame = (struct frame){.max_line = max_line};
    /* The window holds a line of max_line bytes, its "\r", and one more read. */
    buffer_init(&frame->window, max_line + 1 + FRAME_READ_SIZE);
    buffer_init(&frame->head, FRAME_HEAD_SIZE);
}

void frame_fini(struct frame *frame)
{
    buffer_fini(&frame->window);
    buffer_fini(&frame->head);
}

static void drop_taken(struct frame *frame)
{
    buffer_consume(&frame->window, frame->taken);
    frame->taken = 0;
}

/* Skips the byte order mark, if there is one. False if so far only a part of a mark has come. */
static bool pass_mark(struct frame *frame)
{
    const struct text mark = TEXT("\xef\xbb\xbf");
    drop_taken(frame);
    struct text window = buffer_text(&frame->window);
    size_t length = window.length < mark.length ? window.length : mark.length;
    if (memcmp(window.data, mark.data, length) == 0) {
        if (length < mark.length)
            return false;
        buffer_consume(&frame->window, length);
    }
    frame->begun = true;
    return true;
}

char *frame_room(struct frame *frame, size_t *room)
{
    drop_taken(frame);
    char *start = buffer_room(&frame->window, FRAME_READ_SIZE, room);
    if (start != NULL && *room > FRAME_READ_SIZE)
        *room = FRAME_READ_SIZE;
    return start;
}

void frame_fed(struct frame *frame, size_t bytes)
{
    buffer_commit(&frame->window, bytes);
}

static void release(struct buffer *buffer)
{
    size_t limit = buffer->limit;
    buffer_fini(buffer);
    buffer_init(buffer, limit);
}

/* Frees the memory of a long line that was delivered, and keeps the bytes that came after it. */
static void shrink(struct buffer *window)
{
    struct buffer smaller;
    buffer_init(&smaller, window->limit);
    buffer_append(&smaller, buffer_text(window));
    if (smaller.failed) {
        buffer_fini(&smaller);
        return;
    }
    buffer_fini(window);
    *window = smaller;
}

/* The head of a line that is too long is the same however the reads split it, because at least max_line
 * bytes of the line are in the window when its length is noticed. */
static struct text head_of(const struct frame *frame, struct text line)
{
    size_t length = frame->max_line < FRAME_HEAD_SIZE ? frame->max_line : FRAME_HEAD_SIZE;
    return (struct text){line.data, line.length < length ? line.length : length};
}

/* Keeps, skips or frees what is in the window, which holds no newline. */
static void wait_for_more(struct frame *frame)
{
    struct text rest = buffer_text(&frame->window);

    if (!frame->skipping && rest.length > frame->max_line + 1) {
        frame->skipping = true;
        buffer_reset(&frame->head);
        buffer_append(&frame->head, head_of(frame, rest)); /* without memory the head is empty */
    }
    if (frame->skipping)
        frame->skipped += rest.length;
    if (frame->skipping || rest.length == 0)
        release(&frame->window);
    else if (frame->window.capacity > LARGE_WINDOW && rest.length < frame->window.capacity / 4)
        shrink(&frame->window);

    if (!frame->skipping)
        release(&frame->head);
    frame->scanned = frame->window.length;
}

/* raw is a line in the window, or the end of the line that is being skipped. */
static struct frame_line whole_line(struct frame *frame, struct text raw)
{
    if (frame->skipping) {
        uint64_t length = frame->skipped + raw.length;
        frame->skipping = false;
        frame->skipped = 0;
        return (struct frame_line){FRAME_TOO_LONG, buffer_text(&frame->head), length, frame->lines};
    }
    struct text line = raw;
    if (text_ends_in(line, TEXT("\r")))
        line.length--;
    if (line.length > frame->max_line)
        return (struct frame_line){FRAME_TOO_LONG, head_of(frame, raw), raw.length, frame->lines};
    if (text_is_blank(line))
        return (struct frame_line){.kind = FRAME_NONE};
    return (struct frame_line){FRAME_LINE, line, raw.length, frame->lines};
}

/* Takes one line off the window; false if the window holds no whole line. */
static bool take_line(struct frame *frame, struct text *raw)
{
    drop_taken(frame);
    struct text window = buffer_text(&frame->window);
    const char *newline =
        memchr(window.data + frame->scanned, '\n', window.length - frame->scanned);
    if (newline == NULL)
        return false;
    *raw = (struct text){window.data, (size_t)(newline - window.data)};
    frame->taken = raw->length + 1;
    frame->scanned = 0;
    frame->lines++;
    return true;
}

struct frame_line frame_next(struct frame *frame)
{
    struct text raw;

    if (!frame->begun && !pass_mark(frame))
        return (struct frame_line){.kind = FRAME_NONE};
    while (take_line(frame, &raw)) {
        struct frame_line line = whole_line(frame, raw);
        if (line.kind != FRAME_NONE)
            return line;
    }
    wait_for_more(frame);
    return (struct frame_line){.kind = FRAME_NONE};
}

struct frame_line frame_end(struct frame *frame)
{
    struct text rest = buffer_text(&frame->window);
    struct frame_line line = {.kind = FRAME_NONE};

    if (frame->skipping)
        line = (struct frame_line){FRAME_CUT, buffer_text(&frame->head), frame->skipped,
                                   frame->lines + 1};
    else if (!text_is_blank(rest))
        line = (struct frame_line){FRAME_CUT, rest, rest.length, frame->lines + 1};

    frame->taken = rest.length;
    frame->scanned = 0;
    frame->lines = 0;
    frame->begun = false;
    frame->skipping = false;
    frame->skipped = 0;
    return line;
}
