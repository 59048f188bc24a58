/* refusal: see refusal.h. */
#include "test/fault/refusal.h"

#include <stdbool.h>

static size_t least;
static size_t to_give;
static size_t to_refuse;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_memory_new(size_t size);

void refuse(size_t at_least, size_t given, size_t refused)
{
    least = at_least;
    to_give = given;
    to_refuse = refused;
}

size_t refuse_none(void)
{
    size_t left = to_refuse;
    to_refuse = 0;
    return left;
}

size_t refusals_left(void)
{
    return to_refuse;
}

static bool is_refused(size_t size)
{
    if (to_refuse == 0 || size < least)
        return false;
    if (to_give > 0) {
        to_give--;
        return false;
    }
    to_refuse--;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return is_refused(size) ? NULL : __real_malloc(size);
}

/* It would end the process (lib/base/memory). */
void *__wrap_memory_new(size_t size)
{
    return __real_calloc(1, size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_refused(count * size) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return is_refused(size) ? NULL : __real_realloc(memory, size);
}
