/* schema: what a database has of our tables, as its information_schema says it.
 *
 * Pure: it says what to ask, and is told the answers row by row. lib/sql/migration.h makes of it what is
 * to be done. */
#ifndef LIB_SCHEMA_H
#define LIB_SCHEMA_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/rows/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The table that says which migrations were done. */
#define SCHEMA_RECORD_TABLE "kubedl_shipper_schema"

#define SCHEMA_MAX_TABLES  8
#define SCHEMA_MAX_INDEXES 130 /* of one table; MariaDB allows 128, MySQL 64, and the primary key */
#define SCHEMA_NAME_SIZE   65  /* of a column, index or collation; longer ones are cut */

enum schema_type {
    SCHEMA_OTHER,
    SCHEMA_VARCHAR, /* counts characters */
    SCHEMA_TEXT,    /* counts bytes */
    SCHEMA_INTEGER,
    SCHEMA_DATETIME,
};

struct schema_column {
    bool exists;
    bool nullable;
    bool has_default; /* other than NULL */
    bool counts;      /* AUTO_INCREMENT */
    bool big;         /* an integer of 64 bits */
    enum schema_type type;
    uint64_t size;                    /* varchar: characters; text: bytes */
    char type_text[SCHEMA_NAME_SIZE]; /* "varchar(128)", as ALTER TABLE takes it */
    char collation[SCHEMA_NAME_SIZE]; /* "" where there is none */
};

struct schema_index {
    char name[SCHEMA_NAME_SIZE];
    bool unique;
    bool holds_uid;    /* or the id: no two objects share a value of it */
    char columns[192]; /* "status,gmt_created,"; "name(10)," where it holds a part of the value */
};

struct schema_table {
    const struct table *table;
    bool exists;
    bool is_view;
    bool loses_writes;   /* its engine has no transactions */
    bool has_short_keys; /* its row format takes 767 bytes of a column into an index, not 3072 */
    bool is_partitioned;
    bool is_compressed; /* by its row format, which has a KEY_BLOCK_SIZE, too */
    struct schema_column id;
    struct schema_column columns[TABLE_MAX_COLUMNS]; /* the described ones, in that order */
    char stranger[SCHEMA_NAME_SIZE]; /* a column that is not described, and that every INSERT has to
                                        name; "": there is none */
    struct schema_index indexes[SCHEMA_MAX_INDEXES];
    size_t index_count;
};

struct schema {
    struct schema_table tables[SCHEMA_MAX_TABLES];
    size_t table_count;
    bool has_record;       /* there is the table of migrations */
    int64_t version;       /* the newest migration; 0: none */
    int64_t oldest_writer; /* versions before this one must not write; 0: all may */
};

/* described: ends in NULL, at most SCHEMA_MAX_TABLES. Never NULL. */
struct schema *schema_new(const struct table *const *described);
void schema_free(struct schema *schema);

/* To be asked in this order: an answer is understood by those before it. */
enum schema_question { SCHEMA_TABLES, SCHEMA_COLUMNS, SCHEMA_INDEXES, SCHEMA_RECORD };
#define SCHEMA_QUESTIONS 4

/* The SELECT. False: there is nothing to ask. */
bool schema_ask(const struct schema *schema, enum schema_question question, struct buffer *out);

/* One row of its result, as text. ERROR_INPUT: a row such as no server should give; ERROR_FULL: more
 * than there is room for. */
enum error_code schema_answer(struct schema *schema, enum schema_question question,
                              const struct text *values, size_t count,
                              struct error *err) MUST_CHECK;

/* Whether an index has these as its first columns ("status, gmt_created"). */
bool schema_has_index(const struct schema_table *there, const char *columns);

/* Whether there is a unique key on the uid and nothing else. */
bool schema_uid_is_unique(const struct schema_table *there);

#endif
