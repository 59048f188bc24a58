/* kube_list: reading of a list's metadata (see kube_list.h). */
#include "lib/apiserver/kube_list.h"

#include "lib/rows/row.h"

/* Copies the text of the member, if it has one. False if the text does not fit. */
static bool copy_member(const json_value *metadata, const char *key, char *to, size_t size)
{
    struct text text;
    if (!json_text(json_member(metadata, key), &text))
        return true;
    if (text.length >= size)
        return false;
    memcpy(to, text.data, text.length + 1);
    return true;
}

void kube_list_read(struct json *json, struct text around, struct kube_list *list)
{
    const json_value *root = NULL;
    struct text version;
    *list = (struct kube_list){.whole = around.length > 0};
    if (!list->whole)
        return;
    if (json_read(json, around, &root, NULL) != JSON_OK) {
        list->damaged = true;
        return;
    }
    const json_value *metadata = json_member(root, "metadata");
    list->damaged =
        !copy_member(metadata, "resourceVersion", list->version, sizeof(list->version)) ||
        !copy_member(metadata, "continue", list->next_page, sizeof(list->next_page)) ||
        (json_text(json_member(metadata, "resourceVersion"), &version) &&
         !version_is_valid(version));
}
