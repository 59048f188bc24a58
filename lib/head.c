/* head: a scan that follows nesting and keys, and checks nothing (see head.h). */
#include "lib/head.h"

enum { DEPTH_OF_EVENT = 1, DEPTH_OF_OBJECT = 2, DEPTH_OF_METADATA = 3 };

struct scan {
    struct text rest;
    struct text key; /* the last one, until its value has begun */
    size_t depth;
    bool in_metadata;
    struct head *head;
};

static void skip(struct scan *scan, size_t bytes)
{
    scan->rest.data += bytes;
    scan->rest.length -= bytes;
}

/* Takes a string, whose opening quote is next; false if it does not end. */
static bool take_string(struct scan *scan, struct text *string)
{
    size_t end = 1;
    while (end < scan->rest.length && scan->rest.data[end] != '"')
        end += scan->rest.data[end] == '\\' ? 2 : 1;
    if (end >= scan->rest.length)
        return false;
    *string = (struct text){scan->rest.data + 1, end - 1};
    skip(scan, end + 1);
    return true;
}

static void on_value(struct scan *scan, struct text value)
{
    struct head *head = scan->head;
    if (scan->depth == DEPTH_OF_EVENT && text_is(scan->key, "type"))
        head->type = value;
    if (scan->depth == DEPTH_OF_OBJECT && text_is(scan->key, "apiVersion"))
        head->api_version = value;
    if (scan->depth == DEPTH_OF_OBJECT && text_is(scan->key, "kind"))
        head->kind = value;
    if (scan->depth != DEPTH_OF_METADATA || !scan->in_metadata)
        return;
    if (text_is(scan->key, "namespace"))
        head->namespace = value;
    else if (text_is(scan->key, "name"))
        head->name = value;
    else if (text_is(scan->key, "uid"))
        head->uid = value;
    else if (text_is(scan->key, "resourceVersion"))
        head->version = value;
}

static void on_open(struct scan *scan)
{
    scan->depth++;
    if (scan->depth == DEPTH_OF_METADATA)
        scan->in_metadata = text_is(scan->key, "metadata");
    scan->key = TEXT("");
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool colon_is_next(struct scan *scan)
{
    while (scan->rest.length > 0 && is_blank(scan->rest.data[0]))
        skip(scan, 1);
    return scan->rest.length > 0 && scan->rest.data[0] == ':';
}

static void on_string(struct scan *scan, struct text string)
{
    if (colon_is_next(scan)) {
        scan->key = string;
    } else {
        on_value(scan, string);
        scan->key = TEXT("");
    }
}

void head_scan(struct text beginning, struct head *head)
{
    struct scan scan = {.rest = beginning, .key = TEXT(""), .head = head};
    struct text string;
    const struct text none = TEXT("");
    *head = (struct head){none, none, none, none, none, none, none};
    while (scan.rest.length > 0) {
        char c = scan.rest.data[0];
        if (c == '"') {
            if (!take_string(&scan, &string))
                return;
            on_string(&scan, string);
            continue;
        }
        if (c == '{' || c == '[')
            on_open(&scan);
        else if ((c == '}' || c == ']') && scan.depth > 0)
            scan.depth--;
        skip(&scan, 1);
    }
}
