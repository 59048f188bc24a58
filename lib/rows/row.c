/* row: making, comparing and merging rows. */
#include "lib/rows/row.h"

#include <stdlib.h>

/* The length of the longest prefix of at most max_chars characters and max_bytes bytes that does
 * not end inside a character. Bytes that are not UTF-8 count as one character each. */
static size_t utf8_prefix(struct text text, size_t max_chars, size_t max_bytes)
{
    size_t end = 0;
    for (size_t chars = 0; end < text.length && chars < max_chars; chars++) {
        size_t next = end + 1;
        while (next < text.length && ((unsigned char)text.data[next] & 0xC0) == 0x80)
            next++;
        if (next > max_bytes)
            break;
        end = next;
    }
    return end;
}

/* How much of text fits the column; *cut if not all of it does, then there is room for the marker. */
static size_t fitting_length(const struct column *column, struct text text, bool *cut)
{
    size_t max = column->max_chars;
    *cut = false;
    if (column->type == COLUMN_KEY || max > VARCHAR_MAX_CHARS) {
        if (text.length <= max)
            return text.length;
        *cut = true;
        return utf8_prefix(text, max, max - strlen(ROW_CUT_MARKER));
    }
    if (text.length <= max || utf8_prefix(text, max, text.length) == text.length)
        return text.length;
    *cut = true;
    return utf8_prefix(text, max - strlen(ROW_CUT_MARKER), text.length);
}

static enum error_code check_keys(const struct table *table, const struct cell *cells,
                                  struct error *err)
{
    const struct cell *uid = &cells[table->uid];
    const struct cell *version = &cells[table->version];
    if (uid->type != CELL_TEXT || uid->length == 0 ||
        uid->length > table->columns[table->uid].max_chars)
        return error_set(err, ERROR_INPUT, "%s: no uid, or one that does not fit", table->name);
    if (version->type != CELL_TEXT || version->length > table->columns[table->version].max_chars)
        return error_set(err, ERROR_INPUT, "%s: no version, or one that does not fit", table->name);
    return ERROR_NONE;
}

/* Where the texts of a row are laid out, one behind the other. */
struct layout {
    size_t kept[TABLE_MAX_COLUMNS]; /* bytes of each text that are kept, without the marker */
    size_t bytes;                   /* of all of them, markers included */
    uint32_t cut;                   /* bit i: column i is cut */
};

static void lay_out(const struct table *table, const struct cell *cells, struct layout *layout)
{
    *layout = (struct layout){0};
    for (size_t i = 0; i < table->column_count; i++) {
        if (cells[i].type != CELL_TEXT)
            continue;
        bool cut;
        layout->kept[i] = fitting_length(&table->columns[i], cell_as_text(&cells[i]), &cut);
        layout->bytes += layout->kept[i];
        if (cut) {
            layout->bytes += strlen(ROW_CUT_MARKER);
            layout->cut |= UINT32_C(1) << i;
        }
    }
}

static struct text copy_text(char **at, struct text text, size_t kept, bool cut)
{
    char *start = *at;
    if (kept > 0)
        memcpy(start, text.data, kept);
    *at += kept;
    if (cut) {
        memcpy(*at, ROW_CUT_MARKER, strlen(ROW_CUT_MARKER));
        *at += strlen(ROW_CUT_MARKER);
    }
    return (struct text){start, (size_t)(*at - start)};
}

enum error_code row_new(const struct table *table, enum row_mode mode, const struct cell *cells,
                        int64_t received_us, struct row **result, struct error *err)
{
    enum error_code code = check_keys(table, cells, err);
    if (code != ERROR_NONE)
        return code;

    struct layout layout;
    lay_out(table, cells, &layout);
    size_t cells_bytes = table->column_count * sizeof(struct cell);
    size_t bytes = sizeof(struct row) + cells_bytes + layout.bytes;
    struct row *row = malloc(bytes);
    if (row == NULL)
        return error_set(err, ERROR_NOMEM, "no memory for a row of %zu bytes", bytes);

    row->table = table;
    row->mode = mode;
    row->cut_columns = layout.cut;
    row->received_us = received_us;
    row->epoch = 0;
    row->bytes = bytes;
    memcpy(row->cells, cells, cells_bytes);
    char *at = (char *)row->cells + cells_bytes;
    for (size_t i = 0; i < table->column_count; i++) {
        if (cells[i].type == CELL_TEXT)
            row->cells[i] = cell_text(copy_text(&at, cell_as_text(&cells[i]), layout.kept[i],
                                                (layout.cut >> i & 1) != 0));
    }
    /* check_keys saw that the cell is set. NOLINTNEXTLINE(*-core.UndefinedBinaryOperatorResult) */
    if (row_version(row).length == 0)
        row->cells[table->version] = cell_text(TEXT("0"));
    *result = row;
    return ERROR_NONE;
}

enum error_code row_new_tombstone(const struct table *table, struct text uid, struct text version,
                                  int64_t now_us, struct row **row, struct error *err)
{
    struct cell cells[TABLE_MAX_COLUMNS] = {0};
    cells[table->uid] = cell_text(uid);
    cells[table->version] = cell_text(version);
    cells[table->status] = cell_text(TEXT(STATUS_STOPPED));
    cells[table->deleted] = cell_int(1);
    cells[table->in_etcd] = cell_int(0);
    cells[table->finished] = cell_time(now_us);
    cells[table->modified] = cell_time(now_us);
    return row_new(table, ROW_UPDATE, cells, now_us, row, err);
}

void row_free(struct row *row)
{
    free(row);
}

struct text row_uid(const struct row *row)
{
    return cell_as_text(&row->cells[row->table->uid]);
}

struct text row_version(const struct row *row)
{
    return cell_as_text(&row->cells[row->table->version]);
}

int version_compare(struct text a, struct text b)
{
    if (a.length != b.length)
        return a.length < b.length ? -1 : 1;
    return a.length == 0 ? 0 : memcmp(a.data, b.data, a.length);
}

bool version_is_valid(struct text version)
{
    if (version.length == 0 || version.length > table_job.columns[JOB_VERSION].max_chars)
        return false;
    for (size_t i = 0; i < version.length; i++) {
        if (version.data[i] < '0' || version.data[i] > '9')
            return false;
    }
    return version.data[0] != '0' || version.length == 1;
}

static struct cell known_or(struct cell first, struct cell second)
{
    return first.type != CELL_NULL ? first : second;
}

static bool is_stop_of_final(struct cell there, struct cell comes)
{
    return comes.type == CELL_TEXT && text_is(cell_as_text(&comes), STATUS_STOPPED) &&
           there.type == CELL_TEXT && table_status_is_final(there.data, there.length);
}

static bool is_set(const struct row *row, size_t column)
{
    const struct cell *cell = &row->cells[column];
    return cell->type == CELL_INT && cell->integer != 0;
}

/* The first column of the table in table.h: N is newer. */
static struct cell merge_newer(enum merge_rule rule, struct cell there, struct cell comes,
                               bool revives)
{
    switch (rule) {
    case MERGE_NEWEST:
    case MERGE_STATUS:
    case MERGE_FINISH:
        return comes;
    case MERGE_LAST_KNOWN:
        return known_or(comes, there);
    case MERGE_FIRST_KNOWN:
        return known_or(there, comes);
    case MERGE_FIRST_FINISH:
        return revives ? comes : known_or(there, comes);
    }
    return comes;
}

/* The second: N is newer, and an update. */
static struct cell merge_update(enum merge_rule rule, struct cell there, struct cell comes)
{
    switch (rule) {
    case MERGE_STATUS:
        return is_stop_of_final(there, comes) ? there : known_or(comes, there);
    case MERGE_NEWEST:
    case MERGE_LAST_KNOWN:
        return known_or(comes, there);
    case MERGE_FIRST_KNOWN:
    case MERGE_FINISH:
    case MERGE_FIRST_FINISH:
        return known_or(there, comes);
    }
    return comes;
}

static struct cell merge_cell(const struct row *there, const struct row *comes, size_t column,
                              bool newer)
{
    enum merge_rule rule = there->table->columns[column].merge;
    struct cell old = there->cells[column];
    struct cell new = comes->cells[column];
    if (!newer)
        return rule == MERGE_LAST_KNOWN ? known_or(old, new) : old;
    if (comes->mode == ROW_UPDATE)
        return merge_update(rule, old, new);
    size_t deleted = there->table->deleted;
    return merge_newer(rule, old, new, is_set(there, deleted) && !is_set(comes, deleted));
}

enum error_code row_merge(const struct row *there, const struct row *comes, struct row **merged,
                          struct error *err)
{
    bool newer = version_compare(row_version(comes), row_version(there)) > 0;
    struct cell cells[TABLE_MAX_COLUMNS];
    for (size_t i = 0; i < there->table->column_count; i++)
        cells[i] = merge_cell(there, comes, i, newer);
    enum row_mode mode = newer && comes->mode == ROW_UPSERT ? ROW_UPSERT : there->mode;
    int64_t received_us =
        there->received_us < comes->received_us ? there->received_us : comes->received_us;
    enum error_code code = row_new(there->table, mode, cells, received_us, merged, err);
    if (code == ERROR_NONE)
        (*merged)->cut_columns |= there->cut_columns | comes->cut_columns;
    return code;
}

static bool cell_equal(const struct cell *a, const struct cell *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case CELL_NULL:
        return true;
    case CELL_INT:
    case CELL_TIME:
        return a->integer == b->integer;
    case CELL_TEXT:
        return text_equal(cell_as_text(a), cell_as_text(b));
    }
    return false;
}

bool row_equal(const struct row *a, const struct row *b)
{
    if (a->table != b->table || a->mode != b->mode)
        return false;
    for (size_t i = 0; i < a->table->column_count; i++) {
        if (!cell_equal(&a->cells[i], &b->cells[i]))
            return false;
    }
    return true;
}
