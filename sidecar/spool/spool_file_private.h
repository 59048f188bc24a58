/* spool_file: what its source files share. */
#ifndef SIDECAR_SPOOL_FILE_PRIVATE_H
#define SIDECAR_SPOOL_FILE_PRIVATE_H

#include "sidecar/spool/spool_file.h"
#include "sidecar/spool/spool_place.h"
#include "sidecar/spool/spool_sql.h"

struct spool_file {
    struct spool_place place;
    struct spool_sql sql;
    int64_t changes; /* data_version when the files were last remembered: others' commits move it */
    bool overwritten; /* found by the last check */
};

/* In spool_state.c. */

/* Counts, within the present transaction, one transaction more, and reads what that one leaves. */
enum error_code spool_state_count_up(struct spool_file *file, struct spool_left *left,
                                     struct error *err) MUST_CHECK;
enum error_code spool_state_read(struct spool_file *file, struct spool_state *state,
                                 struct error *err) MUST_CHECK;

/* Compares the file's content with what the last transaction left, and begins to count from the content. */
enum error_code spool_state_take_stock(struct spool_file *file, bool records_are_held,
                                       struct spool_loss *loss, struct error *err) MUST_CHECK;

#endif
