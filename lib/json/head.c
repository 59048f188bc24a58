/* head: a scan that follows nesting and keys, and checks nothing (see head.h).
 *
 * A line may be as long as MAX_DOCUMENT_BYTES, and this is not all that is done with it in a turn of the
 * loop: what nobody looks for is passed over by lib/skip, and the scan ends when all is found. */
#include "lib/json/head.h"

#include "lib/json/skip.h"

enum { DEPTH_OF_EVENT = 1, DEPTH_OF_OBJECT = 2, DEPTH_OF_METADATA = 3 };

struct scan {
    struct text rest;
    struct text key; /* the last one, until its value has begun */
    size_t depth;
    bool in_metadata;
    bool damaged; /* or cut: lib/skip would come to the same place again */
    struct head *head;
};

static void skip(struct scan *scan, size_t bytes)
{
    scan->rest.data += bytes;
    scan->rest.length -= bytes;
}

static const char *end_of(const struct scan *scan)
{
    return scan->rest.data + scan->rest.length;
}

/* The place of the closing quote of a string, damaged perhaps, that begins the rest. */
static size_t find_quote(const struct scan *scan)
{
    size_t at = 1;
    while (at < scan->rest.length && scan->rest.data[at] != '"')
        at += scan->rest.data[at] == '\\' ? 2 : 1;
    return at;
}

/* Takes a string, whose opening quote is next; false if it does not end. */
static bool take_string(struct scan *scan, struct text *string)
{
    const char *behind = skip_string(scan->rest.data + 1, end_of(scan));
    size_t end = behind != NULL ? (size_t)(behind - scan->rest.data) - 1 : find_quote(scan);
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

/* Is what is looked for in the container that is next? */
static bool is_looked_into(const struct scan *scan)
{
    return scan->depth < DEPTH_OF_OBJECT ||
           (scan->depth == DEPTH_OF_OBJECT && text_is(scan->key, "metadata"));
}

/* At the bracket that opens a container: into it, or past it. */
static void on_container(struct scan *scan)
{
    const char *behind = NULL;
    if (!scan->damaged && !is_looked_into(scan)) {
        behind = skip_value(scan->rest.data, end_of(scan), SKIP_MAX_DEPTH);
        scan->damaged = behind == NULL;
    }
    if (behind == NULL) {
        on_open(scan);
        skip(scan, 1);
        return;
    }
    scan->key = TEXT("");
    skip(scan, (size_t)(behind - scan->rest.data));
}

static bool is_all_found(const struct head *head)
{
    return head->type.length > 0 && head->api_version.length > 0 && head->kind.length > 0 &&
           head->namespace.length > 0 && head->name.length > 0 && head->uid.length > 0 &&
           head->version.length > 0;
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
    while (scan.rest.length > 0 && !is_all_found(head)) {
        char c = scan.rest.data[0];
        if (c == '"') {
            if (!take_string(&scan, &string))
                return;
            on_string(&scan, string);
            continue;
        }
        if (c == '{' || c == '[') {
            on_container(&scan);
            continue;
        }
        if ((c == '}' || c == ']') && scan.depth > 0)
            scan.depth--;
        skip(&scan, 1);
    }
}
