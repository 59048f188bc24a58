/* growth: how fast a quantity has been growing for the last minute, and when it will reach a bound. */
#ifndef LIB_GROWTH_H
#define LIB_GROWTH_H

#include <stddef.h>
#include <stdint.h>

#define GROWTH_SAMPLES     13
#define GROWTH_INTERVAL_US INT64_C(5000000)

/* All zero at first. */
struct growth {
    int64_t at_us[GROWTH_SAMPLES];  /* when each sample was taken, by the monotonic clock */
    int64_t values[GROWTH_SAMPLES]; /* the quantity at that time */
    size_t count; /* samples taken so far; the newest is at (count - 1) % GROWTH_SAMPLES */
};

/* Takes a sample of the quantity if the last one is at least GROWTH_INTERVAL_US old. It may be called at any
 * time, and is to be called at least once in each interval. now_us: of the monotonic clock. */
void growth_sample(struct growth *growth, int64_t now_us, int64_t value);

/* Returns in how many seconds the quantity, which is value now, will reach the limit: 0 if it has reached it,
 * INFINITY if it does not grow, or if there is no sample yet. */
double growth_seconds_left(const struct growth *growth, int64_t now_us, int64_t value,
                           int64_t limit);

#endif
