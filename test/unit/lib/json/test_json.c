/* json: what is JSON and what is not, to the byte; what strings, numbers and duplicate keys become;
 * what is read of a document; Go's escaping. */
#include "lib/json/write.h"
#include "test/support/json_model.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    struct json *json;
    struct error err;
    struct buffer out;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->json = json_new();
    assert_non_null(f->json);
    buffer_init(&f->out, (size_t)1 << 24);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    json_free(f->json);
    buffer_fini(&f->out);
    free(f);
    return 0;
}

/* A copy that ends where the text does, so that a read past its end is seen. */
static char *exact_copy(struct text text)
{
    char *copy = malloc(text.length > 0 ? text.length : 1);
    assert_non_null(copy);
    memcpy(copy, text.data, text.length);
    return copy;
}

static enum json_result read_any(struct fixture *f, struct text text, const json_value **root)
{
    char *copy = exact_copy(text);
    enum json_result result = json_read(f->json, (struct text){copy, text.length}, root, &f->err);
    free(copy);
    return result;
}

static const json_value *read_text(struct fixture *f, struct text text)
{
    const json_value *root;
    if (read_any(f, text, &root) != JSON_OK)
        fail_msg("refused: %.*s: %s", (int)text.length, text.data, f->err.text);
    assert_non_null(root);
    return root;
}

static const json_value *read_string(struct fixture *f, const char *text)
{
    return read_text(f, text_from(text));
}

static void assert_transcript(struct fixture *f, struct text text, struct text expected)
{
    buffer_reset(&f->out);
    json_transcript(read_text(f, text), &f->out);
    if (!text_equal(buffer_text(&f->out), expected))
        fail_msg("%.*s is read as %.*s", (int)text.length, text.data, (int)f->out.length,
                 f->out.data);
}

static void assert_refused(struct fixture *f, struct text text, enum json_result result,
                           const char *error)
{
    const json_value *root = (const json_value *)f;
    if (read_any(f, text, &root) != result)
        fail_msg("not refused, or not so: %.*s", (int)text.length, text.data);
    assert_null(root);
    assert_int_equal(f->err.code, ERROR_INPUT);
    assert_string_equal(f->err.text, error);
}

static void assert_value_is(const json_value *value, struct text expected)
{
    struct text text;
    assert_true(json_text(value, &text));
    assert_true(text_equal(text, expected));
}

/* ---- the grammar ----------------------------------------------------------------------------- */

static void test_every_kind_of_value_can_be_the_document(void **state)
{
    static const struct {
        const char *text;
        const char *transcript;
    } cases[] = {
        {"{}", "{}"},
        {"[]", "[]"},
        {"\"\"", "s0:"},
        {"0", "n1:0"},
        {"true", "t"},
        {"false", "f"},
        {"null", "z"},
        {" \t\r\n[ \t\r\n1 \t\r\n, \t\r\n2 \t\r\n] \t\r\n", "[n1:1n1:2]"},
        {" { \"a\" : { } , \"b\" : [ ] } ", "{k1:a{}k1:b[]}"},
        {"[[],[[]],{\"a\":[{}]}]", "[[][[]]{k1:a[{}]}]"},
        {"{\"\":\"\"}", "{k0:s0:}"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_transcript(*state, text_from(cases[i].text), text_from(cases[i].transcript));
}

static void test_what_is_not_json_is_refused_at_the_byte_that_is_wrong(void **state)
{
    static const struct {
        struct text text;
        const char *error;
    } cases[] = {
        {TEXT(""), "offset 0: unexpected end"},
        {TEXT(" \n"), "offset 2: unexpected end"},
        {TEXT("{"), "offset 1: unexpected end"},
        {TEXT("["), "offset 1: unexpected end"},
        {TEXT("[1"), "offset 2: unexpected end"},
        {TEXT("[1,"), "offset 3: unexpected end"},
        {TEXT("{\"a\""), "offset 4: unexpected end"},
        {TEXT("{\"a\":"), "offset 5: unexpected end"},
        {TEXT("{\"a\":1"), "offset 6: unexpected end"},
        {TEXT("{\"a\":1,"), "offset 7: unexpected end"},
        {TEXT("\"abc"), "offset 4: unexpected end"},
        {TEXT("\"abcdefghijk"), "offset 12: unexpected end"},
        {TEXT("\""), "offset 1: unexpected end"},
        {TEXT("-"), "offset 1: unexpected end"},
        {TEXT("\xef\xbb\xbf{}"), "offset 0: expected a value"},
        {TEXT("\0"), "offset 0: expected a value"},
        {TEXT("{}\0"), "offset 2: text after the document"},
        {TEXT("{} {}"), "offset 3: text after the document"},
        {TEXT("{}}"), "offset 2: text after the document"},
        {TEXT("1 2"), "offset 2: text after the document"},
        {TEXT("null0"), "offset 4: text after the document"},
        {TEXT("]"), "offset 0: expected a value"},
        {TEXT("[,]"), "offset 1: expected a value"},
        {TEXT("[1,]"), "offset 3: expected a value"},
        {TEXT("[1,,2]"), "offset 3: expected a value"},
        {TEXT("[1 2]"), "offset 3: expected ',' or ']'"},
        {TEXT("[1}"), "offset 2: expected ',' or ']'"},
        {TEXT("[1:2]"), "offset 2: expected ',' or ']'"},
        {TEXT("{,}"), "offset 1: expected a key"},
        {TEXT("{1:2}"), "offset 1: expected a key"},
        {TEXT("{a:2}"), "offset 1: expected a key"},
        {TEXT("{\"a\":1,}"), "offset 7: expected a key"},
        {TEXT("{\"a\",1}"), "offset 4: expected ':'"},
        {TEXT("{\"a\" 1}"), "offset 5: expected ':'"},
        {TEXT("{\"a\"::1}"), "offset 5: expected a value"},
        {TEXT("{\"a\":}"), "offset 5: expected a value"},
        {TEXT("{\"a\":1]"), "offset 6: expected ',' or '}'"},
        {TEXT("{\"a\":1 \"b\":2}"), "offset 7: expected ',' or '}'"},
        {TEXT("nul"), "offset 0: expected a value"},
        {TEXT("nulL"), "offset 0: expected a value"},
        {TEXT("True"), "offset 0: expected a value"},
        {TEXT("[tru]"), "offset 1: expected a value"},
        {TEXT("[falsE]"), "offset 1: expected a value"},
        {TEXT("NaN"), "offset 0: expected a value"},
        {TEXT("[Infinity]"), "offset 1: expected a value"},
        {TEXT("'a'"), "offset 0: expected a value"},
        {TEXT("[1,\v2]"), "offset 3: expected a value"},
        {TEXT("[1,\xc2\xa0 2]"), "offset 3: expected a value"},
        {TEXT("[1/*c*/]"), "offset 2: expected ',' or ']'"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_refused(*state, cases[i].text, JSON_MALFORMED, cases[i].error);
}

static void test_a_text_of_no_bytes_needs_no_address(void **state)
{
    struct fixture *f = *state;
    const json_value *root;
    assert_int_equal(json_read(f->json, (struct text){NULL, 0}, &root, &f->err), JSON_MALFORMED);
    assert_string_equal(f->err.text, "offset 0: unexpected end");
}

static void test_numbers_follow_the_grammar(void **state)
{
    static const struct {
        const char *text;
        const char *read;
    } good[] = {
        {"0", "0"},
        {"-0", "-0"},
        {"9", "9"},
        {"10", "10"},
        {"-1", "-1"},
        {"0.0", "0"},
        {"1.50", "1.5"},
        {"0.1", "0.1"},
        {"1e5", "100000"},
        {"1E5", "100000"},
        {"1e+05", "100000"},
        {"1e-5", "1e-05"},
        {"-0e0", "-0"},
        {"0.1E1", "1"},
        {"1e999", "inf"},
        {"2147483647", "2147483647"},
        {"9007199254740991", "9007199254740991"},
        {"1000000000000000", "1e+15"},
        {"123456789012345678901234567890", "1.2345678901234568e+29"},
        {"100000000000000000000000000000000000000000000000000000000000000", "1e+62"},
    };
    static const struct {
        const char *text;
        const char *error;
    } bad[] = {
        {"01", "offset 1: text after the document"},
        {"-01", "offset 2: text after the document"},
        {"+1", "offset 0: expected a value"},
        {".5", "offset 0: expected a value"},
        {"1.x", "offset 2: bad number"},
        {"[1.]", "offset 3: bad number"},
        {"[-]", "offset 2: bad number"},
        {"--1", "offset 1: bad number"},
        {"-a", "offset 1: bad number"},
        {"[1e]", "offset 3: bad number"},
        {"[1e+]", "offset 4: bad number"},
        {"[1e-x]", "offset 4: bad number"},
        {"[1.e5]", "offset 3: bad number"},
        {"1e5.5", "offset 3: text after the document"},
        {"1.", "offset 2: unexpected end"},
        {"1e", "offset 2: unexpected end"},
        {"0x10", "offset 1: text after the document"},
        {"1_000", "offset 1: text after the document"},
        {"1000000000000000000000000000000000000000000000000000000000000000",
         "offset 0: number too long"},
    };
    for (size_t i = 0; i < LENGTH(good); i++) {
        struct text text;
        char digits[JSON_NUMBER_SIZE];
        const json_value *value = read_string(*state, good[i].text);
        assert_true(json_type(value) == JSON_NUMBER);
        assert_true(json_number_text(value, digits, &text));
        assert_string_equal(text.data, good[i].read);
    }
    for (size_t i = 0; i < LENGTH(bad); i++)
        assert_refused(*state, text_from(bad[i].text), JSON_MALFORMED, bad[i].error);
}

static void test_raw_control_characters_are_refused_wherever_they_stand(void **state)
{
    for (unsigned char c = 0; c < 0x20; c++) {
        for (size_t before = 0; before < 20; before++) {
            char text[64] = "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"";
            char error[64];
            text[1 + before] = (char)c;
            snprintf(error, sizeof(error), "offset %zu: control character in a string", 1 + before);
            assert_refused(*state, (struct text){text, 34}, JSON_MALFORMED, error);
        }
    }
}

static void test_every_other_ascii_byte_is_kept_wherever_it_stands(void **state)
{
    for (int c = 0x20; c < 0x80; c++) {
        if (c == '"' || c == '\\')
            continue;
        for (size_t before = 0; before < 20; before++) {
            char text[64] = "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"";
            text[1 + before] = (char)c;
            assert_value_is(read_text(*state, (struct text){text, 34}),
                            (struct text){text + 1, 32});
        }
    }
}

static void test_strings_of_every_length_end_at_their_quote(void **state)
{
    struct fixture *f = *state;
    for (size_t length = 0; length < 40; length++) {
        char text[64];
        memset(text, 'x', sizeof(text));
        text[0] = '"';
        text[1 + length] = '"';
        assert_value_is(read_text(f, (struct text){text, length + 2}),
                        (struct text){text + 1, length});
        const json_value *root;
        assert_int_equal(read_any(f, (struct text){text, length + 3}, &root), JSON_MALFORMED);
    }
}

static void nest(struct buffer *out, const char *opening, const char *closing, size_t depth)
{
    buffer_reset(out);
    for (size_t i = 0; i < depth; i++)
        buffer_append_string(out, opening);
    buffer_append_string(out, "1");
    for (size_t i = 0; i < depth; i++)
        buffer_append_string(out, closing);
}

static void test_nesting_is_bounded(void **state)
{
    struct fixture *f = *state;
    const json_value *root;
    struct buffer text;
    buffer_init(&text, (size_t)1 << 24);

    nest(&text, "[", "]", JSON_MAX_DEPTH);
    assert_int_equal(read_any(f, buffer_text(&text), &root), JSON_OK);
    nest(&text, "{\"a\":", "}", JSON_MAX_DEPTH);
    assert_int_equal(read_any(f, buffer_text(&text), &root), JSON_OK);
    nest(&text, "[", "]", JSON_MAX_DEPTH + 1);
    assert_refused(f, buffer_text(&text), JSON_TOO_DEEP, "offset 64: nested too deep");
    nest(&text, "{\"a\":", "}", JSON_MAX_DEPTH + 1);
    assert_refused(f, buffer_text(&text), JSON_TOO_DEEP, "offset 320: nested too deep");
    nest(&text, "[", "]", 1000000);
    assert_refused(f, buffer_text(&text), JSON_TOO_DEEP, "offset 64: nested too deep");
    buffer_fini(&text);
}

/* ---- strings --------------------------------------------------------------------------------- */

static void test_escapes_are_decoded(void **state)
{
    static const struct {
        struct text text;
        struct text expected;
    } cases[] = {
        {TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), TEXT("\"\\/\b\f\n\r\t")},
        {TEXT("\"a\\u003cb\\u003Ec\\u0026\""), TEXT("a<b>c&")},
        {TEXT("\"\\u00e9\\u20ac\\uFFFF\""), TEXT("\xc3\xa9\xe2\x82\xac\xef\xbf\xbf")},
        {TEXT("\"\\ud83d\\ude00\""), TEXT("\xf0\x9f\x98\x80")},
        {TEXT("\"\\uD800\\uDC00\\uDBFF\\uDFFF\""), TEXT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")},
        {TEXT("\"\\u001b\\u007f\""), TEXT("\x1b\x7f")},
        {TEXT("\"\\\\u0000\""), TEXT("\\u0000")},
        {TEXT("\"\\\\\\\"\\\\\""), TEXT("\\\"\\")},
        {TEXT("\"long enough for words \\n of eight\""), TEXT("long enough for words \n of eight")},
    };
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_value_is(read_text(*state, cases[i].text), cases[i].expected);
}

static void test_escapes_that_json_does_not_have_are_refused(void **state)
{
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {"\"ab\\x41\"", "offset 3: unknown escape"},
        {"\"\\N\"", "offset 1: unknown escape"},
        {"\"\\'\"", "offset 1: unknown escape"},
        {"\"\\U0041\"", "offset 1: unknown escape"},
        {"\"\\u004\"", "offset 1: bad \\u escape"},
        {"\"\\u\"", "offset 1: bad \\u escape"},
        {"\"\\u00g0\"", "offset 1: bad \\u escape"},
        {"\"\\u004G\"", "offset 1: bad \\u escape"},
        {"\"\\u+041\"", "offset 1: bad \\u escape"},
        {"\"\\u 041\"", "offset 1: bad \\u escape"},
        {"\"\\ud83d\\u\"", "offset 7: bad \\u escape"},
        {"\"a\\", "offset 2: string without an end"},
        {"\"\\u004", "offset 1: bad \\u escape"},
        {"\"\\\"", "offset 3: unexpected end"},
        {"\"\\u004:\"", "offset 1: bad \\u escape"},
        {"\"\\u004`\"", "offset 1: bad \\u escape"},
    };
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_refused(*state, text_from(cases[i].text), JSON_MALFORMED, cases[i].error);
}

#define FFFD "\xef\xbf\xbd"

static void test_a_lone_surrogate_becomes_u_fffd(void **state)
{
    static const struct {
        struct text text;
        struct text expected;
    } cases[] = {
        {TEXT("\"\\ud800\""), TEXT(FFFD)},
        {TEXT("\"\\udfff\""), TEXT(FFFD)},
        {TEXT("\"a\\udbffb\""), TEXT("a" FFFD "b")},
        {TEXT("\"\\ud800\\ud800\""), TEXT(FFFD FFFD)},
        {TEXT("\"\\udc00\\ud800\""), TEXT(FFFD FFFD)},
        {TEXT("\"\\ud800\\udbff\""), TEXT(FFFD FFFD)},
        {TEXT("\"\\ud800\\ue000\""), TEXT(FFFD "\xee\x80\x80")},
        {TEXT("\"\\ud800\\u0041\""), TEXT(FFFD "A")},
        {TEXT("\"\\ud800\\ud800\\udc00\""), TEXT(FFFD "\xf0\x90\x80\x80")},
        {TEXT("\"\\ud800\\n\""), TEXT(FFFD "\n")},
        {TEXT("\"\\udc00\\udc00\""), TEXT(FFFD FFFD)},
        {TEXT("\"\\ud83dxudc00\""), TEXT(FFFD "xudc00")},
        {TEXT("\"\\ud83d\\ndc00\""), TEXT(FFFD "\ndc00")},
    };
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_value_is(read_text(*state, cases[i].text), cases[i].expected);
}

static void test_utf8_is_kept_and_each_invalid_byte_becomes_u_fffd(void **state)
{
    static const struct {
        struct text text;
        struct text expected;
    } cases[] = {
        {TEXT("\"\xc2\x80\xdf\xbf\""), TEXT("\xc2\x80\xdf\xbf")},
        {TEXT("\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\""),
         TEXT("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf")},
        {TEXT("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""), TEXT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")},
        {TEXT("\"\xef\xbf\xbd\""), TEXT(FFFD)},
        {TEXT("\"\x80\""), TEXT(FFFD)},
        {TEXT("\"\xfe\xff\""), TEXT(FFFD FFFD)},
        {TEXT("\"\xff"
              "1\""),
         TEXT(FFFD "1")},
        {TEXT("\"\xc3\""), TEXT(FFFD)},
        {TEXT("\"\xc0\x80\xc1\xbf\""), TEXT(FFFD FFFD FFFD FFFD)},
        {TEXT("\"\xe2\x82\""), TEXT(FFFD FFFD)},
        {TEXT("\"\xe2\x82"
              "a\""),
         TEXT(FFFD FFFD "a")},
        {TEXT("\"\xed\xa0\x80\""), TEXT(FFFD FFFD FFFD)},
        {TEXT("\"\xf4\x90\x80\x80\""), TEXT(FFFD FFFD FFFD FFFD)},
        {TEXT("\"abcdefg\xc3\xa9hijklmn\xe2\x82\xacop\""),
         TEXT("abcdefg\xc3\xa9hijklmn\xe2\x82\xacop")},
        {TEXT("\"\xc3\\n\""), TEXT(FFFD "\n")},
    };
    for (size_t i = 0; i < LENGTH(cases); i++)
        assert_value_is(read_text(*state, cases[i].text), cases[i].expected);
    assert_refused(*state, TEXT("\"\xc3"), JSON_MALFORMED, "offset 2: unexpected end");
    assert_transcript(*state, TEXT("{\"\xff\xc3\xa9\":1}"), TEXT("{k5:" FFFD "\xc3\xa9n1:1}"));
}

static void test_a_nul_becomes_u_fffd_so_that_no_string_ends_early(void **state)
{
    struct fixture *f = *state;
    const json_value *root =
        read_string(f, "[\"a\\u0000b\",\"\\u0000\",\"plain\",\"\\u0000\\u0000x\\u0000\",\"\"]");
    for (int i = 0; i < 2; i++) { /* the second time is as the first */
        const json_value *e = json_first(root);
        assert_value_is(e, TEXT("a" FFFD "b"));
        assert_true(json_type(e) == JSON_STRING);
        assert_value_is(e = json_next(e), TEXT(FFFD));
        assert_true(json_type(e) == JSON_STRING);
        assert_value_is(e = json_next(e), TEXT("plain"));
        assert_value_is(e = json_next(e), TEXT(FFFD FFFD "x" FFFD));
        assert_value_is(json_next(e), TEXT(""));
    }
    assert_value_is(read_string(f, "\"no NUL any more\""), TEXT("no NUL any more"));
}

static void test_a_nul_in_a_key_is_u_fffd_so_that_no_key_is_cut_to_another(void **state)
{
    assert_transcript(*state, TEXT("{\"uid\\u0000\":\"a\",\"uid\":\"b\"}"),
                      TEXT("{k6:uid" FFFD "s1:ak3:uids1:b}"));
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void test_a_number_is_no_string_and_a_string_no_number(void **state)
{
    struct fixture *f = *state;
    struct text text = TEXT("as before");
    char digits[JSON_NUMBER_SIZE];
    int64_t integer = 7;
    const json_value *number = json_first(read_string(f, "[12,\"12\"]"));
    const json_value *string = json_next(number);

    assert_true(json_type(number) == JSON_NUMBER);
    assert_false(json_type(number) == JSON_STRING);
    assert_false(json_text(number, &text));
    assert_true(text_is(text, "as before"));

    assert_true(json_type(string) == JSON_STRING);
    assert_false(json_type(string) == JSON_NUMBER);
    assert_false(json_number_text(string, digits, &text));
    assert_false(json_integer(string, &integer));
    assert_true(text_is(text, "as before"));
    assert_int_equal(integer, 7);
}

static void test_an_integer_is_exact_or_none(void **state)
{
    static const struct {
        const char *text;
        bool fits;
        int64_t integer;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"-1", true, -1},
        {"9007199254740991", true, INT64_C(9007199254740991)},
        {"-9007199254740991", true, INT64_C(-9007199254740991)},
        {"9007199254740992", false, 0},
        {"-9007199254740993", false, 0},
        {"1e999", false, 0},
        {"1.5", false, 0},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"100000000000000000000000000", false, 0},
        {"1.0", true, 1},
        {"1e2", true, 100},
        {"10E0", true, 10},
    };
    for (size_t i = 0; i < LENGTH(cases); i++) {
        int64_t integer = 42;
        assert_int_equal(json_integer(read_string(*state, cases[i].text), &integer), cases[i].fits);
        assert_true(integer == (cases[i].fits ? cases[i].integer : 42));
    }
    /* What overflowed before does not make the next one fail. */
    int64_t integer;
    assert_true(json_integer(read_string(*state, "5"), &integer));
}

/* ---- members --------------------------------------------------------------------------------- */

static void test_of_duplicate_keys_the_last_one_wins(void **state)
{
    struct fixture *f = *state;
    const json_value *root = read_string(f, "{\"a\":\"1\",\"b\":\"2\",\"a\":\"3\"}");
    assert_value_is(json_member(root, "a"), TEXT("3"));
    assert_value_is(json_member(root, "b"), TEXT("2"));
}

static void test_a_null_is_as_absent_even_as_the_last_duplicate(void **state)
{
    struct fixture *f = *state;
    const json_value *root =
        read_string(f, "{\"a\":null,\"b\":\"2\",\"b\":null,\"c\":null,\"c\":3}");
    assert_null(json_member(root, "a"));
    assert_null(json_member(root, "b"));
    assert_true(json_type(json_member(root, "c")) == JSON_NUMBER);
    assert_true(json_type(json_first(root)) == JSON_NULL);
}

static void test_keys_are_case_sensitive_and_compared_whole(void **state)
{
    const json_value *root =
        read_string(*state, "{\"UID\":1,\"uidx\":2,\"ui\":3,\"\\u0075id\":\"x\"}");
    assert_value_is(json_member(root, "uid"), TEXT("x"));
    assert_null(json_member(root, "Uid"));
    assert_null(json_member(root, ""));
}

static void test_a_path_ends_where_there_is_no_object(void **state)
{
    struct fixture *f = *state;
    const json_value *root =
        read_string(f, "{\"a\":{\"b\":{\"c\":\"x\"}},\"l\":[{\"a\":1}],\"s\":\"a\"}");
    assert_value_is(json_path(root, "a", "b", "c", NULL), TEXT("x"));
    assert_ptr_equal(json_path(root, NULL), root);
    assert_null(json_path(root, "a", "x", "c", NULL));
    assert_null(json_path(root, "s", "a", NULL));
    assert_null(json_path(root, "l", "a", NULL));
    assert_null(json_path(NULL, "a", NULL));
}

static void test_elements_come_in_the_order_of_the_text(void **state)
{
    assert_transcript(*state, TEXT("{\"b\":null,\"a\":1,\"b\":[true,false,null]}"),
                      TEXT("{k1:bzk1:an1:1k1:b[tfz]}"));
    const json_value *root = read_string(*state, "[1]");
    assert_null(json_next(json_first(root)));
    assert_true(text_is(json_key(json_first(root)), ""));
    assert_null(json_first(read_string(*state, "[]")));
    assert_null(json_first(read_string(*state, "{}")));
    assert_null(json_first(read_string(*state, "\"ab\"")));
    assert_null(json_first(read_string(*state, "12")));
}

static void test_nothing_can_be_asked_anything(void **state)
{
    (void)state;
    struct text text;
    char digits[JSON_NUMBER_SIZE];
    int64_t integer;
    assert_null(json_member(NULL, "a"));
    assert_null(json_first(NULL));
    assert_null(json_next(NULL));
    assert_true(text_is(json_key(NULL), ""));
    assert_false(json_type(NULL) == JSON_OBJECT || json_type(NULL) == JSON_ARRAY ||
                 json_type(NULL) == JSON_STRING || json_type(NULL) == JSON_NUMBER ||
                 json_type(NULL) == JSON_TRUE || json_type(NULL) == JSON_NULL);
    assert_false(json_text(NULL, &text) || json_number_text(NULL, digits, &text) ||
                 json_integer(NULL, &integer));
    json_free(NULL);
}

static void test_each_value_is_of_one_kind_only(void **state)
{
    static const char *const texts[] = {"{}", "[]", "\"\"", "0", "true", "null", "false"};
    for (size_t i = 0; i < LENGTH(texts); i++) {
        const json_value *value = read_string(*state, texts[i]);
        assert_int_equal(json_type(value) == JSON_OBJECT, i == 0);
        assert_int_equal(json_type(value) == JSON_ARRAY, i == 1);
        assert_int_equal(json_type(value) == JSON_STRING, i == 2);
        assert_int_equal(json_type(value) == JSON_NUMBER, i == 3);
        assert_int_equal(json_type(value) == JSON_TRUE, i == 4);
        assert_int_equal(json_type(value) == JSON_NULL, i == 5);
    }
}

/* ---- what is read ---------------------------------------------------------------------------- */

static void keep(struct fixture *f, const char *base, const char *path)
{
    const char *const paths[] = {path, NULL};
    json_keep(f->json, base, paths);
}

struct reading {
    const char *text;
    const char *transcript;
};

static void assert_read(struct fixture *f, const struct reading *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_transcript(f, text_from(cases[i].text), text_from(cases[i].transcript));
}

static void test_only_what_is_on_a_path_is_read(void **state)
{
    static const struct reading cases[] = {
        {"{}", "{}"},
        {"{\"x\":1}", "{}"},
        {"{\"a\":1}", "{k1:an1:1}"},
        {"{\"x\":1,\"a\":2}", "{k1:an1:2}"},
        {"{\"a\":2,\"x\":1}", "{k1:an1:2}"},
        {"{\"a\":2,\"x\":1,\"b\":{\"c\":3}}", "{k1:an1:2k1:b{k1:cn1:3}}"},
        {"{\"x\":1,\"x\":{},\"a\":{\"x\":[]},\"x\":\"\"}", "{k1:a{k1:x[]}}"},
        {"{\"b\":{\"a\":1,\"c\":{\"x\":2},\"x\":3},\"c\":4}", "{k1:b{k1:c{k1:xn1:2}}}"},
        {"{\"x\":[1,{\"a\":2},[]],\"a\":4}", "{k1:an1:4}"},
        {"{\"a\":1,\"a\":2}", "{k1:an1:1k1:an1:2}"},
        {" { \"x\" : { \"a\" : 1 } , \"a\" : 2 , \"x\" : 3 } ", "{k1:an1:2}"},
        {"{\"A\":1,\"aa\":2,\"\":3,\"a \":4,\"b c\":5}", "{}"},
    };
    struct fixture *f = *state;
    keep(f, "", "a");
    keep(f, "b", "c");
    assert_read(f, cases, LENGTH(cases));
}

static void test_paths_may_begin_alike(void **state)
{
    static const struct reading cases[] = {
        {"{\"a\":{\"b\":1,\"x\":2,\"c\":{\"d\":3,\"x\":4}}}", "{k1:a{k1:bn1:1k1:c{k1:dn1:3}}}"},
        {"{\"e\":{\"x\":1,\"f\":2}}", "{k1:e{k1:xn1:1k1:fn1:2}}"},
        {"{\"g\":{\"x\":[1]}}", "{k1:g{}}"},
    };
    static const char *const none[] = {NULL};
    struct fixture *f = *state;
    keep(f, "a", "b");
    keep(f, "a c", "d");
    keep(f, "e", "f");
    keep(f, "", "e");
    json_keep(f->json, "g", none);
    assert_read(f, cases, LENGTH(cases));
}

static void test_a_star_is_any_key(void **state)
{
    static const struct reading cases[] = {
        {"{\"a\":{\"x\":{\"b\":1,\"c\":2},\"\":{\"b\":3}}}", "{k1:a{k1:x{k1:bn1:1}k0:{k1:bn1:3}}}"},
        {"{\"a\":{\"\\u0078\":{\"b\":1,\"c\":2}},\"x\":{\"b\":4}}", "{k1:a{k1:x{k1:bn1:1}}}"},
        {"{\"a\":{\"*\":{\"c\":5},\"x\":6}}", "{k1:a{k1:*{}k1:xn1:6}}"},
    };
    struct fixture *f = *state;
    keep(f, "a *", "b");
    assert_read(f, cases, LENGTH(cases));
}

static void test_what_is_on_the_way_is_read_whatever_it_is(void **state)
{
    static const struct reading cases[] = {
        {"{\"a\":\"text\"}", "{k1:as4:text}"},
        {"{\"a\":null}", "{k1:az}"},
        {"{\"a\":[1,\"x\",{\"b\":2,\"x\":3},[{\"x\":4,\"b\":5}],{}]}",
         "{k1:a[n1:1s1:x{k1:bn1:2}[{k1:bn1:5}]{}]}"},
        {"[{\"a\":{\"b\":1,\"x\":2}},{\"x\":3}]", "[{k1:a{k1:bn1:1}}{}]"},
        {"\"text\"", "s4:text"},
    };
    struct fixture *f = *state;
    keep(f, "", "a b");
    assert_read(f, cases, LENGTH(cases));
}

static void test_a_key_with_escapes_is_read(void **state)
{
    struct fixture *f = *state;
    keep(f, "", "a b");
    assert_transcript(f, TEXT("{\"\\u0061\":{\"b\":1,\"x\":2}}"), TEXT("{k1:a{k1:bn1:1k1:xn1:2}}"));
    assert_transcript(f, TEXT("{\"x\\n\":1,\"\xff\":2}"), TEXT("{k2:x\nn1:1}"));
}

static void test_what_is_not_read_is_checked_all_the_same(void **state)
{
    struct fixture *f = *state;
    keep(f, "", "a");
    assert_refused(f, TEXT("{\"skip\":[1,]}"), JSON_MALFORMED, "offset 11: expected a value");
    assert_refused(f, TEXT("{\"skip\":1,}"), JSON_MALFORMED, "offset 10: expected a key");
    assert_refused(f, TEXT("{\"skip\":}"), JSON_MALFORMED, "offset 8: expected a value");
    assert_refused(f, TEXT("{\"skip\" 1}"), JSON_MALFORMED, "offset 8: expected ':'");
    assert_refused(f, TEXT("{\"skip\":{\"b\":[tru]}}"), JSON_MALFORMED,
                   "offset 14: expected a value");
    assert_refused(f, TEXT("{\"skip\":\"\\u00g0\"}"), JSON_MALFORMED, "offset 9: bad \\u escape");
    assert_refused(f, TEXT("{\"skip\":\"\x01\"}"), JSON_MALFORMED,
                   "offset 9: control character in a string");
    assert_refused(f, TEXT("{\"skip\":1.}"), JSON_MALFORMED, "offset 10: bad number");
}

static void test_nesting_is_bounded_where_nothing_is_read(void **state)
{
    struct fixture *f = *state;
    struct buffer text;
    const json_value *root;
    keep(f, "", "a");
    buffer_init(&text, (size_t)1 << 24);
    nest(&text, "{\"skip\":", "}", JSON_MAX_DEPTH);
    assert_int_equal(read_any(f, buffer_text(&text), &root), JSON_OK);
    nest(&text, "{\"skip\":", "}", JSON_MAX_DEPTH + 1);
    assert_refused(f, buffer_text(&text), JSON_TOO_DEEP, "offset 512: nested too deep");
    buffer_fini(&text);
}

/* ---- bounds ---------------------------------------------------------------------------------- */

static void append_zeros(struct buffer *out, size_t count)
{
    buffer_append_string(out, "[");
    for (size_t i = 0; i < count; i++)
        buffer_append_string(out, i == 0 ? "0" : ",0");
    buffer_append_string(out, "]");
}

static void test_the_number_of_kept_values_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct buffer text;
    const json_value *root;
    buffer_init(&text, (size_t)1 << 24);

    append_zeros(&text, JSON_MAX_VALUES - 1); /* and the array itself */
    assert_int_equal(read_any(f, buffer_text(&text), &root), JSON_OK);
    buffer_reset(&text);
    append_zeros(&text, JSON_MAX_VALUES);
    assert_refused(f, buffer_text(&text), JSON_NO_MEMORY, "offset 1048575: too many values");

    keep(f, "", "a");
    buffer_reset(&text);
    buffer_append_string(&text, "{\"skip\":");
    append_zeros(&text, 2 * JSON_MAX_VALUES);
    buffer_append_string(&text, ",\"a\":1}");
    assert_transcript(f, buffer_text(&text), TEXT("{k1:an1:1}"));

    /* Of a damaged one no more is made a tree of either. */
    text.length -= strlen("],\"a\":1}");
    assert_refused(f, buffer_text(&text), JSON_NO_MEMORY, "offset 1048581: too many values");
    buffer_fini(&text);
}

static void test_a_text_over_the_bound_is_refused_unread(void **state)
{
    struct fixture *f = *state;
    const json_value *root;
    struct text text = {"1", JSON_MAX_TEXT + 1};
    assert_int_equal(json_read(f->json, text, &root, &f->err), JSON_NO_MEMORY);
    assert_int_equal(f->err.code, ERROR_INPUT);
    assert_null(root);
}

static size_t bytes_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void test_one_huge_document_does_not_keep_its_memory(void **state)
{
    struct fixture *f = *state;
    const size_t huge = (size_t)16 << 20;
    char *text = malloc(huge);
    const json_value *root;
    assert_non_null(text);
    read_string(f, "{}");
    size_t before = bytes_in_use();
    memset(text, 'x', huge);
    text[0] = text[huge - 1] = '"';
    assert_int_equal(json_read(f->json, (struct text){text, huge}, &root, &f->err), JSON_OK);
    read_string(f, "{}");
    assert_true(bytes_in_use() <= before + ((size_t)2 << 20));
    text[huge - 1] = 'x';
    assert_int_equal(json_read(f->json, (struct text){text, huge}, &root, &f->err), JSON_MALFORMED);
    assert_true(bytes_in_use() <= before + ((size_t)2 << 20));
    free(text);
}

static void test_a_reader_goes_on_after_a_refusal(void **state)
{
    assert_refused(*state, TEXT("{\"a\":[1,2"), JSON_MALFORMED, "offset 9: unexpected end");
    assert_transcript(*state, TEXT("{\"a\":1}"), TEXT("{k1:an1:1}"));
    struct fixture *f = *state;
    const json_value *root;
    assert_int_equal(json_read(f->json, TEXT("{"), &root, NULL), JSON_MALFORMED);
    assert_int_equal(json_read(f->json, TEXT("[]"), &root, NULL), JSON_OK);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* What Go's json.Marshal prints for these. */
static void test_strings_are_written_as_go_writes_them(void **state)
{
    static const struct {
        struct text text;
        const char *json;
    } cases[] = {
        {TEXT(""), "\"\""},
        {TEXT("plain"), "\"plain\""},
        {TEXT("a\"b\\c/d"), "\"a\\\"b\\\\c/d\""},
        {TEXT("\n\r\t\b\f\v"), "\"\\n\\r\\t\\u0008\\u000c\\u000b\""},
        {TEXT("\0\x01\x1b\x1f\x7f"), "\"\\u0000\\u0001\\u001b\\u001f\x7f\""},
        {TEXT("<a href='x'>&"), "\"\\u003ca href='x'\\u003e\\u0026\""},
        {TEXT("\xe2\x80\xa8|\xe2\x80\xa9"), "\"\\u2028|\\u2029\""},
        {TEXT("\xe2\x80\xa7\xe2\x80\xaa\xe2\x81\xa8"), "\"\xe2\x80\xa7\xe2\x80\xaa\xe2\x81\xa8\""},
        {TEXT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {TEXT("a\xff"
              "b\xe2\x82"),
         "\"a\\ufffdb\\ufffd\\ufffd\""},
        {TEXT("\xef\xbf\xbd"), "\"\xef\xbf\xbd\""},
        {TEXT("x"), "\"x\""},
        {TEXT("\xe2\x80\xa8"), "\"\\u2028\""},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char *copy = exact_copy(cases[i].text);
        buffer_reset(&f->out);
        json_append_string(&f->out, (struct text){copy, cases[i].text.length});
        assert_string_equal(buffer_cstring(&f->out), cases[i].json);
        free(copy);
    }
    buffer_reset(&f->out);
    json_append_string(&f->out, (struct text){NULL, 0});
    assert_string_equal(buffer_cstring(&f->out), "\"\"");
}

static void test_a_string_that_does_not_fit_fails_the_buffer(void **state)
{
    struct buffer out;
    (void)state;
    for (size_t limit = 1; limit < 12; limit++) {
        buffer_init(&out, limit);
        json_append_string(&out, TEXT("abc<d"));
        assert_true(out.failed);
        buffer_fini(&out);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_kind_of_value_can_be_the_document),
        TEST(test_what_is_not_json_is_refused_at_the_byte_that_is_wrong),
        TEST(test_a_text_of_no_bytes_needs_no_address),
        TEST(test_numbers_follow_the_grammar),
        TEST(test_raw_control_characters_are_refused_wherever_they_stand),
        TEST(test_every_other_ascii_byte_is_kept_wherever_it_stands),
        TEST(test_strings_of_every_length_end_at_their_quote),
        TEST(test_nesting_is_bounded),
        TEST(test_escapes_are_decoded),
        TEST(test_escapes_that_json_does_not_have_are_refused),
        TEST(test_a_lone_surrogate_becomes_u_fffd),
        TEST(test_utf8_is_kept_and_each_invalid_byte_becomes_u_fffd),
        TEST(test_a_nul_becomes_u_fffd_so_that_no_string_ends_early),
        TEST(test_a_nul_in_a_key_is_u_fffd_so_that_no_key_is_cut_to_another),
        TEST(test_a_number_is_no_string_and_a_string_no_number),
        TEST(test_an_integer_is_exact_or_none),
        TEST(test_of_duplicate_keys_the_last_one_wins),
        TEST(test_a_null_is_as_absent_even_as_the_last_duplicate),
        TEST(test_keys_are_case_sensitive_and_compared_whole),
        TEST(test_a_path_ends_where_there_is_no_object),
        TEST(test_elements_come_in_the_order_of_the_text),
        TEST(test_nothing_can_be_asked_anything),
        TEST(test_each_value_is_of_one_kind_only),
        TEST(test_only_what_is_on_a_path_is_read),
        TEST(test_paths_may_begin_alike),
        TEST(test_a_star_is_any_key),
        TEST(test_what_is_on_the_way_is_read_whatever_it_is),
        TEST(test_a_key_with_escapes_is_read),
        TEST(test_what_is_not_read_is_checked_all_the_same),
        TEST(test_nesting_is_bounded_where_nothing_is_read),
        TEST(test_the_number_of_kept_values_is_bounded),
        TEST(test_a_text_over_the_bound_is_refused_unread),
        TEST(test_one_huge_document_does_not_keep_its_memory),
        TEST(test_a_reader_goes_on_after_a_refusal),
        TEST(test_strings_are_written_as_go_writes_them),
        TEST(test_a_string_that_does_not_fit_fails_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
