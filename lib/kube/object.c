/* object: reads single fields (see object.h). */
#include "lib/kube/object.h"

#include "lib/base/timestamp.h"

#define SECOND_US INT64_C(1000000)

/* 0001-01-01T00:00:00Z: how Go programs write a time that was never set. */
#define GO_ZERO_TIME_US (INT64_C(-62135596800) * SECOND_US)

/* 1970-01-01T00:00:00Z: how containerd writes the start of a container that could not be started. */
#define UNIX_ZERO_TIME_US INT64_C(0)

/* 1000-01-01T00:00:00Z, the first DATETIME that databases promise to keep. */
#define FIRST_DATETIME_US (INT64_C(-30610224000) * SECOND_US)

#define UID_MAX_LENGTH 64

const char *const object_paths[] = {
    "metadata name",
    "metadata namespace",
    "metadata uid",
    "metadata resourceVersion",
    "metadata deletionTimestamp",
    NULL,
};

/* The text of a field that is not optional (uid, resourceVersion): one of a wrong type is not counted
 * here, since lib/kube/watch checks it and refuses the document. */
static struct text plain_text(const json_value *parent, const char *key, struct text if_absent)
{
    const json_value *value = json_member(parent, key);
    struct text text = TEXT("");
    if (value == NULL)
        return if_absent;
    return json_text(value, &text) && text.length == 0 ? if_absent : text;
}

void object_init(struct object *object, const json_value *root, bool gone, int64_t received_us)
{
    *object = (struct object){
        .root = root,
        .gone = gone,
        .received_us = received_us,
    };
    object->metadata = object_child(object, root, "metadata");
    object->name = object_text(object, object->metadata, "name");
    object->namespace = object_text(object, object->metadata, "namespace");
    object->uid = plain_text(object->metadata, "uid", TEXT(""));
    object->version = plain_text(object->metadata, "resourceVersion", TEXT("0"));
}

void object_refuse(struct object *object, const char *key)
{
    if (object->bad_fields++ == 0)
        object->first_bad_field = key;
}

/* The member; NULL if there is none. A parent that is neither an object nor null, as an element of a list
 * may be, is counted as malformed. */
static const json_value *member(struct object *object, const json_value *parent, const char *key)
{
    const json_value *value = json_member(parent, key);
    if (value == NULL && parent != NULL && json_type(parent) != JSON_OBJECT &&
        json_type(parent) != JSON_NULL)
        object_refuse(object, key);
    return value;
}

static const json_value *member_of_type(struct object *object, const json_value *parent,
                                        const char *key, enum json_type type)
{
    const json_value *value = member(object, parent, key);
    if (value == NULL || json_type(value) == type)
        return value;
    object_refuse(object, key);
    return NULL;
}

const json_value *object_child(struct object *object, const json_value *parent, const char *key)
{
    return member_of_type(object, parent, key, JSON_OBJECT);
}

const json_value *object_list(struct object *object, const json_value *parent, const char *key)
{
    return member_of_type(object, parent, key, JSON_ARRAY);
}

bool object_find_text(struct object *object, const json_value *parent, const char *key,
                      struct text *text)
{
    const json_value *value = member(object, parent, key);
    *text = TEXT("");
    if (value == NULL)
        return false;
    if (json_text(value, text))
        return true;
    object_refuse(object, key);
    return false;
}

struct text object_text(struct object *object, const json_value *parent, const char *key)
{
    struct text text;
    (void)object_find_text(object, parent, key, &text);
    return text;
}

int64_t object_integer(struct object *object, const json_value *parent, const char *key)
{
    const json_value *value = member(object, parent, key);
    int64_t integer = 0;
    if (value != NULL && !json_integer(value, &integer))
        object_refuse(object, key);
    return integer;
}

struct cell object_time(struct object *object, const json_value *parent, const char *key)
{
    struct text text;
    if (!object_find_text(object, parent, key, &text))
        return cell_null();
    int64_t microseconds = 0;
    bool is_time = timestamp_parse(text, &microseconds) == ERROR_NONE;
    bool is_unset =
        is_time && (microseconds == GO_ZERO_TIME_US || microseconds == UNIX_ZERO_TIME_US);
    if (is_time && !is_unset && microseconds >= FIRST_DATETIME_US)
        return cell_time(microseconds);
    if (!is_unset)
        object_refuse(object, key);
    return cell_null();
}

struct cell object_later(struct cell a, struct cell b)
{
    if (a.type == CELL_NULL)
        return b;
    return b.type != CELL_NULL && b.integer > a.integer ? b : a;
}

struct cell object_stopped(struct object *object, struct cell stated)
{
    struct cell received = cell_time(object->received_us);
    if (!object->gone)
        return stated.type != CELL_NULL ? stated : received;
    struct cell deletion = object_time(object, object->metadata, "deletionTimestamp");
    if (deletion.type != CELL_NULL && deletion.integer <= object->received_us)
        stated = object_later(stated, deletion);
    return stated.type != CELL_NULL ? stated : received;
}

bool object_is_uid(struct text text)
{
    if (text.length == 0 || text.length > UID_MAX_LENGTH)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '!' || text.data[i] > '~')
            return false;
    }
    return true;
}

struct cell object_text_or_null(struct text text)
{
    return text.length > 0 ? cell_text(text) : cell_null();
}
