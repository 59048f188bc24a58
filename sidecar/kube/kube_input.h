/* kube_input: the body of an answer, cut into what is delivered: the lines of a watch, the items of a list; or whole,
 * where it is neither. kube_watch feeds it with what the request has read, and takes the documents off it. */
#ifndef SIDECAR_KUBE_INPUT_H
#define SIDECAR_KUBE_INPUT_H

#include "lib/base/buffer.h"
#include "lib/stream/frame.h"
#include "lib/stream/items.h"

enum kube_input_kind {
    KUBE_INPUT_NONE,  /* there is no answer yet */
    KUBE_INPUT_LINES, /* of a watch */
    KUBE_INPUT_ITEMS, /* of a list */
    KUBE_INPUT_WHOLE, /* any other body */
};

struct kube_input {
    enum kube_input_kind kind;
    union {
        struct frame lines;
        struct items items;
        struct buffer whole;
    };
};

/* max_document: bytes of a line or an item. */
void kube_input_init(struct kube_input *input, enum kube_input_kind kind, size_t max_document);
void kube_input_fini(struct kube_input *input); /* it is then of KUBE_INPUT_NONE */

/* Where to read the next bytes to; NULL: no memory, or a whole body that is longer than is looked at. */
char *kube_input_room(struct kube_input *input, size_t *room);
void kube_input_fed(struct kube_input *input, size_t bytes);

/* The next document; FRAME_NONE if there is none yet. Valid until more is fed. */
struct frame_line kube_input_next(struct kube_input *input);

/* The body, of KUBE_INPUT_WHOLE; what stands around the items, of KUBE_INPUT_ITEMS. Else "". */
struct text kube_input_body(const struct kube_input *input);
struct text kube_input_around(const struct kube_input *input);

#endif
