/* quantity: Kubernetes resource quantities ("100m", "1.5Gi", "1e3") as KubeDL prints them.
 *
 * The arithmetic is exact in 256 bits, and values are rounded up to nano (10^-9). The rules are those of
 * k8s.io/apimachinery's resource.Quantity in the release that KubeDL links, with one difference: there, a
 * value that is too large for the suffix E loses its suffix ("1000E" is printed as "1"); here it gets an
 * exponent ("1e21"). */
#ifndef LIB_QUANTITY_H
#define LIB_QUANTITY_H

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/base/wide.h"

#include <stdbool.h>

enum quantity_family { QUANTITY_DECIMAL_SI, QUANTITY_BINARY_SI, QUANTITY_DECIMAL_EXPONENT };

/* The size, with the NUL, of the longest text that quantity_format() makes or that is remembered verbatim. */
#define QUANTITY_TEXT_SIZE 96

struct quantity {
    struct wide nano; /* magnitude in units of 10^-9 */
    bool negative;    /* never with magnitude 0 */
    enum quantity_family family;
    char verbatim[QUANTITY_TEXT_SIZE]; /* the text as it was written, if it is to be
                                          printed unchanged; else "" */
};

/* ASCII white space around the quantity is allowed. ERROR_INPUT if text is no quantity, or one that needs
 * more than 256 bits; *quantity is then unchanged. */
enum error_code quantity_parse(struct text text, struct quantity *quantity) MUST_CHECK;

/* The text without white space around it, if it is a quantity that quantity_format() prints unchanged;
 * else an empty text. Most quantities are of this kind, and need no arithmetic. */
struct text quantity_verbatim(struct text text);

/* sum += term, as Go's Quantity.Add: the verbatim text is forgotten, and the family is that of sum, or
 * that of term if sum is zero. ERROR_INPUT on overflow; *sum is then unchanged. */
enum error_code quantity_add(struct quantity *sum, const struct quantity *term) MUST_CHECK;

/* A number below 0 if a is less than b, 0 if they are equal, a number above 0 if a is greater. */
int quantity_compare(const struct quantity *a, const struct quantity *b);

/* Writes the verbatim text if there is one, else the canonical text, and returns its length. */
size_t quantity_format(const struct quantity *quantity, char text[QUANTITY_TEXT_SIZE]);

/* What a pod takes of one resource. Containers run side by side, and so their quantities add up. Init
 * containers run before them, one after the other, and so the largest of them counts, the last one if
 * several are equal. The total is the larger of sum and largest, the sum if they are equal. A total begins
 * as {0}. */
struct quantity_total {
    struct quantity sum;
    struct quantity largest;
    bool has_sum;
    bool has_largest;
};

/* ERROR_INPUT on overflow; *total is then unchanged. */
enum error_code quantity_total_add(struct quantity_total *total,
                                   const struct quantity *container) MUST_CHECK;
void quantity_total_add_init(struct quantity_total *total, const struct quantity *init_container);

/* The total, which points into *total; NULL if nothing was added. */
const struct quantity *quantity_total_get(const struct quantity_total *total);

#endif
