/* Makes the input of the benchmarks, and checks what came of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cbench.h"

/* SplitMix64. */
static uint64_t next(uint64_t *state) {
  uint64_t z = *state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

enum { WORDS = 4096, LONGEST_WORD = 11 };

int cbench_generate(const char *path, uint64_t count, uint64_t seed) {
  static const char *languages[] = {"en", "de", "fr", "es", "it"};
  FILE *file = fopen(path, "we");
  if (file == NULL) return -errno;
  setvbuf(file, NULL, _IOFBF, 1 << 20);
  char(*words)[LONGEST_WORD + 1] = calloc(WORDS, sizeof *words);
  if (words == NULL) {
    fclose(file);
    return -ENOMEM;
  }
  uint64_t state = seed;
  for (int w = 0; w < WORDS; w++) {
    int length = 2 + (int)(next(&state) % (LONGEST_WORD - 2));
    for (int i = 0; i < length; i++) words[w][i] = (char)('a' + next(&state) % 26);
    if (w % 4 == 0) words[w][0] = (char)(words[w][0] - 32);
  }
  char text[512];
  for (uint64_t id = 0; id < count; id++) {
    int left = 22 + (int)(next(&state) % 17);
    char *at = text;
    while (left-- > 0) {
      const char *word = words[next(&state) % WORDS];
      size_t size = strlen(word);
      memcpy(at, word, size);
      at += size;
      if (left > 0) *at++ = ' ';
    }
    *at = '\0';
    fprintf(file, "{\"id\":%llu,\"url\":\"https://example.org/doc/%08llx\",\"lang\":\"%s\",\"score\":0.%04llu,\"text\":\"%s\"}\n",
            (unsigned long long)id, (unsigned long long)(next(&state) >> 32), languages[id % 5],
            (unsigned long long)(next(&state) % 10000), text);
  }
  free(words);
  int failed = ferror(file);
  if (fclose(file) != 0 || failed) return errno ? -errno : -EIO;
  return 0;
}

int cbench_generate_short(const char *path, uint64_t count) {
  FILE *file = fopen(path, "we");
  if (file == NULL) return -errno;
  setvbuf(file, NULL, _IOFBF, 1 << 20);
  for (uint64_t id = 0; id < count; id++) fprintf(file, "{\"id\":%llu}\n", (unsigned long long)id);
  int failed = ferror(file);
  if (fclose(file) != 0 || failed) return errno ? -errno : -EIO;
  return 0;
}

typedef struct mapped {
  const char *bytes;
  size_t size;
} mapped;

static int map_file(const char *path, mapped *file) {
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return -errno;
  struct stat facts;
  int result = fstat(descriptor, &facts) < 0 ? -errno : 0;
  file->size = result == 0 ? (size_t)facts.st_size : 0;
  file->bytes = NULL;
  if (result == 0 && file->size > 0) {
    void *bytes = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED) result = -errno;
    else file->bytes = bytes;
  }
  close(descriptor);
  return result;
}

static void unmap_file(mapped *file) {
  if (file->bytes != NULL) munmap((void *)file->bytes, file->size);
}

/* The id of a document that begins {"id":N, or UINT64_MAX. */
static uint64_t id_of(const char *line, const char *end) {
  static const char beginning[] = "{\"id\":";
  size_t size = sizeof beginning - 1;
  if ((size_t)(end - line) <= size || memcmp(line, beginning, size) != 0) return UINT64_MAX;
  uint64_t id = 0;
  const char *at = line + size;
  if (*at < '0' || *at > '9') return UINT64_MAX;
  for (; at < end && *at >= '0' && *at <= '9'; at++) id = id * 10 + (uint64_t)(*at - '0');
  return id;
}

int cbench_check(const char *path, uint64_t count, int keeps_all, cbench_verdict *verdict) {
  memset(verdict, 0, sizeof *verdict);
  mapped file;
  int result = map_file(path, &file);
  if (result < 0) return result;
  unsigned char *seen = calloc(count > 0 ? count : 1, 1);
  if (seen == NULL) {
    unmap_file(&file);
    return -ENOMEM;
  }
  const char *at = file.bytes, *end = file.bytes + file.size;
  while (at < end) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    const char *stop = newline != NULL ? newline : end;
    uint64_t id = id_of(at, stop);
    verdict->lines++;
    if (newline == NULL || id >= count || (!keeps_all && id % 10 == 0) || stop[-1] != '}') verdict->wrong++;
    else if (seen[id]++) verdict->duplicate++;
    at = stop + 1;
  }
  for (uint64_t id = 0; id < count; id++) {
    if ((keeps_all || id % 10 != 0) && !seen[id]) verdict->missing++;
  }
  free(seen);
  unmap_file(&file);
  return 0;
}

int cbench_same_bytes(const char *left, const char *right) {
  mapped one, other;
  int result = map_file(left, &one);
  if (result < 0) return result;
  result = map_file(right, &other);
  if (result == 0) {
    result = one.size == other.size && (one.size == 0 || memcmp(one.bytes, other.bytes, one.size) == 0);
    unmap_file(&other);
  }
  unmap_file(&one);
  return result;
}
