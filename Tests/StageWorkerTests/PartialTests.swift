import StageModel
import StageWire
import Testing

@Suite struct PartialTests {
    func records(_ count: Int) -> [TestRecord] { (0..<count).map { TestRecord(UInt64($0), "k\($0)", "v\($0)") } }

    @Test func `what is done leaves while the batch goes on`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"))
        // The last record takes far longer than a partial may: it is killed once the others have been seen.
        try host.open(#"{"do": "loop", "when": {"ids": [2]}}"#)
        let clock = ContinuousClock()
        let start = clock.now
        let dispatch = try host.process([records(3)], batch: 5)
        let partial = try host.receive()
        #expect(clock.now - start < .seconds(2))
        #expect(partial.header.type == .partial)
        #expect(partial.header.dispatch == dispatch)
        #expect(partial.header.batch == 5)
        #expect(partial.ranges == IndexRanges(count: 2))
        #expect(partial.records == records(2))
    }

    @Test func `partials and the result together cover every record once and in order`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"))
        try host.open(#"{"each_ms": 12}"#)
        try host.process([records(20)])
        let frames = try host.receiveAll()
        #expect(frames.count > 2)
        #expect(frames.flatMap(\.records) == records(20))
        var covered = IndexRanges()
        for frame in frames.dropLast() {
            let ranges = try #require(frame.ranges)
            #expect(ranges.indexes.allSatisfy { !covered.contains($0) })
            covered.formUnion(ranges)
            #expect(frame.records.allSatisfy { ranges.contains($0.input) })
        }
    }

    @Test func `a fast batch is answered by one frame`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"))
        try host.open()
        for batch in 0..<50 { try host.process([records(20)], batch: UInt64(batch)) }
        var partials = 0
        var results = 0
        while results < 50 {
            let frame = try host.receive()
            if frame.header.type == .result { results += 1 } else { partials += 1 }
        }
        #expect(partials <= 2)
    }

    @Test func `a failure and its words leave with the record, a metric when the record is done`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "mixed",
            """
            o->emit(o, 0, stage_text("dropped"), stage_text(""));
            o->metric(o, 0, "tokens", 3);
            o->fail(o, 0, STAGE_FAILURE_TRANSIENT, stage_text("busy"), 250);
            o->metric(o, 1, "tokens", 4);
            o->metric(o, STAGE_NO_INPUT, "calls", 1);
            while (!host->cancelled(host)) usleep(1000);
            o->metric(o, 1, "tokens", 5);
            o->emit(o, 1, stage_text("kept"), stage_text("x"));
            """)
        let host = try TestHost(plugin)
        try host.open()
        try host.process([records(3)])
        let partial = try host.receive()
        #expect(partial.header.type == .partial)
        #expect(partial.ranges == IndexRanges([0]))
        #expect(partial.records.isEmpty)
        #expect(partial.failures == [RecordFailure(input: 0, kind: .transient, retryAfterMilliseconds: 250, message: "busy")])
        #expect(partial.metrics == [MetricItem(name: "tokens", amount: 3, input: 0)])
        unsafe host.page.storeBytes(of: 1, toByteOffset: PageLayout.cancelOffset, as: UInt32.self)
        let result = try host.receive()
        #expect(result.header.type == .result)
        #expect(result.records.map(\.key) == ["kept"])
        #expect(result.failures.isEmpty)
        #expect(result.metrics.filter { $0.input == 1 }.reduce(0) { $0 + $1.amount } == 9)
        #expect(result.metrics.filter { $0.input == WireLimits.noInput } == [MetricItem(name: "calls", amount: 1, input: WireLimits.noInput)])
    }

    @Test func `a batch that is to be retried keeps the outcomes of the records that are done, and no others`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "later",
            """
            o->emit(o, 0, stage_text("a"), stage_text("1"));
            o->done(o, 0);
            o->done(o, 1);
            o->emit(o, 2, stage_text("half"), stage_text("2"));
            o->explain(o, stage_text("the service is away"), 700);
            return STAGE_RETRY;
            """)
        let host = try TestHost(plugin)
        try host.open()
        try host.process([records(4)])
        let frames = try host.receiveAll()
        #expect(frames.map(\.header.type) == [.partial, .result])
        #expect(frames[0].ranges == IndexRanges([0, 1]))
        #expect(frames[0].records.map(\.key) == ["a"])
        #expect(frames[1].records.isEmpty)
        #expect(frames[1].header.status == CallStatus.retry.rawValue)
        #expect(frames[1].header.count == 700)
        #expect(frames[1].message == "the service is away")
    }

    @Test func `what is emitted in any order leaves in the order of the inputs`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "shuffled",
            """
            void *room = 0;
            o->emit(o, 2, stage_text("2a"), stage_text(""));
            o->emit(o, 0, stage_text("0a"), stage_text(""));
            o->reserve(o, 1, stage_text("1a"), 100, &room);
            memcpy(room, "hello", 5);
            if (o->emit(o, 1, stage_text("no"), stage_text("")) != STAGE_ERROR_STATE) return STAGE_FATAL;
            o->commit(o, 5);
            if (o->commit(o, 5) != STAGE_ERROR_STATE) return STAGE_FATAL;
            o->reserve(o, 1, stage_text("gone"), 100, &room);
            o->commit(o, STAGE_DISCARD);
            o->emit(o, 2, stage_text("2b"), stage_text(""));
            o->emit(o, 0, stage_text("0b"), stage_text(""));
            o->emit(o, 3, stage_text("3"), stage_text(""));
            o->fail(o, 3, STAGE_FAILURE_PERMANENT, stage_text("no"), 0);
            """)
        let host = try TestHost(plugin)
        try host.open()
        try host.process([records(4)])
        let frames = try host.receiveAll()
        #expect(frames.flatMap(\.records).map(\.key) == ["0a", "0b", "1a", "2a", "2b"])
        #expect(frames.flatMap(\.records).first { $0.key == "1a" }?.value == "hello")
        #expect(frames.flatMap(\.failures).map(\.input) == [3])
    }

    @Test func `emitting from several threads of the plugin loses nothing`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "threads",
            before: """
                #include <pthread.h>
                typedef struct job { const stage_output *o; const stage_batch *b; uint32_t first; } job;
                static void *work(void *given) {
                  job *j = given;
                  for (uint32_t i = j->first; i < j->b->count; i += 4) {
                    for (int n = 0; n < 20; n++) j->o->emit(j->o, i, j->b->records[i].key, stage_text("x"));
                    j->o->done(j->o, i);
                  }
                  return 0;
                }
                """,
            """
            pthread_t t[4];
            job j[4];
            for (uint32_t i = 0; i < 4; i++) { j[i] = (job){o, batch, i}; pthread_create(&t[i], 0, work, &j[i]); }
            for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
            """)
        let host = try TestHost(plugin)
        try host.open()
        try host.process([records(200)])
        let all = try host.receiveAll().flatMap(\.records)
        #expect(all.count == 4_000)
        #expect(Set(all.map(\.input)).count == 200)
    }

    @Test func `an output that is used after its call is refused and harms nobody`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "late", before: "static const stage_output *old;",
            """
            void *room;
            if (old && (old->emit(old, 0, stage_text("late"), stage_text("")) != STAGE_ERROR_STATE
                || old->fail(old, 0, STAGE_FAILURE_PERMANENT, stage_text("x"), 0) != STAGE_ERROR_STATE
                || old->done(old, 0) != STAGE_ERROR_STATE || old->begin(old, 0) != STAGE_ERROR_STATE
                || old->reserve(old, 0, stage_text(""), 1, &room) != STAGE_ERROR_STATE
                || old->commit(old, 0) != STAGE_ERROR_STATE
                || old->heartbeat(old, 0, stage_text("r")) != STAGE_ERROR_STATE
                || old->metric(old, 0, "m", 1) != STAGE_ERROR_STATE
                || old->resume(old, 0).data)) return STAGE_FATAL;
            old = o;
            o->emit(o, 0, stage_text("good"), stage_text(""));
            """)
        let host = try TestHost(plugin)
        try host.open()
        for batch in 0..<3 {
            try host.process([records(1)], batch: UInt64(batch))
            let result = try host.receive()
            #expect(result.header.status == 0)
            #expect(result.records.map(\.key) == ["good"])
        }
    }

    @Test func `every misuse of an output has its error`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "misuse", before: "#define MUST(x, y) if ((x) != (y)) { fprintf(stderr, \"%d: %s\\n\", __LINE__, #x); return STAGE_FATAL; }",
            """
            static char big[STAGE_MAX_KEY_BYTES + 1];
            stage_bytes huge = {big, sizeof big};
            MUST(o->emit(o, 2, stage_text("k"), stage_text("v")), STAGE_ERROR_INDEX)
            MUST(o->emit(o, STAGE_NO_INPUT, stage_text("k"), stage_text("v")), STAGE_ERROR_INDEX)
            MUST(o->emit(o, 0, huge, stage_text("v")), STAGE_ERROR_TOO_LARGE)
            stage_bytes giant = {big, (size_t)STAGE_MAX_VALUE_BYTES + 1};
            MUST(o->emit(o, 0, stage_text("k"), giant), STAGE_ERROR_TOO_LARGE)
            MUST(o->heartbeat(o, 0, huge), STAGE_ERROR_TOO_LARGE)
            MUST(o->checkpoint(o, stage_text("state")), STAGE_ERROR_STATE)
            MUST(o->fail_source(o, stage_text("k"), stage_text("v"), stage_text("m")), STAGE_ERROR_STATE)
            MUST(o->fail(o, 9, STAGE_FAILURE_PERMANENT, stage_text("m"), 0), STAGE_ERROR_INDEX)
            MUST(o->fail(o, 0, 77, stage_text("m"), 0), STAGE_ERROR_TYPE)
            MUST(o->done(o, 0), 0)
            MUST(o->done(o, 0), STAGE_ERROR_STATE)
            MUST(o->emit(o, 0, stage_text("k"), stage_text("v")), STAGE_ERROR_STATE)
            MUST(o->fail(o, 0, STAGE_FAILURE_PERMANENT, stage_text("m"), 0), STAGE_ERROR_STATE)
            MUST(o->begin(o, 0), STAGE_ERROR_STATE)
            MUST(o->metric(o, 1, "m", 0.0 / 0.0), STAGE_ERROR_TOO_LARGE)
            """)
        let host = try TestHost(plugin)
        try host.open()
        try host.process([records(2)])
        #expect(try host.receiveAll().last?.header.status == 0, "\(host.text)")
    }

    @Test func `a reservation left open is taken back at the end of the call`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "open", "void *room; o->emit(o, 0, stage_text(\"a\"), stage_text(\"\")); o->reserve(o, 1, stage_text(\"b\"), 10, &room);")
        let host = try TestHost(plugin)
        try host.open()
        for _ in 0..<2 {
            try host.process([records(2)])
            #expect(try host.receiveAll().flatMap(\.records).map(\.key) == ["a"])
        }
    }

    @Test func `resume bytes leave at once, and come back with the next attempt`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "resuming",
            """
            stage_bytes r = o->resume(o, 1);
            o->emit(o, 1, stage_text("was"), r);
            o->progress(o, 1, 3, 10);
            o->heartbeat(o, 1, stage_text("half way"));
            while (!host->cancelled(host)) usleep(1000);
            """)
        let host = try TestHost(plugin)
        try host.open()
        try host.process([records(2)], resume: ResumeItem(input: 1, bytes: Array("quarter".utf8)))
        var beats: [TestFrame] = []
        while beats.last?.resume == nil { beats.append(try host.receive()) }
        #expect(beats.allSatisfy { $0.header.type == .heartbeat && $0.header.count == 1 })
        #expect(beats.last?.header.argument == 3)
        #expect(beats.last?.header.secondArgument == 10)
        #expect(beats.last?.resume == ResumeItem(input: 1, bytes: Array("half way".utf8)))
        unsafe host.page.storeBytes(of: 1, toByteOffset: PageLayout.cancelOffset, as: UInt32.self)
        #expect(try host.receiveAll().flatMap(\.records).map(\.value) == ["quarter"])
    }

    @Test func `of a million heartbeats few leave, and none after the result`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform("beating", "for (int i = 0; i < 1000000; i++) host->heartbeat(host);")
        let host = try TestHost(plugin)
        try host.open()
        try host.process([records(1)])
        try host.process([records(1)])
        let first = try host.receiveAll()
        let second = try host.receiveAll()
        let nanoseconds = first.last.map(\.header.argument) ?? 0
        #expect(UInt64(first.count) <= nanoseconds / 100_000_000 + 3)
        #expect(second.allSatisfy { $0.header.dispatch == second.last?.header.dispatch })
    }

    @Test func `a replay changes nothing but the state`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"))
        try host.open()
        try host.process([records(3)], flags: FrameHeader.replay)
        let frames = try host.receiveAll()
        #expect(frames.count == 1)
        #expect(frames[0].records.isEmpty)
    }

    @Test func `a status that does not exist gives the stage up with words`() throws {
        let tools = try Toolbox()
        let host = try TestHost(try tools.transform("odd", "if (batch->count) return 17;"))
        try host.open()
        try host.process([records(1)])
        let result = try host.receive()
        #expect(result.header.status == CallStatus.fatal.rawValue)
        #expect(result.message?.contains("process returned 17") == true)
    }
}
