/* items without memory: what it is read into is asked for again, and a document that finds no memory to
 * be made an event of is skipped and counted; the next one is whole. */
#include "lib/stream/items.h"
#include "test/fault/refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void feed(struct items *items, struct text bytes)
{
    size_t room = 0;
    char *start = items_room(items, &room);
    assert_non_null(start);
    assert_true(bytes.length <= room);
    memcpy(start, bytes.data, bytes.length);
    items_fed(items, bytes.length);
}

static struct frame_line next_without_memory(struct items *items)
{
    refuse(0, 0, REFUSE_ALL);
    struct frame_line line = items_next(items);
    refuse_none();
    return line;
}

static void test_without_room_what_is_there_is_kept(void **state)
{
    (void)state;
    struct items items;
    size_t room;
    items_init(&items, 1 << 20);
    refuse(0, 0, REFUSE_ALL);
    assert_null(items_room(&items, &room));
    refuse_none();
    feed(&items, TEXT("{\"object\""));
    assert_int_equal(next_without_memory(&items).kind, FRAME_NONE);
    feed(&items, TEXT(":1}"));
    assert_true(text_equal(next_without_memory(&items).text, TEXT("{\"object\":1}")));
    items_fini(&items);
}

static void test_an_object_without_memory_for_an_event_is_skipped(void **state)
{
    (void)state;
    struct items items;
    items_init(&items, 1 << 20);
    feed(&items, TEXT("{\"items\":[{\"a\":1},{\"b\":2}]}"));
    struct frame_line line = next_without_memory(&items);
    assert_int_equal(line.kind, FRAME_TOO_LONG);
    assert_int_equal(line.text.length, 0);
    assert_int_equal(line.length, 7);
    line = items_next(&items);
    assert_int_equal(line.kind, FRAME_LINE);
    assert_true(text_equal(line.text, TEXT("{\"type\":\"ADDED\",\"object\":{\"b\":2}}")));
    items_fini(&items);
}

static void test_a_head_without_memory_is_empty(void **state)
{
    (void)state;
    struct items items;
    items_init(&items, 4);
    feed(&items, TEXT("{\"object\":1}{}"));
    struct frame_line line = next_without_memory(&items);
    assert_int_equal(line.kind, FRAME_TOO_LONG);
    assert_int_equal(line.text.length, 0);
    assert_int_equal(line.length, 12);
    assert_true(text_equal(items_next(&items).text, TEXT("{}")));
    items_fini(&items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_room_what_is_there_is_kept),
        cmocka_unit_test(test_an_object_without_memory_for_an_event_is_skipped),
        cmocka_unit_test(test_a_head_without_memory_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
