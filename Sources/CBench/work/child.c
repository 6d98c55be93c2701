/* A child process, measured. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "cbench.h"

static int place(posix_spawn_file_actions_t *actions, int from, int to) {
  if (from < 0) return posix_spawn_file_actions_addopen(actions, to, "/dev/null", O_RDWR, 0);
  return posix_spawn_file_actions_adddup2(actions, from, to);
}

int cbench_spawn(pid_t *pid, char *const arguments[], char *const environment[], int input, int output, int error) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigemptyset(&none);
  int result = posix_spawn_file_actions_init(&actions);
  if (result != 0) return -result;
  result = posix_spawnattr_init(&attributes);
  if (result != 0) {
    posix_spawn_file_actions_destroy(&actions);
    return -result;
  }
  /* The bench blocks the signals that it waits for; its children do not. */
  result = posix_spawnattr_setsigmask(&attributes, &none);
  if (result == 0) result = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  if (result == 0) result = place(&actions, input, 0);
  if (result == 0) result = place(&actions, output, 1);
  if (result == 0) result = place(&actions, error, 2);
  if (result == 0) result = posix_spawnp(pid, arguments[0], &actions, &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return -result;
}

static uint64_t nanoseconds(struct timeval time) {
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

int cbench_wait(pid_t pid, uint64_t begun, cbench_usage *usage) {
  int status = 0;
  struct rusage spent;
  pid_t result;
  do result = wait4(pid, &status, 0, &spent);
  while (result < 0 && errno == EINTR);
  if (result < 0) return -errno;
  usage->wall_nanoseconds = cbench_now() - begun;
  usage->cpu_nanoseconds = nanoseconds(spent.ru_utime) + nanoseconds(spent.ru_stime);
  usage->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return 0;
}

int cbench_has_ended(pid_t pid) {
  siginfo_t facts;
  memset(&facts, 0, sizeof facts);
  return waitid(P_PID, (id_t)pid, &facts, WEXITED | WNOHANG | WNOWAIT) != 0 || facts.si_pid == pid;
}

uint64_t cbench_peak_memory(pid_t pid) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  FILE *file = fopen(path, "re");
  if (file == NULL) return 0;
  uint64_t kibibytes = 0;
  while (fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, "VmHWM:", 6) == 0) kibibytes = strtoull(line + 6, NULL, 10);
  }
  fclose(file);
  return kibibytes * 1024;
}
