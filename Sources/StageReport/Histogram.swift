package import StageConfig

/// How often something took how long: fixed buckets, so that any number of runs can be added up in bounded memory.
package struct Histogram: Sendable, Equatable {
    /// Upper bounds in nanoseconds, 1, 2 and 5 times each power of ten from a microsecond to 500 seconds; what took longer is in
    /// one more bucket.
    package static let bounds: [UInt64] = {
        var bounds: [UInt64] = []
        var decade: UInt64 = 1_000
        while decade <= 100_000_000_000 {
            bounds += [decade, 2 * decade, 5 * decade]
            decade *= 10
        }
        return bounds
    }()

    /// One more than there are bounds.
    package private(set) var counts = [UInt64](repeating: 0, count: bounds.count + 1)
    package private(set) var count: UInt64 = 0
    package private(set) var sumNanoseconds: UInt64 = 0

    package init() {}

    package mutating func add(_ nanoseconds: UInt64, times: UInt64 = 1) {
        let bucket = Self.bounds.firstIndex { nanoseconds <= $0 } ?? Self.bounds.count
        counts[bucket] &+= times
        count &+= times
        let (product, overflow) = nanoseconds.multipliedReportingOverflow(by: times)
        let (sum, tooMuch) = sumNanoseconds.addingReportingOverflow(overflow ? .max : product)
        sumNanoseconds = tooMuch ? .max : sum
    }

    /// The time that so large a share did not exceed, in seconds, as well as the buckets tell; nil when nothing was counted.
    package func quantile(_ share: Double) -> Double? {
        guard count > 0 else { return nil }
        let wanted = share * Double(count)
        var seen = 0.0
        for (bucket, number) in counts.enumerated() where number > 0 {
            let upper = Double(Self.bounds[min(bucket, Self.bounds.count - 1)]) / 1e9
            if seen + Double(number) >= wanted {
                let lower = bucket == 0 ? 0 : Double(Self.bounds[bucket - 1]) / 1e9
                return lower + (upper - lower) * max(0, min(1, (wanted - seen) / Double(number)))
            }
            seen += Double(number)
        }
        return nil
    }

    package var sumSeconds: Double { Double(sumNanoseconds) / 1e9 }

    // MARK: - As JSON

    /// `{"count", "sum_seconds", "buckets": [[upper bound in seconds or null, count], …]}` with the buckets that are not empty.
    package var json: JSONValue {
        .object([
            .init("count", .count(count)), .init("sum_seconds", .number(sumSeconds)),
            .init(
                "buckets",
                .array(
                    counts.enumerated().filter { $0.element > 0 }.map { bucket, number in
                        .array([bucket < Self.bounds.count ? .number(Double(Self.bounds[bucket]) / 1e9) : .null, .count(number)])
                    })),
        ])
    }

    /// Reads back what `json` wrote; what is no such thing counts as nothing.
    package init(_ value: LenientObject) {
        for element in value.list("buckets") {
            guard case .array(let pair) = element, pair.count == 2, case .integer(let number) = pair[1], number > 0 else { continue }
            var bucket = Self.bounds.count
            switch pair[0] {
            case .number(let seconds):
                bucket = Self.bounds.firstIndex { Double($0) / 1e9 >= seconds * 0.999 } ?? Self.bounds.count
            case .integer(let seconds): bucket = Self.bounds.firstIndex { Double($0) / 1e9 >= Double(seconds) * 0.999 } ?? Self.bounds.count
            default: break
            }
            counts[bucket] &+= UInt64(number)
            count &+= UInt64(number)
        }
        sumNanoseconds = UInt64(min(value.number("sum_seconds") * 1e9, 1e19))
    }
}
