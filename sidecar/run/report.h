/* report: the ledger in the log, now and then and at the end. */
#ifndef SIDECAR_REPORT_H
#define SIDECAR_REPORT_H

#include "sidecar/run/parts.h"

/* One record with all sums. message: a string literal. */
void report_ledger(const struct parts *parts, const char *message);

/* One record for all documents that were not recorded, by reason; none if there are none. */
void report_fates(const struct parts *parts);

#endif
