/* kube_list: a scan that follows brackets, strings and the keys down to those of the metadata. */
#include "lib/apiserver/kube_list.h"

#include "lib/rows/row.h"

void kube_list_init(struct kube_list *list)
{
    *list = (struct kube_list){0};
}

static bool may_matter(const struct kube_list *list)
{
    return list->depth == 1 || (list->depth == 2 && list->in_metadata);
}

static struct text text_of(const struct kube_list *list)
{
    return (struct text){list->text, list->text_length};
}

static enum kube_list_key key_named(const struct kube_list *list)
{
    if (list->depth == 1)
        return text_is(text_of(list), "metadata") ? KUBE_LIST_METADATA : KUBE_LIST_OTHER;
    if (text_is(text_of(list), "resourceVersion"))
        return KUBE_LIST_VERSION;
    return text_is(text_of(list), "continue") ? KUBE_LIST_CONTINUE : KUBE_LIST_OTHER;
}

/* A value that has an escape in it, or does not fit, is none that is known. */
static void take_value(struct kube_list *list, char *to, size_t size)
{
    struct text value = text_of(list);
    if (value.length >= size || memchr(value.data, '\\', value.length) != NULL) {
        list->damaged = true;
        return;
    }
    memcpy(to, value.data, value.length);
    to[value.length] = '\0';
}

static void end_string(struct kube_list *list)
{
    if (list->previous != ':')
        list->key = key_named(list);
    else if (list->key == KUBE_LIST_VERSION)
        take_value(list, list->version, sizeof(list->version));
    else if (list->key == KUBE_LIST_CONTINUE)
        take_value(list, list->next_page, sizeof(list->next_page));
    if (list->version[0] != '\0' && !version_is_valid(text_from(list->version)))
        list->damaged = true;
}

static void in_string(struct kube_list *list, char c)
{
    bool ends = c == '"' && !list->escaped;
    list->escaped = c == '\\' && !list->escaped;
    if (ends) {
        list->in_string = false;
        if (may_matter(list))
            end_string(list);
        list->previous = '"';
    } else if (may_matter(list) && list->text_length < sizeof(list->text)) {
        list->text[list->text_length++] = c;
    }
}

static void open_bracket(struct kube_list *list, char c)
{
    list->depth++;
    if (list->depth == 2)
        list->in_metadata = c == '{' && list->previous == ':' && list->key == KUBE_LIST_METADATA;
    list->key = KUBE_LIST_OTHER;
}

static void outside_strings(struct kube_list *list, char c)
{
    switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return;
    case '"':
        list->in_string = true;
        list->text_length = 0;
        return;
    case '{':
    case '[':
        open_bracket(list, c);
        break;
    case '}':
    case ']':
        if (list->depth > 0 && --list->depth == 0)
            list->whole = true;
        break;
    default:
        break;
    }
    list->previous = c;
}

void kube_list_feed(struct kube_list *list, struct text bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        if (list->in_string)
            in_string(list, bytes.data[i]);
        else
            outside_strings(list, bytes.data[i]);
    }
}
