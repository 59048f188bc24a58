/* loading: an idle handle reads one chunk of the spool after another (see loading.h). */
#include "sidecar/run/loading.h"

static void take_step(struct loading *loading);

static void on_idle(uv_idle_t *idle)
{
    take_step(idle->data);
}

static void take_step(struct loading *loading)
{
    loading->state = loading->spool != NULL ? spool_load(loading->spool) : SPOOL_LOADED;
    if (loading->state == SPOOL_MORE)
        uv_idle_start(&loading->idle, on_idle);
    else
        uv_idle_stop(&loading->idle);
    loading->progress(loading->context);
}

void loading_init(struct loading *loading, uv_loop_t *loop, void (*progress)(void *context),
                  void *context)
{
    *loading = (struct loading){.state = SPOOL_LOADED, .progress = progress, .context = context};
    uv_idle_init(loop, &loading->idle);
    loading->idle.data = loading;
}

void loading_start(struct loading *loading, struct spool *spool)
{
    loading->spool = spool;
    take_step(loading);
}

void loading_go_on(struct loading *loading)
{
    if (loading->state != SPOOL_LOADED)
        take_step(loading);
}

bool loading_is_under_way(const struct loading *loading)
{
    return loading->state == SPOOL_OPENING || loading->state == SPOOL_MORE;
}

bool loading_is_awaited(const struct loading *loading)
{
    return loading->state != SPOOL_LOADED && loading->state != SPOOL_SHUT;
}

void loading_stop(struct loading *loading)
{
    uv_idle_stop(&loading->idle);
}

void loading_close(struct loading *loading)
{
    uv_close((uv_handle_t *)&loading->idle, NULL);
}
