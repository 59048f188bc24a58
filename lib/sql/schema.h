/* schema: what a database has of our tables, as its information_schema tells it.
 *
 * This says which statements are to be sent, and is handed their answers row by row. lib/sql/migration.h
 * makes of it what is to be done. */
#ifndef LIB_SCHEMA_H
#define LIB_SCHEMA_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/rows/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The table that records which migrations were done. */
#define SCHEMA_RECORD_TABLE "kubedl_shipper_schema"

#define SCHEMA_MAX_TABLES 8
#define SCHEMA_MAX_INDEXES                                                                         \
    130 /* of one table: MariaDB allows 128 and MySQL 64, besides the primary key */
#define SCHEMA_NAME_SIZE 65 /* of a column, index or collation; longer names are cut */

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
    bool holds_uid;    /* the uid or the id is in it, so no two objects share a value */
    char columns[192]; /* "status,gmt_created,"; "name(10)," where it holds a part of the value */
};

struct schema_table {
    const struct table *table;
    bool exists;
    bool is_view;
    bool loses_writes;   /* its engine has no transactions */
    bool has_short_keys; /* its row format takes 767 bytes of a column into an index, not 3072 */
    bool is_partitioned;
    bool is_compressed; /* its row format is COMPRESSED, to which a KEY_BLOCK_SIZE belongs */
    struct schema_column id;
    struct schema_column columns[TABLE_MAX_COLUMNS]; /* the described ones, in that order */
    char stranger
        [SCHEMA_NAME_SIZE]; /* a column that is not described, but has to be in every INSERT; "":
                                        there is none */
    struct schema_index indexes[SCHEMA_MAX_INDEXES];
    size_t index_count;
};

struct schema {
    struct schema_table tables[SCHEMA_MAX_TABLES];
    size_t table_count;
    bool has_record;       /* SCHEMA_RECORD_TABLE exists */
    int64_t version;       /* of the newest migration; 0: none */
    int64_t oldest_writer; /* shippers before this version must not write; 0: all may */
};

/* Makes a schema that knows nothing yet of the tables in `described`, which ends in NULL and has at most
 * SCHEMA_MAX_TABLES of them. Never returns NULL. The caller frees it by schema_free(). */
struct schema *schema_new(const struct table *const *described);
void schema_free(struct schema *schema);

/* The questions are asked in this order, since an answer is read by what the ones before it have told. */
enum schema_question { SCHEMA_TABLES, SCHEMA_COLUMNS, SCHEMA_INDEXES, SCHEMA_RECORD };
#define SCHEMA_QUESTIONS 4

/* Appends the SELECT of a question. Returns false if it is not to be sent, since there is no such table. */
bool schema_ask(const struct schema *schema, enum schema_question question, struct buffer *out);

/* Takes one row of the answer, all values as text. ERROR_INPUT: no server should give such a row. ERROR_FULL:
 * there are more indexes than there is room for. */
enum error_code schema_answer(struct schema *schema, enum schema_question question,
                              const struct text *values, size_t count,
                              struct error *err) MUST_CHECK;

/* Checks a table that exists for what no migration can mend. ERROR_OPERATOR: a person has to, and the text
 * says how. */
enum error_code schema_check(const struct schema_table *there, struct error *err) MUST_CHECK;

/* Returns whether there is an index that begins with these columns ("status, gmt_created"). */
bool schema_has_index(const struct schema_table *there, const char *columns);

/* Returns whether there is a unique key on the uid alone. */
bool schema_uid_is_unique(const struct schema_table *there);

#endif
