/* logger: writes log records to stderr, one write() each; may be called from any thread, and never waits
 * for whoever reads them. */
#ifndef SIDECAR_LOGGER_H
#define SIDECAR_LOGGER_H

#include "lib/base/error.h"
#include "lib/base/log.h"

struct logger;

/* A record has at most so many fields; further ones are left out. */
#define LOGGER_MAX_FIELDS 32

enum error_code logger_new(int fd, enum log_level level, enum log_format format,
                           struct logger **logger, struct error *err) MUST_CHECK;

/* Waits until all records are written, but at most a second. */
void logger_flush(struct logger *logger);

/* Flushes first. logger may be NULL. */
void logger_free(struct logger *logger);

/* How many records were dropped because nobody read those before them. May be called from any thread. */
uint64_t logger_dropped(struct logger *logger);

/* Writes a record. message: a string literal, the same for all records of one site; what varies goes into
 * fields. The rate of records is limited by site (lib/base/log.h), and the field `suppressed` counts records
 * that were left out. A record whose write fails is lost: logging never stops the work. */
void logger_write(struct logger *logger, enum log_level level, const char *message,
                  const struct log_field *fields, size_t field_count);

/* Writes a record as logger_write() does, but without the rate limit: for records whose rate is a setting,
 * or that are written once. */
void logger_write_always(struct logger *logger, enum log_level level, const char *message,
                         const struct log_field *fields, size_t field_count);

/* LOG(logger, INFO, "connected", log_string("host", host), log_int("port", port)) */
#define LOG(logger, level, message, ...)                                                           \
    logger_write((logger), LOG_LEVEL_##level, (message), (const struct log_field[]){__VA_ARGS__},  \
                 sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
