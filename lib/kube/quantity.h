/* quantity: Kubernetes resource quantities ("100m", "1.5Gi", "1e3") as KubeDL prints them.
 *
 * Exact arithmetic in 256 bits, rounded up to nano. The rules are those of k8s.io/apimachinery's
 * resource.Quantity in the release that KubeDL links, with one difference: there, what is beyond
 * the suffix E loses it ("1000E" is printed as "1"); here it gets an exponent ("1e21"). */
#ifndef LIB_QUANTITY_H
#define LIB_QUANTITY_H

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/base/wide.h"

#include <stdbool.h>

enum quantity_family { QUANTITY_DECIMAL_SI, QUANTITY_BINARY_SI, QUANTITY_DECIMAL_EXPONENT };

/* Longest text that quantity_format makes, and longest that is remembered verbatim, NUL included.
 */
#define QUANTITY_TEXT_SIZE 96

struct quantity {
    struct wide nano; /* magnitude in units of 10^-9 */
    bool negative;    /* never with magnitude 0 */
    enum quantity_family family;
    char verbatim[QUANTITY_TEXT_SIZE]; /* the text as it was written, where it is printed again
                                          unchanged; "" otherwise */
};

/* ASCII white space around it is allowed. ERROR_INPUT if text is no quantity, or one that needs
 * more than 256 bits; *quantity is then not touched. */
enum error_code quantity_parse(struct text text, struct quantity *quantity) MUST_CHECK;

/* The text, without white space around it, if it is a quantity that quantity_format prints just so;
 * else an empty one. This is what most quantities are, and they need no arithmetic then. */
struct text quantity_verbatim(struct text text);

/* sum += term, as Go's Quantity.Add: forgets the verbatim text; the family stays sum's unless that
 * is zero, then it is the term's. ERROR_INPUT on overflow: sum is then not touched. */
enum error_code quantity_add(struct quantity *sum, const struct quantity *term) MUST_CHECK;

/* <0, 0, >0 as a is less than, equal to, greater than b. */
int quantity_compare(const struct quantity *a, const struct quantity *b);

/* Writes the canonical text and returns its length. */
size_t quantity_format(const struct quantity *quantity, char text[QUANTITY_TEXT_SIZE]);

/* What a pod takes of one resource. Containers run side by side: their quantities add up. Init
 * containers run before them, one after the other: the largest counts, the later of equal ones. The
 * total is the larger of the two, the sum where they are equal. Start with {0}. */
struct quantity_total {
    struct quantity sum;
    struct quantity largest;
    bool has_sum;
    bool has_largest;
};

/* ERROR_INPUT on overflow: the total is then not touched. */
enum error_code quantity_total_add(struct quantity_total *total,
                                   const struct quantity *container) MUST_CHECK;
void quantity_total_add_init(struct quantity_total *total, const struct quantity *init_container);

/* NULL if nothing was added. Points into *total. */
const struct quantity *quantity_total_get(const struct quantity_total *total);

#endif
