/* beginning: what is no JSON is told by its first bytes, and JSON never. */
#include "lib/stream/beginning.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_what_is_no_json(void **state)
{
    (void)state;
    static const struct {
        struct text beginning;
        const char *told;
    } cases[] = {
        {{"\xff\xfe{\0", 4}, "UTF-16"},
        {{"\0{", 2}, "UTF-16"},
        {{"\x1f\x8b\x08", 3}, "gzip"},
        {{"\x28\xb5\x2f\xfd", 4}, "zstd"},
        {{"\xfd"
          "7zXZ",
          5},
         "xz"},
        {{"BZh9", 4}, "bzip2"},
        {{"PK\x03\x04", 4}, "zip"},
        {{"<html>", 6}, "HTML"},
        {{"---\nkind: List\n", 15}, "YAML"},
        {{"apiVersion: v1\n", 15}, "YAML"},
        {{"items:\n- kind", 13}, "YAML"},
        {{"# kubectl\n#\nkind: Pod", 21}, "YAML"},
        {{"- kind: Pod", 11}, "YAML"},
        {{"NAME    READY", 13}, "table"},
        {{"NAMESPACE   NAME", 16}, "table"},
        {{"\x7f"
          "ELF\0",
          5},
         "binary"},
        {{"words and then\0", 15}, "binary"},
        {{"\0\0\0", 3}, "binary"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *refusal = beginning_refuse(cases[i].beginning);
        assert_non_null(refusal);
        assert_non_null(strstr(refusal, cases[i].told));
    }
}

static void test_what_may_be_json(void **state)
{
    (void)state;
    static const struct text cases[] = {
        {"", 0},
        {"{", 1},
        {"[", 1},
        {"\n\n {\"a\"", 7},
        {"\0", 1},
        {"kind", 4},
        {"kind:", 5},
        {"\x1f", 1},
        {"{\"a\":\0", 6},
        {" \0", 2},
        {"not JSON at all\n", 16},
        {"\"type\":\"ADDED\"", 14},
        {"PK\x03", 3},
        {"#", 1},
        {"\xef\xbb\xbf{\"kind\"", 10},
        {"12:30 up\n", 9},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_null(beginning_refuse(cases[i]));
}

static void test_only_the_beginning_is_looked_at(void **state)
{
    (void)state;
    char text[BEGINNING_SIZE + 1];
    memset(text, 'x', sizeof(text));
    text[BEGINNING_SIZE] = '\0';
    assert_null(beginning_refuse((struct text){text, sizeof(text)}));
    text[BEGINNING_SIZE - 1] = '\0';
    assert_non_null(beginning_refuse((struct text){text, sizeof(text)}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_json),
        cmocka_unit_test(test_what_may_be_json),
        cmocka_unit_test(test_only_the_beginning_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
