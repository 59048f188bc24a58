/* durability: which documents are safe, in the order in which they came.
 *
 * Time is divided into epochs, which are numbered from 1. A row that is neither in the database nor in the
 * spool holds the epoch of its oldest document. Once an epoch is over, and neither it nor an earlier epoch is
 * held, its documents are safe and may be acknowledged. A document that made no row was counted under its
 * fate, and holds nothing. */
#ifndef LIB_DURABILITY_H
#define LIB_DURABILITY_H

#include <stdint.h>

struct durability;

struct durability *durability_new(void);
void durability_free(struct durability *durability);

/* Returns the present epoch, to which the documents belong that come now. */
uint64_t durability_epoch(const struct durability *durability);

/* Begins the next epoch. If too many epochs are not safe yet, the present one goes on instead. */
void durability_advance(struct durability *durability);

/* Holds `epoch` once more, or lets go of one hold. To be held it must be the present epoch, or one that is
 * held already. */
void durability_hold(struct durability *durability, uint64_t epoch);
void durability_release(struct durability *durability, uint64_t epoch);

/* Returns the last epoch that is safe together with all epochs before it; 0 if there is none. */
uint64_t durability_safe(const struct durability *durability);

#endif
