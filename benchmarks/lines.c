/* lines N: N log-like lines of exactly 100 bytes (incl. newline), fixed pseudo-random content.
   The same text that the peers were measured with. */
#include <stdio.h>
#include <stdlib.h>
int main(int c, char **v) {
  long n = c > 1 ? atol(v[1]) : 1000; unsigned long long s = 88172645463325252ULL; char b[128];
  static char buf[1 << 16]; setvbuf(stdout, buf, _IOFBF, sizeof buf);
  for (long i = 0; i < n; i++) {
    s ^= s << 13; s ^= s >> 7; s ^= s << 17;
    int k = snprintf(b, sizeof b, "%09ld [%3llu%%] building src/mod_%04llu/file_%05llu.c -> obj/%016llx.o flags=-O2 -g -Wall ",
                     i, s % 101, (s >> 8) % 2000, (s >> 20) % 90000, s);
    while (k < 99) b[k++] = '.';
    b[99] = '\n'; fwrite(b, 1, 100, stdout);
  }
  return 0;
}
