/* epoch: see epoch.h. */
#include "lib/rows/epoch.h"

#include <stdio.h>

#define DIGITS 20U

void epoch_write(unsigned epoch, struct text version, char written[EPOCH_VERSION_SIZE])
{
    size_t length = version.length < EPOCH_VERSION_SIZE ? version.length : EPOCH_VERSION_SIZE - 1;
    size_t zeros = epoch > 0 && length <= DIGITS ? DIGITS - length : 0;
    size_t used = 0;
    if (epoch > 0 && length <= DIGITS)
        used = (size_t)snprintf(written, EPOCH_VERSION_SIZE, "%u", epoch);
    memset(written + used, '0', zeros);
    memcpy(written + used + zeros, version.data, length);
    written[used + zeros + length] = '\0';
}

unsigned epoch_read(struct text written, struct text *version)
{
    unsigned epoch = 0;
    *version = written;
    if (written.length <= DIGITS)
        return 0;
    for (size_t i = 0; i < written.length - DIGITS && epoch <= EPOCH_MAX; i++)
        epoch = epoch * 10 + (unsigned)(written.data[i] - '0');
    if (epoch > EPOCH_MAX)
        return 0; /* a long version, of no server that there is */
    *version = (struct text){written.data + written.length - DIGITS, DIGITS};
    while (version->length > 1 && version->data[0] == '0')
        *version = (struct text){version->data + 1, version->length - 1};
    return epoch;
}

void epoch_above(struct text written, char above[EPOCH_VERSION_SIZE])
{
    size_t length =
        written.length < EPOCH_VERSION_SIZE - 2 ? written.length : EPOCH_VERSION_SIZE - 2;
    if (!version_is_valid(written)) { /* a longer one is greater than whatever it is */
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

/* "version", and what the rows keep besides: "host_ip_version". */
static bool holds_version(const struct column *column)
{
    return text_ends_in(text_from(column->name), TEXT("version"));
}

enum error_code epoch_row(unsigned epoch, const struct row *row, struct row **written,
                          struct error *err)
{
    struct cell cells[TABLE_MAX_COLUMNS];
    char versions[TABLE_MAX_COLUMNS][EPOCH_VERSION_SIZE];
    for (size_t i = 0; i < row->table->column_count; i++) {
        cells[i] = row->cells[i];
        if (!holds_version(&row->table->columns[i]) || cells[i].type != CELL_TEXT ||
            cells[i].length == 0)
            continue;
        epoch_write(epoch, cell_as_text(&cells[i]), versions[i]);
        cells[i] = cell_text(text_from(versions[i]));
    }
    enum error_code code = row_new(row->table, row->mode, cells, row->received_us, written, err);
    if (code == ERROR_NONE)
        (*written)->cut_columns = row->cut_columns;
    return code;
}
