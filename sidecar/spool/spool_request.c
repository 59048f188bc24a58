/* spool_request: fills a request in, and carries it out (see spool_request.h). */
#include "sidecar/spool/spool_request.h"

#include "lib/base/invariant.h"
#include "lib/base/memory.h"
#include "lib/rows/rowjson.h"

#include <stdlib.h>

#define SOFT_LIMIT (4U << 20)  /* bytes: the record that goes over it is the last one */
#define HARD_LIMIT (64U << 20) /* bytes, for the buffer */

void spool_request_init(struct spool_request *request)
{
    *request = (struct spool_request){.letters = STAILQ_HEAD_INITIALIZER(request->letters)};
    buffer_init(&request->bytes, HARD_LIMIT);
}

void spool_request_fini(struct spool_request *request)
{
    spool_notes_fini(&request->notes);
    buffer_fini(&request->bytes);
}

void spool_request_reset(struct spool_request *request, enum spool_task task)
{
    buffer_reset(&request->bytes);
    request->task = task;
    request->count = 0;
    request->number_count = 0;
    spool_notes_fini(&request->notes);
    request->error = (struct error){0};
    request->opening = (struct spool_opening){0};
    request->more = false;
    request->lost = false;
    request->rest = (struct error){0};
}

bool spool_request_is_full(const struct spool_request *request)
{
    return request->count == SPOOL_REQUEST_MAX_ITEMS || request->bytes.length >= SOFT_LIMIT;
}

static void set_number(void *context, const char *name, uint64_t value)
{
    struct spool_request *request = context;
    invariant(request->number_count < SPOOL_REQUEST_MAX_NUMBERS);
    struct spool_number *number = &request->numbers[request->number_count++];
    invariant(strlen(name) < sizeof(number->name));
    text_copy(number->name, sizeof(number->name), text_from(name));
    number->value = (int64_t)value;
}

void spool_request_add_numbers(struct spool_request *request, const struct ledger *ledger,
                               const struct outbox *outbox)
{
    ledger_numbers(ledger, outbox, set_number, request);
}

void spool_request_add(void *context, const struct outbox_record *record)
{
    struct spool_request *request = context;
    struct buffer *bytes = &request->bytes;
    struct spool_item *item = &request->items[request->count++];
    *item = (struct spool_item){
        .table = record->table, .uid = bytes->length, .uid_length = record->uid.length};
    buffer_append(bytes, record->uid);
    item->body = bytes->length;
    for (size_t i = 0; i < record->row_count; i++) {
        buffer_append_char(bytes, i == 0 ? '[' : ',');
        rowjson_append(bytes, record->rows[i]);
    }
    if (record->row_count > 0)
        buffer_append_char(bytes, ']');
    item->body_length = bytes->length - item->body;
}

/* ---- in the thread pool ------------------------------------------------------------------------*/

static enum error_code store(struct spool_file *file, const struct spool_request *request,
                             struct error *err)
{
    const struct spool_letter *letter;
    const char *bytes = buffer_text(&request->bytes).data;
    if (request->bytes.failed)
        return error_set(err, ERROR_NOMEM, "no memory for what is to be stored");
    enum error_code code = spool_file_begin(file, err);
    for (size_t i = 0; i < request->count && code == ERROR_NONE; i++) {
        const struct spool_item *item = &request->items[i];
        struct text table = text_from(item->table->name);
        struct text uid = {bytes + item->uid, item->uid_length};
        struct text body = {bytes + item->body, item->body_length};
        code = body.length > 0 ? spool_file_put(file, table, uid, body, err)
                               : spool_file_delete(file, table, uid, err);
    }
    STAILQ_FOREACH(letter, &request->letters, entry)
    {
        if (code == ERROR_NONE)
            code = spool_file_put_dead(file, &letter->letter, err);
    }
    for (size_t i = 0; i < request->number_count && code == ERROR_NONE; i++) {
        const struct spool_number *number = &request->numbers[i];
        code = spool_file_put_number(file, number->name, number->value, err);
    }
    for (size_t i = 0; i < request->notes.count && code == ERROR_NONE; i++) {
        const struct spool_note *note = &request->notes.notes[i];
        code = spool_file_put_note(file, note->name, note->text, err);
    }
    if (code == ERROR_NONE)
        code = spool_file_commit(file, err);
    if (code != ERROR_NONE)
        spool_file_rollback(file);
    return code;
}

static enum error_code run_task(struct spool_request *request, const char *directory,
                                struct spool_file **file)
{
    struct error *err = &request->error;
    switch (request->task) {
    case SPOOL_OPEN:
        return spool_file_open(directory, request->records_are_held, file, &request->opening, err);
    case SPOOL_SHRINK:
        return spool_file_shrink(*file, &request->more, err);
    case SPOOL_STORE:
        return store(*file, request, err);
    case SPOOL_LOOK:
        break;
    }
    return ERROR_NONE;
}

void spool_request_run(struct spool_request *request, const char *directory,
                       struct spool_file **file)
{
    struct error *err = &request->error, ignored;
    enum error_code code = *file != NULL ? spool_file_check(*file, err) : ERROR_NONE;
    if (code == ERROR_NONE)
        code = run_task(request, directory, file);
    if (*file != NULL && code != ERROR_INPUT) {
        enum error_code looked =
            spool_file_usage(*file, &request->usage, code == ERROR_NONE ? err : &ignored);
        code = code == ERROR_NONE ? looked : code;
    }
    if (*file != NULL && code == ERROR_INPUT) {
        request->lost = true;
        if (spool_file_leave(*file, request->records_are_held, &request->rest) == ERROR_NONE)
            request->rest.text[0] = '\0';
        *file = NULL;
    }
}

/* ---- dead letters ------------------------------------------------------------------------------*/

struct spool_letter *spool_letter_new(const struct row *row, const struct refusal *refusal,
                                      int64_t now_us)
{
    struct spool_letter *letter = memory_new(sizeof(*letter));
    struct buffer *bytes = &letter->bytes;
    buffer_init(bytes, HARD_LIMIT);
    rowjson_append(bytes, row);
    size_t body = bytes->length;
    buffer_append(bytes, row_uid(row));
    size_t uid = bytes->length;
    buffer_append(bytes, row_version(row));
    size_t version = bytes->length;
    buffer_append_string(bytes, refusal->text);
    if (bytes->failed) /* the row is about to leave the outbox, and is in no table */
        memory_exhausted("a dead letter");
    const char *data = buffer_text(bytes).data;
    letter->letter = (struct dead_letter){
        .at_us = now_us,
        .table = text_from(row->table->name),
        .body = {data, body},
        .uid = {data + body, uid - body},
        .version = {data + uid, version - uid},
        .reason = {data + version, bytes->length - version},
        .number = refusal->number,
    };
    return letter;
}

void spool_letter_free(struct spool_letter *letter)
{
    buffer_fini(&letter->bytes);
    free(letter);
}
