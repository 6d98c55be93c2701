import CLinux
import Glibc

/// How a process ended.
package enum ExitStatus: Sendable, Equatable {
    case exited(Int32)
    case signaled(Int32, dumpedCore: Bool)
}

/// A child in a process group of its own, watched through a pidfd: a pid can be reused, a pidfd cannot.
package struct ChildProcess: ~Copyable {
    package let pid: Int32
    /// Readable once the process has ended.
    package let pidfd: Descriptor

    /// posix_spawn of `path`; see `clinux_spawn` for what the child starts with.
    ///
    /// - Parameter descriptors: Placed at 0, 1, … in the child. Everything else is closed there.
    package static func spawn(
        _ path: String, arguments: [String], environment: [String], descriptors: [Int32], directory: String?
    ) throws(SystemError) -> ChildProcess {
        var pid: Int32 = 0
        let result = unsafe withCStrings([path] + arguments) { argv in
            unsafe withCStrings(environment) { envp in
                unsafe descriptors.withUnsafeBufferPointer { numbers in
                    unsafe clinux_spawn(
                        &pid, path, argv, envp, numbers.baseAddress, Int32(numbers.count), directory)
                }
            }
        }
        try check("posix_spawn", path, result)
        let number = clinux_pidfd_open(pid)
        guard number >= 0 else {
            _ = Glibc.kill(pid, SIGKILL)
            var status: Int32 = 0
            _ = unsafe waitpid(pid, &status, 0)
            throw SystemError("pidfd_open", path, code: -number)
        }
        return ChildProcess(pid: pid, pidfd: Descriptor(owning: number))
    }

    /// Sends a signal to the process itself.
    package func signal(_ number: Int32) {
        _ = clinux_pidfd_send_signal(pidfd.number, number)
    }

    /// SIGKILL to the whole process group. Only before `reap`: afterwards the number may be another's.
    package func killGroup() {
        _ = Glibc.killpg(pid, SIGKILL)
        signal(SIGKILL)
    }

    /// waitpid(WNOHANG): how it ended; nil while it lives.
    package func reap() -> ExitStatus? {
        var status: Int32 = 0
        guard unsafe clinux_reap(pid, &status) == 1 else { return nil }
        if clinux_status_exited(status) != 0 { return .exited(clinux_status_exit_code(status)) }
        return .signaled(clinux_status_signal(status), dumpedCore: clinux_status_dumped_core(status) != 0)
    }
}

/// Calls `body` with a NULL-terminated array of C strings.
private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers: [UnsafeMutablePointer<CChar>?] = unsafe strings.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeBufferPointer { unsafe body($0.baseAddress!) }
}

/// Kills and reaps processes that dead workers have left behind: as their subreaper they are our children now.
///
/// - Parameter known: Children that are to live.
package func killStrays(except known: Set<Int32>) {
    for pid in childProcesses() where !known.contains(pid) {
        _ = Glibc.kill(pid, SIGKILL)
        var status: Int32 = 0
        _ = unsafe waitpid(pid, &status, WNOHANG)
    }
}

/// The same for all children, until there are none: what a killed one leaves behind is the next. Not for ever, though: a child that
/// the kernel cannot end at once (it waits for a disk) is left to whoever comes after us.
package func killAllStrays() {
    let end = monotonicNanoseconds() + 1_000_000_000
    repeat {
        killStrays(except: [])
        guard !childProcesses().isEmpty else { return }
        _ = poll(nil, 0, 1)
    } while monotonicNanoseconds() < end
}

/// Kills what has `entry` ("NAME=value") in the environment that it was started with: descendants that outlived a host which
/// was killed itself, and so could not see to them. This process and those above it are spared.
package func killProcesses(startedWith entry: String) {
    var spared: Set<Int32> = [getpid()]
    var above = getppid()
    while above > 1, spared.insert(above).inserted { above = parent(of: above) ?? 0 }
    let wanted = Array(entry.utf8)
    for pid in (try? namesIn("/proc"))?.compactMap({ Int32($0) }) ?? [] where pid > 1 && !spared.contains(pid) {
        guard let environment = try? readSmallFile("/proc/\(pid)/environ"),
            environment.split(separator: 0).contains(where: { $0.elementsEqual(wanted) })
        else { continue }
        _ = Glibc.kill(pid, SIGKILL)
    }
}

/// Fourth field of /proc/PID/stat, behind the name in parentheses.
private func parent(of pid: Int32) -> Int32? {
    guard let text = try? readSmallFile("/proc/\(pid)/stat"), let end = text.lastIndex(of: UInt8(ascii: ")")) else { return nil }
    let fields = text[(end + 1)...].split(separator: UInt8(ascii: " "))
    return fields.count > 1 ? Int32(String(decoding: fields[1], as: UTF8.self)) : nil
}

/// The children of all threads of this process (/proc/self/task/TID/children).
package func childProcesses() -> [Int32] {
    guard let threads = try? namesIn("/proc/self/task") else { return [] }
    return threads.flatMap { thread -> [Int32] in
        guard let text = try? readSmallFile("/proc/self/task/\(thread)/children") else { return [] }
        return text.split(separator: UInt8(ascii: " ")).compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
    }
}

/// prctl(PR_SET_CHILD_SUBREAPER): what a dead worker leaves behind becomes ours.
package func becomeSubreaper() {
    _ = clinux_become_subreaper()
}

/// The program that is running (/proc/self/exe).
package func ownProgramPath() -> String {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4097) { buffer in
        let count = unsafe readlink("/proc/self/exe", buffer.baseAddress!, 4096)
        guard count > 0 else { return "" }
        return unsafe String(decoding: UnsafeRawBufferPointer(buffer)[0..<count], as: UTF8.self)
    }
}
