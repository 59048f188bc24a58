/* remarks: variables of the environment that a person should know of, although none of them is a setting with
 * a wrong value: a name that somebody has taken for a setting's, and an address that Kubernetes has set. */
#ifndef LIB_REMARKS_H
#define LIB_REMARKS_H

#include "lib/base/text.h"

struct remark {
    struct text variable; /* its name; borrowed from the environment */
    const char
        *setting; /* the setting that is probably meant; NULL: the variable is a setting, and its
                             value is a service link, which counts as not set */
};

typedef void remark_say(void *context, const struct remark *remark);

/* Calls say() for each such variable among environment, which has "NAME=value" texts and ends in NULL. */
void remarks_make(char *const *environment, remark_say *say, void *context);

#endif
