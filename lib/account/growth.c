/* growth: samples are kept in a ring; the rate is that between the oldest sample and now (see growth.h). */
#include "lib/account/growth.h"

#include <math.h>

void growth_sample(struct growth *growth, int64_t now_us, int64_t value)
{
    size_t newest = (growth->count + GROWTH_SAMPLES - 1) % GROWTH_SAMPLES;
    if (growth->count > 0 && now_us - growth->at_us[newest] < GROWTH_INTERVAL_US)
        return;
    size_t next = growth->count % GROWTH_SAMPLES;
    growth->at_us[next] = now_us;
    growth->values[next] = value;
    growth->count++;
}

double growth_seconds_left(const struct growth *growth, int64_t now_us, int64_t value,
                           int64_t limit)
{
    if (value >= limit)
        return 0;
    if (growth->count == 0)
        return INFINITY;
    size_t oldest = growth->count > GROWTH_SAMPLES ? growth->count % GROWTH_SAMPLES : 0;
    double grown = (double)(value - growth->values[oldest]);
    double seconds = (double)(now_us - growth->at_us[oldest]) / 1e6;
    if (grown <= 0 || seconds <= 0)
        return INFINITY;
    return (double)(limit - value) * seconds / grown;
}
