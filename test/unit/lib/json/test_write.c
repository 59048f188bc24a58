/* write: commas, names and brackets of JSON. What strings look like is in test_json. */
#include "lib/json/write.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int set_up(void **state)
{
    static struct buffer out;
    buffer_init(&out, 4096);
    *state = &out;
    return 0;
}

static int tear_down(void **state)
{
    buffer_fini(*state);
    return 0;
}

static void test_values(void **state)
{
    struct json_writer writer = json_writer(*state);
    json_begin_object(&writer, NULL);
    json_write_string(&writer, "text", "a\"b");
    json_write_integer(&writer, "integer", INT64_MIN);
    json_write_bool(&writer, "yes", true);
    json_write_bool(&writer, "no", false);
    json_write_null(&writer, "none");
    json_write_real(&writer, "real", 1.5);
    json_write_real(&writer, "endless", INFINITY);
    json_write_time(&writer, "time", 1500000);
    json_write_raw(&writer, "raw", TEXT("{\"a\": 1}"));
    json_end(&writer);
    assert_string_equal(buffer_cstring(*state),
                        "{\"text\":\"a\\\"b\",\"integer\":-9223372036854775808,\"yes\":true,"
                        "\"no\":false,\"none\":null,\"real\":1.500,\"endless\":null,"
                        "\"time\":\"1970-01-01T00:00:01.500000Z\",\"raw\":{\"a\": 1}}");
}

static void test_nesting(void **state)
{
    struct json_writer writer = json_writer(*state);
    json_begin_array(&writer, NULL);
    json_begin_object(&writer, NULL);
    json_end(&writer);
    json_begin_object(&writer, NULL);
    json_begin_array(&writer, "list");
    json_write_integer(&writer, NULL, 1);
    json_write_integer(&writer, NULL, 2);
    json_end(&writer);
    json_write_name(&writer, TEXT("a<b"));
    json_begin_object(&writer, NULL);
    json_end(&writer);
    json_write_name(&writer, TEXT("c"));
    json_write_text(&writer, NULL, TEXT("d"));
    json_end(&writer);
    json_begin_array(&writer, NULL);
    json_end(&writer);
    json_end(&writer);
    assert_int_equal(writer.depth, 0);
    assert_string_equal(buffer_cstring(*state),
                        "[{},{\"list\":[1,2],\"a\\u003cb\":{},\"c\":\"d\"},[]]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nesting, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
