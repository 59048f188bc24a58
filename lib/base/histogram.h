/* histogram: counts values by bucket. Values are whole numbers of a small unit (microseconds, rows), so that
 * their sum is exact. */
#ifndef LIB_HISTOGRAM_H
#define LIB_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_MAX_BOUNDS 20

struct histogram_bounds {
    uint64_t unit; /* so many make one of the unit that is shown: 1000000 for microseconds */
    size_t count;
    uint64_t upper[HISTOGRAM_MAX_BOUNDS]; /* each belongs to what lies below it; ascending */
};

struct histogram {
    const struct histogram_bounds *bounds;     /* borrowed */
    uint64_t counts[HISTOGRAM_MAX_BOUNDS + 1]; /* by bucket, not cumulative; the last: above all */
    uint64_t sum;
};

/* bounds: lives as long as the histogram. */
static inline void histogram_init(struct histogram *histogram,
                                  const struct histogram_bounds *bounds)
{
    *histogram = (struct histogram){.bounds = bounds};
}

/* Counts a value. The buckets of small values, which are the most frequent ones, are tried first. */
static inline void histogram_observe(struct histogram *histogram, uint64_t value)
{
    const struct histogram_bounds *bounds = histogram->bounds;
    size_t i = 0;
    while (i < bounds->count && value > bounds->upper[i])
        i++;
    histogram->counts[i]++;
    histogram->sum += value;
}

#endif
