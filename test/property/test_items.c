/* items: any split of the bytes gives the same documents; so does any layout of them over lines; what
 * is whole in a damaged recording comes out. SEED=n replays a run. */
#include "lib/stream/items.h"

#include "test/support/chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define ROUNDS       2000
#define STREAM_LIMIT 4096
#define OUT_LIMIT    (1 << 20)

static struct chance chance;

/* ---- what comes out of a stream ---------------------------------------------------------------*/

static void note(struct buffer *out, const struct frame_line *line)
{
    buffer_appendf(out, "%d %llu ", (int)line->kind, (unsigned long long)line->length);
    buffer_append(out, line->text);
    buffer_append_char(out, '\n');
}

static void take_documents(struct items *items, struct buffer *out,
                           void (*take)(struct buffer *out, const struct frame_line *line))
{
    struct frame_line line;
    while ((line = items_next(items)).kind != FRAME_NONE)
        take(out, &line);
}

/* Reads of 1 to `largest` bytes. */
static void run(struct text stream, size_t max_document, uint32_t largest, struct buffer *out,
                void (*take)(struct buffer *out, const struct frame_line *line))
{
    struct items items;
    items_init(&items, max_document);
    buffer_reset(out);
    for (size_t at = 0; at < stream.length;) {
        size_t room = 0;
        char *start = items_room(&items, &room);
        assert_non_null(start);
        size_t part = 1 + chance_below(&chance, largest);
        part = part < room ? part : room;
        part = part < stream.length - at ? part : stream.length - at;
        memcpy(start, stream.data + at, part);
        items_fed(&items, part);
        at += part;
        take_documents(&items, out, take);
        assert_true(items.window.length <= max_document + 1);
    }
    take_documents(&items, out, take);
    struct frame_line rest = items_end(&items);
    take(out, &rest);
    items_fini(&items);
    assert_false(out->failed);
}

static void assert_same(const struct buffer *expected, const struct buffer *actual)
{
    struct text a = buffer_text(expected);
    struct text b = buffer_text(actual);
    if (!text_equal(a, b))
        print_error("expected:\n%.*s\ngot:\n%.*s\n", (int)a.length, a.data, (int)b.length, b.data);
    assert_true(text_equal(a, b));
}

/* ---- splits -----------------------------------------------------------------------------------*/

/* Mostly what means something, in any order. */
static void make_noise(struct buffer *stream)
{
    static const char *const pieces[] = {"{",           "}",
                                         "[",           "]",
                                         "\"",          ":",
                                         ",",           "\n",
                                         "\n{",         "\n  {",
                                         "  ",          "\\",
                                         "null",        "{\"items\":[",
                                         "\"kind\":",   "\"PodList\"",
                                         "\"object\":", "{\"a\":1},",
                                         "]}",          "}}\n",
                                         "\xff",        "\"a\"",
                                         "\r\n",        "\"apiVersion\":\"v1\",",
                                         "\"b\":2"};
    uint32_t count = chance_below(&chance, 60);
    buffer_reset(stream);
    while (count-- > 0)
        buffer_append_string(stream,
                             pieces[chance_below(&chance, sizeof(pieces) / sizeof(pieces[0]))]);
}

static void test_any_split_gives_the_same_documents(void **state)
{
    (void)state;
    struct buffer stream;
    struct buffer expected;
    struct buffer actual;
    buffer_init(&stream, STREAM_LIMIT);
    buffer_init(&expected, OUT_LIMIT);
    buffer_init(&actual, OUT_LIMIT);
    for (int round = 0; round < ROUNDS; round++) {
        make_noise(&stream);
        size_t max_document = 1 + chance_below(&chance, 100);
        run(buffer_text(&stream), max_document, STREAM_LIMIT, &expected, note);
        run(buffer_text(&stream), max_document, 1, &actual, note);
        assert_same(&expected, &actual);
        run(buffer_text(&stream), max_document, 1 + chance_below(&chance, 20), &actual, note);
        assert_same(&expected, &actual);
    }
    buffer_fini(&stream);
    buffer_fini(&expected);
    buffer_fini(&actual);
}

/* ---- layouts ----------------------------------------------------------------------------------*/

/* Space between two bytes that are not in a string. */
static void append_space(struct buffer *out, bool pretty)
{
    static const char *const spaces[] = {"", "", " ", "\n", "\n    ", "\r\n", "\t"};
    if (pretty)
        buffer_append_string(out, spaces[chance_below(&chance, 7)]);
}

/* json, which is compact, with white space wherever it may be, but no line that begins with {": that
 * would be a document. */
static void lay_out(struct text json, bool pretty, struct buffer *out)
{
    bool in_string = false;
    for (size_t i = 0; i < json.length; i++) {
        in_string ^= json.data[i] == '"' && (i == 0 || json.data[i - 1] != '\\');
        buffer_append_char(out, json.data[i]);
        if (!in_string)
            append_space(out, pretty);
        bool begins_line = out->data[out->start + out->length - 1] == '\n';
        if (begins_line && i + 1 < json.length && json.data[i + 1] == '{')
            buffer_append_char(out, ' ');
    }
}

static void append_value(struct buffer *out, unsigned depth)
{
    static const char *const leaves[] = {"1", "null", "\"a b\"", "\"\\\"}{\"", "\"[\"", "{}", "[]"};
    uint32_t choice = chance_below(&chance, depth == 0 ? 7 : 11);
    if (choice < 7) {
        buffer_append_string(out, leaves[choice]);
        return;
    }
    bool is_object = choice < 9;
    buffer_append_char(out, is_object ? '{' : '[');
    for (uint32_t i = 0, count = chance_below(&chance, 4); i < count; i++) {
        if (i > 0)
            buffer_append_char(out, ',');
        if (is_object)
            buffer_appendf(out, "\"%s\":", i % 2 == 0 ? "items" : "kind");
        append_value(out, depth - 1);
    }
    buffer_append_char(out, is_object ? '}' : ']');
}

static void append_object(struct buffer *out, int number)
{
    buffer_appendf(out, "{\"number\":%d,\"spec\":", number);
    append_value(out, 4);
    buffer_append_char(out, '}');
}

/* A List of some objects, and what is to come out of it. */
static void make_list(struct buffer *list, struct buffer *expected)
{
    struct buffer object;
    buffer_init(&object, STREAM_LIMIT);
    buffer_reset(list);
    buffer_reset(expected);
    buffer_append_string(list, "{\"apiVersion\":\"v1\",\"items\":[");
    for (int i = 0, count = (int)chance_below(&chance, 5); i < count; i++) {
        buffer_reset(&object);
        append_object(&object, i);
        buffer_append_string(list, i > 0 ? "," : "");
        buffer_append(list, buffer_text(&object));
        buffer_append_string(expected, "{\"type\":\"ADDED\",\"object\":");
        buffer_append(expected, buffer_text(&object));
        buffer_append_string(expected, "}\n");
    }
    buffer_append_string(list, "],\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"\"}}");
    assert_false(object.failed);
    buffer_fini(&object);
}

/* Without the white space around values. */
static void note_compact(struct buffer *out, const struct frame_line *line)
{
    bool in_string = false;
    if (line->kind == FRAME_NONE)
        return;
    assert_int_equal(line->kind, FRAME_LINE);
    for (size_t i = 0; i < line->text.length; i++) {
        char c = line->text.data[i];
        in_string ^= c == '"' && (i == 0 || line->text.data[i - 1] != '\\');
        if (in_string || strchr(" \n\r\t", c) == NULL)
            buffer_append_char(out, c);
    }
    buffer_append_char(out, '\n');
}

static void test_any_layout_of_a_list_gives_its_items(void **state)
{
    (void)state;
    struct buffer list;
    struct buffer expected;
    struct buffer stream;
    struct buffer actual;
    buffer_init(&list, OUT_LIMIT);
    buffer_init(&expected, OUT_LIMIT);
    buffer_init(&stream, OUT_LIMIT);
    buffer_init(&actual, OUT_LIMIT);
    for (int round = 0; round < ROUNDS; round++) {
        make_list(&list, &expected);
        buffer_reset(&stream);
        lay_out(buffer_text(&list), round % 2 == 0, &stream);
        run(buffer_text(&stream), OUT_LIMIT, 300, &actual, note_compact);
        assert_same(&expected, &actual);
    }
    buffer_fini(&list);
    buffer_fini(&expected);
    buffer_fini(&stream);
    buffer_fini(&actual);
}

/* ---- damage -----------------------------------------------------------------------------------*/

/* Lines of which some lack their end; those that do not are `expected`. */
static void make_recording(struct buffer *stream, struct buffer *expected)
{
    struct buffer event;
    buffer_init(&event, STREAM_LIMIT);
    buffer_reset(stream);
    buffer_reset(expected);
    for (int i = 0, count = 1 + (int)chance_below(&chance, 8); i < count; i++) {
        buffer_reset(&event);
        buffer_append_string(&event, "{\"type\":\"MODIFIED\",\"object\":");
        append_object(&event, i);
        buffer_append_char(&event, '}');
        struct text line = buffer_text(&event);
        if (chance_below(&chance, 3) == 0)
            line.length = 1 + chance_below(&chance, (uint32_t)line.length - 1);
        else
            buffer_append(expected, line), buffer_append_char(expected, '\n');
        buffer_append(stream, line);
        buffer_append_char(stream, '\n');
    }
    assert_false(event.failed);
    buffer_fini(&event);
}

/* A damaged line may come out in any form, but never as something whole. */
static void note_whole(struct buffer *out, const struct frame_line *line)
{
    struct text text = line->text;
    if (line->kind != FRAME_LINE || memchr(text.data, '\n', text.length) != NULL)
        return;
    buffer_append(out, text);
    buffer_append_char(out, '\n');
}

static void test_what_is_whole_in_a_damaged_recording_comes_out(void **state)
{
    (void)state;
    struct buffer stream;
    struct buffer expected;
    struct buffer actual;
    buffer_init(&stream, OUT_LIMIT);
    buffer_init(&expected, OUT_LIMIT);
    buffer_init(&actual, OUT_LIMIT);
    for (int round = 0; round < ROUNDS; round++) {
        make_recording(&stream, &expected);
        run(buffer_text(&stream), OUT_LIMIT, 300, &actual, note_whole);
        assert_same(&expected, &actual);
    }
    buffer_fini(&stream);
    buffer_fini(&expected);
    buffer_fini(&actual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_split_gives_the_same_documents),
        cmocka_unit_test(test_any_layout_of_a_list_gives_its_items),
        cmocka_unit_test(test_what_is_whole_in_a_damaged_recording_comes_out),
    };
    chance = chance_from_environment();
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
