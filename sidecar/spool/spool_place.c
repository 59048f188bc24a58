/* spool_place: recognises files by device and inode, and changes of files by size and time. */
#include "sidecar/spool/spool_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static const char *const suffixes[SPOOL_PLACE_FILES] = {"", "-wal", "-shm"};
#define WRITTEN_FILES 2 /* the first ones are only written by transactions and checkpoints */

enum error_code spool_place_init(struct spool_place *place, const char *directory,
                                 struct error *err)
{
    *place = (struct spool_place){.lock = -1};
    if (strlen(directory) >= sizeof(place->directory))
        return error_set(err, ERROR_OPERATOR, "SPOOL_DIR is too long");
    snprintf(place->directory, sizeof(place->directory), "%s", directory);
    snprintf(place->path, sizeof(place->path), "%s/spool.db", directory);
    return ERROR_NONE;
}

/* ---- the lock file -----------------------------------------------------------------------------*/

static void lock_path(const struct spool_place *place, char path[600])
{
    snprintf(path, 600, "%s/spool.lock", place->directory);
}

enum error_code spool_place_lock(struct spool_place *place, struct error *err)
{
    char path[600];
    lock_path(place, path);
    place->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (place->lock < 0)
        return error_set(err, ERROR_OPERATOR,
                         "SPOOL_DIR %s: %s: it has to be a directory that this process can write",
                         place->directory, strerror(errno));
    int status;
    do
        status = flock(place->lock, LOCK_EX | LOCK_NB);
    while (status != 0 && errno == EINTR);
    if (status == 0)
        return ERROR_NONE;
    if (errno == EWOULDBLOCK)
        return error_set(err, ERROR_OPERATOR,
                         "SPOOL_DIR %s is used by another kubedl-shipper: each needs its own",
                         place->directory);
    if (errno == ENOLCK)
        return error_set(
            err, ERROR_AGAIN,
            "SPOOL_DIR %s: the system gives no lock (%s): too many locks are held, or, "
            "on NFS, its lock manager does not answer; a local volume needs none",
            place->directory, strerror(errno));
    return error_set(err, ERROR_OPERATOR,
                     "SPOOL_DIR %s: its file system does not lock files (%s): use a local volume",
                     place->directory, strerror(errno));
}

void spool_place_unlock(struct spool_place *place)
{
    if (place->lock >= 0)
        close(place->lock);
    place->lock = -1;
}

void spool_place_note(const struct spool_place *place, const struct spool_left *left)
{
    char line[80];
    if (place->lock < 0)
        return;
    if (left == NULL) {
        (void)!ftruncate(place->lock, 0);
        return;
    }
    int length =
        snprintf(line, sizeof(line), "%020lld %020lld %020lld\n", (long long)left->transactions,
                 (long long)left->records, (long long)left->dead_letters);
    (void)!pwrite(place->lock, line, (size_t)length,
                  0); /* what is not noted can't be missed later */
}

struct spool_left spool_place_noted(const struct spool_place *place)
{
    char line[80] = "";
    int64_t numbers[3];
    ssize_t length = pread(place->lock, line, sizeof(line) - 1, 0);
    char *at = line;
    for (size_t i = 0; i < 3; i++) {
        char *end;
        numbers[i] = strtoll(at, &end, 10);
        if (length <= 0 || end == at)
            return (struct spool_left){0};
        at = end;
    }
    return (struct spool_left){
        .transactions = numbers[0], .records = numbers[1], .dead_letters = numbers[2]};
}

/* ---- the files ---------------------------------------------------------------------------------*/

static void file_name(const struct spool_place *place, const char *suffix, char name[640])
{
    snprintf(name, 640, "%s%s", place->path, suffix);
}

/* Returns the file's stat, which is all 0 if the file does not exist. */
static struct stat look_at(const struct spool_place *place, size_t number)
{
    char name[640];
    struct stat info;
    file_name(place, suffixes[number], name);
    return stat(name, &info) == 0 ? info : (struct stat){0};
}

/* Device and inode are enough: an inode is not used again as long as SQLite has the file open. */
static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

void spool_place_remember(struct spool_place *place)
{
    for (size_t i = 0; i < SPOOL_PLACE_FILES; i++)
        place->files[i] = look_at(place, i);
}

enum error_code spool_place_check(const struct spool_place *place, struct error *err)
{
    char path[600];
    struct stat held, there;
    lock_path(place, path);
    bool is_there = place->lock < 0 || (fstat(place->lock, &held) == 0 && stat(path, &there) == 0 &&
                                        is_same(&held, &there));
    for (size_t i = 0; i < SPOOL_PLACE_FILES; i++) {
        struct stat now = look_at(place, i);
        is_there = is_there && is_same(&place->files[i], &now);
    }
    if (is_there)
        return ERROR_NONE;
    return error_set(err, ERROR_INPUT,
                     "spool %s: its files were removed or replaced while they were in use: keep "
                     "whatever cleans up there away from SPOOL_DIR",
                     place->path);
}

bool spool_place_is_gone(const struct spool_place *place)
{
    struct stat now = look_at(place, 0);
    return !is_same(&place->files[0], &now);
}

bool spool_place_is_written(const struct spool_place *place)
{
    for (size_t i = 0; i < WRITTEN_FILES; i++) {
        const struct stat *before = &place->files[i];
        struct stat now = look_at(place, i);
        if (before->st_size != now.st_size || before->st_mtim.tv_sec != now.st_mtim.tv_sec ||
            before->st_mtim.tv_nsec != now.st_mtim.tv_nsec)
            return true;
    }
    return false;
}

int64_t spool_place_bytes(const struct spool_place *place)
{
    return look_at(place, 0).st_size + look_at(place, 1).st_size;
}

int64_t spool_place_free_bytes(const struct spool_place *place)
{
    struct statvfs disk;
    return statvfs(place->directory, &disk) == 0 ? (int64_t)(disk.f_bavail * disk.f_frsize) : -1;
}

enum error_code spool_place_set_aside(const struct spool_place *place, char name[ERROR_TEXT_SIZE],
                                      struct error *err)
{
    char from[640], to[700];
    long long now = (long long)time(NULL);
    int attempt = 0;
    do {
        snprintf(to, sizeof(to), "%s.damaged-%lld-%d", place->path, now, attempt++);
    } while (access(to, F_OK) == 0);
    snprintf(name, ERROR_TEXT_SIZE, "%.500s", to);
    for (size_t i = 0; i < SPOOL_PLACE_FILES; i++) {
        file_name(place, suffixes[i], from);
        snprintf(to, sizeof(to), "%.600s%s", name, suffixes[i]);
        if (rename(from, to) != 0 && errno != ENOENT)
            return error_set(err, ERROR_OPERATOR, "spool %s is damaged and can't be renamed: %s",
                             place->path, strerror(errno));
    }
    return ERROR_NONE;
}
