/* pool: pieces of memory of one size, taken one by one and given back all together. */
#ifndef LIB_POOL_H
#define LIB_POOL_H

#include "lib/base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct pool_block;

struct pool {
    size_t size;               /* of a piece, in bytes */
    struct pool_block *first;  /* owned; each block owns the next one; NULL until first needed */
    struct pool_block *filled; /* the one that pieces are taken from */
    char *next;                /* piece in it */
    size_t left;               /* pieces in it */
};

/* Cannot fail: memory is taken when it is first needed. size: of a piece, a multiple of what its type
 * must be aligned to. */
void pool_init(struct pool *pool, size_t size);
void pool_fini(struct pool *pool);

/* Gives all pieces back. Memory for some hundred of them is kept. */
void pool_reset(struct pool *pool);

/* For pool_take(): goes on to another block. False: no memory. */
bool pool_grow(struct pool *pool) MUST_CHECK;

/* A piece, valid until pool_reset() or pool_fini(); what is in it is not defined. NULL: no memory. */
static inline void *pool_take(struct pool *pool)
{
    if (pool->left == 0 && !pool_grow(pool))
        return NULL;
    void *piece = pool->next;
    pool->next += pool->size;
    pool->left--;
    return piece;
}

#endif
