/* check_kube: the part of check that asks the API server, where EVENT_SOURCE has kube: or kube+unix:PATH. */
#ifndef SIDECAR_CHECK_KUBE_H
#define SIDECAR_CHECK_KUBE_H

#include "lib/settings/config.h"
#include "lib/show/findings.h"

#include <stdint.h>

/* Adds what it finds under "source". address: that of the source. timeout_ms: for each request. Nothing is
 * changed. */
void check_kube(struct findings *findings, const struct config *config, const char *address,
                uint32_t timeout_ms);

#endif
