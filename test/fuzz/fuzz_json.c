/* fuzz_json: json_read() must say what the model says, read the same out of a text, and stay within
 * its bounds; what it read can be written and read again. */
#include "lib/normalise.h"
#include "test/unit/json_model.h"

#include <stdint.h>
#include <stdlib.h>

#define SKIP_KEY "managedFields"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* With exactly the room that it asks for. */
static void normalise_alone(struct text text)
{
    struct text skip_key = TEXT(SKIP_KEY);
    struct normalise_options options = {SIZE_MAX, 1, &skip_key};
    struct normalised normalised;
    char *copy = malloc(NORMALISE_BOUND(text.length));
    if (copy != NULL && normalise(&options, text, copy, &normalised) == JSON_OK)
        require(copy[normalised.length] == '\0');
    free(copy);
}

static void write_and_read_again(struct json *json, struct text text)
{
    struct buffer written;
    const json_value *root;
    struct text again;
    buffer_init(&written, SIZE_MAX);
    json_append_string(&written, text);
    require(json_read(json, buffer_text(&written), &root, NULL) == JSON_OK);
    require(json_text(json, root, &again));

    buffer_reset(&written);
    json_append_string(&written, again);
    struct buffer twice;
    buffer_init(&twice, SIZE_MAX);
    require(json_read(json, buffer_text(&written), &root, NULL) == JSON_OK);
    require(json_text(json, root, &text));
    json_append_string(&twice, text);
    require(text_equal(buffer_text(&written), buffer_text(&twice)));
    buffer_fini(&twice);
    buffer_fini(&written);
}

static void compare_with_model(struct json *json, struct text text)
{
    struct buffer expected;
    struct buffer actual;
    const json_value *root;
    buffer_init(&expected, SIZE_MAX);
    buffer_init(&actual, SIZE_MAX);
    enum json_result result = json_read(json, text, &root, NULL);
    require(result == json_model(text, SKIP_KEY, &expected));
    if (result == JSON_OK) {
        json_transcript(json, root, &actual);
        require(text_equal(buffer_text(&actual), buffer_text(&expected)));
    }
    buffer_fini(&expected);
    buffer_fini(&actual);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const skip_keys[] = {SKIP_KEY, NULL};
    struct text text = {(const char *)data, size};
    struct json *json = json_new(skip_keys);
    if (json == NULL)
        return 0;
    normalise_alone(text);
    compare_with_model(json, text);
    write_and_read_again(json, text);
    json_free(json);
    return 0;
}
