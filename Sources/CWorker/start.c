/* The first and the last things a worker does. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cworker.h"

int cworker_expected_parent(void) {
  const char *text = getenv("STAGEHOST_HOST_PID");
  if (!text || !*text) return 0;
  char *end;
  long pid = strtol(text, &end, 10);
  return *end == '\0' && pid > 0 && pid <= 0x7fffffff ? (int)pid : 0;
}

int cworker_lift(int descriptor) {
  int lifted = fcntl(descriptor, F_DUPFD_CLOEXEC, 512);
  if (lifted < 0 && (errno == EINVAL || errno == EMFILE)) lifted = fcntl(descriptor, F_DUPFD_CLOEXEC, 64);
  return lifted < 0 ? -errno : lifted;
}

static void limit_to(int resource, rlim_t most) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) < 0) return;
  limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
  setrlimit(resource, &limit);
}

void cworker_limit(void) {
  const char *core = getenv("STAGEHOST_CORE");
  limit_to(RLIMIT_CORE, core && *core == '1' ? RLIM_INFINITY : 0);
  const char *text = getenv("STAGEHOST_DATA_LIMIT");
  if (text && *text) {
    char *end;
    unsigned long long bytes = strtoull(text, &end, 10);
    if (*end == '\0' && bytes > 0) limit_to(RLIMIT_DATA, (rlim_t)bytes);
  }
  int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file >= 0) {
    if (write(file, "900", 3) < 0) errno = 0; /* as it was, then */
    close(file);
  }
}

void cworker_clear_error(void) { errno = 0; }

void cworker_prepare(void) {
  signal(SIGPIPE, SIG_IGN);
  setvbuf(stdout, NULL, _IOLBF, 0);
}

static int map(int descriptor, int protection, void **page, size_t *size) {
  struct stat status;
  if (fstat(descriptor, &status) < 0) return -errno;
  if (status.st_size <= 0) return -EINVAL;
  void *mapping = mmap(NULL, (size_t)status.st_size, protection, MAP_SHARED, descriptor, 0);
  if (mapping == MAP_FAILED) return -errno;
  *page = mapping;
  *size = (size_t)status.st_size;
  return 0;
}

int cworker_map_page(int descriptor, void **page, size_t *size) {
  return map(descriptor, PROT_READ | PROT_WRITE, page, size);
}

int cworker_map_for_reading(int descriptor, void **memory, size_t *size) { return map(descriptor, PROT_READ, memory, size); }

/* Heap, libraries and stacks are below the first of these bits (a program at a fixed address) or near the top of the address
 * space. Smaller ones are for processors with less of it. */
enum { HIGHEST_BIT = 45, LOWEST_BIT = 37 };

void *cworker_map_apart(int descriptor, size_t size) {
  for (int bit = HIGHEST_BIT; bit >= LOWEST_BIT; bit--) {
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random) return NULL;
    uint64_t address = (((uint64_t)1 << bit) + (random & (((uint64_t)1 << bit) - 1))) & ~(uint64_t)0xffff;
    void *mapping = mmap((void *)address, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, descriptor, 0);
    if (mapping == MAP_FAILED) continue;
    /* A kernel that does not know the flag takes the address for a hint. */
    if (mapping == (void *)address && madvise(mapping, size, MADV_DONTFORK) == 0 && madvise(mapping, size, MADV_DONTDUMP) == 0)
      return mapping;
    munmap(mapping, size);
  }
  return NULL;
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

int cworker_populate(void *memory, size_t size) { return madvise(memory, size, MADV_POPULATE_WRITE) == 0 ? 0 : -errno; }

uint64_t cworker_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void cworker_leave(int code) {
  fflush(NULL);
  _exit(code);
}
