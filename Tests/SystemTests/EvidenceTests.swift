import Foundation
import Testing

/// What a dead letter says of the death that made it one.
@Suite struct EvidenceTests {
    @Test func aLetterHasSignalAddressFramesWordsAndDigest() throws {
        let job = try Job(
            50,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "segfault", when: { key_equals: "\#(Input.key(7))" }"#), Stages.write))
        #expect(try job.run().code == 0)
        let letter = try #require(try job.letters()[Input.key(7)])
        #expect(letter["signal"] as? String == "SIGSEGV")
        #expect(letter["category"] as? String == "crash")
        let lines = try #require(letter["backtrace"] as? String).components(separatedBy: "\n")
        #expect(lines.first == "SIGSEGV at address 0x0")
        #expect(lines.dropFirst().first?.hasPrefix("libstage-misbehave.so+0x") == true, "\(lines)")
        #expect(lines.contains { $0.hasPrefix("stagehost-worker+0x") }, "\(lines)")
        let kept = try FileManager.default.contentsOfDirectory(atPath: job.path(".stagehost/job/plugins"))
        let digest = try #require(letter["digest"] as? String)
        #expect(digest.count == 64 && kept.contains { !$0.isEmpty && digest.hasPrefix($0) }, "\(kept)")
        #expect(job.events("poison_found").count == 1)
        #expect(job.events("worker_crashed").count <= 3)
    }

    @Test func theFunctionsOfAPluginAreNamedAlsoThoseThatItDoesNotExport() throws {
        let job = try Job(
            50,
            Stages.pipeline(
                Stages.read, Stages.misbehave(#"do: "segfault", when: { key_equals: "\#(Input.key(7))" }"#), Stages.write))
        #expect(try job.run().code == 0)
        let backtrace = try #require(try job.letters()[Input.key(7)]?["backtrace"] as? String)
        let frame = try #require(backtrace.components(separatedBy: "\n").dropFirst().first)
        #expect(frame.contains(" segfault+0x"), "\(backtrace)")
        #expect(backtrace.contains(" do_deed+0x") && backtrace.contains(" process+0x"), "\(backtrace)")
    }

    @Test func theLastWordsAreThoseOfThePluginHoweverDeepItsStackIs() throws {
        guard let plugin = try Compiled.plugin(
            "wordy",
            """
            #include <stdio.h>
            static volatile int deeper = 1;
            __attribute__((noinline)) static int down(int depth) {
              volatile char page[4096];
              if (!deeper) return 0;
              page[0] = (char)depth;
              return down(depth + 1) + page[0];
            }
            """,
            process: """
              for (uint32_t i = 0; i < batch->count; i++) {
                output->begin(output, i);
                if (batch->records[i].id == 6) {
                  for (int line = 0; line < 2000; line++) fprintf(stderr, "word %d\\n", line);
                  down(0);
                }
                output->emit(output, i, batch->records[i].key, batch->records[i].value);
              }
            """)
        else { return }
        let job = try Job(50, Stages.pipeline(Stages.read, #"{ name: "wordy", plugin: "\#(plugin.path)" }"#, Stages.write))
        #expect(try job.run().code == 0)
        let backtrace = try #require(try job.letters()[Input.key(7)]?["backtrace"] as? String)
        let parts = backtrace.components(separatedBy: "\nstderr:\n")
        try #require(parts.count == 2)
        #expect(parts[0].components(separatedBy: "\n").count == 65, "a line for the signal and 64 frames")
        #expect(parts[1].hasSuffix("word 1998\nword 1999\n"), "\(parts[1].suffix(200))")
        #expect(parts[1].utf8.count == 4_096)
    }
}
