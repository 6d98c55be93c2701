import Foundation
import Testing

/// A transform in C with a fault, and the same one repaired: both are built on the spot from `stage.h`.
///
/// It passes records on and reports two cents for each. The faulty build dies of SIGSEGV on keys that end in 7, and fails those
/// that end in 3 for good. `ms` is a pause before each record, `seen` a file with the key of each record that it was handed.
enum Brittle {
    /// Builds it into the folder of a job.
    static func build(_ name: String, isRepaired: Bool, in job: Job) throws -> String {
        let compiler = try #require(Programs.find("cc", "gcc", "clang"), "no C compiler on PATH: install gcc or clang")
        try job.write("brittle.c", source)
        let library = job.path("libstage-\(name).so")
        let built = try Programs.run(
            compiler,
            ["-std=c11", "-O1", "-g", "-fPIC", "-shared", "-I", Programs.repository + "/Sources/CStage/include"]
                + (isRepaired ? ["-DREPAIRED"] : []) + ["-o", library, job.path("brittle.c")])
        try #require(built.code == 0, "\(built.output)")
        return library
    }

    private static let source = """
        #define _POSIX_C_SOURCE 200809L
        #include <fcntl.h>
        #include <signal.h>
        #include <stdlib.h>
        #include <string.h>
        #include <time.h>
        #include <unistd.h>
        #include "stage.h"

        typedef struct { int64_t ms; int seen; } brittle;

        static stage_status open_brittle(const stage_host *host, void **self) {
          brittle *mine = calloc(1, sizeof *mine);
          stage_bytes path = {0};
          mine->seen = -1;
          host->config_integer(host, "ms", &mine->ms);
          if (host->config_string(host, "seen", &path) == 0) {
            char name[512] = {0};
            memcpy(name, path.data, path.size < 511 ? path.size : 511);
            mine->seen = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
          }
          *self = mine;
          return STAGE_OK;
        }

        __attribute__((noinline)) static void break_down(void) { *(volatile int *)8 = 1; }

        static stage_status process(void *self, const stage_batch *batch, const stage_output *output) {
          brittle *mine = self;
          for (uint32_t i = 0; i < batch->count; i++) {
            const stage_record *record = &batch->records[i];
            output->begin(output, i);
            if (mine->ms > 0) nanosleep(&(struct timespec){mine->ms / 1000, mine->ms % 1000 * 1000000}, NULL);
            if (mine->seen >= 0) {
              char line[512];
              size_t size = record->key.size < 500 ? record->key.size : 500;
              memcpy(line, record->key.data, size);
              line[size] = '\\n';
              if (write(mine->seen, line, size + 1) < 0) return STAGE_FATAL;
            }
            char last = ((const char *)record->key.data)[record->key.size - 1];
            (void)last;
            output->metric(output, i, "cents", 2);
        #ifndef REPAIRED
            if (last == '7') break_down();
            if (last == '3') {
              output->fail(output, i, STAGE_FAILURE_PERMANENT, stage_text("no threes"), 0);
              continue;
            }
        #endif
            output->emit(output, i, record->key, record->value);
            output->done(output, i);
          }
          return STAGE_OK;
        }

        static void close_brittle(void *self) { free(self); }

        static const stage_plugin plugin = {
          .struct_size = sizeof(stage_plugin), .kind = STAGE_KIND_TRANSFORM, .flags = STAGE_FLAG_RECORD_BY_RECORD,
          .id = "brittle", .version = "1.0.0", .description = "Breaks.", .open = open_brittle, .process = process,
          .close = close_brittle,
        };

        STAGE_EXPORT const stage_plugin *stage_plugin_v1(void) { return &plugin; }
        """
}
