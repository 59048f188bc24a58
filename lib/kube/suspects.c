/* suspects: writes and reads the note (see suspects.h). */
#include "lib/kube/suspects.h"

#include <stdlib.h>

void suspects_begin(struct buffer *out, const char *version, size_t live, size_t vanished)
{
    buffer_appendf(out, "%s %zu %zu\n", version[0] != '\0' ? version : "-", live, vanished);
}

static int compare(const void *a, const void *b)
{
    return text_compare(*(const struct text *)a, *(const struct text *)b);
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

/* Reads digits and the character `end` behind them, and moves *at behind both. False if either is missing. */
static bool read_number(const char **at, char end, size_t *number)
{
    const char *start = *at;
    *number = 0;
    for (; **at >= '0' && **at <= '9'; ++*at)
        *number = *number * 10 + (size_t)(**at - '0');
    return *at > start && *(*at)++ == end;
}

static bool read_head(const char **at, struct suspects *suspects)
{
    const char *blank = strchr(*at, ' ');
    if (blank == NULL || (size_t)(blank - *at) >= sizeof(suspects->version))
        return false;
    if (**at != '-')
        memcpy(suspects->version, *at, (size_t)(blank - *at));
    *at = blank + 1;
    return read_number(at, ' ', &suspects->live) && read_number(at, '\n', &suspects->vanished);
}

struct suspects *suspects_read(const char *text)
{
    size_t bytes = strlen(text) + 1;
    struct suspects *suspects =
        calloc(1, sizeof(*suspects) + count_lines(text) * sizeof(suspects->uids[0]));
    if (suspects == NULL)
        return NULL;
    suspects->text = malloc(bytes);
    const char *line = suspects->text;
    if (line != NULL)
        memcpy(suspects->text, text, bytes);
    if (line == NULL || !read_head(&line, suspects)) {
        suspects_free(suspects);
        return NULL;
    }
    for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
        suspects->uids[suspects->count++] = (struct text){line, (size_t)(end - line)};
    qsort(suspects->uids, suspects->count, sizeof(suspects->uids[0]), compare);
    return suspects;
}

void suspects_free(struct suspects *suspects)
{
    if (suspects == NULL)
        return;
    free(suspects->text);
    free(suspects);
}

bool suspects_have(const struct suspects *suspects, struct text uid)
{
    return bsearch(&uid, suspects->uids, suspects->count, sizeof(uid), compare) != NULL;
}
