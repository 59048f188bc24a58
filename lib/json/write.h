/* write: JSON, the other way round: the only place that prints it (but for lib/base/log, which lies below).
 *
 * The writer places quotes, commas and closing brackets. What is appended is well formed if every
 * json_begin_...() has its json_end(), and if values in an object have names and those in an array none:
 *
 *     struct json_writer writer = json_writer(out);
 *     json_begin_object(&writer, NULL);
 *     json_write_string(&writer, "kind", "TFJob");
 *     json_begin_array(&writer, "names");
 *     json_write_string(&writer, NULL, "a");
 *     json_end(&writer);
 *     json_end(&writer);                        {"kind":"TFJob","names":["a"]}
 *
 * Whether all found room is in out->failed. */
#ifndef LIB_WRITE_H
#define LIB_WRITE_H

#include "lib/base/buffer.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define JSON_WRITE_MAX_DEPTH 64

struct json_writer {
    struct buffer *out; /* borrowed */
    uint64_t arrays;    /* a bit for each open container, the innermost lowest: is it an array */
    unsigned depth;     /* containers that are open */
    bool comma;         /* another value must have one before it */
};

static inline struct json_writer json_writer(struct buffer *out)
{
    return (struct json_writer){.out = out};
}

/* name: of the member that is begun, or written; NULL: an element of an array, the document itself, or
 * the value behind json_write_name(). At most JSON_WRITE_MAX_DEPTH containers are open. */
void json_begin_object(struct json_writer *writer, const char *name);
void json_begin_array(struct json_writer *writer, const char *name);
void json_end(struct json_writer *writer);

/* Writes the name of a member whose value is written next without a name. It is for names that are no
 * literals. */
void json_write_name(struct json_writer *writer, struct text name);

void json_write_text(struct json_writer *writer, const char *name, struct text value);
void json_write_string(struct json_writer *writer, const char *name, const char *value);
void json_write_integer(struct json_writer *writer, const char *name, int64_t value);
void json_write_bool(struct json_writer *writer, const char *name, bool value);
void json_write_null(struct json_writer *writer, const char *name);

/* Writes three decimals, and null for infinity and NaN, which JSON does not have. */
void json_write_real(struct json_writer *writer, const char *name, double value);

/* Writes the time as a string in RFC 3339 and UTC, as timestamp_format() does. */
void json_write_time(struct json_writer *writer, const char *name, int64_t microseconds);

/* Writes a value that is JSON already, such as a number as text, or an object that was read. */
void json_write_raw(struct json_writer *writer, const char *name, struct text json);

/* Appends text as a JSON string with its quotes, escaped as Go's encoding/json does (what KubeDL's
 * own rows look like): < > & U+2028 U+2029 as \uXXXX, other non-ASCII raw, invalid UTF-8 as \ufffd. */
void json_append_string(struct buffer *out, struct text text);

#endif
