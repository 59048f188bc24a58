/* socket_file: a listening Unix socket and the file it is reached by (see socket_file.h).
 *
 * Happy path: bind, set the mode, listen, remember the file's identity. Until listen() nobody can
 * connect, so the mode counts from the first moment.
 *
 * Failure modes:
 *   a stale file                         connecting to it is refused: it is removed
 *   somebody listens on it               an error that says so; the file stays
 *   not a socket                         an error; the file stays
 *   no such directory, no permission     an error that says what to do
 *   the file is removed or replaced      seen when its user asks; made again, unless somebody else
 *   while it is open                     listens there by now
 *   two processes start at once          one of them fails: between bind() and listen() a socket
 *                                        looks stale, so all of it is done under a lock on the
 *                                        directory */
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

/* Whether a process has the socket open; ERROR_NONE: no. */
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

/* The file is there. */
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

/* -1: a directory that cannot be locked; then it goes without. */
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

/* The inode cannot be another file's while the socket is open. */
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
