/* backoff: delays that grow, with jitter and a ceiling. Randomness is an argument. */
#ifndef LIB_BACKOFF_H
#define LIB_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint32_t first_ms;   /* before the first retry, before jitter */
    uint32_t ceiling_ms; /* no delay is longer */
    uint32_t failures;   /* in a row, so far */
};

/* Returns the delay after one more failure: half of min(ceiling, first * 2^failures), plus a random part of
 * the other half. random: any 32 random bits. */
uint32_t backoff_next_ms(struct backoff *backoff, uint32_t random);

/* To be called after a success: the next delay is the first one again. */
void backoff_reset(struct backoff *backoff);

#endif
