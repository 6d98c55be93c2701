import Foundation
import Testing

@testable import LinuxIO

@Suite struct MachineMemoryTests {
    /// A made-up /proc and control groups: paths and contents.
    private func memory(_ files: [String: String]) throws -> UInt64? {
        let folder = FileManager.default.temporaryDirectory.path + "/memory-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for (name, text) in files {
            let file = URL(filePath: folder + "/" + name)
            try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        return MachineMemory(processes: folder + "/proc", groups: folder + "/groups").availableBytes
    }

    private let meminfo = "MemTotal:       4000000 kB\nMemFree:         10 kB\nMemAvailable:    1000 kB\n"

    @Test func `without limited groups it is what the machine has available`() throws {
        #expect(try memory(["proc/meminfo": meminfo]) == 1000 << 10)
        #expect(try memory(["proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "groups/memory.max": "max\n"]) == 1000 << 10)
    }

    @Test func `the tightest group above the process counts, without what the kernel can let go of`() throws {
        let files = [
            "proc/meminfo": meminfo, "proc/self/cgroup": "0::/jobs/one\n",
            "groups/jobs/memory.max": "500000\n", "groups/jobs/memory.current": "490000\n",
            "groups/jobs/memory.stat": "anon 1\ninactive_file 40000\n",
            "groups/jobs/one/memory.max": "max\n", "groups/jobs/one/memory.current": "490000\n",
        ]
        #expect(try memory(files) == 50_000)
    }

    @Test func `a group above its limit has nothing left`() throws {
        let files = [
            "proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "groups/memory.max": "1000\n",
            "groups/memory.current": "5000\n",
        ]
        #expect(try memory(files) == 0)
    }

    @Test func `nothing readable is nothing known`() throws { #expect(try memory([:]) == nil) }

    @Test func `this machine says something`() { #expect(MachineMemory().availableBytes ?? 0 > 0) }
}
