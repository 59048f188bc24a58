/* isolate: finds the rows of a batch that can't be written, and writes the others.
 *
 * It goes through the batch from the left: rows before `begin` are decided. Each step writes
 * [begin, end); what the last failures have told decides where end is. */
#include "sidecar/store/isolate.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NOT_KNOWN SIZE_MAX /* greater than any index */

struct isolation {
    struct store_request *request;
    size_t begin;    /* rows before this one have their fate */
    size_t bad_end;  /* [begin, bad_end) is known to hold a row that fails, or NOT_KNOWN */
    size_t suspect;  /* the row that the server named, begin <= suspect < bad_end, or NOT_KNOWN */
    size_t max_rows; /* of one write: halved where the packet was too large */
    size_t run;      /* refused since something was written */
    size_t written;
    struct db_error last; /* why the last refused row was */
    bool
        hints_wrong; /* the server named a row that was not the first bad one: bisect from now on */
};

/* After so many bad rows without a good one the next one is tried alone: where all are bad, one write
 * for each is enough. */
#define LONG_RUN 4

static size_t next_end(const struct isolation *isolation)
{
    size_t rest = isolation->request->batch.count - isolation->begin;
    size_t want = rest;
    if (isolation->suspect != NOT_KNOWN)
        want = isolation->suspect - isolation->begin;
    else if (isolation->bad_end != NOT_KNOWN)
        want = (isolation->bad_end - isolation->begin) / 2;
    else if (isolation->run >= LONG_RUN)
        want = 1;
    if (want > isolation->max_rows)
        want = isolation->max_rows;
    return isolation->begin + (want > 0 ? want : 1);
}

static void on_written(struct isolation *isolation, size_t end)
{
    for (size_t i = isolation->begin; i < end; i++)
        isolation->request->fates[i] = ROW_WRITTEN;
    isolation->written += end - isolation->begin;
    isolation->run = 0;
    isolation->begin = end;
    if (isolation->suspect < end) {
        isolation->suspect = NOT_KNOWN;
        isolation->hints_wrong = true;
    }
    if (isolation->bad_end <= end)
        isolation->bad_end = NOT_KNOWN;
}

static void refuse(struct isolation *isolation, const struct db_error *why)
{
    struct store_request *request = isolation->request;
    struct refusal *refusal = &request->refusals[request->refusal_count++];
    refusal->row = isolation->begin;
    refusal->number = why->number;
    memcpy(refusal->text, why->error.text, sizeof(refusal->text));
    request->fates[isolation->begin] = ROW_REFUSED;
    isolation->begin++;
    isolation->bad_end = NOT_KNOWN; /* it may have been the only one */
    isolation->suspect = NOT_KNOWN;
    isolation->run++;
    isolation->last = *why;
}

static void stop(struct isolation *isolation, const struct db_error *why)
{
    isolation->request->class = why->class;
    isolation->request->error = why->error;
}

/* If a wrong table is likelier than so many wrong rows, none is refused: they wait for a person. */
static void doubt_burst(struct isolation *isolation)
{
    struct store_request *request = isolation->request;
    size_t refused = request->refusal_count;
    if (isolation->written > 0 || refused <= ISOLATE_BURST)
        return;
    for (size_t i = 0; i < refused; i++)
        request->fates[request->refusals[i].row] = ROW_WAITS;
    request->refusal_count = 0;
    if (request->error.code != ERROR_NONE)
        return; /* other trouble came in between, and waiting is for that */
    stop(isolation, &isolation->last);
    request->class = DBERROR_OPERATOR;
    error_context(&request->error, ERROR_OPERATOR,
                  "all %zu rows of a batch were refused, which looks like a wrong column of %s "
                  "rather than wrong rows; they wait until it is put right; the last one",
                  refused, request->batch.table->name);
    request->error.code = ERROR_OPERATOR;
}

/* What the failure of [begin, end) tells. False: stop here. */
static bool on_failed(struct isolation *isolation, size_t end, const struct db_error *why)
{
    size_t count = end - isolation->begin;
    if (why->class != DBERROR_ROW && why->class != DBERROR_SPLIT) {
        stop(isolation, why);
        return false;
    }
    if (count == 1) {
        refuse(isolation, why);
        return true;
    }
    if (why->class == DBERROR_SPLIT) {
        isolation->max_rows = count / 2;
        return true;
    }
    if (isolation->suspect != NOT_KNOWN)
        isolation->hints_wrong = true; /* these were the rows before the one that it named */
    bool hinted = why->row >= 1 && why->row <= count && !isolation->hints_wrong;
    isolation->bad_end = end;
    isolation->suspect = hinted ? isolation->begin + why->row - 1 : NOT_KNOWN;
    return true;
}

void isolate_batch(struct store_request *request, isolate_write *write, void *context)
{
    struct batch *batch = &request->batch;
    struct isolation isolation = {
        .request = request,
        .bad_end = NOT_KNOWN,
        .suspect = NOT_KNOWN,
        .max_rows = batch->count,
    };
    for (size_t i = 0; i < batch->count; i++)
        request->fates[i] = ROW_WAITS;
    request->refusal_count = 0;
    request->error = (struct error){.code = ERROR_NONE};

    while (isolation.begin < batch->count) {
        size_t end = next_end(&isolation);
        struct db_error why;
        if (write(context, batch->rows + isolation.begin, end - isolation.begin, &why) ==
            ERROR_NONE)
            on_written(&isolation, end);
        else if (!on_failed(&isolation, end, &why))
            break;
    }
    doubt_burst(&isolation);
}
