/* json: strict reading of JSON over cJSON (see json.h).
 *
 * A document is read in two steps:
 *   1. One pass over the text checks it and writes a normalised copy of it ("the pass", below).
 *   2. cJSON makes its tree of the copy. As the copy is always well formed, cJSON can only fail for
 *      want of memory.
 *
 * The copy is JSON, but for two bytes that are in no UTF-8 and so in no string of the copy:
 *   0xFF  at the start of a string: this is a number, and the rest is its text. So no number goes
 *         through a double, and none is cut or rounded.
 *   0xFE  stands for a NUL, which would end cJSON's C strings. json_text() puts the NUL back. */
#include "lib/json.h"

#include "lib/buffer.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#define NUMBER_MARK '\xff'
#define NUL_MARK    '\xfe'

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD in UTF-8 */

/* The most that the copy of n bytes takes: an invalid byte becomes the three of U+FFFD; a number
 * of one digit becomes four, but then the comma or bracket next to it stays one. SLACK is for that
 * number alone, the NUL at the end, and whole words stored at once. */
#define SLACK             16
#define COPY_BOUND(bytes) (3 * (bytes) + SLACK)

/* More than this is not kept from one document to the next. */
#define SCRATCH_KEPT ((size_t)1 << 20)

struct json {
    struct buffer scratch; /* the normalised copy; of no use once cJSON has read it */
    cJSON *root;           /* the document that was read last, or NULL */
    bool has_nul;          /* there is a NUL_MARK in it */
    size_t skip_count;
    struct text skip_keys[]; /* borrowed */
};

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

/* The length of the well-formed sequence at the start of text (1 to 4), 0 if there is none. */
static size_t utf8_sequence(const char *text, size_t available)
{
    const unsigned char *bytes = (const unsigned char *)text;
    unsigned char first = bytes[0];
    unsigned char low = 0x80; /* bounds of the second byte: no overlong forms, no surrogates */
    unsigned char high = 0xbf;
    size_t length;

    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf) {
        length = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        length = 3;
        low = first == 0xe0 ? 0xa0 : low;
        high = first == 0xed ? 0x9f : high;
    } else if (first >= 0xf0 && first <= 0xf4) {
        length = 4;
        low = first == 0xf0 ? 0x90 : low;
        high = first == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    if (available < length || bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

/* ---- the pass -------------------------------------------------------------------------------- */

/* The functions below read at `at` and write at `out`, which always has room (COPY_BOUND). Those
 * that return a bool return false when the text ends here as far as we are concerned: `what` and
 * `result` are then set. */
struct pass {
    const char *at;
    const char *end;
    char *out;
    const struct json *json;

    char closers[JSON_MAX_DEPTH]; /* of the containers that are open: '}' or ']' */
    size_t depth;
    size_t values; /* kept so far */
    bool has_nul;

    /* While a member is skipped it is copied like any other, and forgotten when it ends. */
    size_t skip_depth; /* of the object whose member is being skipped; 0: none is */
    char *skip_out;    /* where its copy begins */

    enum json_result result;
    const char *what;
};

#define END_OF_TEXT (-1)

static bool fail_as(struct pass *pass, enum json_result result, const char *what)
{
    pass->result = result;
    pass->what = what;
    return false;
}

static bool fail(struct pass *pass, const char *what)
{
    return fail_as(pass, JSON_MALFORMED, pass->at == pass->end ? "unexpected end" : what);
}

static int peek(const struct pass *pass)
{
    return pass->at < pass->end ? (unsigned char)*pass->at : END_OF_TEXT;
}

/* Returns what is then next, as peek() does. */
static inline int skip_space(struct pass *pass)
{
    int c = peek(pass);
    while (c <= ' ' && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
        pass->at++;
        c = peek(pass);
    }
    return c;
}

static void copy(struct pass *pass, size_t count)
{
    memcpy(pass->out, pass->at, count);
    pass->out += count;
    pass->at += count;
}

static void put(struct pass *pass, char c)
{
    *pass->out++ = c;
}

static void put_replacement(struct pass *pass)
{
    memcpy(pass->out, REPLACEMENT, sizeof(REPLACEMENT) - 1);
    pass->out += sizeof(REPLACEMENT) - 1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* ---- the pass: strings ----------------------------------------------------------------------- */

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/* Marks, by its high bit, each byte that cannot just be copied: quote, backslash, control character
 * or not ASCII. The lowest mark is exact; a byte above it may be marked for a borrow. */
static uint64_t special_bytes(uint64_t word)
{
    uint64_t quote = (word ^ EACH_BYTE('"')) - EACH_BYTE(1);
    uint64_t backslash = (word ^ EACH_BYTE('\\')) - EACH_BYTE(1);
    uint64_t control = word - EACH_BYTE(0x20);
    return (quote | backslash | control | word) & EACH_BYTE(0x80);
}

static bool is_special(char c)
{
    return c == '"' || c == '\\' || (unsigned char)c < 0x20 || (unsigned char)c >= 0x80;
}

/* Eight bytes with the first one in the lowest place. */
static uint64_t first_lowest(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(word);
#else
    return word;
#endif
}

/* Copies up to the first special byte, a word at a time: most of all bytes go through here. */
static void copy_plain(struct pass *pass)
{
    const char *at = pass->at;
    char *out = pass->out;
    uint64_t special = 0;
    while (special == 0 && (size_t)(pass->end - at) >= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        memcpy(out, &word, sizeof(word));
        special = special_bytes(first_lowest(word));
        size_t plain = special == 0 ? sizeof(word) : (size_t)__builtin_ctzll(special) / 8;
        at += plain;
        out += plain;
    }
    while (special == 0 && at < pass->end && !is_special(*at))
        *out++ = *at++;
    pass->at = at;
    pass->out = out;
}

static void copy_utf8(struct pass *pass)
{
    size_t length = utf8_sequence(pass->at, (size_t)(pass->end - pass->at));
    if (length > 0) {
        copy(pass, length);
    } else {
        put_replacement(pass);
        pass->at++;
    }
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#define UNICODE_ESCAPE_LENGTH ((size_t)6) /* \uXXXX */

/* The UTF-16 unit of the \uXXXX at text, -1 if that is none. */
static int unicode_escape(const char *text, size_t available)
{
    if (available < UNICODE_ESCAPE_LENGTH || text[0] != '\\' || text[1] != 'u')
        return -1;
    int unit = 0;
    for (size_t i = 2; i < UNICODE_ESCAPE_LENGTH; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static bool is_surrogate(int unit)
{
    return unit >= 0xd800 && unit <= 0xdfff;
}

static bool is_surrogate_pair(int high, int low)
{
    return high >= 0xd800 && high <= 0xdbff && low >= 0xdc00 && low <= 0xdfff;
}

static bool read_unicode_escape(struct pass *pass, bool is_key)
{
    size_t available = (size_t)(pass->end - pass->at);
    int unit = unicode_escape(pass->at, available);
    if (unit < 0)
        return fail(pass, "bad \\u escape");
    if (unit != 0 && !is_surrogate(unit)) {
        copy(pass, UNICODE_ESCAPE_LENGTH);
        return true;
    }
    if (is_surrogate_pair(unit, unicode_escape(pass->at + UNICODE_ESCAPE_LENGTH,
                                               available - UNICODE_ESCAPE_LENGTH))) {
        copy(pass, 2 * UNICODE_ESCAPE_LENGTH);
        return true;
    }
    pass->at += UNICODE_ESCAPE_LENGTH;
    if (unit == 0 && !is_key) {
        put(pass, NUL_MARK);
        pass->has_nul = true;
    } else {
        put_replacement(pass);
    }
    return true;
}

static bool read_escape(struct pass *pass, bool is_key)
{
    if (pass->end - pass->at < 2)
        return fail(pass, "string without an end");
    switch (pass->at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        copy(pass, 2);
        return true;
    case 'u':
        return read_unicode_escape(pass, is_key);
    default:
        return fail(pass, "unknown escape");
    }
}

/* At the opening quote. A key has no use for NUL_MARK, as json_key() could not put the NUL back. */
static bool read_string(struct pass *pass, bool is_key)
{
    copy(pass, 1);
    for (;;) {
        copy_plain(pass);
        int c = peek(pass);
        if (c == '"') {
            copy(pass, 1);
            return true;
        }
        if (c >= 0x80)
            copy_utf8(pass);
        else if (c != '\\')
            return fail(pass, "control character in a string");
        else if (!read_escape(pass, is_key))
            return false;
    }
}

/* ---- the pass: the other values -------------------------------------------------------------- */

static bool skip_digits(struct pass *pass)
{
    if (!is_digit(peek(pass)))
        return fail(pass, "bad number");
    while (is_digit(peek(pass)))
        pass->at++;
    return true;
}

static bool skip_number(struct pass *pass)
{
    if (peek(pass) == '-')
        pass->at++;
    if (peek(pass) == '0')
        pass->at++;
    else if (!skip_digits(pass))
        return false;
    if (peek(pass) == '.') {
        pass->at++;
        if (!skip_digits(pass))
            return false;
    }
    if (peek(pass) == 'e' || peek(pass) == 'E') {
        pass->at++;
        if (peek(pass) == '+' || peek(pass) == '-')
            pass->at++;
        return skip_digits(pass);
    }
    return true;
}

static bool read_number(struct pass *pass)
{
    const char *start = pass->at;
    if (!skip_number(pass))
        return false;
    size_t length = (size_t)(pass->at - start);
    put(pass, '"');
    put(pass, NUMBER_MARK);
    memcpy(pass->out, start, length);
    pass->out += length;
    put(pass, '"');
    return true;
}

static bool read_word(struct pass *pass, struct text word)
{
    if ((size_t)(pass->end - pass->at) < word.length ||
        memcmp(pass->at, word.data, word.length) != 0)
        return fail(pass, "expected a value");
    copy(pass, word.length);
    return true;
}

static bool is_skipped(const struct json *json, struct text key)
{
    for (size_t i = 0; i < json->skip_count; i++) {
        if (text_equal(key, json->skip_keys[i]))
            return true;
    }
    return false;
}

/* From where a key is expected to where its value is. */
static bool read_key(struct pass *pass)
{
    char *member = pass->out;
    if (skip_space(pass) != '"')
        return fail(pass, "expected a key");
    if (member[-1] != '{')
        put(pass, ',');
    const char *raw = pass->at + 1;
    if (!read_string(pass, true))
        return false;
    struct text key = {raw, (size_t)(pass->at - 1 - raw)};
    if (skip_space(pass) != ':')
        return fail(pass, "expected ':'");
    copy(pass, 1);
    if (pass->skip_depth == 0 && is_skipped(pass->json, key)) {
        pass->skip_depth = pass->depth;
        pass->skip_out = member;
    }
    return true;
}

/* Opens a container; if it is not empty, its first value is next. */
static bool read_opening(struct pass *pass, char closer, bool *value_next)
{
    if (pass->depth == JSON_MAX_DEPTH)
        return fail_as(pass, JSON_TOO_DEEP, "nested too deep");
    pass->closers[pass->depth++] = closer;
    copy(pass, 1);
    *value_next = skip_space(pass) != closer;
    return !*value_next || closer == ']' || read_key(pass);
}

/* Reads a value; of a container that is not empty only as far as to its first value. */
static bool read_value(struct pass *pass, bool *value_next)
{
    int c = skip_space(pass);
    if (pass->skip_depth == 0 && ++pass->values > JSON_MAX_VALUES)
        return fail_as(pass, JSON_NO_MEMORY, "too many values");
    *value_next = false;
    switch (c) {
    case '{':
        return read_opening(pass, '}', value_next);
    case '[':
        return read_opening(pass, ']', value_next);
    case '"':
        return read_string(pass, false);
    case 't':
        return read_word(pass, TEXT("true"));
    case 'f':
        return read_word(pass, TEXT("false"));
    case 'n':
        return read_word(pass, TEXT("null"));
    case '-':
        return read_number(pass);
    default:
        return is_digit(c) ? read_number(pass) : fail(pass, "expected a value");
    }
}

/* Reads what is behind a value: closings, and the comma that says that another value is next. */
static bool read_closings(struct pass *pass, bool *value_next)
{
    for (;;) {
        *value_next = pass->depth > 0;
        if (pass->depth == 0)
            return true;
        if (pass->skip_depth == pass->depth) {
            pass->out = pass->skip_out;
            pass->skip_depth = 0;
        }
        char closer = pass->closers[pass->depth - 1];
        int c = skip_space(pass);
        if (c == closer) {
            copy(pass, 1);
            pass->depth--;
        } else if (c != ',') {
            return fail(pass, closer == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
        } else if (closer == ']') {
            copy(pass, 1);
            return true;
        } else {
            pass->at++; /* read_key() writes it, if a member that is kept went before */
            return read_key(pass);
        }
    }
}

static bool read_document(struct pass *pass)
{
    bool value_next = true;
    while (value_next) {
        if (!read_value(pass, &value_next))
            return false;
        if (!value_next && !read_closings(pass, &value_next))
            return false;
    }
    skip_space(pass);
    return pass->at == pass->end || fail(pass, "text after the document");
}

/* ---- the reader ------------------------------------------------------------------------------ */

struct json *json_new(const char *const *skip_keys)
{
    size_t count = 0;
    while (skip_keys != NULL && skip_keys[count] != NULL)
        count++;
    struct json *json = calloc(1, sizeof(*json) + count * sizeof(json->skip_keys[0]));
    if (json == NULL)
        return NULL;
    buffer_init(&json->scratch, COPY_BOUND(JSON_MAX_TEXT));
    json->skip_count = count;
    for (size_t i = 0; i < count; i++)
        json->skip_keys[i] = text_from(skip_keys[i]);
    return json;
}

static void drop_document(struct json *json)
{
    cJSON_Delete(json->root);
    json->root = NULL;
}

void json_free(struct json *json)
{
    if (json == NULL)
        return;
    drop_document(json);
    buffer_fini(&json->scratch);
    free(json);
}

static enum json_result no_memory(struct text text, struct error *err)
{
    (void)error_set(err, ERROR_NOMEM, "no memory for a document of %zu bytes", text.length);
    return JSON_NO_MEMORY;
}

enum json_result json_read(struct json *json, struct text text, const json_value **root,
                           struct error *err)
{
    *root = NULL;
    drop_document(json);
    if (text.length > JSON_MAX_TEXT) {
        (void)error_set(err, ERROR_INPUT, "a document of %zu bytes is too long", text.length);
        return JSON_NO_MEMORY;
    }
    size_t room;
    char *normalised = buffer_room(&json->scratch, COPY_BOUND(text.length), &room);
    if (normalised == NULL)
        return no_memory(text, err);

    const char *start = text.length > 0 ? text.data : "";
    struct pass pass = {.at = start, .end = start + text.length, .out = normalised, .json = json};
    enum json_result result = JSON_OK;
    if (read_document(&pass)) {
        put(&pass, '\0');
        json->has_nul = pass.has_nul;
        json->root =
            cJSON_ParseWithLengthOpts(normalised, (size_t)(pass.out - normalised), NULL, true);
        if (json->root == NULL)
            result = no_memory(text, err);
    } else {
        result = pass.result;
        (void)error_set(err, ERROR_INPUT, "offset %td: %s", pass.at - start, pass.what);
    }
    if (json->scratch.capacity > SCRATCH_KEPT)
        buffer_fini(&json->scratch);
    *root = json->root;
    return result;
}

/* ---- looking at a document ------------------------------------------------------------------- */

const json_value *json_member(const json_value *value, const char *key)
{
    const cJSON *found = NULL;
    if (!json_is_object(value))
        return NULL;
    for (const cJSON *member = value->child; member != NULL; member = member->next) {
        if (strcmp(member->string, key) == 0)
            found = member;
    }
    return cJSON_IsNull(found) ? NULL : found;
}

const json_value *json_path(const json_value *value, ...)
{
    va_list keys;
    va_start(keys, value);
    for (const char *key = va_arg(keys, const char *); key != NULL;
         key = va_arg(keys, const char *))
        value = json_member(value, key);
    va_end(keys);
    return value;
}

bool json_is_object(const json_value *value)
{
    return cJSON_IsObject(value);
}

bool json_is_array(const json_value *value)
{
    return cJSON_IsArray(value);
}

bool json_is_string(const json_value *value)
{
    return cJSON_IsString(value) && value->valuestring[0] != NUMBER_MARK;
}

bool json_is_number(const json_value *value)
{
    return cJSON_IsString(value) && value->valuestring[0] == NUMBER_MARK;
}

bool json_is_true(const json_value *value)
{
    return cJSON_IsTrue(value);
}

bool json_is_null(const json_value *value)
{
    return cJSON_IsNull(value);
}

const json_value *json_first(const json_value *value)
{
    return value == NULL ? NULL : value->child;
}

const json_value *json_next(const json_value *element)
{
    return element == NULL ? NULL : element->next;
}

struct text json_key(const json_value *member)
{
    return member == NULL || member->string == NULL ? TEXT("") : text_from(member->string);
}

/* Puts the NULs back where they were. As strlen() is then of no more use, the length goes where
 * cJSON has the value of a number, which is 0 for a string. */
static void restore_nuls(cJSON *string)
{
    size_t length = strlen(string->valuestring);
    char *at = string->valuestring;
    while ((at = memchr(at, NUL_MARK, length - (size_t)(at - string->valuestring))) != NULL)
        *at = '\0';
    string->valueint = (int)length;
}

bool json_text(struct json *json, const json_value *value, struct text *text)
{
    if (!json_is_string(value))
        return false;
    if (json->has_nul && value->valueint == 0 && strchr(value->valuestring, NUL_MARK) != NULL)
        restore_nuls((cJSON *)value);
    *text = value->valueint == 0 ? text_from(value->valuestring)
                                 : (struct text){value->valuestring, (size_t)value->valueint};
    return true;
}

bool json_number_text(const json_value *value, struct text *text)
{
    if (!json_is_number(value))
        return false;
    *text = text_from(value->valuestring + 1);
    return true;
}

bool json_integer(const json_value *value, int64_t *integer)
{
    if (!json_is_number(value))
        return false;
    char *end;
    errno = 0;
    long long parsed = strtoll(value->valuestring + 1, &end, 10);
    if (*end != '\0' || errno == ERANGE)
        return false;
    *integer = parsed;
    return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void append_ascii_escape(struct buffer *out, char c)
{
    switch (c) {
    case '"':
        buffer_append(out, TEXT("\\\""));
        break;
    case '\\':
        buffer_append(out, TEXT("\\\\"));
        break;
    case '\n':
        buffer_append(out, TEXT("\\n"));
        break;
    case '\r':
        buffer_append(out, TEXT("\\r"));
        break;
    case '\t':
        buffer_append(out, TEXT("\\t"));
        break;
    default:
        buffer_appendf(out, "\\u%04x", (unsigned int)c);
        break;
    }
}

/* ASCII that Go does not write as it is; < > & so that the text can stand in HTML. */
static bool is_escaped(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&';
}

/* The line separators, which JavaScript does not allow in a string. */
static bool is_line_separator(const char *sequence, size_t length)
{
    return length == 3 && memcmp(sequence, "\xe2\x80", 2) == 0 && (sequence[2] & 0xfe) == 0xa8;
}

void json_append_string(struct buffer *out, struct text text)
{
    size_t copied = 0; /* up to here it is written */
    size_t at = 0;
    buffer_append_char(out, '"');
    while (at < text.length) {
        const char *sequence = text.data + at;
        size_t length = utf8_sequence(sequence, text.length - at);
        bool separator = is_line_separator(sequence, length);
        if (length > 0 && !separator && !is_escaped(*sequence)) {
            at += length;
            continue;
        }
        buffer_append(out, (struct text){text.data + copied, at - copied});
        if (length == 0)
            buffer_append(out, TEXT("\\ufffd"));
        else if (separator)
            buffer_append(out, (sequence[2] & 1) == 0 ? TEXT("\\u2028") : TEXT("\\u2029"));
        else
            append_ascii_escape(out, *sequence);
        at += length > 0 ? length : 1;
        copied = at;
    }
    if (at > copied)
        buffer_append(out, (struct text){text.data + copied, at - copied});
    buffer_append_char(out, '"');
}
