/* decoding: a decoder for tests (see decoding.h). */
#include "test/support/decoding.h"

#include "lib/base/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state, struct watch_settings settings)
{
    struct decoding *decoding = calloc(1, sizeof(*decoding));
    if (decoding == NULL)
        return -1;
    decoding->watch = watch_new(&settings);
    *state = decoding;
    return 0;
}

int decoding_setup(void **state)
{
    return setup(state, (struct watch_settings){TEXT(""), TEXT("")});
}

int decoding_setup_with_settings(void **state)
{
    return setup(state, (struct watch_settings){TEXT(TEST_REGION), TEXT(TEST_CLUSTER)});
}

int decoding_teardown(void **state)
{
    struct decoding *decoding = *state;
    row_free(decoding->result.row);
    watch_free(decoding->watch);
    free(decoding);
    return 0;
}

void decode_raw(struct decoding *decoding, struct text line)
{
    row_free(decoding->result.row);
    watch_decode(decoding->watch, line, RECEIVED_US, &decoding->result);
    assert_true((decoding->result.fate == WATCH_ROW) == (decoding->result.row != NULL));
}

void decode(struct decoding *decoding, const char *format, ...)
{
    char *line = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&line, format, args);
    va_end(args);
    assert_true(length >= 0);
    for (char *quote = line; (quote = strchr(quote, '\'')) != NULL;)
        *quote = '"';
    decode_raw(decoding, (struct text){line, (size_t)length});
    free(line);
}

void expect_fate(const struct decoding *decoding, enum watch_fate fate)
{
    if (decoding->result.fate != fate)
        fail_msg("fate %s (%s), not %s", watch_fate_name(decoding->result.fate),
                 decoding->result.reason, watch_fate_name(fate));
}

void cell_to_text(const struct cell *cell, char text[CELL_TEXT_MAX], size_t *length)
{
    switch (cell->type) {
    case CELL_NULL:
        *length = (size_t)sprintf(text, TEXT_OF_NULL);
        return;
    case CELL_INT:
        *length = (size_t)sprintf(text, "%lld", (long long)cell->integer);
        return;
    case CELL_TIME:
        *length = timestamp_format(cell->integer, text);
        return;
    case CELL_TEXT:
        assert_true(cell->length < CELL_TEXT_MAX);
        memcpy(text, cell->data, cell->length);
        text[cell->length] = '\0';
        *length = cell->length;
        return;
    }
}

void expect(const struct decoding *decoding, size_t column, const char *text)
{
    expect_fate(decoding, WATCH_ROW);
    const struct row *row = decoding->result.row;
    char *is = malloc(CELL_TEXT_MAX);
    size_t length;
    assert_non_null(is);
    cell_to_text(&row->cells[column], is, &length);
    if (length != strlen(text) || memcmp(is, text, length) != 0)
        fail_msg("%s is %s, not %s", row->table->columns[column].name, is, text);
    free(is);
}
