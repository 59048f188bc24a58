/* metrics: the table of labels, and the text of all series (see metrics.h, which has the table of metrics). */
#include "lib/account/metrics.h"

#include "lib/base/utf8.h"

#include <inttypes.h>
#include <math.h>

#define MAX_LABELS 4

/* The types are explained above METRICS in metrics.h. */
enum metric_type {
    METRIC_COUNTER,
    METRIC_SPARSE,
    METRIC_REAL_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
    METRIC_INFO,
    METRIC_STATE,
};

static const char *const type_names[] = {
    [METRIC_COUNTER] = "counter",      [METRIC_SPARSE] = "counter",
    [METRIC_REAL_COUNTER] = "counter", [METRIC_GAUGE] = "gauge",
    [METRIC_HISTOGRAM] = "histogram",  [METRIC_INFO] = "gauge",
    [METRIC_STATE] = "gauge",
};

/* ---- labels ------------------------------------------------------------------------------------*/

enum label {
    LABEL_NONE,
    LABEL_SOURCE,
    LABEL_STATE,
    LABEL_TYPE,
    LABEL_KIND,
    LABEL_API_GROUP,
    LABEL_FATE,
    LABEL_TABLE,
    LABEL_ACCOUNT,
    LABEL_REASON,
    LABEL_TROUBLE,
    LABEL_CAUSE,
    LABEL_CLASS,
    LABEL_RESULT,
    LABEL_VERSION,
    LABEL_TLS_VERSION,
    LABEL_TLS_CIPHER,
};

static const char *type_value(size_t i)
{
    return watch_type_name((enum watch_type)i);
}

static const char *kind_value(size_t i)
{
    return i < RESOURCE_COUNT ? resource_table[i].kind : "other";
}

static const char *group_value(size_t i)
{
    return i < RESOURCE_COUNT ? resource_table[i].group : "";
}

static const char *fate_value(size_t i)
{
    return watch_fate_name((enum watch_fate)i);
}

static const char *table_value(size_t i)
{
    return tables[i]->name;
}

/* The account `held` makes no series here, since a counter must not go down; pending_rows is its gauge. */
static const char *account_value(size_t i)
{
    const char *name = ledger_row_account_name(i);
    return strcmp(name, "held") != 0 ? name : NULL;
}

static const char *class_value(size_t i)
{
    return dberror_class_name((enum dberror_class)i);
}

#define LABEL_TEXT(name, text) text,

const char *metrics_pause_name(enum metrics_pause pause)
{
    static const char *const texts[] = {METRICS_PAUSES(LABEL_TEXT)};
    return texts[pause];
}

static const char *pause_value(size_t i)
{
    return metrics_pause_name((enum metrics_pause)i);
}

static const char *sweep_value(size_t i)
{
    static const char *const texts[] = {METRICS_SWEEPS(LABEL_TEXT)};
    return texts[i];
}

/* A label and its values, one for each element of the dimension of an array that it names. */
struct label_values {
    const char *name;
    size_t count; /* elements of the dimension; 0 where the field holds the value */
    const char *(*value)(size_t i); /* of element i; NULL if that element makes no series */
    bool same_dimension;            /* it names the same dimension as the label before it */
};

static const struct label_values labels[] = {
    [LABEL_SOURCE] = {"source", 0, NULL, false},
    [LABEL_STATE] = {"state", 0, NULL, false},
    [LABEL_TYPE] = {"type", WATCH_TYPE_COUNT, type_value, false},
    [LABEL_KIND] = {"kind", METRICS_KINDS, kind_value, false},
    [LABEL_API_GROUP] = {"api_group", METRICS_KINDS, group_value, true},
    [LABEL_FATE] = {"fate", WATCH_FATE_COUNT, fate_value, false},
    [LABEL_TABLE] = {"table", TABLE_COUNT, table_value, false},
    [LABEL_ACCOUNT] = {"fate", LEDGER_ROW_ACCOUNT_COUNT, account_value, false},
    [LABEL_REASON] = {"reason", METRICS_PAUSE_COUNT, pause_value, false},
    [LABEL_TROUBLE] = {"reason", 0, NULL, false},
    [LABEL_CAUSE] = {"cause", DBERROR_CLASS_COUNT, class_value, false},
    [LABEL_CLASS] = {"class", DBERROR_CLASS_COUNT, class_value, false},
    [LABEL_RESULT] = {"result", METRICS_SWEEP_COUNT, sweep_value, false},
    [LABEL_VERSION] = {"version", 0, NULL, false},
    [LABEL_TLS_VERSION] = {"tls_version", 0, NULL, false},
    [LABEL_TLS_CIPHER] = {"tls_cipher", 0, NULL, false},
};

/* ---- the table ---------------------------------------------------------------------------------*/

#define MS UINT64_C(1000)
#define S  (1000 * MS)

/* clang-format off */
static const struct histogram_bounds row_bounds = {
    1, 11, {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}};
static const struct histogram_bounds commit_bounds = {
    S, 14, {1 * MS, 2500, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS,
            1 * S, 2500 * MS, 5 * S, 10 * S, 30 * S}};
static const struct histogram_bounds lag_bounds = {
    S, 16, {5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, 1 * S, 2500 * MS,
            5 * S, 10 * S, 30 * S, 60 * S, 300 * S, 1800 * S, 10800 * S}};
/* clang-format on */

struct metric {
    const char *name;
    const char *help;
    enum metric_type type;
    size_t offset, size; /* in struct metrics */
    const struct histogram_bounds *bounds;
    enum label labels[MAX_LABELS];
};

#define FIELD(field) offsetof(struct metrics, field), sizeof(((struct metrics *)NULL)->field)

#define ONE(type, field, name, help) {name, help, METRIC_##type, FIELD(field), NULL, {LABEL_NONE}},
#define EACH(type, field, shape, name, help, ...)                                                  \
    {name, help, METRIC_##type, FIELD(field), NULL, {__VA_ARGS__}},
#define HISTOGRAM(field, bounds, name, help)                                                       \
    {name, help, METRIC_HISTOGRAM, FIELD(field), &(bounds), {LABEL_NONE}},

static const struct metric metrics_table[] = {METRICS(ONE, EACH, HISTOGRAM)};

#define METRIC_COUNT (sizeof(metrics_table) / sizeof(metrics_table[0]))

void metrics_init(struct metrics *metrics)
{
    *metrics = (struct metrics){0};
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct metric *metric = &metrics_table[i];
        void *field = (char *)metrics + metric->offset;
        double *reals = field;
        if (metric->type == METRIC_HISTOGRAM)
            histogram_init(field, metric->bounds);
        else if (metric->type == METRIC_GAUGE || metric->type == METRIC_REAL_COUNTER)
            for (size_t n = 0; n < metric->size / sizeof(*reals); n++)
                reals[n] = NAN;
    }
}

size_t metrics_kind(const struct resource *resource)
{
    return resource != NULL ? resource_number(resource) : METRICS_KIND_OTHER;
}

/* ---- exposition --------------------------------------------------------------------------------*/

static void append_label(struct buffer *out, bool *first, const char *name, const char *value)
{
    buffer_appendf(out, "%s%s=\"", *first ? "{" : ",", name);
    *first = false;
    for (struct text rest = text_from(value); rest.length > 0;) {
        size_t length = utf8_character(rest);
        size_t taken = length > 0 ? length : 1;
        if (length == 0)
            buffer_append_char(out, '?');
        else if (*rest.data == '\n')
            buffer_append_string(out, "\\n");
        else if (*rest.data == '"' || *rest.data == '\\')
            buffer_appendf(out, "\\%c", *rest.data);
        else
            buffer_append(out, (struct text){rest.data, length});
        rest = (struct text){rest.data + taken, rest.length - taken};
    }
    buffer_append_char(out, '"');
}

static void append_real(struct buffer *out, double value)
{
    if (isinf(value))
        buffer_append_string(out, value > 0 ? "+Inf" : "-Inf");
    else
        buffer_appendf(out, "%.15g", value);
}

static size_t label_count(const struct metric *metric)
{
    size_t count = 0;
    while (count < MAX_LABELS && metric->labels[count] != LABEL_NONE)
        count++;
    return count;
}

/* Appends the name and labels of the series that is made from element i of the metric's array. False if there
 * is no such series. text: the value of the label whose values the field holds, if there is one. */
static bool append_series(struct buffer *out, const struct metric *metric, size_t i,
                          const char *text)
{
    const char *values[MAX_LABELS];
    size_t count = label_count(metric);
    for (size_t n = count; n-- > 0;) { /* from the last dimension of the array to the first */
        const struct label_values *label = &labels[metric->labels[n]];
        values[n] = label->value != NULL ? label->value(i % label->count) : text;
        if (!label->same_dimension && label->value != NULL)
            i /= label->count;
        if (values[n] == NULL)
            return false;
    }
    bool first = true;
    buffer_append_string(out, metric->name);
    for (size_t n = 0; n < count; n++)
        append_label(out, &first, labels[metric->labels[n]].name, values[n]);
    buffer_append_string(out, first ? " " : "} ");
    return true;
}

static void append_integers(struct buffer *out, const struct metric *metric, const uint64_t *values)
{
    for (size_t i = 0; i < metric->size / sizeof(*values); i++) {
        bool is_left_out = metric->type == METRIC_SPARSE && values[i] == 0;
        if (!is_left_out && append_series(out, metric, i, NULL))
            buffer_appendf(out, "%" PRIu64 "\n", values[i]);
    }
}

static void append_reals(struct buffer *out, const struct metric *metric, const double *values)
{
    for (size_t i = 0; i < metric->size / sizeof(*values); i++) {
        if (isnan(values[i]) || !append_series(out, metric, i, NULL))
            continue;
        append_real(out, values[i]);
        buffer_append_char(out, '\n');
    }
}

static void append_histogram(struct buffer *out, const struct metric *metric,
                             const struct histogram *histogram)
{
    const struct histogram_bounds *bounds = histogram->bounds;
    uint64_t count = 0;
    for (size_t i = 0; i < bounds->count; i++) {
        count += histogram->counts[i];
        buffer_appendf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", metric->name,
                       (double)bounds->upper[i] / (double)bounds->unit, count);
    }
    count += histogram->counts[bounds->count];
    buffer_appendf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum ", metric->name, count,
                   metric->name);
    append_real(out, (double)histogram->sum / (double)bounds->unit);
    buffer_appendf(out, "\n%s_count %" PRIu64 "\n", metric->name, count);
}

static void append_info(struct buffer *out, const struct metric *metric, const char *const *values)
{
    size_t count = label_count(metric);
    for (size_t i = 0; i < metric->size / sizeof(*values); i += count) {
        bool first = true;
        if (values[i] == NULL)
            continue;
        buffer_append_string(out, metric->name);
        for (size_t n = 0; n < count; n++)
            append_label(out, &first, labels[metric->labels[n]].name, values[i + n]);
        buffer_append_string(out, "} 1\n");
    }
}

static void append_states(struct buffer *out, const struct metric *metric,
                          const char *const *values)
{
    for (size_t i = 0; i < metric->size / sizeof(*values); i++) {
        if (values[i] != NULL && append_series(out, metric, i, values[i]))
            buffer_append_string(out, "1\n");
    }
}

void metrics_expose(struct buffer *out, const struct metrics *metrics)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct metric *metric = &metrics_table[i];
        const void *field = (const char *)metrics + metric->offset;
        buffer_appendf(out, "# HELP %s %s.\n# TYPE %s %s\n", metric->name, metric->help,
                       metric->name, type_names[metric->type]);
        switch (metric->type) {
        case METRIC_COUNTER:
        case METRIC_SPARSE:
            append_integers(out, metric, field);
            break;
        case METRIC_REAL_COUNTER:
        case METRIC_GAUGE:
            append_reals(out, metric, field);
            break;
        case METRIC_HISTOGRAM:
            append_histogram(out, metric, field);
            break;
        case METRIC_INFO:
            append_info(out, metric, field);
            break;
        case METRIC_STATE:
            append_states(out, metric, field);
            break;
        }
    }
}

/* ---- what a person reads -----------------------------------------------------------------------*/

void metrics_markdown(struct buffer *out)
{
    buffer_append_string(out, "| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct metric *metric = &metrics_table[i];
        buffer_appendf(out, "| `%s` | %s | ", metric->name, type_names[metric->type]);
        for (size_t n = 0; n < MAX_LABELS && metric->labels[n] != LABEL_NONE; n++)
            buffer_appendf(out, "%s`%s`", n > 0 ? ", " : "", labels[metric->labels[n]].name);
        buffer_appendf(out, " | %s |\n", metric->help);
    }
}
