/* stage.h: the stage protocol, version 1.
 *
 * This header is the specification, and all that a plugin needs: copy it, include it, link against nothing.
 * It is plain C11 and C++17.
 *
 * A plugin is a shared library, by convention `libstage-NAME.so`, that exports one function:
 *
 *     STAGE_EXPORT const stage_plugin *stage_plugin_v1(void);
 *
 * The version of the protocol is in the symbol. A library without the symbol is refused, with a message that says so.
 *
 * The life of a plugin, in one worker process:
 *
 *     stage_plugin_v1()                    once, after dlopen; returns a static table
 *     open(host, &self)                    once
 *     read(...) or process(...)            many times; `sync` now and then; `finish` once, at the end of the input
 *     close(self)                          once, when the worker leaves in peace
 *
 * A worker that dies is replaced by a new process, which opens again and is handed what was not finished. A plugin
 * therefore never needs to recover from its own crash; it needs to be honest about what it has done.
 *
 * Rules that hold for everything below
 *   - Data is borrowed. What the host passes in is valid until the call returns; what the plugin passes in is copied
 *     before the call returns. Ownership never crosses the border, and no allocation is shared.
 *   - Bytes are not NUL-terminated. Text is UTF-8. An absent value has data NULL and size 0.
 *   - Structs that can grow begin with `struct_size`; they grow only at the end. A member may be used if it lies
 *     inside `struct_size`. The layout of version 1 is frozen.
 *   - Threads: the host calls a plugin from one thread at a time, unless the plugin declares STAGE_FLAG_REENTRANT.
 *     Functions marked "any thread" may be called from any thread of the plugin, but only between the entry to and
 *     the return from the `process`, `read` or `finish` call that the stage_output was given to.
 *   - The working directory of the worker is the folder of the pipeline file: relative paths just work.
 *   - stdin is empty; stdout and stderr go to the log of the stage. The plugin may fork; children that stay behind
 *     are killed together with the worker.
 */
#ifndef STAGE_H
#define STAGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STAGE_PROTOCOL_VERSION 1
#define STAGE_ENTRY_SYMBOL "stage_plugin_v1"

#if defined(__GNUC__) || defined(__clang__)
#define STAGE_EXPORT __attribute__((visibility("default")))
#define STAGE_UNUSED __attribute__((unused))
#else
#define STAGE_EXPORT
#define STAGE_UNUSED
#endif

/* Nullability is stated for Swift only: it is an extension that -pedantic rejects elsewhere. */
#if defined(__swift__)
#define STAGE_NONNULL _Nonnull
#define STAGE_NULLABLE _Nullable
#else
#define STAGE_NONNULL
#define STAGE_NULLABLE
#endif

/* ---- Limits. The host enforces them; a call that exceeds one returns STAGE_ERROR_TOO_LARGE. ------------------- */

#define STAGE_MAX_BATCH_RECORDS 65536u            /* records handed to one `process`, emitted by one `read` */
#define STAGE_MAX_KEY_BYTES 65536u                /* one key */
#define STAGE_MAX_VALUE_BYTES 268435456u          /* one value: 256 MiB */
#define STAGE_MAX_RESULT_BYTES 1073741824u        /* all that one batch emits: 1 GiB */
#define STAGE_MAX_CHECKPOINT_BYTES 67108864u      /* one checkpoint: 64 MiB */
#define STAGE_MAX_MESSAGE_BYTES 4096u             /* longer messages are cut */
#define STAGE_MAX_HEARTBEAT_BYTES 65536u          /* resume bytes of one record */

/* ---- Data ------------------------------------------------------------------------------------------------------ */

/* Some bytes, borrowed. */
typedef struct stage_bytes {
  const void *STAGE_NULLABLE data;
  size_t size;
} stage_bytes;

/* The unit of work. */
typedef struct stage_record {
  uint64_t id;       /* ordinal of the source record that this one descends from: 0, 1, 2, …; inherited by what is
                        emitted for it. What `finish` emits has ids from STAGE_FINISH_ID_BASE up. */
  stage_bytes key;   /* who it is: a path, a document id */
  stage_bytes value; /* its content; the host never looks inside */
} stage_record;

#define STAGE_FINISH_ID_BASE 0x8000000000000000u

/* Flags of a batch. */
enum {
  STAGE_BATCH_REPLAY = 1u << 0,          /* seen before, to rebuild the state; what is emitted is thrown away */
  STAGE_BATCH_CHECKPOINT_WANTED = 1u << 1 /* a stateful plugin should hand back its state with this batch */
};

/* Up to N records that travel together. */
typedef struct stage_batch {
  uint32_t struct_size;
  uint32_t count;    /* records; an index below always means 0 … count - 1 */
  uint64_t sequence; /* number of the batch, the same in all stages; a sink may use it to recognise what it has. After
                        a death one batch may come in several calls, each with some of its records. */
  uint32_t attempt;  /* 1 the first time; counts deaths and whole-batch retries */
  uint32_t flags;    /* STAGE_BATCH_… */
  const stage_record *STAGE_NULLABLE records; /* NULL when count is 0 */
} stage_batch;

/* ---- Results of calls ------------------------------------------------------------------------------------------ */

/* What open, read, process, sync and finish return. */
typedef int32_t stage_status;
enum {
  STAGE_OK = 0,
  STAGE_RETRY = 1,  /* process: try the batch again later. open: try again later (a database that starts). */
  STAGE_REJECT = 2, /* process: every record of the batch that has no outcome yet fails for good */
  STAGE_FATAL = 3,  /* misconfigured or impossible: do not restart; the stage gives up with the explanation */
  STAGE_END = 4,    /* read: no more records, now or ever (records emitted by this very call count) */
  STAGE_IDLE = 5    /* read: nothing now, ask again */
};

/* Why a record failed. */
typedef uint32_t stage_failure;
enum {
  STAGE_FAILURE_TRANSIENT = 1, /* may succeed later: tried again alone, after a pause */
  STAGE_FAILURE_PERMANENT = 2  /* will never succeed: set aside as a dead letter, with the message */
};

/* What the functions of stage_output and stage_host return: 0, or one of these. */
enum {
  STAGE_ERROR_INDEX = -1,     /* no such input index in this batch */
  STAGE_ERROR_TOO_LARGE = -2, /* beyond a limit above */
  STAGE_ERROR_STATE = -3,     /* not allowed now: the record is done already, a reservation is open, the call is over */
  STAGE_ERROR_MEMORY = -4,    /* out of memory */
  STAGE_ERROR_MISSING = -5,   /* config: no such key */
  STAGE_ERROR_TYPE = -6       /* config: the value is of another type */
};

/* Severity of a log line, and who is at fault. */
typedef uint32_t stage_log_level;
enum {
  STAGE_LOG_DEBUG = 0,
  STAGE_LOG_INFO = 1,
  STAGE_LOG_WARNING = 2,
  STAGE_LOG_ERROR = 3,
  STAGE_LOG_HOST_MISBEHAVING = 4,  /* the host broke this specification */
  STAGE_LOG_PLUGIN_MISBEHAVING = 5 /* the plugin, or a library under it, broke its own promise */
};

/* ---- What the host offers -------------------------------------------------------------------------------------- */

/* Everything that a plugin can ask of the host outside a batch. Valid, with all that it points to, from `open` until
 * `close` returns. All functions: any thread, any time in between. Pass the host itself as the first argument. */
typedef struct stage_host {
  uint32_t struct_size;
  uint32_t protocol_version; /* STAGE_PROTOCOL_VERSION of the host */
  void *STAGE_NULLABLE context; /* the host's own */

  stage_bytes stage_name; /* as in the pipeline file */
  stage_bytes config;     /* the whole `with` object of the stage, as JSON text */
  stage_bytes checkpoint; /* the checkpoint to open from; absent: start from nothing.
                             source: the position to read on from. sink: the effect to cut back to, or to compare
                             with. transform: the state blob. Refuse what you cannot read: fail_open, STAGE_FATAL. */
  uint32_t worker_index;  /* 0 … worker_count - 1: this worker among those of the stage */
  uint32_t worker_count;
  uint32_t shard_index;   /* this host among those that share one input: 0 of 1 unless sharded */
  uint32_t shard_count;
  uint32_t threads;       /* how many batches at once this worker may be given; 1 unless STAGE_FLAG_REENTRANT */
  uint32_t reserved;

  /* Writes a line to the log of the stage. */
  void (*STAGE_NONNULL log)(const struct stage_host *STAGE_NONNULL host, stage_log_level level, stage_bytes message);

  /* Configuration by dotted key: "max_characters", "headers.accept", "paths.0". The bytes live as long as the host.
   * Returns 0, STAGE_ERROR_MISSING or STAGE_ERROR_TYPE; the result is untouched on error, so that it can hold the
   * default. A JSON null counts as missing. */
  int32_t (*STAGE_NONNULL config_string)(const struct stage_host *STAGE_NONNULL host, const char *STAGE_NONNULL key,
                                         stage_bytes *STAGE_NONNULL result);
  int32_t (*STAGE_NONNULL config_integer)(const struct stage_host *STAGE_NONNULL host, const char *STAGE_NONNULL key,
                                          int64_t *STAGE_NONNULL result);
  int32_t (*STAGE_NONNULL config_number)(const struct stage_host *STAGE_NONNULL host, const char *STAGE_NONNULL key,
                                         double *STAGE_NONNULL result);
  /* The result is 0 or 1. */
  int32_t (*STAGE_NONNULL config_boolean)(const struct stage_host *STAGE_NONNULL host, const char *STAGE_NONNULL key,
                                          int32_t *STAGE_NONNULL result);
  /* Number of elements of an array or members of an object. */
  int32_t (*STAGE_NONNULL config_count)(const struct stage_host *STAGE_NONNULL host, const char *STAGE_NONNULL key,
                                        uint32_t *STAGE_NONNULL result);

  /* "I am alive": a call that takes long pushes its deadline back. Cheap; call it as often as you like. */
  void (*STAGE_NONNULL heartbeat)(const struct stage_host *STAGE_NONNULL host);

  /* 1 when the result of the call that is under way is no longer wanted: return soon, with any status. */
  int32_t (*STAGE_NONNULL cancelled)(const struct stage_host *STAGE_NONNULL host);

  /* Says why `open` fails; `open` then returns STAGE_FATAL (never restarted) or STAGE_RETRY. */
  void (*STAGE_NONNULL fail_open)(const struct stage_host *STAGE_NONNULL host, stage_bytes message);

  /* A capability of the host beyond this table, by name; NULL when it has none of that name. Version 1 defines no
   * names: this is how later hosts offer more without a new version. */
  const void *STAGE_NULLABLE (*STAGE_NONNULL capability)(const struct stage_host *STAGE_NONNULL host,
                                                         const char *STAGE_NONNULL name);
} stage_host;

/* Where the outcome of one call goes. Valid until that call returns. All functions: any thread. Pass the output itself
 * as the first argument. `input` is an index into the batch; in `read` and `finish`, where there is no batch, pass
 * STAGE_NO_INPUT.
 *
 * Every record of a batch ends in one of three ways:
 *   passed on   at least one record was emitted for it,
 *   failed      `fail` was called for it (what was emitted for it before is dropped),
 *   filtered    neither. That is how a filter is written.
 * Emitted records leave in the order of their inputs and, within one input, in the order of the calls, whatever order
 * the inputs were worked on. */
#define STAGE_NO_INPUT 0xffffffffu

typedef struct stage_output {
  uint32_t struct_size;
  uint32_t reserved;
  void *STAGE_NULLABLE context; /* the host's own */

  /* Emits one record for `input`. The bytes are copied. In `read`: emits one source record. */
  int32_t (*STAGE_NONNULL emit)(const struct stage_output *STAGE_NONNULL output, uint32_t input, stage_bytes key,
                                stage_bytes value);

  /* Emits without a copy: room for a value of up to `size` bytes, written in place at `*data`, then made a record of
   * `used` bytes by `commit` on the same thread (used > size is an error; commit(…, STAGE_DISCARD) takes the
   * reservation back). Other threads' calls on this output wait in between, so be quick. No other call on this output
   * is allowed on this thread in between. */
  int32_t (*STAGE_NONNULL reserve)(const struct stage_output *STAGE_NONNULL output, uint32_t input, stage_bytes key,
                                   size_t size, void *STAGE_NULLABLE *STAGE_NONNULL data);
  int32_t (*STAGE_NONNULL commit)(const struct stage_output *STAGE_NONNULL output, size_t used);

  /* The record at `input` failed. `kind`: transient or permanent. `retry_after_ms`: for a transient failure, not
   * before so many milliseconds; 0: the host decides. The record is done. Not in `read`: see fail_source. */
  int32_t (*STAGE_NONNULL fail)(const struct stage_output *STAGE_NONNULL output, uint32_t input, stage_failure kind,
                                stage_bytes message, uint32_t retry_after_ms);

  /* `read` only: a source record that exists but cannot be read (a file above the limit). It counts as read, and goes
   * to the dead letters with this key, value and message. */
  int32_t (*STAGE_NONNULL fail_source)(const struct stage_output *STAGE_NONNULL output, stage_bytes key,
                                       stage_bytes value, stage_bytes message);

  /* "I work on this record now": the breadcrumb by which the host knows which record killed the worker. With
   * STAGE_FLAG_RECORD_BY_RECORD it also says that all records before it are done. */
  int32_t (*STAGE_NONNULL begin)(const struct stage_output *STAGE_NONNULL output, uint32_t input);

  /* "Nothing more will come for this record": its result may leave the worker at once, and is safe from a death in the
   * rest of the batch. Call it wherever a record takes more than a few milliseconds. */
  int32_t (*STAGE_NONNULL done)(const struct stage_output *STAGE_NONNULL output, uint32_t input);

  /* The checkpoint after this call: the position of a source, the state of a transform after this batch, the position
   * of a sink. The last one wins; it takes effect only if the call returns STAGE_OK, STAGE_END or STAGE_IDLE. JSON
   * text is shown as such by `stagehost checkpoints`. */
  int32_t (*STAGE_NONNULL checkpoint)(const struct stage_output *STAGE_NONNULL output, stage_bytes bytes);

  /* Progress inside a long record or read, for people: `done` of `total` units; total 0: unknown. In `read` of a
   * source, with STAGE_NO_INPUT: records delivered so far of records in all, which gives the job its percentage. */
  int32_t (*STAGE_NONNULL progress)(const struct stage_output *STAGE_NONNULL output, uint32_t input, uint64_t done,
                                    uint64_t total);

  /* A heartbeat of one record. `resume` (may be absent) is handed to the next attempt of the same record, should the
   * worker die or the record be retried: a one-hour file resumes inside itself. */
  int32_t (*STAGE_NONNULL heartbeat)(const struct stage_output *STAGE_NONNULL output, uint32_t input,
                                     stage_bytes resume);

  /* The last resume bytes of an earlier attempt at this record; absent when there are none. */
  stage_bytes (*STAGE_NONNULL resume)(const struct stage_output *STAGE_NONNULL output, uint32_t input);

  /* Adds `amount` to the stage's sum of `name` ("tokens", "cents"): what a stage costs. Counted once per record or
   * batch that is committed. `input` may be STAGE_NO_INPUT. */
  int32_t (*STAGE_NONNULL metric)(const struct stage_output *STAGE_NONNULL output, uint32_t input,
                                  const char *STAGE_NONNULL name, double amount);

  /* The words for a status other than STAGE_OK, and for STAGE_RETRY the milliseconds to wait (0: the host decides). */
  void (*STAGE_NONNULL explain)(const struct stage_output *STAGE_NONNULL output, stage_bytes message,
                                uint32_t retry_after_ms);
} stage_output;

#define STAGE_DISCARD SIZE_MAX

/* ---- What a plugin is ------------------------------------------------------------------------------------------ */

typedef uint32_t stage_kind;
enum { STAGE_KIND_SOURCE = 1, STAGE_KIND_TRANSFORM = 2, STAGE_KIND_SINK = 3 };

/* What a plugin promises. The host uses it; none is needed for correctness unless it says so. */
enum {
  /* `process` may be called on several threads at once, each with a batch and an output of its own (`threads: n`). */
  STAGE_FLAG_REENTRANT = 1u << 0,
  /* Records are worked on one after another in the order of the batch, with `begin` called for each: then a begun
   * record means that all before it are done, and a death is blamed on the right record without a search. */
  STAGE_FLAG_RECORD_BY_RECORD = 1u << 1,
  /* A transform whose result depends on earlier batches. Required if `checkpoint` is ever called by a transform. It
   * gets its batches in order, in one worker; after a death the state is restored and the batches since then are
   * replayed (STAGE_BATCH_REPLAY). */
  STAGE_FLAG_STATEFUL = 1u << 2
};

/* The table that stage_plugin_v1 returns: static, never changed, never freed. Strings are NUL-terminated UTF-8. */
typedef struct stage_plugin {
  uint32_t struct_size;
  stage_kind kind;
  uint32_t flags;       /* STAGE_FLAG_… */
  uint32_t max_workers; /* how many workers of one stage may run at once; 0: any number. Sources, and sinks with a
                           checkpoint: 1. */
  const char *STAGE_NONNULL id;           /* "count-terms" */
  const char *STAGE_NONNULL version;      /* "1.2.0" */
  const char *STAGE_NONNULL description;  /* one sentence */
  const char *STAGE_NULLABLE config_schema; /* JSON Schema of `with`, as JSON text; NULL: anything goes */

  /* Gets ready. `*self` is passed to all later calls. STAGE_OK, STAGE_RETRY or STAGE_FATAL, the latter two after
   * fail_open. Thread: the worker's main thread. */
  stage_status (*STAGE_NONNULL open)(const stage_host *STAGE_NONNULL host, void *STAGE_NULLABLE *STAGE_NONNULL self);

  /* Sources. Emits up to `max_records` records, as many as are at hand, about `max_bytes` of keys and values in all
   * (a single larger record is fine), and sets the checkpoint to the position after the last. The same position must
   * yield the same records again. At a re-read the host asks for exactly as many records as the batch had. NULL in
   * other kinds. STAGE_OK, STAGE_END, STAGE_IDLE, STAGE_RETRY or STAGE_FATAL. */
  stage_status (*STAGE_NULLABLE read)(void *STAGE_NULLABLE self, uint32_t max_records, uint64_t max_bytes,
                                      const stage_output *STAGE_NONNULL output);

  /* Transforms and sinks. A sink makes the effect of the batch, may emit nothing, and counts a record without failure
   * as written. NULL in sources. STAGE_OK, STAGE_RETRY, STAGE_REJECT or STAGE_FATAL. */
  stage_status (*STAGE_NULLABLE process)(void *STAGE_NULLABLE self, const stage_batch *STAGE_NONNULL batch,
                                         const stage_output *STAGE_NONNULL output);

  /* Makes durable whatever was processed so far (fdatasync, COMMIT). The host calls it before it relies on a sink's
   * checkpoint. May set the checkpoint. NULL: nothing to do. STAGE_OK, STAGE_RETRY or STAGE_FATAL. */
  stage_status (*STAGE_NULLABLE sync)(void *STAGE_NULLABLE self, const stage_output *STAGE_NONNULL output);

  /* The input has ended. A transform may emit (STAGE_NO_INPUT) what it has kept; a sink may write its last words. May
   * be called again, in a new worker, if the worker dies before the result is committed. NULL: nothing to do. */
  stage_status (*STAGE_NULLABLE finish)(void *STAGE_NULLABLE self, const stage_output *STAGE_NONNULL output);

  /* Frees everything. Not called when the worker is killed. */
  void (*STAGE_NULLABLE close)(void *STAGE_NULLABLE self);
} stage_plugin;

/* The one exported symbol. Declared here so that the compiler checks the definition. */
STAGE_EXPORT const stage_plugin *STAGE_NONNULL stage_plugin_v1(void);

/* A convenience for C and C++: the bytes of a NUL-terminated string. */
STAGE_UNUSED static inline stage_bytes stage_text(const char *STAGE_NULLABLE text) {
  stage_bytes bytes = {NULL, 0};
  if (text != NULL) {
    bytes.data = text;
    while (text[bytes.size] != '\0') bytes.size++;
  }
  return bytes;
}

#ifdef __cplusplus
}
#endif
#endif /* STAGE_H */
