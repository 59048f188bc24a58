/* pool: a list of blocks, each twice as large as the one before (see pool.h). */
#include "lib/json/pool.h"

#include <stdlib.h>

#define FIRST_COUNT   ((size_t)64)   /* pieces in the first block */
#define LARGEST_COUNT ((size_t)4096) /* in any */
#define KEPT_COUNT    ((size_t)512)  /* blocks of more are not kept */

struct pool_block {
    struct pool_block *next;
    size_t count;
    max_align_t pieces[];
};

void pool_init(struct pool *pool, size_t size)
{
    *pool = (struct pool){.size = size};
}

static void free_blocks(struct pool_block **link)
{
    struct pool_block *block = *link;
    *link = NULL;
    while (block != NULL) {
        struct pool_block *next = block->next;
        free(block);
        block = next;
    }
}

void pool_fini(struct pool *pool)
{
    free_blocks(&pool->first);
    pool_init(pool, pool->size);
}

void pool_reset(struct pool *pool)
{
    struct pool_block **link = &pool->first;
    while (*link != NULL && (*link)->count <= KEPT_COUNT)
        link = &(*link)->next;
    free_blocks(link);
    pool->filled = NULL;
    pool->left = 0;
}

static struct pool_block *new_block(const struct pool *pool)
{
    size_t count = FIRST_COUNT;
    if (pool->filled != NULL && pool->filled->count < LARGEST_COUNT)
        count = 2 * pool->filled->count;
    else if (pool->filled != NULL)
        count = LARGEST_COUNT;
    struct pool_block *block = malloc(sizeof(*block) + count * pool->size);
    if (block != NULL) {
        block->next = NULL;
        block->count = count;
    }
    return block;
}

bool pool_grow(struct pool *pool)
{
    struct pool_block **link = pool->filled == NULL ? &pool->first : &pool->filled->next;
    if (*link == NULL)
        *link = new_block(pool);
    if (*link == NULL)
        return false;
    pool->filled = *link;
    pool->next = (char *)pool->filled->pieces;
    pool->left = pool->filled->count;
    return true;
}
