/* What this plugin uses of libcurl: its functions, and the numbers of its options.
 *
 * The numbers are those of curl/curl.h and curl/multi.h, which promises never to change them; written down here so that no
 * development package is needed. */
#ifndef STAGE_LIBCURL_H
#define STAGE_LIBCURL_H

typedef struct curl_easy curl_easy;
typedef struct curl_multi curl_multi;

typedef struct curl_list {
  char *data;
  struct curl_list *next;
} curl_list;

typedef struct curl_message {
  int message;
  curl_easy *easy;
  union {
    void *anything;
    int result;
  } data;
} curl_message;

enum { CURL_GLOBAL_ALL_PARTS = 3, CURL_MESSAGE_DONE = 1 };

/* CURLOPT_*: numbers below 10000 take a long, from 10000 a pointer, from 20000 a function, from 30000 an int64_t. */
enum {
  OPTION_WRITE_DATA = 10001,
  OPTION_URL = 10002,
  OPTION_ERROR_BUFFER = 10010,
  OPTION_POST_FIELDS = 10015,
  OPTION_USER_AGENT = 10018,
  OPTION_HTTP_HEADER = 10023,
  OPTION_CUSTOM_REQUEST = 10036,
  OPTION_NO_BODY = 44,
  OPTION_FOLLOW_LOCATION = 52,
  OPTION_CA_INFO = 10065,
  OPTION_MAX_REDIRECTS = 68,
  OPTION_NO_SIGNAL = 99,
  OPTION_ACCEPT_ENCODING = 10102,
  OPTION_PRIVATE = 10103,
  OPTION_TIMEOUT_MS = 155,
  OPTION_CONNECT_TIMEOUT_MS = 156,
  OPTION_PROTOCOLS = 181,
  OPTION_REDIRECT_PROTOCOLS = 182,
  OPTION_WRITE_FUNCTION = 20011,
  OPTION_POST_FIELD_SIZE = 30120
};
enum { PROTOCOL_HTTP = 1, PROTOCOL_HTTPS = 2 };

/* CURLINFO_* */
enum { INFO_PRIVATE = 0x100000 + 21, INFO_RESPONSE_CODE = 0x200000 + 2, INFO_RETRY_AFTER = 0x600000 + 57 };

/* CURLcode, those that cannot be cured by trying again. */
enum {
  RESULT_OK = 0,
  RESULT_UNSUPPORTED_PROTOCOL = 1,
  RESULT_URL_MALFORMED = 3,
  RESULT_WRITE_ERROR = 23,
  RESULT_TIMED_OUT = 28,
  RESULT_BAD_ARGUMENT = 43,
  RESULT_TOO_MANY_REDIRECTS = 47,
  RESULT_SSL_CERTIFICATE_PROBLEM = 58,
  RESULT_PEER_FAILED_VERIFICATION = 60,
  RESULT_BAD_CONTENT_ENCODING = 61,
  RESULT_CA_FILE_UNREADABLE = 77
};

typedef struct libcurl {
  int (*global_init)(long flags);
  curl_multi *(*multi_init)(void);
  int (*multi_cleanup)(curl_multi *);
  int (*multi_add_handle)(curl_multi *, curl_easy *);
  int (*multi_remove_handle)(curl_multi *, curl_easy *);
  int (*multi_perform)(curl_multi *, int *running);
  int (*multi_poll)(curl_multi *, void *extra, unsigned count, int timeout_ms, int *ready);
  int (*multi_wakeup)(curl_multi *);
  curl_message *(*multi_info_read)(curl_multi *, int *left);
  curl_easy *(*easy_init)(void);
  void (*easy_cleanup)(curl_easy *);
  void (*easy_reset)(curl_easy *);
  int (*easy_setopt)(curl_easy *, int option, ...);
  int (*easy_getinfo)(curl_easy *, int info, ...);
  const char *(*easy_strerror)(int code);
  curl_list *(*slist_append)(curl_list *, const char *);
  void (*slist_free_all)(curl_list *);
} libcurl;

/* Opens the library and finds its functions. 0, or -1 and a sentence in `message`. The library stays open: it is not made
 * to be unloaded. */
int libcurl_open(libcurl *functions, char *message, unsigned long message_size);

#endif
