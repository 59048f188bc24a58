/* normalise: one pass over the text, without recursion (see normalise.h). */
#include "lib/normalise.h"

#include "lib/utf8.h"

#include <stdint.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD in UTF-8 */

/* Reads at `at` and writes at `out`, which always has room. The functions below that return a bool
 * return false if the text cannot be accepted; `result` and `what` then say why, `at` where. */
struct pass {
    const char *at;
    const char *end;
    char *out;
    const struct normalise_options *options;

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

/* ---- strings --------------------------------------------------------------------------------- */

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
    size_t length = utf8_character((struct text){pass->at, (size_t)(pass->end - pass->at)});
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
        put(pass, NORMALISE_NUL);
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

/* At the opening quote. */
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

/* ---- the other values ------------------------------------------------------------------------ */

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
    put(pass, NORMALISE_NUMBER);
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

static bool is_skipped(const struct normalise_options *options, struct text key)
{
    for (size_t i = 0; i < options->skip_count; i++) {
        if (text_equal(key, options->skip_keys[i]))
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
    if (pass->skip_depth == 0 && is_skipped(pass->options, key)) {
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
    if (pass->skip_depth == 0 && ++pass->values > pass->options->max_values)
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

enum json_result normalise(const struct normalise_options *options, struct text text, char *out,
                           struct normalised *result)
{
    /* NULL + 0 is not defined in C. */
    const char *start = text.length > 0 ? text.data : "";
    struct pass pass = {.at = start, .end = start + text.length, .out = out, .options = options};
    if (!read_document(&pass)) {
        *result = (struct normalised){.offset = (size_t)(pass.at - start), .what = pass.what};
        return pass.result;
    }
    *pass.out = '\0';
    *result = (struct normalised){.length = (size_t)(pass.out - out), .has_nul = pass.has_nul};
    return JSON_OK;
}
