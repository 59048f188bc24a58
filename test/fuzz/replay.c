/* replay: runs a fuzz target over its corpus, in builds without libFuzzer.
 *
 * Usage: fuzz_NAME DIRECTORY; each file in it is one input. The summary reads like cmocka's. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input has a buffer of exactly its size, so that a read past its end is seen. */
static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }

    int result = -1;
    uint8_t *data = NULL;
    long size;
    if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0) {
        rewind(file);
        data = malloc(size > 0 ? (size_t)size : 1);
        if (data != NULL && fread(data, 1, (size_t)size, file) == (size_t)size) {
            printf("%s: %ld bytes\n", path, size);
            fflush(stdout);
            result = LLVMFuzzerTestOneInput(data, (size_t)size);
        }
    }
    if (result != 0)
        fprintf(stderr, "%s: not replayed\n", path);
    free(data);
    fclose(file);
    return result;
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }

    struct dirent **entries;
    int count = scandir(argv[1], &entries, is_input, alphasort);
    if (count < 0) {
        perror(argv[1]);
        return 1;
    }

    int failed = 0;
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", argv[1], entries[i]->d_name);
        if (replay_file(path) != 0)
            failed++;
        free(entries[i]);
    }
    free(entries);

    printf("[  PASSED  ] %d test(s).\n", count - failed);
    return failed != 0;
}
