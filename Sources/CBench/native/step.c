/* One step of the reference job as a program of its own, lines in, lines out: a link of the bare pipe that the stages are
 * measured against. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cbench.h"
#include "native.h"

enum { BLOCK = 1 << 20, LONGEST_LINE = 1 << 20 };

int native_step(const char *name) {
  cbench_step step = cbench_step_named(name);
  if (step == NULL) return 64;
  /* What is written for a block is larger than the block by at most CBENCH_ROOM a line: it is sent before it overflows. */
  size_t room = BLOCK + LONGEST_LINE + CBENCH_ROOM;
  char *in = malloc(BLOCK + LONGEST_LINE), *out = malloc(room);
  if (in == NULL || out == NULL) return 70;
  size_t held = 0, made = 0;
  for (;;) {
    ssize_t got = read(0, in + held, BLOCK);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return 74;
    if (got == 0) break;
    held += (size_t)got;
    char *at = in, *end = in + held, *newline;
    while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
      size_t size = (size_t)(newline - at);
      if (made + size + CBENCH_ROOM + 1 > room) {
        if (!native_write_all(1, out, made)) return 74;
        made = 0;
      }
      ssize_t written = step(at, size, out + made);
      if (written == CBENCH_MALFORMED) {
        fprintf(stderr, "error: line is no document: %.*s\n", (int)(size < 80 ? size : 80), at);
        return 65;
      }
      if (written >= 0) {
        made += (size_t)written;
        out[made++] = '\n';
      }
      at = newline + 1;
    }
    held = (size_t)(end - at);
    if (held >= LONGEST_LINE) return 65;
    memmove(in, at, held);
    if (!native_write_all(1, out, made)) return 74;
    made = 0;
  }
  return held == 0 ? 0 : 65;
}
