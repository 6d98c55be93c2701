/* clinux.h: the few system calls and intrinsics that Swift cannot import from Glibc.
 *
 * Each function is the thinnest possible door to what its comment names; errors are returned as -errno, never through
 * errno, so that Swift code cannot lose them.
 */
#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "clinux_unix.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Checksums ---- */

/* CRC32C (Castagnoli, polynomial 0x1EDC6F41 reflected, initial and final XOR 0xFFFFFFFF; RFC 3720 B.4). `crc` is the
 * result so far, 0 to begin with. SSE 4.2 or ARMv8 CRC where the processor has it, a table elsewhere. */
uint32_t clinux_crc32c(uint32_t crc, const void *data, size_t size);
/* The checksum of A followed by B, from those of A and of B and the size of B. */
uint32_t clinux_crc32c_joined(uint32_t first, uint32_t second, size_t second_size);
/* The table version, always: for tests that compare the two. */
uint32_t clinux_crc32c_portable(uint32_t crc, const void *data, size_t size);

/* SHA-256 of `size` bytes. */
void clinux_sha256(const void *data, size_t size, uint8_t digest[32]);

/* ---- Descriptors ---- */

int clinux_pipe2(int descriptors[2]);              /* pipe2(O_CLOEXEC) */
int clinux_set_pipe_size(int descriptor, int size); /* fcntl(F_SETPIPE_SZ); the new size or -errno */
int clinux_memfd(const char *name);                /* memfd_create(MFD_CLOEXEC) */
/* memfd_create, of a size that nobody can change any more (sealed), behind two descriptors: one that can only be read
 * and mapped for reading, one that can also be written, and mapped for that, and stands at its end: what somebody writes to it by
 * mistake has no room there, and is refused. 0 or -errno. */
int clinux_shared_memory(const char *name, size_t size, int *reading, int *writing);
int clinux_epoll_create(void);                     /* epoll_create1(EPOLL_CLOEXEC) */
enum { CLINUX_POLL_IN = 1, CLINUX_POLL_OUT = 2, CLINUX_POLL_HANGUP = 4, CLINUX_POLL_ERROR = 8 };
typedef struct clinux_ready {
  uint64_t token;
  uint32_t events; /* CLINUX_POLL_… */
  uint32_t reserved;
} clinux_ready;
/* epoll_ctl(EPOLL_CTL_ADD / MOD / DEL), level triggered; `events` of CLINUX_POLL_IN and _OUT. */
int clinux_epoll_add(int poller, int descriptor, uint32_t events, uint64_t token);
int clinux_epoll_modify(int poller, int descriptor, uint32_t events, uint64_t token);
int clinux_epoll_remove(int poller, int descriptor);
/* epoll_wait; number of entries filled or -errno; EINTR counts as none. */
int clinux_epoll_wait(int poller, clinux_ready *ready, int capacity, int timeout_milliseconds);
int clinux_eventfd(void);                          /* eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) */
int clinux_timerfd(void);                          /* timerfd_create(CLOCK_MONOTONIC, cloexec, nonblock) */
/* timerfd_settime, absolute, in nanoseconds of CLOCK_MONOTONIC; 0 disarms. */
int clinux_timerfd_set(int descriptor, uint64_t nanoseconds);
/* signalfd for the given signals (cloexec, nonblock), which are blocked in the calling thread. */
int clinux_signalfd(const int *signals, int count);
/* read(signalfd): the number of the next signal, 0 when none waits, or -errno. */
int clinux_signalfd_next(int descriptor);

/* FUTEX_WAKE of everybody who waits for the word, in whatever process. */
int clinux_futex_wake_all(uint32_t *word);

/* ---- Processes ---- */

int clinux_pidfd_open(pid_t pid);
int clinux_pidfd_send_signal(int pidfd, int signal);
/* prctl(PR_SET_PDEATHSIG, SIGKILL). */
int clinux_die_with_parent(void);
/* prctl(PR_SET_CHILD_SUBREAPER): what a dead worker leaves behind becomes ours to reap. */
int clinux_become_subreaper(void);
/* posix_spawn with: signal mask emptied and all dispositions default, a process group of its own, the given
 * descriptors placed at 0 … count-1 in the child (each may be any number, also below count), every other
 * descriptor closed, working directory `directory` (NULL: unchanged). 0 or -errno. */
int clinux_spawn(pid_t *pid, const char *path, char *const arguments[], char *const environment[],
                 const int *descriptors, int count, const char *directory);
/* waitpid(pid, WNOHANG): 1 with the raw wait status, 0 when still alive, -errno. */
int clinux_reap(pid_t pid, int *status);
/* Reaps any child that has ended and is not `waitpid`ed by name (subreaper); number of the process, 0 none, -errno. */
int clinux_reap_any(int *status);

/* The raw wait status taken apart. */
int clinux_status_exited(int status);   /* 1 when it ended by exit */
int clinux_status_exit_code(int status);
int clinux_status_signal(int status);   /* 0 when it ended by exit */
int clinux_status_dumped_core(int status);

/* ---- Files ---- */

int clinux_getrandom(void *buffer, size_t size); /* 0 or -errno */
int clinux_flock_exclusive(int descriptor);      /* flock(LOCK_EX | LOCK_NB): 0, -EWOULDBLOCK, … */
int clinux_open(const char *path, int flags, mode_t mode); /* open with O_CLOEXEC added; descriptor or -errno */
int clinux_fallocate(int descriptor, off_t offset, off_t length);
/* ioctl(TIOCGWINSZ): columns and rows of a terminal; 0, or -errno when it is none. */
int clinux_terminal_size(int descriptor, int *columns, int *rows);

/* ---- Sockets ---- */

typedef struct clinux_peer { pid_t pid; uid_t uid; gid_t gid; } clinux_peer;
int clinux_accept(int descriptor);               /* accept4(cloexec, nonblock) */
int clinux_peer_credentials(int descriptor, clinux_peer *peer); /* SO_PEERCRED */

#ifdef __cplusplus
}
#endif
#endif
