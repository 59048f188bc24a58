/* phase: the table of allowed moves. */
#include "sidecar/run/phase.h"

#include "lib/base/invariant.h"

#define TO(phase) (1U << PHASE_##phase)

/* A second signal, or the end of the grace period, leads from every phase before STOPPING to STOPPING.
 * CLOSING follows LOADING directly where a part could not be made. */
static const unsigned moves[PHASE_COUNT] = {
    [PHASE_LOADING] = TO(STANDING_BY) | TO(RUNNING) | TO(FINISHING) | TO(STOPPING) | TO(CLOSING),
    [PHASE_STANDING_BY] = TO(RUNNING) | TO(FINISHING) | TO(STOPPING),
    [PHASE_RUNNING] = TO(FINISHING) | TO(STOPPING),
    [PHASE_FINISHING] = TO(DRAINING) | TO(STOPPING),
    [PHASE_DRAINING] = TO(REFILLING) | TO(STOPPING),
    [PHASE_REFILLING] = TO(DRAINING) | TO(STOPPING),
    [PHASE_STOPPING] = TO(CLOSING),
    [PHASE_CLOSING] = 0,
};

bool phase_may_become(enum phase from, enum phase to)
{
    return (moves[from] & (1U << to)) != 0;
}

void phase_move(enum phase *phase, enum phase to)
{
    invariant(phase_may_become(*phase, to));
    *phase = to;
}
