/* source_kinds: the kinds of source that source.c chooses from. Each function makes a source that is not yet
 * open, as source_new() does, but ignores settings->address. */
#ifndef SIDECAR_SOURCE_KINDS_H
#define SIDECAR_SOURCE_KINDS_H

#include "sidecar/source/source.h"

/* path is that of a Unix socket, shorter than sun_path. */
enum error_code source_connect_new(uv_loop_t *loop, const struct source_settings *settings,
                                   const char *path, struct source **source,
                                   struct error *err) MUST_CHECK;
enum error_code source_listen_new(uv_loop_t *loop, const struct source_settings *settings,
                                  const char *path, struct source **source,
                                  struct error *err) MUST_CHECK;

/* path is not used. */
enum error_code source_stdin_new(uv_loop_t *loop, const struct source_settings *settings,
                                 const char *path, struct source **source,
                                 struct error *err) MUST_CHECK;
enum error_code source_replay_new(uv_loop_t *loop, const struct source_settings *settings,
                                  const char *path, struct source **source,
                                  struct error *err) MUST_CHECK;

/* path is that of a Unix socket on which an API server answers; "": the API server of the own cluster. */
enum error_code source_kube_new(uv_loop_t *loop, const struct source_settings *settings,
                                const char *path, struct source **source,
                                struct error *err) MUST_CHECK;

/* Check whether the settings are enough for kube+unix: and kube:. ERROR_OPERATOR if they are not. */
enum error_code source_kube_unix_check(const struct config *config, struct error *err) MUST_CHECK;
enum error_code source_kube_check(const struct config *config, struct error *err) MUST_CHECK;

#endif
