#include "http_client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcurl.h"

enum { ERROR_BYTES = 256 };

/* One request and its answer. Kept and used again for the next one. */
typedef struct transfer {
  struct transfer *next;  /* in the list of those at rest */
  struct transfer *other; /* in the list of all */
  curl_easy *easy;
  curl_list *headers;
  uint64_t tag;
  unsigned char *body;
  size_t size;
  size_t room;
  size_t limit;
  int is_too_large;
  int is_active;
  char error[ERROR_BYTES];
} transfer;

struct http_client {
  libcurl curl;
  http_options options;
  char *ca_file;
  curl_multi *multi;
  transfer *resting;
  transfer *all;
};

static int initialized;
static pthread_mutex_t initializing = PTHREAD_MUTEX_INITIALIZER;

http_client *http_client_new(const http_options *options, char *message, size_t message_size) {
  http_client *client = calloc(1, sizeof *client);
  if (client == NULL) {
    snprintf(message, message_size, "no memory for an HTTP client");
    return NULL;
  }
  client->options = *options;
  client->options.ca_file = NULL;
  if (libcurl_open(&client->curl, message, message_size) != 0) {
    free(client);
    return NULL;
  }
  pthread_mutex_lock(&initializing);
  if (!initialized) initialized = client->curl.global_init(CURL_GLOBAL_ALL_PARTS) == 0;
  int is_ready = initialized;
  pthread_mutex_unlock(&initializing);
  client->multi = is_ready ? client->curl.multi_init() : NULL;
  if (options->ca_file != NULL) client->ca_file = strdup(options->ca_file);
  if (client->multi == NULL || (options->ca_file != NULL && client->ca_file == NULL)) {
    snprintf(message, message_size, "libcurl cannot be initialized");
    http_client_free(client);
    return NULL;
  }
  return client;
}

void http_client_free(http_client *client) {
  transfer *at = client->all;
  while (at != NULL) {
    transfer *next = at->other;
    if (at->is_active) client->curl.multi_remove_handle(client->multi, at->easy);
    client->curl.easy_cleanup(at->easy);
    client->curl.slist_free_all(at->headers);
    free(at->body);
    free(at);
    at = next;
  }
  if (client->multi != NULL) client->curl.multi_cleanup(client->multi);
  free(client->ca_file);
  free(client);
}

/* Called by libcurl with the next bytes of an answer; to take fewer than all ends the request. */
static size_t receive(const char *bytes, size_t size, size_t count, void *user) {
  transfer *at = user;
  size_t length = size * count; /* size is always 1 */
  if (length > at->limit - at->size) {
    at->is_too_large = 1;
    return 0;
  }
  if (length > at->room - at->size) {
    size_t room = at->room < 4096 ? 4096 : at->room;
    while (room - at->size < length) room *= 2;
    unsigned char *larger = realloc(at->body, room);
    if (larger == NULL) return 0;
    at->body = larger;
    at->room = room;
  }
  memcpy(at->body + at->size, bytes, length);
  at->size += length;
  return length;
}

static transfer *take(http_client *client) {
  transfer *at = client->resting;
  if (at != NULL) {
    client->resting = at->next;
    client->curl.easy_reset(at->easy);
    return at;
  }
  at = calloc(1, sizeof *at);
  if (at == NULL) return NULL;
  at->easy = client->curl.easy_init();
  if (at->easy == NULL) {
    free(at);
    return NULL;
  }
  at->other = client->all;
  client->all = at;
  return at;
}

static void rest(http_client *client, transfer *at) {
  client->curl.slist_free_all(at->headers);
  at->headers = NULL;
  at->next = client->resting;
  client->resting = at;
}

static int set_up(http_client *client, transfer *at, const http_request *request) {
  libcurl *curl = &client->curl;
  for (size_t i = 0; i < request->header_count; i++) {
    curl_list *longer = curl->slist_append(at->headers, request->headers[i]);
    if (longer == NULL) return -1;
    at->headers = longer;
  }
  curl_easy *easy = at->easy;
  int failed = 0;
  failed |= curl->easy_setopt(easy, OPTION_URL, request->url);
  failed |= curl->easy_setopt(easy, OPTION_PRIVATE, (void *)at);
  failed |= curl->easy_setopt(easy, OPTION_WRITE_FUNCTION, receive);
  failed |= curl->easy_setopt(easy, OPTION_WRITE_DATA, (void *)at);
  failed |= curl->easy_setopt(easy, OPTION_ERROR_BUFFER, at->error);
  /* No signals in a worker that has threads; only the two protocols; every encoding that libcurl can undo. */
  failed |= curl->easy_setopt(easy, OPTION_NO_SIGNAL, 1L);
  failed |= curl->easy_setopt(easy, OPTION_PROTOCOLS, (long)(PROTOCOL_HTTP | PROTOCOL_HTTPS));
  failed |= curl->easy_setopt(easy, OPTION_REDIRECT_PROTOCOLS, (long)(PROTOCOL_HTTP | PROTOCOL_HTTPS));
  failed |= curl->easy_setopt(easy, OPTION_ACCEPT_ENCODING, "");
  failed |= curl->easy_setopt(easy, OPTION_USER_AGENT, "stagehost");
  failed |= curl->easy_setopt(easy, OPTION_TIMEOUT_MS, (long)client->options.timeout_ms);
  failed |= curl->easy_setopt(easy, OPTION_CONNECT_TIMEOUT_MS, (long)client->options.connect_timeout_ms);
  failed |= curl->easy_setopt(easy, OPTION_FOLLOW_LOCATION, (long)(client->options.max_redirects > 0));
  failed |= curl->easy_setopt(easy, OPTION_MAX_REDIRECTS, (long)client->options.max_redirects);
  if (client->ca_file != NULL) failed |= curl->easy_setopt(easy, OPTION_CA_INFO, client->ca_file);
  if (request->has_body) {
    failed |= curl->easy_setopt(easy, OPTION_POST_FIELD_SIZE, (int64_t)request->body_size);
    failed |= curl->easy_setopt(easy, OPTION_POST_FIELDS, request->body_size > 0 ? request->body : "");
  }
  /* HEAD has no body in its answer, which libcurl must know. */
  if (strcmp(request->method, "HEAD") == 0) failed |= curl->easy_setopt(easy, OPTION_NO_BODY, 1L);
  failed |= curl->easy_setopt(easy, OPTION_CUSTOM_REQUEST, request->method);
  failed |= curl->easy_setopt(easy, OPTION_HTTP_HEADER, at->headers);
  return failed ? -1 : 0;
}

int http_client_start(http_client *client, const http_request *request) {
  transfer *at = take(client);
  if (at == NULL) return -1;
  at->tag = request->tag;
  at->size = 0;
  at->limit = client->options.max_answer_bytes;
  at->is_too_large = 0;
  at->error[0] = 0;
  if (set_up(client, at, request) != 0 || client->curl.multi_add_handle(client->multi, at->easy) != 0) {
    rest(client, at);
    return -1;
  }
  at->is_active = 1;
  return 0;
}

static int outcome_of(const transfer *at, int result) {
  if (at->is_too_large) return HTTP_TOO_LARGE;
  switch (result) {
    case RESULT_OK: return HTTP_DONE;
    case RESULT_TIMED_OUT: return HTTP_TIMEOUT;
    case RESULT_UNSUPPORTED_PROTOCOL:
    case RESULT_URL_MALFORMED:
    case RESULT_BAD_ARGUMENT:
    case RESULT_TOO_MANY_REDIRECTS:
    case RESULT_SSL_CERTIFICATE_PROBLEM:
    case RESULT_PEER_FAILED_VERIFICATION:
    case RESULT_BAD_CONTENT_ENCODING:
    case RESULT_CA_FILE_UNREADABLE: return HTTP_REFUSED;
    default: return HTTP_CONNECTION;
  }
}

static int next_answer(http_client *client, http_answer *answer) {
  libcurl *curl = &client->curl;
  int left = 0;
  curl_message *message;
  while ((message = curl->multi_info_read(client->multi, &left)) != NULL) {
    if (message->message != CURL_MESSAGE_DONE) continue;
    /* The message is gone with the handle. */
    int result = message->data.result;
    curl_easy *easy = message->easy;
    transfer *at = NULL;
    curl->easy_getinfo(easy, INFO_PRIVATE, (void *)&at);
    memset(answer, 0, sizeof *answer);
    answer->tag = at->tag;
    answer->transfer = at;
    answer->outcome = outcome_of(at, result);
    answer->body = at->body;
    answer->body_size = at->size;
    if (answer->outcome == HTTP_DONE) {
      int64_t wait = 0;
      curl->easy_getinfo(easy, INFO_RESPONSE_CODE, &answer->status);
      if (curl->easy_getinfo(easy, INFO_RETRY_AFTER, &wait) == 0 && wait > 0) answer->retry_after_seconds = wait;
    } else {
      answer->error = at->error[0] != 0 ? at->error : curl->easy_strerror(result);
    }
    curl->multi_remove_handle(client->multi, easy);
    at->is_active = 0;
    return 1;
  }
  return 0;
}

int http_client_next(http_client *client, int timeout_ms, http_answer *answer) {
  int running = 0;
  if (next_answer(client, answer)) return 1;
  if (client->curl.multi_perform(client->multi, &running) != 0) return -1;
  if (next_answer(client, answer)) return 1;
  if (client->curl.multi_poll(client->multi, NULL, 0, timeout_ms, NULL) != 0) return -1;
  if (client->curl.multi_perform(client->multi, &running) != 0) return -1;
  return next_answer(client, answer);
}

void http_answer_free(http_client *client, const http_answer *answer) {
  transfer *at = answer->transfer;
  /* One large answer must not stay in memory for good. */
  if (at->room > 1 << 20) {
    free(at->body);
    at->body = NULL;
    at->room = 0;
  }
  at->size = 0;
  rest(client, at);
}

void http_client_wake(http_client *client) { client->curl.multi_wakeup(client->multi); }
