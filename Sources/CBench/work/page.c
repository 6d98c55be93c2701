/* The clock page. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cbench.h"

struct cbench_page {
  _Atomic uint64_t count;
  uint64_t reserved[7];
  cbench_mark marks[CBENCH_PAGE_ENTRIES];
};

cbench_page *cbench_page_open(const char *path) {
  int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return NULL;
  void *bytes = MAP_FAILED;
  if (ftruncate(descriptor, (off_t)sizeof(cbench_page)) == 0) {
    bytes = mmap(NULL, sizeof(cbench_page), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  }
  close(descriptor);
  return bytes == MAP_FAILED ? NULL : bytes;
}

void cbench_page_close(cbench_page *page) { munmap(page, sizeof *page); }

/* One stage with one worker writes, so that a plain ring is enough; the count goes up last. */
void cbench_page_note(cbench_page *page, uint64_t batch, int begun) {
  uint64_t number = atomic_load_explicit(&page->count, memory_order_relaxed);
  cbench_mark *mark = &page->marks[number % CBENCH_PAGE_ENTRIES];
  mark->nanoseconds = cbench_now();
  mark->batch = batch;
  mark->pid = getpid();
  mark->begun = begun != 0;
  atomic_store_explicit(&page->count, number + 1, memory_order_release);
}

uint64_t cbench_page_count(const cbench_page *page) {
  return atomic_load_explicit(&((cbench_page *)page)->count, memory_order_acquire);
}

cbench_mark cbench_page_mark(const cbench_page *page, uint64_t number) {
  return page->marks[number % CBENCH_PAGE_ENTRIES];
}

static uint64_t read_clock(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t cbench_now(void) { return read_clock(CLOCK_MONOTONIC); }

uint64_t cbench_spent(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

void cbench_pause(uint64_t nanoseconds) {
  struct timespec pause = {(time_t)(nanoseconds / 1000000000u), (long)(nanoseconds % 1000000000u)};
  nanosleep(&pause, NULL);
}
