/* The last words of a worker.
 *
 * Order matters: what is certain (signal, code, address, program counters) is in the page before anything is tried that
 * could fail (names of functions, for which the loader's lock is needed). Should that hang, an alarm ends it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "cworker.h"

enum { MOST_FRAMES = 128, ALTERNATE_STACK_BYTES = 256 * 1024, TEXT_BYTES = 32768, PATIENCE_SECONDS = 2 };

static cworker_crash_layout where;
static int text_descriptor = 2;
static atomic_int crashing_thread;
static volatile sig_atomic_t dying_of;
static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};

static void die(int signal_number) {
  struct sigaction action = {0};
  action.sa_handler = SIG_DFL;
  sigaction(signal_number, &action, NULL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal_number);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  raise(signal_number);
  _exit(128 + signal_number);
}

static void out_of_patience(int ignored) {
  (void)ignored;
  die(dying_of);
}

static void put32(size_t offset, uint32_t value) {
  if (where.page) memcpy((char *)where.page + offset, &value, sizeof value);
}

static void put64(size_t offset, uint64_t value) {
  if (where.page) memcpy((char *)where.page + offset, &value, sizeof value);
}

static void publish(uint32_t state) {
  if (where.page) atomic_store((_Atomic uint32_t *)((char *)where.page + where.state), state);
}

/* Text without stdio: a crash may have happened inside it. */
typedef struct text {
  char bytes[TEXT_BYTES];
  size_t size;
} text;
static text words;

static void add(text *to, const char *string) {
  while (*string && to->size < sizeof to->bytes) to->bytes[to->size++] = *string++;
}

static void add_number(text *to, uint64_t value, unsigned base) {
  char digits[24];
  int at = sizeof digits;
  digits[--at] = '\0';
  do {
    digits[--at] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value);
  if (base == 16) add(to, "0x");
  add(to, digits + at);
}

static const char *name_of(int signal_number) {
  switch (signal_number) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGILL: return "SIGILL";
    case SIGFPE: return "SIGFPE";
    case SIGABRT: return "SIGABRT";
    case SIGSYS: return "SIGSYS";
    case SIGTRAP: return "SIGTRAP";
    default: return "a signal";
  }
}

static void say(const text *what) {
  size_t at = 0;
  while (at < what->size) {
    ssize_t wrote = write(text_descriptor, what->bytes + at, what->size - at);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;
    at += (size_t)wrote;
  }
}

static void describe(text *to, void *counter, int innermost) {
  /* A return address points behind the call: one less is inside it. */
  void *inside = innermost ? counter : (char *)counter - 1;
  Dl_info information;
  if (!dladdr(inside, &information) || !information.dli_fname) {
    add_number(to, (uint64_t)(uintptr_t)counter, 16);
    add(to, "\n");
    return;
  }
  const char *slash = strrchr(information.dli_fname, '/');
  add(to, slash ? slash + 1 : information.dli_fname);
  add(to, "+");
  add_number(to, (uint64_t)((uintptr_t)counter - (uintptr_t)information.dli_fbase), 16);
  if (information.dli_sname) {
    add(to, " ");
    add(to, information.dli_sname);
    add(to, "+");
    add_number(to, (uint64_t)((uintptr_t)counter - (uintptr_t)information.dli_saddr), 16);
  }
  add(to, "\n");
}

static void *counter_of(const void *context) {
  const ucontext_t *machine = context;
#if defined(__x86_64__)
  return (void *)machine->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
  return (void *)machine->uc_mcontext.pc;
#else
  (void)machine;
  return NULL;
#endif
}

/* Not backtrace() of the C library: that loads the unwinder's library, which half of all workers need for nothing else. */
typedef struct trace {
  void **frames;
  int count;
} trace;

static _Unwind_Reason_Code take_frame(struct _Unwind_Context *context, void *opaque) {
  trace *into = opaque;
  if (into->count == MOST_FRAMES) return _URC_END_OF_STACK;
  void *counter = (void *)_Unwind_GetIP(context);
  if (!counter) return _URC_END_OF_STACK;
  into->frames[into->count++] = counter;
  return _URC_NO_REASON;
}

static int take_frames(void **frames) {
  trace into = {frames, 0};
  _Unwind_Backtrace(take_frame, &into);
  return into.count;
}

static void on_fatal_signal(int signal_number, siginfo_t *information, void *context) {
  uint32_t error = (uint32_t)errno;
  int self = (int)syscall(SYS_gettid);
  int nobody = 0;
  if (!atomic_compare_exchange_strong(&crashing_thread, &nobody, self)) {
    if (nobody == self) die(dying_of); /* the handler itself went wrong: what is written is written */
    for (;;) pause();                  /* another thread was first, and ends us all */
  }
  dying_of = signal_number;

  struct sigaction patience = {0};
  patience.sa_handler = out_of_patience;
  sigaction(SIGALRM, &patience, NULL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  alarm(PATIENCE_SECONDS);

  put32(where.signal, (uint32_t)signal_number);
  put32(where.error, error);
  put32(where.code, (uint32_t)information->si_code);
  int has_address = information->si_code > 0 && signal_number != SIGABRT && signal_number != SIGSYS;
  uint64_t address = has_address ? (uint64_t)(uintptr_t)information->si_addr : 0;
  put64(where.address, address);

  /* The frames of this handler come first; they end where the interrupted program counter stands. */
  static void *frames[MOST_FRAMES];
  void *interrupted = counter_of(context);
  int count = take_frames(frames);
  int first = 0;
  while (first < count && frames[first] != interrupted) first++;
  if (first == count) { /* the unwinder could not pass the signal frame: one frame is better than a wrong list */
    frames[0] = interrupted;
    first = 0;
    count = 1;
  }
  count -= first;
  if (count > (int)where.maximum_frames) count = (int)where.maximum_frames;
  for (int i = 0; i < count; i++) put64(where.frames + 8 * (size_t)i, (uint64_t)(uintptr_t)frames[first + i]);
  put32(where.frame_count, (uint32_t)count);
  publish(1);

  static text heading;
  add(&heading, "stagehost-worker: ");
  add(&heading, name_of(signal_number));
  add(&heading, ", code ");
  add_number(&heading, (uint32_t)information->si_code > 0x7fffffffu ? 0 : (uint64_t)information->si_code, 10);
  if (has_address) {
    add(&heading, ", at address ");
    add_number(&heading, address, 16);
  }
  add(&heading, "\n");
  say(&heading);

  for (int i = 0; i < count; i++) describe(&words, frames[first + i], i == 0);
  if (words.size > where.maximum_text && where.page) words.size = where.maximum_text;
  if (where.page) {
    memcpy((char *)where.page + where.text, words.bytes, words.size);
    put64(where.text_length, words.size);
    publish(2);
  }
  say(&words);
  die(signal_number);
}

int cworker_watch_crashes(const cworker_crash_layout *layout, int descriptor) {
  where = *layout;
  text_descriptor = descriptor;
  /* The first call may set up the unwinder: not to be done in a handler. */
  static void *frames[MOST_FRAMES];
  take_frames(frames);
  struct sigaction action = {0};
  action.sa_sigaction = on_fatal_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++)
    if (sigaction(fatal_signals[i], &action, NULL) < 0) return -errno;
  return cworker_alternate_stack();
}

int cworker_alternate_stack(void) {
  void *memory = mmap(NULL, ALTERNATE_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return -errno;
  stack_t stack = {0};
  stack.ss_sp = memory;
  stack.ss_size = ALTERNATE_STACK_BYTES;
  return sigaltstack(&stack, NULL) < 0 ? -errno : 0;
}
