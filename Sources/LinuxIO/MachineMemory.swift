/// What memory is still free: of the machine, and of the control groups (version 2) that this process is in.
package struct MachineMemory: Sendable {
    private let processes: String
    private let groups: String

    /// - Parameters:
    ///   - processes: Where the proc file system is.
    ///   - groups: Where the control groups are.
    package init(processes: String = "/proc", groups: String = "/sys/fs/cgroup") {
        self.processes = processes
        self.groups = groups
    }

    /// The smallest of what the machine has available and of what each limited group has left; nil if nothing says so.
    package var availableBytes: UInt64? {
        let machine = Self.words(of: processes + "/meminfo")["MemAvailable:"].map { $0 << 10 }
        return ([machine] + limitedGroups.map(room)).compactMap { $0 }.min()
    }

    /// The group of this process and all above it. In a container that sees itself as the root it is the root.
    private var limitedGroups: [String] {
        let lines = Self.text(of: processes + "/self/cgroup").split(separator: "\n")
        guard let path = lines.first(where: { $0.hasPrefix("0::") })?.dropFirst(3) else { return [] }
        var folder = groups
        var folders = [groups]
        for part in path.split(separator: "/") where part != ".." {
            folder += "/" + part
            folders.append(folder)
        }
        return folders
    }

    /// What is left in a group; files that the kernel keeps only because there is room count as free.
    private func room(in group: String) -> UInt64? {
        guard let most = Self.number(in: group + "/memory.max"), let used = Self.number(in: group + "/memory.current")
        else { return nil }
        let reclaimable = Self.words(of: group + "/memory.stat")["inactive_file"] ?? 0
        return most - min(most, used - min(used, reclaimable))
    }

    private static func number(in path: String) -> UInt64? {
        UInt64(text(of: path).prefix { $0.isASCII && $0.isNumber })
    }

    /// The first number of each line, by the word before it.
    private static func words(of path: String) -> [Substring: UInt64] {
        var found: [Substring: UInt64] = [:]
        for line in text(of: path).split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 2)
            if parts.count > 1, let number = UInt64(parts[1]) { found[parts[0]] = number }
        }
        return found
    }

    private static func text(of path: String) -> String {
        String(decoding: (try? readSmallFile(path, limit: 1 << 16)) ?? [], as: UTF8.self)
    }
}
