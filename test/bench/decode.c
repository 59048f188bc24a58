/* decode: what decoding costs, without a socket and a database, stage by stage, beside cJSON's parser.
 *
 *   decode FILE ROUNDS         for each stage and round a line: stage, nanoseconds per event (CPU)
 *   decode FILE ROUNDS STAGE   the same for one stage, for callgrind: --toggle-collect='stage_*'
 *
 * FILE is a recorded stream. What a stage needs is made ready before its time begins. */
#include "lib/json/json.h"
#include "lib/kube/watch.h"
#include "lib/outbox/outbox.h"
#include "lib/stream/frame.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH_ROWS  256
#define RECEIVED_US INT64_C(1767225600000000)

/* A stage is a function of its own in the profile. */
#define STAGE static __attribute__((noinline)) void

struct bench {
    struct text stream;
    struct text *lines;
    struct row **rows; /* of the lines that make one, for stage_outbox */
    size_t count;
    size_t row_count;
    struct json *json;
    struct watch *watch;
};

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "decode: %s\n", what);
    exit(1);
}

static void load(struct bench *bench, const char *path)
{
    FILE *file = fopen(path, "rb");
    must(file != NULL && fseek(file, 0, SEEK_END) == 0, "cannot open the stream");
    size_t size = (size_t)ftell(file);
    char *data = malloc(size + 1);
    must(data != NULL && fseek(file, 0, SEEK_SET) == 0 && fread(data, 1, size, file) == size,
         "cannot read the stream");
    (void)fclose(file);
    bench->stream = (struct text){data, size};
    for (size_t i = 0; i < size; i++)
        bench->count += data[i] == '\n';
    bench->lines = calloc(bench->count, sizeof(*bench->lines));
    bench->rows = calloc(bench->count, sizeof(*bench->rows));
    must(bench->count > 0 && bench->lines != NULL && bench->rows != NULL, "no lines");
    for (size_t i = 0; i < bench->count; i++) {
        size_t length = (size_t)((const char *)memchr(data, '\n', size) - data);
        bench->lines[i] = (struct text){data, length};
        data += length + 1;
        size -= length + 1;
    }
}

STAGE stage_cjson(struct bench *bench)
{
    for (size_t i = 0; i < bench->count; i++)
        cJSON_Delete(cJSON_ParseWithLength(bench->lines[i].data, bench->lines[i].length));
}

/* As it comes from a socket: in reads of a bounded size. */
STAGE stage_frame(struct bench *bench)
{
    struct frame frame;
    struct text rest = bench->stream;
    size_t found = 0;
    frame_init(&frame, (size_t)16 << 20);
    while (rest.length > 0) {
        size_t room;
        char *to = frame_room(&frame, &room);
        must(to != NULL, "no memory");
        size_t bytes = room < rest.length ? room : rest.length;
        memcpy(to, rest.data, bytes);
        frame_fed(&frame, bytes);
        rest = (struct text){rest.data + bytes, rest.length - bytes};
        while (frame_next(&frame).kind != FRAME_NONE)
            found++;
    }
    frame_fini(&frame);
    must(found == bench->count, "lines are missing");
}

STAGE stage_parse(struct bench *bench)
{
    const json_value *root;
    for (size_t i = 0; i < bench->count; i++)
        must(json_read(bench->json, bench->lines[i], &root, NULL) == JSON_OK, "not JSON");
}

STAGE stage_decode(struct bench *bench)
{
    struct watch_result result;
    for (size_t i = 0; i < bench->count; i++) {
        watch_decode(bench->watch, bench->lines[i], RECEIVED_US, &result);
        row_free(result.row);
    }
}

static void make_rows(struct bench *bench)
{
    struct watch_result result;
    for (size_t i = 0; i < bench->count; i++) {
        watch_decode(bench->watch, bench->lines[i], RECEIVED_US, &result);
        if (result.row != NULL)
            bench->rows[bench->row_count++] = result.row;
    }
}

static void drain(struct outbox *outbox, struct batch *batch)
{
    while (outbox_take(outbox, 0, BATCH_ROWS, SIZE_MAX, batch)) {
        for (size_t i = 0; i < batch->count; i++)
            outbox_done(outbox, batch, i);
    }
}

STAGE stage_outbox(struct bench *bench)
{
    struct outbox_limits limits = {.max_rows = SIZE_MAX, .max_bytes = SIZE_MAX, .lanes = 1};
    struct outbox *outbox = outbox_new(&limits);
    struct batch batch;
    must(batch_init(&batch, BATCH_ROWS, NULL) == ERROR_NONE, "no memory");
    for (size_t i = 0; i < bench->row_count; i++) {
        must(outbox_put(outbox, bench->rows[i], NULL) == ERROR_NONE, "no memory");
        if ((i + 1) % BATCH_ROWS == 0)
            drain(outbox, &batch);
    }
    drain(outbox, &batch);
    bench->row_count = 0;
    batch_fini(&batch);
    outbox_free(outbox);
}

static const struct {
    const char *name;
    void (*run)(struct bench *bench);
} stages[] = {
    {"cjson", stage_cjson},   {"frame", stage_frame},   {"parse", stage_parse},
    {"decode", stage_decode}, {"outbox", stage_outbox},
};

static double cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void run(struct bench *bench, size_t stage)
{
    if (stages[stage].run == stage_outbox)
        make_rows(bench);
    double before = cpu_ns();
    stages[stage].run(bench);
    (void)printf("%s %.0f\n", stages[stage].name, (cpu_ns() - before) / (double)bench->count);
}

int main(int argc, char **argv)
{
    struct bench bench = {0};
    struct watch_settings settings = {.region = TEXT(""), .cluster_id = TEXT("bench")};
    must(argc == 3 || argc == 4, "usage: decode FILE ROUNDS [STAGE]");
    load(&bench, argv[1]);
    bench.json = json_new();
    watch_keep(bench.json);
    bench.watch = watch_new(&settings);

    for (long round = strtol(argv[2], NULL, 10); round > 0; round--) {
        for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
            if (argc == 3 || strcmp(argv[3], stages[i].name) == 0)
                run(&bench, i);
        }
    }
    watch_free(bench.watch);
    json_free(bench.json);
    free(bench.lines);
    free(bench.rows);
    free((char *)bench.stream.data);
    return 0;
}
