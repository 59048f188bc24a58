/* quantity: Kubernetes resource quantities ("100m", "1.5Gi", "1e3") as KubeDL prints them.
 *
 * Exact arithmetic in 128 bits at nano scale. The rules are those of k8s.io/apimachinery's
 * resource.Quantity in the release that KubeDL links. */
#ifndef LIB_QUANTITY_H
#define LIB_QUANTITY_H

#include "lib/error.h"
#include "lib/text.h"

#include <stdint.h>

enum quantity_family { QUANTITY_DECIMAL_SI, QUANTITY_BINARY_SI, QUANTITY_DECIMAL_EXPONENT };

/* Longest text that quantity_format makes, and longest that is remembered verbatim, NUL included.
 */
#define QUANTITY_TEXT_SIZE 64

struct quantity {
    __int128 nano; /* value * 10^9 */
    enum quantity_family family;
    char verbatim[QUANTITY_TEXT_SIZE]; /* the text as it was written, where it is printed again
                                          unchanged; "" otherwise */
};

/* ERROR_INPUT if text is no quantity; *quantity is then not touched. */
enum error_code quantity_parse(struct text text, struct quantity *quantity) MUST_CHECK;

/* sum += term, as Go's Quantity.Add: forgets the verbatim text; the family stays sum's unless that
 * is zero, then it is the term's. ERROR_INPUT on overflow: sum is then not touched. */
enum error_code quantity_add(struct quantity *sum, const struct quantity *term) MUST_CHECK;

/* <0, 0, >0 as a is less than, equal to, greater than b. */
int quantity_compare(const struct quantity *a, const struct quantity *b);

/* Writes the canonical text and returns its length. */
size_t quantity_format(const struct quantity *quantity, char text[QUANTITY_TEXT_SIZE]);

#endif
