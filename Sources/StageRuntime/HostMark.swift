import Glibc
import LinuxIO

/// The file by which a host says that it lives: it lies among the pages, is brought up to date ten times a second, and goes
/// with them when the host ends in order. So where one is found, a host has died.
final class HostMark {
    private static let magic: UInt32 = 0x3148_4853
    private static let numberOffset = 8
    private static let aliveOffset = 16
    private static let bootOffset = 24
    private static let bootBytes = 36
    private static let size = 4_096

    private let file: MappedFile

    init(folder: String) throws(SystemError) {
        file = try MappedFile(creating: Self.path(folder), size: Self.size)
        file.store32(Self.magic, at: 0)
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        // Not the same as that of any other host of this job: hosts of one job follow each other.
        let number = UInt64(bitPattern: Int64(time.tv_sec)) &* 1_000_000_000 &+ UInt64(bitPattern: Int64(time.tv_nsec))
        file.store64(number, at: Self.numberOffset)
        file.store(Self.boot, at: Self.bootOffset)
        beat(monotonicNanoseconds())
    }

    /// Says that the host lives at this moment.
    func beat(_ nanoseconds: UInt64) { file.store64(nanoseconds, at: Self.aliveOffset) }

    private static func path(_ folder: String) -> String { "\(folder)/\(JobLayout.pages)/\(JobLayout.hostMark)" }

    /// Names the time since the machine was started.
    private static var boot: [UInt8] {
        let text = (try? readSmallFile("/proc/sys/kernel/random/boot_id", limit: 4_096)) ?? []
        return Array(text.prefix(bootBytes)) + [UInt8](repeating: 0, count: max(0, bootBytes - text.count))
    }

    /// What a dead host has left.
    struct Remains {
        /// Tells it from other hosts.
        var number: UInt64
        /// When it was last known to live, in monotonic time.
        var alive: UInt64
    }

    /// What the last host of the job has left in its folder; nil when it has ended in order, or the machine was started
    /// since: then its pages may be of any moment.
    static func remains(in folder: String) -> Remains? {
        guard let bytes = try? readSmallFile(path(folder), limit: size), bytes.count == size else { return nil }
        func load(_ offset: Int, _ count: Int) -> UInt64 {
            bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        guard load(0, 4) == UInt64(magic), Array(bytes[bootOffset..<bootOffset + bootBytes]) == boot else { return nil }
        return Remains(number: load(numberOffset, 8), alive: load(aliveOffset, 8))
    }
}
