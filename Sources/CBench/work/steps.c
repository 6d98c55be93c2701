/* The three steps of the reference job. */
#include <string.h>

#include "cbench.h"
#include "clinux.h"

/* The places in one document that the steps need. */
typedef struct document {
  const char *text; /* inside its quotes; NULL when there is none */
  size_t text_size;
  uint64_t id;
  int has_id;
  const char *end; /* the closing brace */
} document;

/* The closing quote of the string that begins at `at`, or NULL. */
static const char *string_end(const char *at, const char *end) {
  const char *from = at;
  while (at < end) {
    const char *quote = memchr(at, '"', (size_t)(end - at));
    if (quote == NULL) return NULL;
    const char *slash = quote;
    while (slash > from && slash[-1] == '\\') slash--;
    if (((quote - slash) & 1) == 0) return quote;
    at = quote + 1;
  }
  return NULL;
}

/* Behind the array or object that begins at `at`, or NULL. */
static const char *nested_end(const char *at, const char *end) {
  int depth = 0;
  for (; at < end; at++) {
    if (*at == '"') {
      at = string_end(at + 1, end);
      if (at == NULL) return NULL;
    } else if (*at == '{' || *at == '[') {
      depth++;
    } else if (*at == '}' || *at == ']') {
      if (--depth == 0) return at + 1;
    }
  }
  return NULL;
}

static int name_is(const char *from, const char *to, const char *name) {
  size_t size = strlen(name);
  return (size_t)(to - from) == size && memcmp(from, name, size) == 0;
}

/* Walks over all members of a compact JSON object. */
static int parse(const char *line, size_t size, document *found) {
  const char *at = line, *end = line + size;
  memset(found, 0, sizeof *found);
  if (at == end || *at++ != '{') return 0;
  while (at < end) {
    if (*at == '}') {
      found->end = at;
      return at + 1 == end;
    }
    if (*at == ',') at++;
    if (at == end || *at != '"') return 0;
    const char *key = at + 1, *key_end = string_end(key, end);
    if (key_end == NULL || key_end + 1 >= end || key_end[1] != ':') return 0;
    at = key_end + 2;
    if (at == end) return 0;
    if (*at == '"') {
      const char *value = at + 1, *value_end = string_end(value, end);
      if (value_end == NULL) return 0;
      if (name_is(key, key_end, "text")) {
        found->text = value;
        found->text_size = (size_t)(value_end - value);
      }
      at = value_end + 1;
    } else if (*at == '{' || *at == '[') {
      at = nested_end(at, end);
      if (at == NULL) return 0;
    } else {
      uint64_t number = 0;
      for (; at < end && *at != ',' && *at != '}'; at++) {
        if (*at >= '0' && *at <= '9') number = number * 10 + (uint64_t)(*at - '0');
      }
      if (name_is(key, key_end, "id")) {
        found->id = number;
        found->has_id = 1;
      }
    }
  }
  return 0;
}

static char *write_number(char *to, uint64_t value) {
  char digits[24];
  int count = 0;
  do digits[count++] = (char)('0' + value % 10);
  while (value /= 10);
  while (count) *to++ = digits[--count];
  return to;
}

/* Ends the object with one more member. */
static char *write_member(char *to, const char *name, uint64_t value) {
  *to++ = ',';
  *to++ = '"';
  size_t size = strlen(name);
  memcpy(to, name, size);
  to += size;
  *to++ = '"';
  *to++ = ':';
  to = write_number(to, value);
  *to++ = '}';
  return to;
}

ssize_t cbench_normalize(const char *line, size_t size, char *out) {
  document found;
  if (!parse(line, size, &found) || found.text == NULL) return CBENCH_MALFORMED;
  char *to = out;
  size_t before = (size_t)(found.text - line);
  memcpy(to, line, before);
  to += before;
  uint64_t words = 0;
  int inside = 0;
  for (size_t i = 0; i < found.text_size; i++) {
    unsigned char letter = (unsigned char)found.text[i];
    int space = letter == ' ';
    words += (uint64_t)(!space & !inside);
    inside = !space;
    to[i] = (char)(letter + ((unsigned char)(letter - 'A') < 26) * 32);
  }
  to += found.text_size;
  size_t after = (size_t)(found.end - (found.text + found.text_size));
  memcpy(to, found.text + found.text_size, after);
  return write_member(to + after, "tokens", words) - out;
}

ssize_t cbench_drop(const char *line, size_t size, char *out) {
  document found;
  if (!parse(line, size, &found) || !found.has_id) return CBENCH_MALFORMED;
  if (found.id % 10 == 0) return CBENCH_DROPPED;
  memcpy(out, line, size);
  return (ssize_t)size;
}

ssize_t cbench_seal(const char *line, size_t size, char *out) {
  document found;
  if (!parse(line, size, &found) || found.text == NULL) return CBENCH_MALFORMED;
  size_t kept = (size_t)(found.end - line);
  memcpy(out, line, kept);
  return write_member(out + kept, "crc", clinux_crc32c(0, found.text, found.text_size)) - out;
}

cbench_step cbench_step_named(const char *name) {
  if (strcmp(name, "normalize") == 0) return cbench_normalize;
  if (strcmp(name, "drop") == 0) return cbench_drop;
  if (strcmp(name, "seal") == 0) return cbench_seal;
  return NULL;
}
