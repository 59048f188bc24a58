/* listing: formats rows of job_info and replica_info, as a table for people and as JSON for programs.
 *
 * A row is the values of its table's columns, in that order, as the database gives them as text;
 * .data == NULL for NULL, and for a column that the table does not have. */
#ifndef LIB_LISTING_H
#define LIB_LISTING_H

#include "lib/base/buffer.h"
#include "lib/base/text.h"
#include "lib/json/json.h"
#include "lib/rows/table.h"
#include "lib/show/columns.h"

#include <stdbool.h>
#include <stdint.h>

struct listing {
    const struct table *table;
    struct json *json; /* to read what the rows hold of it; borrowed */
    int64_t now_us;    /* ages are counted up to here */
};

/* The most that the rows in JSON may take together, in bytes. */
#define LISTING_LIMIT ((size_t)256 << 20)

/* A table for a terminal: listing_begin() initialises columns and adds the head, listing_add() adds a row. */
void listing_begin(const struct listing *listing, struct columns *columns);
void listing_add(const struct listing *listing, const struct text *values, struct columns *columns);

/* Appends a row as a JSON object whose keys are the columns' names: times in RFC 3339, resources as the JSON
 * that they are (as a string where they were cut). Control characters are escaped, for terminals. */
void listing_append_json(const struct listing *listing, const struct text *values,
                         struct buffer *out);

/* Reads "2026-01-02 03:04:05" (UTC) as microseconds since 1970. Returns false for NULL, a zero date and all
 * else. */
bool listing_time(struct text value, int64_t *microseconds);

#endif
