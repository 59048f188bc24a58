/* replay: ships a recorded stream of watch events, or what kubectl get -o json printed, and ends.
 *
 * It runs the sidecar with another source: the file becomes standard input, and the file's offset tells how
 * far it has been read. If stderr is a terminal, a line there shows the progress. At the end a line on stdout
 * says what became of the documents.
 *
 * Failure modes, all with exit status 1:
 *   the file can't be opened, or is a directory    said before anything is started
 *   the file is empty, or is no JSON (YAML,        the log says what it is; nothing of it is shipped
 *   compressed, UTF-16, ...)
 *   all of its documents are invalid               said at the end; each refusal is logged with its line
 *   stopped by a signal, or reading fails          the rest of the file is not shipped
 *   the file ends inside a document or list        the whole documents are shipped; the rest is cut off
 *   the database refuses rows, or takes them only  the rows are counted; they are in the spool, or in the
 *   once a person has acted                        log where there is no spool
 */
#include "lib/account/ledger.h"
#include "lib/base/buffer.h"
#include "sidecar/commands/commands.h"
#include "sidecar/run/run.h"
#include "sidecar/source/source.h"
#include "sidecar/store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_LIMIT    1024
#define BAR_CELLS     20
#define FEWEST_CELLS  20 /* of a terminal's line that are drawn on; fewer are not believed */
#define USUAL_COLUMNS 80

/* Moves the cursor to the beginning of the line and clears the line from there on. */
#define CLEAR_LINE "\r\x1b[K"

struct counts {
    uint64_t documents;
    uint64_t filtered;
    uint64_t invalid;
    uint64_t written;
    uint64_t superseded;
    uint64_t dead_lettered;
    uint64_t waiting;
    uint64_t cut;
};

struct replay {
    bool is_terminal; /* stderr */
    int64_t size;     /* bytes of the file; 0: not known, it is no regular file */
    bool begun;
    struct counts before; /* the ledger may be older than this process */
    struct counts now;
};

/* ---- the file --------------------------------------------------------------------------------- */

static enum error_code open_file(const char *path, struct error *err)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0 || (S_ISDIR(status.st_mode) && (errno = EISDIR) != 0) ||
        dup2(fd, STDIN_FILENO) < 0) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return error_set(err, ERROR_OPERATOR, "cannot read %s: %s", path, strerror(error));
    }
    if (fd != STDIN_FILENO)
        close(fd);
    return ERROR_NONE;
}

static int64_t size_of_input(void)
{
    struct stat status;
    return fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : 0;
}

/* Returns the file's offset, which only a regular file has. */
static int64_t bytes_read(void)
{
    return lseek(STDIN_FILENO, 0, SEEK_CUR);
}

/* ---- how things stand ------------------------------------------------------------------------- */

static struct counts count(const struct ledger *ledger, const struct outbox *outbox)
{
    struct ledger_rows rows = ledger_all_rows(ledger, outbox);
    return (struct counts){
        .documents = ledger_received(ledger),
        .filtered = ledger_of_class(ledger, WATCH_CLASS_FILTERED),
        .invalid = ledger_of_class(ledger, WATCH_CLASS_INVALID),
        .written = rows.written,
        .superseded = rows.superseded,
        .dead_lettered = rows.dead_lettered,
        .waiting = rows.held,
        .cut = ledger->cut_lines,
    };
}

/* Draws the progress line without a newline, and not up to the last column, so that the next one replaces it.
 * The cursor is left at the beginning of the line, so that a log record overwrites it. */
static void draw(const struct replay *replay)
{
    const double mebibyte = 1 << 20;
    struct winsize window;
    struct buffer line;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col >= FEWEST_CELLS;
    int columns = known ? window.ws_col : USUAL_COLUMNS;
    buffer_init(&line, LINE_LIMIT);
    if (replay->size > 0) {
        char bar[BAR_CELLS + 1] = "";
        double done = (double)bytes_read(), size = (double)replay->size;
        double part = done < size ? done / size : 1;
        memset(bar, '=', (size_t)(part * BAR_CELLS));
        buffer_appendf(&line, "%3.0f%% [%-*s] %.1f/%.1f MiB, ", part * 100, BAR_CELLS, bar,
                       done / mebibyte, size / mebibyte);
    }
    buffer_appendf(&line, "%" PRIu64 " documents, %" PRIu64 " rows written",
                   replay->now.documents - replay->before.documents,
                   replay->now.written - replay->before.written);
    const char *text = buffer_cstring(&line);
    if (text != NULL)
        fprintf(stderr, CLEAR_LINE "%.*s\r", columns - 1, text);
    buffer_fini(&line);
}

static void on_progress(void *context, const struct ledger *ledger, const struct outbox *outbox)
{
    struct replay *replay = context;
    replay->now = count(ledger, outbox);
    if (!replay->begun)
        replay->before = replay->now;
    replay->begun = true;
    if (replay->is_terminal)
        draw(replay);
}

/* The figures are those of this run, even where the ledger has been kept in the spool for longer. */
static void print_result(const struct replay *replay)
{
    const struct counts *now = &replay->now;
    const struct counts *before = &replay->before;
    uint64_t documents = now->documents - before->documents;
    uint64_t invalid = now->invalid - before->invalid;
    printf("%" PRIu64 " documents, %" PRIu64 " of them not recorded, %" PRIu64
           " invalid; rows: %" PRIu64 " written, %" PRIu64 " superseded by newer ones, %" PRIu64
           " dead-lettered, %" PRIu64 " waiting\n",
           documents, now->filtered - before->filtered, invalid, now->written - before->written,
           now->superseded - before->superseded, now->dead_lettered - before->dead_lettered,
           now->waiting);
    if (before->waiting > 0)
        printf("%" PRIu64 " of these rows had been waiting in the spool before this run\n",
               before->waiting);
    fflush(stdout);
    if (documents > 0 && invalid == documents)
        fprintf(stderr, "kubedl-shipper: none of the documents is an object or a watch event of "
                        "Kubernetes in JSON: give what kubectl get -o json prints, or a recorded "
                        "watch; the log has the reasons\n");
}

/* ---- the command ------------------------------------------------------------------------------ */

/* Returns true if the whole file was shipped, and nothing of it was cut off or refused. Single documents that
 * are invalid do not count, unless there are no others. */
static bool is_whole(const struct replay *replay)
{
    uint64_t documents = replay->now.documents - replay->before.documents;
    uint64_t invalid = replay->now.invalid - replay->before.invalid;
    return (documents == 0 || invalid < documents) && replay->now.cut == replay->before.cut &&
           replay->now.dead_lettered == replay->before.dead_lettered &&
           (replay->size == 0 || bytes_read() >= replay->size);
}

static int run(const struct invocation *invocation)
{
    const char *path = invocation->operands[0];
    struct error err;
    if ((strcmp(path, "-") != 0 && open_file(path, &err) != ERROR_NONE) ||
        db_library_init(&err) != ERROR_NONE)
        return command_failed(&err);
    struct replay replay = {.is_terminal = isatty(STDERR_FILENO) == 1, .size = size_of_input()};
    struct config changed = *invocation->config;
    const struct run_options options = {.version = invocation->version,
                                        .to_the_end = true,
                                        .progress = on_progress,
                                        .context = &replay};
    (void)snprintf(changed.event_source, sizeof(changed.event_source), "%s", SOURCE_REPLAY);
    changed.http_listen[0] = '\0'; /* the port is the sidecar's, beside which this may run */
    bool left_behind = false;
    int status = run_sidecar(&changed, &options, &left_behind);
    if (replay.begun) {
        if (replay.is_terminal)
            fputs(CLEAR_LINE, stderr);
        print_result(&replay);
        if (!is_whole(&replay))
            status = EXIT_FAILED;
    }
    status = run_end(status, left_behind);
    explicit_bzero(&changed, sizeof(changed));
    return status;
}

const struct command command_replay = {
    .name = "replay",
    .synopsis = "FILE|-",
    .brief = "ship a recorded stream, or what kubectl get -o json printed, and end",
    .summary = "Ships a recorded stream, or what kubectl get -o json printed, from a file or from "
               "standard input, and ends when all is written.",
    .operand = "FILE|-",
    .run = run,
};
