/* isolate: finds the rows of a batch that cannot be written, and writes the others.
 *
 * It goes through the batch from the left: the rows before `begin` have their fate. Each step writes [begin,
 * end). What the last failures have told decides where `end` is. */
#include "sidecar/store/isolate.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NOT_KNOWN SIZE_MAX /* greater than any index */

struct isolation {
    struct store_request *request;
    size_t begin;    /* rows before this one have their fate */
    size_t bad_end;  /* [begin, bad_end) contains a row that fails; or NOT_KNOWN */
    size_t suspect;  /* the row that the server named, begin <= suspect < bad_end; or NOT_KNOWN */
    size_t max_rows; /* of one write: halved if the packet was too large, 1 if rows are locked */
    size_t run;      /* rows that failed alone since something was written */
    size_t alone;    /* of these: set aside, not refused */
    size_t written;  /* rows */
    struct db_error last; /* of the last row that was set aside */
    bool hints_wrong;     /* the server named a row that was not the first bad one: bisect only */
};

static size_t next_end(const struct isolation *isolation)
{
    size_t rest = isolation->request->batch.count - isolation->begin;
    size_t want = rest;
    if (isolation->suspect != NOT_KNOWN)
        want = isolation->suspect - isolation->begin;
    else if (isolation->bad_end != NOT_KNOWN)
        want = (isolation->bad_end - isolation->begin) / 2;
    else if (isolation->run >= ISOLATE_RUN) /* probably all are bad: one write for each */
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
    isolation->alone = 0;
    isolation->begin = end;
    if (isolation->suspect < end) {
        isolation->suspect = NOT_KNOWN;
        isolation->hints_wrong = true;
    }
    if (isolation->bad_end <= end)
        isolation->bad_end = NOT_KNOWN;
}

/* Lets the rows without a fate wait, for this reason. */
static void stop(struct isolation *isolation, const struct db_error *why)
{
    isolation->request->class = why->class;
    isolation->request->others_may = why->affects != DB_AFFECTS_CONNECTION;
    isolation->request->error = why->error;
}

static bool is_refusal(const struct db_error *why)
{
    return why->class == DBERROR_ROW || why->class == DBERROR_SPLIT;
}

/* Gives the row at `begin`, which has failed alone, its fate. Returns false if the rest of the batch is to
 * wait. */
static bool decide(struct isolation *isolation, const struct db_error *why)
{
    struct store_request *request = isolation->request;
    struct refusal *refusal = &request->refusals[request->refusal_count++];
    *refusal =
        (struct refusal){.row = isolation->begin, .class = why->class, .number = why->number};
    memcpy(refusal->text, why->error.text, sizeof(refusal->text));
    request->fates[isolation->begin] = is_refusal(why) ? ROW_REFUSED : ROW_ALONE;
    isolation->begin++;
    isolation->bad_end = NOT_KNOWN; /* it may have been the only one */
    isolation->suspect = NOT_KNOWN;
    isolation->run++;
    if (is_refusal(why))
        return true;
    isolation->last = *why;
    if (++isolation->alone < ISOLATE_RUN || isolation->begin == request->batch.count)
        return true;
    stop(isolation, why);
    return false;
}

/* Learns from the failure of [begin, end). Returns false if the rest of the batch is to wait. */
static bool on_failed(struct isolation *isolation, size_t end, const struct db_error *why)
{
    size_t count = end - isolation->begin;
    if (!is_refusal(why) && why->affects != DB_AFFECTS_ROWS) {
        stop(isolation, why);
        return false;
    }
    if (count == 1)
        return decide(isolation, why);
    if (why->class == DBERROR_SPLIT || why->class == DBERROR_RETRY) {
        isolation->max_rows = why->class == DBERROR_SPLIT ? count / 2 : 1;
        return true;
    }
    if (isolation->suspect != NOT_KNOWN)
        isolation->hints_wrong = true; /* the rows before the one that it named fail as well */
    bool hinted = why->row >= 1 && why->row <= count && !isolation->hints_wrong;
    isolation->bad_end = end;
    isolation->suspect = hinted ? isolation->begin + why->row - 1 : NOT_KNOWN;
    return true;
}

/* If nothing was written, nothing shows that other rows succeed where those that were set aside fail. So
 * these wait with the rest. */
static void doubt(struct isolation *isolation)
{
    struct store_request *request = isolation->request;
    size_t kept = 0;
    if (isolation->written > 0 || isolation->alone == 0 || isolation->alone >= ISOLATE_RUN)
        return;
    for (size_t i = 0; i < request->refusal_count; i++) {
        const struct refusal *refusal = &request->refusals[i];
        if (request->fates[refusal->row] == ROW_ALONE)
            request->fates[refusal->row] = ROW_WAITS;
        else
            request->refusals[kept++] = *refusal;
    }
    request->refusal_count = kept;
    if (request->error.code == ERROR_NONE)
        stop(isolation, &isolation->last);
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
    request->others_may = false;
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
    doubt(&isolation);
}
