/* greeting: "Protocol::HandshakeV10" and "ERR_Packet" of MySQL's client/server protocol. */
#include "lib/sql/greeting.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define HEAD_BYTES     4 /* three of length, one of sequence */
#define PROTOCOL       10
#define ERROR_PACKET   0xFF
#define CAPABILITY_TLS 0x0800

/* Between the version and the capabilities: connection, scramble, filler. */
#define SKIPPED_BYTES (4 + 8 + 1)

/* So that old clients take a MariaDB for a MySQL, it gives itself a version in front. */
#define MARIADB_PREFIX "5.5.5-"

static unsigned byte_at(struct text bytes, size_t at)
{
    return (unsigned char)bytes.data[at];
}

static unsigned little_16(struct text bytes, size_t at)
{
    return byte_at(bytes, at) | byte_at(bytes, at + 1) << 8;
}

static void read_refusal(struct greeting *greeting, struct text payload)
{
    if (payload.length < 3)
        return;
    greeting->kind = GREETING_REFUSAL;
    greeting->number = little_16(payload, 1);
    struct text rest = {payload.data + 3, payload.length - 3};
    if (rest.length >= 6 && rest.data[0] == '#') /* with an SQLSTATE */
        rest = (struct text){rest.data + 6, rest.length - 6};
    snprintf(greeting->text, sizeof(greeting->text), "%.*s", (int)rest.length, rest.data);
}

static void read_server(struct greeting *greeting, struct text payload)
{
    const char *version = payload.data + 1;
    const char *end = memchr(version, '\0', payload.length - 1);
    size_t at = end != NULL ? (size_t)(end - payload.data) + 1 + SKIPPED_BYTES : 0;
    if (end == NULL || at + 2 > payload.length)
        return;
    const size_t prefix = sizeof(MARIADB_PREFIX) - 1;
    if ((size_t)(end - version) > prefix && memcmp(version, MARIADB_PREFIX, prefix) == 0)
        version += prefix;
    greeting->kind = GREETING_SERVER;
    greeting->offers_tls = (little_16(payload, at) & CAPABILITY_TLS) != 0;
    snprintf(greeting->version, sizeof(greeting->version), "%s", version);
}

void greeting_read(struct greeting *greeting, struct text bytes)
{
    *greeting = (struct greeting){.kind = GREETING_ALIEN};
    if (bytes.length < HEAD_BYTES + 1) {
        greeting->kind = GREETING_UNFINISHED;
        return;
    }
    size_t length = little_16(bytes, 0) | (size_t)byte_at(bytes, 2) << 16;
    unsigned first = byte_at(bytes, HEAD_BYTES);
    if (length == 0 || length > GREETING_MAX - HEAD_BYTES || byte_at(bytes, 3) != 0 ||
        (first != PROTOCOL && first != ERROR_PACKET))
        return;
    if (bytes.length < HEAD_BYTES + length) {
        greeting->kind = GREETING_UNFINISHED;
        return;
    }
    struct text payload = {bytes.data + HEAD_BYTES, length};
    if (first == ERROR_PACKET)
        read_refusal(greeting, payload);
    else
        read_server(greeting, payload);
}
