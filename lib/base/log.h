/* log: one record of the log as a line of logfmt or JSON, and a rate limit for each kind of record.
 * Pure: the time is an argument, the line goes to a buffer. sidecar/logger writes it. */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include "lib/base/buffer.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

/* The names of the levels and of the formats, by number; each list ends in NULL. */
extern const char *const log_level_names[];
extern const char *const log_format_names[];

/* Bytes of a text in a record; longer texts are cut. Statements that are logged for a DBA are shorter. */
#define LOG_TEXT_MAX 4096

struct log_field {
    const char *key; /* snake_case; not escaped */
    bool is_text;
    struct text text; /* any bytes: escaped, invalid UTF-8 replaced, cut at LOG_TEXT_MAX */
    int64_t integer;
};

static inline struct log_field log_text(const char *key, struct text text)
{
    return (struct log_field){.key = key, .is_text = true, .text = text};
}

static inline struct log_field log_string(const char *key, const char *string)
{
    return log_text(key, text_from(string));
}

static inline struct log_field log_int(const char *key, int64_t integer)
{
    return (struct log_field){.key = key, .integer = integer};
}

/* Appends one line, newline included: time, level, msg, then the fields.
 *   logfmt: time=2026-11-23T08:17:31.123456Z level=info msg="connected" host=db
 *   JSON:   {"time":"...","level":"info","msg":"connected","host":"db"} */
void log_format_record(struct buffer *out, enum log_format format, int64_t now_us,
                       enum log_level level, const char *message, const struct log_field *fields,
                       size_t field_count);

/* The rate limit has a token bucket for each message text (a "site"): a burst of records may go out at once,
 * then one record every LOG_INTERVAL_US. */
#define LOG_SITES       256
#define LOG_BURST       10
#define LOG_BURST_INFO  100 /* one for each connection or kind is no flood */
#define LOG_INTERVAL_US 10000000

struct log_site {
    const char *message;
    int64_t refilled_us;
    uint32_t tokens;
    uint32_t suppressed; /* since the last record that was let through */
};

struct log_limiter {
    struct log_site sites[LOG_SITES];
};

/* Returns true if the record may go out; *suppressed then counts the records of its site that were held back
 * since the last one. Once all sites are taken, further messages share the last one. burst: the same for all
 * records of a site. now_us: microseconds of a clock that is never set back. */
bool log_limiter_admit(struct log_limiter *limiter, const char *message, uint32_t burst,
                       int64_t now_us, uint32_t *suppressed);

#endif
