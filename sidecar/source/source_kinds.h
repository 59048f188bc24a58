/* source_kinds: the kinds of source that source.c chooses from. Each makes a source that is not yet
 * open, as source_new() does; settings->address is not looked at. */
#ifndef SIDECAR_SOURCE_KINDS_H
#define SIDECAR_SOURCE_KINDS_H

#include "sidecar/source/source.h"

/* path: of a Unix socket, shorter than sun_path. */
enum error_code source_connect_new(uv_loop_t *loop, const struct source_settings *settings,
                                   const char *path, struct source **source,
                                   struct error *err) MUST_CHECK;
enum error_code source_listen_new(uv_loop_t *loop, const struct source_settings *settings,
                                  const char *path, struct source **source,
                                  struct error *err) MUST_CHECK;

/* path: not used. */
enum error_code source_stdin_new(uv_loop_t *loop, const struct source_settings *settings,
                                 const char *path, struct source **source,
                                 struct error *err) MUST_CHECK;
enum error_code source_replay_new(uv_loop_t *loop, const struct source_settings *settings,
                                  const char *path, struct source **source,
                                  struct error *err) MUST_CHECK;

/* path: of a Unix socket behind which an API server is; or not used: the cluster's own. */
enum error_code source_kube_new(uv_loop_t *loop, const struct source_settings *settings,
                                const char *path, struct source **source,
                                struct error *err) MUST_CHECK;

/* Whether the settings are enough for each of them. */
enum error_code source_kube_unix_check(const struct config *config, struct error *err) MUST_CHECK;
enum error_code source_kube_check(const struct config *config, struct error *err) MUST_CHECK;

#endif
