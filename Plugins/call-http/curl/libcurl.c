#include "libcurl.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* The flavours differ in their TLS library only. */
static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};

int libcurl_open(libcurl *functions, char *message, unsigned long message_size) {
  void *library = NULL;
  for (unsigned i = 0; i < sizeof names / sizeof *names && library == NULL; i++) library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    snprintf(message, message_size, "libcurl.so.4: cannot be opened (%s); install it with: apt-get install libcurl4", dlerror());
    return -1;
  }
  const struct {
    const char *name;
    void *place;
  } symbols[] = {
      {"curl_global_init", &functions->global_init},
      {"curl_multi_init", &functions->multi_init},
      {"curl_multi_cleanup", &functions->multi_cleanup},
      {"curl_multi_add_handle", &functions->multi_add_handle},
      {"curl_multi_remove_handle", &functions->multi_remove_handle},
      {"curl_multi_perform", &functions->multi_perform},
      {"curl_multi_poll", &functions->multi_poll},
      {"curl_multi_wakeup", &functions->multi_wakeup},
      {"curl_multi_info_read", &functions->multi_info_read},
      {"curl_easy_init", &functions->easy_init},
      {"curl_easy_cleanup", &functions->easy_cleanup},
      {"curl_easy_reset", &functions->easy_reset},
      {"curl_easy_setopt", &functions->easy_setopt},
      {"curl_easy_getinfo", &functions->easy_getinfo},
      {"curl_easy_strerror", &functions->easy_strerror},
      {"curl_slist_append", &functions->slist_append},
      {"curl_slist_free_all", &functions->slist_free_all},
  };
  for (unsigned i = 0; i < sizeof symbols / sizeof *symbols; i++) {
    void *symbol = dlsym(library, symbols[i].name);
    if (symbol == NULL) {
      snprintf(message, message_size, "libcurl.so.4: has no %s; expected libcurl 7.68 or later: apt-get install libcurl4",
               symbols[i].name);
      return -1;
    }
    /* POSIX lets a function travel as a void pointer. */
    memcpy(symbols[i].place, &symbol, sizeof symbol);
  }
  return 0;
}
