/* Prints N lines of 100 bytes, each as soon as it has been worked for: working LINES MICROSECONDS FILE.

Each line costs so many microseconds of computing, as a build's does, and one write. FILE gets the seconds it took. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int count, char **words)
{
    long lines = count > 3 ? atol(words[1]) : 0;
    double work = count > 3 ? atol(words[2]) / 1e6 : 0;
    double started = now(CLOCK_MONOTONIC);
    char line[101];
    for (long number = 0; number < lines; number++) {
        double until = now(CLOCK_THREAD_CPUTIME_ID) + work;
        while (now(CLOCK_THREAD_CPUTIME_ID) < until)
            continue;
        snprintf(line, sizeof line, "line %09ld ", number);
        memset(line + 15, 'x', 84);
        line[99] = '\n';
        if (write(1, line, 100) != 100)
            return 1;
    }
    FILE *file = fopen(words[3], "w");
    fprintf(file, "%f\n", now(CLOCK_MONOTONIC) - started);
    return fclose(file);
}
