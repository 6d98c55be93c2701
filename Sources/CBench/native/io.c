#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "native.h"

int native_read_all(int descriptor, void *bytes, size_t size) {
  char *at = bytes;
  while (size > 0) {
    ssize_t got = read(descriptor, at, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return 0;
    at += got;
    size -= (size_t)got;
  }
  return 1;
}

int native_write_all(int descriptor, const void *bytes, size_t size) {
  const char *at = bytes;
  while (size > 0) {
    ssize_t wrote = write(descriptor, at, size);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return 0;
    at += wrote;
    size -= (size_t)wrote;
  }
  return 1;
}

void native_die(const char *what) {
  perror(what);
  exit(74);
}
