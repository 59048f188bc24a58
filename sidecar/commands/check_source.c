/* check_source: examines each source in EVENT_SOURCE. An API server is asked (check_kube). A Unix socket is not
 * connected to, since a producer would take that for the sidecar; two other ways tell who uses it:
 *
 *   connect() of a datagram socket   is refused in one way if a process has the socket open, and in another
 *                                    one if nobody has; no process notices it
 *   /proc/net/unix                   lists the connections to the path, also those of the pod's other
 *                                    containers */
#include "sidecar/commands/check_source.h"

#include "sidecar/commands/check_kube.h"
#include "sidecar/kube/kube_client.h"
#include "sidecar/source/source.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* In /proc/net/unix, the number of the field with the state, and SS_CONNECTED of linux/net.h. */
#define STATE     6
#define CONNECTED "03"

/* Returns 0 if a process has the socket open, or an error number: ECONNREFUSED if no process has. */
static int find_owner(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int error = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
    close(fd);
    return error == EPROTOTYPE ? 0 : error;
}

/* Returns how many producers are connected to the socket that has this path; -1 if the system does not tell. */
static int count_producers(const char *path)
{
    char line[512];
    int count = 0;
    FILE *sockets = fopen("/proc/net/unix", "re");
    if (sockets == NULL)
        return -1;
    while (fgets(line, sizeof(line), sockets) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = NULL, *field = strtok_r(line, " ", &rest);
        for (int i = 1; i < STATE && field != NULL; i++)
            field = strtok_r(NULL, " ", &rest);
        bool is_connected = field != NULL && strcmp(field, CONNECTED) == 0;
        if (strtok_r(NULL, " ", &rest) != NULL) /* the inode; the path ends the line */
            count += is_connected && strcmp(rest, path) == 0;
    }
    fclose(sockets);
    return count;
}

/* Without a producer nothing is recorded, unless another source brings the events. */
static void add_silence(struct findings *findings, const char *address, bool alone,
                        const char *what)
{
    findings_add(findings, alone ? FINDING_WARN : FINDING_OK, "source",
                 alone ? source_advice(address) : "", "%s: %s", address, what);
}

static bool is_no_socket(struct findings *findings, const char *address, const struct stat *status)
{
    if (S_ISSOCK(status->st_mode))
        return false;
    findings_add(findings, FINDING_FAIL, "source",
                 "remove what is there, or name another path in EVENT_SOURCE",
                 "%s: a file that is not a socket is in its place", address);
    return true;
}

static void check_connecting(struct findings *findings, const char *address, const char *path,
                             bool alone)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        add_silence(findings, address, alone,
                    "the socket is not there: its producer has not made it, or the directory is "
                    "not mounted in both containers");
        return;
    }
    if (is_no_socket(findings, address, &status))
        return;
    int error = find_owner(path);
    if (error == 0)
        findings_add(findings, FINDING_OK, "source", "", "%s: a producer has it open", address);
    else if (error == ECONNREFUSED)
        add_silence(findings, address, alone,
                    "nobody listens on the socket: its producer is not ready, or has ended");
    else
        findings_add(findings, FINDING_FAIL, "source",
                     "give this user the right to write to the socket, and to search its "
                     "directory: the same user or fsGroup for both containers",
                     "%s: user %u cannot connect to it: %s", address, geteuid(), strerror(error));
}

static void check_listening(struct findings *findings, const char *address, const char *path,
                            bool alone)
{
    char copy[SOURCE_ADDRESS_SIZE];
    struct stat status;
    bool is_there = lstat(path, &status) == 0;
    if (is_there && is_no_socket(findings, address, &status))
        return;
    if (is_there && find_owner(path) == 0) {
        int producers = count_producers(path);
        if (producers == 0)
            add_silence(findings, address, alone,
                        "a process listens on it (it has to be the sidecar), but nobody has "
                        "connected");
        else
            findings_add(findings, FINDING_OK, "source", "",
                         "%s: a process listens on it (it has to be the sidecar); producers that "
                         "are connected: %d",
                         address, producers);
        return;
    }
    (void)snprintf(copy, sizeof(copy), "%s", path);
    const char *directory = dirname(copy);
    if (access(directory, W_OK | X_OK) == 0)
        findings_add(findings, FINDING_OK, "source", "", "%s: can be made", address);
    else
        findings_add(findings, FINDING_FAIL, "source",
                     "mount a volume there that this user can write to and that the controller "
                     "shares",
                     "%s: cannot be made: %s: %s", address, directory, strerror(errno));
}

void check_sources(struct findings *findings, const struct config *config, uint32_t timeout_ms)
{
    static const char connects[] = "unix:", listens[] = "unix-listen:";
    struct source_list list;
    struct error err;
    if (source_list_read(&list, config->event_source, &err) != ERROR_NONE)
        return; /* it is a wrong setting, and was said */
    for (size_t i = 0; i < list.count; i++) {
        const char *address = list.addresses[i];
        if (strncmp(address, connects, strlen(connects)) == 0)
            check_connecting(findings, address, address + strlen(connects), list.count == 1);
        else if (strncmp(address, listens, strlen(listens)) == 0)
            check_listening(findings, address, address + strlen(listens), list.count == 1);
        else if (kube_client_is_for(address))
            check_kube(findings, config, address, timeout_ms);
        else
            findings_add(findings, FINDING_OK, "source", "", "%s", address);
    }
    if (config->cluster_id[0] == '\0' && source_needs_cluster_id(config->event_source))
        findings_add(findings, FINDING_WARN, "source", "set CLUSTER_ID to a name of this cluster",
                     "CLUSTER_ID is not set: rows of objects that vanish while nobody watches are "
                     "not closed");
}
