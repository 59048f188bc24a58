/* chance: random numbers that can be replayed, for property tests. */
#ifndef TEST_UNIT_CHANCE_H
#define TEST_UNIT_CHANCE_H

#include <stdint.h>

struct chance {
    uint64_t state;
};

/* From the environment variable SEED, else a new one. Prints it. */
struct chance chance_from_environment(void);

/* 64 random bits. */
uint64_t chance_bits(struct chance *chance);

/* 0..bound-1. */
uint32_t chance_below(struct chance *chance, uint32_t bound);

#endif
