/* timeline: writes and reads versions of a timeline as text (see timeline.h). */
#include "lib/rows/timeline.h"

#include <stdio.h>

#define DIGITS 20U

void timeline_write(unsigned timeline, struct text version, char written[TIMELINE_VERSION_SIZE])
{
    size_t length =
        version.length < TIMELINE_VERSION_SIZE ? version.length : TIMELINE_VERSION_SIZE - 1;
    size_t zeros = timeline > 0 && length <= DIGITS ? DIGITS - length : 0;
    size_t used = 0;
    if (timeline > 0 && length <= DIGITS)
        used = (size_t)snprintf(written, TIMELINE_VERSION_SIZE, "%u", timeline);
    memset(written + used, '0', zeros);
    memcpy(written + used + zeros, version.data, length);
    written[used + zeros + length] = '\0';
}

unsigned timeline_read(struct text written, struct text *version)
{
    unsigned timeline = 0;
    *version = written;
    if (written.length <= DIGITS)
        return 0;
    for (size_t i = 0; i < written.length - DIGITS && timeline <= TIMELINE_MAX; i++)
        timeline = timeline * 10 + (unsigned)(written.data[i] - '0');
    if (timeline > TIMELINE_MAX)
        return 0; /* no server has a version of so many digits; it was not written by timeline_write() */
    *version = (struct text){written.data + written.length - DIGITS, DIGITS};
    while (version->length > 1 && version->data[0] == '0')
        *version = (struct text){version->data + 1, version->length - 1};
    return timeline;
}

void timeline_above(struct text written, char above[TIMELINE_VERSION_SIZE])
{
    size_t length =
        written.length < TIMELINE_VERSION_SIZE - 2 ? written.length : TIMELINE_VERSION_SIZE - 2;
    if (!version_is_valid(written)) { /* a version that is longer is greater in any case */
        memset(above, '0', length + 1);
        above[0] = '1';
        above[length + 1] = '\0';
        return;
    }
    above[0] = '0';
    memcpy(above + 1, written.data, length);
    above[length + 1] = '\0';
    size_t i = length;
    while (above[i] == '9')
        above[i--] = '0';
    above[i]++;
    if (above[0] == '0')
        memmove(above, above + 1, length + 1);
}

/* True for "version", "stated_version" and the KNOWN_AT columns, such as "host_ip_version". */
static bool holds_version(const struct column *column)
{
    return text_ends_in(text_from(column->name), TEXT("version"));
}

enum error_code timeline_row(unsigned timeline, const struct row *row, struct row **written,
                             struct error *err)
{
    struct cell cells[TABLE_MAX_COLUMNS];
    char versions[TABLE_MAX_COLUMNS][TIMELINE_VERSION_SIZE];
    for (size_t i = 0; i < row->table->column_count; i++) {
        cells[i] = row->cells[i];
        if (!holds_version(&row->table->columns[i]) || cells[i].type != CELL_TEXT ||
            cells[i].length == 0)
            continue;
        timeline_write(timeline, cell_as_text(&cells[i]), versions[i]);
        cells[i] = cell_text(text_from(versions[i]));
    }
    enum error_code code = row_new(row->table, row->mode, cells, row->received_us, written, err);
    if (code == ERROR_NONE)
        (*written)->cut_columns = row->cut_columns;
    return code;
}
