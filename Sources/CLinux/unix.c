/* The unix sockets of clinux_unix.h. */
#define _GNU_SOURCE
#include "clinux_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int address_of(struct sockaddr_un *address, int folder, const char *name) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  int length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", folder, name);
  return length < 0 || (size_t)length >= sizeof address->sun_path ? -ENAMETOOLONG : 0;
}

static int failed(int descriptor) {
  int error = errno;
  close(descriptor);
  return -error;
}

int clinux_unix_listen(int folder, const char *name, int backlog) {
  struct sockaddr_un address;
  int error = address_of(&address, folder, name);
  if (error) return error;
  if (unlinkat(folder, name, 0) < 0 && errno != ENOENT) return -errno;
  int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -errno;
  if (bind(descriptor, (const struct sockaddr *)&address, sizeof address) < 0) return failed(descriptor);
  if (fchmodat(folder, name, S_IRUSR | S_IWUSR, 0) < 0 || listen(descriptor, backlog) < 0) {
    error = failed(descriptor);
    unlinkat(folder, name, 0);
    return error;
  }
  return descriptor;
}

int clinux_unix_connect(int folder, const char *name, int wait_milliseconds) {
  struct sockaddr_un address;
  int error = address_of(&address, folder, name);
  if (error) return error;
  int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  /* Whoever waits in the kernel has a turn; whoever only asks now and then finds the queue full each time. */
  struct timeval wait = {wait_milliseconds / 1000, (suseconds_t)(wait_milliseconds % 1000) * 1000};
  if (wait_milliseconds > 0 && setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) < 0) return failed(descriptor);
  if (wait_milliseconds <= 0 && fcntl(descriptor, F_SETFL, O_NONBLOCK) < 0) return failed(descriptor);
  if (connect(descriptor, (const struct sockaddr *)&address, sizeof address) < 0) {
    if (errno == EINTR) errno = EAGAIN;
    return failed(descriptor);
  }
  if (fcntl(descriptor, F_SETFL, O_NONBLOCK) < 0) return failed(descriptor);
  return descriptor;
}

int clinux_unlink_at(int folder, const char *name) { return unlinkat(folder, name, 0) < 0 ? -errno : 0; }

ssize_t clinux_send(int descriptor, const void *data, size_t size) {
  for (;;) {
    ssize_t sent = send(descriptor, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return sent;
    if (errno != EINTR) return -errno;
  }
}

int clinux_wait_readable(int descriptor, int timeout_milliseconds) {
  struct pollfd wanted = {.fd = descriptor, .events = POLLIN};
  int count = poll(&wanted, 1, timeout_milliseconds);
  if (count < 0) return errno == EINTR ? 1 : -errno;
  return count;
}

void clinux_pause(int milliseconds) {
  struct timespec rest = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
  while (nanosleep(&rest, &rest) < 0 && errno == EINTR) {}
}
