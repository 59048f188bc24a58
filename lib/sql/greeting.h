/* greeting: the first packet of a MariaDB or MySQL server: who it is, or why it refuses the client. */
#ifndef LIB_GREETING_H
#define LIB_GREETING_H

#include "lib/base/text.h"

#include <stdbool.h>

/* The longest packet that is read, in bytes with its header. Those of real servers have about 100. */
#define GREETING_MAX 1024

enum greeting_kind {
    GREETING_UNFINISHED, /* further bytes decide which of the others it is */
    GREETING_SERVER,
    GREETING_REFUSAL,
    GREETING_ALIEN, /* the peer is neither MariaDB nor MySQL */
};

struct greeting {
    enum greeting_kind kind;
    char version[128]; /* of a GREETING_SERVER: "10.11.19-MariaDB" */
    bool offers_tls;   /* of a GREETING_SERVER */
    unsigned number;   /* of a GREETING_REFUSAL: the server's error number ... */
    char text[512];    /* ... and its message */
};

/* Reads the packet. bytes: everything that the peer has sent until now. */
void greeting_read(struct greeting *greeting, struct text bytes);

#endif
