/* columns: the layout, and what becomes of texts that do not behave. */
#include "lib/show/columns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT 65536

static void assert_table(struct columns *columns, const char *expected)
{
    struct buffer out;
    buffer_init(&out, LIMIT);
    columns_append(columns, &out);
    assert_string_equal(buffer_cstring(&out), expected);
    buffer_fini(&out);
    columns_fini(columns);
}

static void add(struct columns *columns, const char *const *cells, size_t count)
{
    for (size_t i = 0; i < count; i++)
        columns_add_string(columns, cells[i]);
}

#define ADD(columns, ...)                                                                          \
    add((columns), (const char *const[]){__VA_ARGS__},                                             \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void test_columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    struct columns columns;
    columns_init(&columns, 3, LIMIT);
    ADD(&columns, "NAME", "AGE", "STATUS");
    ADD(&columns, "a-long-name", "5m", "Running");
    ADD(&columns, "b", "3d4h", "Failed");
    assert_table(&columns, "NAME          AGE    STATUS\n"
                           "a-long-name   5m     Running\n"
                           "b             3d4h   Failed\n");
}

static void test_empty_cell_and_empty_table(void **state)
{
    (void)state;
    struct columns columns;
    columns_init(&columns, 2, LIMIT);
    ADD(&columns, "A", "");
    assert_table(&columns, "A   <none>\n");
    columns_init(&columns, 1, LIMIT);
    assert_table(&columns, "");
}

static void test_wide_characters_and_escapes_are_aligned(void **state)
{
    (void)state;
    struct columns columns;
    columns_init(&columns, 2, LIMIT);
    ADD(&columns, "\xe8\xae\xad\xe7\xbb\x83", "x");
    ADD(&columns, "\x1b", "y");
    columns_add_cut(&columns, TEXT("abcdefgh"), 4);
    ADD(&columns, "z");
    assert_table(&columns, "\xe8\xae\xad\xe7\xbb\x83   x\n"
                           "\\x1b   y\n"
                           "abc\xe2\x80\xa6   z\n");
}

static void test_row_that_is_not_whole_is_left_out(void **state)
{
    (void)state;
    struct columns columns;
    columns_init(&columns, 2, LIMIT);
    ADD(&columns, "a", "b", "c");
    assert_table(&columns, "a   b\n");
}

static void test_bound_is_kept_and_told(void **state)
{
    (void)state;
    struct columns columns;
    struct buffer out;
    columns_init(&columns, 1, 1000);
    for (unsigned i = 0; i < 2000; i++)
        ADD(&columns, "x");
    assert_true(columns.failed);
    buffer_init(&out, LIMIT);
    columns_append(&columns, &out);
    assert_true(out.failed);
    buffer_fini(&out);
    columns_fini(&columns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(test_empty_cell_and_empty_table),
        cmocka_unit_test(test_wide_characters_and_escapes_are_aligned),
        cmocka_unit_test(test_row_that_is_not_whole_is_left_out),
        cmocka_unit_test(test_bound_is_kept_and_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
