/* requirements: the members of all containers are collected, sorted by name, and added up (see requirements.h). */
#include "lib/kube/requirements.h"

#include "lib/kube/quantity.h"

/* A member's group is the number of its container; from this one on they are init containers. */
#define FIRST_INIT_GROUP UINT32_C(0x80000000)

const char *const requirements_paths[] = {
    "containers resources limits",
    "containers resources requests",
    "initContainers resources limits",
    "initContainers resources requests",
    NULL,
};

bool requirements_overflow(const struct buffer *out)
{
    return out->failed || out->length > TEXT_MAX_BYTES;
}

void requirements_write_name(struct json_writer *writer, struct text key)
{
    if (key.length > TEXT_MAX_BYTES + 1)
        key.length = TEXT_MAX_BYTES + 1;
    json_write_name(writer, key);
}

static void collect(struct requirements *requirements, struct object *object,
                    const json_value *containers, uint32_t group)
{
    for (const json_value *c = json_first(containers); c != NULL; c = json_next(c), group++) {
        const json_value *wanted = object_child(object, c, "resources");
        members_add(&requirements->limits, object_child(object, wanted, "limits"), group);
        members_add(&requirements->requests, object_child(object, wanted, "requests"), group);
    }
}

/* A JSON number is read as its text, null as zero. */
static enum error_code read_quantity(const json_value *value, struct quantity *quantity)
{
    struct text text;
    char number[JSON_NUMBER_SIZE];
    *quantity = (struct quantity){0};
    if (json_type(value) == JSON_NULL)
        return ERROR_NONE;
    if (!json_text(value, &text) && !json_number_text(value, number, &text))
        return ERROR_INPUT;
    return quantity_parse(text, quantity);
}

/* Adds up items[0..count), which have one name. False if one of them is bad: the total is then unknown. */
static bool add_up(struct object *object, const struct member *items, size_t count,
                   struct quantity_total *total)
{
    uint32_t bad = 0;
    *total = (struct quantity_total){0};
    for (size_t i = 0; i < count; i++) {
        struct quantity quantity;
        enum error_code code = read_quantity(items[i].value, &quantity);
        if (code == ERROR_NONE && items[i].group >= FIRST_INIT_GROUP)
            quantity_total_add_init(total, &quantity);
        else if (code == ERROR_NONE)
            code = quantity_total_add(total, &quantity);
        if (code != ERROR_NONE)
            bad++;
    }
    object->bad_quantities += bad;
    return bad == 0;
}

/* Returns the text of the total of items[0..count), which have one name; "" if it is unknown. A single quantity
 * that can be written unchanged is. The text may be in total_text. */
static struct text total_of(struct object *object, const struct member *items, size_t count,
                            char total_text[QUANTITY_TEXT_SIZE])
{
    struct text text = TEXT("");
    struct quantity_total total;
    if (count == 1 && json_text(items->value, &text))
        text = quantity_verbatim(text);
    if (text.length > 0 || !add_up(object, items, count, &total))
        return text;
    return (struct text){total_text, quantity_format(quantity_total_get(&total), total_text)};
}

/* Writes the totals as an object with the name `name`; nothing if there are none. */
static void write_list(struct members *members, struct object *object, const char *name,
                       struct json_writer *writer)
{
    const struct member *items = members->items;
    bool open = false;
    /* If there were too many members to keep them all, no total is known. All are dropped and counted as bad. */
    if (members->left_out > 0) {
        object->bad_quantities += (uint32_t)(members->count + members->left_out);
        members_reset(members);
    }
    members_sort(members);
    for (size_t i = 0, run = 1; i < members->count && !requirements_overflow(writer->out);
         i += run) {
        char total_text[QUANTITY_TEXT_SIZE];
        for (run = 1; i + run < members->count && text_equal(items[i + run].key, items[i].key);)
            run++;
        struct text total = total_of(object, &items[i], run, total_text);
        if (total.length == 0)
            continue;
        if (!open)
            json_begin_object(writer, name);
        open = true;
        requirements_write_name(writer, items[i].key);
        json_write_text(writer, NULL, total);
    }
    if (open)
        json_end(writer);
}

void requirements_write(struct requirements *requirements, struct object *object,
                        const json_value *pod_spec, struct json_writer *writer)
{
    members_reset(&requirements->limits);
    members_reset(&requirements->requests);
    collect(requirements, object, object_list(object, pod_spec, "containers"), 0);
    collect(requirements, object, object_list(object, pod_spec, "initContainers"),
            FIRST_INIT_GROUP);

    json_begin_object(writer, NULL);
    write_list(&requirements->limits, object, "limits", writer);
    write_list(&requirements->requests, object, "requests", writer);
    json_end(writer);
}
