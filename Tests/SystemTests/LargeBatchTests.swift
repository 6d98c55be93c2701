import Foundation
import Testing

/// Batches that grow beyond what a plugin is handed at once.
@Suite struct LargeBatchTests {
    @Test(arguments: [false, true]) func aBatchOfAHundredThousandRecordsGoesThroughInParts(_ isPoisoned: Bool) throws {
        // Emits two for each record, of one half in a first call and of the other in a second.
        guard let plugin = try Compiled.plugin(
            "twofold", "#include <stdio.h>\n#include <string.h>",
            process: """
              uint32_t many = batch->count > 30000 ? 30000 : batch->count;
              for (uint32_t i = 0; i < many; i++) {
                output->begin(output, i);
                char key[32];
                for (int copy = 0; copy < 2; copy++) {
                  snprintf(key, sizeof key, "%.*s-%d", (int)batch->records[i].key.size, (const char *)batch->records[i].key.data, copy);
                  if (output->emit(output, i, stage_text(key), batch->records[i].key) != 0) return STAGE_FATAL;
                }
                output->done(output, i);
              }
              if (many < batch->count) return STAGE_RETRY;
            """)
        else { return }
        let records = 50_000
        // Far into the second part of the batch: 45,678 and 45,679 become the records 91,354 to 91,357.
        let poison = isPoisoned ? ["k045678-0", "k045678-1"] : []
        let job = try Job(
            records,
            Stages.pipeline(
                Stages.read, #"{ name: "twofold", plugin: "\#(plugin.path)" }"#,
                Stages.misbehave(isPoisoned ? #"do: "segfault", when: { value_equals: "k045678" }"# : ""), Stages.write,
                options: "batch: { records: 65536, bytes: \"64MiB\" },"))
        let ended = try job.run()
        #expect(ended.code == 0, "\(ended.output)")
        let keys = String(decoding: job.data("output.jsonl"), as: UTF8.self).components(separatedBy: "\n").dropLast()
            .compactMap { line in line.range(of: "\"key\":\"").map { String(line[$0.upperBound...].prefix(9)) } }
        let expected = (1...records).flatMap { number in (0...1).map { "\(Input.key(number))-\($0)" } }.filter { !poison.contains($0) }
        #expect(keys == expected, "\(keys.count) keys")
        #expect(try job.letters().keys.sorted() == poison)
        #expect(job.events("worker_crashed").count <= 2 * poison.count)
        job.expectNoProcessLeft()
    }
}
