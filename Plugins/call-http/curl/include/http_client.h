/* Many HTTP requests at a time over libcurl's multi interface, in plain C.
 *
 * libcurl is opened with dlopen when a client is made: neither the build nor the library file needs it. It is wrapped in
 * C because curl_easy_setopt takes variable arguments, which Swift cannot call through a pointer.
 *
 * Threads: one thread calls everything of a client, except http_client_wake, which any thread may call. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#define HTTP_NONNULL _Nonnull
#define HTTP_NULLABLE _Nullable
#else
#define HTTP_NONNULL
#define HTTP_NULLABLE
#endif

typedef struct http_client http_client;

/* What holds for all requests of a client. Strings are copied. */
typedef struct http_options {
  int64_t timeout_ms;         /* for one request, from its start to its last byte */
  int64_t connect_timeout_ms;
  int64_t max_redirects;      /* 0: none is followed */
  size_t max_answer_bytes;    /* a longer answer ends the request */
  const char *HTTP_NULLABLE ca_file; /* certificates to trust instead of the system's; NULL: the system's */
} http_options;

/* One request. Everything is copied, or used up, before http_client_start returns, except the body: it must stay where it is
 * until the answer is there. */
typedef struct http_request {
  uint64_t tag; /* comes back with the answer */
  const char *HTTP_NONNULL method;
  const char *HTTP_NONNULL url;
  const char *HTTP_NONNULL const *HTTP_NULLABLE headers; /* "Name: value" */
  size_t header_count;
  const void *HTTP_NULLABLE body;
  size_t body_size;
  int has_body;
} http_request;

/* How a request ended that has no status of HTTP. */
enum {
  HTTP_DONE = 0,      /* `status` says how */
  HTTP_TIMEOUT,       /* took longer than timeout_ms or connect_timeout_ms */
  HTTP_CONNECTION,    /* no connection, or it broke: worth another try */
  HTTP_TOO_LARGE,     /* the answer is above max_answer_bytes */
  HTTP_REFUSED        /* it cannot be sent as it is: the URL, the scheme, the certificate */
};

/* An answer. `body` belongs to the client and is valid until http_answer_free. */
typedef struct http_answer {
  uint64_t tag;
  int outcome;
  long status;
  int64_t retry_after_seconds; /* of the header Retry-After, as seconds from now; 0: none */
  const char *HTTP_NULLABLE error; /* what libcurl says about an outcome other than HTTP_DONE */
  const void *HTTP_NULLABLE body;
  size_t body_size;
  void *HTTP_NULLABLE transfer; /* the client's own */
} http_answer;

/* Opens libcurl and makes a client. NULL, and a sentence in `message`, when that fails. */
http_client *HTTP_NULLABLE http_client_new(const http_options *HTTP_NONNULL options, char *HTTP_NONNULL message,
                                           size_t message_size);

/* Ends everything that is under way, and frees the client. */
void http_client_free(http_client *HTTP_NONNULL client);

/* Begins a request. 0, or -1 when there is no memory for it. */
int http_client_start(http_client *HTTP_NONNULL client, const http_request *HTTP_NONNULL request);

/* Works on the requests for up to `timeout_ms`, or until an answer is there or http_client_wake was called. Returns 1 and
 * fills `answer`, 0 when there is none yet, -1 when libcurl fails as a whole. */
int http_client_next(http_client *HTTP_NONNULL client, int timeout_ms, http_answer *HTTP_NONNULL answer);

/* Frees what an answer holds, and lets its connection be used again. */
void http_answer_free(http_client *HTTP_NONNULL client, const http_answer *HTTP_NONNULL answer);

/* Makes http_client_next return soon. Any thread. */
void http_client_wake(http_client *HTTP_NONNULL client);

#endif
