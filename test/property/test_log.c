/* log: whatever the bytes, a record is one line, and as JSON it says what was to be said. SEED=n
 * replays a run. */
#include "lib/base/log.h"
#include "lib/base/utf8.h"
#include "lib/json/json.h"
#include "test/support/chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS    5000
#define MAX_VALUE 1100

static struct chance chance;

/* Now and then of characters only, else of any bytes. */
static struct text random_value(char value[MAX_VALUE])
{
    static const char *const characters[] = {
        "a", "\"", "\\", "\n", "\x1b", "\xc2\x85", "=", " ", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    size_t length = 0;
    size_t wanted = chance_below(&chance, 20) == 0 ? chance_below(&chance, MAX_VALUE - 4)
                                                   : chance_below(&chance, 30);
    bool any_bytes = chance_below(&chance, 2) == 0;
    while (length < wanted) {
        if (any_bytes) {
            value[length++] = (char)chance_bits(&chance);
            continue;
        }
        const char *character = characters[chance_below(&chance, 10)];
        memcpy(value + length, character, strlen(character));
        length += strlen(character);
    }
    return (struct text){value, length};
}

static void format(struct buffer *out, enum log_format format, struct text value)
{
    const struct log_field fields[] = {log_int("n", -7), log_text("value", value)};
    buffer_reset(out);
    log_format_record(out, format, 0, LOG_LEVEL_WARN, "message", fields, 2);
    assert_false(out->failed);
}

static void assert_one_line(const struct buffer *out)
{
    struct text line = buffer_text(out);
    assert_true(utf8_is_valid(line));
    for (size_t i = 0; i + 1 < line.length; i++)
        assert_true((unsigned char)line.data[i] >= ' ' && line.data[i] != 0x7F);
    assert_int_equal(line.data[line.length - 1], '\n');
}

static void test_a_record_is_one_line_of_printable_utf8(void **state)
{
    (void)state;
    struct buffer out;
    char value[MAX_VALUE];
    buffer_init(&out, 1 << 20);
    for (int i = 0; i < ROUNDS; i++) {
        struct text text = random_value(value);
        format(&out, LOG_FORMAT_LOGFMT, text);
        assert_one_line(&out);
        format(&out, LOG_FORMAT_JSON, text);
        assert_one_line(&out);
    }
    buffer_fini(&out);
}

static void test_json_gives_the_value_back(void **state)
{
    (void)state;
    struct buffer out;
    char value[MAX_VALUE];
    struct json *json = json_new();
    assert_non_null(json);
    buffer_init(&out, 1 << 20);
    for (int i = 0; i < ROUNDS; i++) {
        struct text expected = random_value(value), text;
        const json_value *root;
        struct error err;
        format(&out, LOG_FORMAT_JSON, expected);
        assert_int_equal(json_read(json, buffer_text(&out), &root, &err), JSON_OK);
        assert_true(json_text(json_member(root, "value"), &text));
        bool has_nul = expected.length > 0 && memchr(expected.data, 0, expected.length) != NULL;
        if (utf8_is_valid(expected) && !has_nul && expected.length <= 1024)
            assert_true(text_equal(text, expected));
    }
    buffer_fini(&out);
    json_free(json);
}

int main(void)
{
    chance = chance_from_environment();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_is_one_line_of_printable_utf8),
        cmocka_unit_test(test_json_gives_the_value_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
