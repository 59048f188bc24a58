/* credentials: the account's name and password, from the settings or from the files that these name. */
#ifndef SIDECAR_CREDENTIALS_H
#define SIDECAR_CREDENTIALS_H

#include "lib/base/error.h"
#include "lib/settings/config.h"

struct credentials {
    char user[CONFIG_TEXT_SIZE];
    char password[CONFIG_TEXT_SIZE];
};

/* Reads what is there now: a Secret that is mounted as files may have been changed since the last
 * time. ERROR_OPERATOR: a file is missing, no file, empty, too long, or holds what no name or
 * password does; the text names the setting and the file, never what is in it. Then *credentials is
 * wiped. */
enum error_code credentials_read(const struct config *config, struct credentials *credentials,
                                 struct error *err) MUST_CHECK;

/* After each use. */
void credentials_wipe(struct credentials *credentials);

#endif
