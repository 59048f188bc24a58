/* backoff: delays that double, and of which one half is random. */
#include "lib/base/backoff.h"

uint32_t backoff_next_ms(struct backoff *backoff, uint32_t random)
{
    uint32_t doublings = backoff->failures < 32 ? backoff->failures : 32;
    uint64_t delay_ms = (uint64_t)backoff->first_ms << doublings;
    if (delay_ms > backoff->ceiling_ms)
        delay_ms = backoff->ceiling_ms;
    if (backoff->failures < UINT32_MAX)
        backoff->failures++;
    uint64_t fixed_ms = delay_ms / 2;
    uint64_t random_ms = (delay_ms - fixed_ms + 1) * random >> 32;
    return (uint32_t)(fixed_ms + random_ms);
}

void backoff_reset(struct backoff *backoff)
{
    backoff->failures = 0;
}
