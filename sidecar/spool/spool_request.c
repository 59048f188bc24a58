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
    *request = (struct spool_request){0};
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
    size_t length = strlen(name);
    invariant(length < sizeof(number->name));
    memcpy(number->name, name, length + 1);
    number->value = (int64_t)value;
}

void spool_request_add_numbers(struct spool_request *request, const struct ledger *ledger,
                               const struct outbox *outbox)
{
    ledger_numbers(ledger, outbox, set_number, request);
}

static void append_rows(struct buffer *out, const struct outbox_record *record)
{
    buffer_append_char(out, '[');
    for (size_t i = 0; i < record->row_count; i++) {
        if (i > 0)
            buffer_append_char(out, ',');
        rowjson_append(out, record->rows[i]);
    }
    buffer_append_char(out, ']');
}

void spool_request_add(void *context, const struct outbox_record *record)
{
    struct spool_request *request = context;
    struct spool_item *item = &request->items[request->count++];
    *item = (struct spool_item){.table = record->table, .uid = request->bytes.length};
    buffer_append(&request->bytes, record->uid);
    item->uid_length = record->uid.length;
    item->body = request->bytes.length;
    if (record->row_count > 0)
        append_rows(&request->bytes, record);
    item->body_length = request->bytes.length - item->body;
}

static struct text part(const struct spool_request *request, size_t start, size_t length)
{
    return (struct text){buffer_text(&request->bytes).data + start, length};
}

static enum error_code store_items(struct spool_file *file, const struct spool_request *request,
                                   struct error *err)
{
    enum error_code code = ERROR_NONE;
    for (size_t i = 0; i < request->count && code == ERROR_NONE; i++) {
        const struct spool_item *item = &request->items[i];
        struct text table = text_from(item->table->name);
        struct text uid = part(request, item->uid, item->uid_length);
        if (item->body_length > 0)
            code =
                spool_file_put(file, table, uid, part(request, item->body, item->body_length), err);
        else
            code = spool_file_delete(file, table, uid, err);
    }
    return code;
}

static enum error_code store_rest(struct spool_file *file, const struct spool_request *request,
                                  struct error *err)
{
    enum error_code code = ERROR_NONE;
    for (const struct spool_letter *letter = request->letters; letter != NULL && code == ERROR_NONE;
         letter = letter->next)
        code = spool_file_put_dead(file, &letter->letter, err);
    for (size_t i = 0; i < request->number_count && code == ERROR_NONE; i++)
        code =
            spool_file_put_number(file, request->numbers[i].name, request->numbers[i].value, err);
    for (size_t i = 0; i < request->notes.count && code == ERROR_NONE; i++)
        code = spool_file_put_note(file, request->notes.notes[i].name, request->notes.notes[i].text,
                                   err);
    return code;
}

static enum error_code store(struct spool_file *file, struct spool_request *request,
                             struct error *err)
{
    enum error_code code = spool_file_begin(file, err);
    if (code == ERROR_NONE)
        code = store_items(file, request, err);
    if (code == ERROR_NONE)
        code = store_rest(file, request, err);
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
    case SPOOL_LOOK:
        return ERROR_NONE;
    case SPOOL_STORE:
        break;
    }
    if (request->bytes.failed)
        return error_set(err, ERROR_NOMEM, "no memory for what is to be stored");
    return store(*file, request, err);
}

static enum error_code look_and_run(struct spool_request *request, const char *directory,
                                    struct spool_file **file)
{
    enum error_code code = ERROR_NONE;
    if (*file != NULL)
        code = spool_file_check(*file, &request->error);
    return code == ERROR_NONE ? run_task(request, directory, file) : code;
}

void spool_request_run(struct spool_request *request, const char *directory,
                       struct spool_file **file)
{
    enum error_code code = look_and_run(request, directory, file);
    struct error ignored;
    if (*file != NULL && code != ERROR_INPUT) {
        enum error_code looked = spool_file_usage(*file, &request->usage,
                                                  code == ERROR_NONE ? &request->error : &ignored);
        code = code == ERROR_NONE ? looked : code;
    }
    if (*file != NULL && code == ERROR_INPUT) {
        request->lost = true;
        if (spool_file_leave(*file, request->records_are_held, &request->rest) == ERROR_NONE)
            request->rest.text[0] = '\0';
        *file = NULL;
    }
}

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
    if (bytes->failed)
        memory_exhausted(
            "a dead letter"); /* its row is about to leave the outbox, and is in no table */
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
    if (letter == NULL)
        return;
    buffer_fini(&letter->bytes);
    free(letter);
}
