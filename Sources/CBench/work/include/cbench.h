/* cbench.h: what the benchmarks measure with: the three stages of the reference job as plain functions, the input, the
 * check of an output, a clock page, and the measuring of a child process. */
#ifndef CBENCH_H
#define CBENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The reference job. One line of JSON in (without its newline), one out. ----
 * `out` has room for size + CBENCH_ROOM bytes. The result is the number of bytes written, CBENCH_DROPPED or
 * CBENCH_MALFORMED. */
enum { CBENCH_ROOM = 64 };
#define CBENCH_DROPPED (-1)
#define CBENCH_MALFORMED (-2)

typedef ssize_t (*cbench_step)(const char *line, size_t size, char *out);

/* Parses the document, turns "text" to lower case, counts its words, adds "tokens". */
ssize_t cbench_normalize(const char *line, size_t size, char *out);
/* Drops the documents whose "id" is a multiple of ten. */
ssize_t cbench_drop(const char *line, size_t size, char *out);
/* Adds "crc": the CRC32C of "text". */
ssize_t cbench_seal(const char *line, size_t size, char *out);
/* The step of that name: "normalize", "drop", "seal"; NULL when there is none. */
cbench_step cbench_step_named(const char *name);

/* ---- Input and output ---- */

/* Writes `count` documents of about 300 bytes, the same ones for the same seed. 0 or -errno. */
int cbench_generate(const char *path, uint64_t count, uint64_t seed);

/* The same with documents that are an id and nothing else, for jobs of very many. */
int cbench_generate_short(const char *path, uint64_t count);

/* What an output of the reference job holds, for documents 0 to count - 1 of which each tenth is dropped. */
typedef struct cbench_verdict {
  uint64_t lines;
  uint64_t missing;
  uint64_t duplicate;
  uint64_t wrong; /* lines that are no document, or one that should have been dropped */
} cbench_verdict;
/* 0 or -errno. `keeps_all`: no document may be missing. */
int cbench_check(const char *path, uint64_t count, int keeps_all, cbench_verdict *verdict);
/* 1 when both files have the same bytes, 0 when not, or -errno. */
int cbench_same_bytes(const char *left, const char *right);

/* ---- The clock page: a file that stages and the bench map; who began which batch, and when. ---- */

enum { CBENCH_PAGE_ENTRIES = 65536 };

typedef struct cbench_mark {
  uint64_t nanoseconds; /* of CLOCK_MONOTONIC, which all processes share */
  uint64_t batch;
  int32_t pid;
  uint32_t begun; /* 1 at the beginning of a batch, 0 at its end */
} cbench_mark;

typedef struct cbench_page cbench_page;
/* Creates the file if it is missing; NULL when it cannot be mapped. */
cbench_page *cbench_page_open(const char *path);
void cbench_page_close(cbench_page *page);
void cbench_page_note(cbench_page *page, uint64_t batch, int begun);
/* Marks written so far; the last CBENCH_PAGE_ENTRIES of them can be read. */
uint64_t cbench_page_count(const cbench_page *page);
cbench_mark cbench_page_mark(const cbench_page *page, uint64_t number);

uint64_t cbench_now(void); /* CLOCK_MONOTONIC in nanoseconds */
uint64_t cbench_spent(void); /* processor time of the calling thread, in nanoseconds */
void cbench_pause(uint64_t nanoseconds);

/* ---- A child process, measured ---- */

typedef struct cbench_usage {
  uint64_t wall_nanoseconds;
  uint64_t cpu_nanoseconds; /* of the process and of all its children that it has waited for */
  int32_t exit_code;        /* -signal when it was killed */
} cbench_usage;

/* posix_spawn in the calling process's group; -1 for a descriptor means /dev/null. 0 or -errno. */
int cbench_spawn(pid_t *pid, char *const arguments[], char *const environment[], int input, int output, int error);
/* Waits for the child. `begun`: when it was started. 0 or -errno. */
int cbench_wait(pid_t pid, uint64_t begun, cbench_usage *usage);
/* Greatest resident memory of a living process so far, in bytes; 0 when it has gone. */
uint64_t cbench_peak_memory(pid_t pid);
/* 1 when the process has ended and waits to be waited for. */
int cbench_has_ended(pid_t pid);

#ifdef __cplusplus
}
#endif
#endif
