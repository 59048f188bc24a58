/* credentials: reads secrets that may be files. */
#include "sidecar/store/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The longest secret, its line end, and one byte more, by which a longer one is noticed. */
#define FILE_ROOM (CONFIG_TEXT_SIZE + 2)

/* A secret's file, and where its content goes. */
struct secret {
    const char *setting; /* that names the file */
    const char *path;
    size_t max; /* bytes */
    char *to;   /* [CONFIG_TEXT_SIZE] */
};

static enum error_code refuse(const struct secret *secret, const char *problem, struct error *err)
{
    return error_set(err, ERROR_OPERATOR, "%s: %s: %s", secret->setting, secret->path, problem);
}

/* Reads at most FILE_ROOM bytes; -1 and errno. */
static ssize_t read_all(int fd, char *bytes)
{
    size_t length = 0;
    while (length < FILE_ROOM) {
        ssize_t got = read(fd, bytes + length, FILE_ROOM - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

/* One, as an editor or echo leaves it. */
static struct text without_line_end(struct text text)
{
    if (text.length > 0 && text.data[text.length - 1] == '\n')
        text.length--;
    if (text.length > 0 && text.data[text.length - 1] == '\r')
        text.length--;
    return text;
}

static enum error_code take(const struct secret *secret, struct text content, struct error *err)
{
    struct text value = without_line_end(content);
    if (value.length > secret->max)
        return error_set(err, ERROR_OPERATOR, "%s: %s: is longer than %zu bytes", secret->setting,
                         secret->path, secret->max);
    const char *problem = config_check_secret(value);
    if (problem != NULL)
        return refuse(secret, problem, err);
    memcpy(secret->to, value.data, value.length);
    secret->to[value.length] = '\0';
    return ERROR_NONE;
}

static enum error_code read_open(const struct secret *secret, int fd, struct error *err)
{
    struct stat status;
    char bytes[FILE_ROOM];
    if (fstat(fd, &status) != 0)
        return refuse(secret, strerror(errno), err);
    if (!S_ISREG(status.st_mode))
        return refuse(secret, "is not a file; name the file in it that holds the secret", err);
    ssize_t length = read_all(fd, bytes);
    enum error_code code = length < 0 ? refuse(secret, strerror(errno), err)
                                      : take(secret, (struct text){bytes, (size_t)length}, err);
    explicit_bzero(bytes, sizeof(bytes));
    return code;
}

static enum error_code read_file(const struct secret *secret, struct error *err)
{
    int fd = open(secret->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return refuse(secret, strerror(errno), err);
    enum error_code code = read_open(secret, fd, err);
    close(fd);
    return code;
}

enum error_code credentials_read(const struct config *config, struct credentials *credentials,
                                 struct error *err)
{
    const struct secret user = {"MYSQL_USER_FILE", config->mysql_user_file, CONFIG_MAX_USER,
                                credentials->user};
    const struct secret password = {"MYSQL_PASSWORD_FILE", config->mysql_password_file,
                                    CONFIG_TEXT_SIZE - 1, credentials->password};
    memcpy(credentials->user, config->mysql_user, sizeof(credentials->user));
    memcpy(credentials->password, config->mysql_password, sizeof(credentials->password));
    enum error_code code = ERROR_NONE;
    if (user.path[0] != '\0')
        code = read_file(&user, err);
    if (code == ERROR_NONE && password.path[0] != '\0')
        code = read_file(&password, err);
    if (code != ERROR_NONE)
        credentials_wipe(credentials);
    return code;
}

void credentials_wipe(struct credentials *credentials)
{
    explicit_bzero(credentials, sizeof(*credentials));
}
