/* items: documents come out whole, of lists their items, and damage costs what is damaged. */
#include "lib/stream/items.h"

#include "lib/json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIMIT 1000

static void feed(struct items *items, struct text bytes)
{
    size_t room = 0;
    char *start = items_room(items, &room);
    assert_non_null(start);
    assert_true(bytes.length <= room);
    memcpy(start, bytes.data, bytes.length);
    items_fed(items, bytes.length);
}

static void expect(struct items *items, enum frame_kind kind, const char *text, uint64_t length)
{
    struct frame_line line = items_next(items);
    assert_int_equal(line.kind, kind);
    assert_int_equal(line.text.length, strlen(text));
    assert_memory_equal(line.text.data, text, line.text.length);
    assert_int_equal(line.length, length);
}

/* All that comes of the stream is `expected`, whole documents; it ends in a NULL. */
static void expect_all_of(struct text stream, const char *const *expected)
{
    struct items items;
    items_init(&items, LIMIT);
    feed(&items, stream);
    for (; *expected != NULL; expected++) {
        struct frame_line line = items_next(&items);
        assert_int_equal(line.kind, FRAME_LINE);
        assert_int_equal(line.text.length, strlen(*expected));
        assert_memory_equal(line.text.data, *expected, line.text.length);
    }
    assert_int_equal(items_next(&items).kind, FRAME_NONE);
    assert_int_equal(items_end(&items).kind, FRAME_NONE);
    items_fini(&items);
}

#define EXPECT(stream, ...)                                                                        \
    expect_all_of(TEXT(stream), (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

/* The same, but the stream ends inside a document or list. */
static uint64_t cut_bytes_of(const char *stream)
{
    struct items items;
    items_init(&items, LIMIT);
    feed(&items, text_from(stream));
    while (items_next(&items).kind != FRAME_NONE)
        ;
    struct frame_line line = items_end(&items);
    assert_int_equal(line.kind, FRAME_CUT);
    items_fini(&items);
    return line.length;
}

#define EVENT_A "{\"type\":\"ADDED\",\"object\":{\"kind\":\"A\"}}"
#define EVENT_B "{\"type\":\"DELETED\",\"object\":{\"kind\":\"B\"}}"
#define ADDED   "{\"type\":\"ADDED\",\"object\":"

/* ---- documents --------------------------------------------------------------------------------*/

static void test_events_come_out_as_they_are(void **state)
{
    (void)state;
    EXPECT(EVENT_A "\n" EVENT_B "\n", EVENT_A, EVENT_B);
    EXPECT("\n \r\n" EVENT_A "\r\n\t" EVENT_B, EVENT_A, EVENT_B);
    EXPECT(EVENT_A EVENT_B EVENT_A, EVENT_A, EVENT_B, EVENT_A);
    EXPECT("");
    EXPECT(" \n\n");
}

static void test_an_event_may_take_many_lines(void **state)
{
    (void)state;
    EXPECT("{\n\"type\":\n\"ADDED\",\n\"object\":\n{\n}\n}\n" EVENT_B,
           "{\n\"type\":\n\"ADDED\",\n\"object\":\n{\n}\n}", EVENT_B);
}

static void test_each_document_has_the_line_on_which_it_begins(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {1, 3, 8, 10, 11};
    struct items items;
    items_init(&items, 100);
    feed(&items, TEXT("{\n}\nword\n{ \"kind\": \"List\",\n\"items\": [\n\n\n {\n}, \n{},\n{}]}"));
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(items_next(&items).line, numbers[i]);
    assert_int_equal(items_next(&items).kind, FRAME_NONE);
    items_fini(&items);
}

static void test_brackets_in_strings_do_not_count(void **state)
{
    (void)state;
    EXPECT("{\"object\":\"}{\"}\n{\"object\":\"\\\"}\"}\n{\"object\":\"\\\\\"}\n",
           "{\"object\":\"}{\"}", "{\"object\":\"\\\"}\"}", "{\"object\":\"\\\\\"}");
}

static void test_a_bare_object_becomes_an_event(void **state)
{
    (void)state;
    EXPECT("{\n  \"kind\": \"Pod\",\n  \"metadata\": {}\n}\n",
           ADDED "{\n  \"kind\": \"Pod\",\n  \"metadata\": {}\n}}");
    EXPECT("{\"kind\":\"Secret\",\"type\":\"Opaque\"}",
           ADDED "{\"kind\":\"Secret\",\"type\":\"Opaque\"}}");
}

static void test_what_is_no_object_stays_what_it_is(void **state)
{
    (void)state;
    EXPECT("{\"kind\":\"Status\",\"code\":410}", "{\"kind\":\"Status\",\"code\":410}");
    EXPECT("{\"metadata\":{\"kind\":\"Pod\"}}", "{\"metadata\":{\"kind\":\"Pod\"}}");
    EXPECT("{\"note\":\"kind\",\"a\":1}", "{\"note\":\"kind\",\"a\":1}");
    EXPECT("{}", "{}");
}

static void test_a_line_that_is_no_document_is_one(void **state)
{
    (void)state;
    EXPECT("NAME  READY  {}\n" EVENT_A "\nnull\n]\n" EVENT_B "\n", "NAME  READY  {}", EVENT_A,
           "null", "]", EVENT_B);
    EXPECT(EVENT_A " rest\n" EVENT_B "\n", EVENT_A, "rest", EVENT_B);
}

static void test_a_byte_order_mark_is_white_space(void **state)
{
    (void)state;
    EXPECT("\xef\xbb\xbf" EVENT_A "\n", EVENT_A);
}

/* ---- lists ------------------------------------------------------------------------------------*/

static void test_the_items_of_a_list_become_events(void **state)
{
    (void)state;
    EXPECT("{\"apiVersion\":\"v1\",\"items\":[{\"kind\":\"A\"},{\"kind\":\"B\"}],\"kind\":\"List\","
           "\"metadata\":{\"resourceVersion\":\"\"}}\n" EVENT_B,
           ADDED "{\"kind\":\"A\"}}", ADDED "{\"kind\":\"B\"}}", EVENT_B);
}

static void test_a_list_may_be_laid_out_in_any_way(void **state)
{
    (void)state;
    EXPECT("{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n        {\n            \"a\": 1\n"
           "        },\n        {}\n    ],\n    \"kind\": \"List\"\n}\n",
           ADDED "{\n            \"a\": 1\n        }}", ADDED "{}}");
    EXPECT("{\"items\"\n:\n[\n{\n\"a\":\n{\n}\n}\n,\n{}]}", ADDED "{\n\"a\":\n{\n}\n}}",
           ADDED "{}}");
}

static void test_items_without_a_kind_have_their_lists(void **state)
{
    (void)state;
    EXPECT("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[{\"a\":1},{}]}",
           ADDED "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"a\":1}}", ADDED "{}}");
}

/* A reader takes the last one of two members. */
static void test_an_item_that_has_a_kind_keeps_it(void **state)
{
    (void)state;
    EXPECT("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[{\"kind\":\"B\"}]}",
           ADDED "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"kind\":\"B\"}}");
}

/* Nor is its beginning, even if that looks like the kind of a list. */
static void test_a_kind_that_is_too_long_is_none(void **state)
{
    (void)state;
    char stream[600];
    char kind[sizeof(((struct items_name *)NULL)->data) - 3];
    memset(kind, 'k', sizeof(kind) - 1);
    kind[sizeof(kind) - 1] = '\0';
    int length =
        snprintf(stream, sizeof(stream),
                 "{\"kind\":\"%sListList\",\"apiVersion\":\"v1\",\"items\":[{\"a\":1}]}", kind);
    expect_all_of((struct text){stream, (size_t)length},
                  (const char *const[]){ADDED "{\"a\":1}}", NULL});
}

static void test_only_items_of_the_document_itself_make_a_list(void **state)
{
    (void)state;
    EXPECT("{\"object\":{\"items\":[{}]}}", "{\"object\":{\"items\":[{}]}}");
    EXPECT("{\"a\":\"items\",\"b\":[{}]}", "{\"a\":\"items\",\"b\":[{}]}");
    EXPECT("{\"items\":{\"a\":[{}]}}", "{\"items\":{\"a\":[{}]}}");
    EXPECT("{\"items\":null,\"a\":[]}", "{\"items\":null,\"a\":[]}");
    EXPECT("{\"items\":[{\"items\":[{}]}]}", ADDED "{\"items\":[{}]}}");
}

static void test_an_empty_list_is_nothing(void **state)
{
    (void)state;
    EXPECT("{\"items\":[]}");
    EXPECT("[]");
    EXPECT("{\"items\": [\n] ,\"kind\":\"List\"}\n[ ]\n" EVENT_A, EVENT_A);
}

static void test_the_items_of_an_array_are_documents(void **state)
{
    (void)state;
    EXPECT("[\n" EVENT_A ",\n{\"kind\":\"B\"}\n]\n" EVENT_B, EVENT_A, ADDED "{\"kind\":\"B\"}}",
           EVENT_B);
}

static void test_items_that_are_no_objects_stay_what_they_are(void **state)
{
    (void)state;
    EXPECT("{\"items\":[1,null ,[{}],\"a\"]}", "1", "null ", "[{}]", "\"a\"");
}

static void test_events_in_a_list_are_events(void **state)
{
    (void)state;
    EXPECT("{\"items\":[" EVENT_A "," EVENT_B "]}", EVENT_A, EVENT_B);
}

/* ---- bounds -----------------------------------------------------------------------------------*/

static void expect_bound(const char *stream, struct text before, struct text head, uint64_t length)
{
    struct items items;
    items_init(&items, 40);
    feed(&items, text_from(stream));
    if (before.length > 0)
        assert_true(text_equal(items_next(&items).text, before));
    struct frame_line line = items_next(&items);
    assert_int_equal(line.kind, FRAME_TOO_LONG);
    assert_int_equal(line.text.length, head.length);
    assert_memory_equal(line.text.data, head.data, head.length);
    assert_int_equal(line.length, length);
    expect(&items, FRAME_LINE, "{\"object\":1}", 12);
    assert_int_equal(items_next(&items).kind, FRAME_NONE);
    items_fini(&items);
}

static void test_a_document_over_the_bound_is_skipped(void **state)
{
    (void)state;
    expect_bound("{\"object\":{\"a\":\"01234567890123456789012345\"}}{\"object\":1}", TEXT(""),
                 TEXT("{\"object\":{\"a\":\"012345678901234567890123"), 45);
    expect_bound("0123456789012345678901234567890123456789+\n{\"object\":1}", TEXT(""),
                 TEXT("0123456789012345678901234567890123456789"), 41);
}

static void test_an_item_over_the_bound_is_skipped(void **state)
{
    (void)state;
    expect_bound("{\"items\":[{\"a\":1},{\"b\":\"0123456789012345678901234567890123\"},"
                 "{\"object\":1}]}",
                 TEXT(ADDED "{\"a\":1}}"),
                 TEXT(ADDED "{\"b\":\"0123456789012345678901234567890123"), 42);
}

static void test_a_document_of_the_bound_is_delivered(void **state)
{
    (void)state;
    struct items items;
    const char *stream = "{\"object\":{\"a\":\"01234567890123456789012\"}}";
    items_init(&items, strlen(stream));
    feed(&items, text_from(stream));
    expect(&items, FRAME_LINE, stream, strlen(stream));
    items_fini(&items);
}

static void test_a_list_may_be_longer_than_the_bound(void **state)
{
    (void)state;
    struct items items;
    size_t count = 0;
    items_init(&items, 40);
    feed(&items, TEXT("{\"items\":["));
    assert_int_equal(items_next(&items).kind, FRAME_NONE);
    for (int i = 0; i < 100000; i++) {
        feed(&items, TEXT("{\"metadata\":{}},\n"));
        while (items_next(&items).kind == FRAME_LINE)
            count++;
        assert_true(items.window.capacity <= 2 * FRAME_READ_SIZE);
    }
    feed(&items, TEXT("]}"));
    assert_int_equal(items_next(&items).kind, FRAME_NONE);
    assert_int_equal(items_end(&items).kind, FRAME_NONE);
    assert_int_equal(count, 100000);
    items_fini(&items);
}

static void test_no_memory_is_held_while_there_is_nothing_to_hold(void **state)
{
    (void)state;
    struct items items;
    items_init(&items, 1 << 20);
    feed(&items, TEXT("{\"items\":[{\"a\":\""));
    for (int i = 0; i < 400000; i += 10) {
        assert_int_equal(items_next(&items).kind, FRAME_NONE);
        feed(&items, TEXT("0123456789"));
    }
    feed(&items, TEXT("\"}"));
    assert_int_equal(items_next(&items).kind, FRAME_LINE);
    assert_int_equal(items_next(&items).kind, FRAME_NONE);
    assert_null(items.window.data);
    assert_null(items.event.data);
    items_fini(&items);
}

/* Nesting costs no memory, and a reader refuses it. */
static void test_deep_nesting_is_delivered(void **state)
{
    (void)state;
    char open[JSON_MAX_DEPTH + 2];
    char stream[3 * JSON_MAX_DEPTH];
    memset(open, '[', sizeof(open));
    open[sizeof(open) - 1] = '\0';
    int length = snprintf(stream, sizeof(stream), "{\"object\":%s", open);
    memset(stream + length, ']', sizeof(open) - 1);
    stream[(size_t)length + sizeof(open) - 1] = '}';
    stream[(size_t)length + sizeof(open)] = '\0';
    expect_all_of(text_from(stream), (const char *const[]){stream, NULL});
}

/* ---- long documents ---------------------------------------------------------------------------*/

#define LONG (3 * FRAME_READ_SIZE)

/* A stream of three parts with LONG bytes of filling in between, and what is to come of it. */
struct long_case {
    const char *before, *filling, *behind;
    const char *expected_before, *expected_behind;
};

static struct text lengthen(const char *before, const char *filling, const char *behind)
{
    size_t head = strlen(before), unit = strlen(filling), tail = strlen(behind);
    size_t count = LONG / unit;
    char *data = malloc(head + count * unit + tail);
    assert_non_null(data);
    memcpy(data, before, head);
    for (size_t i = 0; i < count; i++)
        memcpy(data + head + i * unit, filling, unit);
    memcpy(data + head + count * unit, behind, tail);
    return (struct text){data, head + count * unit + tail};
}

static void expect_long(const struct long_case *example, size_t piece)
{
    struct text stream = lengthen(example->before, example->filling, example->behind);
    struct text expected =
        lengthen(example->expected_before, example->filling, example->expected_behind);
    struct items items;
    struct frame_line line = {.kind = FRAME_NONE};
    items_init(&items, 2 * LONG);
    for (size_t at = 0; at < stream.length && line.kind == FRAME_NONE; at += piece) {
        size_t left = stream.length - at;
        feed(&items, (struct text){stream.data + at, left < piece ? left : piece});
        line = items_next(&items);
    }
    assert_int_equal(line.kind, FRAME_LINE);
    assert_true(text_equal(line.text, expected));
    items_fini(&items);
    free((char *)stream.data);
    free((char *)expected.data);
}

/* In whatever pieces it comes, and wherever in it stands what says that it is no object. */
static void test_a_long_document_is_delivered_like_any_other(void **state)
{
    (void)state;
    static const struct long_case examples[] = {
        {"{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[{\"x\":\"", "abc\\\"", "\"}]}",
         ADDED "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"x\":\"", "\"}}"},
        {"{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[{", "   ", "\"x\":1}]}",
         ADDED "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",", "\"x\":1}}"},
        {"{\"items\":[{\"x\":[", "{\"y\":1},", "2],\"object\":{}}]}", "{\"x\":[",
         "2],\"object\":{}}"},
        {"{\"kind\":\"Pod\",\"x\":\"", "a", "\"}", ADDED "{\"kind\":\"Pod\",\"x\":\"", "\"}}"},
        {"{\"x\":\"", "a", "\",\"kind\":\"Pod\"}", ADDED "{\"x\":\"", "\",\"kind\":\"Pod\"}}"},
        {"{\"kind\":\"Pod\",\"x\":\"", "a", "\",\"kind\":\"Status\"}", "{\"kind\":\"Pod\",\"x\":\"",
         "\",\"kind\":\"Status\"}"},
        {"{\"type\":\"ADDED\",\"object\":{\"x\":\"", "a", "\"}}",
         "{\"type\":\"ADDED\",\"object\":{\"x\":\"", "\"}}"},
    };
    static const size_t pieces[] = {1009, FRAME_READ_SIZE - 1, FRAME_READ_SIZE};
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        for (size_t j = 0; j < sizeof(pieces) / sizeof(pieces[0]); j++)
            expect_long(&examples[i], pieces[j]);
    }
}

/* What one has left behind is not in the next, whatever became of it. */
static void test_a_long_document_follows_another(void **state)
{
    (void)state;
    struct items items;
    struct text bad = lengthen("{\"kind\":\"A\",\"x\":\"", "a", "\",{"); /* a key is missing */
    struct text good = lengthen("{\"kind\":\"B\",\"x\":\"", "b", "\"}");
    struct text expected = lengthen(ADDED "{\"kind\":\"B\",\"x\":\"", "b", "\"}}");
    const struct text streams[] = {bad, TEXT("\n"), good, TEXT("\n"), good};
    size_t found = 0;
    items_init(&items, 2 * LONG);
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        for (size_t at = 0; at < streams[i].length; at += 1000) {
            size_t left = streams[i].length - at;
            feed(&items, (struct text){streams[i].data + at, left < 1000 ? left : 1000});
            for (struct frame_line line = items_next(&items); line.kind != FRAME_NONE;
                 line = items_next(&items))
                found += text_equal(line.text, expected);
        }
    }
    assert_int_equal(found, 2);
    items_fini(&items);
    free((char *)bad.data);
    free((char *)good.data);
    free((char *)expected.data);
}

/* ---- damage -----------------------------------------------------------------------------------*/

static void test_a_cut_line_costs_nothing_but_itself(void **state)
{
    (void)state;
    static const char *const cuts[] = {"{\"type\":\"ADD\n", "{\"type\":1\n", "{\"a\":{\n",
                                       "{\"a\":{}\n",       "{\"a\":\n",     "{\"a\":[\n",
                                       "{\"a\":[1,\r\n"};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        char stream[500];
        (void)snprintf(stream, sizeof(stream), "%s%s\n%s%s\n", cuts[i], EVENT_A, cuts[i], EVENT_B);
        expect_all_of(text_from(stream),
                      (const char *const[]){cuts[i], EVENT_A, cuts[i], EVENT_B, NULL});
    }
}

static void test_a_lost_quote_costs_nothing_but_its_item(void **state)
{
    (void)state;
    EXPECT("{\n \"items\": [\n  {\n   \"a\": \"b,\n   \"c\": {}\n  },\n  {\n  }\n ]\n}\n" EVENT_A,
           ADDED "{\n   \"a\": \"b,\n   \"c\": {}\n  }}", ADDED "{\n  }}", EVENT_A);
}

static void test_a_lost_bracket_costs_the_rest_of_its_list(void **state)
{
    (void)state;
    EXPECT("{\"items\":[{\"a\":1},{\"b\":{},{\"c\":1}]}\n" EVENT_A "\n", ADDED "{\"a\":1}}",
           ADDED "{\"b\":{},{\"c\":1}]}", "}", EVENT_A);
}

static void test_where_items_begin_lines_a_cut_one_costs_nothing_but_itself(void **state)
{
    (void)state;
    EXPECT("[\n{\"a\":1},\n{\"b\":\n{\"c\":1}\n]\n" EVENT_A, ADDED "{\"a\":1}}", "{\"b\":\n",
           ADDED "{\"c\":1}}", EVENT_A);
}

static void test_a_list_without_an_end_ends_at_the_next_document(void **state)
{
    (void)state;
    EXPECT("{\"items\":[{\"a\":1}],\"b\":{\n" EVENT_A "\n", ADDED "{\"a\":1}}", EVENT_A);
}

static void test_damage_behind_the_bound_costs_one_document(void **state)
{
    (void)state;
    expect_bound("{\"a\":\"0123456789012345678901234567890123456789\"\n{\"object\":1}\n", TEXT(""),
                 TEXT("{\"a\":\"0123456789012345678901234567890123"), 48);
}

static void test_a_stream_that_ends_inside_something_is_cut(void **state)
{
    (void)state;
    assert_int_equal(cut_bytes_of("{\"a\":1"), 6);
    assert_int_equal(cut_bytes_of(EVENT_A "\n{\"a\":1"), 6);
    assert_int_equal(cut_bytes_of("null"), 4);
    assert_int_equal(cut_bytes_of("\n{\"items\":[{},"), 13);
    assert_int_equal(cut_bytes_of("{\"items\":[{}]"), 13);
    assert_int_equal(cut_bytes_of("{\"items\":[{}"), 12);
    assert_int_equal(cut_bytes_of("{\"items\":[{\"a\":"), 5);
    assert_int_equal(cut_bytes_of(" [\n"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_come_out_as_they_are),
        cmocka_unit_test(test_an_event_may_take_many_lines),
        cmocka_unit_test(test_each_document_has_the_line_on_which_it_begins),
        cmocka_unit_test(test_brackets_in_strings_do_not_count),
        cmocka_unit_test(test_a_bare_object_becomes_an_event),
        cmocka_unit_test(test_what_is_no_object_stays_what_it_is),
        cmocka_unit_test(test_a_line_that_is_no_document_is_one),
        cmocka_unit_test(test_a_byte_order_mark_is_white_space),
        cmocka_unit_test(test_the_items_of_a_list_become_events),
        cmocka_unit_test(test_a_list_may_be_laid_out_in_any_way),
        cmocka_unit_test(test_items_without_a_kind_have_their_lists),
        cmocka_unit_test(test_an_item_that_has_a_kind_keeps_it),
        cmocka_unit_test(test_a_kind_that_is_too_long_is_none),
        cmocka_unit_test(test_only_items_of_the_document_itself_make_a_list),
        cmocka_unit_test(test_an_empty_list_is_nothing),
        cmocka_unit_test(test_the_items_of_an_array_are_documents),
        cmocka_unit_test(test_items_that_are_no_objects_stay_what_they_are),
        cmocka_unit_test(test_events_in_a_list_are_events),
        cmocka_unit_test(test_a_document_over_the_bound_is_skipped),
        cmocka_unit_test(test_an_item_over_the_bound_is_skipped),
        cmocka_unit_test(test_a_document_of_the_bound_is_delivered),
        cmocka_unit_test(test_a_list_may_be_longer_than_the_bound),
        cmocka_unit_test(test_no_memory_is_held_while_there_is_nothing_to_hold),
        cmocka_unit_test(test_deep_nesting_is_delivered),
        cmocka_unit_test(test_a_long_document_is_delivered_like_any_other),
        cmocka_unit_test(test_a_long_document_follows_another),
        cmocka_unit_test(test_a_cut_line_costs_nothing_but_itself),
        cmocka_unit_test(test_a_lost_quote_costs_nothing_but_its_item),
        cmocka_unit_test(test_a_lost_bracket_costs_the_rest_of_its_list),
        cmocka_unit_test(test_where_items_begin_lines_a_cut_one_costs_nothing_but_itself),
        cmocka_unit_test(test_a_list_without_an_end_ends_at_the_next_document),
        cmocka_unit_test(test_damage_behind_the_bound_costs_one_document),
        cmocka_unit_test(test_a_stream_that_ends_inside_something_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
