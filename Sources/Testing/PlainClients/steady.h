// The steady rate of a run: records a second between 10 % and 90 % of them.
#ifndef STEADY_H
#define STEADY_H

struct steady {
    long wanted;
    long first_count, last_count;
    double first_time, last_time;
};

void steady_note(struct steady *steady, long count);
// Prints {"rate": …}.
void steady_print(const struct steady *steady);
_Noreturn void fail(const char *what, const char *why);

int consume(const char *brokers, const char *topic, long records);
int insert(const char *database, long records, int connections);

#endif
