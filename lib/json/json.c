/* json: strict reading of JSON by cJSON (see json.h).
 *
 * lib/json/strain checks a document and copies the part of it that is read; cJSON parses the copy. All of
 * cJSON's allocations for it come from one block of memory, which is used again for the next document:
 * malloc() would be a third of cJSON's time, and nothing has to be freed one by one. cJSON's hooks get
 * nothing but a size, so a thread-local variable tells them the block while cJSON parses. */
#include "lib/json/json.h"

#include "lib/base/buffer.h"
#include "lib/base/memory.h"
#include "lib/json/strain.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Each of the two buffers keeps at most so many bytes from one document to the next. */
#define MEMORY_KEPT ((size_t)1 << 20)

struct json {
    struct mask *mask;      /* NULL: all is read */
    struct buffer strained; /* of the document that was read last */
    struct buffer tree;     /* what cJSON made of it */
};

/* ---- memory for cJSON ------------------------------------------------------------------------ */

#define ALIGNMENT _Alignof(max_align_t)

/* The most memory that the tree takes: for each value a node, and its key and its string, both with a NUL and
 * rounded up. */
#define TREE_BOUND(values, bytes) ((values) * (sizeof(cJSON) + 2 * ALIGNMENT) + (bytes))

/* The block from which cJSON allocates while it parses in this thread; NULL: it calls malloc(). */
static _Thread_local struct buffer *parsing_into;

static void *allocate(size_t bytes)
{
    if (parsing_into == NULL)
        return malloc(bytes);
    size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (parsing_into->capacity - parsing_into->length < rounded)
        return NULL;
    void *memory = parsing_into->data + parsing_into->length;
    parsing_into->length += rounded;
    return memory;
}

static void release(void *memory)
{
    if (parsing_into == NULL)
        free(memory);
}

/* The hooks hold for the whole process, so they are set before there is a second thread. */
__attribute__((constructor)) static void set_hooks(void)
{
    cJSON_Hooks hooks = {.malloc_fn = allocate, .free_fn = release};
    cJSON_InitHooks(&hooks);
}

/* Returns NULL only if there is no memory, since cJSON accepts every text that strain() has made. */
static const cJSON *parse(struct json *json, const struct strained *strained)
{
    size_t room;
    buffer_commit(&json->strained, strained->length);
    struct text text = buffer_text(&json->strained);
    if (buffer_room(&json->tree, TREE_BOUND(strained->values, text.length), &room) == NULL)
        return NULL;
    parsing_into = &json->tree;
    const cJSON *root = cJSON_ParseWithLengthOpts(text.data, text.length, NULL, false);
    parsing_into = NULL;
    return root;
}

/* ---- the reader ------------------------------------------------------------------------------ */

struct json *json_new(void)
{
    struct json *json = memory_new(sizeof(*json));
    buffer_init(&json->strained, STRAIN_BOUND(JSON_MAX_TEXT));
    buffer_init(&json->tree, TREE_BOUND(JSON_MAX_VALUES, STRAIN_BOUND(JSON_MAX_TEXT)));
    return json;
}

void json_keep(struct json *json, const char *base, const char *const *paths)
{
    if (json->mask == NULL)
        json->mask = mask_new();
    struct mask *below = mask_reach(json->mask, base);
    for (; *paths != NULL; paths++)
        mask_reach(below, *paths)->whole = true;
}

static void drop_document(struct json *json)
{
    buffer_reset(&json->tree);
    buffer_reset(&json->strained);
    if (json->tree.capacity > MEMORY_KEPT)
        buffer_fini(&json->tree);
    if (json->strained.capacity > MEMORY_KEPT)
        buffer_fini(&json->strained);
}

void json_free(struct json *json)
{
    if (json == NULL)
        return;
    buffer_fini(&json->tree);
    buffer_fini(&json->strained);
    mask_free(json->mask);
    free(json);
}

static enum json_result no_memory(struct text text, struct error *err)
{
    (void)error_set(err, ERROR_NOMEM, "no memory for a document of %zu bytes", text.length);
    return JSON_NO_MEMORY;
}

/* Returns the room for what strain() copies of the text; NULL if there is no memory. */
static char *room_for(struct json *json, struct text text)
{
    size_t room;
    drop_document(json);
    return buffer_room(&json->strained, STRAIN_BOUND(text.length) + 1, &room);
}

static const struct mask *mask_of(const struct json *json)
{
    return json->mask != NULL ? json->mask : &mask_whole;
}

enum json_result json_read(struct json *json, struct text text, const json_value **root,
                           struct error *err)
{
    *root = NULL;
    if (text.length > JSON_MAX_TEXT) {
        drop_document(json);
        (void)error_set(err, ERROR_INPUT, "a document of %zu bytes is too long", text.length);
        return JSON_NO_MEMORY;
    }
    char *out = room_for(json, text);
    if (out == NULL)
        return no_memory(text, err);

    struct strained strained;
    enum json_result result = strain(mask_of(json), JSON_MAX_VALUES, text, out, &strained);
    if (result != JSON_OK) {
        drop_document(json);
        (void)error_set(err, ERROR_INPUT, "offset %zu: %s", strained.offset, strained.what);
        return result;
    }
    *root = parse(json, &strained);
    return *root != NULL ? JSON_OK : no_memory(text, err);
}

const json_value *json_read_beginning(struct json *json, struct text text)
{
    struct strained strained;
    char *out = text.length > JSON_MAX_TEXT ? NULL : room_for(json, text);
    if (out == NULL || !strain_beginning(mask_of(json), JSON_MAX_VALUES, text, out, &strained))
        return NULL;
    return parse(json, &strained);
}

/* ---- looking at a document ------------------------------------------------------------------- */

_Static_assert((int)JSON_FALSE == cJSON_False && (int)JSON_TRUE == cJSON_True &&
                   (int)JSON_NULL == cJSON_NULL && (int)JSON_NUMBER == cJSON_Number &&
                   (int)JSON_STRING == cJSON_String && (int)JSON_ARRAY == cJSON_Array &&
                   (int)JSON_OBJECT == cJSON_Object,
               "the types have cJSON's numbers");

/* cJSON sets no flags beside the type of what it parses. */
enum json_type json_type(const json_value *value)
{
    return value != NULL ? (enum json_type)value->type : JSON_ABSENT;
}

const json_value *json_member(const json_value *value, const char *key)
{
    const cJSON *found = NULL;
    if (json_type(value) != JSON_OBJECT)
        return NULL;
    for (const cJSON *member = value->child; member != NULL; member = member->next) {
        if (member->string[0] == key[0] && strcmp(member->string, key) == 0)
            found = member;
    }
    return json_type(found) == JSON_NULL ? NULL : found;
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

bool json_text(const json_value *value, struct text *text)
{
    if (json_type(value) != JSON_STRING)
        return false;
    *text = text_from(value->valuestring);
    return true;
}

bool json_number_text(const json_value *value, char number[JSON_NUMBER_SIZE], struct text *text)
{
    if (json_type(value) != JSON_NUMBER)
        return false;
    int digits = 15;
    do
        (void)snprintf(number, JSON_NUMBER_SIZE, "%.*g", digits, value->valuedouble);
    while (strtod(number, NULL) != value->valuedouble && ++digits <= 17);
    *text = text_from(number);
    return true;
}

bool json_integer(const json_value *value, int64_t *integer)
{
    if (json_type(value) != JSON_NUMBER || !(fabs(value->valuedouble) <= JSON_MAX_INTEGER) ||
        value->valuedouble != floor(value->valuedouble))
        return false;
    *integer = (int64_t)value->valuedouble;
    return true;
}
