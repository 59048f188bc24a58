/* row: making, comparing and merging rows. */
#include "lib/rows/row.h"

#include <stdlib.h>

#define SECOND_US INT64_C(1000000)

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

/* What is LAST_KNOWN is known at the row's own version where nothing else is said. */
static void date_what_is_known(struct row *row)
{
    for (size_t i = 0; i < row->table->column_count; i++) {
        if (row->table->columns[i].merge != MERGE_LAST_KNOWN)
            continue;
        if (row->cells[i].type == CELL_NULL)
            row->cells[i + 1] = cell_null();
        else if (row->cells[i + 1].type == CELL_NULL)
            row->cells[i + 1] = row->cells[row->table->version];
    }
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
    date_what_is_known(row);
    *result = row;
    return ERROR_NONE;
}

enum error_code row_new_tombstone(const struct table *table, struct text uid, struct text version,
                                  int64_t now_us, struct row **row, struct error *err)
{
    struct cell cells[TABLE_MAX_COLUMNS] = {0};
    cells[table->uid] = cell_text(uid);
    cells[table->version] = cell_text(version);
    cells[table->stated] = cell_text(TEXT(""));
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

/* Two rows that meet, and which of them counts for what (see enum merge_rule). */
struct meeting {
    const struct row *there, *comes;
    const struct row *says, *unsaid; /* with the newer event, and the other one */
    const struct row *top;           /* with the newer version */
};

static bool is_closed(const struct row *row)
{
    return row->cells[row->table->stated].type == CELL_TEXT;
}

/* Of its event. */
static struct text stated_version(const struct row *row)
{
    return is_closed(row) ? cell_as_text(&row->cells[row->table->stated]) : row_version(row);
}

static bool is_deleted(const struct row *row)
{
    const struct cell *deleted = &row->cells[row->table->deleted];
    return deleted->type == CELL_INT && deleted->integer != 0;
}

/* Of two events of the same version: what was shown alive at it was not gone. */
static bool reopens(const struct row *comes, const struct row *there)
{
    return !is_closed(comes) && !is_closed(there) && !is_deleted(comes) && is_deleted(there);
}

static struct meeting meet(const struct row *there, const struct row *comes)
{
    int events = version_compare(stated_version(comes), stated_version(there));
    int versions = version_compare(row_version(comes), row_version(there));
    bool lifts = is_closed(there) && !is_closed(comes); /* an event at a tombstone's version */
    bool comes_says = events > 0 || (events == 0 && reopens(comes, there));
    bool comes_on_top = versions > 0 || (versions == 0 && (lifts || reopens(comes, there)));
    return (struct meeting){
        .there = there,
        .comes = comes,
        .says = comes_says ? comes : there,
        .unsaid = comes_says ? there : comes,
        .top = comes_on_top ? comes : there,
    };
}

static struct cell merge_last_known(const struct meeting *meeting, size_t column, size_t known_at)
{
    const struct cell *there = &meeting->there->cells[known_at];
    const struct cell *comes = &meeting->comes->cells[known_at];
    bool newer =
        comes->type != CELL_NULL &&
        (there->type == CELL_NULL || version_compare(cell_as_text(comes), cell_as_text(there)) > 0);
    return (newer ? meeting->comes : meeting->there)->cells[column];
}

static struct cell merge_status(const struct meeting *meeting, size_t column)
{
    struct cell status = meeting->says->cells[column];
    bool is_final = status.type == CELL_TEXT && table_status_is_final(status.data, status.length);
    return is_closed(meeting->top) && !is_final ? cell_text(TEXT(STATUS_STOPPED)) : status;
}

/* As the database keeps times: in whole seconds. */
static bool same_second(const struct cell *a, const struct cell *b)
{
    return a->type == CELL_TIME && b->type == CELL_TIME &&
           a->integer / SECOND_US == b->integer / SECOND_US;
}

/* A start in the second of gmt_created stands for one that is not known. */
static bool is_assumed(const struct row *row, size_t column)
{
    return same_second(&row->cells[column], &row->cells[row->table->created]);
}

static struct cell merge_earliest(const struct meeting *meeting, size_t column)
{
    struct cell there = meeting->there->cells[column];
    struct cell comes = meeting->comes->cells[column];
    if (comes.type == CELL_NULL)
        return there;
    if (there.type == CELL_NULL || is_assumed(meeting->there, column))
        return comes;
    return comes.integer < there.integer && !is_assumed(meeting->comes, column) ? comes : there;
}

static struct cell merge_end(const struct meeting *meeting, size_t column)
{
    const struct row *says = meeting->says;
    size_t modified = says->table->modified;
    struct cell end = says->cells[column];
    if (is_closed(says) && same_second(&end, &says->cells[modified]))
        end = cell_null();
    return is_closed(meeting->top) ? known_or(end, meeting->top->cells[modified]) : end;
}

static struct cell merge_cell(const struct meeting *meeting, size_t column)
{
    switch (meeting->there->table->columns[column].merge) {
    case MERGE_NEWEST:
        return meeting->says->cells[column];
    case MERGE_SETTLED:
        return known_or(meeting->says->cells[column], meeting->unsaid->cells[column]);
    case MERGE_LAST_KNOWN:
        return merge_last_known(meeting, column, column + 1);
    case MERGE_KNOWN_AT:
        return merge_last_known(meeting, column, column);
    case MERGE_EARLIEST:
        return merge_earliest(meeting, column);
    case MERGE_STATUS:
        return merge_status(meeting, column);
    case MERGE_END:
        return merge_end(meeting, column);
    case MERGE_STATED:
        return is_closed(meeting->top) ? cell_text(stated_version(meeting->says)) : cell_null();
    case MERGE_TOP:
    case MERGE_VERSION:
        break;
    }
    return meeting->top->cells[column];
}

enum error_code row_merge(const struct row *there, const struct row *comes, struct row **merged,
                          struct error *err)
{
    struct meeting meeting = meet(there, comes);
    struct cell cells[TABLE_MAX_COLUMNS];
    for (size_t i = 0; i < there->table->column_count; i++)
        cells[i] = merge_cell(&meeting, i);
    bool makes = there->mode == ROW_UPSERT || comes->mode == ROW_UPSERT;
    int64_t received_us =
        there->received_us < comes->received_us ? there->received_us : comes->received_us;
    enum error_code code =
        row_new(there->table, makes ? ROW_UPSERT : ROW_UPDATE, cells, received_us, merged, err);
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
