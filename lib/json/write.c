/* write: what is printed of JSON (see write.h). */
#include "lib/json/write.h"

#include "lib/base/invariant.h"
#include "lib/base/timestamp.h"
#include "lib/base/utf8.h"

#include <inttypes.h>
#include <math.h>

/* ---- strings --------------------------------------------------------------------------------- */

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

/* ASCII that Go writes as it is: not < > &, so that the text can stand in HTML. */
static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\' &&
           c != '<' && c != '>' && c != '&';
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
        if (is_plain(*sequence)) {
            at++;
            continue;
        }
        bool ascii = (unsigned char)*sequence < 0x80;
        size_t length = ascii ? 1 : utf8_character((struct text){sequence, text.length - at});
        bool separator = is_line_separator(sequence, length);
        if (length > 1 && !separator) {
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

/* ---- values ---------------------------------------------------------------------------------- */

/* What stands before a value: the comma, and its name where it has one. */
static void begin_value(struct json_writer *writer, const char *name)
{
    if (name != NULL)
        json_write_name(writer, text_from(name));
    else if (writer->comma)
        buffer_append_char(writer->out, ',');
    writer->comma = true;
}

static void begin_container(struct json_writer *writer, const char *name, bool is_array)
{
    invariant(writer->depth < JSON_WRITE_MAX_DEPTH);
    begin_value(writer, name);
    buffer_append_char(writer->out, is_array ? '[' : '{');
    writer->arrays = writer->arrays << 1 | (is_array ? 1 : 0);
    writer->depth++;
    writer->comma = false;
}

void json_begin_object(struct json_writer *writer, const char *name)
{
    begin_container(writer, name, false);
}

void json_begin_array(struct json_writer *writer, const char *name)
{
    begin_container(writer, name, true);
}

void json_end(struct json_writer *writer)
{
    invariant(writer->depth > 0);
    buffer_append_char(writer->out, (writer->arrays & 1) != 0 ? ']' : '}');
    writer->arrays >>= 1;
    writer->depth--;
    writer->comma = true;
}

void json_write_name(struct json_writer *writer, struct text name)
{
    if (writer->comma)
        buffer_append_char(writer->out, ',');
    json_append_string(writer->out, name);
    buffer_append_char(writer->out, ':');
    writer->comma = false;
}

void json_write_raw(struct json_writer *writer, const char *name, struct text json)
{
    begin_value(writer, name);
    buffer_append(writer->out, json);
}

void json_write_text(struct json_writer *writer, const char *name, struct text value)
{
    begin_value(writer, name);
    json_append_string(writer->out, value);
}

void json_write_string(struct json_writer *writer, const char *name, const char *value)
{
    json_write_text(writer, name, text_from(value));
}

void json_write_integer(struct json_writer *writer, const char *name, int64_t value)
{
    begin_value(writer, name);
    buffer_appendf(writer->out, "%" PRId64, value);
}

void json_write_bool(struct json_writer *writer, const char *name, bool value)
{
    json_write_raw(writer, name, value ? TEXT("true") : TEXT("false"));
}

void json_write_null(struct json_writer *writer, const char *name)
{
    json_write_raw(writer, name, TEXT("null"));
}

void json_write_real(struct json_writer *writer, const char *name, double value)
{
    begin_value(writer, name);
    buffer_appendf(writer->out, isfinite(value) ? "%.3f" : "null", value);
}

void json_write_time(struct json_writer *writer, const char *name, int64_t microseconds)
{
    char text[TIMESTAMP_TEXT_SIZE];
    json_write_text(writer, name, (struct text){text, timestamp_format(microseconds, text)});
}
