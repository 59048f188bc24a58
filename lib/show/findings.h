/* findings: what `kubedl-shipper check` has found, step by step, with what to do; as text and as JSON.
 * sidecar/commands/check*.c add the findings. */
#ifndef LIB_FINDINGS_H
#define LIB_FINDINGS_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* The status of a finding, in order of weight: the heaviest one is last. */
enum finding_status {
    FINDING_OK,
    FINDING_SKIP, /* the step was not examined, since a step before it failed */
    FINDING_WARN, /* it works, but not as well as it could */
    FINDING_FAIL,
};

struct finding {
    enum finding_status status;
    const char *name; /* of the step: a literal */
    char *detail;     /* one line; owned */
    char *advice;     /* what to do, one line or more; "" where nothing is to be done; owned */
};

struct findings {
    struct finding *list; /* owned */
    size_t count, capacity;
    bool failed; /* a text was too long, or found no memory: the list is not whole */
};

void findings_init(struct findings *findings);
void findings_fini(struct findings *findings);

/* Adds a finding. advice: lines that \n separates; "" if nothing is to be done. */
void findings_add(struct findings *findings, enum finding_status status, const char *name,
                  const char *advice, const char *format, ...) PRINTF_LIKE(5, 6);

/* Turns the failures among list[from..to) into warnings, since another host does what these hosts cannot. */
void findings_soften(struct findings *findings, size_t from, size_t to);

/* Returns the heaviest status of the findings from list[from] on. */
enum finding_status findings_worst(const struct findings *findings, size_t from);

/* Appends a line for each finding, "status  name  detail", then its advice, indented. Control characters are
 * escaped. */
void findings_text(struct buffer *out, const struct findings *findings);

/* Appends {"status":"fail","checks":[{"status":"ok","name":"tcp","detail":"..."},{...,"advice":["..."]}]} */
void findings_json(struct buffer *out, const struct findings *findings);

#endif
