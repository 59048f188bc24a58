/* items: a byte stream -> documents, however they are laid out over lines; of a list, its items.
 *
 * What a person has at hand to be shipped once: a recorded watch stream, or what `kubectl get -o json`
 * or the API server printed. Documents are told apart by counting brackets outside strings. Memory is
 * bounded by one document, and a list of any length is not one: its items come out one by one.
 *
 *   {"type":...,"object":{...}}       as it is
 *   {"kind":"Pod",...}                {"type":"ADDED","object":{"kind":"Pod",...}}
 *   {"kind":"List","items":[...]}     each item, likewise
 *   {"kind":"PodList",...             the items of such a list do not say what they are: each gets
 *    "apiVersion":"v1","items":[...]}   "kind":"Pod","apiVersion":"v1", if that stands before them
 *   [...]                             as a list
 *   anything else                     its line, so that it is counted as what it is
 *
 * A line that begins with `{"` begins a document, even where brackets are open: nothing prints that inside
 * of one, and so a cut line of a recording costs nothing but itself. What is wrong within matching brackets
 * is not seen here: whoever reads the document will.
 *
 * What comes out depends on the bytes only, never on how they were split. It is used as a frame is,
 * and its documents are what lines are there:
 *
 *   read into items_room(), tell items_fed(), call items_next() until FRAME_NONE, read again ...
 *   at the end of the stream: items_end()
 */
#ifndef LIB_ITEMS_H
#define LIB_ITEMS_H

#include "lib/base/buffer.h"
#include "lib/stream/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum items_place {
    ITEMS_OUTSIDE, /* between documents */
    ITEMS_LIST,    /* between the items of a list */
    ITEMS_VALUE,   /* in a document or item that has brackets */
    ITEMS_WORD,    /* in one that has none */
    ITEMS_TRAILER, /* behind the items of a list, before its end */
};

enum items_member { ITEMS_OTHER, ITEMS_KIND, ITEMS_API_VERSION, ITEMS_ITEMS, ITEMS_OBJECT };

struct items_name { /* a string of the text, with its escapes; one that is too long is "" */
    char data[128];
    size_t length;
};

struct items_value {           /* what is being scanned */
    uint64_t begun;            /* its offset in the stream */
    bool kept;                 /* all of it is in the window, from its beginning on */
    bool in_string;            /* inside a string */
    bool escaped;              /* behind a backslash in it */
    bool is_event;             /* it has a member "object" */
    char previous;             /* the last byte that is no white space; '"' for a string */
    bool line_start;           /* nothing has come on this line yet */
    bool line_brace;           /* only a { has */
    size_t depth;              /* brackets that are open */
    size_t string_at;          /* in the window: where the last string began, behind its quote */
    size_t copied;             /* into the event, of its bytes so far */
    enum items_member member;  /* at depth 1 */
    struct items_name kind;    /* at depth 1 */
    struct items_name version; /* "apiVersion", likewise */
};

struct items_list { /* that the scan is in */
    bool open;
    bool whole;       /* its last bracket has come */
    bool is_array;    /* nothing around the items */
    bool behind_item; /* no comma has come since the last one */
    bool by_lines;    /* its last item was the first on its line, without white space before it */
    uint64_t begun;
    struct items_name kind;    /* of its items; "" if they tell themselves */
    struct items_name version; /* likewise */
};

struct items {
    struct buffer window; /* bytes that were not delivered; no memory while empty */
    struct buffer event;  /* what an object is delivered as, or the head of what is too long */
    struct buffer around; /* of the last list: all but its items */
    size_t max_document;  /* bytes of the longest document or item that is delivered */
    uint64_t offset;      /* of the window in the stream */
    size_t at;            /* bytes of the window that were scanned */
    size_t taken;         /* bytes of the window that the next call drops */
    bool line_start;      /* between documents: nothing has come on this line yet */
    enum items_place place;
    struct items_value value;
    struct items_list list;
};

void items_init(struct items *items, size_t max_document);
void items_fini(struct items *items);

/* Where to read to: 1 to FRAME_READ_SIZE bytes, NULL when there is no memory. Only after items_next
 * said FRAME_NONE. Call items_fed with what was read. */
char *items_room(struct items *items, size_t *room) MUST_CHECK;
void items_fed(struct items *items, size_t bytes);

/* The next document, until it says FRAME_NONE. `length` is that of the document in the stream. One
 * that finds no memory to be made an event of is FRAME_TOO_LONG, without a head. */
struct frame_line items_next(struct items *items);

/* The last list without its items, once that is whole, and no longer than ITEMS_MAX_AROUND; else "". It is
 * JSON if the list is. Valid until the next call. */
#define ITEMS_MAX_AROUND ((size_t)65536)
struct text items_list(const struct items *items);

/* The stream has ended, and items_next said FRAME_NONE: FRAME_CUT if it ended inside a document or a
 * list, else FRAME_NONE. After that only items_fini. */
struct frame_line items_end(struct items *items);

#endif
