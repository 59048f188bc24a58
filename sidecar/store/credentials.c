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
    const char *setting; /* the setting that names the file */
    const char *path;    /* "": there is no file */
    size_t max;          /* bytes */
    char *to;            /* [CONFIG_TEXT_SIZE] */
};

static enum error_code refuse(const struct secret *secret, const char *problem, struct error *err)
{
    return error_set(err, ERROR_OPERATOR, "%s: %s: %s", secret->setting, secret->path, problem);
}

/* Takes the secret without the line end that an editor or echo leaves. */
static enum error_code take(const struct secret *secret, struct text value, struct error *err)
{
    if (value.length > 0 && value.data[value.length - 1] == '\n')
        value.length--;
    if (value.length > 0 && value.data[value.length - 1] == '\r')
        value.length--;
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

static enum error_code read_file(const struct secret *secret, struct error *err)
{
    struct stat status;
    char bytes[FILE_ROOM];
    size_t length = 0;
    ssize_t got = 1;
    enum error_code code = ERROR_NONE;
    int fd = open(secret->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return refuse(secret, strerror(errno), err);
    if (fstat(fd, &status) != 0)
        code = refuse(secret, strerror(errno), err);
    else if (!S_ISREG(status.st_mode))
        code = refuse(secret, "is not a file; name the file in it that holds the secret", err);
    while (code == ERROR_NONE && got != 0 && length < FILE_ROOM) {
        got = read(fd, bytes + length, FILE_ROOM - length);
        if (got > 0)
            length += (size_t)got;
        else if (got < 0 && errno != EINTR)
            code = refuse(secret, strerror(errno), err);
    }
    close(fd);
    if (code == ERROR_NONE)
        code = take(secret, (struct text){bytes, length}, err);
    explicit_bzero(bytes, sizeof(bytes));
    return code;
}

enum error_code credentials_read(const struct config *config, struct credentials *credentials,
                                 struct error *err)
{
    const struct secret secrets[] = {
        {"MYSQL_USER_FILE", config->mysql_user_file, CONFIG_MAX_USER, credentials->user},
        {"MYSQL_PASSWORD_FILE", config->mysql_password_file, CONFIG_TEXT_SIZE - 1,
         credentials->password},
    };
    memcpy(credentials->user, config->mysql_user, sizeof(credentials->user));
    memcpy(credentials->password, config->mysql_password, sizeof(credentials->password));
    for (size_t i = 0; i < 2; i++) {
        if (secrets[i].path[0] == '\0' || read_file(&secrets[i], err) == ERROR_NONE)
            continue;
        credentials_wipe(credentials);
        return ERROR_OPERATOR;
    }
    return ERROR_NONE;
}

void credentials_wipe(struct credentials *credentials)
{
    explicit_bzero(credentials, sizeof(*credentials));
}
