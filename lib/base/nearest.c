/* nearest: compares names by their edit distance (see nearest.h). */
#include "lib/base/nearest.h"

#include <stdbool.h>
#include <strings.h>

#define MAX_LENGTH    64 /* longer words and names are not compared */
#define MIN_BEGINNING 3  /* letters of a word that is taken for the beginning of a name */

struct nearest nearest_to(struct text word)
{
    return (struct nearest){.word = word};
}

static bool is_same(char a, char b)
{
    return strncasecmp(&a, &b, 1) == 0;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The optimal string alignment distance, row by row; each row is for a beginning of a. */
static size_t distance(struct text a, struct text b)
{
    size_t rows[3][MAX_LENGTH + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.length; j++)
        last[j] = before[j] = j;
    for (size_t i = 1; i <= a.length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.length; j++) {
            bool same = is_same(a.data[i - 1], b.data[j - 1]);
            row[j] = least(last[j - 1] + !same, least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && is_same(a.data[i - 1], b.data[j - 2]) &&
                is_same(a.data[i - 2], b.data[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b.length];
}

void nearest_try(struct nearest *nearest, const char *name)
{
    struct text word = nearest->word, other = text_from(name);
    if (word.length == 0 || word.length > MAX_LENGTH || other.length > MAX_LENGTH)
        return;
    bool begins = word.length >= MIN_BEGINNING && strncasecmp(name, word.data, word.length) == 0;
    size_t edits = least(distance(word, other), begins ? 1 : MAX_LENGTH);
    size_t longer = word.length > other.length ? word.length : other.length;
    if (!begins && 3 * edits > longer)
        return;
    if (nearest->name != NULL && nearest->distance <= edits)
        return;
    nearest->name = name;
    nearest->distance = edits;
}
