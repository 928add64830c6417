// What an ingest is measured against: the least that C programs do with the same libraries.
//
//   plain-clients consume BROKERS TOPIC RECORDS          reads and counts, with librdkafka
//   plain-clients insert DATABASE RECORDS CONNECTIONS    inserts five columns, 512 rows a commit, with libpq
#include "steady.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

void steady_note(struct steady *steady, long count) {
    if (!steady->first_count && count * 10 >= steady->wanted) {
        steady->first_count = count;
        steady->first_time = now();
    }
    if (!steady->last_count && count * 10 >= steady->wanted * 9) {
        steady->last_count = count;
        steady->last_time = now();
    }
}

void steady_print(const struct steady *steady) {
    double seconds = steady->last_time - steady->first_time;
    printf("{\"rate\": %.1f}\n", (double)(steady->last_count - steady->first_count) / seconds);
}

void fail(const char *what, const char *why) {
    fprintf(stderr, "plain-clients: %s: %s\n", what, why);
    exit(1);
}

int main(int count, char **words) {
    if (count == 5 && !strcmp(words[1], "consume"))
        return consume(words[2], words[3], atol(words[4]));
    if (count == 5 && !strcmp(words[1], "insert"))
        return insert(words[2], atol(words[3]), atoi(words[4]));
    fprintf(stderr, "usage: plain-clients consume BROKERS TOPIC RECORDS\n"
                    "       plain-clients insert DATABASE RECORDS CONNECTIONS\n");
    return 64;
}
