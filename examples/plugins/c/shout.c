/* A complete plugin in C: upper case, one record after another. */
#include <stdlib.h>

#include "stage.h"

typedef struct shout {
  stage_bytes suffix; /* lives as long as the host */
} shout;

static stage_status shout_open(const stage_host *host, void **self) {
  shout *me = calloc(1, sizeof *me);
  if (me == NULL) {
    host->fail_open(host, stage_text("out of memory"));
    return STAGE_RETRY;
  }
  if (host->config_string(host, "suffix", &me->suffix) == STAGE_ERROR_TYPE) {
    host->fail_open(host, stage_text("suffix: expected a string"));
    free(me);
    return STAGE_FATAL;
  }
  *self = me;
  return STAGE_OK;
}

static stage_status shout_process(void *self, const stage_batch *batch, const stage_output *output) {
  const shout *me = self;
  for (uint32_t i = 0; i < batch->count; i++) {
    const stage_record *record = &batch->records[i];
    output->begin(output, i);
    if (record->value.size == 0) {
      output->fail(output, i, STAGE_FAILURE_PERMANENT, stage_text("there is nothing to shout"), 0);
      continue;
    }
    void *room;
    size_t size = record->value.size + me->suffix.size;
    if (output->reserve(output, i, record->key, size, &room) != 0) {
      output->fail(output, i, STAGE_FAILURE_PERMANENT, stage_text("the result is too large"), 0);
      continue;
    }
    const char *from = record->value.data;
    char *to = room;
    for (size_t at = 0; at < record->value.size; at++) {
      to[at] = from[at] >= 'a' && from[at] <= 'z' ? (char)(from[at] - 'a' + 'A') : from[at];
    }
    for (size_t at = 0; at < me->suffix.size; at++) to[record->value.size + at] = ((const char *)me->suffix.data)[at];
    output->commit(output, size);
    output->done(output, i);
  }
  return STAGE_OK;
}

static void shout_close(void *self) { free(self); }

STAGE_EXPORT const stage_plugin *stage_plugin_v1(void) {
  static const stage_plugin plugin = {
      .struct_size = sizeof(stage_plugin),
      .kind = STAGE_KIND_TRANSFORM,
      .flags = STAGE_FLAG_RECORD_BY_RECORD,
      .id = "shout",
      .version = "1.0.0",
      .description = "Turns ASCII letters to upper case.",
      .config_schema = "{\"type\":\"object\",\"properties\":{\"suffix\":{\"type\":\"string\"}}}",
      .open = shout_open,
      .process = shout_process,
      .close = shout_close,
  };
  return &plugin;
}
