/* json: strict reading of JSON over cJSON (see json.h).
 *
 * lib/normalise checks the text and makes a copy that is always well formed, so that cJSON, which
 * makes the tree of it, can only fail for want of memory. Numbers are strings in that tree, and a
 * NUL is a byte that stands for it; the functions here that look at a value know that. */
#include "lib/json.h"

#include "lib/buffer.h"
#include "lib/normalise.h"
#include "lib/utf8.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

/* More than this is not kept from one document to the next. */
#define SCRATCH_KEPT ((size_t)1 << 20)

struct json {
    struct buffer scratch; /* the normalised copy; of no use once cJSON has read it */
    cJSON *root;           /* the document that was read last, or NULL */
    bool has_nul;          /* NORMALISE_NUL is in it */
    size_t skip_count;
    struct text skip_keys[]; /* borrowed */
};

/* ---- the reader ------------------------------------------------------------------------------ */

struct json *json_new(const char *const *skip_keys)
{
    size_t count = 0;
    while (skip_keys != NULL && skip_keys[count] != NULL)
        count++;
    struct json *json = calloc(1, sizeof(*json) + count * sizeof(json->skip_keys[0]));
    if (json == NULL)
        return NULL;
    buffer_init(&json->scratch, NORMALISE_BOUND(JSON_MAX_TEXT));
    json->skip_count = count;
    for (size_t i = 0; i < count; i++)
        json->skip_keys[i] = text_from(skip_keys[i]);
    return json;
}

static void drop_document(struct json *json)
{
    cJSON_Delete(json->root);
    json->root = NULL;
}

void json_free(struct json *json)
{
    if (json == NULL)
        return;
    drop_document(json);
    buffer_fini(&json->scratch);
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
    char *copy = buffer_room(&json->scratch, NORMALISE_BOUND(text.length), &room);
    if (copy == NULL)
        return no_memory(text, err);

    struct normalise_options options = {JSON_MAX_VALUES, json->skip_count, json->skip_keys};
    struct normalised normalised;
    enum json_result result = normalise(&options, text, copy, &normalised);
    if (result != JSON_OK) {
        (void)error_set(err, ERROR_INPUT, "offset %zu: %s", normalised.offset, normalised.what);
    } else {
        json->has_nul = normalised.has_nul;
        json->root = cJSON_ParseWithLengthOpts(copy, normalised.length + 1, NULL, true);
        if (json->root == NULL)
            result = no_memory(text, err);
    }
    if (json->scratch.capacity > SCRATCH_KEPT)
        buffer_fini(&json->scratch);
    *root = json->root;
    return result;
}

/* ---- looking at a document ------------------------------------------------------------------- */

const json_value *json_member(const json_value *value, const char *key)
{
    const cJSON *found = NULL;
    if (!json_is_object(value))
        return NULL;
    for (const cJSON *member = value->child; member != NULL; member = member->next) {
        if (strcmp(member->string, key) == 0)
            found = member;
    }
    return cJSON_IsNull(found) ? NULL : found;
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

bool json_is_object(const json_value *value)
{
    return cJSON_IsObject(value);
}

bool json_is_array(const json_value *value)
{
    return cJSON_IsArray(value);
}

bool json_is_string(const json_value *value)
{
    return cJSON_IsString(value) && value->valuestring[0] != NORMALISE_NUMBER;
}

bool json_is_number(const json_value *value)
{
    return cJSON_IsString(value) && value->valuestring[0] == NORMALISE_NUMBER;
}

bool json_is_true(const json_value *value)
{
    return cJSON_IsTrue(value);
}

bool json_is_null(const json_value *value)
{
    return cJSON_IsNull(value);
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

/* Puts the NULs back where they were. As strlen() is then of no more use, the length goes where
 * cJSON has the value of a number, which is 0 for a string. */
static void restore_nuls(cJSON *string)
{
    size_t length = strlen(string->valuestring);
    char *at = string->valuestring;
    while ((at = memchr(at, NORMALISE_NUL, length - (size_t)(at - string->valuestring))) != NULL)
        *at = '\0';
    string->valueint = (int)length;
}

bool json_text(struct json *json, const json_value *value, struct text *text)
{
    if (!json_is_string(value))
        return false;
    if (json->has_nul && strchr(value->valuestring, NORMALISE_NUL) != NULL)
        restore_nuls((cJSON *)value);
    *text = value->valueint == 0 ? text_from(value->valuestring)
                                 : (struct text){value->valuestring, (size_t)value->valueint};
    return true;
}

bool json_number_text(const json_value *value, struct text *text)
{
    if (!json_is_number(value))
        return false;
    *text = text_from(value->valuestring + 1);
    return true;
}

bool json_integer(const json_value *value, int64_t *integer)
{
    if (!json_is_number(value))
        return false;
    char *end;
    errno = 0;
    long long parsed = strtoll(value->valuestring + 1, &end, 10);
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
        size_t length = utf8_character((struct text){sequence, text.length - at});
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
