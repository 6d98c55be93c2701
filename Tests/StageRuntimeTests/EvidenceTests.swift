import Foundation
import Testing

@testable import StageRuntime

/// What is found out about a death from files that may say anything.
@Suite struct EvidenceTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/stage-evidence-" + UUID().uuidString

    private func write(_ name: String, _ text: String) throws {
        let path = URL(filePath: folder + name)
        try FileManager.default.createDirectory(at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: path)
    }

    private func clean() { try? FileManager.default.removeItem(atPath: folder) }

    @Test(arguments: [
        ("0::/jobs/one\n", "/sys/fs/cgroup/jobs/one/memory.events", "low 0\noom 3\noom_kill %\n"),
        ("9:name=systemd:/\n4:cpu,memory:/a\n0::/\n", "/sys/fs/cgroup/memory/a/memory.oom_control", "under_oom 0\noom_kill %\n"),
        ("", "/proc/vmstat", "pgfault 12\noom_kill %\nballoon 0\n"),
    ])
    func `a kill for want of memory is seen once, in the nearest counter`(_ groups: String, _ file: String, _ text: String) throws {
        defer { clean() }
        try write("/proc/self/cgroup", groups)
        if file != "/proc/vmstat" { try write("/proc/vmstat", "oom_kill 999\n") }
        try write(file, text.replacing("%", with: "4"))
        var kills = MemoryKills(root: folder)
        let before = kills.hasRisen()
        try write(file, text.replacing("%", with: "5"))
        let after = kills.hasRisen()
        let later = kills.hasRisen()
        #expect([before, after, later] == [false, true, false])
    }

    @Test func `where there is no counter nothing is said`() {
        var kills = MemoryKills(root: folder)
        let risen = kills.hasRisen()
        #expect(!risen)
    }

    @Test func `a damaged library gives no names, and does no harm`() throws {
        defer { clean() }
        let plugin = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path + "/libstage-misbehave.so"
        let good = try #require(FileManager.default.contents(atPath: plugin))
        let evidence = "SIGSEGV at address 0x0\nlibstage-misbehave.so+0x1ffff\nstderr:\nlibstage-misbehave.so+0x1300"
        var random = SystemRandomNumberGenerator()
        for round in 0..<200 {
            var bad = good
            for _ in 0..<20 { bad[Int.random(in: 0..<64, using: &random)] = UInt8.random(in: 0...255, using: &random) }
            for _ in 0..<200 { bad[Int.random(in: 0..<bad.count, using: &random)] = UInt8.random(in: 0...255, using: &random) }
            if round % 2 == 0 { bad.replaceSubrange(0..<20, with: good.prefix(20)) }
            let path = folder + "/libstage-misbehave.so"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try bad.prefix(Int.random(in: 0...bad.count, using: &random)).write(to: URL(filePath: path))
            let named = FrameNames(ofPlugin: path).adding(to: evidence)
            #expect(named.hasPrefix("SIGSEGV at address 0x0\nlibstage-misbehave.so+0x1ffff"))
            #expect(named.hasSuffix("stderr:\nlibstage-misbehave.so+0x1300"), "the plugin's own words are its own")
        }
    }

    @Test func `the tail is what was said before the worker began to die`() {
        var tail = TextTail()
        tail.append(Array("hello\nstagehost-worker: SIGSEGV, code 1\nframe\n".utf8)[...])
        #expect(tail.text(without: "stagehost-worker: SIG") == "hello\n")
        #expect(tail.text().hasSuffix("frame\n"))
        for _ in 0..<10_000 { tail.append(Array("0123456789".utf8)[...]) }
        #expect(tail.text().utf8.count == 4_096)
    }
}
