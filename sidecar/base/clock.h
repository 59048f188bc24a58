/* clock: the time of day and random bits, for the code outside of lib/, which is pure. */
#ifndef SIDECAR_CLOCK_H
#define SIDECAR_CLOCK_H

#include <stdint.h>
#include <time.h>
#include <uv.h>

/* Microseconds since 1970-01-01T00:00:00Z. */
static inline int64_t clock_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Microseconds since some fixed moment, for intervals: setting the time of day does not change this clock. */
static inline int64_t clock_steady_us(void)
{
    return (int64_t)(uv_hrtime() / 1000);
}

/* Random bits for jitter. They need not be secret, so a poor substitute does where the system has none. */
static inline uint32_t clock_random(void)
{
    uint32_t bits;
    if (uv_random(NULL, NULL, &bits, sizeof(bits), 0, NULL) != 0)
        bits = (uint32_t)uv_hrtime();
    return bits;
}

#endif
