/* json_model: a second reading of JSON, plain and slow, to compare lib/json with.
 *
 * Both write a transcript, so that two documents are the same if their transcripts are:
 *   {k3:uids2:ab}   an object with the member "uid": "ab"      [n3:1.5]   an array
 *   t f z           true, false, null; lengths are in bytes */
#ifndef TEST_UNIT_JSON_MODEL_H
#define TEST_UNIT_JSON_MODEL_H

#include "lib/buffer.h"
#include "lib/json.h"

/* What json_read() should say of text, and in out the transcript if that is JSON_OK. Members whose
 * key is written as skip_key are left out. Knows no bound but JSON_MAX_DEPTH. */
enum json_result json_model(struct text text, const char *skip_key, struct buffer *out);

/* The transcript of what was read. */
void json_transcript(struct json *json, const json_value *value, struct buffer *out);

#endif
