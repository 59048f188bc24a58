/* listing: the cells of a row (see listing.h). */
#include "lib/show/listing.h"

#include "lib/base/duration.h"
#include "lib/base/printable.h"
#include "lib/base/timestamp.h"
#include "lib/json/write.h"
#include "lib/kube/quantity.h"

#include <inttypes.h>
#include <stdio.h>

/* The most cells of a terminal that a text takes: messages may be very long, and names of replicas, too. */
#define MESSAGE_WIDTH  60
#define REPLICAS_WIDTH 40

#define JSON_LIMIT ((size_t)1 << 20)

bool listing_time(struct text value, int64_t *microseconds)
{
    char text[32];
    const size_t date = strlen("2026-01-02");
    const size_t whole = strlen("2026-01-02 03:04:05");
    if (value.data == NULL || value.length < whole || value.length > whole + strlen(".123456"))
        return false;
    int length = snprintf(text, sizeof(text), "%.*sT%.*sZ", (int)date, value.data,
                          (int)(value.length - date - 1), value.data + date + 1);
    return timestamp_parse((struct text){text, (size_t)length}, microseconds) == ERROR_NONE;
}

static bool is_true(struct text value)
{
    return value.data != NULL && !text_is(value, "0");
}

static void add_time_since(const struct listing *listing, struct text since,
                           struct columns *columns)
{
    char text[DURATION_TEXT_SIZE];
    int64_t since_us;
    if (!listing_time(since, &since_us)) {
        columns_add_string(columns, "<unknown>");
        return;
    }
    duration_format(listing->now_us - since_us, text);
    columns_add_string(columns, text);
}

/* Adds the duration from start to end, or up to now if there is no end yet. */
static void add_duration(const struct listing *listing, struct text start, struct text end,
                         bool goes_on, struct columns *columns)
{
    char text[DURATION_TEXT_SIZE] = "";
    int64_t start_us;
    int64_t end_us = listing->now_us;
    if (listing_time(start, &start_us) && (listing_time(end, &end_us) || goes_on))
        duration_format(end_us - start_us, text);
    columns_add_string(columns, text);
}

static bool is_in_cluster(const struct listing *listing, const struct text *values)
{
    return is_true(values[listing->table->in_etcd]) && !is_true(values[listing->table->deleted]);
}

/* ---- jobs ------------------------------------------------------------------------------------- */

static const char *const job_head[] = {"NAMESPACE", "NAME",     "KIND", "STATUS",    "REPLICAS",
                                       "GPUS",      "DURATION", "AGE",  "IN CLUSTER"};

/* "nvidia.com/gpu", "amd.com/gpu". */
static bool is_gpu(struct text name)
{
    return name.length > strlen("/gpu") && text_ends_in(name, TEXT("/gpu"));
}

/* Adds the GPUs of one replica. Where only a limit of GPUs is given, Kubernetes takes it as the request. */
static void add_gpus_of(const json_value *resources, struct quantity *sum)
{
    static const char *const lists[] = {"limits", "requests"};
    bool found = false;
    for (size_t i = 0; i < 2 && !found; i++) {
        const json_value *list = json_member(resources, lists[i]);
        for (const json_value *one = json_first(list); one != NULL; one = json_next(one)) {
            struct text text;
            struct quantity quantity;
            if (is_gpu(json_key(one)) && json_text(one, &text) &&
                quantity_parse(text, &quantity) == ERROR_NONE)
                found = quantity_add(sum, &quantity) == ERROR_NONE;
        }
    }
}

/* Adds the cells REPLICAS, such as "PS:1,Worker:3", and GPUS, which is their sum over all replicas. */
static void add_resources(const struct listing *listing, struct text value, struct columns *columns)
{
    struct buffer replicas;
    struct quantity sum = {0};
    const json_value *root;
    char gpus[QUANTITY_TEXT_SIZE] = "<unknown>";
    if (value.data == NULL || json_read(listing->json, value, &root, NULL) != JSON_OK) {
        columns_add_string(columns, gpus);
        columns_add_string(columns, gpus);
        return;
    }
    buffer_init(&replicas, JSON_LIMIT);
    for (const json_value *type = json_first(root); type != NULL; type = json_next(type)) {
        int64_t count = 0;
        struct quantity each = {0};
        (void)json_integer(json_member(type, "replicas"), &count);
        buffer_append_string(&replicas, replicas.length > 0 ? "," : "");
        buffer_append(&replicas, json_key(type));
        buffer_appendf(&replicas, ":%" PRId64, count);
        add_gpus_of(json_member(type, "resources"), &each);
        if (count > 0 && count <= UINT32_MAX && wide_multiply_add(&each.nano, (uint32_t)count, 0))
            (void)!quantity_add(&sum, &each);
    }
    columns_add_cut(columns, buffer_text(&replicas), REPLICAS_WIDTH);
    (void)quantity_format(&sum, gpus);
    columns_add_string(columns, gpus);
    if (replicas.failed)
        columns->failed = true;
    buffer_fini(&replicas);
}

static void add_job(const struct listing *listing, const struct text *values,
                    struct columns *columns)
{
    bool in_cluster = is_in_cluster(listing, values);
    columns_add(columns, values[JOB_NAMESPACE]);
    columns_add(columns, values[JOB_NAME]);
    columns_add(columns, values[JOB_KIND]);
    columns_add(columns, values[JOB_STATUS]);
    add_resources(listing, values[JOB_RESOURCES], columns);
    add_duration(listing, values[JOB_RUNNING], values[JOB_FINISHED], in_cluster, columns);
    add_time_since(listing, values[JOB_CREATED], columns);
    columns_add_string(columns, in_cluster ? "yes" : "no");
}

/* ---- pods ------------------------------------------------------------------------------------- */

static const char *const pod_head[] = {"NAME",     "TYPE", "STATUS", "EXIT CODE", "REASON",
                                       "DURATION", "AGE",  "HOST",   "MESSAGE"};

static struct text without_label(struct text text, struct text label)
{
    return text_starts_with(text, label) ? text_skip(text, label.length) : text;
}

/* Returns the last line of a message: in a traceback it is the line that names the error. */
static struct text last_line(struct text message)
{
    struct text last = TEXT("");
    while (message.length > 0) {
        struct text line = text_take_line(&message);
        if (!text_is_blank(line))
            last = line;
    }
    return last;
}

static void add_pod(const struct listing *listing, const struct text *values,
                    struct columns *columns)
{
    /* The remark of a failed pod is "Reason: R\nExitCode: N\nMessage: M". */
    struct text remark = values[POD_REMARK].data != NULL ? values[POD_REMARK] : TEXT("");
    struct text reason = without_label(text_take_line(&remark), TEXT("Reason: "));
    struct text exit_code = without_label(text_take_line(&remark), TEXT("ExitCode: "));
    struct text message = last_line(without_label(remark, TEXT("Message: ")));
    columns_add(columns, values[POD_NAME]);
    columns_add(columns, values[POD_REPLICA_TYPE]);
    columns_add(columns, values[POD_STATUS]);
    columns_add(columns, exit_code);
    columns_add_cut(columns, reason, MESSAGE_WIDTH);
    add_duration(listing, values[POD_STARTED], values[POD_FINISHED], is_in_cluster(listing, values),
                 columns);
    add_time_since(listing, values[POD_CREATED], columns);
    columns_add(columns, values[POD_HOST_IP]);
    columns_add_cut(columns, message, MESSAGE_WIDTH);
}

/* ---- tables and JSON -------------------------------------------------------------------------- */

void listing_begin(const struct listing *listing, struct columns *columns)
{
    if (listing->table == &table_job)
        columns_begin(columns, job_head, sizeof(job_head) / sizeof(job_head[0]));
    else
        columns_begin(columns, pod_head, sizeof(pod_head) / sizeof(pod_head[0]));
}

void listing_add(const struct listing *listing, const struct text *values, struct columns *columns)
{
    if (listing->table == &table_job)
        add_job(listing, values, columns);
    else
        add_pod(listing, values, columns);
}

static bool is_integer(struct text value)
{
    size_t sign = value.length > 1 && value.data[0] == '-' ? 1 : 0;
    for (size_t i = sign; i < value.length; i++) {
        if (!is_digit(value.data[i]))
            return false;
    }
    return value.length > sign && (value.length == sign + 1 || value.data[sign] != '0');
}

static bool is_json_object(const struct listing *listing, struct text value)
{
    const json_value *root;
    return json_read(listing->json, value, &root, NULL) == JSON_OK &&
           json_type(root) == JSON_OBJECT;
}

static void write_value(const struct listing *listing, const struct column *column,
                        struct text value, struct json_writer *writer)
{
    bool is_time = column->type == COLUMN_TIME;
    int64_t microseconds;
    if (value.data == NULL || (is_time && !listing_time(value, &microseconds)))
        json_write_null(writer, column->name);
    else if (is_time)
        json_write_time(writer, column->name, microseconds);
    else if ((column->type == COLUMN_INT && is_integer(value)) ||
             (strcmp(column->name, "resources") == 0 && is_json_object(listing, value)))
        json_write_raw(writer, column->name, value);
    else
        json_write_text(writer, column->name, value);
}

void listing_append_json(const struct listing *listing, const struct text *values,
                         struct buffer *out)
{
    struct buffer row;
    buffer_init(&row, LISTING_LIMIT);
    struct json_writer writer = json_writer(&row);
    json_begin_object(&writer, NULL);
    for (size_t i = 0; i < listing->table->column_count; i++)
        write_value(listing, &listing->table->columns[i], values[i], &writer);
    json_end(&writer);
    printable_append_json(out, buffer_text(&row));
    if (row.failed)
        out->failed = true;
    buffer_fini(&row);
}
