/* phase: how far the process has come on its way from its start to its end. */
#ifndef SIDECAR_PHASE_H
#define SIDECAR_PHASE_H

#include <stdbool.h>

enum phase {
    PHASE_LOADING,     /* what the spool holds is read back, as far as there is room for it */
    PHASE_STANDING_BY, /* another sidecar takes the events in (LEADER) */
    PHASE_RUNNING,     /* the source is open */
    PHASE_FINISHING,   /* the source delivers what producers have sent until now, and is closed */
    PHASE_DRAINING,    /* what the outbox holds is written */
    PHASE_REFILLING,   /* all of it is written; the spool holds more, which is being read back */
    PHASE_STOPPING,    /* running writes are aborted; what waits goes to the spool */
    PHASE_CLOSING,     /* everything is closed */
    PHASE_COUNT,
};

/* Returns whether the phase `to` may follow the phase `from` directly. */
bool phase_may_become(enum phase from, enum phase to);

/* Moves the process to the phase `to`; phase_may_become() must allow the move. */
void phase_move(enum phase *phase, enum phase to);

#endif
