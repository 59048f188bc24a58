/* leader: a lock of the server's (GET_LOCK), held by a connection that does nothing else.
 *
 * Happy path: look every second who holds the lock; take it if it is free. It is the leader's as long as
 * its connection lives, and the next look of a standby finds it free.
 *
 * Failure modes:
 *   the leader dies                 its connection ends, and the lock is free at once
 *   it stands still, or its network its session asks for nothing, and the server ends it after
 *   does                            IDLE_S; when it moves again it finds that another one leads, and
 *                                   yields
 *   the database is away            nobody looks. The leader goes on taking events in, which wait in its
 *                                   outbox and spool; a standby stands by
 *   the lock's connection is lost   the leader takes the lock again where it is free, sooner than a
 *                                   standby looks. Its own old connection may still hold it for IDLE_S
 *   several hosts; Galera           the lock is of one server. Sidecars that reach different ones may
 *                                   both lead, which costs work and harms nothing
 *   GET_LOCK is not allowed         nobody leads: said in the log, and tried again
 */
#include "sidecar/store/leader.h"

#include "lib/base/backoff.h"
#include "lib/base/memory.h"
#include "sidecar/base/clock.h"
#include "sidecar/store/db.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOK_MS             1000
#define IDLE_S              10 /* well over LOOK_MS: a second or two of standing still are no reason */
#define RETRY_FIRST_MS      200
#define RETRY_CEILING_MS    5000
#define OPERATOR_FIRST_MS   5000
#define OPERATOR_CEILING_MS 60000

/* A lock that a leader lost may be held by its own old connection for so long. */
#define OWN_CONNECTION_NS ((uint64_t)2 * IDLE_S * 1000000000)

/* What a connect that is under way may take once this closes. */
#define PATIENCE_MS 250

#define SQL_LIMIT 1024
#define ID_SIZE   24

enum role { ROLE_STANDBY, ROLE_LEADER, ROLE_YIELDED };

struct leader {
    struct leader_settings settings;
    uv_thread_t thread;
    uv_async_t changed;
    uv_timer_t patience; /* active once it closes */
    uv_mutex_t lock;     /* guards the three below */
    uv_cond_t wake;      /* stopping was set */
    enum role role;
    bool stopping;
    bool ended; /* the thread is about to */

    /* the thread's own */
    struct db *db;
    struct buffer name;    /* of the lock, as SQL */
    char held_by[ID_SIZE]; /* the server's number for the connection that held it last, or "" */
    uint64_t lost_ns;      /* when that was lost; 0: it was not */
    bool in_trouble;       /* and that was said */
    bool waits;            /* the same */

    /* the loop's */
    enum role told;
    bool left_behind;
    unsigned open_handles;
    void (*closed)(void *context, bool left_behind);
    void *closed_context;
};

/* ---- the thread ------------------------------------------------------------------------------ */

static void set_role(struct leader *leader, enum role role)
{
    uv_mutex_lock(&leader->lock);
    bool changed = leader->role != role;
    leader->role = role;
    uv_mutex_unlock(&leader->lock);
    if (changed)
        uv_async_send(&leader->changed);
}

static bool is_stopping(struct leader *leader)
{
    uv_mutex_lock(&leader->lock);
    bool stopping = leader->stopping;
    uv_mutex_unlock(&leader->lock);
    return stopping;
}

static void sleep_ms(struct leader *leader, uint32_t ms)
{
    uint64_t end = uv_hrtime() + (uint64_t)ms * 1000000;
    uv_mutex_lock(&leader->lock);
    for (uint64_t now = uv_hrtime(); !leader->stopping && now < end; now = uv_hrtime())
        uv_cond_timedwait(&leader->wake, &leader->lock, end - now);
    uv_mutex_unlock(&leader->lock);
}

static enum error_code connect_to_server(struct leader *leader, struct db_error *err)
{
    char sql[64];
    enum error_code code = db_connect_any(leader->db, err);
    if (code != ERROR_NONE)
        return code;
    snprintf(sql, sizeof(sql), "SET SESSION wait_timeout = %d", IDLE_S);
    return db_exec(leader->db, text_from(sql), err);
}

/* Who holds the lock, and who asks: numbers of connections, "" for nobody. */
struct view {
    char holder[ID_SIZE];
    char own[ID_SIZE];
};

static void copy_id(char id[ID_SIZE], struct text text)
{
    if (text.data != NULL)
        snprintf(id, ID_SIZE, "%.*s", (int)text.length, text.data);
}

static void on_view(void *context, const struct text *values, size_t count)
{
    struct view *view = context;
    if (count != 2)
        return;
    copy_id(view->holder, values[0]);
    copy_id(view->own, values[1]);
}

static void on_taken(void *context, const struct text *values, size_t count)
{
    bool *taken = context;
    *taken = count == 1 && values[0].data != NULL && text_is(values[0], "1");
}

/* Asks `before` the name of the lock `behind`. */
static enum error_code ask(struct leader *leader, const char *before, const char *behind,
                           db_row *row, void *context, struct db_error *err)
{
    struct buffer sql;
    buffer_init(&sql, SQL_LIMIT);
    buffer_append_string(&sql, before);
    buffer_append(&sql, buffer_text(&leader->name));
    buffer_append_string(&sql, behind);
    enum error_code code =
        sql.failed ? db_error_set(err, DBERROR_WAIT, "no memory to ask for the leader's lock")
                   : db_query(leader->db, buffer_text(&sql), row, context, err);
    buffer_fini(&sql);
    return code;
}

/* The name holds what tells clusters apart in 64 characters at the most, whatever that is. */
static enum error_code make_name(struct leader *leader, struct db_error *err)
{
    const char *cluster = leader->settings.config->cluster_id;
    buffer_reset(&leader->name);
    buffer_append_string(&leader->name, "CONCAT('kubedl-shipper.leader:', "
                                        "LEFT(SHA2(CONCAT(DATABASE(), '/', ");
    db_quote(leader->db, &leader->name, text_from(cluster));
    buffer_append_string(&leader->name, "), 256), 40))");
    return leader->name.failed
               ? db_error_set(err, DBERROR_WAIT, "no memory for the name of the leader's lock")
               : ERROR_NONE;
}

/* The lock is, or may be, of a connection of our own that the server has not missed yet. */
static bool may_be_own_connection(const struct leader *leader, const char *holder)
{
    return leader->lost_ns != 0 && uv_hrtime() - leader->lost_ns < OWN_CONNECTION_NS &&
           strcmp(holder, leader->held_by) == 0;
}

static void lead(struct leader *leader, const struct view *view)
{
    leader->waits = false;
    leader->lost_ns = 0;
    memcpy(leader->held_by, view->own, sizeof(leader->held_by));
    set_role(leader, ROLE_LEADER);
}

static void stand_by(struct leader *leader)
{
    uv_mutex_lock(&leader->lock);
    bool led = leader->role != ROLE_STANDBY;
    uv_mutex_unlock(&leader->lock);
    if (led) {
        set_role(leader, ROLE_YIELDED);
    } else if (!leader->waits) {
        leader->waits = true;
        LOG(leader->settings.logger, INFO, "standing by: another sidecar leads");
    }
}

static enum error_code look(struct leader *leader, struct db_error *err)
{
    struct view view = {"", ""};
    bool taken = false;
    enum error_code code =
        ask(leader, "SELECT IS_USED_LOCK(", "), CONNECTION_ID()", on_view, &view, err);
    if (code == ERROR_NONE && view.holder[0] == '\0')
        code = ask(leader, "SELECT GET_LOCK(", ", 0)", on_taken, &taken, err);
    if (code != ERROR_NONE)
        return code;
    if (taken || (view.holder[0] != '\0' && strcmp(view.holder, view.own) == 0))
        lead(leader, &view);
    else if (view.holder[0] != '\0' && !may_be_own_connection(leader, view.holder))
        stand_by(leader);
    return ERROR_NONE;
}

/* As long as the connection lasts. */
static enum error_code stay(struct leader *leader, struct backoff *backoff, struct db_error *err)
{
    enum error_code code = connect_to_server(leader, err);
    if (code == ERROR_NONE)
        code = make_name(leader, err);
    while (code == ERROR_NONE && !is_stopping(leader)) {
        code = look(leader, err);
        if (code != ERROR_NONE)
            break;
        leader->in_trouble = false;
        backoff_reset(backoff);
        sleep_ms(leader, LOOK_MS);
    }
    return code;
}

static void note_trouble(struct leader *leader, const struct db_error *err)
{
    if (leader->held_by[0] != '\0' && leader->lost_ns == 0)
        leader->lost_ns = uv_hrtime();
    if (leader->in_trouble)
        return;
    leader->in_trouble = true;
    LOG(leader->settings.logger, WARN,
        "cannot look who leads: trying until it works; until then nothing changes",
        log_string("error", err->error.text));
}

static void leader_main(void *argument)
{
    struct leader *leader = argument;
    struct backoff backoff = {0};
    db_thread_init();
    while (!is_stopping(leader)) {
        struct db_error err;
        if (stay(leader, &backoff, &err) == ERROR_NONE || is_stopping(leader))
            break;
        db_close(leader->db);
        note_trouble(leader, &err);
        /* Where a person has to act, another try may lock the account. */
        bool needs_a_person = err.class == DBERROR_OPERATOR;
        backoff.first_ms = needs_a_person ? OPERATOR_FIRST_MS : RETRY_FIRST_MS;
        backoff.ceiling_ms = needs_a_person ? OPERATOR_CEILING_MS : RETRY_CEILING_MS;
        sleep_ms(leader, backoff_next_ms(&backoff, clock_random()));
    }
    db_close(leader->db);
    db_thread_fini();
    uv_mutex_lock(&leader->lock);
    leader->ended = true;
    uv_mutex_unlock(&leader->lock);
    uv_async_send(&leader->changed);
}

/* ---- the loop thread ------------------------------------------------------------------------- */

static void free_leader(struct leader *leader)
{
    db_free(leader->db);
    buffer_fini(&leader->name);
    uv_cond_destroy(&leader->wake);
    uv_mutex_destroy(&leader->lock);
    free(leader);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct leader *leader = handle->data;
    if (--leader->open_handles > 0)
        return;
    void (*closed)(void *context, bool left_behind) = leader->closed;
    void *context = leader->closed_context;
    bool left_behind = leader->left_behind;
    if (!left_behind)
        free_leader(leader);
    closed(context, left_behind);
}

static void close_handles(struct leader *leader)
{
    uv_close((uv_handle_t *)&leader->changed, on_handle_closed);
    uv_close((uv_handle_t *)&leader->patience, on_handle_closed);
}

/* The thread has nothing more to do than to end. */
static void end(struct leader *leader)
{
    uv_thread_join(&leader->thread);
    close_handles(leader);
}

static void on_patience_over(uv_timer_t *timer)
{
    struct leader *leader = timer->data;
    leader->left_behind = db_leave(leader->db);
    if (leader->left_behind)
        close_handles(leader);
}

static void tell(struct leader *leader, enum role role)
{
    if (role == ROLE_LEADER && leader->told == ROLE_STANDBY) {
        leader->told = role;
        leader->settings.leads(leader->settings.context);
    } else if (role == ROLE_YIELDED && leader->told == ROLE_LEADER) {
        leader->told = role;
        leader->settings.yields(leader->settings.context);
    }
}

static void on_changed(uv_async_t *async)
{
    struct leader *leader = async->data;
    uv_mutex_lock(&leader->lock);
    enum role role = leader->role;
    bool ended = leader->ended;
    uv_mutex_unlock(&leader->lock);
    if (leader->left_behind)
        return;
    if (leader->closed == NULL)
        tell(leader, role);
    else if (ended)
        end(leader);
}

void leader_close(struct leader *leader, void (*closed)(void *context, bool left_behind),
                  void *context)
{
    leader->closed = closed;
    leader->closed_context = context;
    uv_mutex_lock(&leader->lock);
    leader->stopping = true;
    uv_cond_signal(&leader->wake);
    uv_mutex_unlock(&leader->lock);
    db_abort(leader->db);
    uv_timer_start(&leader->patience, on_patience_over, PATIENCE_MS, PATIENCE_MS);
}

static void on_nothing(void *context, bool left_behind)
{
    (void)context;
    (void)left_behind;
}

static enum error_code start(uv_loop_t *loop, struct leader *leader, struct error *err)
{
    int status = uv_async_init(loop, &leader->changed, on_changed);
    if (status != 0) {
        free_leader(leader);
        return error_set(err, ERROR_AGAIN, "the event loop: %s", uv_strerror(status));
    }
    leader->changed.data = leader;
    uv_timer_init(loop, &leader->patience);
    leader->patience.data = leader;
    leader->open_handles = 2;
    status = uv_thread_create(&leader->thread, leader_main, leader);
    if (status != 0) {
        leader->closed = on_nothing;
        close_handles(leader);
        return error_set(err, ERROR_AGAIN, "a thread for the leader's lock: %s",
                         uv_strerror(status));
    }
    return ERROR_NONE;
}

enum error_code leader_new(uv_loop_t *loop, const struct leader_settings *settings,
                           struct leader **result, struct error *err)
{
    struct leader *leader = memory_new(sizeof(*leader));
    leader->settings = *settings;
    leader->db = db_new(settings->config);
    if (uv_mutex_init(&leader->lock) != 0 || uv_cond_init(&leader->wake) != 0)
        memory_exhausted("the leader's lock");
    buffer_init(&leader->name, SQL_LIMIT);
    enum error_code code = start(loop, leader, err);
    if (code == ERROR_NONE)
        *result = leader;
    return code;
}
