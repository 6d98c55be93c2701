/// Durations as people write them: "500ms", "2s", "1m30s", "1h".
package enum DurationText {
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
        ("ms", 1_000_000), ("us", 1_000),
    ]
    private static let longest: Int64 = 36_500 * 86_400_000_000_000  // a hundred years

    /// The duration, or nil. "0" needs no unit; units come in falling order, each once.
    package static func parse(_ text: String) -> Duration? {
        if text == "0" { return .zero }
        var rest = text[...]
        var total: Int64 = 0
        var next = 0
        guard !rest.isEmpty, text.utf8.count <= 40 else { return nil }
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            let name = rest.dropFirst(number.count).prefix { $0.isLetter }
            guard let position = units[next...].firstIndex(where: { $0.name == name }),
                let nanoseconds = scaled(number, by: units[position].nanoseconds)
            else { return nil }
            let (sum, overflow) = total.addingReportingOverflow(nanoseconds)
            guard !overflow, sum <= longest else { return nil }
            total = sum
            next = position + 1
            rest = rest.dropFirst(number.count + name.count)
        }
        return .nanoseconds(total)
    }

    /// The shortest text that `parse` reads back as the same duration, to the microsecond.
    package static func format(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        var rest = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        if rest < 1_000 { return "0" }
        var text = ""
        for unit in units where rest >= unit.nanoseconds {
            text += "\(rest / unit.nanoseconds)\(unit.name)"
            rest %= unit.nanoseconds
        }
        return text
    }
}

/// Sizes as people write them: "512B", "64KiB", "1MB", "1.5GiB".
package enum SizeText {
    private static let units: [(name: String, bytes: Int64)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
        ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("B", 1),
    ]

    /// The number of bytes, or nil. Upper and lower case mean the same.
    package static func parse(_ text: String) -> Int? {
        if text == "0" { return 0 }
        guard text.utf8.count <= 40 else { return nil }
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let name = text.dropFirst(number.count).drop { $0 == " " }.lowercased()
        guard let unit = units.first(where: { $0.name.lowercased() == name }),
            let bytes = scaled(number, by: unit.bytes)
        else { return nil }
        return Int(exactly: bytes)
    }

    /// In the largest unit that leaves no remainder.
    package static func format(_ bytes: Int) -> String {
        guard bytes != 0 else { return "0" }
        for unit in units where Int64(bytes) % unit.bytes == 0 { return "\(Int64(bytes) / unit.bytes)\(unit.name)" }
        return "\(bytes)B"
    }
}

/// `number` in units of `unit`, exact for whole numbers; nil if it is no plain decimal number or too large.
private func scaled(_ number: Substring, by unit: Int64) -> Int64? {
    if let whole = Int64(number) {
        let (product, overflow) = whole.multipliedReportingOverflow(by: unit)
        return overflow ? nil : product
    }
    guard number.first != ".", number.last != ".", let value = Double(number) else { return nil }
    return Int64(exactly: (value * Double(unit)).rounded())
}

extension Duration {
    /// The whole duration in nanoseconds; what is negative counts as nothing.
    package var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : product + UInt64(attoseconds / 1_000_000_000)
    }
}
