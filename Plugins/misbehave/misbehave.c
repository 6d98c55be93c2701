/* misbehave: passes records on, except that it does what no stage should, on demand. The crash-test dummy of the host:
 * on stage.h alone, and no library but libc. docs/plugins/misbehave.md says what each deed and condition means.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "misbehave.h"

static void say_failure(const stage_host *host, const char *message) { host->fail_open(host, stage_text(message)); }

/* A copy of a text of the configuration; NULL when it is not there. */
static char *text_of(const stage_host *host, const char *key) {
  stage_bytes found;
  if (host->config_string(host, key, &found) != 0) return NULL;
  char *copy = malloc(found.size + 1);
  if (!copy) return NULL;
  memcpy(copy, found.data, found.size);
  copy[found.size] = '\0';
  return copy;
}

static bool flag_of(const stage_host *host, const char *key) {
  int32_t flag = 0;
  host->config_boolean(host, key, &flag);
  return flag != 0;
}

static bool read_ids(const stage_host *host, condition *when) {
  if (host->config_count(host, "when.ids", &when->id_count) != 0) return true;
  when->has_ids = true;
  when->ids = calloc(when->id_count ? when->id_count : 1, sizeof *when->ids);
  if (!when->ids) return false;
  for (uint32_t i = 0; i < when->id_count; i++) {
    char key[32];
    int64_t id = -1;
    snprintf(key, sizeof key, "when.ids.%u", i);
    if (host->config_integer(host, key, &id) != 0 || id < 0) return false;
    when->ids[i] = (uint64_t)id;
  }
  return true;
}

static stage_status open_stage(const stage_host *host, void **self) {
  dummy *me = calloc(1, sizeof *me);
  if (!me) return STAGE_FATAL;
  *self = me;
  char *name = text_of(host, "do");
  if (name && !find_deed(name, &me->deed)) {
    char message[256];
    snprintf(message, sizeof message, "do: found \"%.64s\", expected one of: %s", name, deed_names);
    say_failure(host, message);
    return STAGE_FATAL;
  }
  free(name);
  condition *when = &me->when;
  when->key_equals = text_of(host, "when.key_equals");
  when->key_contains = text_of(host, "when.key_contains");
  when->value_equals = text_of(host, "when.value_equals");
  when->value_contains = text_of(host, "when.value_contains");
  host->config_integer(host, "when.nth", &when->nth);
  when->probability = 1;
  host->config_number(host, "when.probability", &when->probability);
  host->config_integer(host, "when.seed", &when->seed);
  when->per_attempt = flag_of(host, "when.per_attempt");
  host->config_integer(host, "when.times", &when->times);
  when->memory = text_of(host, "when.memory");
  if (when->times > 0 && !when->memory) {
    say_failure(host, "when.times: found no when.memory, expected the name of a file: a count must outlive the worker");
    return STAGE_FATAL;
  }
  if (!read_ids(host, when)) {
    say_failure(host, "when.ids: expected a list of record ids, whole numbers from 0 up");
    return STAGE_FATAL;
  }
  me->milliseconds = -1;
  host->config_integer(host, "ms", &me->milliseconds);
  host->config_integer(host, "each_ms", &me->each_milliseconds);
  int64_t gib = 0;
  me->mebibytes = -1;
  host->config_integer(host, "mib", &me->mebibytes);
  if (host->config_integer(host, "gib", &gib) == 0) me->mebibytes = gib * 1024;
  me->signal = SIGTERM;
  host->config_integer(host, "signal", &me->signal);
  me->counter = text_of(host, "counter");
  me->whole_batch = flag_of(host, "whole_batch");
  return STAGE_OK;
}

static stage_status process(void *self, const stage_batch *batch, const stage_output *output) {
  dummy *me = self;
  for (uint32_t i = 0; i < batch->count; i++) {
    const stage_record *record = &batch->records[i];
    if (!me->whole_batch) output->begin(output, i);
    int64_t seen = atomic_fetch_add(&me->seen, 1) + 1;
    if (me->counter) append_line(me->counter, record->key);
    pause_for(me->each_milliseconds);
    outcome result = PASSED;
    if (me->deed != DO_NOTHING && applies(me, batch, record, seen)) result = do_deed(me, output, i);
    switch (result) {
      case PASSED: output->emit(output, i, record->key, record->value); break;
      case FAILED: continue; /* fail has said that the record is done */
      case RETRY: return STAGE_RETRY;
      case REJECT: return STAGE_REJECT;
      case FATAL: return STAGE_FATAL;
    }
    if (!me->whole_batch) output->done(output, i);
  }
  return STAGE_OK;
}

static void close_stage(void *self) {
  dummy *me = self;
  free(me->when.key_equals);
  free(me->when.key_contains);
  free(me->when.value_equals);
  free(me->when.value_contains);
  free(me->when.memory);
  free(me->when.ids);
  free(me->counter);
  free(me);
}

static const char schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"do\":{\"type\":\"string\",\"description\":\"The deed. Absent: every record is passed on.\",\"enum\":["
    "\"segfault\",\"abort\",\"illegal-instruction\",\"divide-by-zero\",\"bus-error\",\"raise\",\"exit-0\",\"exit-1\","
    "\"exit-3\",\"loop\",\"sleep\",\"allocate\",\"allocate-blindly\",\"stack-overflow\",\"close-descriptors\","
    "\"write-garbage\",\"flood-stdout\",\"fork-child\",\"fork-daemon\",\"fail-transiently\","
    "\"fail-permanently\",\"fatal\",\"leak\",\"stop\",\"reject\",\"retry-batch\",\"kill-host\"]},"
    "\"when\":{\"type\":\"object\",\"additionalProperties\":false,"
    "\"description\":\"For which records: all conditions given must hold. Absent: for every record.\",\"properties\":{"
    "\"key_equals\":{\"type\":\"string\",\"description\":\"The key is this.\"},"
    "\"key_contains\":{\"type\":\"string\",\"description\":\"The key has this in it.\"},"
    "\"value_equals\":{\"type\":\"string\",\"description\":\"The value is this.\"},"
    "\"value_contains\":{\"type\":\"string\",\"description\":\"The value has this in it.\"},"
    "\"nth\":{\"type\":\"integer\",\"minimum\":1,\"description\":\"The n-th record that this worker process sees.\"},"
    "\"ids\":{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":0},"
    "\"description\":\"Records by id.\"},"
    "\"probability\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1,"
    "\"description\":\"Share of the records, chosen by seed and id: the same ones in every run.\"},"
    "\"seed\":{\"type\":\"integer\",\"description\":\"Seed of the choice.\"},"
    "\"per_attempt\":{\"type\":\"boolean\","
    "\"description\":\"Choose anew in each attempt and worker process, so that a retry may pass.\"},"
    "\"times\":{\"type\":\"integer\",\"minimum\":1,"
    "\"description\":\"At most so many times for each record; needs memory.\"},"
    "\"memory\":{\"type\":\"string\",\"description\":\"File that a line is added to for each deed.\"}}},"
    "\"ms\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"sleep: how long (1000). allocate, allocate-blindly: how long the memory "
    "is held (0). fork-daemon: how long it lives (1,000,000 s). fail-transiently, retry-batch: not before so many milliseconds.\"},"
    "\"each_ms\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"Pause before every record.\"},"
    "\"mib\":{\"type\":\"integer\",\"minimum\":1,\"description\":\"allocate, allocate-blindly (1024), leak (1), flood-stdout (64): how "
    "much.\"},"
    "\"gib\":{\"type\":\"integer\",\"minimum\":1,\"description\":\"The same in GiB.\"},"
    "\"signal\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":64,\"description\":\"raise: which (15).\"},"
    "\"counter\":{\"type\":\"string\",\"description\":\"File that the key of every record is added to, as a line, before "
    "the record is worked on.\"},"
    "\"whole_batch\":{\"type\":\"boolean\",\"description\":\"Do not say which record is in hand, nor that one is done.\"}"
    "}}";

static const stage_plugin plugin = {
    .struct_size = sizeof(stage_plugin),
    .kind = STAGE_KIND_TRANSFORM,
    .flags = STAGE_FLAG_REENTRANT | STAGE_FLAG_RECORD_BY_RECORD,
    .max_workers = 0,
    .id = "misbehave",
    .version = "1.0.0",
    .description = "Passes records on, and crashes, hangs, leaks or fails on demand.",
    .config_schema = schema,
    .open = open_stage,
    .process = process,
    .close = close_stage,
};

const stage_plugin *stage_plugin_v1(void) { return &plugin; }
