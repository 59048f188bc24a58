/* probe: getaddrinfo, connect and one read. */
#include "sidecar/store/probe.h"

#include "sidecar/base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum error_code probe_resolve(const struct config_host *host, struct addrinfo **addresses,
                              struct error *err)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    char port[8];
    snprintf(port, sizeof(port), "%u", host->port);
    int status = getaddrinfo(host->name, port, &wanted, addresses);
    if (status == 0)
        return ERROR_NONE;
    return error_set(err, status == EAI_AGAIN ? ERROR_AGAIN : ERROR_OPERATOR, "%s",
                     status == EAI_SYSTEM ? strerror(errno) : gai_strerror(status));
}

void probe_addresses(const struct addrinfo *addresses, char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    for (const struct addrinfo *one = addresses; one != NULL && length < size; one = one->ai_next) {
        char name[NI_MAXHOST];
        if (getnameinfo(one->ai_addr, one->ai_addrlen, name, sizeof(name), NULL, 0,
                        NI_NUMERICHOST) != 0)
            continue;
        int added = snprintf(text + length, size - length, "%s%s", length > 0 ? ", " : "", name);
        length += added > 0 ? (size_t)added : 0;
    }
}

/* Waits until fd is ready. Returns false if the time is over before. */
static bool await(int fd, short events, int64_t end_us)
{
    for (;;) {
        int64_t left_ms = (end_us - clock_steady_us()) / 1000;
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int ready = poll(&poll_fd, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready > 0)
            return true;
        if (ready == 0 || errno != EINTR)
            return false;
    }
}

static enum probe_result connect_to(const struct sockaddr *address, socklen_t size,
                                    int64_t timeout_ms, int *result, struct error *err)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int number = fd >= 0 && connect(fd, address, size) == 0 ? 0 : errno;
    if (number == EINPROGRESS) {
        socklen_t length = sizeof(number);
        if (!await(fd, POLLOUT, clock_steady_us() + timeout_ms * 1000))
            number = ETIMEDOUT;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &length) != 0)
            number = errno;
    }
    if (number == 0) {
        *result = fd;
        return PROBE_CONNECTED;
    }
    if (fd >= 0)
        close(fd);
    error_set(err, ERROR_AGAIN, "%s", strerror(number));
    if (number == ECONNREFUSED)
        return PROBE_REFUSED;
    return number == ETIMEDOUT ? PROBE_SILENT : PROBE_UNREACHABLE;
}

enum probe_result probe_connect(const struct config_host *host, const struct addrinfo *addresses,
                                int64_t timeout_ms, int *fd, struct error *err)
{
    *fd = -1;
    if (addresses == NULL) {
        struct sockaddr_un file = {.sun_family = AF_UNIX};
        memcpy(file.sun_path, host->name, strnlen(host->name, sizeof(file.sun_path) - 1));
        return connect_to((const struct sockaddr *)&file, sizeof(file), timeout_ms, fd, err);
    }
    enum probe_result result = PROBE_UNREACHABLE;
    for (const struct addrinfo *one = addresses; one != NULL && result != PROBE_CONNECTED;
         one = one->ai_next)
        result = connect_to(one->ai_addr, one->ai_addrlen, timeout_ms, fd, err);
    return result;
}

void probe_greeting(int fd, int64_t timeout_ms, struct greeting *greeting)
{
    char bytes[GREETING_MAX];
    size_t length = 0;
    const int64_t end_us = clock_steady_us() + timeout_ms * 1000;
    greeting_read(greeting, (struct text){bytes, 0});
    while (greeting->kind == GREETING_UNFINISHED && length < sizeof(bytes) &&
           await(fd, POLLIN, end_us)) {
        ssize_t got = read(fd, bytes + length, sizeof(bytes) - length);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
            break;
        length += got > 0 ? (size_t)got : 0;
        greeting_read(greeting, (struct text){bytes, length});
    }
}
