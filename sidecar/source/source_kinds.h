/* source_kinds: the kinds of source that source.c chooses from. Each function makes a source that is not yet
 * open, as source_new() does. path is what follows the prefix in settings->address. */
#ifndef SIDECAR_SOURCE_KINDS_H
#define SIDECAR_SOURCE_KINDS_H

#include "sidecar/source/source.h"

/* path is that of a Unix socket, shorter than sun_path. */
struct source *source_connect_new(uv_loop_t *loop, const struct source_settings *settings,
                                  const char *path);
struct source *source_listen_new(uv_loop_t *loop, const struct source_settings *settings,
                                 const char *path);

/* path is not used. */
struct source *source_stdin_new(uv_loop_t *loop, const struct source_settings *settings,
                                const char *path);
struct source *source_replay_new(uv_loop_t *loop, const struct source_settings *settings,
                                 const char *path);

/* path is that of a Unix socket on which an API server answers; "": the API server of the own cluster. */
struct source *source_kube_new(uv_loop_t *loop, const struct source_settings *settings,
                               const char *path);

/* Check whether the settings are enough for kube+unix: and kube:. alone: it is the only source. ERROR_OPERATOR
 * if they are not. */
enum error_code source_kube_unix_check(const struct config *config, bool alone,
                                       struct error *err) MUST_CHECK;
enum error_code source_kube_check(const struct config *config, bool alone,
                                  struct error *err) MUST_CHECK;

#endif
