/* timeline: versions that go on growing after the API server's versions went back.
 *
 * An etcd that was restored from a backup hands out resourceVersions a second time, and a newer state of an object
 * may then have a smaller version than an older state. PostgreSQL has the same problem after a point-in-time
 * recovery, and solves it in the same way: what comes after a restore belongs to a new timeline. Timeline 0 is the
 * one before any restore.
 *
 * A version of timeline 0 is written as it is. A version of a later one is written as the number of the timeline
 * followed by the version in 20 digits, which is the greatest length of a uint64. Such a text is longer than any
 * version of timeline 0, and greater than any of an earlier timeline. So the upsert and the outbox, which compare
 * versions by length, then by text, need not know of timelines. */
#ifndef LIB_TIMELINE_H
#define LIB_TIMELINE_H

#include "lib/rows/row.h"

#include <stdint.h>

#define TIMELINE_VERSION_SIZE 33 /* with the NUL */
#define TIMELINE_MAX          999U

/* Writes a version of the timeline. A version of more than 20 digits is written as it is. */
void timeline_write(unsigned timeline, struct text version, char written[TIMELINE_VERSION_SIZE]);

/* Returns the timeline of a written version, and sets *version to the version without leading zeros, which lies
 * within `written`. */
unsigned timeline_read(struct text written, struct text *version);

/* Writes the next greater version in the same timeline. It is for the tombstone of an object that is gone at some
 * version that nobody knows. */
void timeline_above(struct text written, char above[TIMELINE_VERSION_SIZE]);

/* Makes a new row, which is `row` with all its versions written in the timeline. row stays the caller's. */
enum error_code timeline_row(unsigned timeline, const struct row *row, struct row **written,
                             struct error *err) MUST_CHECK;

#endif
