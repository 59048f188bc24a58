/* json: for any text, json_read() says what a second, plain reader says, and reads the same out of
 * it; what json_append_string() writes is read back. SEED=n replays a run. */
#include "test/support/json_model.h"

#include "lib/base/utf8.h"
#include "lib/json/strain.h"
#include "lib/json/write.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define DOCUMENTS 3000
#define MUTANTS   20 /* of each document */
#define SOUPS     60000
#define STRINGS   20000

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t seed;

struct world {
    uint64_t random;
    struct json *json;   /* reads all */
    struct json *masked; /* reads what is on json_model_paths */
    struct buffer text;
    struct buffer expected;
    struct buffer actual;
};

/* splitmix64 */
static size_t below(struct world *w, size_t bound)
{
    uint64_t z = (w->random += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (size_t)((z ^ (z >> 31)) % bound);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    w->random = seed;
    w->json = json_new();
    w->masked = json_new();
    assert_non_null(w->json);
    assert_non_null(w->masked);
    json_keep(w->masked, "", json_model_paths);
    buffer_init(&w->text, (size_t)1 << 24);
    buffer_init(&w->expected, (size_t)1 << 24);
    buffer_init(&w->actual, (size_t)1 << 24);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    json_free(w->json);
    json_free(w->masked);
    buffer_fini(&w->text);
    buffer_fini(&w->expected);
    buffer_fini(&w->actual);
    free(w);
    return 0;
}

static void show(const char *what, struct text text)
{
    print_error("%s: ", what);
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c >= 0x7f || c == '\\')
            print_error("\\x%02x", c);
        else
            print_error("%c", c);
    }
    print_error("\n");
}

/* ---- the two readers ------------------------------------------------------------------------- */

static enum json_result read_and_write_down(struct world *w, struct json *json, struct text text)
{
    const json_value *root;
    struct error err;
    enum json_result result = json_read(json, text, &root, &err);
    if (result == JSON_OK)
        json_transcript(root, &w->actual);
    assert_int_equal(root != NULL, result == JSON_OK);
    if (result != JSON_OK)
        assert_true(strtoull(err.text + strlen("offset "), NULL, 10) <= text.length);
    return result;
}

static enum json_result assert_one_agrees(struct world *w, struct json *json,
                                          const char *const *paths, struct text text)
{
    buffer_reset(&w->expected);
    buffer_reset(&w->actual);
    enum json_result expected = json_model(text, paths, &w->expected);
    enum json_result actual = read_and_write_down(w, json, text);
    bool same =
        actual == expected &&
        (expected != JSON_OK || text_equal(buffer_text(&w->actual), buffer_text(&w->expected)));
    if (!same) {
        show("text", text);
        show("expected", buffer_text(&w->expected));
        show("actual", buffer_text(&w->actual));
        fail_msg("result %d, expected %d", (int)actual, (int)expected);
    }
    return actual;
}

static enum json_result assert_readers_agree(struct world *w)
{
    /* Exactly as large as it is, so that a read past its end is seen. */
    size_t length = w->text.length;
    char *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, buffer_text(&w->text).data, length);
    struct text text = {copy, length};
    enum json_result result = assert_one_agrees(w, w->json, NULL, text);
    assert_int_equal(assert_one_agrees(w, w->masked, json_model_paths, text), result);
    free(copy);
    return result;
}

/* ---- documents ------------------------------------------------------------------------------- */

static void add_one_of(struct world *w, const char *const *strings, size_t count)
{
    buffer_append_string(&w->text, strings[below(w, count)]);
}

static void add_space(struct world *w)
{
    static const char *const spaces[] = {"", "", "", "", " ", "\n", "\t\r\n "};
    add_one_of(w, spaces, LENGTH(spaces));
}

static void add_string_piece(struct world *w)
{
    static const char *const pieces[] = {"a",
                                         "Zz",
                                         "some words of plain text",
                                         "\\n",
                                         "\\\"",
                                         "\\\\",
                                         "\\/",
                                         "\\u0041",
                                         "\\u0000",
                                         "\\u00e9",
                                         "\\ud83d\\ude00",
                                         "\\ud83d",
                                         "\\uDE00",
                                         "\\uFFFD",
                                         "\xc3\xa9",
                                         "\xe2\x82\xac",
                                         "\xf0\x9f\x98\x80",
                                         "\xed\xa0\x80",
                                         "\xc0\x80",
                                         "\xe2\x82",
                                         "\xff",
                                         "\xfe",
                                         "\x80",
                                         "\x7f",
                                         "{",
                                         "]",
                                         ",",
                                         ":",
                                         "\\u003c",
                                         "managedFields"};
    add_one_of(w, pieces, LENGTH(pieces));
}

static void add_string(struct world *w)
{
    buffer_append_char(&w->text, '"');
    for (size_t n = below(w, 6); n > 0; n--)
        add_string_piece(w);
    buffer_append_char(&w->text, '"');
}

static void add_key(struct world *w)
{
    static const char *const keys[] = {"\"a\"",
                                       "\"b\"",
                                       "\"b\"",
                                       "\"b\"",
                                       "\"\"",
                                       "\"managedFields\"",
                                       "\"managed\\u0046ields\"",
                                       "\"managedfields\""};
    if (below(w, 6) == 0)
        add_string(w);
    else
        add_one_of(w, keys, LENGTH(keys));
}

static void add_number(struct world *w)
{
    static const char *const numbers[] = {"0",    "-0",  "7",     "-12",     "1.5",
                                          "0.00", "1e5", "1E+05", "-2.5e-7", "9223372036854775808",
                                          "1e999"};
    add_one_of(w, numbers, LENGTH(numbers));
}

static void add_value(struct world *w, size_t depth);

static void add_container(struct world *w, size_t depth)
{
    bool is_object = below(w, 2) == 0;
    buffer_append_char(&w->text, is_object ? '{' : '[');
    add_space(w);
    for (size_t i = 0, n = below(w, 5); i < n; i++) {
        if (i > 0)
            buffer_append_char(&w->text, ',');
        if (is_object) {
            add_space(w);
            add_key(w);
            add_space(w);
            buffer_append_char(&w->text, ':');
        }
        add_value(w, depth + 1);
    }
    buffer_append_char(&w->text, is_object ? '}' : ']');
}

static void add_value(struct world *w, size_t depth)
{
    static const char *const words[] = {"true", "false", "null"};
    size_t kind = below(w, depth == 0 ? 12 : 8);
    add_space(w);
    if (kind < 2)
        add_string(w);
    else if (kind < 3)
        add_number(w);
    else if (kind < 4 || depth > 6)
        add_one_of(w, words, LENGTH(words));
    else
        add_container(w, depth);
    add_space(w);
}

/* Wraps what is there into arrays and objects, up to about the bound. */
static void wrap(struct world *w)
{
    struct buffer inner = w->text;
    buffer_init(&w->text, inner.limit);
    size_t depth = JSON_MAX_DEPTH - 4 + below(w, 8);
    bool is_object = below(w, 2) == 0;
    for (size_t i = 0; i < depth; i++)
        buffer_append_string(&w->text, is_object ? "{\"a\":" : "[");
    buffer_append(&w->text, buffer_text(&inner));
    for (size_t i = 0; i < depth; i++)
        buffer_append_char(&w->text, is_object ? '}' : ']');
    buffer_fini(&inner);
}

/* ---- mutations ------------------------------------------------------------------------------- */

static const char alphabet[] = "{}[]:,\"\\\"\\ \n\t019-+.eEtrufalsn/b\x01\x80\xc3\xa9\xed\xff\xfe";

/* A byte of the alphabet, its NUL included. */
static char random_byte(struct world *w)
{
    return alphabet[below(w, sizeof(alphabet))];
}

static void mutate(struct world *w)
{
    struct buffer *text = &w->text;
    char *data = text->data;
    size_t at = below(w, text->length);
    switch (below(w, 5)) {
    case 0:
        data[at] = random_byte(w);
        break;
    case 1:
        data[at] = (char)below(w, 256);
        break;
    case 2:
        memmove(data + at, data + at + 1, text->length - at - 1);
        text->length--;
        break;
    case 3:
        buffer_append_char(text, 0);
        memmove(text->data + at + 1, text->data + at, text->length - at - 1);
        text->data[at] = random_byte(w);
        break;
    default:
        text->length = at;
        break;
    }
}

static void test_every_document_is_read_as_the_model_reads_it(void **state)
{
    struct world *w = *state;
    size_t too_deep = 0;
    for (int i = 0; i < DOCUMENTS; i++) {
        buffer_reset(&w->text);
        add_value(w, 0);
        assert_int_equal(assert_readers_agree(w), JSON_OK);
        if (below(w, 8) == 0) {
            wrap(w);
            too_deep += assert_readers_agree(w) == JSON_TOO_DEEP;
        }
    }
    assert_true(too_deep > 0);
}

static void test_damaged_documents_are_refused_or_read_as_by_the_model(void **state)
{
    struct world *w = *state;
    size_t accepted = 0;
    struct buffer original;
    buffer_init(&original, w->text.limit);
    for (int i = 0; i < DOCUMENTS; i++) {
        buffer_reset(&w->text);
        add_value(w, 0);
        buffer_reset(&original);
        buffer_append(&original, buffer_text(&w->text));
        for (int mutant = 0; mutant < MUTANTS; mutant++) {
            buffer_reset(&w->text);
            buffer_append(&w->text, buffer_text(&original));
            for (size_t n = 1 + below(w, 3); n > 0 && w->text.length > 0; n--)
                mutate(w);
            accepted += assert_readers_agree(w) == JSON_OK;
        }
    }
    buffer_fini(&original);
    assert_true(accepted > 0 && accepted < (size_t)DOCUMENTS * MUTANTS);
}

static void test_random_bytes_are_refused_or_read_as_by_the_model(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < SOUPS; i++) {
        buffer_reset(&w->text);
        for (size_t n = below(w, 12); n > 0; n--)
            buffer_append_char(&w->text, random_byte(w));
        (void)assert_readers_agree(w);
    }
}

/* Whatever is copied is within its bound, and cJSON takes all of it. */
static void test_what_is_strained_stays_within_its_bound(void **state)
{
    static const char *const worst[] = {"1",
                                        "[1,1,1]",
                                        "\"\x80\x80\x80\"",
                                        "{\"\":1,\"\":2}",
                                        "[1,2",
                                        "\"\xff\xff\xff\xff\xff\xff\xff\xff\xff"};
    struct world *w = *state;
    for (int i = 0; i < DOCUMENTS; i++) {
        buffer_reset(&w->text);
        if (i < (int)LENGTH(worst))
            buffer_append_string(&w->text, worst[i]);
        else
            add_value(w, 0);
        struct text text = buffer_text(&w->text);
        struct strained strained;
        size_t bound = STRAIN_BOUND(text.length);
        char *copy = malloc(bound + 1);
        assert_non_null(copy);
        copy[bound] = '!';
        if (strain(&mask_whole, SIZE_MAX, text, copy, &strained) == JSON_OK) {
            const char *end = NULL;
            cJSON *tree = cJSON_ParseWithLengthOpts(copy, strained.length, &end, false);
            assert_non_null(tree);
            assert_ptr_equal(end, copy + strained.length);
            cJSON_Delete(tree);
        }
        assert_int_equal(copy[bound], '!');
        free(copy);
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

/* What a string becomes on its way through JSON: itself, but for NULs and bytes that are not UTF-8. */
static void append_valid(struct buffer *out, struct text text)
{
    while (text.length > 0) {
        size_t length = utf8_character(text);
        if (length > 0 && *text.data != '\0')
            buffer_append(out, (struct text){text.data, length});
        else
            buffer_append_string(out, "\xef\xbf\xbd");
        length = length > 0 ? length : 1;
        text.data += length;
        text.length -= length;
    }
}

static void test_what_is_written_is_read_back(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < STRINGS; i++) {
        char bytes[40];
        size_t length = below(w, sizeof(bytes));
        bool ascii = below(w, 2) == 0;
        for (size_t at = 0; at < length; at++)
            bytes[at] = (char)below(w, ascii ? 0x80 : 0x100);
        struct text original = {bytes, length};

        buffer_reset(&w->text);
        json_append_string(&w->text, original);
        buffer_reset(&w->expected);
        append_valid(&w->expected, original);

        const json_value *root;
        struct text text;
        assert_int_equal(json_read(w->json, buffer_text(&w->text), &root, NULL), JSON_OK);
        assert_true(json_text(root, &text));
        if (!text_equal(text, buffer_text(&w->expected))) {
            show("original", original);
            show("written", buffer_text(&w->text));
            show("read", text);
            fail_msg("not read back");
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_document_is_read_as_the_model_reads_it),
        TEST(test_damaged_documents_are_refused_or_read_as_by_the_model),
        TEST(test_random_bytes_are_refused_or_read_as_by_the_model),
        TEST(test_what_is_strained_stays_within_its_bound),
        TEST(test_what_is_written_is_read_back),
    };
    const char *given = getenv("SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
