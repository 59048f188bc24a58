/* Fates: what becomes of every kind of line, and what is said about it. */
#include "test/support/decoding.h"

#include "lib/json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOB_API "'apiVersion':'training.kubedl.io/v1alpha1'"

static void check_line(struct decoding *d, const char *line, enum watch_fate fate)
{
    decode(d, "%s", line);
    expect_fate(d, fate);
}

static void check_reason(struct decoding *d, const char *line, enum watch_fate fate,
                         const char *reason)
{
    check_line(d, line, fate);
    assert_string_equal(d->result.reason, reason);
}

static void test_every_fate_has_a_name_and_a_class(void **state)
{
    (void)state;
    for (int fate = 0; fate < WATCH_FATE_COUNT; fate++)
        assert_non_null(watch_fate_name((enum watch_fate)fate));
    assert_string_equal(watch_fate_name(WATCH_FOREIGN_POD), "foreign_pod");
    assert_int_equal(watch_fate_class(WATCH_ROW), WATCH_CLASS_ROW);
    assert_int_equal(watch_fate_class(WATCH_ORPHAN_POD), WATCH_CLASS_FILTERED);
    assert_int_equal(watch_fate_class(WATCH_BAD_UID), WATCH_CLASS_INVALID);
}

static void test_keys_may_come_in_any_order(void **state)
{
    check_line(*state,
               "{'object':{'metadata':{'resourceVersion':'1','uid':'u'},'kind':'TFJob'," JOB_API
               "},'extra':[1],'type':'ADDED'}",
               WATCH_ROW);
}

static void check_type(struct decoding *d, const char *type, enum watch_fate fate)
{
    decode(d, "{'type':'%s','object':{'kind':'TFJob'," JOB_API ",'metadata':{'uid':'u'}}}", type);
    expect_fate(d, fate);
    assert_string_equal(d->result.uid, "u");
}

static void test_only_three_types_of_events_make_rows(void **state)
{
    struct decoding *d = *state;
    check_type(d, "ADDED", WATCH_ROW);
    check_type(d, "MODIFIED", WATCH_ROW);
    check_type(d, "DELETED", WATCH_ROW);
    check_type(d, "", WATCH_BAD_TYPE);
    check_type(d, "ADDED ", WATCH_BAD_TYPE);
    check_type(d, "added", WATCH_BAD_TYPE);
    assert_string_equal(d->result.reason, "type: added");
}

static void expect_type(struct decoding *d, const char *line, const char *name)
{
    decode(d, "%s", line);
    assert_string_equal(watch_type_name(d->result.type), name);
}

static void test_the_type_is_told_whatever_becomes_of_the_event(void **state)
{
    struct decoding *d = *state;
    expect_type(d, "{'type':'ADDED','object':{'kind':'Node','apiVersion':'v1'}}", "added");
    expect_type(d, "{'type':'MODIFIED','object':{}}", "modified");
    expect_type(d, "{'type':'DELETED','object':{'kind':'TFJob'," JOB_API "}}", "deleted");
    expect_type(d, "{'type':'BOOKMARK','object':{}}", "bookmark");
    expect_type(d, "{'type':'ERROR','object':{}}", "error");
    expect_type(d, "{'type':'PATCHED','object':{}}", "other");
    expect_type(d, "{'type':'ADDED'}", "other");
    expect_type(d, "nonsense", "other");
}

static void test_a_type_that_is_no_string(void **state)
{
    check_line(*state, "{'type':5,'object':{}}", WATCH_BAD_TYPE);
}

/* ---- what is no object of ours --------------------------------------------------------------- */

static void test_bookmarks(void **state)
{
    struct decoding *d = *state;
    check_line(d,
               "{'type':'BOOKMARK','object':{'kind':'Pod','apiVersion':'v1','metadata':"
               "{'resourceVersion':'2931','creationTimestamp':null},"
               "'spec':{'containers':null},'status':{}}}",
               WATCH_BOOKMARK);
    assert_string_equal(d->result.kind, "Pod");
    assert_string_equal(d->result.version, "2931");
    assert_false(d->result.initial_events_end);
}

static void test_difference_4_a_bookmark_tells_that_the_list_has_ended(void **state)
{
    struct decoding *d = *state;
    const char *line = "{'type':'BOOKMARK','object':{'kind':'MPIJob'," JOB_API
                       ",'metadata':{'annotations':{'k8s.io/initial-events-end':'true'}}}}";
    check_line(d, line, WATCH_BOOKMARK);
    assert_string_equal(d->result.kind, "MPIJob");
    assert_true(d->result.initial_events_end);
    check_line(d,
               "{'type':'BOOKMARK','object':{'kind':'MPIJob'," JOB_API
               ",'metadata':{'annotations':{'k8s.io/initial-events-end':'false'}}}}",
               WATCH_BOOKMARK);
    assert_false(d->result.initial_events_end);
    check_line(d,
               "{'type':'BOOKMARK','object':{'kind':'MPIJob','apiVersion':'example.org/v1',"
               "'metadata':{'annotations':{'k8s.io/initial-events-end':'true'}}}}",
               WATCH_BOOKMARK);
    assert_false(d->result.initial_events_end);
}

static void test_an_error_event_says_what_the_server_said(void **state)
{
    check_reason(*state,
                 "{'type':'ERROR','object':{'kind':'Status','apiVersion':'v1','metadata':{},"
                 "'status':'Failure','message':'too old resource version: 600 (3601)',"
                 "'reason':'Expired','code':410}}",
                 WATCH_ERROR_EVENT, "410 Expired: too old resource version: 600 (3601)");
    check_reason(*state, "{'type':'ERROR','object':{}}", WATCH_ERROR_EVENT, "0 : ");
}

static void test_a_bare_status_says_what_the_server_said(void **state)
{
    check_reason(*state,
                 "{'kind':'Status','apiVersion':'v1','metadata':{},'status':'Failure',"
                 "'message':'storage is (re)initializing','reason':'TooManyRequests','code':429}",
                 WATCH_STATUS, "429 TooManyRequests: storage is (re)initializing");
}

static void test_tables_and_partial_objects(void **state)
{
    check_line(*state,
               "{'type':'ADDED','object':{'kind':'Table','apiVersion':'meta.k8s.io/v1',"
               "'columnDefinitions':[],'rows':[]}}",
               WATCH_TABLE);
    check_line(*state,
               "{'type':'ADDED','object':{'kind':'PartialObjectMetadata',"
               "'apiVersion':'meta.k8s.io/v1','metadata':{'uid':'u'}}}",
               WATCH_TABLE);
    check_line(*state, "{'type':'ADDED','object':{'kind':'PartialObjectMetadataList'}}",
               WATCH_TABLE);
    check_line(*state, "{'kind':'Table','rows':[]}", WATCH_TABLE);
    check_line(*state, "{'kind':'PartialObjectMetadataList','items':[]}", WATCH_TABLE);
}

static void test_lists_and_bare_objects(void **state)
{
    struct decoding *d = *state;
    check_line(d, "{'kind':'PodList','apiVersion':'v1','metadata':{},'items':[]}", WATCH_LIST);
    check_line(d, "{'kind':'List','items':[{'kind':'Pod'}]}", WATCH_LIST);
    check_line(d, "{'kind':'Pod','apiVersion':'v1','metadata':{'name':'p','uid':'u'}}",
               WATCH_BARE_OBJECT);
    assert_string_equal(d->result.name, "p");
    assert_string_equal(d->result.uid, "u");
    check_line(d,
               "{'kind':'Event','apiVersion':'v1','type':'Normal','metadata':{'name':'e'},"
               "'involvedObject':{}}",
               WATCH_BARE_OBJECT);
}

static void test_objects_of_other_kinds(void **state)
{
    struct decoding *d = *state;
    check_line(d, "{'type':'ADDED','object':{'kind':'Event','apiVersion':'v1','metadata':{}}}",
               WATCH_OTHER_KIND);
    assert_string_equal(d->result.kind, "Event");
    check_line(d, "{'type':'ADDED','object':{'kind':'Pod','apiVersion':'other/v1','metadata':{}}}",
               WATCH_OTHER_KIND);
    check_line(d, "{'type':'ADDED','object':{'kind':'Notebook'," JOB_API "}}", WATCH_OTHER_KIND);
}

static void test_documents_that_are_no_event(void **state)
{
    check_line(*state, "{}", WATCH_NOT_EVENT);
    check_line(*state, "[]", WATCH_NOT_EVENT);
    check_line(*state, "5", WATCH_NOT_EVENT);
    check_line(*state, "null", WATCH_NOT_EVENT);
    check_line(*state, "{'kind':'PodList'}", WATCH_NOT_EVENT);
    check_line(*state, "{'type':'ADDED'}", WATCH_NOT_EVENT);
    check_line(*state, "{'type':'ADDED','object':null}", WATCH_NOT_EVENT);
    check_line(*state, "{'type':'ADDED','object':[]}", WATCH_NOT_EVENT);
    check_line(*state, "{'object':{'kind':'Pod'}}", WATCH_NOT_EVENT);
    check_reason(*state, "{'type':'ADDED','object':{'metadata':{'uid':'u'}}}", WATCH_NOT_EVENT,
                 "its object has no kind");
    check_line(*state, "{'type':'ADDED','object':{'kind':7}}", WATCH_NOT_EVENT);
}

static void test_lines_that_are_no_json(void **state)
{
    struct decoding *d = *state;
    check_line(d, "", WATCH_NOT_JSON);
    check_line(d, "dial tcp 127.0.0.1:6443: connect: connection refused", WATCH_NOT_JSON);
    check_line(d, "{'type':'ADDED','object':{'kind':'Pod'", WATCH_NOT_JSON);
    check_line(d, "{'type':'ADDED','object':{}} {}", WATCH_NOT_JSON);
    assert_true(strlen(d->result.reason) > 0);
}

static void test_nesting_is_bounded(void **state)
{
    struct decoding *d = *state;
    char line[512] = "{\"type\":\"ADDED\",\"object\":";
    size_t used = strlen(line);
    memset(line + used, '[', 200);
    memset(line + used + 200, ']', 200);
    decode_raw(d, (struct text){line, used + 400});
    expect_fate(d, WATCH_TOO_DEEP);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void check_uid(struct decoding *d, const char *uid, enum watch_fate fate)
{
    decode(d, "{'type':'ADDED','object':{'kind':'TFJob'," JOB_API ",'metadata':{'uid':%s}}}", uid);
    expect_fate(d, fate);
}

static void test_a_uid_is_64_printable_characters_at_most(void **state)
{
    const char *longest = "'!23456789a123456789b123456789c123456789d123456789e123456789f123~'";
    const char *too_long = "'123456789a123456789b123456789c123456789d123456789e123456789f12345'";
    check_uid(*state, longest, WATCH_ROW);
    check_uid(*state, too_long, WATCH_BAD_UID);
    check_uid(*state, "''", WATCH_BAD_UID);
    check_uid(*state, "null", WATCH_BAD_UID);
    check_uid(*state, "5", WATCH_BAD_UID);
    check_uid(*state, "'a b'", WATCH_BAD_UID);
    check_uid(*state, "'a\\u0000b'", WATCH_BAD_UID);
    check_uid(*state, "'ü'", WATCH_BAD_UID);
    check_uid(*state, "'\\u007f'", WATCH_BAD_UID);
}

static void check_version(struct decoding *d, const char *version, enum watch_fate fate)
{
    decode(d,
           "{'type':'ADDED','object':{'kind':'TFJob'," JOB_API
           ",'metadata':{'uid':'u','resourceVersion':%s}}}",
           version);
    expect_fate(d, fate);
}

static void test_difference_16_a_version_is_decimal(void **state)
{
    struct decoding *d = *state;
    check_version(d, "'18446744073709551616'", WATCH_ROW);
    check_version(d, "'12345678901234567890123456789012'", WATCH_ROW);
    check_version(d, "''", WATCH_ROW);
    expect(d, JOB_VERSION, "0");
    check_version(d, "null", WATCH_ROW);
    expect(d, JOB_VERSION, "0");
    check_version(d, "'123456789012345678901234567890123'", WATCH_BAD_VERSION);
    check_version(d, "'007'", WATCH_BAD_VERSION);
    check_version(d, "'-1'", WATCH_BAD_VERSION);
    check_version(d, "7", WATCH_BAD_VERSION);
    check_version(d, "'0x1f'", WATCH_BAD_VERSION);
    assert_string_equal(d->result.reason, "metadata.resourceVersion: 0x1f");
}

static void test_a_pod_needs_a_key_only_if_it_makes_a_row(void **state)
{
    check_line(*state, "{'type':'ADDED','object':{'kind':'Pod','apiVersion':'v1'}}",
               WATCH_FOREIGN_POD);
    check_line(*state, "{'type':'DELETED','object':{'kind':'Pod','apiVersion':'v1'}}",
               WATCH_BAD_UID);
    check_line(*state,
               "{'type':'DELETED','object':{'kind':'Pod','apiVersion':'v1',"
               "'metadata':{'uid':'u','resourceVersion':'x'}}}",
               WATCH_BAD_VERSION);
}

/* ---- what is said ---------------------------------------------------------------------------- */

static void test_texts_for_the_log_are_cut_between_characters(void **state)
{
    struct decoding *d = *state;
    char name[200] = "";
    for (size_t i = 0; i < 80; i++)
        memcpy(name + 2 * i, "ü", 3);
    decode(d,
           "{'type':'ADDED','object':{'kind':'Event','metadata':{'name':'%s',"
           "'namespace':'a\\u0000b'}}}",
           name);
    assert_int_equal(strlen(d->result.name), 126);
    assert_memory_equal(d->result.name, name, 126);
    assert_string_equal(d->result.namespace, "a\xef\xbf\xbd"
                                             "b");
}

static void test_managed_fields_are_not_looked_at(void **state)
{
    struct decoding *d = *state;
    check_line(d,
               "{'type':'ADDED','object':{'kind':'TFJob'," JOB_API ",'metadata':{"
               "'managedFields':[{'manager':'m'}],'uid':'u'}}}",
               WATCH_ROW);
    assert_int_equal(d->result.bad_fields, 0);
}

static void test_managed_fields_take_no_memory(void **state)
{
    struct decoding *d = *state;
    size_t values = JSON_MAX_VALUES;
    char *zeros = malloc(2 * values + 1);
    assert_non_null(zeros);
    for (size_t i = 0; i < values; i++)
        memcpy(zeros + 2 * i, "0,", 2);
    zeros[2 * values - 1] = '\0';
    decode(d,
           "{'type':'ADDED','object':{'kind':'TFJob'," JOB_API
           ",'metadata':{'uid':'u','managedFields':[%s]}}}",
           zeros);
    expect_fate(d, WATCH_ROW);
    decode(d,
           "{'type':'ADDED','object':{'kind':'TFJob'," JOB_API
           ",'metadata':{'uid':'u','annotations':[%s]}}}",
           zeros);
    expect_fate(d, WATCH_NO_MEMORY);
    free(zeros);
}

static void test_losses_are_counted_for_rows_only(void **state)
{
    struct decoding *d = *state;
    check_line(d, "{'type':'ADDED','object':{'kind':'Event','metadata':{'name':5}}}",
               WATCH_OTHER_KIND);
    assert_int_equal(d->result.bad_fields, 0);
    check_line(
        d, "{'type':'ADDED','object':{'kind':'TFJob'," JOB_API ",'metadata':{'uid':'u','name':5}}}",
        WATCH_ROW);
    assert_int_equal(d->result.bad_fields, 1);
}

static void test_a_line_after_a_bad_one_is_whole_again(void **state)
{
    struct decoding *d = *state;
    check_line(d, "{'type':'ADDED','object':{'kind':'TFJob'," JOB_API ",'metadata':{'uid':'u'",
               WATCH_NOT_JSON);
    check_line(d, "{'type':'ADDED','object':{'kind':'TFJob'," JOB_API ",'metadata':{'uid':'u'}}}",
               WATCH_ROW);
    assert_string_equal(d->result.reason, "");
}

/* ---- heads of lines that are too long -------------------------------------------------------- */

static void check_head(struct decoding *d, const char *head, const char *api_version,
                       const char *kind, const char *space, const char *name, const char *uid)
{
    char line[1024];
    snprintf(line, sizeof(line), "%s", head);
    for (char *quote = line; (quote = strchr(quote, '\'')) != NULL;)
        *quote = '"';
    watch_decode_head(d->watch, text_from(line), &d->result);
    expect_fate(d, WATCH_TOO_LONG);
    assert_null(d->result.row);
    assert_string_equal(d->result.api_version, api_version);
    assert_string_equal(d->result.kind, kind);
    assert_string_equal(d->result.namespace, space);
    assert_string_equal(d->result.name, name);
    assert_string_equal(d->result.uid, uid);
}

static void test_a_head_says_which_object_it_was(void **state)
{
    check_head(*state,
               "{'type':'ADDED','object':{'kind':'Pod','apiVersion':'v1','metadata':{'name':'p',"
               "'namespace':'ns','uid':'u-1','annotations':{'x':'aaaa",
               "v1", "Pod", "ns", "p", "u-1");
}

static void test_a_head_is_not_misled_by_other_names_and_uids(void **state)
{
    check_head(*state,
               "{ 'object' : {'x':{'kind':'no','apiVersion':'no','metadata':{'uid':'no'}},"
               "'kind' : 'TFJob', 'apiVersion':'a/v1',"
               "'metadata':{'annotations':{'name':'no','a':'\\'uid\\':\\'no\\''},"
               "'labels':{'uid':'no'},'name' : 'yes',"
               "'ownerReferences':[{'uid':'no','kind':'no','apiVersion':'no'}],"
               "'uid':'yes-1','z':{'name':'no','uid':'no'}},'spec':{'name':'no'",
               "a/v1", "TFJob", "", "yes", "yes-1");
}

static void test_a_head_is_read_up_to_where_it_is_damaged(void **state)
{
    check_head(*state,
               "{'type':'ADDED','object':{'kind':'Pod','apiVersion':'v1','metadata':{'name':'p',"
               "'namespace':'ns','labels':{'name':'no' 'uid'},'uid':'u'",
               "v1", "Pod", "ns", "p", "");
    check_head(*state, "{'object':{'kind':'Pod','spec':{'n':01},'metadata':{'uid':'u'", "", "Pod",
               "", "", "");
}

static void test_a_head_may_end_anywhere(void **state)
{
    struct decoding *d = *state;
    const char *head =
        "{\"object\":{\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\\\"q\",\"uid\":\"u\"";
    for (size_t length = 0; length <= strlen(head); length++) {
        char *copy = malloc(length + 1); /* its end is where a tool sees a read too far */
        assert_non_null(copy);
        memcpy(copy, head, length);
        watch_decode_head(d->watch, (struct text){copy, length}, &d->result);
        free(copy);
    }
    assert_string_equal(d->result.uid, "u");
    assert_string_equal(d->result.name, "p\"q");
    check_head(d, "", "", "", "", "", "");
    check_head(d, "}}}]]{{'metadata':{'uid':'u'", "", "", "", "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_fate_has_a_name_and_a_class),
        decoding_test(test_keys_may_come_in_any_order),
        decoding_test(test_only_three_types_of_events_make_rows),
        decoding_test(test_the_type_is_told_whatever_becomes_of_the_event),
        decoding_test(test_a_type_that_is_no_string),
        decoding_test(test_bookmarks),
        decoding_test(test_difference_4_a_bookmark_tells_that_the_list_has_ended),
        decoding_test(test_an_error_event_says_what_the_server_said),
        decoding_test(test_a_bare_status_says_what_the_server_said),
        decoding_test(test_tables_and_partial_objects),
        decoding_test(test_lists_and_bare_objects),
        decoding_test(test_objects_of_other_kinds),
        decoding_test(test_documents_that_are_no_event),
        decoding_test(test_lines_that_are_no_json),
        decoding_test(test_nesting_is_bounded),
        decoding_test(test_a_uid_is_64_printable_characters_at_most),
        decoding_test(test_difference_16_a_version_is_decimal),
        decoding_test(test_a_pod_needs_a_key_only_if_it_makes_a_row),
        decoding_test(test_texts_for_the_log_are_cut_between_characters),
        decoding_test(test_managed_fields_are_not_looked_at),
        decoding_test(test_managed_fields_take_no_memory),
        decoding_test(test_losses_are_counted_for_rows_only),
        decoding_test(test_a_line_after_a_bad_one_is_whole_again),
        decoding_test(test_a_head_says_which_object_it_was),
        decoding_test(test_a_head_is_not_misled_by_other_names_and_uids),
        decoding_test(test_a_head_is_read_up_to_where_it_is_damaged),
        decoding_test(test_a_head_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
