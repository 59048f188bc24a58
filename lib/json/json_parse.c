/* json_parse: one pass over the text, without recursion (see json_parse.h). */
#include "lib/json/json_parse.h"

#include "lib/base/utf8.h"
#include "lib/json/skip.h"

#include <cjson/cJSON.h>
#include <stdint.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD in UTF-8 */

/* Reads at `at` and writes strings at `out`, which always has room. The functions below that return a
 * bool return false if the text cannot be accepted; `result` and `what` then say why, `at` where. */
struct pass {
    const char *at;
    const char *end;
    char *out;

    struct pool *nodes;
    cJSON *root;
    cJSON *open[JSON_MAX_DEPTH];              /* containers, each in the one before */
    const struct mask *masks[JSON_MAX_DEPTH]; /* of the same */
    size_t depth;
    const char *key;         /* of the value that is next, if it is in an object */
    const struct mask *mask; /* of the value that is next */
    size_t values_left;

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

/* ---- the tree -------------------------------------------------------------------------------- */

/* As cJSON links a list: the first one's prev is the last one. */
static void append(cJSON *parent, cJSON *item)
{
    cJSON *first = parent->child;
    if (first == NULL) {
        parent->child = item;
        item->prev = item;
        return;
    }
    first->prev->next = item;
    item->prev = first->prev;
    first->prev = item;
}

/* A value of that type under the key that is next; NULL if it cannot be had. */
static cJSON *add(struct pass *pass, int type)
{
    cJSON *item = pool_take(pass->nodes);
    if (item == NULL) {
        (void)fail_as(pass, JSON_NO_MEMORY, NULL);
        return NULL;
    }
    *item = (cJSON){.type = type};
    if (pass->depth == 0) {
        pass->root = item;
        return item;
    }
    cJSON *parent = pass->open[pass->depth - 1];
    if (parent->type == cJSON_Object)
        item->string = (char *)pass->key;
    append(parent, item);
    return item;
}

/* text: from the pass's memory, ended by a NUL. */
static bool add_text(struct pass *pass, int type, struct text text)
{
    cJSON *item = add(pass, type);
    if (item == NULL)
        return false;
    item->valuestring = (char *)text.data;
    item->valueint = (int)text.length;
    return true;
}

static bool is_object(const struct pass *pass)
{
    return pass->open[pass->depth - 1]->type == cJSON_Object;
}

/* ---- strings --------------------------------------------------------------------------------- */

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

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
    if (length == 0) {
        put_replacement(pass);
        pass->at++;
        return;
    }
    memcpy(pass->out, pass->at, length);
    pass->out += length;
    pass->at += length;
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

/* In UTF-8, which is never longer than the escape. */
static void put_code_point(struct pass *pass, unsigned code)
{
    if (code < 0x80) {
        put(pass, (char)code);
        return;
    }
    if (code < 0x800) {
        put(pass, (char)(0xc0 | code >> 6));
    } else {
        if (code < 0x10000) {
            put(pass, (char)(0xe0 | code >> 12));
        } else {
            put(pass, (char)(0xf0 | code >> 18));
            put(pass, (char)(0x80 | (code >> 12 & 0x3f)));
        }
        put(pass, (char)(0x80 | (code >> 6 & 0x3f)));
    }
    put(pass, (char)(0x80 | (code & 0x3f)));
}

static bool read_unicode_escape(struct pass *pass, bool is_key)
{
    size_t available = (size_t)(pass->end - pass->at);
    int unit = unicode_escape(pass->at, available);
    if (unit < 0)
        return fail(pass, "bad \\u escape");
    pass->at += UNICODE_ESCAPE_LENGTH;
    int low = is_surrogate(unit) ? unicode_escape(pass->at, available - UNICODE_ESCAPE_LENGTH) : -1;
    if (is_surrogate_pair(unit, low)) {
        pass->at += UNICODE_ESCAPE_LENGTH;
        put_code_point(pass,
                       0x10000 + ((unsigned)(unit - 0xd800) << 10) + (unsigned)(low - 0xdc00));
    } else if (is_surrogate(unit) || (unit == 0 && is_key)) {
        put_replacement(pass);
    } else {
        put_code_point(pass, (unsigned)unit);
    }
    return true;
}

static bool read_escape(struct pass *pass, bool is_key)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (pass->end - pass->at < 2)
        return fail(pass, "string without an end");
    if (pass->at[1] == 'u')
        return read_unicode_escape(pass, is_key);
    const char *letter = memchr(letters, pass->at[1], sizeof(letters) - 1);
    if (letter == NULL)
        return fail(pass, "unknown escape");
    put(pass, meanings[letter - letters]);
    pass->at += 2;
    return true;
}

/* At the opening quote. */
static bool read_string(struct pass *pass, bool is_key, struct text *text)
{
    const char *start = pass->out;
    pass->at++;
    for (;;) {
        copy_plain(pass);
        int c = peek(pass);
        if (c == '"')
            break;
        if (c >= 0x80)
            copy_utf8(pass);
        else if (c != '\\')
            return fail(pass, "control character in a string");
        else if (!read_escape(pass, is_key))
            return false;
    }
    pass->at++;
    *text = (struct text){start, (size_t)(pass->out - start)};
    put(pass, '\0');
    return true;
}

static bool read_text(struct pass *pass)
{
    struct text text = TEXT("");
    return read_string(pass, false, &text) && add_text(pass, cJSON_String, text);
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
    struct text text = {pass->out, (size_t)(pass->at - start)};
    memcpy(pass->out, start, text.length);
    pass->out += text.length;
    put(pass, '\0');
    return add_text(pass, cJSON_Raw, text);
}

static bool read_word(struct pass *pass, struct text word, int type)
{
    if ((size_t)(pass->end - pass->at) < word.length ||
        memcmp(pass->at, word.data, word.length) != 0)
        return fail(pass, "expected a value");
    pass->at += word.length;
    return add(pass, type) != NULL;
}

/* A key with escapes is not compared with names: its member is read whatever it may be. */
static const struct mask *escaped_member(const struct mask *object)
{
    return object->members != NULL && object->members->any ? object->members : &mask_whole;
}

/* The mask of the member of object whose key begins here; NULL if nobody reads it. *key_end: where the
 * key ends, but NULL if it had to be looked at closer. */
static const struct mask *find_member(const struct pass *pass, const struct mask *object,
                                      const char **key_end)
{
    *key_end = NULL;
    if (object->whole)
        return &mask_whole;
    *key_end = skip_plain_string(pass->at + 1, pass->end);
    if (*key_end == NULL)
        return escaped_member(object);
    return mask_member(object, (struct text){pass->at + 1, (size_t)(*key_end - pass->at - 2)});
}

/* From the end of a key to the end of its value; NULL if that is not valid. */
static const char *skip_rest_of_member(const struct pass *pass, const char *key_end)
{
    const char *colon = skip_blanks(key_end, pass->end);
    if (colon == pass->end || *colon != ':')
        return NULL;
    return skip_value(colon + 1, pass->end, JSON_MAX_DEPTH - pass->depth);
}

/* One that the mask names is there already; key_end: where it ends in the text then. */
static bool read_key_of(struct pass *pass, const char *key_end)
{
    struct text key = TEXT("");
    if (pass->mask->length > 0 && !pass->mask->any) {
        pass->key = pass->mask->key;
        pass->at = key_end;
        return true;
    }
    if (!read_string(pass, true, &key))
        return false;
    pass->key = key.data;
    return true;
}

static bool read_colon(struct pass *pass)
{
    if (skip_space(pass) != ':')
        return fail(pass, "expected ':'");
    pass->at++;
    return true;
}

/* From where a key is expected to where its value is; of a member that nobody reads, to its end. */
static bool read_key(struct pass *pass, bool *value_next)
{
    if (skip_space(pass) != '"')
        return fail(pass, "expected a key");
    const char *key_end;
    pass->mask = find_member(pass, pass->masks[pass->depth - 1], &key_end);
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
    return read_key_of(pass, key_end) && read_colon(pass);
}

/* Opens a container; if it is not empty, its first value is next, or was skipped. */
static bool read_opening(struct pass *pass, int type, char closer, bool *value_next)
{
    cJSON *container = add(pass, type);
    if (container == NULL)
        return false;
    if (pass->depth == JSON_MAX_DEPTH)
        return fail_as(pass, JSON_TOO_DEEP, "nested too deep");
    pass->open[pass->depth] = container;
    pass->masks[pass->depth++] = pass->mask;
    pass->at++;
    *value_next = skip_space(pass) != closer;
    return !*value_next || closer == ']' || read_key(pass, value_next);
}

/* Reads a value; of a container that is not empty only as far as to its first value. */
static bool read_value(struct pass *pass, bool *value_next)
{
    int c = skip_space(pass);
    if (pass->values_left-- == 0)
        return fail_as(pass, JSON_NO_MEMORY, "too many values");
    *value_next = false;
    switch (c) {
    case '{':
        return read_opening(pass, cJSON_Object, '}', value_next);
    case '[':
        return read_opening(pass, cJSON_Array, ']', value_next);
    case '"':
        return read_text(pass);
    case 't':
        return read_word(pass, TEXT("true"), cJSON_True);
    case 'f':
        return read_word(pass, TEXT("false"), cJSON_False);
    case 'n':
        return read_word(pass, TEXT("null"), cJSON_NULL);
    case '-':
        return read_number(pass);
    default:
        return is_digit(c) ? read_number(pass) : fail(pass, "expected a value");
    }
}

/* Reads what is behind a value: closings, and the comma that says that another value is next. */
static bool read_closings(struct pass *pass, bool *value_next)
{
    *value_next = false;
    while (!*value_next && pass->depth > 0) {
        bool in_object = is_object(pass);
        int c = skip_space(pass);
        if (c != ',' && c != (in_object ? '}' : ']'))
            return fail(pass, in_object ? "expected ',' or '}'" : "expected ',' or ']'");
        pass->at++;
        if (c != ',') {
            pass->depth--;
        } else if (!in_object) {
            pass->mask = pass->masks[pass->depth - 1];
            *value_next = true;
        } else if (!read_key(pass, value_next)) {
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

enum json_result json_parse(const struct mask *mask, size_t max_values, struct text text, char *out,
                            struct pool *nodes, struct json_parsed *result)
{
    /* NULL + 0 is not defined in C. */
    const char *start = text.length > 0 ? text.data : "";
    struct pass pass = {.at = start,
                        .end = start + text.length,
                        .out = out,
                        .nodes = nodes,
                        .mask = mask,
                        .values_left = max_values};
    if (read_document(&pass)) {
        *result = (struct json_parsed){.root = pass.root};
        return JSON_OK;
    }
    *result = (struct json_parsed){.offset = (size_t)(pass.at - start), .what = pass.what};
    return pass.result;
}
