/* kube_input: one of three ways to cut a body (see kube_input.h). */
#include "sidecar/kube/kube_input.h"

#define BODY_LIMIT (1U << 20) /* of what is no list and no watch: more of it is not looked at */

void kube_input_init(struct kube_input *input, enum kube_input_kind kind, size_t max_document)
{
    input->kind = kind;
    if (kind == KUBE_INPUT_LINES)
        frame_init(&input->lines, max_document);
    else if (kind == KUBE_INPUT_ITEMS)
        items_init(&input->items, max_document);
    else if (kind == KUBE_INPUT_WHOLE)
        buffer_init(&input->whole, BODY_LIMIT);
}

void kube_input_fini(struct kube_input *input)
{
    if (input->kind == KUBE_INPUT_LINES)
        frame_fini(&input->lines);
    else if (input->kind == KUBE_INPUT_ITEMS)
        items_fini(&input->items);
    else if (input->kind == KUBE_INPUT_WHOLE)
        buffer_fini(&input->whole);
    input->kind = KUBE_INPUT_NONE;
}

char *kube_input_room(struct kube_input *input, size_t *room)
{
    if (input->kind == KUBE_INPUT_LINES)
        return frame_room(&input->lines, room);
    if (input->kind == KUBE_INPUT_ITEMS)
        return items_room(&input->items, room);
    return buffer_room(&input->whole, 1, room);
}

void kube_input_fed(struct kube_input *input, size_t bytes)
{
    if (input->kind == KUBE_INPUT_LINES) {
        frame_fed(&input->lines, bytes);
    } else if (input->kind == KUBE_INPUT_ITEMS) {
        items_fed(&input->items, bytes);
    } else {
        buffer_commit(&input->whole, bytes);
    }
}

struct frame_line kube_input_next(struct kube_input *input)
{
    if (input->kind == KUBE_INPUT_LINES)
        return frame_next(&input->lines);
    if (input->kind == KUBE_INPUT_ITEMS)
        return items_next(&input->items);
    return (struct frame_line){.kind = FRAME_NONE};
}

struct text kube_input_body(const struct kube_input *input)
{
    return input->kind == KUBE_INPUT_WHOLE ? buffer_text(&input->whole) : TEXT("");
}

struct text kube_input_around(const struct kube_input *input)
{
    return input->kind == KUBE_INPUT_ITEMS ? items_list(&input->items) : TEXT("");
}
