/* fuzz_json: json_read() must say what the model says, read the same out of a text, and stay within
 * its bounds; what it read can be written and read again. */
#include "lib/json/strain.h"
#include "lib/json/write.h"
#include "test/support/json_model.h"

#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* With exactly the room that it asks for. What is strained cJSON takes, whole. */
static void strain_alone(struct text text)
{
    struct strained strained;
    char *out = malloc(STRAIN_BOUND(text.length));
    if (out != NULL && strain(&mask_whole, SIZE_MAX, text, out, &strained) == JSON_OK) {
        const char *end = NULL;
        cJSON *tree = cJSON_ParseWithLengthOpts(out, strained.length, &end, false);
        require(tree != NULL && end == out + strained.length);
        cJSON_Delete(tree);
    }
    free(out);
}

static void write_and_read_again(struct json *json, struct text text)
{
    struct buffer written;
    const json_value *root;
    struct text again;
    buffer_init(&written, SIZE_MAX);
    json_append_string(&written, text);
    require(json_read(json, buffer_text(&written), &root, NULL) == JSON_OK);
    require(json_text(root, &again));

    buffer_reset(&written);
    json_append_string(&written, again);
    struct buffer twice;
    buffer_init(&twice, SIZE_MAX);
    require(json_read(json, buffer_text(&written), &root, NULL) == JSON_OK);
    require(json_text(root, &text));
    json_append_string(&twice, text);
    require(text_equal(buffer_text(&written), buffer_text(&twice)));
    buffer_fini(&twice);
    buffer_fini(&written);
}

static void compare_with_model(struct json *json, const char *const *paths, struct text text)
{
    struct buffer expected;
    struct buffer actual;
    const json_value *root;
    buffer_init(&expected, SIZE_MAX);
    buffer_init(&actual, SIZE_MAX);
    enum json_result result = json_read(json, text, &root, NULL);
    require(result == json_model(text, paths, &expected));
    if (result == JSON_OK) {
        json_transcript(root, &actual);
        require(text_equal(buffer_text(&actual), buffer_text(&expected)));
    }
    buffer_fini(&expected);
    buffer_fini(&actual);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = {(const char *)data, size};
    struct json *json = json_new();
    struct json *masked = json_new();
    json_keep(masked, "", json_model_paths);
    strain_alone(text);
    compare_with_model(json, NULL, text);
    compare_with_model(masked, json_model_paths, text);
    write_and_read_again(json, text);
    json_free(json);
    json_free(masked);
    return 0;
}
