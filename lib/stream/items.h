/* items: a byte stream -> documents, however they are laid out over lines. A list is delivered as its items.
 *
 * It reads what a person has at hand to be shipped once: a recorded watch stream, or the output of
 * `kubectl get -o json` or of the API server. It finds the end of a document by counting brackets outside
 * strings. Memory is bounded by the longest document; the items of a list are delivered one by one, so that
 * a list may have any length.
 *
 *   in the stream                     is delivered as
 *
 *   {"type":...,"object":{...}}       the same text
 *   {"kind":"Pod",...}                {"type":"ADDED","object":{"kind":"Pod",...}}
 *   {"kind":"List","items":[...]}     each item, as one of the two above
 *   {"kind":"PodList",...             each item, with "kind":"Pod","apiVersion":"v1" put in if the list
 *    "apiVersion":"v1","items":[...]}   has them before its items: the items of such a list lack both
 *   [...]                             each element, as an item of a list
 *   anything else                     its line, so that the reader counts it under the right fate
 *
 * A line that begins with `{"` begins a document, even where brackets are open: no printer of JSON begins a
 * line inside a document so. Where a line of a recording was cut, only that line is lost. What is wrong
 * within matching brackets is not noticed here, but when the document is decoded.
 *
 * The result depends on the bytes only, never on how the reads split them. The caller reads into
 * items_room(), passes the count to items_fed(), calls items_next() until it returns FRAME_NONE, and reads
 * again; at the end of the stream it calls items_end().
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
    ITEMS_VALUE,   /* inside a document or item that has brackets */
    ITEMS_WORD,    /* inside a document or item that has no brackets */
    ITEMS_TRAILER, /* after the items of a list, before the end of the list */
};

enum items_member { ITEMS_OTHER, ITEMS_KIND, ITEMS_API_VERSION, ITEMS_ITEMS, ITEMS_OBJECT };

struct items_name { /* a string as it is in the stream, with its escapes; "" if it is too long */
    char data[128];
    size_t length;
};

struct items_value {  /* the document or item that is being scanned */
    uint64_t begun;   /* its offset in the stream */
    uint64_t line;    /* the line of the stream on which it begins, from 1 */
    bool kept;        /* all of it is in the window, from its beginning on */
    bool in_string;   /* inside a string */
    bool escaped;     /* the last byte of the string was a backslash that is not escaped itself */
    bool is_event;    /* it has a member "object": it is a watch event */
    char previous;    /* the last byte that is no white space; '"' for a string */
    bool line_start;  /* nothing has come on this line yet */
    bool line_brace;  /* only a { has come on this line */
    size_t depth;     /* brackets that are open */
    size_t string_at; /* in the window: the first byte of the last string after its quote */
    size_t copied;    /* how many of its bytes were copied into the event so far */
    enum items_member member;  /* the last key at depth 1 */
    struct items_name kind;    /* the value of "kind" at depth 1 */
    struct items_name version; /* the value of "apiVersion" at depth 1 */
};

struct items_list {   /* the last list */
    bool open;        /* the scan is between the brackets of its items */
    bool whole;       /* its last bracket has come */
    bool is_array;    /* it is a bare array: no object is around the items */
    bool behind_item; /* no comma has come since the last item */
    bool by_lines;    /* its last item was the first on its line, without white space before it */
    uint64_t begun;   /* its offset in the stream */
    struct items_name kind;    /* the kind of its items; "" if each item has its own */
    struct items_name version; /* the apiVersion of its items */
};

struct items {
    struct buffer window; /* bytes that were not delivered; it has no memory while it is empty */
    struct buffer event;  /* the event of an object, or the head of a document that is too long */
    struct buffer around; /* the text of the last list without its items */
    size_t max_document;  /* bytes of the longest document or item that is delivered */
    uint64_t offset;      /* where the window begins in the stream */
    uint64_t newlines;    /* before the window */
    size_t at;            /* bytes of the window that were scanned */
    size_t taken;         /* bytes of the window that the next call drops */
    bool line_start;      /* between documents: nothing has come on this line yet */
    enum items_place place;
    struct items_value value;
    struct items_list list;
};

void items_init(struct items *items, size_t max_document);
void items_fini(struct items *items);

/* Returns where the caller is to read to, and sets *room to 1 to FRAME_READ_SIZE bytes; NULL if there
 * is no memory. To be called only after items_next() has returned FRAME_NONE. items_fed() is to be called
 * with the number of bytes that were read. */
char *items_room(struct items *items, size_t *room) MUST_CHECK;
void items_fed(struct items *items, size_t bytes);

/* Returns the next document; FRAME_NONE if there is no whole one. `length` is the document's length in the
 * stream. If there is no memory to make an event of an object, it is FRAME_TOO_LONG with an empty head. */
struct frame_line items_next(struct items *items);

/* Returns the last list without its items; "" if the list is not whole yet, or this text is longer than
 * ITEMS_MAX_AROUND bytes. The text is JSON if the list is. It is valid until the next call. */
#define ITEMS_MAX_AROUND ((size_t)65536)
struct text items_list(const struct items *items);

/* To be called when the stream has ended and items_next() has returned FRAME_NONE. Returns FRAME_CUT if the
 * stream ended inside a document or a list, else FRAME_NONE. Only items_fini() may be called after it. */
struct frame_line items_end(struct items *items);

#endif
