/* greeting: "Protocol::HandshakeV10" and "ERR_Packet" of MySQL's client/server protocol. */
#include "lib/sql/greeting.h"

#include <stddef.h>
#include <stdio.h>

#define HEADER_BYTES   4 /* three of length, one of sequence */
#define PROTOCOL       10
#define ERROR_PACKET   0xFF
#define CAPABILITY_TLS 0x0800

/* Between the version and the capabilities stand the connection's number, a scramble and a filler. */
#define SKIPPED_BYTES (4 + 8 + 1)

/* A MariaDB puts this in front of its version, so that old clients take it for a MySQL. */
#define MARIADB_PREFIX TEXT("5.5.5-")

static unsigned byte_at(struct text bytes, size_t at)
{
    return (unsigned char)bytes.data[at];
}

static unsigned little_16(struct text bytes, size_t at)
{
    return byte_at(bytes, at) | byte_at(bytes, at + 1) << 8;
}

void greeting_read(struct greeting *greeting, struct text bytes)
{
    *greeting = (struct greeting){.kind = GREETING_UNFINISHED};
    if (bytes.length < HEADER_BYTES + 1)
        return;
    size_t length = little_16(bytes, 0) | (size_t)byte_at(bytes, 2) << 16;
    unsigned first = byte_at(bytes, HEADER_BYTES);
    bool is_ours = length > 0 && length <= GREETING_MAX - HEADER_BYTES && byte_at(bytes, 3) == 0 &&
                   (first == PROTOCOL || first == ERROR_PACKET);
    if (is_ours && bytes.length < HEADER_BYTES + length)
        return;
    greeting->kind = GREETING_ALIEN;
    if (!is_ours)
        return;

    struct text rest = {bytes.data + HEADER_BYTES + 1, length - 1};
    if (first == ERROR_PACKET && rest.length >= 2) {
        greeting->kind = GREETING_REFUSAL;
        greeting->number = little_16(rest, 0);
        rest = text_skip(rest, 2);
        if (rest.length >= 6 && rest.data[0] == '#') /* an SQLSTATE */
            rest = text_skip(rest, 6);
        snprintf(greeting->text, sizeof(greeting->text), "%.*s", (int)rest.length, rest.data);
    } else if (first == PROTOCOL) {
        struct text version = {rest.data, strnlen(rest.data, rest.length)};
        size_t capabilities = version.length + 1 + SKIPPED_BYTES;
        if (capabilities + 2 > rest.length)
            return;
        greeting->kind = GREETING_SERVER;
        greeting->offers_tls = (little_16(rest, capabilities) & CAPABILITY_TLS) != 0;
        if (version.length > MARIADB_PREFIX.length && text_starts_with(version, MARIADB_PREFIX))
            version = text_skip(version, MARIADB_PREFIX.length);
        text_copy(greeting->version, sizeof(greeting->version), version);
    }
}
