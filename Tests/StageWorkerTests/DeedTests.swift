import Foundation
import Glibc
import StageModel
import StageWire
import Testing

/// misbehave's deeds as the host sees them: the end of the process, the page, the words.
@Suite struct DeedTests {
    private let records = (0..<4).map { TestRecord(UInt64($0), "k\($0)", "v\($0)") }

    private func host(_ deed: String, _ more: String = "") throws -> TestHost {
        let host = try TestHost(TestHost.plugin("misbehave"))
        try host.open("{\"do\": \"\(deed)\", \"when\": {\"key_equals\": \"k2\"}\(more)}")
        try host.process([records], batch: 9)
        return host
    }

    @Test(arguments: [("segfault", SIGSEGV), ("abort", SIGABRT), ("stack-overflow", SIGSEGV)])
    func `a crash leaves signal, frames, words and breadcrumb behind`(_ deed: String, _ signal: Int32) throws {
        let host = try host(deed)
        #expect(try host.endOfSignal() == signal)
        #expect(host.page32(PageLayout.crashStateOffset) == 2)
        #expect(host.page32(PageLayout.crashSignalOffset) == UInt32(signal))
        let frames = host.page32(PageLayout.crashFrameCountOffset)
        #expect(frames >= 2 && frames <= 64)
        #expect(host.crashText.split(separator: "\n").count == Int(frames))
        #expect(host.crashText.contains("libstage-misbehave.so+0x"))
        #expect(host.text.contains(host.crashText))
        if deed != "abort" { #expect(host.crashText.hasPrefix("libstage-misbehave.so+0x")) }
        let slot = PageLayout.slotOffset(0)
        #expect(host.page64(slot + PageLayout.slotBatchOffset) == 9)
        #expect(host.page64(slot + PageLayout.slotDispatchOffset) != 0)
        #expect(host.page32(slot + PageLayout.slotCountOfRecordsOffset) == 4)
        #expect(host.page32(slot + PageLayout.slotCurrentOffset) == 2)
        #expect(host.states(4) == [2, 2, 1, 0])
    }

    @Test func `a plugin that never begins leaves no breadcrumb`() throws {
        let host = try host("segfault", ", \"whole_batch\": true")
        #expect(try host.endOfSignal() == SIGSEGV)
        #expect(host.page32(PageLayout.slotOffset(0) + PageLayout.slotCurrentOffset) == WireLimits.noInput)
        #expect(host.states(4) == [0, 0, 0, 0])
    }

    @Test func `a crash on a thread of the plugin is told, too`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "threadcrash", before: "#include <pthread.h>\nstatic void *go(void *p) { (void)p; *(volatile int *)0 = 1; return 0; }",
            "pthread_t t; pthread_create(&t, 0, go, 0); pthread_join(t, 0);")
        let host = try TestHost(plugin)
        try host.open()
        try host.process([records])
        #expect(try host.endOfSignal() == SIGSEGV)
        #expect(host.page32(PageLayout.crashStateOffset) == 2)
        #expect(host.crashText.hasPrefix("libthreadcrash.so+0x"))
    }

    @Test func `a stack overflow on a thread of a reentrant plugin is told, too`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"), slots: 2)
        try host.open(#"{"do": "stack-overflow"}"#, threads: 2)
        try host.process([records])
        #expect(try host.endOfSignal() == SIGSEGV)
        #expect(host.page32(PageLayout.crashStateOffset) == 2)
    }

    @Test(arguments: [("exit-0", Int32(0)), ("exit-3", Int32(3))])
    func `an exit is seen as one, in the middle of a batch`(_ deed: String, _ code: Int32) throws {
        let host = try host(deed)
        #expect(try host.exitCode() == code)
        #expect(host.page32(PageLayout.crashStateOffset) == 0)
        #expect(host.states(4) == [2, 2, 1, 0])
    }

    @Test(arguments: ["sleep", "leak", "flood-stdout", "fork-child"])
    func `deeds that end let the record pass`(_ deed: String) throws {
        let host = try host(deed, ", \"ms\": 1, \"mib\": 1")
        #expect(try host.receiveAll().flatMap(\.records) == records)
    }

    @Test func `allocated memory is given back`() throws {
        let host = try host("allocate", ", \"mib\": 16")
        #expect(try host.receiveAll().flatMap(\.records) == records)
    }

    @Test func `closed descriptors end the worker with words or without, never with a wrong frame`() throws {
        let host = try host("close-descriptors")
        #expect(try host.exitCode() == 74)
    }

    @Test func `garbage on the pipe is no frame`() throws {
        let host = try host("write-garbage")
        #expect(throws: WireError.self) { while true { _ = try host.receive() } }
    }

    @Test func `a stopped worker stays where it is`() throws {
        let host = try host("stop")
        try host.wait {
            let stat = (try? String(contentsOfFile: "/proc/\(host.pid)/stat", encoding: .utf8)) ?? ""
            return stat.contains(") T ")
        }
        #expect(host.states(4) == [2, 2, 1, 0])
    }

    @Test(arguments: [("fail-transiently", FailureKind.transient), ("fail-permanently", .permanent)])
    func `a record fails and the others pass`(_ deed: String, _ kind: FailureKind) throws {
        let host = try host(deed, ", \"ms\": 30")
        let frames = try host.receiveAll()
        #expect(frames.flatMap(\.failures).map(\.input) == [2])
        #expect(frames.flatMap(\.failures).map(\.kind) == [kind])
        #expect(frames.flatMap(\.records).map(\.key) == ["k0", "k1", "k3"])
    }

    @Test(arguments: [("fatal", CallStatus.fatal), ("reject", .reject), ("retry-batch", .retry)])
    func `a batch is given back with the status, and what was done is kept`(_ deed: String, _ status: CallStatus) throws {
        let host = try host(deed)
        let frames = try host.receiveAll()
        #expect(frames.last?.header.status == status.rawValue)
        #expect(frames.last?.message?.hasPrefix("misbehave: ") == true)
        #expect(frames.flatMap(\.records).map(\.key) == ["k0", "k1"])
        #expect(frames.first?.ranges == IndexRanges(count: 2))
    }

    @Test func `a deed done once is not done again by the next worker`() throws {
        let tools = try Toolbox()
        let memory = tools.path("memory")
        let config = "{\"do\": \"exit-3\", \"when\": {\"ids\": [1], \"times\": 1, \"memory\": \"\(memory)\"}, \"counter\": \"\(tools.path("count"))\"}"
        let first = try TestHost(TestHost.plugin("misbehave"))
        try first.open(config)
        try first.process([records])
        #expect(try first.exitCode() == 3)
        let second = try TestHost(TestHost.plugin("misbehave"))
        try second.open(config)
        try second.process([records])
        #expect(try second.receiveAll().flatMap(\.records) == records)
        #expect(try String(contentsOfFile: memory, encoding: .utf8) == "1\n")
        #expect(try String(contentsOfFile: tools.path("count"), encoding: .utf8) == "k0\nk1\nk0\nk1\nk2\nk3\n")
    }

    @Test func `a probability with a seed chooses the same records every time`() throws {
        func failed() throws -> [UInt32] {
            let host = try TestHost(TestHost.plugin("misbehave"))
            try host.open(#"{"do": "fail-permanently", "when": {"probability": 0.2, "seed": 7}}"#)
            try host.process([(0..<500).map { TestRecord(UInt64($0), "k", "v") }])
            return try host.receiveAll().flatMap(\.failures).map(\.input)
        }
        let once = try failed()
        #expect(once.count > 50 && once.count < 150)
        #expect(try failed() == once)
    }

    @Test func `an unknown deed is refused with the list of those there are`() throws {
        let host = try TestHost(TestHost.plugin("misbehave"))
        let answer = try host.open(#"{"do": "dance"}"#)
        #expect(answer.header.type == .refused)
        #expect(answer.message?.contains("expected one of: segfault, abort") == true)
    }
}
