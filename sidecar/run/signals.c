/* signals: one libuv handle for each signal. */
#include "sidecar/run/signals.h"

#include <signal.h>
#include <stdbool.h>

static const int numbers[SIGNALS_COUNT] = {SIGTERM, SIGINT, SIGHUP};

static void on_signal(uv_signal_t *handle, int number)
{
    struct signals *signals = handle->data;
    signals->received(signals->context, number);
}

/* nohup starts a program with SIGHUP ignored, and a shell starts a background job with SIGINT ignored. */
static bool is_to_be_ignored(int number)
{
    struct sigaction action;
    return number != SIGTERM && sigaction(number, NULL, &action) == 0 &&
           action.sa_handler == SIG_IGN;
}

void signals_open(struct signals *signals, uv_loop_t *loop,
                  void (*received)(void *context, int number), void *context)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    signals->received = received;
    signals->context = context;
    for (unsigned i = 0; i < SIGNALS_COUNT; i++) {
        uv_signal_init(loop, &signals->handles[i]);
        signals->handles[i].data = signals;
        if (!is_to_be_ignored(numbers[i]))
            uv_signal_start(&signals->handles[i], on_signal, numbers[i]);
        sigaddset(&blocked, numbers[i]);
    }
    pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
}

void signals_close(struct signals *signals)
{
    for (unsigned i = 0; i < SIGNALS_COUNT; i++)
        uv_close((uv_handle_t *)&signals->handles[i], NULL);
}
