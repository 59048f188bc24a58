/* json: strict reading of JSON over cJSON (see json.h).
 *
 * lib/json_parse makes the tree. Its strings lie in `scratch`, and numbers are texts in it; the
 * functions here that look at a value know that. */
#include "lib/json/json.h"

#include "lib/base/buffer.h"
#include "lib/base/utf8.h"
#include "lib/json/json_parse.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

/* More than this is not kept from one document to the next. */
#define SCRATCH_KEPT ((size_t)1 << 20)

struct json {
    struct pool nodes;     /* of the document that was read last */
    struct buffer scratch; /* its strings */
    struct mask *mask;     /* NULL: all is read */
};

/* ---- the reader ------------------------------------------------------------------------------ */

struct json *json_new(void)
{
    struct json *json = calloc(1, sizeof(*json));
    if (json == NULL)
        return NULL;
    pool_init(&json->nodes, sizeof(cJSON));
    buffer_init(&json->scratch, JSON_PARSE_BOUND(JSON_MAX_TEXT));
    return json;
}

bool json_keep(struct json *json, const char *base, const char *const *paths)
{
    if (json->mask == NULL)
        json->mask = mask_new();
    struct mask *below = json->mask == NULL ? NULL : mask_reach(json->mask, base);
    if (below == NULL)
        return false;
    for (; *paths != NULL; paths++) {
        struct mask *end = mask_reach(below, *paths);
        if (end == NULL)
            return false;
        end->whole = true;
    }
    return true;
}

static void drop_document(struct json *json)
{
    pool_reset(&json->nodes);
    if (json->scratch.capacity > SCRATCH_KEPT)
        buffer_fini(&json->scratch);
}

void json_free(struct json *json)
{
    if (json == NULL)
        return;
    pool_fini(&json->nodes);
    buffer_fini(&json->scratch);
    mask_free(json->mask);
    free(json);
}

static enum json_result no_memory(struct text text, struct error *err)
{
    (void)error_set(err, ERROR_NOMEM, "no memory for a document of %zu bytes", text.length);
    return JSON_NO_MEMORY;
}

enum json_result json_read(struct json *json, struct text text, const json_value **root,
                           struct error *err)
{
    *root = NULL;
    drop_document(json);
    if (text.length > JSON_MAX_TEXT) {
        (void)error_set(err, ERROR_INPUT, "a document of %zu bytes is too long", text.length);
        return JSON_NO_MEMORY;
    }
    size_t room;
    char *strings = buffer_room(&json->scratch, JSON_PARSE_BOUND(text.length), &room);
    if (strings == NULL)
        return no_memory(text, err);

    const struct mask *mask = json->mask != NULL ? json->mask : &mask_whole;
    struct json_parsed parsed;
    enum json_result result =
        json_parse(mask, JSON_MAX_VALUES, text, strings, &json->nodes, &parsed);
    *root = parsed.root;
    if (result == JSON_OK)
        return JSON_OK;
    drop_document(json);
    if (parsed.what == NULL)
        return no_memory(text, err);
    (void)error_set(err, ERROR_INPUT, "offset %zu: %s", parsed.offset, parsed.what);
    return result;
}

/* ---- looking at a document ------------------------------------------------------------------- */

const json_value *json_member(const json_value *value, const char *key)
{
    const cJSON *found = NULL;
    if (!json_is_object(value))
        return NULL;
    for (const cJSON *member = value->child; member != NULL; member = member->next) {
        if (member->string[0] == key[0] && strcmp(member->string, key) == 0)
            found = member;
    }
    return json_is_null(found) ? NULL : found;
}

const json_value *json_path(const json_value *value, ...)
{
    va_list keys;
    va_start(keys, value);
    for (const char *key = va_arg(keys, const char *); key != NULL;
         key = va_arg(keys, const char *))
        value = json_member(value, key);
    va_end(keys);
    return value;
}

/* What json_parse makes has no flags beside its type. */
static bool is_of(const json_value *value, int type)
{
    return value != NULL && value->type == type;
}

bool json_is_object(const json_value *value)
{
    return is_of(value, cJSON_Object);
}

bool json_is_array(const json_value *value)
{
    return is_of(value, cJSON_Array);
}

bool json_is_string(const json_value *value)
{
    return is_of(value, cJSON_String);
}

bool json_is_number(const json_value *value)
{
    return is_of(value, cJSON_Raw);
}

bool json_is_true(const json_value *value)
{
    return is_of(value, cJSON_True);
}

bool json_is_null(const json_value *value)
{
    return is_of(value, cJSON_NULL);
}

const json_value *json_first(const json_value *value)
{
    return value == NULL ? NULL : value->child;
}

const json_value *json_next(const json_value *element)
{
    return element == NULL ? NULL : element->next;
}

struct text json_key(const json_value *member)
{
    return member == NULL || member->string == NULL ? TEXT("") : text_from(member->string);
}

static struct text text_of(const json_value *value)
{
    return (struct text){value->valuestring, (size_t)value->valueint};
}

bool json_text(const json_value *value, struct text *text)
{
    if (!json_is_string(value))
        return false;
    *text = text_of(value);
    return true;
}

bool json_number_text(const json_value *value, struct text *text)
{
    if (!json_is_number(value))
        return false;
    *text = text_of(value);
    return true;
}

bool json_integer(const json_value *value, int64_t *integer)
{
    if (!json_is_number(value))
        return false;
    char *end;
    errno = 0;
    long long parsed = strtoll(value->valuestring, &end, 10);
    if (*end != '\0' || errno == ERANGE)
        return false;
    *integer = parsed;
    return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void append_ascii_escape(struct buffer *out, char c)
{
    switch (c) {
    case '"':
        buffer_append(out, TEXT("\\\""));
        break;
    case '\\':
        buffer_append(out, TEXT("\\\\"));
        break;
    case '\n':
        buffer_append(out, TEXT("\\n"));
        break;
    case '\r':
        buffer_append(out, TEXT("\\r"));
        break;
    case '\t':
        buffer_append(out, TEXT("\\t"));
        break;
    default:
        buffer_appendf(out, "\\u%04x", (unsigned int)c);
        break;
    }
}

/* ASCII that Go does not write as it is; < > & so that the text can stand in HTML. */
static bool is_escaped(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&';
}

/* The line separators, which JavaScript does not allow in a string. */
static bool is_line_separator(const char *sequence, size_t length)
{
    return length == 3 && memcmp(sequence, "\xe2\x80", 2) == 0 && (sequence[2] & 0xfe) == 0xa8;
}

void json_append_string(struct buffer *out, struct text text)
{
    size_t copied = 0; /* up to here it is written */
    size_t at = 0;
    buffer_append_char(out, '"');
    while (at < text.length) {
        const char *sequence = text.data + at;
        bool ascii = (unsigned char)*sequence < 0x80;
        size_t length = ascii ? 1 : utf8_character((struct text){sequence, text.length - at});
        bool separator = is_line_separator(sequence, length);
        if (length > 0 && !separator && !is_escaped(*sequence)) {
            at += length;
            continue;
        }
        buffer_append(out, (struct text){text.data + copied, at - copied});
        if (length == 0)
            buffer_append(out, TEXT("\\ufffd"));
        else if (separator)
            buffer_append(out, (sequence[2] & 1) == 0 ? TEXT("\\u2028") : TEXT("\\u2029"));
        else
            append_ascii_escape(out, *sequence);
        at += length > 0 ? length : 1;
        copied = at;
    }
    if (at > copied)
        buffer_append(out, (struct text){text.data + copied, at - copied});
    buffer_append_char(out, '"');
}
