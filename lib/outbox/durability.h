/* durability: which documents are safe, in the order in which they came.
 *
 * Time is cut into epochs. A row that is neither in the database nor in the spool holds the epoch of
 * its oldest document; once nobody holds an epoch and all before it, the documents of it are safe and
 * may be acknowledged. What was counted under a fate needs no hold: it is accounted for. */
#ifndef LIB_DURABILITY_H
#define LIB_DURABILITY_H

#include <stdint.h>

struct durability;

struct durability *durability_new(void);
void durability_free(struct durability *durability);

/* The epoch that documents which come now belong to; from 1. */
uint64_t durability_epoch(const struct durability *durability);

/* Begins the next epoch. Where too many old ones are still held, the present one goes on. */
void durability_advance(struct durability *durability);

/* epoch must be the present one or one that is held already. */
void durability_hold(struct durability *durability, uint64_t epoch);
void durability_release(struct durability *durability, uint64_t epoch);

/* The last epoch that is over and safe, and all before it; 0 if none is. */
uint64_t durability_safe(const struct durability *durability);

#endif
