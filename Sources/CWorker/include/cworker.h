/* cworker.h: what the worker needs of C: crash evidence, the shared page, the faces of outputs.
 *
 * Errors are returned as -errno. Nothing here is called by the host.
 */
#ifndef CWORKER_H
#define CWORKER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "stage.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Start ---- */

/* Process id that the host said it has (environment variable STAGEHOST_HOST_PID); 0 when it did not say. */
int cworker_expected_parent(void);
/* What the host allows (STAGEHOST_DATA_LIMIT, bytes; STAGEHOST_CORE=1): RLIMIT_DATA, and RLIMIT_CORE, which is 0 otherwise.
 * Makes this process the first that the kernel ends when the machine is out of memory. Errors are of no consequence. */
void cworker_limit(void);
/* errno = 0: what stands there at a crash was set by the plugin. */
void cworker_clear_error(void);
/* dup to a number of 512 or above where the limit allows, 64 or above elsewhere, closed on exec. */
int cworker_lift(int descriptor);
/* Ignores SIGPIPE, and makes stdout line-buffered, so that the last words of a plugin are not lost with it. */
void cworker_prepare(void);
/* Maps the page behind `descriptor` (MAP_SHARED). 0 or -errno. */
int cworker_map_page(int descriptor, void *_Nullable *_Nonnull page, size_t *_Nonnull size);
/* The same for memory that is only read. */
int cworker_map_for_reading(int descriptor, void *_Nullable *_Nonnull memory, size_t *_Nonnull size);
/* Maps `size` bytes for writing at a random address terabytes away from everything that a plugin has a pointer to. No child
 * of this process inherits it, and no core has it. NULL where that cannot be had. */
void *_Nullable cworker_map_apart(int descriptor, size_t size);
/* Gives a part of a mapping its pages, all at once, so that a store to it cannot fail for want of memory. 0 or -errno. */
int cworker_populate(void *_Nonnull memory, size_t size);
/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t cworker_now(void);
/* Flushes stdio and leaves without running anybody's exit handlers. */
void cworker_leave(int code) __attribute__((noreturn));

/* ---- Crash evidence ---- */

/* Offsets of the crash area in the page: from PageLayout, so that they are written down once. */
typedef struct cworker_crash_layout {
  void *_Nullable page; /* NULL: text only */
  size_t state, signal, code, frame_count, address, text_length, error, frames, text;
  uint32_t maximum_frames, maximum_text;
} cworker_crash_layout;

/* Installs the handler of SEGV, BUS, ILL, FPE, ABRT, SYS and TRAP: it writes signal, address and frames into the page,
 * then the symbols, also to `text_descriptor`, and dies of the same signal. */
int cworker_watch_crashes(const cworker_crash_layout *_Nonnull layout, int text_descriptor);
/* Gives the calling thread a stack for the handler, so that an overflow of its own can be reported. Never freed. */
int cworker_alternate_stack(void);

/* ---- Threads ---- */

/* A mutex that knows its owner: the thread id in a word, and a bit when somebody waits (futex). Half the price of glibc's
 * PTHREAD_MUTEX_ERRORCHECK, and it is taken for every record: hence inline, but for waiting. All zeros: free. */
typedef struct cworker_lock {
  uint32_t word;
} cworker_lock;

#define CWORKER_SOMEBODY_WAITS 0x80000000u

/* The calling thread's id; 0 until it was asked for. */
extern _Thread_local uint32_t cworker_thread_number;
uint32_t cworker_find_thread_number(void);
/* For a lock that somebody has: 0 when it is the calling thread, else waits and takes it. */
int cworker_lock_wait(cworker_lock *_Nonnull lock);
void cworker_lock_wake(cworker_lock *_Nonnull lock);

static inline uint32_t cworker_own_number(void) {
  uint32_t number = cworker_thread_number;
  return number ? number : cworker_find_thread_number();
}
/* 0 when anybody has it. */
static inline int cworker_lock_try(cworker_lock *_Nonnull lock) {
  uint32_t nobody = 0;
  return __atomic_compare_exchange_n(&lock->word, &nobody, cworker_own_number(), 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
/* Whether the calling thread has it: only the owner itself can find its number there. */
static inline int cworker_lock_is_mine(const cworker_lock *_Nonnull lock) {
  return (__atomic_load_n(&lock->word, __ATOMIC_RELAXED) & ~CWORKER_SOMEBODY_WAITS) == cworker_own_number();
}
/* 0 when the calling thread has it already. */
static inline int cworker_lock_take(cworker_lock *_Nonnull lock) { return cworker_lock_try(lock) || cworker_lock_wait(lock); }
static inline void cworker_lock_release(cworker_lock *_Nonnull lock) {
  if (__atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE) & CWORKER_SOMEBODY_WAITS) cworker_lock_wake(lock);
}
/* Starts a detached thread with a crash stack of its own. 0 or -errno. A SIGABRT from the host asks where the plugin hangs:
 * threads that call no plugin do not hear it (`hears_abort` 0). */
int cworker_start_thread(void (*_Nonnull body)(void *_Nullable), void *_Nullable argument, int hears_abort);

/* Waits until the word, which another process counts up, has come to `target` (with wrap-around); 0 when the time was
 * over before. */
int cworker_await_count(const uint32_t *_Nonnull word, uint32_t target, uint64_t timeout_nanoseconds);

/* The slot that the calling thread works for: -1 for threads that the plugin has made. */
int cworker_slot_of_thread(void);
void cworker_set_slot_of_thread(int slot);

/* ---- Plugins ---- */

/* The name of the first member that must not be NULL and is, or must be and is not (then preceded by '!'); NULL when the
 * table is as the header wants it. `table->struct_size` and `table->kind` have been checked. */
const char *_Nullable cworker_wrong_member(const stage_plugin *_Nonnull table);
/* dlopen(RTLD_NOW | RTLD_LOCAL). */
void *_Nullable cworker_open_library(const char *_Nonnull path);
const char *_Nullable cworker_loader_error(void);
typedef const stage_plugin *_Nullable (*cworker_entry)(void);
/* The entry function of protocol `version`, or NULL. */
cworker_entry _Nullable cworker_find_entry(void *_Nonnull library, uint32_t version);

/* ---- Outputs ---- */

/* A stage_output as a plugin sees it, and which call of which owner it belongs to. The plugin's pointer stays valid
 * memory for ever; `call` tells a late use from a good one. */
typedef struct cworker_face {
  stage_output output;
  void *_Nullable owner;
  uint64_t call;
} cworker_face;

#ifdef __cplusplus
}
#endif
#endif
