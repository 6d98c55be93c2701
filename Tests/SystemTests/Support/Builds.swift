import Foundation
import Testing

/// Builds of one small transform, made by a C compiler while the tests run: to be swapped for each other.
///
/// It passes records on with a letter in front of the value: the same in all builds, unless `stateful`; then the value is the number of
/// records seen so far, so that a record shown twice, or not at all, is seen in every one behind it.
enum Builds {
    /// - Parameter options: Macros of the source below, such as "CRASH_AT=100".
    static func make(_ name: String, _ options: [String], in job: Job) throws -> String {
        let compiler = try #require(Programs.find("gcc", "cc", "clang"), "no C compiler on PATH: install gcc or clang")
        let file = job.path("builds/" + name + ".so")
        try job.write("builds/" + name + ".c", source)
        // The name makes each build another one, by digest.
        let words = ["-shared", "-fPIC", "-O1", "-I", Programs.repository + "/Sources/CStage/include", "-DVERSION=\"\(name)\""]
        let built = try Programs.run(compiler, words + options.map { "-D" + $0 } + ["-o", file, job.path("builds/" + name + ".c")])
        try #require(built.code == 0, "\(built.output)")
        return file
    }

    static let source = #"""
        #include <stdlib.h>
        #include <stdio.h>
        #include <string.h>
        #include <time.h>
        #include "stage.h"

        #ifndef ID
        #define ID "count"
        #endif
        #ifndef KIND
        #define KIND STAGE_KIND_TRANSFORM
        #endif
        #ifndef FLAGS
        #define FLAGS STAGE_FLAG_RECORD_BY_RECORD
        #endif
        #ifndef MAX_WORKERS
        #define MAX_WORKERS 0
        #endif
        #ifndef FORMAT /* the letter that its state begins with */
        #define FORMAT 'a'
        #endif
        #ifndef READS
        #define READS "a"
        #endif

        static unsigned long long total, seen;
        static const char version[] = VERSION;

        static stage_status open_stage(const stage_host *host, void **self) {
          (void)self;
        #ifdef REFUSES
          host->fail_open(host, stage_text("this build cannot be opened"));
          return STAGE_FATAL;
        #endif
          if (host->worker_index >= host->worker_count) {
            host->fail_open(host, stage_text("an index beyond the number of workers"));
            return STAGE_FATAL;
          }
          if (host->checkpoint.size) {
            const char *state = host->checkpoint.data;
            if (!strchr(READS, state[0])) {
              host->fail_open(host, stage_text("a state of another format"));
              return STAGE_FATAL;
            }
            total = strtoull(state + 1, NULL, 10);
          }
          return STAGE_OK;
        }

        static stage_status process(void *self, const stage_batch *batch, const stage_output *output) {
          (void)self;
          for (uint32_t i = 0; i < batch->count; i++) {
            output->begin(output, i);
            seen++;
        #ifdef CRASH_AT
            if (seen >= CRASH_AT) *(volatile int *)0 = 1;
        #endif
        #ifdef HANG_AT
            if (seen >= HANG_AT) for (;;) nanosleep(&(struct timespec){1, 0}, NULL);
        #endif
        #ifdef FAIL_AT
            if (seen >= FAIL_AT) {
              output->fail(output, i, STAGE_FAILURE_PERMANENT, stage_text("no"), 0);
              continue;
            }
        #endif
        #ifdef FATAL_AT
            if (seen >= FATAL_AT) {
              output->explain(output, stage_text("nothing goes any more"), 0);
              return STAGE_FATAL;
            }
        #endif
            if (FLAGS & STAGE_FLAG_STATEFUL) {
              char text[32];
              snprintf(text, sizeof text, "%llu", ++total);
              output->emit(output, i, batch->records[i].key, stage_text(text));
            } else {
              output->emit(output, i, batch->records[i].key, batch->records[i].value);
            }
        #ifdef SLOW
            nanosleep(&(struct timespec){0, SLOW}, NULL);
        #endif
          }
          if ((FLAGS & STAGE_FLAG_STATEFUL) && (batch->flags & STAGE_BATCH_CHECKPOINT_WANTED)) {
            char text[32];
            int size = snprintf(text, sizeof text, "%c%llu", FORMAT, total);
            output->checkpoint(output, (stage_bytes){text, (size_t)size});
          }
          return STAGE_OK;
        }

        static const stage_plugin table = {
            .struct_size = sizeof(stage_plugin), .kind = KIND, .flags = FLAGS, .max_workers = MAX_WORKERS,
            .id = ID, .version = version, .description = "Counts.", .open = open_stage, .process = process};

        const stage_plugin *stage_plugin_v1(void) { return &table; }
        """#
}
