/* report: the ledger in the log, now and then and at the end. */
#ifndef SIDECAR_REPORT_H
#define SIDECAR_REPORT_H

#include "lib/account/ledger.h"
#include "sidecar/base/logger.h"
#include "sidecar/pipeline/dispatch.h"
#include "sidecar/pipeline/intake.h"

/* What a report looks at. */
struct report {
    const struct ledger *ledger;
    const struct outbox *outbox;
    const struct dispatch *dispatch;
    const struct intake *intake;
    struct logger *logger;
};

/* One record with all sums. message: a string literal. */
void report_ledger(const struct report *report, const char *message);

/* One record for all documents that were not recorded, by reason; none if there are none. */
void report_fates(const struct report *report);

#endif
