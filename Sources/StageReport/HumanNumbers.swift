/// Numbers as people read them.
package enum HumanNumbers {
    /// "cents 12.5, tokens 80,000"
    package static func amounts(_ amounts: [String: Double]) -> String {
        amounts.sorted { $0.key < $1.key }.map { "\(PrintableText.line($0.key, limit: 40)) \(amount($0.value))" }
            .joined(separator: ", ")
    }

    /// A sum that need not be a whole number.
    package static func amount(_ value: Double) -> String {
        let isWhole = value.rounded() == value && value >= 0 && value < 1e15
        return isWhole ? count(UInt64(value)) : fixed(value, digits: 2)
    }

    /// "1,234,567"
    package static func count(_ value: UInt64) -> String {
        let digits = Array(String(value))
        var text = ""
        for (position, digit) in digits.enumerated() {
            if position > 0, (digits.count - position) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return text
    }

    /// "00:46", "1:02:03"
    package static func clock(seconds: Double) -> String {
        guard seconds.isFinite, seconds < 3_600_000 else { return "--:--" }
        let whole = Int(seconds.rounded())
        let (hours, minutes, rest) = (whole / 3_600, whole / 60 % 60, whole % 60)
        return hours > 0 ? "\(hours):\(two(minutes)):\(two(rest))" : "\(two(minutes)):\(two(rest))"
    }

    /// "2.5", "130", "1,234"
    package static func rate(_ value: Double) -> String {
        if value < 100 { return fixed(value, digits: 1) }
        return count(UInt64(min(value.rounded(), 1e15)))
    }

    /// "3.4 MiB"
    package static func bytes(_ value: UInt64) -> String {
        var amount = Double(value)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if amount < 1_024 || unit == "GiB" {
                return unit == "B" ? "\(value) B" : "\(fixed(amount, digits: 1)) \(unit)"
            }
            amount /= 1_024
        }
        return "\(value) B"
    }

    /// "40 µs", "1.5 ms", "2.4 s", "12:05"
    package static func seconds(_ value: Double) -> String {
        guard value < 120 else { return clock(seconds: value) }
        if value >= 1 { return short(value) + " s" }
        return value >= 0.001 ? short(value * 1e3) + " ms" : short(value * 1e6) + " µs"
    }

    private static func short(_ value: Double) -> String { fixed(value, digits: value < 10 ? 1 : 0) }

    /// "53.8%"
    package static func percent(_ share: Double) -> String { fixed(share * 100, digits: 1) + "%" }

    package static func fixed(_ value: Double, digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (value.magnitude * scale).rounded()
        guard scaled < 1e18 else { return "\(value)" }
        let whole = UInt64(scaled) / UInt64(scale)
        let rest = String(UInt64(scaled) % UInt64(scale))
        let sign = value < 0 ? "-" : ""
        return digits == 0 ? "\(sign)\(whole)" : "\(sign)\(whole)." + String(repeating: "0", count: digits - rest.count) + rest
    }

    private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
