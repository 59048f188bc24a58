/* socket_file: a listening Unix socket and its file in the file system (see socket_file.h).
 *
 * Happy path: the socket is bound, the file's mode is set, its identity is noted, the socket listens. Nobody
 * can connect before listen(), so that nobody connects with a wrong mode.
 *
 * Failure modes:
 *   the file is there, but stale         connect() to it is refused: the file is removed
 *   a process listens on it              an error that says so; the file stays
 *   the file is not a socket             an error that says so; the file stays
 *   no such directory, no permission     an error that says what to do
 *   the file is removed or replaced      socket_file_is_there() tells it; socket_file_renew() makes the
 *   while it is open                     file again, unless another process listens there by now
 *   two processes start at once          one of them fails: a socket looks stale between bind() and
 *                                        listen(), so that all is done under a lock on the directory */
#include "sidecar/source/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 64

static int new_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static const struct sockaddr *address_of(const struct socket_file *file)
{
    return (const struct sockaddr *)&file->address;
}

/* ERROR_NONE if no process listens on the socket. */
static enum error_code check_stale(const struct socket_file *file, struct error *err)
{
    int probe = new_socket();
    if (probe < 0)
        return error_set(err, ERROR_AGAIN, "cannot make a socket: %s", strerror(errno));
    int status = connect(probe, address_of(file), sizeof(file->address));
    int error = status == 0 ? 0 : errno;
    close(probe);

    if (error == ECONNREFUSED || error == ENOENT)
        return ERROR_NONE;
    if (error == 0 || error == EAGAIN || error == EPROTOTYPE)
        return error_set(err, ERROR_OPERATOR,
                         "another process listens on it: stop that one, or use another path");
    return error_set(err, ERROR_OPERATOR,
                     "cannot find out whether another process listens on it: %s", strerror(error));
}

static enum error_code remove_stale(const struct socket_file *file, struct error *err)
{
    const char *path = file->address.sun_path;
    struct stat status;

    if (lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
        return error_set(err, ERROR_OPERATOR,
                         "a file that is not a socket is in its place: remove it, or use another "
                         "path");
    enum error_code code = check_stale(file, err);
    if (code != ERROR_NONE)
        return code;
    if (unlink(path) != 0 && errno != ENOENT)
        return error_set(err, ERROR_OPERATOR, "cannot remove what a dead process left there: %s",
                         strerror(errno));
    return ERROR_NONE;
}

static enum error_code explain_bind(struct error *err, int error)
{
    switch (error) {
    case ENOENT:
        return error_set(err, ERROR_OPERATOR,
                         "its directory does not exist: mount there the volume that is shared with "
                         "the producer");
    case EACCES:
    case EPERM:
        return error_set(err, ERROR_OPERATOR,
                         "user %u may not create it: its directory must be writable for that user "
                         "(in Kubernetes: fsGroup)",
                         geteuid());
    default:
        return error_set(err, ERROR_OPERATOR, "%s", strerror(error));
    }
}

static enum error_code bind_socket(struct socket_file *file, struct error *err)
{
    int status = bind(file->fd, address_of(file), sizeof(file->address));
    if (status != 0 && errno == EADDRINUSE) {
        enum error_code code = remove_stale(file, err);
        if (code != ERROR_NONE)
            return code;
        status = bind(file->fd, address_of(file), sizeof(file->address));
    }
    return status == 0 ? ERROR_NONE : explain_bind(err, errno);
}

/* Sets the mode of the file that bind() has made, and listens. */
static enum error_code open_to_producers(struct socket_file *file, struct error *err)
{
    const char *path = file->address.sun_path;
    struct stat status;

    if (chmod(path, SOCKET_FILE_MODE) != 0 || lstat(path, &status) != 0 ||
        listen(file->fd, BACKLOG) != 0) {
        enum error_code code = error_set(err, ERROR_OPERATOR, "%s", strerror(errno));
        unlink(path);
        return code;
    }
    file->device = status.st_dev;
    file->inode = status.st_ino;
    return ERROR_NONE;
}

/* Sets *lock to the locked directory; ERROR_AGAIN if another process has the lock. If the directory cannot be
 * opened (*lock is -1) or its file system has no locks, it goes on without a lock. */
static enum error_code lock_directory(const struct socket_file *file, int *lock, struct error *err)
{
    char path[sizeof(file->address.sun_path)];
    memcpy(path, file->address.sun_path, sizeof(path));
    *lock = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*lock < 0 || flock(*lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return ERROR_NONE;
    close(*lock);
    return error_set(err, ERROR_AGAIN, "another process opens a socket in its directory just now");
}

static enum error_code open_locked(struct socket_file *file, struct error *err)
{
    file->fd = new_socket();
    if (file->fd < 0)
        return error_set(err, ERROR_AGAIN, "cannot make a socket: %s", strerror(errno));
    enum error_code code = bind_socket(file, err);
    if (code == ERROR_NONE)
        code = open_to_producers(file, err);
    if (code != ERROR_NONE) {
        close(file->fd);
        file->fd = -1;
    }
    return code;
}

enum error_code socket_file_open(struct socket_file *file, const char *path, struct error *err)
{
    int lock;

    *file = (struct socket_file){.fd = -1, .address.sun_family = AF_UNIX};
    memcpy(file->address.sun_path, path, strnlen(path, sizeof(file->address.sun_path) - 1));
    enum error_code code = lock_directory(file, &lock, err);
    if (code == ERROR_NONE) {
        code = open_locked(file, err);
        if (lock >= 0)
            close(lock);
    }
    if (code != ERROR_NONE)
        return error_context(err, code, "cannot listen on %s", path);
    return ERROR_NONE;
}

/* While the socket is open, the file system gives its inode to no other file. */
bool socket_file_is_there(const struct socket_file *file)
{
    struct stat status;
    return lstat(file->address.sun_path, &status) == 0 && status.st_dev == file->device &&
           status.st_ino == file->inode;
}

enum error_code socket_file_renew(struct socket_file *file, struct error *err)
{
    struct socket_file fresh;
    enum error_code code = socket_file_open(&fresh, file->address.sun_path, err);
    if (code != ERROR_NONE)
        return code;
    if (dup3(fresh.fd, file->fd, O_CLOEXEC) < 0) {
        code = error_set(err, ERROR_AGAIN, "cannot listen on %s: %s", file->address.sun_path,
                         strerror(errno));
        socket_file_close(&fresh);
        return code;
    }
    close(fresh.fd);
    file->device = fresh.device;
    file->inode = fresh.inode;
    return ERROR_NONE;
}

void socket_file_close(struct socket_file *file)
{
    if (file->fd < 0)
        return;
    if (socket_file_is_there(file))
        (void)unlink(file->address.sun_path);
    close(file->fd);
    file->fd = -1;
}
