/* frame: any split of the bytes gives the same lines, and they are those of a plain model that sees
 * the whole stream at once. SEED=n replays a run. */
#include "lib/stream/frame.h"
#include "test/support/chance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROUNDS     1000
#define STREAM_MAX 600

static struct chance seed;

/* What came out of a stream, written down so that two of them can be compared. */
struct transcript {
    struct buffer out;
};

static void note(struct transcript *transcript, enum frame_kind kind, struct text text,
                 uint64_t length)
{
    buffer_appendf(&transcript->out, "%d %llu %zu:", (int)kind, (unsigned long long)length,
                   text.length);
    buffer_append(&transcript->out, text);
    buffer_append_char(&transcript->out, '\n');
}

static struct text first_bytes(struct text text, size_t max_line)
{
    size_t length = max_line < FRAME_HEAD_SIZE ? max_line : FRAME_HEAD_SIZE;
    return (struct text){text.data, text.length < length ? text.length : length};
}

static bool all_white(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (memchr(" \t\r", text.data[i], 3) == NULL)
            return false;
    return true;
}

/* The model: no window, no state, one pass over all bytes. */
static void model_line(struct transcript *out, struct text raw, size_t max_line)
{
    struct text line = raw;
    if (line.length > 0 && line.data[line.length - 1] == '\r')
        line.length--;
    if (line.length > max_line)
        note(out, FRAME_TOO_LONG, first_bytes(raw, max_line), raw.length);
    else if (!all_white(line))
        note(out, FRAME_LINE, line, raw.length);
}

static void model(struct transcript *out, struct text stream, size_t max_line)
{
    const bool marked = stream.length >= 3 && memcmp(stream.data, "\xef\xbb\xbf", 3) == 0;
    size_t start = marked ? 3 : 0;
    for (size_t i = start; i < stream.length; i++) {
        if (stream.data[i] != '\n')
            continue;
        model_line(out, (struct text){stream.data + start, i - start}, max_line);
        start = i + 1;
    }
    struct text rest = {stream.data + start, stream.length - start};
    if (rest.length > max_line + 1)
        note(out, FRAME_CUT, first_bytes(rest, max_line), rest.length);
    else if (!all_white(rest))
        note(out, FRAME_CUT, rest, rest.length);
}

static void take_lines(struct transcript *out, struct frame *frame)
{
    struct frame_line line;
    while ((line = frame_next(frame)).kind != FRAME_NONE)
        note(out, line.kind, line.text, line.length);
}

static void feed_part(struct transcript *out, struct frame *frame, struct text part)
{
    size_t room = 0;
    char *start = frame_room(frame, &room);
    assert_non_null(start);
    assert_true(part.length <= room);
    memcpy(start, part.data, part.length);
    frame_fed(frame, part.length);
    take_lines(out, frame);
    assert_true(frame->window.length <= frame->max_line + 1);
}

static void finish(struct transcript *out, struct frame *frame)
{
    struct frame_line rest = frame_end(frame);
    if (rest.kind != FRAME_NONE)
        note(out, rest.kind, rest.text, rest.length);
    assert_int_equal(frame_next(frame).kind, FRAME_NONE);
}

/* Parts of 1..largest bytes; largest 0: all at once. */
static void run_split(struct transcript *out, struct text stream, size_t max_line, size_t largest,
                      struct chance *random)
{
    struct frame frame;
    frame_init(&frame, max_line);
    for (size_t at = 0; at < stream.length;) {
        size_t part = largest == 0 ? stream.length : 1 + chance_below(random, (uint32_t)largest);
        if (part > stream.length - at)
            part = stream.length - at;
        feed_part(out, &frame, (struct text){stream.data + at, part});
        at += part;
    }
    finish(out, &frame);
    frame_fini(&frame);
}

static void run_cut_at(struct transcript *out, struct text stream, size_t max_line, size_t cut)
{
    struct frame frame;
    frame_init(&frame, max_line);
    feed_part(out, &frame, (struct text){stream.data, cut});
    feed_part(out, &frame, (struct text){stream.data + cut, stream.length - cut});
    finish(out, &frame);
    frame_fini(&frame);
}

static void assert_same(const struct transcript *expected, struct transcript *actual)
{
    assert_false(actual->out.failed);
    struct text a = buffer_text(&expected->out);
    struct text b = buffer_text(&actual->out);
    if (!text_equal(a, b))
        print_error("expected:\n%.*s\ngot:\n%.*s\n", (int)a.length, a.data, (int)b.length, b.data);
    assert_true(text_equal(a, b));
    buffer_reset(&actual->out);
}

static size_t random_stream(char *bytes, struct chance *random)
{
    static const char alphabet[] = "\n\n\n\r\r \t{}\"ab\0\xff";
    size_t length = chance_below(random, STREAM_MAX);
    /* Newlines between never and one in three. */
    uint32_t rarity = 1 + chance_below(random, 8);
    for (size_t i = 0; i < length; i++) {
        char c = alphabet[chance_below(random, sizeof(alphabet) - 1)];
        bytes[i] = c == '\n' && chance_below(random, rarity) != 0 ? 'n' : c;
    }
    /* Every other one begins with a byte order mark, or a part of one. */
    if (length >= 3 && chance_below(random, 2) != 0)
        memcpy(bytes, "\xef\xbb\xbf", 1 + chance_below(random, 3));
    return length;
}

static void test_any_split_gives_the_lines_of_the_model(void **state)
{
    struct chance random = seed;
    char bytes[STREAM_MAX];
    struct transcript expected;
    struct transcript actual;

    (void)state;
    buffer_init(&expected.out, 1 << 20);
    buffer_init(&actual.out, 1 << 20);
    for (int round = 0; round < ROUNDS; round++) {
        struct text stream = {bytes, random_stream(bytes, &random)};
        size_t max_line = 1 + chance_below(&random, 60);

        buffer_reset(&expected.out);
        model(&expected, stream, max_line);
        assert_false(expected.out.failed);
        run_split(&actual, stream, max_line, 0, &random);
        assert_same(&expected, &actual);
        run_split(&actual, stream, max_line, 1, &random);
        assert_same(&expected, &actual);
        run_split(&actual, stream, max_line, 1 + chance_below(&random, 80), &random);
        assert_same(&expected, &actual);
    }
    buffer_fini(&expected.out);
    buffer_fini(&actual.out);
}

static void test_a_cut_at_every_byte_gives_the_lines_of_the_model(void **state)
{
    struct chance random = seed;
    char bytes[STREAM_MAX];
    struct transcript expected;
    struct transcript actual;

    (void)state;
    buffer_init(&expected.out, 1 << 20);
    buffer_init(&actual.out, 1 << 20);
    for (int round = 0; round < ROUNDS / 100; round++) {
        struct text stream = {bytes, random_stream(bytes, &random)};
        size_t max_line = 1 + chance_below(&random, 60);

        buffer_reset(&expected.out);
        model(&expected, stream, max_line);
        for (size_t cut = 0; cut <= stream.length; cut++) {
            run_cut_at(&actual, stream, max_line, cut);
            assert_same(&expected, &actual);
        }
    }
    buffer_fini(&expected.out);
    buffer_fini(&actual.out);
}

/* The same where lines are longer than the kept head and than one read. */
static void test_long_lines_split_anywhere_are_the_same(void **state)
{
    struct chance random = seed;
    size_t length = 5 * FRAME_READ_SIZE;
    char *bytes = malloc(length);
    struct transcript expected;
    struct transcript actual;

    (void)state;
    assert_non_null(bytes);
    buffer_init(&expected.out, 1 << 24);
    buffer_init(&actual.out, 1 << 24);
    for (int round = 0; round < 20; round++) {
        memset(bytes, 'a' + round, length);
        for (int i = 0; i < 8; i++)
            bytes[chance_below(&random, (uint32_t)length)] = "\n\r"[chance_below(&random, 2)];
        struct text stream = {bytes, length};
        size_t max_line = FRAME_HEAD_SIZE / 2 + chance_below(&random, 2 * FRAME_READ_SIZE);

        buffer_reset(&expected.out);
        model(&expected, stream, max_line);
        run_split(&actual, stream, max_line, FRAME_READ_SIZE, &random);
        assert_same(&expected, &actual);
        run_split(&actual, stream, max_line, 100, &random);
        assert_same(&expected, &actual);
    }
    free(bytes);
    buffer_fini(&expected.out);
    buffer_fini(&actual.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_split_gives_the_lines_of_the_model),
        cmocka_unit_test(test_a_cut_at_every_byte_gives_the_lines_of_the_model),
        cmocka_unit_test(test_long_lines_split_anywhere_are_the_same),
    };
    seed = chance_from_environment();
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
