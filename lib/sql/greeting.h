/* greeting: the first packet of a MariaDB or MySQL server: who it is, or why it will not talk. */
#ifndef LIB_GREETING_H
#define LIB_GREETING_H

#include "lib/base/text.h"

#include <stdbool.h>

#define GREETING_MAX 1024 /* bytes of the packet, with its head; those of real servers have 100 */

enum greeting_kind {
    GREETING_UNFINISHED, /* more bytes may make it one of the others */
    GREETING_SERVER,
    GREETING_REFUSAL,
    GREETING_ALIEN, /* what speaks there is neither MariaDB nor MySQL */
};

struct greeting {
    enum greeting_kind kind;
    char version[128]; /* of a server: "10.11.19-MariaDB"; without what MariaDB puts in front */
    bool offers_tls;
    unsigned number; /* of a refusal: the server's error number */
    char text[512];  /* and what it says */
};

/* bytes: all that has come until now. */
void greeting_read(struct greeting *greeting, struct text bytes);

#endif
