/// A set of numbers of dead letters, kept as ascending, disjoint, non-adjacent ranges: most are near to one another.
package struct LetterNumbers: Sendable, Equatable {
    package private(set) var ranges: [ClosedRange<UInt64>] = []

    package init() {}

    /// Takes numbers in ascending order; each of the others is passed over.
    package init(ascending numbers: some Sequence<UInt64>) {
        for number in numbers { append(number...number) }
    }

    /// Takes pairs of first and last number that came from outside; nil unless they are ascending and disjoint.
    package init?(validating pairs: [[UInt64]]) {
        var end: UInt64 = 0
        for pair in pairs {
            guard pair.count == 2, pair[0] > end, pair[1] >= pair[0] else { return nil }
            append(pair[0]...pair[1])
            end = pair[1]
        }
    }

    /// As they are written down.
    package var pairs: [[UInt64]] { ranges.map { [$0.lowerBound, $0.upperBound] } }

    package var isEmpty: Bool { ranges.isEmpty }
    package var first: UInt64? { ranges.first?.lowerBound }
    package var last: UInt64? { ranges.last?.upperBound }

    /// How many; not more than half of all there could be, so that sums of them stay in range.
    package var count: UInt64 {
        ranges.reduce(0) { sum, range in min(1 << 62, sum + min(1 << 62, range.upperBound - range.lowerBound) + 1) }
    }

    package var numbers: some Sequence<UInt64> { ranges.lazy.flatMap { $0 } }

    package func contains(_ number: UInt64) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < number { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].lowerBound <= number
    }

    /// The number that has so many before it.
    package func number(at position: Int) -> UInt64? {
        var left = UInt64(clamping: position)
        for range in ranges {
            let length = range.upperBound - range.lowerBound
            if left <= length { return range.lowerBound + left }
            left -= length + 1
        }
        return nil
    }

    /// Adds a range that begins behind all that is there.
    private mutating func append(_ range: ClosedRange<UInt64>) {
        guard let end = last else { return ranges = [range] }
        guard range.lowerBound > end else { return }
        if range.lowerBound == end + 1 {
            ranges[ranges.count - 1] = ranges[ranges.count - 1].lowerBound...range.upperBound
        } else {
            ranges.append(range)
        }
    }

    package mutating func formUnion(_ other: LetterNumbers) {
        guard let end = last, let begin = other.first, begin <= end else {
            for range in other.ranges { append(range) }
            return
        }
        let all = (ranges + other.ranges).sorted { $0.lowerBound < $1.lowerBound }
        ranges = []
        for range in all {
            guard let end = last, range.lowerBound <= end else {
                append(range)
                continue
            }
            if range.upperBound > end { append(end + 1...range.upperBound) }
        }
    }

    /// Only the numbers of a range.
    package func within(_ bounds: ClosedRange<UInt64>) -> LetterNumbers {
        var result = LetterNumbers()
        for range in ranges where range.overlaps(bounds) { result.append(range.clamped(to: bounds)) }
        return result
    }
}
