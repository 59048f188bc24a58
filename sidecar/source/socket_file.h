/* socket_file: a listening Unix socket and its file in the file system.
 *
 * A socket file that a dead process left behind is replaced. A socket that a process listens on is not, and
 * a file that is no socket is never removed. Producers of the same user or group may connect. */
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
    dev_t device; /* with the inode: to recognise the file */
    ino_t inode;
};

/* path is shorter than sun_path. If it fails, err says what to do, and fd is -1. */
enum error_code socket_file_open(struct socket_file *file, const char *path,
                                 struct error *err) MUST_CHECK;

/* False if the file is gone or is another one: then no producer can connect any more. */
bool socket_file_is_there(const struct socket_file *file);

/* Makes the file again, with a new socket under the same fd. Connections that were accepted stay open; those
 * that still waited are closed by the kernel. If it fails, nothing has changed. */
enum error_code socket_file_renew(struct socket_file *file, struct error *err) MUST_CHECK;

/* Removes the file if it is still the one that was made, and closes fd. Does nothing if fd is -1. */
void socket_file_close(struct socket_file *file);

#endif
