/* suspects: what is written is read back, and what is no such text is refused. */
#include "lib/kube/suspects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_what_was_written_is_read_back(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, 1000);
    suspects_begin(&text, "4711", 50, 30);
    buffer_append_string(&text, "b\nbb\na\n");
    struct suspects *suspects = suspects_read(buffer_cstring(&text));
    buffer_fini(&text);
    assert_non_null(suspects);
    assert_string_equal(suspects->version, "4711");
    assert_int_equal(suspects->live, 50);
    assert_int_equal(suspects->vanished, 30);
    assert_int_equal(suspects->count, 3);
    assert_true(suspects_have(suspects, TEXT("a")));
    assert_true(suspects_have(suspects, TEXT("bb")));
    assert_false(suspects_have(suspects, TEXT("aa")));
    assert_false(suspects_have(suspects, TEXT("")));
    suspects_free(suspects);
}

static void test_a_kind_that_is_absent_has_no_version(void **state)
{
    (void)state;
    struct suspects *suspects = suspects_read("- 1 1\na\n");
    assert_non_null(suspects);
    assert_string_equal(suspects->version, "");
    suspects_free(suspects);
}

static void test_no_such_text(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",        "\n",     "7",         "7 1 1",   "7 1\n",
        "7 x 1\n", "7 1 \n", "7 1 1 1\n", " 1 1\na", "123456789012345678901234567890123 1 1\na\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct suspects *suspects = suspects_read(texts[i]);
        assert_true(suspects == NULL || i == 8); /* an empty version: nobody writes it */
        suspects_free(suspects);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_read_back),
        cmocka_unit_test(test_a_kind_that_is_absent_has_no_version),
        cmocka_unit_test(test_no_such_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
