/* Threads and locks, where Glibc's types import badly. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>

#include "cworker.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SOMEBODY_WAITS CWORKER_SOMEBODY_WAITS

_Thread_local uint32_t cworker_thread_number;

uint32_t cworker_find_thread_number(void) { return cworker_thread_number = (uint32_t)syscall(SYS_gettid); }

/* Whoever has had to wait cannot know whether others still do: it takes the lock with the bit set. */
static void wait_for(cworker_lock *lock) {
  for (;;) {
    uint32_t seen = 0;
    if (__atomic_compare_exchange_n(&lock->word, &seen, cworker_own_number() | SOMEBODY_WAITS, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
      return;
    if (!(seen & SOMEBODY_WAITS) && !__atomic_compare_exchange_n(&lock->word, &seen, seen | SOMEBODY_WAITS, 0,
                                                                 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
      continue;
    syscall(SYS_futex, &lock->word, FUTEX_WAIT_PRIVATE, seen | SOMEBODY_WAITS, NULL, NULL, 0);
  }
}

int cworker_lock_wait(cworker_lock *lock) {
  if (cworker_lock_is_mine(lock)) return 0;
  wait_for(lock);
  return 1;
}

void cworker_lock_wake(cworker_lock *lock) { syscall(SYS_futex, &lock->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0); }

static _Thread_local int slot_of_thread = -1;

int cworker_slot_of_thread(void) { return slot_of_thread; }
void cworker_set_slot_of_thread(int slot) { slot_of_thread = slot; }

typedef struct start {
  void (*body)(void *);
  void *argument;
} start;

static void *run(void *opaque) {
  start begin = *(start *)opaque;
  free(opaque);
  cworker_alternate_stack();
  begin.body(begin.argument);
  return NULL;
}

int cworker_start_thread(void (*body)(void *), void *argument, int hears_abort) {
  start *begin = malloc(sizeof *begin);
  if (!begin) return -12;
  begin->body = body;
  begin->argument = argument;
  pthread_t thread;
  /* Inherited by the new thread: it never hears one, not even before its first line. */
  sigset_t abort_alone, before;
  sigemptyset(&abort_alone);
  sigaddset(&abort_alone, SIGABRT);
  if (!hears_abort) pthread_sigmask(SIG_BLOCK, &abort_alone, &before);
  int error = pthread_create(&thread, NULL, run, begin);
  if (!hears_abort) pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error) {
    free(begin);
    return -error;
  }
  pthread_detach(thread);
  return 0;
}

int cworker_await_count(const uint32_t *word, uint32_t target, uint64_t timeout_nanoseconds) {
  uint64_t end = cworker_now() + timeout_nanoseconds;
  for (;;) {
    uint32_t value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    if ((int32_t)(value - target) >= 0) return 1;
    uint64_t now = cworker_now();
    if (now >= end) return 0;
    struct timespec left = {(time_t)((end - now) / 1000000000u), (long)((end - now) % 1000000000u)};
    syscall(SYS_futex, word, FUTEX_WAIT, value, &left, NULL, 0);
  }
}
