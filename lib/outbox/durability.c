/* durability: a ring of counters of holds, one for each epoch that is not safe yet (see durability.h). */
#include "lib/outbox/durability.h"

#include "lib/base/invariant.h"
#include "lib/base/memory.h"

#include <stdlib.h>

/* A tick (sidecar/run) begins one epoch, so that the ring is enough for some minutes of an outage without a
 * spool. After that epochs get longer: documents are acknowledged later, never too early. */
#define RING_SIZE 4096U

struct durability {
    uint64_t first; /* the oldest epoch that is not safe, or the present one */
    uint64_t present;
    uint64_t
        holds[RING_SIZE]; /* those of epoch e are at e % RING_SIZE, for first <= e <= present */
};

struct durability *durability_new(void)
{
    struct durability *durability = memory_new(sizeof(*durability));
    durability->first = 1;
    durability->present = 1;
    return durability;
}

void durability_free(struct durability *durability)
{
    free(durability);
}

uint64_t durability_epoch(const struct durability *durability)
{
    return durability->present;
}

static uint64_t *holds_of(struct durability *durability, uint64_t epoch)
{
    invariant(epoch >= durability->first && epoch <= durability->present);
    return &durability->holds[epoch % RING_SIZE];
}

static void move_on(struct durability *durability)
{
    while (durability->first < durability->present && *holds_of(durability, durability->first) == 0)
        durability->first++;
}

void durability_advance(struct durability *durability)
{
    if (durability->present - durability->first + 1 == RING_SIZE)
        return;
    durability->present++;
    *holds_of(durability, durability->present) = 0;
    move_on(durability);
}

void durability_hold(struct durability *durability, uint64_t epoch)
{
    ++*holds_of(durability, epoch);
}

void durability_release(struct durability *durability, uint64_t epoch)
{
    uint64_t *holds = holds_of(durability, epoch);
    invariant(*holds > 0);
    --*holds;
    move_on(durability);
}

uint64_t durability_safe(const struct durability *durability)
{
    return durability->first - 1;
}
