/* leader: a lock of the server (GET_LOCK), held by a connection that does nothing else.
 *
 * Happy path: the thread looks every second who holds the lock, and takes it if it is free. The leader holds
 * it as long as its connection lives. When that ends, the next look of a standby finds the lock free.
 *
 * Failure modes:
 *   the leader dies                 its connection ends, and the lock is free at once
 *   the leader's process or its     its session sends no statement, and the server ends it after IDLE_S. When the
 *   network stands still            process goes on, it finds that another one leads, and yields
 *   the database is away            nobody can look. The leader goes on taking events in, which wait in its outbox
 *                                   and spool; a standby goes on standing by
 *   the lock's connection is lost   the leader takes the lock again if it is free, sooner than a standby looks. Its
 *                                   own old connection may still hold the lock for IDLE_S
 *   several hosts; Galera           the lock is one server's. Sidecars that are connected to different servers may
 *                                   both lead, which costs work and does no harm
 *   GET_LOCK is not allowed         nobody leads: the log says so, and it is tried again
 */
#include "sidecar/store/leader.h"

#include "lib/base/backoff.h"
#include "lib/base/memory.h"
#include "sidecar/base/clock.h"
#include "sidecar/store/db.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOK_MS             1000
#define IDLE_S              10 /* well over LOOK_MS, so that a pause of a second or two does no harm */
#define RETRY_FIRST_MS      200
#define RETRY_CEILING_MS    5000
#define OPERATOR_FIRST_MS   5000
#define OPERATOR_CEILING_MS 60000

/* For so long a leader's own lost connection may still hold the lock. */
#define OWN_CONNECTION_NS ((uint64_t)2 * IDLE_S * 1000000000)

/* How long a connect may take once the leader closes. */
#define PATIENCE_MS 250

#define SQL_LIMIT 1024
#define ID_SIZE   24

enum role { ROLE_STANDBY, ROLE_LEADER, ROLE_YIELDED };

struct leader {
    struct leader_settings settings;
    uv_thread_t thread;
    uv_async_t changed;
    uv_timer_t patience; /* active once the leader closes */
    uv_mutex_t lock;     /* guards .role, .stopping and .ended */
    uv_cond_t wake;      /* signalled for .stopping */
    enum role role;      /* changed by the thread alone */
    bool stopping;
    bool ended; /* the thread is about to end */

    /* The thread alone uses what follows. */
    struct db *db;
    struct buffer name;    /* of the lock, as SQL */
    char held_by[ID_SIZE]; /* the server's number of the connection that held it last, or "" */
    uint64_t lost_ns;      /* when that connection was lost; 0: it was not */
    bool told_trouble;     /* the log says that the database cannot be asked */
    bool told_waits;       /* the log says that another sidecar leads */

    /* The loop's thread alone uses what follows. */
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

/* Who holds the lock, and who asks, as the server's numbers for connections. "": nobody. */
struct view {
    char holder[ID_SIZE];
    char own[ID_SIZE];
};

static void on_view(void *context, const struct text *values, size_t count)
{
    struct view *view = context;
    if (count != 2)
        return;
    text_copy(view->holder, ID_SIZE, values[0]);
    text_copy(view->own, ID_SIZE, values[1]);
}

static void on_taken(void *context, const struct text *values, size_t count)
{
    bool *taken = context;
    *taken = count == 1 && values[0].data != NULL && text_is(values[0], "1");
}

/* Sends the statement that consists of `before`, the name of the lock, and `behind`. */
static enum error_code ask(struct leader *leader, const char *before, const char *behind,
                           db_row *row, void *context, struct db_error *err)
{
    struct buffer sql;
    buffer_init(&sql, SQL_LIMIT);
    buffer_append_string(&sql, before);
    buffer_append(&sql, buffer_text(&leader->name));
    buffer_append_string(&sql, behind);
    enum error_code code = sql.failed || leader->name.failed
                               ? db_no_memory(err, "asking for the leader's lock")
                               : db_query(leader->db, buffer_text(&sql), row, context, err);
    buffer_fini(&sql);
    return code;
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

    if (taken || (view.holder[0] != '\0' && strcmp(view.holder, view.own) == 0)) {
        leader->told_waits = false;
        leader->lost_ns = 0;
        memcpy(leader->held_by, view.own, sizeof(leader->held_by));
        set_role(leader, ROLE_LEADER);
        return ERROR_NONE;
    }
    /* The holder may be an own connection that was lost, but that the server has not missed yet. */
    bool may_be_own = leader->lost_ns != 0 && uv_hrtime() - leader->lost_ns < OWN_CONNECTION_NS &&
                      strcmp(view.holder, leader->held_by) == 0;
    if (view.holder[0] == '\0' || may_be_own)
        return ERROR_NONE;
    if (leader->role != ROLE_STANDBY) {
        set_role(leader, ROLE_YIELDED);
    } else if (!leader->told_waits) {
        leader->told_waits = true;
        LOG(leader->settings.logger, INFO, "standing by: another sidecar leads");
    }
    return ERROR_NONE;
}

/* Connects, and looks every second as long as the connection lasts. ERROR_NONE: .stopping was set. */
static enum error_code stay(struct leader *leader, struct backoff *backoff, struct db_error *err)
{
    char sql[64];
    enum error_code code = db_connect_any(leader->db, err);
    if (code != ERROR_NONE)
        return code;
    /* A lock's name has at most 64 characters, whatever tells clusters apart. */
    buffer_reset(&leader->name);
    buffer_append_string(&leader->name, "CONCAT('kubedl-shipper.leader:', "
                                        "LEFT(SHA2(CONCAT(DATABASE(), '/', ");
    db_quote(leader->db, &leader->name, text_from(leader->settings.config->cluster_id));
    buffer_append_string(&leader->name, "), 256), 40))");
    snprintf(sql, sizeof(sql), "SET SESSION wait_timeout = %d", IDLE_S);
    code = db_exec(leader->db, text_from(sql), err);
    while (code == ERROR_NONE && !is_stopping(leader)) {
        code = look(leader, err);
        if (code != ERROR_NONE)
            break;
        leader->told_trouble = false;
        backoff_reset(backoff);
        sleep_ms(leader, LOOK_MS);
    }
    return code;
}

static void leader_main(void *argument)
{
    struct leader *leader = argument;
    struct backoff backoff = {0};
    while (!is_stopping(leader)) {
        struct db_error err;
        if (stay(leader, &backoff, &err) == ERROR_NONE || is_stopping(leader))
            break;
        db_close(leader->db);
        if (leader->held_by[0] != '\0' && leader->lost_ns == 0)
            leader->lost_ns = uv_hrtime();
        if (!leader->told_trouble)
            LOG(leader->settings.logger, WARN,
                "cannot look who leads: trying until it works; until then nothing changes",
                log_string("error", err.error.text));
        leader->told_trouble = true;
        /* If a person has to act, more attempts might lock the account. */
        bool needs_a_person = err.class == DBERROR_OPERATOR;
        backoff.first_ms = needs_a_person ? OPERATOR_FIRST_MS : RETRY_FIRST_MS;
        backoff.ceiling_ms = needs_a_person ? OPERATOR_CEILING_MS : RETRY_CEILING_MS;
        sleep_ms(leader, backoff_next_ms(&backoff, clock_random()));
    }
    db_close(leader->db);
    uv_mutex_lock(&leader->lock);
    leader->ended = true;
    uv_mutex_unlock(&leader->lock);
    uv_async_send(&leader->changed);
}

/* ---- the loop's thread ----------------------------------------------------------------------- */

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
    if (closed != NULL)
        closed(context, left_behind);
}

static void close_handles(struct leader *leader)
{
    uv_close((uv_handle_t *)&leader->changed, on_handle_closed);
    uv_close((uv_handle_t *)&leader->patience, on_handle_closed);
}

static void on_patience_over(uv_timer_t *timer)
{
    struct leader *leader = timer->data;
    leader->left_behind = db_leave(leader->db);
    if (leader->left_behind)
        close_handles(leader);
}

static void on_changed(uv_async_t *async)
{
    struct leader *leader = async->data;
    const struct leader_settings *settings = &leader->settings;
    uv_mutex_lock(&leader->lock);
    enum role role = leader->role, told = leader->told;
    bool ended = leader->ended;
    uv_mutex_unlock(&leader->lock);
    if (leader->left_behind)
        return;
    if (leader->closed != NULL && ended) {
        uv_thread_join(&leader->thread); /* it has nothing more to do than to end */
        close_handles(leader);
    } else if (leader->closed == NULL && role == ROLE_LEADER && told == ROLE_STANDBY) {
        leader->told = role;
        settings->leads(settings->context);
    } else if (leader->closed == NULL && role == ROLE_YIELDED && told == ROLE_LEADER) {
        leader->told = role;
        settings->yields(settings->context);
    }
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

enum error_code leader_new(uv_loop_t *loop, const struct leader_settings *settings,
                           struct leader **result, struct error *err)
{
    struct leader *leader = memory_new(sizeof(*leader));
    leader->settings = *settings;
    leader->db = db_new(settings->config);
    if (uv_mutex_init(&leader->lock) != 0 || uv_cond_init(&leader->wake) != 0)
        memory_exhausted("the leader's lock");
    buffer_init(&leader->name, SQL_LIMIT);
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
        close_handles(leader); /* the loop's next round frees it */
        return error_set(err, ERROR_AGAIN, "a thread for the leader's lock: %s",
                         uv_strerror(status));
    }
    *result = leader;
    return ERROR_NONE;
}
