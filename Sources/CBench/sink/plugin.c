/* bench-sink: a sink that counts what comes, and keeps nothing. One worker, no position. */
#include <stdlib.h>

#include "stage.h"

typedef struct state {
  uint64_t records, bytes;
} state;

static stage_status sink_open(const stage_host *host, void **self) {
  (void)host;
  *self = calloc(1, sizeof(state));
  return *self == NULL ? STAGE_FATAL : STAGE_OK;
}

static stage_status sink_process(void *self, const stage_batch *batch, const stage_output *output) {
  state *me = self;
  (void)output;
  for (uint32_t i = 0; i < batch->count; i++) me->bytes += batch->records[i].value.size;
  me->records += batch->count;
  return STAGE_OK;
}

static void sink_close(void *self) { free(self); }

STAGE_EXPORT const stage_plugin *stage_plugin_v1(void) {
  static const stage_plugin plugin = {
      .struct_size = sizeof(stage_plugin),
      .kind = STAGE_KIND_SINK,
      .id = "bench-sink",
      .version = "1.0.0",
      .description = "The sink of the benchmarks: counts, and keeps nothing.",
      .max_workers = 1,
      .open = sink_open,
      .process = sink_process,
      .close = sink_close,
  };
  return &plugin;
}
