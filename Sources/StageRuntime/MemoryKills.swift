import LinuxIO

/// Whether the kernel has killed somebody for want of memory: a counter that only rises.
///
/// Nothing tells the parent of a process that SIGKILL came from the kernel's out-of-memory killer. What there is: the counter of
/// our own control group, or, where groups keep none, that of the machine.
struct MemoryKills {
    private let path: String?
    private let name: String
    private var known: UInt64 = 0

    /// - Parameter root: Where /proc and /sys are.
    init(root: String = "") {
        let groups = (try? readSmallFile(root + "/proc/self/cgroup")).map { String(decoding: $0, as: UTF8.self) } ?? ""
        var candidates: [(path: String, name: String)] = []
        for line in groups.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            if parts[1].split(separator: ",").contains("memory") {
                candidates.append((root + "/sys/fs/cgroup/memory\(parts[2])/memory.oom_control", "oom_kill"))
            } else if parts[0] == "0" {
                candidates.append((root + "/sys/fs/cgroup\(parts[2])/memory.events", "oom_kill"))
            }
        }
        candidates.append((root + "/proc/vmstat", "oom_kill"))
        let found = candidates.first { Self.count($0.path, $0.name) != nil }
        path = found?.path
        name = found?.name ?? ""
        _ = hasRisen()
    }

    /// Whether it has risen since it was last asked.
    mutating func hasRisen() -> Bool {
        guard let path, let count = Self.count(path, name) else { return false }
        defer { known = count }
        return count > known
    }

    private static func count(_ path: String, _ name: String) -> UInt64? {
        guard let bytes = try? readSmallFile(path) else { return nil }
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "))
            guard fields.count == 2, fields[0].elementsEqual(name.utf8) else { continue }
            return UInt64(String(decoding: fields[1], as: UTF8.self))
        }
        return nil
    }
}
