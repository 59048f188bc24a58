/* json_model: recursive descent, one byte at a time (see json_model.h). */
#include "test/support/json_model.h"

#include <stdio.h>
#include <stdlib.h>

const char *const json_model_paths[] = {
    "a", "b a", "b b * a", "b b * b b", "b b * \x7f", "managedFields managedFields", NULL};

/* What is read of a value: all, or the rests of paths. */
struct scope {
    bool all;
    size_t count;
    const char *rests[JSON_MODEL_PATHS];
};

struct model {
    struct text in;
    size_t at;
    size_t depth;
    struct scope scope; /* of the value that is next */
    struct buffer *out;
    enum json_result result;
};

static bool model_value(struct model *m);

static bool refuse(struct model *m, enum json_result result)
{
    m->result = result;
    return false;
}

/* The next byte, 0 at the end: a NUL is nowhere allowed. */
static unsigned char next(const struct model *m)
{
    return m->at < m->in.length ? (unsigned char)m->in.data[m->at] : 0;
}

static void space(struct model *m)
{
    while (next(m) != 0 && strchr(" \t\r\n", next(m)) != NULL)
        m->at++;
}

static bool expect(struct model *m, char c)
{
    space(m);
    if (next(m) != (unsigned char)c)
        return refuse(m, JSON_MALFORMED);
    m->at++;
    return true;
}

/* ---- strings --------------------------------------------------------------------------------- */

static void put_code_point(struct buffer *out, uint32_t code)
{
    if (code < 0x80) {
        buffer_append_char(out, (char)code);
    } else if (code < 0x800) {
        buffer_append_char(out, (char)(0xc0 | code >> 6));
        buffer_append_char(out, (char)(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
        buffer_append_char(out, (char)(0xe0 | code >> 12));
        buffer_append_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
        buffer_append_char(out, (char)(0x80 | (code & 0x3f)));
    } else {
        buffer_append_char(out, (char)(0xf0 | code >> 18));
        buffer_append_char(out, (char)(0x80 | (code >> 12 & 0x3f)));
        buffer_append_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
        buffer_append_char(out, (char)(0x80 | (code & 0x3f)));
    }
}

/* Decodes by arithmetic and then asks whether the result may be written so. */
static uint32_t take_utf8(struct model *m)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = next(m);
    size_t length = first >= 0xf8 ? 0 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    uint32_t code = first & (0x7fu >> length);
    bool valid = first >= 0xc0 && length != 0 && m->in.length - m->at >= length;
    for (size_t i = 1; valid && i < length; i++) {
        unsigned char byte = (unsigned char)m->in.data[m->at + i];
        valid = (byte & 0xc0) == 0x80;
        code = code << 6 | (byte & 0x3f);
    }
    valid = valid && code >= smallest[length] && code <= 0x10ffff &&
            !(code >= 0xd800 && code <= 0xdfff);
    m->at += valid ? length : 1;
    return valid ? code : 0xfffd;
}

/* The four digits at `at`, or -1. */
static long hex4(const struct model *m, size_t at)
{
    char digits[5] = "";
    if (at > m->in.length || m->in.length - at < 4)
        return -1;
    memcpy(digits, m->in.data + at, 4);
    return strspn(digits, "0123456789abcdefABCDEF") == 4 ? strtol(digits, NULL, 16) : -1;
}

/* Behind "\u". */
static bool take_unicode(struct model *m, uint32_t *code)
{
    long unit = hex4(m, m->at);
    if (unit < 0)
        return refuse(m, JSON_MALFORMED);
    m->at += 4;
    *code = (uint32_t)unit;
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    *code = 0xfffd;
    if (unit > 0xdbff || m->in.length - m->at < 6 || memcmp(m->in.data + m->at, "\\u", 2) != 0)
        return true;
    long low = hex4(m, m->at + 2);
    if (low >= 0xdc00 && low <= 0xdfff) {
        *code = 0x10000 + ((uint32_t)unit - 0xd800) * 0x400 + ((uint32_t)low - 0xdc00);
        m->at += 6;
    }
    return true;
}

static bool take_escape(struct model *m, uint32_t *code)
{
    static const char letters[] = "\"\\/bfnrtu";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter = next(m) == 0 ? NULL : strchr(letters, next(m));
    if (letter == NULL)
        return refuse(m, JSON_MALFORMED);
    m->at++;
    if (*letter == 'u')
        return take_unicode(m, code);
    *code = (unsigned char)meanings[letter - letters];
    return true;
}

static bool model_string(struct model *m, char tag)
{
    struct buffer decoded;
    bool ok = expect(m, '"');
    buffer_init(&decoded, m->in.length * 3);
    while (ok && next(m) != '"') {
        uint32_t code = next(m);
        if (code < 0x20) {
            ok = refuse(m, JSON_MALFORMED);
        } else if (code >= 0x80) {
            code = take_utf8(m);
        } else {
            m->at++;
            if (code == '\\')
                ok = take_escape(m, &code);
        }
        if (ok)
            put_code_point(&decoded, code == 0 ? 0xfffd : code);
    }
    if (ok) {
        m->at++;
        buffer_appendf(m->out, "%c%zu:", tag, decoded.length);
        buffer_append(m->out, buffer_text(&decoded));
    }
    buffer_fini(&decoded);
    return ok;
}

/* ---- the other values ------------------------------------------------------------------------ */

enum number_state { START, MINUS, ZERO, INTEGER, POINT, FRACTION, E, SIGN, EXPONENT, STOP };

static enum number_state number_step(enum number_state state, unsigned char c)
{
    bool digit = c >= '0' && c <= '9';
    switch (state) {
    case START:
        if (c == '-')
            return MINUS;
        /* fallthrough */
    case MINUS:
        return c == '0' ? ZERO : digit ? INTEGER : STOP;
    case INTEGER:
        if (digit)
            return INTEGER;
        /* fallthrough */
    case ZERO:
        return c == '.' ? POINT : c == 'e' || c == 'E' ? E : STOP;
    case POINT:
        return digit ? FRACTION : STOP;
    case FRACTION:
        return digit ? FRACTION : c == 'e' || c == 'E' ? E : STOP;
    case E:
        if (c == '+' || c == '-')
            return SIGN;
        /* fallthrough */
    case SIGN:
    case EXPONENT:
        return digit ? EXPONENT : STOP;
    default:
        return STOP;
    }
}

#define LONGEST_NUMBER 64 /* with its NUL */

/* With the fewest digits that mean the same number. */
static void write_double(struct buffer *out, double number)
{
    char text[LONGEST_NUMBER];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    buffer_appendf(out, "n%zu:%s", strlen(text), text);
}

static bool model_number(struct model *m)
{
    size_t start = m->at;
    enum number_state state = START;
    enum number_state following = number_step(state, next(m));
    while (following != STOP) {
        state = following;
        m->at++;
        following = number_step(state, next(m));
    }
    if (state != ZERO && state != INTEGER && state != FRACTION && state != EXPONENT)
        return refuse(m, JSON_MALFORMED);
    if (m->at - start >= LONGEST_NUMBER)
        return refuse(m, JSON_MALFORMED);
    char number[LONGEST_NUMBER] = "";
    memcpy(number, m->in.data + start, m->at - start);
    write_double(m->out, strtod(number, NULL));
    return true;
}

static bool model_word(struct model *m, const char *word)
{
    if (m->in.length - m->at < strlen(word) || memcmp(m->in.data + m->at, word, strlen(word)) != 0)
        return refuse(m, JSON_MALFORMED);
    m->at += strlen(word);
    buffer_append_char(m->out, *word == 'n' ? 'z' : *word);
    return true;
}

/* Of the member of that key; raw as it stands in the text. */
static struct scope scope_below(const struct scope *scope, struct text raw)
{
    struct scope below = {.all = scope->all};
    for (size_t i = 0; i < scope->count; i++) {
        const char *path = scope->rests[i];
        size_t length = strcspn(path, " ");
        struct text key = {path, length};
        if (!text_is(key, "*") && !text_equal(key, raw))
            continue;
        if (path[length] == '\0')
            below.all = true;
        else
            below.rests[below.count++] = path + length + 1;
    }
    if (below.count == 0 && raw.length > 0 && memchr(raw.data, '\\', raw.length) != NULL)
        below.all = true;
    return below;
}

static bool model_member(struct model *m)
{
    size_t before = m->out->length;
    struct scope scope = m->scope;
    space(m);
    size_t start = m->at;
    if (!model_string(m, 'k'))
        return false;
    struct text raw = {m->in.data + start + 1, m->at - start - 2};
    m->scope = scope_below(&scope, raw);
    bool is_read = m->scope.all || m->scope.count > 0;
    if (!expect(m, ':') || !model_value(m))
        return false;
    if (!is_read)
        m->out->length = before;
    m->scope = scope;
    return true;
}

static bool model_container(struct model *m, char opening, char closing)
{
    if (m->depth == JSON_MAX_DEPTH)
        return refuse(m, JSON_TOO_DEEP);
    m->depth++;
    m->at++;
    buffer_append_char(m->out, opening);
    space(m);
    if (next(m) != (unsigned char)closing) {
        for (;;) {
            if (!(opening == '{' ? model_member(m) : model_value(m)))
                return false;
            space(m);
            if (next(m) != ',')
                break;
            m->at++;
        }
    }
    m->depth--;
    buffer_append_char(m->out, closing);
    return expect(m, closing);
}

static bool model_value(struct model *m)
{
    space(m);
    switch (next(m)) {
    case '{':
        return model_container(m, '{', '}');
    case '[':
        return model_container(m, '[', ']');
    case '"':
        return model_string(m, 's');
    case 't':
        return model_word(m, "true");
    case 'f':
        return model_word(m, "false");
    case 'n':
        return model_word(m, "null");
    default:
        return model_number(m);
    }
}

enum json_result json_model(struct text text, const char *const *paths, struct buffer *out)
{
    struct model m = {.in = text, .scope = {.all = paths == NULL}, .out = out};
    for (; paths != NULL && paths[m.scope.count] != NULL; m.scope.count++)
        m.scope.rests[m.scope.count] = paths[m.scope.count];
    if (!model_value(&m))
        return m.result;
    space(&m);
    return m.at == text.length ? JSON_OK : JSON_MALFORMED;
}

/* ---- the transcript -------------------------------------------------------------------------- */

static void write_text(struct buffer *out, char tag, struct text text)
{
    buffer_appendf(out, "%c%zu:", tag, text.length);
    buffer_append(out, text);
}

static void write_elements(const json_value *value, struct buffer *out)
{
    bool is_object = json_type(value) == JSON_OBJECT;
    buffer_append_char(out, is_object ? '{' : '[');
    for (const json_value *e = json_first(value); e != NULL; e = json_next(e)) {
        if (is_object)
            write_text(out, 'k', json_key(e));
        json_transcript(e, out);
    }
    buffer_append_char(out, is_object ? '}' : ']');
}

void json_transcript(const json_value *value, struct buffer *out)
{
    struct text text;
    char number[JSON_NUMBER_SIZE];
    if (json_type(value) == JSON_OBJECT || json_type(value) == JSON_ARRAY)
        write_elements(value, out);
    else if (json_text(value, &text))
        write_text(out, 's', text);
    else if (json_number_text(value, number, &text))
        write_text(out, 'n', text);
    else
        buffer_append_char(out, json_type(value) == JSON_NULL   ? 'z'
                                : json_type(value) == JSON_TRUE ? 't'
                                                                : 'f');
}
