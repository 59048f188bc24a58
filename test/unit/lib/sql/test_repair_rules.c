/* repair_rules: the statements that are made from the rules. What they do to tables is for test_repair.py. */
#include "lib/sql/repair_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT ((size_t)1 << 20)

static const char *select_of(struct buffer *out, const struct repair_rule *rule, bool has_ours,
                             const char *after, const char *until, size_t limit)
{
    buffer_reset(out);
    repair_select(out, rule, has_ours, after, until, limit);
    const char *text = buffer_cstring(out);
    assert_non_null(text);
    return text;
}

static void test_rules_have_names_of_their_own_and_reasons(void **state)
{
    (void)state;
    size_t count = 0;
    for (; repair_rule_at(count) != NULL; count++) {
        const struct repair_rule *rule = repair_rule_at(count);
        assert_true(rule->table == &table_job || rule->table == &table_pod);
        assert_true(strlen(rule->why) > 0 && strlen(rule->where) > 0 && strlen(rule->end) > 0);
        assert_null(strpbrk(rule->name, " ,"));
        for (size_t i = 0; i < count; i++)
            assert_string_not_equal(rule->name, repair_rule_at(i)->name);
    }
    assert_true(count > 0);
    assert_null(repair_rule_at(count));
}

static void test_template_is_expanded(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, LIMIT);
    for (size_t i = 0; repair_rule_at(i) != NULL; i++) {
        const struct repair_rule *rule = repair_rule_at(i);
        assert_null(strpbrk(select_of(&out, rule, true, "", "", 0), "[]@"));
        assert_null(strpbrk(select_of(&out, rule, false, "", "", 0), "[]@"));
        assert_null(strstr(select_of(&out, rule, false, "", "", 0), "cluster_id"));
        assert_null(strstr(select_of(&out, rule, false, "", "", 0), "api_group"));
    }
    buffer_fini(&out);
}

static void test_some_rules_look_at_columns_of_ours(void **state)
{
    (void)state;
    size_t found = 0;
    struct buffer out;
    buffer_init(&out, LIMIT);
    for (size_t i = 0; repair_rule_at(i) != NULL; i++)
        found += strstr(select_of(&out, repair_rule_at(i), true, "", "", 0), "cluster_id") != NULL;
    assert_true(found > 0);
    buffer_fini(&out);
}

static void test_slice_and_limit(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, LIMIT);
    for (size_t i = 0; repair_rule_at(i) != NULL; i++) {
        const struct repair_rule *rule = repair_rule_at(i);
        const char *text = select_of(&out, rule, true, "17", "42", 9);
        assert_non_null(strstr(text, "old.id > 17 AND old.id <= 42"));
        assert_non_null(strstr(text, " ORDER BY id LIMIT 9"));
        assert_true(strstr(text, " AS slice") == NULL ||
                    strstr(text, "slice.id > 17 AND slice.id <= 42") != NULL);
        text = select_of(&out, rule, true, "", "42", 0);
        assert_null(strstr(text, "old.id > "));
        assert_non_null(strstr(text, "old.id <= 42"));
        assert_null(strstr(text, "LIMIT"));
        text = select_of(&out, rule, true, "17", "", 0);
        assert_non_null(strstr(text, "old.id > 17"));
        assert_null(strstr(text, "old.id <= "));
    }
    buffer_fini(&out);
}

static struct repair_row row_of(const char *id, const char *version, const char *ended)
{
    return (struct repair_row){.values = {
                                   [REPAIR_ID] = text_from(id),
                                   [REPAIR_OLD_VERSION] = text_from(version),
                                   [REPAIR_OLD_STATUS] = TEXT("'Running'"),
                                   [REPAIR_OLD_DELETED] = TEXT("NULL"),
                                   [REPAIR_OLD_IN_ETCD] = TEXT("'1'"),
                                   [REPAIR_NEW_ENDED] = text_from(ended),
                               }};
}

static void test_update_of_jobs(void **state)
{
    (void)state;
    struct buffer out;
    struct repair_row rows[] = {row_of("1", "'7'", "'2024-01-01 00:00:00'"),
                                row_of("2", "NULL", "'2024-01-02 00:00:00'")};
    buffer_init(&out, LIMIT);
    repair_update(&out, &table_job, rows, 2);
    assert_string_equal(
        buffer_cstring(&out),
        "UPDATE `job_info` SET `gmt_job_finished` = IF(`gmt_job_finished` >= '1000-01-01', "
        "`gmt_job_finished`, CASE `id` WHEN 1 THEN '2024-01-01 00:00:00' WHEN 2 THEN "
        "'2024-01-02 00:00:00' END), `status` = IF(`status` IN ('Succeeded', 'Failed'), `status`, "
        "'Stopped'), `deleted` = 1, `is_in_etcd` = 0 WHERE (`id` = 1 AND `version` <=> '7' AND "
        "`status` <=> 'Running' AND `deleted` <=> NULL AND `is_in_etcd` <=> '1') OR (`id` = 2 AND "
        "`version` <=> NULL AND `status` <=> 'Running' AND `deleted` <=> NULL AND `is_in_etcd` <=> "
        "'1')");
    buffer_fini(&out);
}

static void test_update_of_pods_gives_them_a_start(void **state)
{
    (void)state;
    struct buffer out;
    struct repair_row row = row_of("1", "'7'", "'2024-01-01 00:00:00'");
    buffer_init(&out, LIMIT);
    repair_update(&out, &table_pod, &row, 1);
    const char *text = buffer_cstring(&out);
    assert_non_null(strstr(text, "UPDATE `replica_info` SET `gmt_finished` = "));
    assert_non_null(strstr(text, "`gmt_started` = IF(`gmt_started` >= '1000-01-01', `gmt_started`, "
                                 "`gmt_created`)"));
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_have_names_of_their_own_and_reasons),
        cmocka_unit_test(test_template_is_expanded),
        cmocka_unit_test(test_some_rules_look_at_columns_of_ours),
        cmocka_unit_test(test_slice_and_limit),
        cmocka_unit_test(test_update_of_jobs),
        cmocka_unit_test(test_update_of_pods_gives_them_a_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
