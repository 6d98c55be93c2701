/* The deeds. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "misbehave.h"

enum { MOST_DESCRIPTORS = 65536, GARBAGE_DESCRIPTORS = 4096, GARBAGE_BYTES = 4096, MEBIBYTE = 1 << 20 };

static const struct {
  const char *name;
  deed deed;
} names[] = {
    {"segfault", DO_SEGFAULT},
    {"abort", DO_ABORT},
    {"illegal-instruction", DO_ILLEGAL_INSTRUCTION},
    {"divide-by-zero", DO_DIVIDE_BY_ZERO},
    {"bus-error", DO_BUS_ERROR},
    {"raise", DO_RAISE},
    {"exit-0", DO_EXIT_0},
    {"exit-1", DO_EXIT_1},
    {"exit-3", DO_EXIT_3},
    {"loop", DO_LOOP},
    {"sleep", DO_SLEEP},
    {"allocate", DO_ALLOCATE},
    {"allocate-blindly", DO_ALLOCATE_BLINDLY},
    {"stack-overflow", DO_STACK_OVERFLOW},
    {"close-descriptors", DO_CLOSE_DESCRIPTORS},
    {"write-garbage", DO_WRITE_GARBAGE},
    {"flood-stdout", DO_FLOOD_STDOUT},
    {"fork-child", DO_FORK_CHILD},
    {"fork-daemon", DO_FORK_DAEMON},
    {"fail-transiently", DO_FAIL_TRANSIENTLY},
    {"fail-permanently", DO_FAIL_PERMANENTLY},
    {"fatal", DO_FATAL},
    {"leak", DO_LEAK},
    {"stop", DO_STOP},
    {"reject", DO_REJECT},
    {"retry-batch", DO_RETRY_BATCH},
    {"kill-host", DO_KILL_HOST},
};

const char deed_names[] =
    "segfault, abort, illegal-instruction, divide-by-zero, bus-error, raise, exit-0, exit-1, exit-3, loop, sleep, allocate, "
    "allocate-blindly, stack-overflow, close-descriptors, write-garbage, flood-stdout, fork-child, fork-daemon, "
    "fail-transiently, fail-permanently, fatal, leak, stop, reject, retry-batch, kill-host";

bool find_deed(const char *name, deed *found) {
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i].name) == 0) {
      *found = names[i].deed;
      return true;
    }
  return false;
}

void pause_for(int64_t milliseconds) {
  if (milliseconds <= 0) return;
  struct timespec left = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000};
  while (nanosleep(&left, &left) != 0) {
  }
}

/* A function of its own, so that its name can be looked for in the backtrace. */
__attribute__((noinline)) static void segfault(void) {
  volatile int *volatile nowhere = NULL;
  *nowhere = 1;
}

static void divide_by_zero(void) {
#if defined(__x86_64__)
  volatile int zero = 0;
  volatile int result = 1 / zero;
  (void)result;
#endif
  raise(SIGFPE); /* where the processor does not mind */
}

/* Memory behind the end of a file. */
static void bus_error(void) {
  int file = memfd_create("misbehave", MFD_CLOEXEC);
  volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (page != MAP_FAILED) page[0] = 1;
}

/* The array is used after the call, so that no compiler makes a loop of it. */
static volatile int deeper = 1;

__attribute__((noinline)) static int overflow_stack(int depth) {
  volatile char page[4096];
  if (!deeper) return 0;
  page[0] = (char)depth;
  int below = overflow_stack(depth + 1);
  return below + page[0];
}

static void *touched_memory(int64_t mebibytes) {
  size_t size = (size_t)mebibytes * MEBIBYTE;
  char *memory = malloc(size);
  if (!memory) return NULL;
  for (size_t i = 0; i < size; i += 4096) ((volatile char *)memory)[i] = 1;
  return memory;
}

/* As careless programs do: nobody looks at what malloc returned. */
static void *blindly_touched_memory(int64_t mebibytes) {
  size_t size = (size_t)mebibytes * MEBIBYTE;
  volatile char *memory = malloc(size);
  for (size_t i = 0; i < size; i += 4096) memory[i] = 1;
  return (void *)memory;
}

/* A process that has left the group, the session and the environment of its worker, and never ends. */
static void fork_daemon(int64_t milliseconds) {
  char seconds[24];
  snprintf(seconds, sizeof seconds, "%lld", (long long)(milliseconds / 1000));
  if (fork() != 0) return;
  setsid();
  if (fork() == 0) {
    /* exec: /proc shows the environment that a program was started with, whatever it does to it later. */
    char *const arguments[] = {"sleep", seconds, NULL};
    char *const nothing[] = {NULL};
    execve("/bin/sleep", arguments, nothing);
  }
  _exit(0);
}

static void write_garbage(void) {
  unsigned char garbage[GARBAGE_BYTES];
  uint32_t state = 12345;
  for (size_t i = 0; i < sizeof garbage; i++) {
    state = state * 1664525u + 1013904223u;
    garbage[i] = (unsigned char)(state >> 24);
  }
  for (int descriptor = 0; descriptor < GARBAGE_DESCRIPTORS; descriptor++)
    if (write(descriptor, garbage, sizeof garbage) < 0) continue;
}

static void flood_stdout(int64_t mebibytes) {
  static const char line[] = "misbehave floods the output with lines like this one, which nobody will ever want to read";
  for (int64_t i = 0; i < mebibytes * MEBIBYTE / (int64_t)sizeof line; i++) puts(line);
  fflush(stdout);
}

static int64_t given(int64_t value, int64_t otherwise) { return value < 0 ? otherwise : value; }

outcome do_deed(dummy *me, const stage_output *output, uint32_t input) {
  uint32_t later = (uint32_t)given(me->milliseconds, 0);
  switch (me->deed) {
    case DO_NOTHING: break;
    case DO_SEGFAULT: segfault(); break;
    case DO_ABORT: abort();
    case DO_ILLEGAL_INSTRUCTION: __builtin_trap();
    case DO_DIVIDE_BY_ZERO: divide_by_zero(); break;
    case DO_BUS_ERROR: bus_error(); break;
    case DO_RAISE: raise((int)me->signal); break;
    case DO_EXIT_0: exit(0);
    case DO_EXIT_1: exit(1);
    case DO_EXIT_3: exit(3);
    case DO_LOOP:
      for (volatile int on = 1; on;) {
      }
      break;
    case DO_SLEEP: pause_for(given(me->milliseconds, 1000)); break;
    case DO_ALLOCATE: {
      void *memory = touched_memory(given(me->mebibytes, 1024));
      if (!memory) {
        output->fail(output, input, STAGE_FAILURE_PERMANENT, stage_text("misbehave: no memory to waste"), 0);
        return FAILED;
      }
      pause_for(me->milliseconds);
      free(memory);
      break;
    }
    case DO_ALLOCATE_BLINDLY: {
      void *memory = blindly_touched_memory(given(me->mebibytes, 1024));
      pause_for(me->milliseconds);
      free(memory);
      break;
    }
    case DO_STACK_OVERFLOW: overflow_stack(0); break;
    case DO_CLOSE_DESCRIPTORS:
      for (int descriptor = 0; descriptor < MOST_DESCRIPTORS; descriptor++) close(descriptor);
      break;
    case DO_WRITE_GARBAGE: write_garbage(); break;
    case DO_FLOOD_STDOUT: flood_stdout(given(me->mebibytes, 64)); break;
    case DO_FORK_CHILD:
      if (fork() == 0)
        for (;;) pause();
      break;
    case DO_FORK_DAEMON: fork_daemon(given(me->milliseconds, 1000000000)); break;
    case DO_FAIL_TRANSIENTLY:
      output->fail(output, input, STAGE_FAILURE_TRANSIENT, stage_text("misbehave: fails for a while"), later);
      return FAILED;
    case DO_FAIL_PERMANENTLY:
      output->fail(output, input, STAGE_FAILURE_PERMANENT, stage_text("misbehave: fails for good"), 0);
      return FAILED;
    case DO_FATAL: output->explain(output, stage_text("misbehave: gives up"), 0); return FATAL;
    case DO_LEAK: me->leaked = touched_memory(given(me->mebibytes, 1)); break;
    case DO_STOP: raise(SIGSTOP); break;
    case DO_KILL_HOST:
      kill(getppid(), SIGKILL);
      for (;;) pause();
    case DO_REJECT: output->explain(output, stage_text("misbehave: rejects the batch"), 0); return REJECT;
    case DO_RETRY_BATCH: output->explain(output, stage_text("misbehave: wants the batch again"), later); return RETRY;
  }
  return PASSED;
}
