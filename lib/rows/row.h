/* row: one row of a table: a cell for each column, all in one allocation. */
#ifndef LIB_ROW_H
#define LIB_ROW_H

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/rows/table.h"

#include <stdint.h>

enum cell_type {
    CELL_NULL = 0,
    CELL_INT,
    CELL_TIME, /* .integer: microseconds since 1970-01-01T00:00:00Z, may be negative */
    CELL_TEXT,
};

/* Twenty of them wait in memory for each pending object, so a text is taken apart here. */
struct cell {
    enum cell_type type;
    uint32_t length; /* of a text, in bytes; a document is no longer than JSON_MAX_TEXT */
    union {
        int64_t integer;
        const char *data; /* of a text; in a struct row: points into the row's own allocation */
    };
};

static inline struct cell cell_null(void)
{
    return (struct cell){.type = CELL_NULL};
}

static inline struct cell cell_int(int64_t value)
{
    return (struct cell){.type = CELL_INT, .integer = value};
}

static inline struct cell cell_time(int64_t microseconds)
{
    return (struct cell){.type = CELL_TIME, .integer = microseconds};
}

static inline struct cell cell_text(struct text text)
{
    return (struct cell){.type = CELL_TEXT, .length = (uint32_t)text.length, .data = text.data};
}

/* Of a cell that is CELL_TEXT. */
static inline struct text cell_as_text(const struct cell *cell)
{
    return (struct text){cell->data, cell->length};
}

enum row_mode {
    ROW_UPSERT, /* makes the row or changes it */
    ROW_UPDATE, /* changes a row that exists, never makes one */
};

#define ROW_MODE_COUNT (ROW_UPDATE + 1)

struct row {
    const struct table *table;
    enum row_mode mode;
    uint32_t cut_columns; /* bit i: column i was too long and was cut, with a visible marker */
    int64_t received_us;  /* when its event arrived, microseconds since 1970 */
    uint64_t epoch;       /* the outbox's: the hold it has on durability; 0: none */
    size_t bytes;         /* of this allocation, for accounting */
    struct cell cells[];  /* table->column_count of them, texts behind */
};

/* Copies cells[0..column_count) and their texts into one allocation. A text that is longer than
 * its column is cut at a character boundary and ends in ROW_CUT_MARKER. uid and version must be
 * CELL_TEXT that fit (else ERROR_INPUT); version is kept as given, "" becomes "0". The version at which
 * a LAST_KNOWN column was known is the row's own where it is NULL. */
enum error_code row_new(const struct table *table, enum row_mode mode, const struct cell *cells,
                        int64_t received_us, struct row **row, struct error *err) MUST_CHECK;
void row_free(struct row *row);

/* A row that is nothing but a tombstone: the update that closes the row of an object of which only the
 * uid is known, because it vanished while nobody watched. version: one at which it did not exist any
 * more. */
enum error_code row_new_tombstone(const struct table *table, struct text uid, struct text version,
                                  int64_t now_us, struct row **row, struct error *err) MUST_CHECK;

/* What stands at the end of a text that was cut. */
#define ROW_CUT_MARKER "...[cut]"

struct text row_uid(const struct row *row);
struct text row_version(const struct row *row);

/* <0, 0, >0 as resourceVersion a is older than, the same as, newer than b: by length, then by
 * text. Both are decimal without leading zeros (Kubernetes: apimachinery resourceversion). */
int version_compare(struct text a, struct text b);

/* True for "0" or [1-9][0-9]*, at most the version column's length. */
bool version_is_valid(struct text version);

/* Merges `there` and `comes`, both of the same table and uid, by the rules of table.h into a new row: an
 * upsert if one of them is. The arguments stay the caller's.
 * received_us is the older one's, so that lag is never understated. */
enum error_code row_merge(const struct row *there, const struct row *comes, struct row **merged,
                          struct error *err) MUST_CHECK;

/* Equal in every cell and mode; received_us and bytes are not compared. */
bool row_equal(const struct row *a, const struct row *b);

#endif
