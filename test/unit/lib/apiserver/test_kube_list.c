/* kube_list: what a list says about itself, however its bytes come in. */
#include "lib/apiserver/kube_list.h"

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
    {"{\"metadata\":{\"resourceVersion\":\"6\"},\"items\":[" ITEM ",", "6", "", false, false},
    {"{\"metadata\":{\"resourceVersion\":\"6\"},\"items\":[" ITEM "]", "6", "", false, false},
    {"{\"metadata\":{},\"items\":null}", "", "", true, false},
    {"{\"metadata\":null,\"items\":[]}", "", "", true, false},
    {"{\"metadata\":[{\"resourceVersion\":\"6\"}],\"items\":[]}", "", "", true, false},
    {"{\"metadata\":{\"resourceVersion\":\"abc\"}}", "abc", "", true, true},
    {"{\"metadata\":{\"resourceVersion\":\"1\",\"continue\":\"a\\u0062\"}}", "1", "", true, true},
    {"{\"metadata\":{\"resourceVersion\":\"123456789012345678901234567890123\"}}", "", "", true,
     true},
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

static void test_lists_in_one_piece_and_byte_by_byte(void **state)
{
    (void)state;
    static struct kube_list list;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct text text = text_from(examples[i].text);
        kube_list_init(&list);
        kube_list_feed(&list, text);
        assert_reads(&examples[i], &list);
        kube_list_init(&list);
        for (size_t at = 0; at < text.length; at++)
            kube_list_feed(&list, (struct text){text.data + at, 1});
        assert_reads(&examples[i], &list);
    }
}

static void test_token_that_is_too_long_is_damage(void **state)
{
    (void)state;
    static struct kube_list list;
    static char token[KUBE_TOKEN_SIZE + 10];
    static const size_t lengths[] = {KUBE_TOKEN_SIZE - 1, KUBE_TOKEN_SIZE, KUBE_TOKEN_SIZE + 9};
    memset(token, 'x', sizeof(token));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        kube_list_init(&list);
        kube_list_feed(&list, TEXT("{\"metadata\":{\"continue\":\""));
        kube_list_feed(&list, (struct text){token, lengths[i]});
        kube_list_feed(&list, TEXT("\",\"resourceVersion\":\"1\"}}"));
        assert_int_equal(list.damaged, lengths[i] >= KUBE_TOKEN_SIZE);
        assert_int_equal(strlen(list.next_page), lengths[i] < KUBE_TOKEN_SIZE ? lengths[i] : 0);
        assert_string_equal(list.version, "1");
        assert_true(list.whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_in_one_piece_and_byte_by_byte),
        cmocka_unit_test(test_token_that_is_too_long_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
