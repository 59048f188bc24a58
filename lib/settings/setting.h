/* setting: the description of each setting, and how its values are written. Only lib/settings includes it. */
#ifndef LIB_SETTING_H
#define LIB_SETTING_H

#include "lib/base/buffer.h"
#include "lib/settings/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting_type {
    TYPE_TEXT,   /* char[CONFIG_TEXT_SIZE] */
    TYPE_SECRET, /* the same, never shown; blanks at its ends may be meant */
    TYPE_NUMBER, /* int64_t */
    TYPE_SIZE,   /* int64_t, bytes */
    TYPE_CHOICE, /* an enum: the number of one of the names in a list */
};

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;        /* in struct config */
    int64_t min, max;     /* of a number or size; bytes of a text; min of a choice: its list */
    const char *fallback; /* as a person would write it; "": empty */
    const char *help;     /* one or more sentences without the last full stop */
};

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* The table of all settings; it ends in .name == NULL. */
extern const struct setting settings[];

/* The lists of names that settings of TYPE_CHOICE may have; .min is the list's place here. Each list ends in
 * NULL. */
extern const char *const *const setting_choices[];

struct size_unit {
    const char *name;
    int64_t bytes;
};

/* The units of sizes, the largest first; the last one is the byte, which is written as "". */
#define SIZE_UNIT_COUNT 4
extern const struct size_unit size_units[SIZE_UNIT_COUNT];

static inline bool setting_is_text(const struct setting *setting)
{
    return setting->type == TYPE_TEXT || setting->type == TYPE_SECRET;
}

/* Whether the variable is a service link: Kubernetes gives every container, for each Service NAME of its
 * namespace, a variable NAME_PORT that is an address. A Service called mysql makes
 * MYSQL_PORT=tcp://10.96.0.5:3306. */
bool setting_is_service_link(struct text name, struct text value);

/* Appends which values the setting takes ("1 to 16"); nothing for texts. */
void setting_append_values(struct buffer *out, const struct setting *setting);

#endif
