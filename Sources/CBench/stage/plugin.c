/* bench: the transform of the benchmarks. `step`: a step of the reference job, or nothing, which passes records on. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cbench.h"
#include "stage.h"

typedef struct bench {
  cbench_step step;            /* NULL: pass on */
  uint64_t spend_nanoseconds;  /* computing, for each record */
  uint64_t sleep_nanoseconds;  /* waiting, for each batch */
  cbench_page *page;           /* NULL: nobody looks */
} bench;

static int64_t integer_of(const stage_host *host, const char *key) {
  int64_t value = 0;
  host->config_integer(host, key, &value);
  return value > 0 ? value : 0;
}

/* A copy with a NUL; NULL when the key is missing. */
static char *text_of(const stage_host *host, const char *key) {
  stage_bytes found;
  if (host->config_string(host, key, &found) != 0) return NULL;
  char *copy = malloc(found.size + 1);
  if (copy == NULL) return NULL;
  memcpy(copy, found.data, found.size);
  copy[found.size] = '\0';
  return copy;
}

static stage_status refuse(const stage_host *host, const char *message) {
  host->fail_open(host, stage_text(message));
  return STAGE_FATAL;
}

static stage_status bench_open(const stage_host *host, void **self) {
  bench *me = calloc(1, sizeof *me);
  if (me == NULL) return refuse(host, "out of memory");
  *self = me;
  char *step = text_of(host, "step"), *page = text_of(host, "page");
  if (step != NULL) me->step = cbench_step_named(step);
  if (page != NULL) me->page = cbench_page_open(page);
  stage_status status = STAGE_OK;
  if (step != NULL && me->step == NULL) status = refuse(host, "step: expected normalize, drop or seal");
  else if (page != NULL && me->page == NULL) status = refuse(host, "page: the file cannot be mapped");
  free(step);
  free(page);
  me->spend_nanoseconds = (uint64_t)integer_of(host, "spend_us") * 1000;
  me->sleep_nanoseconds = (uint64_t)integer_of(host, "sleep_us") * 1000;
  uint64_t pause = (uint64_t)integer_of(host, "open_us") * 1000;
  if (pause > 0) cbench_pause(pause);
  return status;
}

static void spend(uint64_t nanoseconds) {
  if (nanoseconds == 0) return;
  uint64_t until = cbench_now() + nanoseconds;
  while (cbench_now() < until) {
  }
}

static stage_status work_on(const bench *me, const stage_record *record, uint32_t index, const stage_output *output) {
  if (me->step == NULL) {
    if (output->emit(output, index, record->key, record->value) != 0) return STAGE_RETRY;
    return STAGE_OK;
  }
  void *room;
  if (output->reserve(output, index, record->key, record->value.size + CBENCH_ROOM, &room) != 0) return STAGE_RETRY;
  ssize_t made = me->step(record->value.data, record->value.size, room);
  if (output->commit(output, made >= 0 ? (size_t)made : STAGE_DISCARD) != 0) return STAGE_RETRY;
  if (made == CBENCH_MALFORMED) {
    output->fail(output, index, STAGE_FAILURE_PERMANENT, stage_text("found no document, expected a JSON object with id and text"), 0);
  }
  return STAGE_OK;
}

static stage_status bench_process(void *self, const stage_batch *batch, const stage_output *output) {
  const bench *me = self;
  if (me->page != NULL) cbench_page_note(me->page, batch->sequence, 1);
  if (me->sleep_nanoseconds > 0) cbench_pause(me->sleep_nanoseconds);
  for (uint32_t i = 0; i < batch->count; i++) {
    spend(me->spend_nanoseconds);
    stage_status status = work_on(me, &batch->records[i], i, output);
    if (status != STAGE_OK) return status;
  }
  if (me->page != NULL) cbench_page_note(me->page, batch->sequence, 0);
  return STAGE_OK;
}

static void bench_close(void *self) {
  bench *me = self;
  if (me->page != NULL) cbench_page_close(me->page);
  free(me);
}

STAGE_EXPORT const stage_plugin *stage_plugin_v1(void) {
  static const stage_plugin plugin = {
      .struct_size = sizeof(stage_plugin),
      .kind = STAGE_KIND_TRANSFORM,
      .id = "bench",
      .version = "1.0.0",
      .description = "The stages of the benchmarks: pass on, spend time, or a step of the reference job.",
      .config_schema = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
                       "\"step\":{\"enum\":[\"normalize\",\"drop\",\"seal\"]},\"page\":{\"type\":\"string\"},"
                       "\"spend_us\":{\"type\":\"integer\",\"minimum\":0},"
                       "\"sleep_us\":{\"type\":\"integer\",\"minimum\":0},"
                       "\"open_us\":{\"type\":\"integer\",\"minimum\":0}}}",
      .open = bench_open,
      .process = bench_process,
      .close = bench_close,
  };
  return &plugin;
}
