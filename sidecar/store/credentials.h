/* credentials: the account's name and password, from the settings or from the files that the settings
 * name. */
#ifndef SIDECAR_CREDENTIALS_H
#define SIDECAR_CREDENTIALS_H

#include "lib/base/error.h"
#include "lib/settings/config.h"

struct credentials {
    char user[CONFIG_TEXT_SIZE];
    char password[CONFIG_TEXT_SIZE];
};

/* Reads the present values: a Secret that is mounted as files may have changed since the last call.
 * ERROR_OPERATOR: a file is missing, not a regular file, empty, too long, or contains what no name or
 * password does. The text names the setting and the file, never its content, and *credentials is wiped. */
enum error_code credentials_read(const struct config *config, struct credentials *credentials,
                                 struct error *err) MUST_CHECK;

/* Overwrites the credentials. To be called after each use. */
void credentials_wipe(struct credentials *credentials);

#endif
