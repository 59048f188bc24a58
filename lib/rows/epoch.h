/* epoch: versions that go on growing where the server's have gone back.
 *
 * An etcd that was restored from a backup hands out versions again that it had handed out before. What
 * comes after is of a later epoch: its versions are written as the number of the epoch, then the
 * version in 20 digits, which a uint64 has at most. Such a text is longer than any version of epoch 0,
 * and greater than any of an earlier epoch: what compares versions by length, then by text (the upsert,
 * the outbox), need not know of it. It is decimal, and fits the column. */
#ifndef LIB_EPOCH_H
#define LIB_EPOCH_H

#include "lib/rows/row.h"

#include <stdint.h>

#define EPOCH_VERSION_SIZE 33 /* with the NUL */
#define EPOCH_MAX          999U

/* The version as it is written in the epoch; one of more than 20 digits stays as it is. */
void epoch_write(unsigned epoch, struct text version, char written[EPOCH_VERSION_SIZE]);

/* Takes a written version apart; returns its epoch. *version points into written; without leading zeros. */
unsigned epoch_read(struct text written, struct text *version);

/* A version that is above: for the tombstone of an object of which no version is known at which it was
 * gone. */
void epoch_above(struct text written, char above[EPOCH_VERSION_SIZE]);

/* The same row, with its version written in the epoch; a new one. */
enum error_code epoch_row(unsigned epoch, const struct row *row, struct row **written,
                          struct error *err) MUST_CHECK;

#endif
