/* row: makes, merges and compares rows (see row.h). A row and its texts are one allocation. */
#include "lib/rows/row.h"

#include <stdlib.h>

#define SECOND_US INT64_C(1000000)

/* Returns the length of the longest prefix that has at most max_chars characters and max_bytes bytes, and does
 * not end inside a character. A byte that is not UTF-8 counts as a character. */
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

/* Returns how many bytes of text the row keeps. If the column has no room for all of it, sets *cut, and leaves
 * room for the marker. */
static size_t fitting_length(const struct column *column, struct text text, bool *cut)
{
    size_t max = column->max_chars, max_cut = max - strlen(ROW_CUT_MARKER);
    bool counts_bytes = column->type == COLUMN_KEY || max > VARCHAR_MAX_CHARS;
    *cut = text.length > max && (counts_bytes || utf8_prefix(text, max, text.length) < text.length);
    if (!*cut)
        return text.length;
    return counts_bytes ? utf8_prefix(text, max, max_cut) : utf8_prefix(text, max_cut, text.length);
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

/* What the row keeps of its texts, which lie one behind the other in its allocation. */
struct layout {
    size_t kept[TABLE_MAX_COLUMNS]; /* bytes of the text of each column, without the marker */
    size_t bytes;                   /* bytes of all texts, with their markers */
    uint32_t cut;                   /* bit i is set if the text of column i is cut */
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

/* Copies the kept bytes of text to *at, with the marker behind them if the text is cut, and advances *at. */
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

/* A value of a LAST_KNOWN column is known at the row's own version, unless the cells had another one. */
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
    /* check_keys() saw that the cell is set. NOLINTNEXTLINE(*-core.UndefinedBinaryOperatorResult) */
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

/* Two rows that meet. The terms are explained above enum merge_rule. */
struct meeting {
    const struct row *there, *comes;
    const struct row *newer_event, *older_event;
    const struct row *latest;
};

static bool is_closed(const struct row *row)
{
    return row->cells[row->table->stated].type == CELL_TEXT;
}

/* Returns the version of the row's event. */
static struct text stated_version(const struct row *row)
{
    return is_closed(row) ? cell_as_text(&row->cells[row->table->stated]) : row_version(row);
}

static bool is_deleted(const struct row *row)
{
    const struct cell *deleted = &row->cells[row->table->deleted];
    return deleted->type == CELL_INT && deleted->integer != 0;
}

/* True if, of two events of the same version, the one that comes shows the object alive, and the one that is
 * there deletes it: what was alive at a version was not gone at it. */
static bool reopens(const struct row *comes, const struct row *there)
{
    return !is_closed(comes) && !is_closed(there) && !is_deleted(comes) && is_deleted(there);
}

static struct meeting meet(const struct row *there, const struct row *comes)
{
    int events = version_compare(stated_version(comes), stated_version(there));
    int versions = version_compare(row_version(comes), row_version(there));
    bool is_open = is_closed(there) && !is_closed(comes);
    bool comes_has_event = events > 0 || (events == 0 && reopens(comes, there));
    bool comes_is_latest = versions > 0 || (versions == 0 && (is_open || reopens(comes, there)));
    return (struct meeting){
        .there = there,
        .comes = comes,
        .newer_event = comes_has_event ? comes : there,
        .older_event = comes_has_event ? there : comes,
        .latest = comes_is_latest ? comes : there,
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
    struct cell status = meeting->newer_event->cells[column];
    bool is_final = status.type == CELL_TEXT && table_status_is_final(cell_as_text(&status));
    return is_closed(meeting->latest) && !is_final ? cell_text(TEXT(STATUS_STOPPED)) : status;
}

/* Compares whole seconds, since the database keeps nothing finer. */
static bool same_second(const struct cell *a, const struct cell *b)
{
    return a->type == CELL_TIME && b->type == CELL_TIME &&
           a->integer / SECOND_US == b->integer / SECOND_US;
}

/* True if the time of the column stands for one that is not known (see EARLIEST). */
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
    const struct row *row = meeting->newer_event;
    size_t modified = row->table->modified;
    struct cell end = row->cells[column];
    if (is_closed(row) && same_second(&end, &row->cells[modified]))
        end = cell_null();
    return is_closed(meeting->latest) ? cell_or(end, meeting->latest->cells[modified]) : end;
}

static struct cell merge_cell(const struct meeting *meeting, size_t column)
{
    switch (meeting->there->table->columns[column].merge) {
    case MERGE_EVENT:
        return meeting->newer_event->cells[column];
    case MERGE_SETTLED:
        return cell_or(meeting->newer_event->cells[column], meeting->older_event->cells[column]);
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
        return is_closed(meeting->latest) ? cell_text(stated_version(meeting->newer_event))
                                          : cell_null();
    case MERGE_LATEST:
    case MERGE_VERSION:
        break;
    }
    return meeting->latest->cells[column];
}

enum error_code row_merge(const struct row *there, const struct row *comes, struct row **merged,
                          struct error *err)
{
    struct meeting meeting = meet(there, comes);
    struct cell cells[TABLE_MAX_COLUMNS];
    for (size_t i = 0; i < there->table->column_count; i++)
        cells[i] = merge_cell(&meeting, i);
    bool is_upsert = there->mode == ROW_UPSERT || comes->mode == ROW_UPSERT;
    int64_t received_us =
        there->received_us < comes->received_us ? there->received_us : comes->received_us;
    enum error_code code =
        row_new(there->table, is_upsert ? ROW_UPSERT : ROW_UPDATE, cells, received_us, merged, err);
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
