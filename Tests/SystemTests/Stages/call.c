/* A stage that makes one HTTP request for each record: GET /KEY on 127.0.0.1. 200: the record passes on. 429: it fails
 * transiently, with the milliseconds of Retry-After-Ms. Anything else is a permanent failure. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stage.h"

typedef struct {
  int64_t port;
} caller;

static stage_status open_stage(const stage_host *host, void **self) {
  caller *me = calloc(1, sizeof *me);
  if (!me) return STAGE_RETRY;
  if (host->config_integer(host, "port", &me->port) != 0) {
    free(me);
    return STAGE_FATAL;
  }
  *self = me;
  return STAGE_OK;
}

/* The answer's status, or 0; `pause` is what its Retry-After-Ms says. */
static int call(const caller *me, stage_bytes key, uint32_t *pause) {
  char text[512];
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)me->port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return 0;
  int status = 0;
  int length = snprintf(text, sizeof text, "GET /%.*s HTTP/1.0\r\n\r\n", (int)key.size, (const char *)key.data);
  if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0 && length < (int)sizeof text &&
      write(descriptor, text, (size_t)length) == length) {
    size_t got = 0;
    ssize_t part;
    while (got < sizeof text - 1 && (part = read(descriptor, text + got, sizeof text - 1 - got)) > 0) got += (size_t)part;
    text[got] = 0;
    sscanf(text, "HTTP/1.%*d %d", &status);
    const char *header = strstr(text, "Retry-After-Ms: ");
    *pause = header ? (uint32_t)strtoul(header + 16, NULL, 10) : 0;
  }
  close(descriptor);
  return status;
}

static stage_status process(void *self, const stage_batch *batch, const stage_output *output) {
  for (uint32_t i = 0; i < batch->count; i++) {
    const stage_record *record = &batch->records[i];
    uint32_t pause = 0;
    output->begin(output, i);
    int status = call(self, record->key, &pause);
    if (status == 200) {
      output->emit(output, i, record->key, record->value);
      output->done(output, i);
    } else if (status == 429) {
      output->fail(output, i, STAGE_FAILURE_TRANSIENT, stage_text("429 Too Many Requests"), pause);
    } else {
      output->fail(output, i, STAGE_FAILURE_PERMANENT, stage_text("no answer that makes sense"), 0);
    }
  }
  return STAGE_OK;
}

static void close_stage(void *self) { free(self); }

static const stage_plugin plugin = {
    .struct_size = sizeof(stage_plugin),
    .kind = STAGE_KIND_TRANSFORM,
    .flags = STAGE_FLAG_RECORD_BY_RECORD,
    .id = "call",
    .version = "1",
    .description = "Asks an HTTP server about each record",
    .open = open_stage,
    .process = process,
    .close = close_stage,
};

STAGE_EXPORT const stage_plugin *stage_plugin_v1(void) { return &plugin; }
