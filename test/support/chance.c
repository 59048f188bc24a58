/* chance: splitmix64. */
#include "test/support/chance.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct chance chance_from_environment(void)
{
    const char *seed = getenv("SEED");
    struct chance chance = {seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL)};
    printf("replay with SEED=%" PRIu64 "\n", chance.state);
    return chance;
}

uint64_t chance_bits(struct chance *chance)
{
    uint64_t z = chance->state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

uint32_t chance_below(struct chance *chance, uint32_t bound)
{
    return (uint32_t)(chance_bits(chance) % bound);
}
