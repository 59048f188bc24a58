/* socket_file: a listening Unix socket and the file it is reached by.
 *
 * A file that a dead process left behind is replaced; a socket that somebody listens on is not, and
 * nothing but a socket is ever removed. Producers of the same user or group may connect. */
#ifndef SIDECAR_SOCKET_FILE_H
#define SIDECAR_SOCKET_FILE_H

#include "lib/base/error.h"

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#define SOCKET_FILE_MODE 0660

struct socket_file {
    int fd; /* listening, non-blocking; -1: not open */
    struct sockaddr_un address;
    dev_t device; /* of the file, to know it again */
    ino_t inode;
};

/* path: shorter than sun_path. On failure the text says what to do, and fd is -1. */
enum error_code socket_file_open(struct socket_file *file, const char *path,
                                 struct error *err) MUST_CHECK;

/* False once the file is not the one that was made: nobody can connect any more. */
bool socket_file_is_there(const struct socket_file *file);

/* Makes the file again, with a new socket under the same fd: connections that were accepted stay, those
 * that were not are closed. On failure all is as before. */
enum error_code socket_file_renew(struct socket_file *file, struct error *err) MUST_CHECK;

/* Removes the file if it is still the one that was made, and closes fd. Harmless if not open. */
void socket_file_close(struct socket_file *file);

#endif
