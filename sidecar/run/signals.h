/* signals: SIGTERM, SIGINT and SIGHUP, on the loop thread. */
#ifndef SIDECAR_SIGNALS_H
#define SIDECAR_SIGNALS_H

#include <uv.h>

#define SIGNALS_COUNT 3

/* Embedded; no field is the user's. */
struct signals {
    uv_signal_t handles[SIGNALS_COUNT];
    void (*received)(void *context, int number);
    void *context;
};

/* Calls received() for each from now on. Whoever has started this process may have blocked them, which ends
 * here, or have made it ignore SIGINT or SIGHUP, which stays. */
void signals_open(struct signals *signals, uv_loop_t *loop,
                  void (*received)(void *context, int number), void *context);

/* received() is not called any more. */
void signals_close(struct signals *signals);

#endif
