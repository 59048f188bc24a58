/* strain: one pass over the text, without recursion (see strain.h). */
#include "lib/json/strain.h"

#include "lib/base/utf8.h"
#include "lib/json/skip.h"

#include <stdint.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD in UTF-8 */

/* A container that is open. */
struct level {
    const struct mask *mask;
    bool is_object;
    bool is_empty; /* nothing has been copied into it yet */
};

/* Reads at `at` and copies to `out`, which always has room. The functions below that return a bool
 * return false if the text cannot be accepted; `result` and `what` then say why, `at` where. */
struct pass {
    const char *at;
    const char *end;
    char *out;

    struct level levels[JSON_MAX_DEPTH];
    size_t depth;            /* levels that are open */
    const struct mask *mask; /* of the value that is next */
    size_t values_left;

    /* The last place in `out` up to which the copy is a document once that many containers are closed. */
    char *whole_end; /* NULL: there is no such place yet */
    size_t whole_depth;

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

/* Skips white space, and returns what comes then, as peek() does. */
static inline int skip_space(struct pass *pass)
{
    pass->at = skip_blanks(pass->at, pass->end);
    return peek(pass);
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

/* Copies the next byte as it stands in the text. */
static void copy_byte(struct pass *pass)
{
    put(pass, *pass->at++);
}

/* Copies the text up to `to` as it stands. */
static void copy_to(struct pass *pass, const char *to)
{
    size_t length = (size_t)(to - pass->at);
    memcpy(pass->out, pass->at, length);
    pass->out += length;
    pass->at = to;
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

/* Returns the eight bytes of a word in an order in which the first one is the lowest, on any machine. */
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
        copy_to(pass, pass->at + length);
        return;
    }
    put_replacement(pass);
    pass->at++;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#define UNICODE_ESCAPE_LENGTH ((ptrdiff_t)6) /* \uXXXX */

/* Returns the UTF-16 unit of the \uXXXX at `at`; -1 if there is no such escape. */
static int unicode_escape(const char *at, const char *end)
{
    if (end - at < UNICODE_ESCAPE_LENGTH || at[0] != '\\' || at[1] != 'u')
        return -1;
    int unit = 0;
    for (size_t i = 2; i < UNICODE_ESCAPE_LENGTH; i++) {
        int digit = hex_digit(at[i]);
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

static bool copy_unicode_escape(struct pass *pass)
{
    const char *behind = pass->at + UNICODE_ESCAPE_LENGTH;
    int unit = unicode_escape(pass->at, pass->end);
    if (unit < 0)
        return fail(pass, "bad \\u escape");
    if (is_surrogate(unit) && is_surrogate_pair(unit, unicode_escape(behind, pass->end))) {
        copy_to(pass, behind + UNICODE_ESCAPE_LENGTH);
    } else if (is_surrogate(unit) || unit == 0) {
        put_replacement(pass);
        pass->at = behind;
    } else {
        copy_to(pass, behind);
    }
    return true;
}

static bool copy_escape(struct pass *pass)
{
    static const char escaped[] = {'"', '\\', '/', 'b', 'f', 'n', 'r', 't'};
    if (pass->end - pass->at < 2)
        return fail(pass, "string without an end");
    if (pass->at[1] == 'u')
        return copy_unicode_escape(pass);
    if (memchr(escaped, pass->at[1], sizeof(escaped)) == NULL)
        return fail(pass, "unknown escape");
    copy_to(pass, pass->at + 2);
    return true;
}

/* Copies the string whose opening quote is next. */
static bool copy_string(struct pass *pass)
{
    copy_byte(pass);
    for (;;) {
        copy_plain(pass);
        int c = peek(pass);
        if (c == '"')
            break;
        if (c >= 0x80)
            copy_utf8(pass);
        else if (c != '\\')
            return fail(pass, "control character in a string");
        else if (!copy_escape(pass))
            return false;
    }
    copy_byte(pass);
    return true;
}

/* ---- the other values ------------------------------------------------------------------------ */

/* Moves *at behind the digits that it is at, of which there must be at least one. */
static bool find_end_of_digits(struct pass *pass, const char **at)
{
    const char *begin = *at;
    while (*at < pass->end && is_digit(**at))
        (*at)++;
    if (*at > begin)
        return true;
    pass->at = *at;
    return fail(pass, "bad number");
}

static bool copy_number(struct pass *pass)
{
    const char *at = pass->at;
    const char *end = pass->end;
    if (*at == '-')
        at++;
    if (at < end && *at == '0')
        at++;
    else if (!find_end_of_digits(pass, &at))
        return false;
    if (at < end && *at == '.') {
        at++;
        if (!find_end_of_digits(pass, &at))
            return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        if (!find_end_of_digits(pass, &at))
            return false;
    }
    if (at - pass->at > STRAIN_MAX_NUMBER)
        return fail(pass, "number too long");
    copy_to(pass, at);
    return true;
}

static bool copy_word(struct pass *pass, struct text word)
{
    if ((size_t)(pass->end - pass->at) < word.length ||
        memcmp(pass->at, word.data, word.length) != 0)
        return fail(pass, "expected a value");
    copy_to(pass, pass->at + word.length);
    return true;
}

/* ---- members --------------------------------------------------------------------------------- */

static void put_comma(struct pass *pass, struct level *level)
{
    if (!level->is_empty)
        put(pass, ',');
    level->is_empty = false;
}

/* Returns the mask of the member of object whose key is next; NULL if nobody reads the member. *key_end
 * becomes the end of the key, or NULL if the key has to be copied byte by byte. A key with escapes is not
 * compared with the names in the mask: its member is read whatever it is. */
static const struct mask *find_member(const struct pass *pass, const struct mask *object,
                                      const char **key_end)
{
    *key_end = NULL;
    if (object->whole)
        return &mask_whole;
    *key_end = skip_plain_string(pass->at + 1, pass->end);
    if (*key_end == NULL)
        return object->members != NULL && object->members->any ? object->members : &mask_whole;
    return mask_member(object, (struct text){pass->at + 1, (size_t)(*key_end - pass->at - 2)});
}

/* Returns the end of the value whose key ends at key_end; NULL if the value is not valid. */
static const char *skip_rest_of_member(const struct pass *pass, const char *key_end)
{
    const char *colon = skip_blanks(key_end, pass->end);
    if (colon == pass->end || *colon != ':')
        return NULL;
    return skip_value(colon + 1, pass->end, JSON_MAX_DEPTH - pass->depth);
}

/* Reads a key up to its value, which is next if *value_next becomes true. A member that nobody reads is
 * skipped whole. */
static bool read_key(struct pass *pass, bool *value_next)
{
    struct level *level = &pass->levels[pass->depth - 1];
    const char *key_end;
    if (skip_space(pass) != '"')
        return fail(pass, "expected a key");
    pass->mask = find_member(pass, level->mask, &key_end);
    *value_next = pass->mask != NULL;
    if (pass->mask == NULL) {
        const char *end = skip_rest_of_member(pass, key_end);
        if (end != NULL) {
            pass->at = end;
            return true;
        }
        /* The text will be refused. To say why, the member is read like any other. */
        pass->mask = &mask_whole;
        *value_next = true;
    }
    put_comma(pass, level);
    /* A key that equals a name of the mask is ASCII and can be copied as it stands. */
    if (key_end != NULL && pass->mask->length > 0 && !pass->mask->any)
        copy_to(pass, key_end);
    else if (!copy_string(pass))
        return false;
    if (skip_space(pass) != ':')
        return fail(pass, "expected ':'");
    copy_byte(pass);
    return true;
}

/* Notes that what has been copied is a document as soon as the open containers are closed. */
static void note_whole(struct pass *pass)
{
    pass->whole_end = pass->out;
    pass->whole_depth = pass->depth;
}

/* ---- documents ------------------------------------------------------------------------------- */

/* Opens a container; if it is not empty, its first value is next, or was skipped. */
static bool open_container(struct pass *pass, bool is_object, bool *value_next)
{
    if (pass->depth == JSON_MAX_DEPTH)
        return fail_as(pass, JSON_TOO_DEEP, "nested too deep");
    pass->levels[pass->depth++] = (struct level){pass->mask, is_object, true};
    copy_byte(pass);
    note_whole(pass);
    *value_next = skip_space(pass) != (is_object ? '}' : ']');
    return !*value_next || !is_object || read_key(pass, value_next);
}

/* Copies a value. A container that is not empty is copied only up to its first value. */
static bool read_value(struct pass *pass, bool *value_next)
{
    int c = skip_space(pass);
    if (pass->values_left-- == 0)
        return fail_as(pass, JSON_NO_MEMORY, "too many values");
    if (pass->depth > 0 && !pass->levels[pass->depth - 1].is_object)
        put_comma(pass, &pass->levels[pass->depth - 1]);
    *value_next = false;
    switch (c) {
    case '{':
    case '[':
        return open_container(pass, c == '{', value_next);
    case '"':
        return copy_string(pass);
    case 't':
        return copy_word(pass, TEXT("true"));
    case 'f':
        return copy_word(pass, TEXT("false"));
    case 'n':
        return copy_word(pass, TEXT("null"));
    default:
        return c == '-' || is_digit((char)c) ? copy_number(pass) : fail(pass, "expected a value");
    }
}

/* Reads what is behind a value: closings, and the comma that says that another value is next. */
static bool read_closings(struct pass *pass, bool *value_next)
{
    *value_next = false;
    note_whole(pass);
    while (!*value_next && pass->depth > 0) {
        const struct level *level = &pass->levels[pass->depth - 1];
        int c = skip_space(pass);
        if (c == (level->is_object ? '}' : ']')) {
            copy_byte(pass);
            pass->depth--;
            note_whole(pass);
        } else if (c != ',') {
            return fail(pass, level->is_object ? "expected ',' or '}'" : "expected ',' or ']'");
        } else {
            pass->at++;
            pass->mask = level->mask;
            *value_next = true;
            if (level->is_object && !read_key(pass, value_next))
                return false;
        }
    }
    return true;
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

static struct pass begin(const struct mask *mask, size_t max_values, struct text text, char *out)
{
    /* NULL + 0 is not defined in C. */
    const char *start = text.length > 0 ? text.data : "";
    return (struct pass){.at = start,
                         .end = start + text.length,
                         .out = out,
                         .mask = mask,
                         .values_left = max_values};
}

/* All of the pass is inlined here: calls would be a tenth of what it costs, which is a third of decoding. */
__attribute__((flatten)) enum json_result strain(const struct mask *mask, size_t max_values,
                                                 struct text text, char *out,
                                                 struct strained *result)
{
    struct pass pass = begin(mask, max_values, text, out);
    if (read_document(&pass)) {
        *result = (struct strained){.length = (size_t)(pass.out - out),
                                    .values = max_values - pass.values_left};
        return JSON_OK;
    }
    *result =
        (struct strained){.offset = text.length - (size_t)(pass.end - pass.at), .what = pass.what};
    return pass.result;
}

bool strain_beginning(const struct mask *mask, size_t max_values, struct text text, char *out,
                      struct strained *result)
{
    struct pass pass = begin(mask, max_values, text, out);
    (void)read_document(&pass);
    if (pass.whole_end == NULL)
        return false;
    pass.out = pass.whole_end;
    while (pass.whole_depth > 0)
        put(&pass, pass.levels[--pass.whole_depth].is_object ? '}' : ']');
    *result = (struct strained){.length = (size_t)(pass.out - out),
                                .values = max_values - pass.values_left};
    return true;
}
