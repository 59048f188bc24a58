/* report: the ledger in the log, now and then and at the end. */
#ifndef SIDECAR_REPORT_H
#define SIDECAR_REPORT_H

#include "sidecar/run/parts.h"

/* Writes one record with all sums of the ledger. message: a string literal. */
void report_ledger(const struct parts *parts, const char *message);

/* Writes one record with the number of documents that were not recorded, by reason; no record if all were. */
void report_fates(const struct parts *parts);

#endif
