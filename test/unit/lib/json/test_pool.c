/* pool: pieces do not overlap, are aligned, and are used again after a reset. */
#include "lib/json/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PIECE_BYTES ((size_t)48)
#define MANY        20000 /* more than are kept, and than the largest block has */

static void test_pieces_are_apart_and_aligned(void **state)
{
    static unsigned char *pieces[MANY];
    struct pool pool;
    (void)state;
    pool_init(&pool, PIECE_BYTES);
    for (size_t i = 0; i < MANY; i++) {
        pieces[i] = pool_take(&pool);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)(i % 251), PIECE_BYTES);
    }
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(pieces[i][0], i % 251);
        assert_int_equal(pieces[i][PIECE_BYTES - 1], i % 251);
    }
    pool_fini(&pool);
}

static void test_memory_is_used_again_after_a_reset(void **state)
{
    struct pool pool;
    (void)state;
    pool_init(&pool, PIECE_BYTES);
    void *first = pool_take(&pool);
    assert_non_null(first);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < MANY; i++)
            assert_non_null(pool_take(&pool));
        pool_reset(&pool);
        assert_ptr_equal(pool_take(&pool), first);
    }
    pool_fini(&pool);
}

static void test_an_unused_pool_is_ended_and_reset(void **state)
{
    struct pool pool;
    (void)state;
    pool_init(&pool, PIECE_BYTES);
    pool_reset(&pool);
    pool_fini(&pool);
    assert_non_null(pool_take(&pool));
    pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_apart_and_aligned),
        cmocka_unit_test(test_memory_is_used_again_after_a_reset),
        cmocka_unit_test(test_an_unused_pool_is_ended_and_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
