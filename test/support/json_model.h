/* json_model: a second reading of JSON, plain and slow, to compare lib/json with.
 *
 * Both write a transcript, so that two documents are the same if their transcripts are:
 *   {k3:uids2:ab}   an object with the member "uid": "ab"      [n3:1.5]   an array
 *   t f z           true, false, null; lengths are in bytes */
#ifndef TEST_UNIT_JSON_MODEL_H
#define TEST_UNIT_JSON_MODEL_H

#include "lib/base/buffer.h"
#include "lib/json/json.h"

/* What json_read() should say of text, and in out the transcript if that is JSON_OK, of what is on
 * the paths (json_keep(); at most JSON_MODEL_PATHS; NULL: of all). Knows no bound but
 * JSON_MAX_DEPTH. */
#define JSON_MODEL_PATHS 8
enum json_result json_model(struct text text, const char *const *paths, struct buffer *out);

/* Some paths that meet each other, of keys that are likely in random texts. */
extern const char *const json_model_paths[];

/* The transcript of what was read. */
void json_transcript(const json_value *value, struct buffer *out);

#endif
