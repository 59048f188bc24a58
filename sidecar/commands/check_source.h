/* check_source: the part of `kubedl-shipper check` that is about the sources in EVENT_SOURCE. */
#ifndef SIDECAR_CHECK_SOURCE_H
#define SIDECAR_CHECK_SOURCE_H

#include "lib/settings/config.h"
#include "lib/show/findings.h"

#include <stdint.h>

/* Adds what it finds under "source", for each source. timeout_ms: for each request to an API server. */
void check_sources(struct findings *findings, const struct config *config, uint32_t timeout_ms);

#endif
