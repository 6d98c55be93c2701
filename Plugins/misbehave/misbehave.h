/* What the parts of misbehave share. */
#ifndef MISBEHAVE_H
#define MISBEHAVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "stage.h"

typedef enum deed {
  DO_NOTHING,
  DO_SEGFAULT,
  DO_ABORT,
  DO_ILLEGAL_INSTRUCTION,
  DO_DIVIDE_BY_ZERO,
  DO_BUS_ERROR,
  DO_RAISE,
  DO_EXIT_0,
  DO_EXIT_1,
  DO_EXIT_3,
  DO_LOOP,
  DO_SLEEP,
  DO_ALLOCATE,
  DO_ALLOCATE_BLINDLY,
  DO_STACK_OVERFLOW,
  DO_CLOSE_DESCRIPTORS,
  DO_WRITE_GARBAGE,
  DO_FLOOD_STDOUT,
  DO_FORK_CHILD,
  DO_FORK_DAEMON,
  DO_FAIL_TRANSIENTLY,
  DO_FAIL_PERMANENTLY,
  DO_FATAL,
  DO_LEAK,
  DO_STOP,
  DO_REJECT,
  DO_RETRY_BATCH,
  DO_KILL_HOST
} deed;

/* For which records: every condition that is there must hold. */
typedef struct condition {
  char *key_equals, *key_contains, *value_equals, *value_contains;
  int64_t nth; /* 0: any */
  bool has_ids;
  uint64_t *ids;
  uint32_t id_count;
  double probability;
  int64_t seed;
  bool per_attempt;
  int64_t times; /* 0: always */
  char *memory;
} condition;

typedef struct dummy {
  deed deed;
  condition when;
  int64_t milliseconds; /* -1: not given */
  int64_t each_milliseconds;
  int64_t mebibytes; /* -1: not given */
  int64_t signal;
  char *counter;
  bool whole_batch;
  _Atomic int64_t seen;
  void *leaked; /* the last piece; those before it are lost, which is the point */
} dummy;

/* What becomes of the record, or of the batch, after the deed. */
typedef enum outcome { PASSED, FAILED, RETRY, REJECT, FATAL } outcome;

/* A plugin exports its entry function and nothing else. */
#pragma GCC visibility push(hidden)

/* deeds.c */
extern const char deed_names[];
bool find_deed(const char *name, deed *found);
outcome do_deed(dummy *me, const stage_output *output, uint32_t input);
void pause_for(int64_t milliseconds);

/* conditions.c */
/* Decides, and writes the deed down where `times` is counted. */
bool applies(dummy *me, const stage_batch *batch, const stage_record *record, int64_t seen);
/* Appends `text` and a newline to the file with one write, so that lines of several processes do not mix. */
void append_line(const char *path, stage_bytes text);

#pragma GCC visibility pop

#endif
