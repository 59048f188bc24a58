/* row: a row of a table, which has a cell for each column. */
#ifndef LIB_ROW_H
#define LIB_ROW_H

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/rows/table.h"

#include <stdint.h>

enum cell_type {
    CELL_NULL = 0,
    CELL_INT,
    CELL_TIME, /* .integer is in microseconds since 1970-01-01T00:00:00Z, and may be negative */
    CELL_TEXT,
};

/* It has 16 bytes, since each object in the outbox has some twenty cells; so it does not hold a struct text. */
struct cell {
    enum cell_type type;
    uint32_t length; /* bytes of the text; JSON_MAX_TEXT bounds it */
    union {
        int64_t integer;
        const char
            *data; /* the text; not owned. In a struct row it points into the row's allocation */
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

/* Returns `first`, or `second` where `first` is NULL. */
static inline struct cell cell_or(struct cell first, struct cell second)
{
    return first.type != CELL_NULL ? first : second;
}

/* cell: of type CELL_TEXT. */
static inline struct text cell_as_text(const struct cell *cell)
{
    return (struct text){cell->data, cell->length};
}

enum row_mode {
    ROW_UPSERT, /* inserts the row, or changes the one that exists */
    ROW_UPDATE, /* changes a row that exists, and never inserts one */
};

#define ROW_MODE_COUNT (ROW_UPDATE + 1)

struct row {
    const struct table *table;
    enum row_mode mode;
    uint32_t cut_columns; /* bit i is set if the text of column i was too long and was cut */
    int64_t received_us;  /* when its event arrived, in microseconds since 1970 */
    uint64_t epoch;       /* the epoch that the row holds (lib/outbox/durability); 0: none */
    size_t bytes;         /* the size of this allocation */
    struct cell cells[];  /* table->column_count cells, and behind them their texts */
};

/* The end of a text that was cut. */
#define ROW_CUT_MARKER "...[cut]"

/* Copies cells[0..column_count) and their texts into a new row. A text that is longer than its column is cut
 * between two characters. A version of "" becomes "0". Where a LAST_KNOWN column has a value, and its KNOWN_AT
 * column is NULL, that becomes the row's version. ERROR_INPUT if uid or version is no text, or does not fit its
 * column, or uid is empty. */
enum error_code row_new(const struct table *table, enum row_mode mode, const struct cell *cells,
                        int64_t received_us, struct row **row, struct error *err) MUST_CHECK;
void row_free(struct row *row);

/* Makes a row that is a tombstone alone (see enum merge_rule). It closes the row of an object that vanished while
 * nobody watched. version: one at which the object no longer existed. now_us: in microseconds since 1970. */
enum error_code row_new_tombstone(const struct table *table, struct text uid, struct text version,
                                  int64_t now_us, struct row **row, struct error *err) MUST_CHECK;

struct text row_uid(const struct row *row);
struct text row_version(const struct row *row);

/* Returns a number below, equal to or above 0 if resourceVersion a is older than, equal to or newer than b. Both
 * are decimal without leading zeros, and so are compared by length, then by text (as Kubernetes does in
 * k8s.io/apimachinery/pkg/util/resourceversion). */
int version_compare(struct text a, struct text b);

/* True for "0" and for [1-9][0-9]* up to the length of the column `version`. */
bool version_is_valid(struct text version);

/* Merges `there` and `comes`, which have the same table and uid, by the rules of table.h into a new row. It is an
 * upsert if one of them is, and has the earlier received_us, so that lag is never understated. `there` and
 * `comes` stay the caller's. */
enum error_code row_merge(const struct row *there, const struct row *comes, struct row **merged,
                          struct error *err) MUST_CHECK;

/* True if table, mode and all cells are equal. */
bool row_equal(const struct row *a, const struct row *b);

#endif
