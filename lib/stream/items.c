/* items: scans each byte of the stream once (see items.h). */
#include "lib/stream/items.h"

/* An event is longer than its object by at most so many bytes. */
#define WRAPPING_SIZE 512

/* An event buffer of a greater capacity is freed while no document needs it. */
#define LARGE_EVENT (4 * FRAME_READ_SIZE)

/* A longer object is copied into its event while it is still read: to copy all of it at once, at the
 * end, into memory that was never touched takes long. */
#define COPIED_AT_ONCE FRAME_READ_SIZE

void items_init(struct items *items, size_t max_document)
{
    *items = (struct items){.max_document = max_document, .line_start = true};
    /* The window holds a document of max_document bytes, one byte that shows it is longer, and one read. */
    buffer_init(&items->window, max_document + 1 + FRAME_READ_SIZE);
    buffer_init(&items->event, max_document + WRAPPING_SIZE);
    buffer_init(&items->around, ITEMS_MAX_AROUND);
}

void items_fini(struct items *items)
{
    buffer_fini(&items->window);
    buffer_fini(&items->event);
    buffer_fini(&items->around);
}

/* Drops bytes from the front of the window. The scan goes on with the first byte that is left. */
static void drop(struct items *items, size_t bytes)
{
    struct text dropped = {buffer_text(&items->window).data, bytes};
    const char *newline;
    while (dropped.length > 0 && (newline = memchr(dropped.data, '\n', dropped.length)) != NULL) {
        items->newlines++;
        dropped = text_skip(dropped, (size_t)(newline - dropped.data) + 1);
    }
    buffer_consume(&items->window, bytes);
    items->offset += bytes;
    items->at = 0;
}

static void drop_taken(struct items *items)
{
    if (items->taken > 0)
        drop(items, items->taken);
    items->taken = 0;
}

char *items_room(struct items *items, size_t *room)
{
    char *start = buffer_room(&items->window, FRAME_READ_SIZE, room);
    if (start != NULL && *room > FRAME_READ_SIZE)
        *room = FRAME_READ_SIZE;
    return start;
}

void items_fed(struct items *items, size_t bytes)
{
    buffer_commit(&items->window, bytes);
}

/* ---- what is made of a document --------------------------------------------------------------- */

static struct text name_text(const struct items_name *name)
{
    return (struct text){name->data, name->length};
}

static void set_name(struct items_name *name, struct text text)
{
    name->length = text.length <= sizeof(name->data) ? text.length : 0;
    memcpy(name->data, text.data, name->length);
}

/* True if text is to be delivered as the object of an ADDED event. False for a watch event; outside of a
 * list also for a Status, which is an answer of the API server and no object, and for what has no kind. */
static bool is_object(const struct items *items, struct text text)
{
    const struct items_value *value = &items->value;
    if (text.data[0] != '{' || value->is_event)
        return false;
    return items->list.open ||
           (value->kind.length > 0 && !text_is(name_text(&value->kind), "Status"));
}

/* Begins the event with the object's first bytes, up to which it has come. An item of a list gets the list's kind
 * and version in front. If it has its own ones, they come later in the text, and the decoder takes the last of
 * two. */
static void begin_event(struct items *items, struct text object)
{
    const struct items_list *list = &items->list;
    bool has_members = items->value.string_at > 0;
    buffer_append_string(&items->event, "{\"type\":\"ADDED\",\"object\":{");
    if (has_members && list->open && list->kind.length > 0) {
        buffer_append_string(&items->event, "\"kind\":\"");
        buffer_append(&items->event, name_text(&list->kind));
        buffer_append_string(&items->event, "\",\"apiVersion\":\"");
        buffer_append(&items->event, name_text(&list->version));
        buffer_append_string(&items->event, "\",");
    }
    buffer_append(&items->event, text_skip(object, 1));
}

/* Copies what has come of the object so far, and was not copied yet, into the event. */
static void go_on_with_event(struct items *items, struct text object)
{
    size_t copied = items->value.copied;
    if (copied == 0) {
        buffer_reset(&items->event);
        begin_event(items, object);
    } else {
        buffer_append(&items->event, text_skip(object, copied));
    }
    items->value.copied = object.length;
}

/* Copies what has come of a long object, more of which is still to come. */
static void copy_ahead(struct items *items)
{
    struct text text = {buffer_text(&items->window).data, items->at};
    bool is_long = text.length > COPIED_AT_ONCE && items->value.string_at > 0;
    if (items->value.kept && is_long && is_object(items, text))
        go_on_with_event(items, text);
}

static struct frame_line too_long(const struct items *items, uint64_t length)
{
    return (struct frame_line){FRAME_TOO_LONG, buffer_text(&items->event), length,
                               items->value.line};
}

static uint64_t value_length(const struct items *items)
{
    return items->offset + items->at - items->value.begun;
}

/* "PodList" -> "Pod"; "List" -> "", because each item of a List has its own kind. */
static struct text kind_of_items(struct text kind)
{
    struct text end = TEXT("List");
    if (!text_ends_in(kind, end))
        return TEXT("");
    return (struct text){kind.data, kind.length - end.length};
}

/* Delivers what was scanned: a whole document, or the beginning of one that was cut off by the next one. The
 * latter is delivered as it is, so that it is counted as damaged. */
static struct frame_line deliver(struct items *items, bool is_whole)
{
    struct items_list *list = &items->list;
    struct text text = {buffer_text(&items->window).data, items->at};
    uint64_t length = value_length(items);
    items->taken = items->at;
    if (!is_whole) {
        items->line_start = true;
        list->open = list->open && list->by_lines;
        list->behind_item = false;
    }
    items->place = list->open ? ITEMS_LIST : ITEMS_OUTSIDE;
    if (!items->value.kept)
        return too_long(items, length);
    if (!is_whole || !is_object(items, text))
        return (struct frame_line){FRAME_LINE, text, length, items->value.line};

    /* A list whose items are null or missing is a whole list without items. */
    if (!list->open && kind_of_items(name_text(&items->value.kind)).length > 0) {
        buffer_reset(&items->around);
        buffer_append(&items->around, text);
        list->whole = true;
    }
    go_on_with_event(items, text);
    buffer_append_char(&items->event, '}');
    if (items->event.failed) {
        buffer_reset(&items->event);
        return too_long(items, length);
    }
    return (struct frame_line){FRAME_LINE, buffer_text(&items->event), length, items->value.line};
}

/* Keeps the head of a document that has become too long: the same bytes however the reads split it. */
static void check_length(struct items *items)
{
    if (!items->value.kept || items->at <= items->max_document)
        return;
    size_t length = items->max_document < FRAME_HEAD_SIZE ? items->max_document : FRAME_HEAD_SIZE;
    struct text head = {buffer_text(&items->window).data, length};
    items->value.kept = false;
    buffer_reset(&items->event);
    if (is_object(items, head))
        begin_event(items, head);
    else
        buffer_append(&items->event, head);
}

/* ---- inside a document ------------------------------------------------------------------------ */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Notes a string at depth 1, which is a key or the value of the last key. */
static void note_string(struct items_value *value, struct text string)
{
    if (value->previous != ':')
        value->member = text_is(string, "kind")         ? ITEMS_KIND
                        : text_is(string, "apiVersion") ? ITEMS_API_VERSION
                        : text_is(string, "items")      ? ITEMS_ITEMS
                        : text_is(string, "object")     ? ITEMS_OBJECT
                                                        : ITEMS_OTHER;
    else if (value->member == ITEMS_KIND)
        set_name(&value->kind, string);
    else if (value->member == ITEMS_API_VERSION)
        set_name(&value->version, string);
}

/* Scans up to the end of the string. JSON allows no newline in a string: where one comes, the closing quote
 * has been lost, and what follows the newline is outside of strings again. */
static void scan_string(struct items *items, struct text window)
{
    struct items_value *value = &items->value;
    char c = '\0';
    while (items->at < window.length && value->in_string) {
        c = window.data[items->at++];
        value->in_string = (value->escaped || c != '"') && c != '\n';
        value->escaped = !value->escaped && c == '\\';
    }
    if (value->in_string)
        return;
    if (value->depth == 1 && value->kept) {
        size_t length = items->at - 1 - value->string_at;
        note_string(value, (struct text){window.data + value->string_at, length});
    }
    value->previous = '"';
    value->line_start = c == '\n';
}

enum step {
    STEP_ON,    /* the document goes on */
    STEP_WHOLE, /* the document has ended */
    STEP_LIST,  /* the document is a list, and its items begin */
    STEP_NEXT,  /* the next document begins before this one has ended */
};

/* Scans c, a byte outside strings; items->at is already after it. */
static enum step scan_byte(struct items *items, char c)
{
    struct items_value *value = &items->value;
    bool line_start = value->line_start;
    bool line_brace = value->line_brace;
    bool is_list = false;
    value->line_start = c == '\n';
    value->line_brace = line_start && c == '{';
    if (is_space(c))
        return STEP_ON;
    switch (c) {
    case '"':
        if (line_brace)
            return STEP_NEXT;
        value->in_string = true;
        value->string_at = items->at;
        return STEP_ON;
    case '{':
    case '[':
        is_list = c == '[' && value->depth == 1 && value->previous == ':' &&
                  value->member == ITEMS_ITEMS && !items->list.open;
        value->previous = c;
        value->depth++;
        return is_list && value->kept ? STEP_LIST : STEP_ON;
    case '}':
    case ']':
        value->previous = c;
        return --value->depth == 0 ? STEP_WHOLE : STEP_ON;
    case ':':
        value->is_event |= value->member == ITEMS_OBJECT;
        break;
    default:
        break;
    }
    value->previous = c;
    return STEP_ON;
}

/* Scans up to a byte that decides something, or to the end of the window. It stops where the value has
 * become too long, so that what is known of the value then does not depend on how much more was read. */
static enum step scan_brackets(struct items *items)
{
    struct text window = buffer_text(&items->window);
    enum step step = STEP_ON;
    if (items->value.kept && window.length > items->max_document + 1)
        window.length = items->max_document + 1;
    while (items->at < window.length && step == STEP_ON) {
        if (items->value.in_string)
            scan_string(items, window);
        else
            step = scan_byte(items, window.data[items->at++]);
    }
    /* Back to the `{` of the next document, which wait_for_more() has kept in the window. */
    if (step == STEP_NEXT)
        items->at -= 2;
    return step;
}

/* ---- lists ------------------------------------------------------------------------------------ */

/* A list begins: `around` is its text up to the `[` of its items, which was scanned. */
static void begin_list(struct items *items, struct items_list list, struct text around)
{
    items->place = ITEMS_LIST;
    items->line_start = false;
    items->list = list;
    items->list.open = true;
    buffer_reset(&items->around);
    buffer_append(&items->around, around);
}

static void end_items(struct items *items)
{
    items->at++;
    items->list.open = false;
    items->place = items->list.is_array ? ITEMS_OUTSIDE : ITEMS_TRAILER;
    items->value = (struct items_value){.depth = 1, .previous = ']'};
    buffer_append_char(&items->around, ']');
}

/* Scans what comes after the items, up to the end of the list. */
static void scan_trailer(struct items *items)
{
    size_t begin = items->at;
    enum step step = scan_brackets(items);
    if (items->at > begin)
        buffer_append(&items->around,
                      (struct text){buffer_text(&items->window).data + begin, items->at - begin});
    items->list.whole = step == STEP_WHOLE;
    if (step != STEP_ON)
        items->place = ITEMS_OUTSIDE;
    items->line_start = step == STEP_NEXT;
}

struct text items_list(const struct items *items)
{
    return items->list.whole && !items->around.failed ? buffer_text(&items->around) : TEXT("");
}

/* ---- between documents ------------------------------------------------------------------------ */

static void begin_value(struct items *items, char c)
{
    struct items_list *list = &items->list;
    drop(items, items->at);
    if (c == '{' && items->line_start && list->behind_item)
        list->open = false; /* the end of the list was lost */
    if (c == '[' && !list->open) {
        begin_list(items, (struct items_list){.is_array = true, .begun = items->offset}, TEXT(""));
        items->at++;
        return;
    }
    items->place = c == '{' || c == '[' ? ITEMS_VALUE : ITEMS_WORD;
    list->by_lines = items->line_start;
    list->behind_item = true;
    items->line_start = false;
    items->value = (struct items_value){
        .begun = items->offset, .line = items->newlines + 1, .kept = true, .previous = '['};
}

static void look_for_value(struct items *items)
{
    struct text window = buffer_text(&items->window);
    bool in_list = items->place == ITEMS_LIST;
    for (; items->at < window.length; items->at++) {
        char c = window.data[items->at];
        /* Outside of lists the bytes of a byte order mark are taken as white space. */
        bool is_between = is_space(c) || (in_list ? c == ',' || c == ']'
                                                  : c == '\xef' || c == '\xbb' || c == '\xbf');
        if (!is_between) {
            begin_value(items, c);
            return;
        }
        if (c == ']') {
            end_items(items);
            return;
        }
        items->line_start = c == '\n';
        items->list.behind_item &= c != ',';
    }
}

/* ---- the scan --------------------------------------------------------------------------------- */

static struct frame_line scan_value(struct items *items)
{
    struct items_list list;
    enum step step = scan_brackets(items);
    check_length(items);
    switch (step) {
    case STEP_WHOLE:
    case STEP_NEXT:
        return deliver(items, step == STEP_WHOLE);
    case STEP_LIST:
        list = (struct items_list){.begun = items->value.begun, .version = items->value.version};
        set_name(&list.kind, kind_of_items(name_text(&items->value.kind)));
        begin_list(items, list, (struct text){buffer_text(&items->window).data, items->at});
        break;
    case STEP_ON:
        copy_ahead(items);
        break;
    }
    return (struct frame_line){.kind = FRAME_NONE};
}

/* Scans up to the end of the line; in a list, at most up to the next item. */
static struct frame_line scan_word(struct items *items)
{
    struct text window = buffer_text(&items->window);
    for (; items->at < window.length; items->at++) {
        char c = window.data[items->at];
        if (c == '\n' || (items->list.open && (c == ',' || c == ']')))
            break;
    }
    check_length(items);
    if (items->at == window.length)
        return (struct frame_line){.kind = FRAME_NONE};
    return deliver(items, true);
}

static bool in_value(const struct items *items)
{
    return items->place == ITEMS_VALUE || items->place == ITEMS_WORD;
}

/* All of the window is scanned: drops and frees what is not needed for the rest of the document. */
static void wait_for_more(struct items *items)
{
    bool has_head = in_value(items) && !items->value.kept;
    bool has_begun = in_value(items) && items->value.copied > 0;
    /* The last byte stays where the next document may have begun with it. */
    if (has_head || items->place == ITEMS_TRAILER) {
        drop(items, items->at - 1);
        items->at = 1;
    } else if (!in_value(items)) {
        drop(items, items->at);
    }
    if (items->window.length == 0)
        buffer_fini(&items->window);
    if (items->event.capacity > LARGE_EVENT && !has_head && !has_begun)
        buffer_fini(&items->event);
}

struct frame_line items_next(struct items *items)
{
    struct frame_line line = {.kind = FRAME_NONE};
    drop_taken(items);
    while (line.kind == FRAME_NONE && items->at < items->window.length) {
        switch (items->place) {
        case ITEMS_VALUE:
            line = scan_value(items);
            break;
        case ITEMS_WORD:
            line = scan_word(items);
            break;
        case ITEMS_TRAILER:
            scan_trailer(items);
            break;
        case ITEMS_OUTSIDE:
        case ITEMS_LIST:
            look_for_value(items);
            break;
        }
    }
    if (line.kind == FRAME_NONE)
        wait_for_more(items);
    return line;
}

struct frame_line items_end(struct items *items)
{
    if (in_value(items)) {
        struct buffer *rest = items->value.kept ? &items->window : &items->event;
        return (struct frame_line){FRAME_CUT, buffer_text(rest), value_length(items),
                                   items->value.line};
    }
    if (items->list.open || items->place == ITEMS_TRAILER)
        return (struct frame_line){
            FRAME_CUT, TEXT(""), items->offset + items->at - items->list.begun, items->value.line};
    return (struct frame_line){.kind = FRAME_NONE};
}
