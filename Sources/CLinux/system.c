/* The system calls of clinux.h, one thin function each. */
#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int result(int value) { return value < 0 ? -errno : value; }

int clinux_pipe2(int descriptors[2]) { return result(pipe2(descriptors, O_CLOEXEC)); }
int clinux_set_pipe_size(int descriptor, int size) { return result(fcntl(descriptor, F_SETPIPE_SZ, size)); }
int clinux_memfd(const char *name) { return result(memfd_create(name, MFD_CLOEXEC)); }

int clinux_shared_memory(const char *name, size_t size, int *reading, int *writing) {
  int memory = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (memory < 0) return -errno;
  char path[40];
  snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
  int error = 0;
  *reading = *writing = -1;
  if (ftruncate(memory, (off_t)size) < 0 || fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ||
      (*reading = open(path, O_RDONLY | O_CLOEXEC)) < 0 || (*writing = open(path, O_RDWR | O_CLOEXEC)) < 0 || lseek(*writing, (off_t)size, SEEK_SET) < 0) {
    error = -errno;
    if (*reading >= 0) close(*reading);
    if (*writing >= 0) close(*writing);
  }
  close(memory);
  return error;
}

int clinux_epoll_create(void) { return result(epoll_create1(EPOLL_CLOEXEC)); }

static int control(int poller, int operation, int descriptor, uint32_t events, uint64_t token) {
  struct epoll_event event = {0};
  if (events & CLINUX_POLL_IN) event.events |= EPOLLIN;
  if (events & CLINUX_POLL_OUT) event.events |= EPOLLOUT;
  event.data.u64 = token;
  return result(epoll_ctl(poller, operation, descriptor, &event));
}

int clinux_epoll_add(int poller, int descriptor, uint32_t events, uint64_t token) {
  return control(poller, EPOLL_CTL_ADD, descriptor, events, token);
}
int clinux_epoll_modify(int poller, int descriptor, uint32_t events, uint64_t token) {
  return control(poller, EPOLL_CTL_MOD, descriptor, events, token);
}
int clinux_epoll_remove(int poller, int descriptor) { return control(poller, EPOLL_CTL_DEL, descriptor, 0, 0); }

int clinux_epoll_wait(int poller, clinux_ready *ready, int capacity, int timeout_milliseconds) {
  struct epoll_event events[64];
  if (capacity > 64) capacity = 64;
  int count = epoll_wait(poller, events, capacity, timeout_milliseconds);
  if (count < 0) return errno == EINTR ? 0 : -errno;
  for (int i = 0; i < count; i++) {
    ready[i].token = events[i].data.u64;
    ready[i].events = (events[i].events & EPOLLIN ? CLINUX_POLL_IN : 0u) |
                      (events[i].events & EPOLLOUT ? CLINUX_POLL_OUT : 0u) |
                      (events[i].events & EPOLLHUP ? CLINUX_POLL_HANGUP : 0u) |
                      (events[i].events & EPOLLERR ? CLINUX_POLL_ERROR : 0u);
    ready[i].reserved = 0;
  }
  return count;
}

int clinux_eventfd(void) { return result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }
int clinux_timerfd(void) { return result(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)); }

int clinux_timerfd_set(int descriptor, uint64_t nanoseconds) {
  struct itimerspec when = {{0, 0}, {(time_t)(nanoseconds / 1000000000u), (long)(nanoseconds % 1000000000u)}};
  return result(timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &when, NULL));
}

int clinux_signalfd(const int *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
  int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
  if (error) return -error;
  return result(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int clinux_signalfd_next(int descriptor) {
  struct signalfd_siginfo information;
  ssize_t size = read(descriptor, &information, sizeof information);
  if (size < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
  return size == (ssize_t)sizeof information ? (int)information.ssi_signo : 0;
}

int clinux_futex_wake_all(uint32_t *word) {
  return result((int)syscall(SYS_futex, word, FUTEX_WAKE, 0x7fffffff, NULL, NULL, 0));
}

int clinux_pidfd_open(pid_t pid) { return result((int)syscall(SYS_pidfd_open, pid, 0)); }
int clinux_pidfd_send_signal(int pidfd, int signal) {
  return result((int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}
int clinux_die_with_parent(void) { return result(prctl(PR_SET_PDEATHSIG, SIGKILL)); }
int clinux_become_subreaper(void) { return result(prctl(PR_SET_CHILD_SUBREAPER, 1)); }

int clinux_spawn(pid_t *pid, const char *path, char *const arguments[], char *const environment[],
                 const int *descriptors, int count, const char *directory) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int high[16];
  if (count > 16) return -EINVAL;
  int error = posix_spawn_file_actions_init(&actions);
  if (error) return -error;
  error = posix_spawnattr_init(&attributes);
  if (error) {
    posix_spawn_file_actions_destroy(&actions);
    return -error;
  }
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  /* A descriptor below `count` could be overwritten before it is placed: such ones are lifted out of the way first. */
  int made = 0;
  for (int i = 0; i < count && !error; i++) {
    high[i] = descriptors[i];
    if (descriptors[i] < count) {
      high[i] = fcntl(descriptors[i], F_DUPFD_CLOEXEC, 64);
      if (high[i] < 0) error = errno;
    }
    made = i + 1;
    if (!error) error = posix_spawn_file_actions_adddup2(&actions, high[i], i);
  }
  /* What this process was started with may lack close-on-exec; a plugin must not find the files of our caller. */
  if (!error) error = posix_spawn_file_actions_addclosefrom_np(&actions, count);
  if (!error && directory) error = posix_spawn_file_actions_addchdir_np(&actions, directory);
  if (!error) error = posix_spawn(pid, path, &actions, &attributes, arguments, environment);
  for (int i = 0; i < made; i++)
    if (high[i] != descriptors[i] && high[i] >= 0) close(high[i]);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return -error;
}

int clinux_reap(pid_t pid, int *status) {
  pid_t ended = waitpid(pid, status, WNOHANG);
  return ended < 0 ? -errno : ended > 0;
}

int clinux_reap_any(int *status) {
  pid_t ended = waitpid(-1, status, WNOHANG);
  if (ended < 0) return errno == ECHILD ? 0 : -errno;
  return (int)ended;
}

int clinux_status_exited(int status) { return WIFEXITED(status); }
int clinux_status_exit_code(int status) { return WEXITSTATUS(status); }
int clinux_status_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }
int clinux_status_dumped_core(int status) { return WIFSIGNALED(status) && WCOREDUMP(status); }

int clinux_getrandom(void *buffer, size_t size) {
  char *p = buffer;
  while (size) {
    ssize_t got = getrandom(p, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    p += got;
    size -= (size_t)got;
  }
  return 0;
}

int clinux_flock_exclusive(int descriptor) { return result(flock(descriptor, LOCK_EX | LOCK_NB)); }
int clinux_open(const char *path, int flags, mode_t mode) { return result(open(path, flags | O_CLOEXEC, mode)); }
int clinux_fallocate(int descriptor, off_t offset, off_t length) {
  return result(fallocate(descriptor, FALLOC_FL_KEEP_SIZE, offset, length));
}

int clinux_terminal_size(int descriptor, int *columns, int *rows) {
  struct winsize size;
  if (ioctl(descriptor, TIOCGWINSZ, &size) < 0) return -errno;
  *columns = size.ws_col;
  *rows = size.ws_row;
  return 0;
}

int clinux_accept(int descriptor) { return result(accept4(descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)); }
int clinux_peer_credentials(int descriptor, clinux_peer *peer) {
  struct ucred credentials;
  socklen_t size = sizeof credentials;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) return -errno;
  peer->pid = credentials.pid;
  peer->uid = credentials.uid;
  peer->gid = credentials.gid;
  return 0;
}
