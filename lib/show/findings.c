/* findings: collects findings, and writes them as text and as JSON (see findings.h). */
#include "lib/show/findings.h"

#include "lib/base/memory.h"
#include "lib/base/printable.h"
#include "lib/json/write.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define DETAIL_LIMIT ((size_t)1 << 16)

#define STATUS_COLUMNS 6
#define NAME_COLUMNS   11

void findings_init(struct findings *findings)
{
    *findings = (struct findings){0};
}

void findings_fini(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->list[i].detail);
        free(findings->list[i].advice);
    }
    free(findings->list);
    findings_init(findings);
}

static struct finding *new_finding(struct findings *findings)
{
    if (findings->count == findings->capacity) {
        size_t capacity = findings->capacity == 0 ? 32 : 2 * findings->capacity;
        struct finding *list = memory_new_array(capacity, sizeof(*list));
        if (findings->count > 0)
            memcpy(list, findings->list, findings->count * sizeof(*list));
        free(findings->list);
        findings->list = list;
        findings->capacity = capacity;
    }
    return &findings->list[findings->count++];
}

void findings_add(struct findings *findings, enum finding_status status, const char *name,
                  const char *advice, const char *format, ...)
{
    struct buffer text;
    buffer_init(&text, DETAIL_LIMIT);
    va_list args;
    va_start(args, format);
    buffer_vappendf(&text, format, args);
    va_end(args);
    const char *detail = buffer_cstring(&text);
    if (detail == NULL)
        findings->failed = true;
    else
        *new_finding(findings) =
            (struct finding){status, name, memory_copy_string(detail), memory_copy_string(advice)};
    buffer_fini(&text);
}

void findings_soften(struct findings *findings, size_t from, size_t to)
{
    for (size_t i = from; i < to && i < findings->count; i++) {
        if (findings->list[i].status == FINDING_FAIL)
            findings->list[i].status = FINDING_WARN;
    }
}

enum finding_status findings_worst(const struct findings *findings, size_t from)
{
    enum finding_status worst = FINDING_OK;
    for (size_t i = from; i < findings->count; i++) {
        if (findings->list[i].status > worst)
            worst = findings->list[i].status;
    }
    return worst;
}

/* ---- as text --------------------------------------------------------------------------------- */

static void append_column(struct buffer *out, const char *text, size_t columns)
{
    buffer_append_string(out, text);
    for (size_t width = strlen(text); width < columns; width++)
        buffer_append_char(out, ' ');
}

void findings_text(struct buffer *out, const struct findings *findings)
{
    /* Failures have to be put right, so their word is in capitals. */
    static const char *const words[] = {
        [FINDING_OK] = "ok",
        [FINDING_SKIP] = "skip",
        [FINDING_WARN] = "warn",
        [FINDING_FAIL] = "FAIL",
    };
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        append_column(out, words[finding->status], STATUS_COLUMNS);
        append_column(out, finding->name, NAME_COLUMNS);
        buffer_append_char(out, ' ');
        printable_append(out, text_from(finding->detail));
        buffer_append_char(out, '\n');
        for (struct text advice = text_from(finding->advice); advice.length > 0;) {
            append_column(out, "", STATUS_COLUMNS);
            printable_append(out, text_take_line(&advice));
            buffer_append_char(out, '\n');
        }
    }
}

/* ---- as JSON --------------------------------------------------------------------------------- */

static const char *const json_words[] = {
    [FINDING_OK] = "ok",
    [FINDING_SKIP] = "skip",
    [FINDING_WARN] = "warn",
    [FINDING_FAIL] = "fail",
};

void findings_json(struct buffer *out, const struct findings *findings)
{
    struct json_writer writer = json_writer(out);
    json_begin_object(&writer, NULL);
    json_write_string(&writer, "status", json_words[findings_worst(findings, 0)]);
    json_begin_array(&writer, "checks");
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        struct text advice = text_from(finding->advice);
        json_begin_object(&writer, NULL);
        json_write_string(&writer, "status", json_words[finding->status]);
        json_write_string(&writer, "name", finding->name);
        json_write_string(&writer, "detail", finding->detail);
        if (advice.length > 0) {
            json_begin_array(&writer, "advice");
            while (advice.length > 0)
                json_write_text(&writer, NULL, text_take_line(&advice));
            json_end(&writer);
        }
        json_end(&writer);
    }
    json_end(&writer);
    json_end(&writer);
    buffer_append_char(out, '\n');
}
