/* dberror: the table of the error numbers of MariaDB, MySQL, Galera and libmariadb.
 *
 * Numbers from 2000 to 2999 and from 5000 on are the client library's, all others are the server's. */
#include "lib/sql/dberror.h"

#include <string.h>

#define UNREACHABLE 2002
#define TLS_ERROR   2026
#define MAX_DIGITS  9

/* One number may stand for several things, which a part of the message tells apart. The first line of the
 * table that fits decides. */
struct known {
    unsigned number;
    enum dberror_class class; /* in a connection that stands */
    const char *part;         /* the message contains it; NULL: any message fits */
    const char *advice;       /* what a person can do; NULL: there is none */
};

#define DISK_ADVICE "free or add disk space on the database server"
#define LIMIT_ADVICE                                                                               \
    "raise the limit of connections on the database server, or lower DB_CONNECTIONS"
#define REACH_ADVICE "see that the server runs and that MYSQL_HOST and MYSQL_PORT name it"
#define LOGIN_ADVICE                                                                               \
    "check MYSQL_USER and MYSQL_PASSWORD (or their files) against the account on the server; one " \
    "that must use TLS needs MYSQL_SSL_MODE=required or more, one that must show a certificate "   \
    "MYSQL_SSL_CERT"
#define PLUGIN_ADVICE                                                                              \
    "install the client's authentication plugin (package libmariadb3) or set MARIADB_PLUGIN_DIR "  \
    "to its folder"
#define EXPIRED_ADVICE "give the account a new password and put it into MYSQL_PASSWORD"
#define LOCKED_ADVICE  "unlock the account (ALTER USER ... ACCOUNT UNLOCK)"
#define GRANT_ADVICE                                                                               \
    "grant the account SELECT, INSERT and UPDATE on the tables; to create and migrate them also "  \
    "CREATE, ALTER, INDEX and DELETE"
#define SCHEMA_ADVICE                                                                              \
    "the tables are not as this program made them: restart it, with an account that may alter "    \
    "them"
#define TLS_ADVICE                                                                                 \
    "check MYSQL_SSL_CA, MYSQL_SSL_CERT and MYSQL_SSL_KEY, and that the server speaks TLS 1.2 or " \
    "1.3"
#define NO_TLS_ADVICE                                                                              \
    "switch TLS on at the server (ssl_cert and ssl_key in its settings); or set "                  \
    "MYSQL_SSL_MODE=preferred to go without, if nobody else can listen"
#define AUTHORITY_ADVICE                                                                           \
    "MYSQL_SSL_CA must name the file of the authority that has signed the server's certificate"
#define VALIDITY_ADVICE                                                                            \
    "renew the server's certificate, or set the clock of the machine that is wrong"
#define NAME_ADVICE                                                                                \
    "the server's certificate is for another name than stands in MYSQL_HOST: write one there "     \
    "that it is for, or have a certificate made for this one; MYSQL_SSL_MODE=verify-ca does not "  \
    "look at the name"
#define HUNG_UP_ADVICE                                                                             \
    "the server's log says why it hung up; it may not trust the certificate in MYSQL_SSL_CERT"
#define CLIENT_CERTIFICATE_ADVICE                                                                  \
    "MYSQL_SSL_CERT must name a certificate that the server trusts, and MYSQL_SSL_KEY its key"
#define PRIMARY_ADVICE "MYSQL_HOST should list the server that takes writes"
#define OPTION_ADVICE  "have the server's administrator change the option that the message names"
#define QUORUM_ADVICE                                                                              \
    "the Galera node has no quorum: list the other nodes in MYSQL_HOST, or heal the cluster"
#define BUG_ADVICE "report it as a bug, with the versions of this program and of the server"

/* clang-format off */
static const struct known known[] = {
    /* The transaction lost against another one, or took too long. */
    {1213, DBERROR_RETRY, NULL, NULL}, /* deadlock, Galera certification */
    {1205, DBERROR_RETRY, NULL, NULL}, /* lock wait time-out */
    {1969, DBERROR_RETRY, NULL, NULL}, /* max_statement_time (MariaDB) */
    {3024, DBERROR_RETRY, NULL, NULL}, /* max_execution_time (MySQL) */
    {1020, DBERROR_RETRY, NULL, NULL}, /* changed since it was read (MariaDB 11.6, snapshot isolation) */
    {3101, DBERROR_RETRY, NULL, NULL}, /* Group Replication's certification */
    {1317, DBERROR_RETRY, NULL, NULL}, /* interrupted */

    /* The connection is gone, or what was prepared in it. */
    {2006, DBERROR_RECONNECT, NULL, REACH_ADVICE},
    {2013, DBERROR_RECONNECT, "sending authentication", HUNG_UP_ADVICE},
    {2013, DBERROR_RECONNECT, NULL, REACH_ADVICE},
    {2055, DBERROR_RECONNECT, NULL, REACH_ADVICE},
    {2014, DBERROR_RECONNECT, NULL, NULL}, /* commands out of sync */
    {2027, DBERROR_RECONNECT, NULL, NULL}, /* malformed packet */
    {2056, DBERROR_RECONNECT, NULL, NULL}, /* statement closed with its connection */
    {4031, DBERROR_RECONNECT, NULL, NULL}, /* idle too long (MySQL) */
    {1053, DBERROR_RECONNECT, NULL, NULL}, /* server shuts down */
    {1927, DBERROR_RECONNECT, NULL, NULL}, /* killed */
    {1152, DBERROR_RECONNECT, NULL, NULL}, /* aborted */
    {1158, DBERROR_RECONNECT, NULL, NULL}, /* network: read */
    {1159, DBERROR_RECONNECT, NULL, NULL}, /* network: read time-out */
    {1160, DBERROR_RECONNECT, NULL, NULL}, /* network: write */
    {1161, DBERROR_RECONNECT, NULL, NULL}, /* network: write time-out */
    {1615, DBERROR_RECONNECT, NULL, NULL}, /* statement must be prepared again */
    {1243, DBERROR_RECONNECT, NULL, NULL}, /* unknown prepared statement */

    /* TLS: a connection that breaks, or one that can never be. */
    {2026, DBERROR_RECONNECT, "timed out", REACH_ADVICE},
    {2026, DBERROR_RECONNECT, "eof", REACH_ADVICE},
    {2026, DBERROR_RECONNECT, "reset by", REACH_ADVICE},
    {2026, DBERROR_RECONNECT, "Broken pipe", REACH_ADVICE},
    {2026, DBERROR_OPERATOR, "does not support it", NO_TLS_ADVICE},
    {2026, DBERROR_OPERATOR, "issuer certificate", AUTHORITY_ADVICE},
    {2026, DBERROR_OPERATOR, "self-signed", AUTHORITY_ADVICE},
    {2026, DBERROR_OPERATOR, "has expired", VALIDITY_ADVICE},
    {2026, DBERROR_OPERATOR, "not yet valid", VALIDITY_ADVICE},
    {2026, DBERROR_OPERATOR, "server certificate failed", NAME_ADVICE},
    {2026, DBERROR_OPERATOR, "Hostname verification", NAME_ADVICE}, /* libmariadb 3.4 */
    {2026, DBERROR_OPERATOR, "not trusted", AUTHORITY_ADVICE},
    {2026, DBERROR_OPERATOR, "NOT trusted", AUTHORITY_ADVICE},
    {2026, DBERROR_OPERATOR, "alert", CLIENT_CERTIFICATE_ADVICE}, /* it is the server that objects */
    {2026, DBERROR_OPERATOR, NULL, TLS_ADVICE},

    /* Another server may take writes. */
    {1290, DBERROR_ELSEWHERE, "read-only", PRIMARY_ADVICE},
    {1290, DBERROR_OPERATOR, NULL, OPTION_ADVICE}, /* another option forbids it, such as enforce_storage_engine */
    {1836, DBERROR_ELSEWHERE, NULL, PRIMARY_ADVICE}, /* read-only (InnoDB) */
    {1792, DBERROR_ELSEWHERE, NULL, /* all transactions are read-only */
     PRIMARY_ADVICE ", or its administrator should set transaction_read_only (tx_read_only) to OFF"},
    {1047, DBERROR_ELSEWHERE, NULL, QUORUM_ADVICE}, /* wsrep not ready */
    {3032, DBERROR_ELSEWHERE, NULL, PRIMARY_ADVICE}, /* offline mode (MySQL) */
    {3100, DBERROR_ELSEWHERE, NULL, PRIMARY_ADVICE}, /* group replication */
    {1180, DBERROR_ELSEWHERE, "Primary", QUORUM_ADVICE}, /* COMMIT, no quorum */
    {1180, DBERROR_RETRY,     NULL,      NULL},          /* COMMIT failed */

    /* The server is away or has no room. */
    {2001, DBERROR_WAIT, NULL, NULL}, /* no socket */
    {2002, DBERROR_WAIT, NULL, REACH_ADVICE},
    {2003, DBERROR_WAIT, NULL, REACH_ADVICE},
    {2005, DBERROR_WAIT, NULL,
     "see that the name in MYSQL_HOST is right and that the DNS server knows it"},
    {2008, DBERROR_WAIT, NULL, "give this process more memory"},
    {2012, DBERROR_WAIT, NULL, REACH_ADVICE}, /* handshake */
    {1042, DBERROR_WAIT, NULL, NULL},         /* our address has no name */
    {1043, DBERROR_WAIT, NULL, REACH_ADVICE}, /* handshake */
    {1040, DBERROR_WAIT, NULL, LIMIT_ADVICE},
    {1203, DBERROR_WAIT, NULL, LIMIT_ADVICE}, /* of this user */
    {1226, DBERROR_WAIT, NULL,
     "raise the account's limit (ALTER USER ... WITH MAX_...)"},
    {1129, DBERROR_WAIT, NULL,
     "unblock this host on the server (FLUSH HOSTS, or raise max_connect_errors)"},
    {1461, DBERROR_WAIT, NULL, "raise max_prepared_stmt_count on the server"},
    {1135, DBERROR_WAIT, NULL, NULL}, /* no thread */
    {1041, DBERROR_WAIT, NULL, NULL}, /* no memory */
    {1037, DBERROR_WAIT, NULL, NULL}, /* no memory */
    {1038, DBERROR_WAIT, NULL, NULL}, /* no memory to sort */
    {1028, DBERROR_WAIT, NULL, NULL}, /* sort aborted */
    {1114, DBERROR_WAIT, NULL, DISK_ADVICE}, /* table full */
    {1021, DBERROR_WAIT, NULL, DISK_ADVICE}, /* disk full */
    {1030, DBERROR_WAIT, NULL, DISK_ADVICE}, /* storage engine */
    {3,    DBERROR_WAIT, NULL, DISK_ADVICE}, /* writing a file */

    /* A person has to act. */
    {1045, DBERROR_OPERATOR, "could not be loaded", PLUGIN_ADVICE},
    {1045, DBERROR_OPERATOR, NULL, LOGIN_ADVICE},
    {1698, DBERROR_OPERATOR, NULL, LOGIN_ADVICE},
    {2059, DBERROR_OPERATOR, NULL, PLUGIN_ADVICE},
    {2061, DBERROR_OPERATOR, NULL, PLUGIN_ADVICE},
    {5012, DBERROR_OPERATOR, NULL, PLUGIN_ADVICE},
    {5010, DBERROR_OPERATOR, NULL, /* CR_PLUGIN_NOT_ALLOWED (sidecar/store/login.c) */
     "the server asks for the password in clear, and nothing is encrypted: use TLS "
     "(MYSQL_SSL_MODE=verify-identity), or the server's Unix socket, or give the account another "
     "authentication"},
    {1251, DBERROR_OPERATOR, NULL, /* no such authentication */
     "give the account an authentication that the client has, such as mysql_native_password, "
     "ed25519 or caching_sha2_password"},
    {2049, DBERROR_OPERATOR, NULL, EXPIRED_ADVICE}, /* hash of before 4.1 */
    {1862, DBERROR_OPERATOR, NULL, EXPIRED_ADVICE},
    {1820, DBERROR_OPERATOR, NULL, EXPIRED_ADVICE},
    {4151, DBERROR_OPERATOR, NULL, LOCKED_ADVICE}, /* MariaDB */
    {3118, DBERROR_OPERATOR, NULL, LOCKED_ADVICE}, /* MySQL */
    {3955, DBERROR_OPERATOR, NULL, LOCKED_ADVICE}, /* MySQL, failed logins */
    {3159, DBERROR_OPERATOR, NULL, /* require_secure_transport */
     "connect through the server's Unix socket (MYSQL_HOST=/path) or allow the account to connect "
     "without TLS"},
    {1130, DBERROR_OPERATOR, NULL,
     "create the account for the host that this process connects from ('user'@'%' for any)"},
    {1044, DBERROR_OPERATOR, NULL, "correct MYSQL_DB_NAME, or " GRANT_ADVICE},
    {1142, DBERROR_OPERATOR, NULL, GRANT_ADVICE},
    {1143, DBERROR_OPERATOR, NULL, GRANT_ADVICE},
    {1227, DBERROR_OPERATOR, NULL, GRANT_ADVICE},
    {1364, DBERROR_OPERATOR, NULL,                 /* no default: every row lacks that column */
     "give the column a default (ALTER TABLE ... ALTER COLUMN ... SET DEFAULT ...): this program "
     "fills only its own columns"},
    {1049, DBERROR_OPERATOR, NULL,
     "create the database (CREATE DATABASE ... CHARACTER SET utf8mb4) or correct MYSQL_DB_NAME"},
    {1146, DBERROR_OPERATOR, NULL, SCHEMA_ADVICE}, /* no such table */
    {1054, DBERROR_OPERATOR, NULL, SCHEMA_ADVICE}, /* no such column */
    {1503, DBERROR_OPERATOR, NULL,
     "the table is partitioned by another column than the uid, which has to be unique: ALTER TABLE "
     "... REMOVE PARTITIONING, or partition it by KEY (the uid)"},
    {1064, DBERROR_OPERATOR, NULL, BUG_ADVICE},    /* syntax */
    {1390, DBERROR_OPERATOR, NULL, BUG_ADVICE},    /* too many placeholders */
    {5003, DBERROR_OPERATOR, NULL, BUG_ADVICE},    /* bulk on MySQL */

    /* The batch is too large. */
    {1153, DBERROR_SPLIT, NULL, "raise max_allowed_packet on the server"},
    {2020, DBERROR_SPLIT, NULL, "raise max_allowed_packet on the server"},

    /* One row is bad. */
    {1406, DBERROR_ROW, NULL, NULL}, /* too long */
    {1366, DBERROR_ROW, NULL, NULL}, /* incorrect value or character */
    {1264, DBERROR_ROW, NULL, NULL}, /* out of range */
    {1292, DBERROR_ROW, NULL, NULL}, /* incorrect time or number */
    {1048, DBERROR_ROW, NULL, NULL}, /* NULL in NOT NULL */
    {1062, DBERROR_ROW, NULL, NULL}, /* duplicate in another unique key */
    {3819, DBERROR_ROW, NULL, NULL}, /* CHECK (MySQL) */
    {4025, DBERROR_ROW, NULL, NULL}, /* CHECK (MariaDB) */
    {1265, DBERROR_ROW, NULL, NULL}, /* data truncated */
    {1300, DBERROR_ROW, NULL, NULL}, /* not of the character set */
    {1411, DBERROR_ROW, NULL, NULL}, /* incorrect value for a function */
    {1452, DBERROR_ROW, NULL, NULL}, /* foreign key */
    {3140, DBERROR_ROW, NULL, NULL}, /* invalid JSON */
};
/* clang-format on */

static const struct known *find(unsigned number, struct text message)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].number == number &&
            (known[i].part == NULL || text_contains(message, known[i].part)))
            return &known[i];
    }
    return NULL;
}

enum dberror_class dberror_classify(unsigned number, const char *sqlstate, struct text message,
                                    enum dberror_phase phase)
{
    /* Once a connection under TLS stands, libmariadb reports every loss of it by this number. */
    if (number == TLS_ERROR && phase == DBERROR_CONNECTED)
        return DBERROR_RECONNECT;
    const struct known *found = find(number, message);
    const char *state = found != NULL || sqlstate == NULL ? "" : sqlstate;
    enum dberror_class class = found != NULL ? found->class : DBERROR_OPERATOR;
    /* The first two characters of an SQLSTATE are its class. 45 is what a trigger says by SIGNAL of a row
     * that it does not accept; 22 and 23 are about data and constraints. */
    if (strncmp(state, "08", 2) == 0)
        class = DBERROR_RECONNECT;
    else if (strncmp(state, "40", 2) == 0)
        class = DBERROR_RETRY;
    else if (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 ||
             strncmp(state, "45", 2) == 0)
        class = DBERROR_ROW;
    if (phase == DBERROR_CONNECTED)
        return class;

    /* Before the connection stands there is no transaction, batch or row that could be at fault. */
    if (class == DBERROR_RETRY || class == DBERROR_RECONNECT || class == DBERROR_SPLIT)
        return DBERROR_WAIT;
    return class == DBERROR_ROW ? DBERROR_OPERATOR : class;
}

const char *dberror_class_name(enum dberror_class class)
{
    static const char *const names[] = {
        [DBERROR_RETRY] = "retry",
        [DBERROR_RECONNECT] = "reconnect",
        [DBERROR_ELSEWHERE] = "elsewhere",
        [DBERROR_WAIT] = "wait",
        [DBERROR_OPERATOR] = "operator",
        [DBERROR_SPLIT] = "split",
        [DBERROR_ROW] = "row",
    };
    return names[class];
}

const char *dberror_advice(unsigned number, struct text message, enum dberror_phase phase)
{
    enum dberror_class class = dberror_classify(number, NULL, message, phase);
    const struct known *found = find(number, message);
    bool needs_nobody = class == DBERROR_RETRY || class == DBERROR_RECONNECT;
    return found != NULL && !needs_nobody ? found->advice : NULL;
}

unsigned dberror_number(unsigned number, struct text message)
{
    static const char before[] = "cannot be verified: ";
    const size_t before_length = sizeof(before) - 1;
    const char *found =
        message.length > 0 ? memmem(message.data, message.length, before, before_length) : NULL;
    if (number != UNREACHABLE || found == NULL)
        return number;
    struct text rest = text_skip(message, (size_t)(found - message.data) + before_length);
    unsigned told = 0;
    for (size_t i = 0; i < MAX_DIGITS && i < rest.length && is_digit(rest.data[i]); i++)
        told = told * 10 + (unsigned)(rest.data[i] - '0');
    return told != 0 ? told : number;
}

size_t dberror_row(struct text message)
{
    size_t row = 0, unit = 1;
    for (size_t i = 0; i < MAX_DIGITS && message.length > 0; i++, unit *= 10) {
        char last = message.data[message.length - 1];
        if (!is_digit(last))
            break;
        row += unit * (size_t)(last - '0');
        message.length--;
    }
    return text_ends_in(message, TEXT(" at row ")) ? row : 0;
}

bool dberror_is_lack_of_rights(unsigned number)
{
    /* Of a database, table, column, an administrator's right, and of a routine. */
    return number == 1044 || number == 1142 || number == 1143 || number == 1227 || number == 1370;
}

bool dberror_is_row_in_the_way(unsigned number)
{
    /* A duplicate; a NULL, as MySQL and as MariaDB say it. */
    return number == 1062 || number == 1138 || number == 1265;
}
