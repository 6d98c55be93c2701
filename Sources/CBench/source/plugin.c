/* bench-source: a source that has its records in memory: `count` records of `bytes` bytes. Its position is the number of the
 * next one. */
#include <stdlib.h>
#include <string.h>

#include "stage.h"

typedef struct state {
  uint64_t count, next;
  size_t size;
  char *value;
} state;

static stage_status source_open(const stage_host *host, void **self) {
  state *me = calloc(1, sizeof *me);
  int64_t count = 0, bytes = 0;
  host->config_integer(host, "count", &count);
  host->config_integer(host, "bytes", &bytes);
  if (me == NULL || count < 0 || bytes < 0 || bytes > STAGE_MAX_VALUE_BYTES || (me->value = malloc((size_t)bytes + 1)) == NULL) {
    host->fail_open(host, stage_text("out of memory, or a size that no value can have"));
    return STAGE_FATAL;
  }
  *self = me;
  memset(me->value, 'x', (size_t)bytes);
  me->count = (uint64_t)count;
  me->size = (size_t)bytes;
  if (host->checkpoint.size == sizeof me->next) memcpy(&me->next, host->checkpoint.data, sizeof me->next);
  return STAGE_OK;
}

static stage_status source_read(void *self, uint32_t records, uint64_t bytes, const stage_output *output) {
  state *me = self;
  (void)bytes;
  for (uint32_t i = 0; i < records && me->next < me->count; i++, me->next++) {
    stage_bytes key = {(const char *)&me->next, sizeof me->next}, value = {me->value, me->size};
    if (output->emit(output, STAGE_NO_INPUT, key, value) != 0) return STAGE_FATAL;
  }
  stage_bytes position = {(const char *)&me->next, sizeof me->next};
  output->checkpoint(output, position);
  return me->next < me->count ? STAGE_OK : STAGE_END;
}

static void source_close(void *self) {
  state *me = self;
  free(me->value);
  free(me);
}

STAGE_EXPORT const stage_plugin *stage_plugin_v1(void) {
  static const stage_plugin plugin = {
      .struct_size = sizeof(stage_plugin),
      .kind = STAGE_KIND_SOURCE,
      .id = "bench-source",
      .version = "1.0.0",
      .description = "The source of the benchmarks: records from memory.",
      .config_schema = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
                       "\"count\":{\"type\":\"integer\",\"minimum\":0},\"bytes\":{\"type\":\"integer\",\"minimum\":0}}}",
      .open = source_open,
      .read = source_read,
      .close = source_close,
  };
  return &plugin;
}
