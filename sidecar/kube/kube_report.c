/* kube_report: the texts for the outcomes of requests (see kube_report.h). */
#include "sidecar/kube/kube_report.h"

#include "sidecar/kube/kube_client.h"

#include <stddef.h>

const struct kube_report kube_report_no_answer = {LOG_LEVEL_WARN, "no answer from the API server",
                                                  "no_answer", NULL};

const struct kube_report kube_reports[] = {
    [REFLECTOR_ABSENT] = {LOG_LEVEL_INFO, "kind not installed: looked for again later",
                          "not_installed", NULL},
    [REFLECTOR_STARTING] = {LOG_LEVEL_INFO,
                            "not found: the API server may be starting, it is asked again soon",
                            "not_installed", NULL},
    [REFLECTOR_FORBIDDEN] =
        {LOG_LEVEL_ERROR, "forbidden: an RBAC rule is missing", "forbidden",
         "the account needs a rule for this resource and group with the verbs list and watch: "
         "manifests/rights/role.yaml has all rules, and kubedl-shipper check prints those that are "
         "missing"},
    [REFLECTOR_UNAUTHORIZED] = {LOG_LEVEL_ERROR, "the API server does not accept the token",
                                "unauthorized", KUBE_CLIENT_TOKEN_ADVICE},
    [REFLECTOR_REFUSED] = {LOG_LEVEL_ERROR,
                           "the API server does not take the request: if what it says is about "
                           "labels, correct KUBE_LABEL_SELECTOR",
                           "refused", NULL},
    [REFLECTOR_SILENT] = {LOG_LEVEL_INFO,
                          "nothing happens, or the API server is lost: asking it again, from where "
                          "the watch was",
                          NULL, NULL},
    [REFLECTOR_GONE] =
        {LOG_LEVEL_WARN,
         "the API server no longer knows what has happened since: listing all objects", NULL, NULL},
    [REFLECTOR_NO_SNAPSHOTS] =
        {LOG_LEVEL_INFO, "the API server cannot begin a watch with all objects: listing them", NULL,
         NULL},
    [REFLECTOR_BUSY] = {LOG_LEVEL_WARN, "the API server is busy: asking again later", "busy", NULL},
    [REFLECTOR_BROKEN] = {LOG_LEVEL_WARN, "the API server's answer broke off", "no_answer", NULL},
    [REFLECTOR_TROUBLE] = {LOG_LEVEL_WARN, "the API server's answer is of no use", "bad_answer",
                           NULL},
};
