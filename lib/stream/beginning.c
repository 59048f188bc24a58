/* beginning: the marks of other formats (see beginning.h). */
#include "lib/stream/beginning.h"

#define IS(what) "this file or stream is " what "; nothing of it is taken"
#define COMPRESSED(by, tool)                                                                       \
    IS("compressed by " by ": unpack it, as by " tool " FILE | kubedl-shipper replay -")
#define UTF16 IS("UTF-16: write it as UTF-8")
#define YAML  IS("YAML: write it as JSON, as kubectl get -o json does")
#define TABLE IS("a table for people: write it as JSON, as kubectl get -o json does")

/* What a stream of another kind begins with. */
static const struct mark {
    struct text bytes;
    const char *refusal;
} marks[] = {
    {{"\xff\xfe", 2}, UTF16},
    {{"\xfe\xff", 2}, UTF16},
    {{"{\0", 2}, UTF16},
    {{"\0{", 2}, UTF16},
    {{"[\0", 2}, UTF16},
    {{"\0[", 2}, UTF16},
    {{"\x1f\x8b", 2}, COMPRESSED("gzip", "zcat")},
    {{"\x28\xb5\x2f\xfd", 4}, COMPRESSED("zstd", "zstdcat")},
    {{"\xfd"
      "7zXZ",
      5},
     COMPRESSED("xz", "xzcat")},
    {{"BZh", 3}, COMPRESSED("bzip2", "bzcat")},
    {{"PK\x03\x04", 4}, COMPRESSED("zip", "unzip -p")},
    {{"<", 1}, IS("HTML or XML, perhaps the error of a proxy: look at it")},
    {{"---", 3}, YAML},
    {{"- ", 2}, YAML},
    {{"NAME ", 5}, TABLE},
    {{"NAMESPACE ", 10}, TABLE},
};

/* True if the text begins with `key:`, as a mapping of YAML does. */
static bool is_mapping(struct text text)
{
    size_t i = 0;
    while (i < text.length && ((text.data[i] | 0x20) >= 'a' && (text.data[i] | 0x20) <= 'z'))
        i++;
    return i > 0 && i + 1 < text.length && text.data[i] == ':' &&
           (text.data[i + 1] == ' ' || text.data[i + 1] == '\n' || text.data[i + 1] == '\r');
}

const char *beginning_refuse(struct text beginning)
{
    if (beginning.length > BEGINNING_SIZE)
        beginning.length = BEGINNING_SIZE;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (text_starts_with(beginning, marks[i].bytes))
            return marks[i].refusal;
    }
    while (beginning.length > 0 && beginning.data[0] == '#') /* comments of YAML */
        (void)text_take_line(&beginning);
    if (is_mapping(beginning))
        return YAML;
    char first = beginning.length > 1 ? beginning.data[0] : '{';
    bool is_json = first != '\0' && strchr("{[ \t\r\n", first) != NULL;
    if (!is_json && memchr(beginning.data, '\0', beginning.length) != NULL)
        return IS("binary: give the JSON that kubectl get -o json or a watch prints");
    return NULL;
}
