/* head: what the beginning of a line says about its object, when the whole line is not there. */
#ifndef LIB_HEAD_H
#define LIB_HEAD_H

#include "lib/base/text.h"

struct head { /* pieces of the line as they stand there, escapes included; "" if not found */
    struct text type; /* of the event */
    struct text api_version;
    struct text kind;
    struct text namespace;
    struct text name;
    struct text uid;
    struct text version; /* metadata.resourceVersion */
};

/* Looks for type, object.{apiVersion,kind} and object.metadata.{namespace,name,uid,resourceVersion} in
 * the beginning of an event, or in all of it. It may end anywhere and need not be JSON. */
void head_scan(struct text beginning, struct head *head);

#endif
