/* The library of a plugin, as far as pointers that may be NULL where Swift believes they are not. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

#include "cworker.h"

const char *cworker_wrong_member(const stage_plugin *table) {
  if (!table->id) return "id";
  if (!table->version) return "version";
  if (!table->description) return "description";
  if (!table->open) return "open";
  if (table->kind == STAGE_KIND_SOURCE) {
    if (!table->read) return "read";
    if (table->process) return "!process";
  } else {
    if (!table->process) return "process";
    if (table->read) return "!read";
  }
  return NULL;
}

void *cworker_open_library(const char *path) { return dlopen(path, RTLD_NOW | RTLD_LOCAL); }

const char *cworker_loader_error(void) { return dlerror(); }

cworker_entry cworker_find_entry(void *library, uint32_t version) {
  char name[32];
  snprintf(name, sizeof name, "stage_plugin_v%u", version);
  return (cworker_entry)dlsym(library, name);
}
