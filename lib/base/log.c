/* log: escaping, layout and rate limit of log records.
 *
 * The JSON of a record is written here and not by lib/json/write, since lib/json lies above lib/base, and
 * since logfmt and JSON share their escapes: a value has the same escapes in both formats. */
#include "lib/base/log.h"

#include "lib/base/timestamp.h"
#include "lib/base/utf8.h"

#include <inttypes.h>

#define CUT_MARKER  "..."
#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

const char *const log_level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error",
    NULL,
};

const char *const log_format_names[] = {
    [LOG_FORMAT_LOGFMT] = "logfmt",
    [LOG_FORMAT_JSON] = "json",
    NULL,
};

/* Returns the number of a control character of ASCII or Latin-1 (U+0080..U+009F), which terminals obey; -1
 * for all other characters. */
static int control_number(struct text character)
{
    unsigned char first = (unsigned char)character.data[0];
    unsigned char last = (unsigned char)character.data[character.length - 1];
    bool is_control = first < 0x20 || first == 0x7F || (first == 0xC2 && last < 0xA0);
    return is_control ? last : -1;
}

static void append_escaped(struct buffer *out, struct text character)
{
    int control = control_number(character);
    if (character.data[0] == '"' || character.data[0] == '\\') {
        buffer_append_char(out, '\\');
        buffer_append(out, character);
    } else if (control == '\n') {
        buffer_append_string(out, "\\n");
    } else if (control == '\r') {
        buffer_append_string(out, "\\r");
    } else if (control == '\t') {
        buffer_append_string(out, "\\t");
    } else if (control >= 0) {
        buffer_appendf(out, "\\u%04x", (unsigned)control);
    } else {
        buffer_append(out, character);
    }
}

static void append_quoted(struct buffer *out, struct text text)
{
    size_t used = 0;
    buffer_append_char(out, '"');
    while (used < text.length) {
        const char *next = text.data + used;
        size_t length = utf8_character((struct text){next, text.length - used});
        size_t taken = length > 0 ? length : 1;
        if (used + taken > LOG_TEXT_MAX) {
            buffer_append_string(out, CUT_MARKER);
            break;
        }
        if (length > 0)
            append_escaped(out, (struct text){next, length});
        else
            buffer_append_string(out, REPLACEMENT);
        used += taken;
    }
    buffer_append_char(out, '"');
}

/* Returns whether a value may stand without quotes in logfmt. */
static bool is_bare(struct text text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=')
            return false;
    }
    return text.length > 0 && text.length <= LOG_TEXT_MAX;
}

void log_format_record(struct buffer *out, enum log_format format, int64_t now_us,
                       enum log_level level, const char *message, const struct log_field *fields,
                       size_t field_count)
{
    char time[TIMESTAMP_TEXT_SIZE];
    timestamp_format(now_us, time);
    buffer_appendf(out,
                   format == LOG_FORMAT_JSON ? "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":"
                                             : "time=%s level=%s msg=",
                   time, log_level_names[level]);
    append_quoted(out, text_from(message));
    for (size_t i = 0; i < field_count; i++) {
        const struct log_field *field = &fields[i];
        buffer_appendf(out, format == LOG_FORMAT_JSON ? ",\"%s\":" : " %s=", field->key);
        if (!field->is_text)
            buffer_appendf(out, "%" PRId64, field->integer);
        else if (format == LOG_FORMAT_LOGFMT && is_bare(field->text))
            buffer_append(out, field->text);
        else
            append_quoted(out, field->text);
    }
    buffer_append_string(out, format == LOG_FORMAT_JSON ? "}\n" : "\n");
}

/* Returns the site of the message, or the last site if all are taken by other messages. */
static struct log_site *find_site(struct log_limiter *limiter, const char *message, uint32_t burst,
                                  int64_t now_us)
{
    for (size_t i = 0; i < LOG_SITES; i++) {
        struct log_site *site = &limiter->sites[i];
        if (site->message == NULL)
            *site = (struct log_site){.message = message, .refilled_us = now_us, .tokens = burst};
        if (site->message == message || strcmp(site->message, message) == 0)
            return site;
    }
    return &limiter->sites[LOG_SITES - 1];
}

/* Adds the tokens for the time that has passed. A full bucket gets none: its time begins when the first token
 * is taken. */
static void refill(struct log_site *site, uint32_t burst, int64_t now_us)
{
    int64_t earned = (now_us - site->refilled_us) / LOG_INTERVAL_US;
    if (earned >= (int64_t)burst - (int64_t)site->tokens) {
        site->tokens = burst;
        site->refilled_us = now_us;
    } else {
        site->tokens += (uint32_t)earned;
        site->refilled_us += earned * LOG_INTERVAL_US;
    }
}

bool log_limiter_admit(struct log_limiter *limiter, const char *message, uint32_t burst,
                       int64_t now_us, uint32_t *suppressed)
{
    struct log_site *site = find_site(limiter, message, burst, now_us);
    refill(site, burst, now_us);
    if (site->tokens == 0) {
        if (site->suppressed < UINT32_MAX)
            site->suppressed++;
        return false;
    }
    site->tokens--;
    *suppressed = site->suppressed;
    site->suppressed = 0;
    return true;
}
