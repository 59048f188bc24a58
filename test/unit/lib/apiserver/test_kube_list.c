/* kube_list: what a list says about itself, however its bytes come in. */
#include "lib/apiserver/kube_list.h"

#include "lib/apiserver/kube_answer.h"
#include "lib/stream/items.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define TOKEN "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6Mjc2OSwic3RhcnQiOiJ4XHUwMDAwIn0"

/* An item says more than the list: none of it is to be taken for the list's. */
#define ITEM                                                                                       \
    "{\"metadata\":{\"name\":\"a}\\\"]{\",\"resourceVersion\":\"999\",\"continue\":\"no\"},"       \
    "\"spec\":{\"metadata\":{\"resourceVersion\":\"998\"}},\"resourceVersion\":\"997\"}"

struct example {
    const char *text;
    const char *version;
    const char *next_page;
    bool whole;
    bool damaged;
};

static const struct example examples[] = {
    {"{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"2769\","
     "\"continue\":\"" TOKEN "\",\"remainingItemCount\":63},\"items\":[" ITEM "," ITEM "]}\n",
     "2769", TOKEN, true, false},
    {"{\"apiVersion\":\"training.kubedl.io/v1alpha1\",\"items\":[" ITEM "],\"kind\":\"TFJobList\","
     "\"metadata\":{\"continue\":\"\",\"resourceVersion\":\"12\"}}",
     "12", "", true, false},
    {"{\n  \"kind\": \"PodList\",\n  \"metadata\": {\n    \"resourceVersion\": \"5\",\n"
     "    \"selfLink\": \"metadata\"\n  },\n  \"items\": [\n    " ITEM "\n  ]\n}\n",
     "5", "", true, false},
    {"{\"metadata\":{\"annotations\":{\"resourceVersion\":\"7\"},\"resourceVersion\":\"8\"},"
     "\"items\":[]}",
     "8", "", true, false},
    {"{\"metadata\":{\"resourceVersion\":\"6\"},\"items\":[" ITEM ",", "", "", false, false},
    {"{\"metadata\":{\"resourceVersion\":\"6\"},\"items\":[" ITEM "]", "", "", false, false},
    {"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"4\"},\"items\":null}", "4", "",
     true, false},
    {"{\"metadata\":null,\"items\":[]}", "", "", true, false},
    {"{\"metadata\":[{\"resourceVersion\":\"6\"}],\"items\":[]}", "", "", true, false},
    {"{\"items\":[],\"metadata\":{\"resourceVersion\":\"abc\"}}", "abc", "", true, true},
    {"{\"items\":[],\"metadata\":{\"resourceVersion\":\"1\",\"continue\":\"a\\u0062\"}}", "1", "ab",
     true, false},
    {"{\"items\":[],\"metadata\":{\"resourceVersion\":\"123456789012345678901234567890123\"}}", "",
     "", true, true},
    {"{\"items\":[1],metadata}", "", "", true, true},
    {"", "", "", false, false},
    {"]", "", "", false, false},
};

static void assert_reads(const struct example *example, const struct kube_list *list)
{
    assert_string_equal(list->version, example->version);
    assert_string_equal(list->next_page, example->next_page);
    assert_int_equal(list->whole, example->whole);
    assert_int_equal(list->damaged, example->damaged);
}

/* Reads `text`, fed in pieces of that many bytes, as an answer to a list is read. */
static void read_list(struct json *json, struct text text, size_t part, struct kube_list *list)
{
    struct items items;
    items_init(&items, 1 << 20);
    for (size_t at = 0; at < text.length; at += part) {
        size_t room = 0;
        size_t length = part < text.length - at ? part : text.length - at;
        char *to = items_room(&items, &room);
        assert_true(to != NULL && room >= length);
        memcpy(to, text.data + at, length);
        items_fed(&items, length);
        while (items_next(&items).kind != FRAME_NONE)
            ;
    }
    kube_list_read(json, items_list(&items), list);
    items_fini(&items);
}

static void test_lists_in_one_piece_and_byte_by_byte(void **state)
{
    static struct kube_list list;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct text text = text_from(examples[i].text);
        read_list(*state, text, text.length > 0 ? text.length : 1, &list);
        assert_reads(&examples[i], &list);
        read_list(*state, text, 1, &list);
        assert_reads(&examples[i], &list);
    }
}

static void test_token_that_is_too_long_is_damage(void **state)
{
    static struct kube_list list;
    static const size_t lengths[] = {KUBE_TOKEN_SIZE - 1, KUBE_TOKEN_SIZE, ITEMS_MAX_AROUND};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct buffer text;
        buffer_init(&text, (size_t)1 << 20);
        buffer_append_string(&text, "{\"items\":[],\"metadata\":{\"resourceVersion\":\"1\","
                                    "\"continue\":\"");
        for (size_t n = 0; n < lengths[i]; n++)
            buffer_append_char(&text, 'x');
        buffer_append_string(&text, "\"}}");
        read_list(*state, buffer_text(&text), 1000, &list);
        bool fits = lengths[i] < KUBE_TOKEN_SIZE;
        assert_int_equal(list.whole && !list.damaged, fits);
        assert_int_equal(strlen(list.next_page), fits ? lengths[i] : 0);
        buffer_fini(&text);
    }
}

static int open_json(void **state)
{
    *state = kube_answer_reader();
    return *state == NULL;
}

static int close_json(void **state)
{
    json_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_in_one_piece_and_byte_by_byte),
        cmocka_unit_test(test_token_that_is_too_long_is_damage),
    };
    return cmocka_run_group_tests(tests, open_json, close_json) != 0;
}
