/* findings: what `kubedl-shipper check` has found, step by step, with what to do; as text and as JSON.
 * sidecar/commands/check*.c add the findings. */
#ifndef LIB_FINDINGS_H
#define LIB_FINDINGS_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* The heaviest one is last. */
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

/* Adds one. advice: lines, each ended by \n but the last; "": nothing is to be done. */
void findings_add(struct findings *findings, enum finding_status status, const char *name,
                  const char *advice, const char *format, ...) PRINTF_LIKE(5, 6);

/* Makes warnings of the failures among list[from..to): another host does what these cannot do. */
void findings_soften(struct findings *findings, size_t from, size_t to);

/* The heaviest of list[from...]. */
enum finding_status findings_worst(const struct findings *findings, size_t from);

/* A line for each, "status  name  detail", then its advice, indented; control characters escaped. */
void findings_text(struct buffer *out, const struct findings *findings);

/* {"status":"fail","checks":[{"status":"ok","name":"tcp","detail":"..."},{...,"advice":["..."]}]} */
void findings_json(struct buffer *out, const struct findings *findings);

#endif
