import Glibc
import StageModel
import StageWire
import Testing

@Suite struct ServingTests {
    let letters = [TestRecord(0, "a", "1"), TestRecord(1, "b", "22"), TestRecord(2, "c", "")]

    @Test func `a worker says hello, opens, passes records on and leaves in peace`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"))
        #expect(try host.open().header.type == .ready)
        let dispatch = try host.process([letters], batch: 7)
        let result = try host.receive()
        #expect(result.header.type == .result)
        #expect(result.header.dispatch == dispatch)
        #expect(result.header.batch == 7)
        #expect(result.header.status == 0)
        #expect(result.records == letters)
        try host.send(FrameHeader(.sync))
        #expect(try host.receive().header.type == .result)
        var finish = FrameHeader(.finish)
        finish.secondArgument = WireLimits.finishIdentifierBase
        try host.send(finish)
        #expect(try host.receive().header.status == 0)
        try host.send(FrameHeader(.close))
        #expect(try host.exitCode() == 0)
        #expect(host.text == "")
    }

    @Test func `hello tells what the plugin is`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"))
        let hello = try host.receive()
        #expect(hello.header.type == .hello)
        #expect(hello.texts[.pluginIdentifier] == "misbehave")
        #expect(hello.texts[.pluginVersion] == "1.0.0")
        #expect(hello.table?.kind == .transform)
        #expect(hello.table?.flags == [.reentrant, .recordByRecord])
        #expect(hello.table?.functions == [.process, .close])
    }

    @Test func `blocks that come out of order are merged by input`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"))
        try host.open()
        let late = [TestRecord(10, "k0", "v", input: 0), TestRecord(12, "k2", "v", input: 2), TestRecord(12, "k2+", "v", input: 2)]
        let early = [TestRecord(11, "k1", "v", input: 1), TestRecord(13, "k3", "v", input: 3)]
        try host.process([early, late])
        let result = try host.receive()
        #expect(result.records.map(\.key) == ["k0", "k1", "k2", "k2+", "k3"])
        #expect(result.records.map(\.input) == [0, 1, 2, 3, 4])
    }

    @Test func `only the indexes asked for are worked on, under their own numbers`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"))
        try host.open()
        try host.process([letters], only: IndexRanges([0, 2]))
        let result = try host.receive()
        #expect(result.records == [letters[0], letters[2]])
    }

    @Test func `the end of the request pipe is a polite end`() throws {
        let tools = try Toolbox()
        let plugin = try tools.library(
            "polite",
            """
            #include <stdio.h>
            static stage_status open_(const stage_host *h, void **s) { (void)h; *s = 0; return 0; }
            static stage_status process(void *s, const stage_batch *b, const stage_output *o) { (void)s; (void)b; (void)o; return 0; }
            static void close_(void *s) { (void)s; printf("closed\\n"); }
            static const stage_plugin p = {.struct_size = sizeof p, .kind = STAGE_KIND_SINK, .id = "polite", .version = "1",
              .description = "d", .open = open_, .process = process, .close = close_};
            const stage_plugin *stage_plugin_v1(void) { return &p; }
            """)
        let host = try TestHost(plugin)
        try host.open()
        host.hangUp()
        #expect(try host.exitCode() == 0)
        #expect(host.text == "closed\n")
    }

    @Test func `garbage from the host ends the worker with code 70 and a line`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"))
        try host.open()
        try host.write([UInt8](repeating: 0x55, count: 64))
        #expect(try host.exitCode() == 70)
        #expect(host.text.contains("frame header"))
    }

    @Test func `a damaged block ends the worker with code 70`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"))
        try host.open()
        var block = TestHost.block(letters)
        block[block.count - 9] ^= 1
        var header = FrameHeader(.process)
        header.count = 3
        header.status = 1
        try host.send(header, blocks: block)
        #expect(try host.exitCode() == 70)
        #expect(host.text.contains("checksum"))
    }

    @Test func `what a plugin prints never reaches the data pipe`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "printer", before: "__attribute__((constructor)) static void early(void) { printf(\"early\\n\"); write(1, \"raw\\n\", 4); }",
            "printf(\"late\\n\"); write(1, \"w\\n\", 2); char c; if (read(0, &c, 1) != 0) return STAGE_FATAL;")
        let host = try TestHost(plugin)
        try host.open()
        try host.process([letters])
        #expect(try host.receive().header.status == 0)
        #expect(host.text == "early\nraw\nlate\nw\n")
    }

    @Test func `several threads work on several batches at once`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"), slots: 4)
        try host.open(#"{"each_ms": 300}"#, threads: 4)
        for batch in 1...4 { try host.process([[letters[0]]], batch: UInt64(batch)) }
        try host.wait { (0..<4).allSatisfy { host.page64(PageLayout.slotOffset($0)) != 0 } }
        let batches = Set((0..<4).map { host.page64(PageLayout.slotOffset($0) + PageLayout.slotBatchOffset) })
        #expect(batches == [1, 2, 3, 4])
        var results = 0
        while results < 4 { if try host.receive().header.type == .result { results += 1 } }
        try host.send(FrameHeader(.close))
        #expect(try host.exitCode() == 0)
    }

    @Test func `what follows process requests waits for all of them`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"), slots: 2)
        try host.open(#"{"each_ms": 60}"#, threads: 2)
        try host.process([[letters[0]]], batch: 1)
        try host.process([[letters[0]]], batch: 2)
        let sync = try host.send(FrameHeader(.sync))
        var order: [UInt64] = []
        while order.count < 3 {
            let frame = try host.receive()
            if frame.header.type == .result { order.append(frame.header.dispatch) }
        }
        #expect(order.last == sync)
    }

    @Test func `a source is asked, numbers its records and hands back its position`() throws {
        let tools = try Toolbox()
        let plugin = try tools.library(
            "counting",
            """
            #include <stdio.h>
            #include <stdlib.h>
            #include <string.h>
            static long at;
            static stage_status open_(const stage_host *h, void **s) {
              *s = 0;
              if (h->checkpoint.data) { char t[20] = {0}; memcpy(t, h->checkpoint.data, h->checkpoint.size); at = atol(t); }
              return 0;
            }
            static stage_status read_(void *s, uint32_t most, uint64_t bytes, const stage_output *o) {
              (void)s; (void)bytes;
              char t[20];
              for (uint32_t i = 0; i < most && at < 5; i++, at++) {
                snprintf(t, 20, "%ld", at);
                if (at == 3) o->fail_source(o, stage_text(t), stage_text("bad"), stage_text("cannot"));
                else o->emit(o, STAGE_NO_INPUT, stage_text(t), stage_text("v"));
              }
              if (o->emit(o, STAGE_NO_INPUT, stage_text("more"), stage_text("v")) != STAGE_ERROR_TOO_LARGE && at < 5) return STAGE_FATAL;
              snprintf(t, 20, "%ld", at);
              o->checkpoint(o, stage_text(t));
              return at == 5 ? STAGE_END : STAGE_OK;
            }
            static const stage_plugin p = {.struct_size = sizeof p, .kind = STAGE_KIND_SOURCE, .max_workers = 1, .id = "counting",
              .version = "1", .description = "d", .open = open_, .read = read_};
            const stage_plugin *stage_plugin_v1(void) { return &p; }
            """)
        let host = try TestHost(plugin)
        try host.open(checkpoint: "2")
        var read = FrameHeader(.read)
        read.count = 2
        read.argument = 1_000
        read.secondArgument = 40
        try host.send(read)
        let result = try host.receive()
        #expect(result.records == [TestRecord(40, "2", "v", input: 0)])
        #expect(result.sourceFailures.map(\.identifier) == [41])
        #expect(result.sourceFailures.first?.message == "cannot")
        #expect(result.checkpoint == "4")
        #expect(result.header.status == CallStatus.ok.rawValue)
    }
}
