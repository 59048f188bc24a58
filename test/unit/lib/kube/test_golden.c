/* What KubeDL's real converters made of 169 objects, and of 2,000 quantities, against ours.
 *
 * Each line of golden.ndjson gives KubeDL's row, or a difference that is named here, with what
 * stands there instead. A difference that is named but does not occur fails the test too. */
#include "test/support/decoding.h"

#include "lib/base/buffer.h"
#include "lib/base/timestamp.h"
#include "lib/json/json.h"
#include "lib/json/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In place of a column: what became of the whole line. */
#define FATE "(fate)"

/* The numbers are those of docs/tables.md's "Differences from KubeDL's writer". */
struct difference {
    const char *tag; /* of one line; of all that begin so, if it ends in * */
    int number;
    const char *column;
    const char *ours;
};

/* clang-format off */
static const struct difference differences[] = {
    {"job-failed-no-completion", 3, "gmt_job_finished", "2026-03-01T12:45:59Z"},
    {"pod-failed-empty-terminated", 3, "gmt_finished", RECEIVED},
    {"pod-failed-no-terminated-VOLATILE", 3, "gmt_finished", RECEIVED},
    {"pod-succeeded-null-times-VOLATILE", 3, "gmt_finished", RECEIVED},
    {"pod-failed-evicted-no-cs", 3, "gmt_finished", RECEIVED},

    {"job-no-rv-no-uid", 5, FATE, "bad_uid"},

    {"pod-pending-no-cs", 7, "status", "Pending"},
    {"pod-failed-evicted-no-cs", 7, "status", "Failed"},
    {"pod-failed-evicted-no-cs", 7, "gmt_started", "2026-03-28T19:31:33Z"},
    {"pod-failed-evicted-no-cs", 7, "remark",
     "Reason: Evicted\nExitCode: \nMessage: The node was low on resource: memory."},
    {"pod-failed-no-terminated-VOLATILE", 7, "remark", "Reason: Evicted\nExitCode: \nMessage: "},
    {"pod-no-containers", 7, "status", "Running"},
    {"pod-no-containers", 7, "gmt_started", "2026-03-07T10:34:42Z"},
    {"pod-no-spec-containers-key", 7, "status", "Running"},
    {"pod-no-spec-containers-key", 7, "gmt_started", "2026-03-01T10:00:05Z"},
    {"pod-owner-elasticbatch", 7, "status", "Pending"},
    {"pod-owner-mpi-filtered", 7, "status", "Pending"},
    {"pod-owner-mars-filtered", 7, "status", "Pending"},
    {"pod-owner-second-controller", 7, "status", "Pending"},
    {"pod-empty-replica-type-label", 7, "status", "Pending"},
    {"pod-region-flag", 7, "status", "Pending"},
    {"pod-tenancy-ignored", 7, "status", "Pending"},
    {"pod-huge-name", 7, "status", "Pending"},
    {"pod-quote-name", 7, "status", "Pending"},
    {"pod-res-*", 7, "status", "Pending"},

    {"job-kind-MPIJob", 8, FATE, "row"},
    {"job-kind-ElasticDLJob", 8, FATE, "row"},
    {"pod-owner-mpi-filtered", 8, FATE, "row"},
    {"pod-owner-mars-filtered", 8, FATE, "row"},

    {"job-running-no-transition-time", 12, "gmt_job_running", TEXT_OF_NULL},
    {"job-running-null-transition-time", 12, "gmt_job_running", TEXT_OF_NULL},
    {"job-no-creation", 12, "gmt_created", RECEIVED},
    {"job-null-creation", 12, "gmt_created", RECEIVED},
    {"pod-no-creation-running", 12, "gmt_created", RECEIVED},
    {"pod-no-creation-running", 12, "gmt_started", TEXT_OF_NULL},

    {"job-odd-rv", 16, FATE, "bad_version"},

    {"pod-res-bad-quantity", 17, FATE, "row"},
};
/* clang-format on */

#define DIFFERENCE_COUNT (sizeof(differences) / sizeof(differences[0]))

struct golden {
    struct decoding plain; /* of the lines without REGION; .watch only */
    struct decoding regional;
    struct json *json;
    size_t lines;
    bool occurred[DIFFERENCE_COUNT];
};

static FILE *open_data(const char *name)
{
    const char *directory = getenv("TEST_DATA");
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", directory != NULL ? directory : "test/data", name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s cannot be opened", path);
    return file;
}

static bool tag_matches(const char *pattern, struct text tag)
{
    size_t length = strcspn(pattern, "*");
    if (pattern[length] == '*')
        return tag.length >= length && memcmp(tag.data, pattern, length) == 0;
    return text_is(tag, pattern);
}

/* What is said about this column of this line; NULL if nothing is. */
static const struct difference *find_difference(struct golden *golden, struct text tag,
                                                const char *column)
{
    for (size_t i = 0; i < DIFFERENCE_COUNT; i++) {
        if (!tag_matches(differences[i].tag, tag) || strcmp(differences[i].column, column) != 0)
            continue;
        golden->occurred[i] = true;
        return &differences[i];
    }
    return NULL;
}

/* KubeDL's value as cell_to_text would write ours. */
static void golden_to_text(const json_value *value, enum column_type type, char text[CELL_TEXT_MAX],
                           size_t *length)
{
    struct text string = TEXT(TEXT_OF_NULL);
    char number[JSON_NUMBER_SIZE];
    int64_t microseconds;
    if (json_type(value) != JSON_NULL && !json_text(value, &string))
        assert_true(json_number_text(value, number, &string));
    assert_true(string.length < CELL_TEXT_MAX);
    memcpy(text, string.data, string.length);
    text[string.length] = '\0';
    *length = string.length;
    if (type == COLUMN_TIME && timestamp_parse(string, &microseconds) == ERROR_NONE)
        *length = timestamp_format(microseconds, text);
}

static size_t column_of(const struct table *table, struct text name)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (text_is(name, table->columns[i].name))
            return i;
    }
    fail_msg("%s has no column %.*s", table->name, (int)name.length, name.data);
    return 0;
}

static void check_cell(struct golden *golden, struct text tag, const struct row *row, size_t column,
                       const json_value *value)
{
    static char ours[CELL_TEXT_MAX];
    static char theirs[CELL_TEXT_MAX];
    const char *name = row->table->columns[column].name;
    size_t ours_length;
    size_t theirs_length;
    cell_to_text(&row->cells[column], ours, &ours_length);
    golden_to_text(value, row->table->columns[column].type, theirs, &theirs_length);

    const struct difference *difference = find_difference(golden, tag, name);
    bool same = ours_length == theirs_length && memcmp(ours, theirs, ours_length) == 0;
    if (difference == NULL && !same)
        fail_msg("%.*s: %s is %s, KubeDL's is %s", (int)tag.length, tag.data, name, ours, theirs);
    if (difference != NULL && same)
        fail_msg("%.*s: %s is as KubeDL's (%s), difference %d does not occur", (int)tag.length,
                 tag.data, name, ours, difference->number);
    if (difference != NULL && strcmp(ours, difference->ours) != 0)
        fail_msg("%.*s: %s is %s, difference %d makes it %s", (int)tag.length, tag.data, name, ours,
                 difference->number, difference->ours);
}

static void check_row(struct golden *golden, struct text tag, const struct row *row,
                      const json_value *theirs)
{
    for (const json_value *cell = json_first(theirs); cell != NULL; cell = json_next(cell))
        check_cell(golden, tag, row, column_of(row->table, json_key(cell)), cell);
}

/* What KubeDL filters we filter too, what it stores we store. */
static void check_fate(struct golden *golden, struct text tag, const struct watch_result *result,
                       bool persisted)
{
    const struct difference *difference = find_difference(golden, tag, FATE);
    const char *fate = watch_fate_name(result->fate);
    enum watch_class expected = persisted ? WATCH_CLASS_ROW : WATCH_CLASS_FILTERED;
    bool same = watch_fate_class(result->fate) == expected;
    if (difference == NULL && !same)
        fail_msg("%.*s: fate %s", (int)tag.length, tag.data, fate);
    if (difference != NULL && (same || strcmp(fate, difference->ours) != 0))
        fail_msg("%.*s: fate %s, difference %d makes it %s", (int)tag.length, tag.data, fate,
                 difference->number, difference->ours);
}

/* The event as it stands in the line: from its brace to the key that follows it. */
static struct text event_of(const char *line)
{
    static const char before[] = ",\"event\":";
    const char *start = strstr(line, before);
    const char *end = strstr(line, ",\"row\":");
    assert_non_null(start);
    assert_non_null(end);
    start += strlen(before);
    return (struct text){start, (size_t)(end - start)};
}

static void check_line(struct golden *golden, const char *line)
{
    const json_value *root;
    struct error err;
    struct text tag;
    struct text region;
    if (json_read(golden->json, text_from(line), &root, &err) != JSON_OK)
        fail_msg("golden.ndjson: %s", err.text);
    assert_true(json_text(json_member(root, "tag"), &tag));
    assert_true(json_text(json_member(root, "region"), &region));
    assert_true(region.length == 0 || text_is(region, TEST_REGION));

    struct decoding *decoding = region.length > 0 ? &golden->regional : &golden->plain;
    decode_raw(decoding, event_of(line));
    check_fate(golden, tag, &decoding->result,
               json_type(json_member(root, "persisted")) == JSON_TRUE);
    if (decoding->result.row != NULL)
        check_row(golden, tag, decoding->result.row, json_member(root, "row"));
    golden->lines++;
}

static struct watch *new_watch(const char *region)
{
    struct watch_settings settings = {.region = text_from(region), .cluster_id = TEXT("")};
    return watch_new(&settings);
}

static void test_every_golden_object_gives_kubedls_row_or_a_named_difference(void **state)
{
    (void)state;
    struct golden golden = {
        .plain.watch = new_watch(""),
        .regional.watch = new_watch(TEST_REGION),
        .json = json_new(),
    };
    char *line = NULL;
    size_t capacity = 0;
    FILE *file = open_data("golden.ndjson");
    assert_non_null(golden.json);
    while (getline(&line, &capacity, file) > 0)
        check_line(&golden, line);
    fclose(file);
    free(line);
    json_free(golden.json);
    row_free(golden.plain.result.row);
    row_free(golden.regional.result.row);
    watch_free(golden.plain.watch);
    watch_free(golden.regional.watch);

    assert_int_equal(golden.lines, 169);
    for (size_t i = 0; i < DIFFERENCE_COUNT; i++) {
        if (!golden.occurred[i])
            fail_msg("difference %d does not occur in %s, %s", differences[i].number,
                     differences[i].tag, differences[i].column);
    }
}

/* ---- quantities ------------------------------------------------------------------------------ */

/* Appends containers that request these quantities, separated by '|', of "cpu". */
static void append_containers(struct buffer *out, const char *key, char *list)
{
    bool first = true;
    buffer_appendf(out, "\"%s\":[", key);
    while (list != NULL && *list != '\0') {
        const char *quantity = strsep(&list, "|");
        buffer_append_string(out, first ? "" : ",");
        buffer_append_string(out, "{\"resources\":{\"requests\":{\"cpu\":");
        json_append_string(out, text_from(quantity));
        buffer_append_string(out, "}}}");
        first = false;
    }
    buffer_append_char(out, ']');
}

/* line: containers, init containers, what KubeDL makes of it; separated by tabs. */
static void check_quantities(struct decoding *d, char *line)
{
    struct buffer event;
    char expected[256] = "{}";
    buffer_init(&event, 1 << 16);
    buffer_append_string(&event, "{\"type\":\"ADDED\",\"object\":{\"apiVersion\":\"v1\","
                                 "\"kind\":\"Pod\",\"metadata\":{\"uid\":\"p\",\"labels\":{"
                                 "\"group-name\":\"\",\"replica-type\":\"\"},\"ownerReferences\":"
                                 "[{\"kind\":\"TFJob\",\"uid\":\"j\",\"controller\":true}]},"
                                 "\"spec\":{");
    line[strcspn(line, "\n")] = '\0';
    append_containers(&event, "containers", strsep(&line, "\t"));
    buffer_append_char(&event, ',');
    append_containers(&event, "initContainers", strsep(&line, "\t"));
    buffer_append_string(&event, "}}}");
    assert_false(event.failed);
    assert_non_null(line);

    bool is_error = strcmp(line, "error") == 0;
    if (!is_error)
        snprintf(expected, sizeof(expected), "{\"requests\":{\"cpu\":\"%s\"}}", line);
    decode_raw(d, buffer_text(&event));
    expect(d, POD_RESOURCES, expected);
    assert_true((d->result.bad_quantities > 0) == is_error);
    buffer_fini(&event);
}

static void test_every_recorded_quantity_agrees_in_a_pod(void **state)
{
    struct decoding *d = *state;
    char *line = NULL;
    size_t capacity = 0;
    size_t cases = 0;
    FILE *file = open_data("quantity.txt");
    while (getline(&line, &capacity, file) > 0) {
        if (line[0] == '#')
            continue;
        check_quantities(d, line);
        cases++;
    }
    fclose(file);
    free(line);
    assert_int_equal(cases, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_golden_object_gives_kubedls_row_or_a_named_difference),
        decoding_test(test_every_recorded_quantity_agrees_in_a_pod),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
