import Glibc
import LinuxIO

/// Wall-clock time for people and for events; never for decisions.
package enum Timestamp {
    /// Now, as "2026-01-31T12:34:56.789Z".
    package static func now() -> String {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        return text(seconds: Int64(time.tv_sec), milliseconds: Int(time.tv_nsec / 1_000_000))
    }

    /// A moment of monotonic time, as the clock on the wall showed it.
    package static func text(ofMonotonic nanoseconds: UInt64) -> String {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        let now = monotonicNanoseconds()
        let age = Int64(clamping: (now > nanoseconds ? now - nanoseconds : 0) / 1_000_000)
        let milliseconds = Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec / 1_000_000) - age
        return text(seconds: milliseconds / 1_000, milliseconds: Int(milliseconds % 1_000))
    }

    /// Seconds since 1970 as text; with milliseconds when they are given.
    package static func text(seconds: Int64, milliseconds: Int? = nil) -> String {
        var parts = unsafe tm()
        var stamp = time_t(seconds)
        guard unsafe gmtime_r(&stamp, &parts) != nil else { return "-" }
        let year = unsafe parts.tm_year + 1900
        let date = unsafe "\(year)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
        let clock = unsafe "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        let fraction = milliseconds.map { ".\(String(repeating: "0", count: $0 < 10 ? 2 : $0 < 100 ? 1 : 0))\($0)" } ?? ""
        return "\(date)T\(clock)\(fraction)Z"
    }

    private static func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
