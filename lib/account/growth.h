/* growth: how fast a quantity has been growing for the last minute, and when it will reach a bound. */
#ifndef LIB_GROWTH_H
#define LIB_GROWTH_H

#include <stddef.h>
#include <stdint.h>

#define GROWTH_SAMPLES     13
#define GROWTH_INTERVAL_US INT64_C(5000000)

struct growth { /* all zero at first */
    int64_t at_us[GROWTH_SAMPLES];
    int64_t values[GROWTH_SAMPLES];
    size_t count; /* samples ever; the newest is number (count - 1) % GROWTH_SAMPLES */
};

/* May be called as often as one likes: one sample is kept every GROWTH_INTERVAL_US. now_us: of a clock
 * that is never set back. */
void growth_sample(struct growth *growth, int64_t now_us, int64_t value);

/* Seconds until the quantity, which is value now, reaches the limit: 0 if it has, INFINITY if it does not
 * grow, or if that is not known yet. */
double growth_seconds_left(const struct growth *growth, int64_t now_us, int64_t value,
                           int64_t limit);

#endif
