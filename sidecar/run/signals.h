/* signals: delivers SIGTERM, SIGINT and SIGHUP to a callback on the loop thread. */
#ifndef SIDECAR_SIGNALS_H
#define SIDECAR_SIGNALS_H

#include <uv.h>

#define SIGNALS_COUNT 3

/* This struct is embedded in its user's, who touches no field of it. */
struct signals {
    uv_signal_t handles[SIGNALS_COUNT];
    void (*received)(void *context, int number);
    void *context;
};

/* Calls received() for each of these signals from now on. If the parent process has blocked them, they are
 * unblocked here; if it has made this process ignore SIGINT or SIGHUP, that stays so. */
void signals_open(struct signals *signals, uv_loop_t *loop,
                  void (*received)(void *context, int number), void *context);

/* received() is not called any more. */
void signals_close(struct signals *signals);

#endif
