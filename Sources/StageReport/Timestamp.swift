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

    /// Now, in milliseconds since 1970.
    package static func milliseconds() -> Int64 {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec / 1_000_000)
    }

    /// Milliseconds since 1970 as text.
    package static func text(milliseconds: Int64) -> String {
        let seconds = milliseconds >= 0 ? milliseconds / 1_000 : (milliseconds - 999) / 1_000
        return text(seconds: seconds, milliseconds: Int(milliseconds - seconds * 1_000))
    }

    /// Milliseconds since 1970 of what `now` wrote; nil for anything else.
    package static func milliseconds(of text: String) -> Int64? {
        let digits = text.utf8.map { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 ? Int($0 - UInt8(ascii: "0")) : nil }
        guard digits.count == 24 else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            digits[range].reduce(0) { sum, digit in sum.flatMap { sum in digit.map { sum * 10 + $0 } } }
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), let rest = number(20..<23)
        else { return nil }
        var parts = unsafe tm()
        unsafe (parts.tm_year, parts.tm_mon, parts.tm_mday) = (Int32(year - 1900), Int32(month - 1), Int32(day))
        unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec) = (Int32(hour), Int32(minute), Int32(second))
        return unsafe Int64(timegm(&parts)) * 1_000 + Int64(rest)
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
