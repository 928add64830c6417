// Inserts rows of five columns with a uuid key, as arrays, 512 a commit.
#include "steady.h"
#include <endian.h>
#include <postgresql/libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { rows = 512, columns = 5, header = 20 };

static const char *const table =
    "create table if not exists plain_rows(key uuid primary key, product bigint not null, "
    "position bigint not null, starts timestamptz not null, ends timestamptz not null)";
static const char *const statement =
    "insert into plain_rows select * from unnest("
    "$1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::timestamptz[]) "
    "on conflict do nothing";
static const uint32_t types[columns] = {2950, 20, 20, 1184, 1184};

static long wanted;
static atomic_long inserted;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct steady steady;

struct writer {
    PGconn *connection;
    pthread_t thread;
    uint64_t random;
    char *parameters[columns];
};

static uint64_t next_random(uint64_t *state) {
    uint64_t x = *state += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static char *put32(char *to, uint32_t value) {
    value = htobe32(value);
    memcpy(to, &value, 4);
    return to + 4;
}

static char *put64(char *to, uint64_t value) {
    value = htobe64(value);
    memcpy(to, &value, 8);
    return to + 8;
}

static void fill(struct writer *writer, int *lengths) {
    for (int column = 0; column < columns; column++) {
        char *to = writer->parameters[column];
        to = put32(put32(put32(to, 1), 0), types[column]);
        to = put32(put32(to, rows), 1);
        for (int row = 0; row < rows; row++) {
            if (column == 0) {
                to = put32(to, 16);
                to = put64(to, next_random(&writer->random));
                to = put64(to, next_random(&writer->random));
            } else {
                to = put64(put32(to, 8), next_random(&writer->random) % 50000);
            }
        }
        lengths[column] = (int)(to - writer->parameters[column]);
    }
}

static void check(PGconn *connection, PGresult *result) {
    if (PQresultStatus(result) != PGRES_COMMAND_OK) fail("insert", PQerrorMessage(connection));
    PQclear(result);
}

static void *write_rows(void *argument) {
    struct writer *writer = argument;
    static const int binary[columns] = {1, 1, 1, 1, 1};
    int lengths[columns];
    while (atomic_load(&inserted) < wanted) {
        fill(writer, lengths);
        check(writer->connection,
              PQexecPrepared(writer->connection, "insert", columns,
                             (const char *const *)writer->parameters, lengths, binary, 1));
        pthread_mutex_lock(&lock);
        steady_note(&steady, atomic_fetch_add(&inserted, rows) + rows);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

int insert(const char *database, long records, int connections) {
    struct writer *writers = calloc((size_t)connections, sizeof *writers);
    wanted = steady.wanted = records;
    for (int i = 0; i < connections; i++) {
        struct writer *writer = &writers[i];
        writer->connection = PQconnectdb(database);
        if (PQstatus(writer->connection) != CONNECTION_OK)
            fail("connect", PQerrorMessage(writer->connection));
        if (i == 0) check(writer->connection, PQexec(writer->connection, table));
        check(writer->connection, PQprepare(writer->connection, "insert", statement, 0, NULL));
        writer->random = (uint64_t)time(NULL) << 16 | (uint64_t)i;
        for (int column = 0; column < columns; column++)
            writer->parameters[column] = malloc(header + rows * 20);
    }
    for (int i = 0; i < connections; i++)
        pthread_create(&writers[i].thread, NULL, write_rows, &writers[i]);
    for (int i = 0; i < connections; i++) {
        pthread_join(writers[i].thread, NULL);
        PQfinish(writers[i].connection);
        for (int column = 0; column < columns; column++) free(writers[i].parameters[column]);
    }
    free(writers);
    steady_print(&steady);
    return 0;
}
