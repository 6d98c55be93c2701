/* When misbehave misbehaves. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "misbehave.h"

static bool equals(stage_bytes bytes, const char *text) {
  return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

static bool contains(stage_bytes bytes, const char *text) {
  return bytes.size > 0 && memmem(bytes.data, bytes.size, text, strlen(text)) != NULL;
}

/* SplitMix64's finaliser: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

static bool is_chosen(const condition *when, const stage_batch *batch, uint64_t id) {
  if (when->probability >= 1) return true;
  uint64_t hash = mix((uint64_t)when->seed ^ mix(id));
  if (when->per_attempt) hash = mix(hash ^ mix((uint64_t)getpid()) ^ mix(~(uint64_t)batch->attempt));
  return (double)(hash >> 11) * 0x1p-53 < when->probability;
}

static bool is_listed(const condition *when, uint64_t id) {
  for (uint32_t i = 0; i < when->id_count; i++)
    if (when->ids[i] == id) return true;
  return false;
}

void append_line(const char *path, stage_bytes text) {
  int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) {
    perror(path);
    return;
  }
  char *line = malloc(text.size + 1);
  if (line) {
    if (text.size) memcpy(line, text.data, text.size);
    line[text.size] = '\n';
    if (write(file, line, text.size + 1) < 0) perror(path);
    free(line);
  }
  close(file);
}

/* How often the deed was done for the record, in this process or in those before it. */
static int64_t times_done(const char *path, uint64_t id) {
  FILE *file = fopen(path, "re");
  if (!file) return 0;
  int64_t count = 0;
  unsigned long long line;
  while (fscanf(file, "%llu", &line) == 1) count += line == id;
  fclose(file);
  return count;
}

bool applies(dummy *me, const stage_batch *batch, const stage_record *record, int64_t seen) {
  const condition *when = &me->when;
  if (when->key_equals && !equals(record->key, when->key_equals)) return false;
  if (when->key_contains && !contains(record->key, when->key_contains)) return false;
  if (when->value_equals && !equals(record->value, when->value_equals)) return false;
  if (when->value_contains && !contains(record->value, when->value_contains)) return false;
  if (when->nth > 0 && seen != when->nth) return false;
  if (when->has_ids && !is_listed(when, record->id)) return false;
  if (!is_chosen(when, batch, record->id)) return false;
  if (when->times > 0 && times_done(when->memory, record->id) >= when->times) return false;
  if (when->memory) {
    char line[24];
    snprintf(line, sizeof line, "%llu", (unsigned long long)record->id);
    append_line(when->memory, stage_text(line));
  }
  return true;
}
