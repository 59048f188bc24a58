/* decoding: a decoder for tests, fed with documents that are easy to read, and what came of them.
 *
 * In a document a ' stands for a ": C needs no backslashes then. */
#ifndef TEST_UNIT_DECODING_H
#define TEST_UNIT_DECODING_H

#include "lib/kube/watch.h"

#include <stddef.h>

/* When every document arrives: 2027-01-01T00:00:00Z. */
#define RECEIVED      "2027-01-01T00:00:00Z"
#define RECEIVED_US   INT64_C(1798761600000000)
#define TEST_REGION   "cn-hangzhou"
#define TEST_CLUSTER  "cluster-7"
#define TEXT_OF_NULL  "NULL"
#define CELL_TEXT_MAX 80000

struct decoding {
    struct watch *watch;
    struct watch_result result; /* owns its row */
};

/* cmocka fixtures: *state is a struct decoding. The second one has REGION and CLUSTER_ID. */
int decoding_setup(void **state);
int decoding_setup_with_settings(void **state);
int decoding_teardown(void **state);

/* As cmocka's, for tests with the fixtures above. */
#define decoding_test(f) cmocka_unit_test_setup_teardown(f, decoding_setup, decoding_teardown)
#define decoding_test_with_settings(f)                                                             \
    cmocka_unit_test_setup_teardown(f, decoding_setup_with_settings, decoding_teardown)

/* Decodes what the format makes. */
void decode(struct decoding *decoding, const char *format, ...) PRINTF_LIKE(2, 3);

/* The same, but ' is '. */
void decode_raw(struct decoding *decoding, struct text line);

void expect_fate(const struct decoding *decoding, enum watch_fate fate);

/* Decoding must have made a row; text is what the cell has to be: its text, its number, its time as
 * RFC 3339, or TEXT_OF_NULL. */
void expect(const struct decoding *decoding, size_t column, const char *text);

/* The cell as such a text, NUL-terminated; *length may be more than strlen, if there are NULs. */
void cell_to_text(const struct cell *cell, char text[CELL_TEXT_MAX], size_t *length);

#endif
