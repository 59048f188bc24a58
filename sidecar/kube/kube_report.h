/* kube_report: what a person is told when a request to the API server has ended. */
#ifndef SIDECAR_KUBE_REPORT_H
#define SIDECAR_KUBE_REPORT_H

#include "lib/apiserver/reflector.h"
#include "lib/base/log.h"

struct kube_report {
    enum log_level level;
    const char *message; /* NULL: nothing is logged */
    const char *trouble; /* in a word, why the resource is not watched; NULL: as before */
    const char *advice;  /* what to do; NULL: nothing */
};

/* By enum reflector_outcome. The last outcome has a report, so there is an element for each. */
extern const struct kube_report kube_reports[];

/* There was no answer. What to do depends on the address: kube_client_advice(). */
extern const struct kube_report kube_report_no_answer;

#endif
