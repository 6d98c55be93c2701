/// A set of record indexes of one batch, kept as ascending, disjoint, non-adjacent ranges.
///
/// Batches are mostly handed out and answered whole, so that one range says it all; a set grows pieces only while
/// single records are waited for.
package struct IndexRanges: Sendable, Equatable, Hashable {
    package private(set) var ranges: [Range<UInt32>]

    package init() {
        ranges = []
    }

    /// All indexes from 0 up to `count`.
    package init(count: UInt32) {
        ranges = count == 0 ? [] : [0..<count]
    }

    package init(_ indexes: some Sequence<UInt32>) {
        self.init()
        for index in indexes { insert(index..<index + 1) }
    }

    /// Takes ranges that came from outside; nil unless they are ascending, disjoint and not empty.
    package init?(validating ranges: [Range<UInt32>]) {
        self.init()
        var end: UInt32 = 0
        for range in ranges {
            guard !range.isEmpty, range.lowerBound >= end else { return nil }
            end = range.upperBound
            if let last = self.ranges.last, last.upperBound == range.lowerBound {
                self.ranges[self.ranges.count - 1] = last.lowerBound..<range.upperBound
            } else {
                self.ranges.append(range)
            }
        }
    }

    package var isEmpty: Bool { ranges.isEmpty }
    package var count: Int { ranges.reduce(0) { $0 + $1.count } }
    package var first: UInt32? { ranges.first?.lowerBound }
    package var last: UInt32? { ranges.last.map { $0.upperBound - 1 } }

    /// The indexes in ascending order.
    package var indexes: some Sequence<UInt32> { ranges.lazy.flatMap { $0 } }

    package func contains(_ index: UInt32) -> Bool {
        rangePosition(of: index) != nil
    }

    package func isSuperset(of other: IndexRanges) -> Bool {
        var mine = ranges.makeIterator()
        var current = mine.next()
        for wanted in other.ranges {
            while let range = current, range.upperBound <= wanted.lowerBound { current = mine.next() }
            guard let range = current, range.lowerBound <= wanted.lowerBound, wanted.upperBound <= range.upperBound
            else { return false }
        }
        return true
    }

    package mutating func insert(_ index: UInt32) {
        insert(index..<index + 1)
    }

    package mutating func insert(_ range: Range<UInt32>) {
        guard !range.isEmpty else { return }
        if let last = ranges.last, range.lowerBound > last.upperBound {
            ranges.append(range)
            return
        }
        var merged = range
        let start = ranges.firstIndex { $0.upperBound >= range.lowerBound } ?? ranges.count
        var end = start
        while end < ranges.count, ranges[end].lowerBound <= range.upperBound {
            merged = min(merged.lowerBound, ranges[end].lowerBound)..<max(merged.upperBound, ranges[end].upperBound)
            end += 1
        }
        ranges.replaceSubrange(start..<end, with: CollectionOfOne(merged))
    }

    package mutating func formUnion(_ other: IndexRanges) {
        for range in other.ranges { insert(range) }
    }

    package mutating func remove(_ index: UInt32) {
        guard let position = rangePosition(of: index) else { return }
        let range = ranges[position]
        var pieces: [Range<UInt32>] = []
        if range.lowerBound < index { pieces.append(range.lowerBound..<index) }
        if index + 1 < range.upperBound { pieces.append(index + 1..<range.upperBound) }
        ranges.replaceSubrange(position..<position + 1, with: pieces)
    }

    package mutating func subtract(_ other: IndexRanges) {
        guard !other.isEmpty, !isEmpty else { return }
        if self == other {
            ranges = []
            return
        }
        var result: [Range<UInt32>] = []
        var position = 0
        for range in ranges {
            var start = range.lowerBound
            while position < other.ranges.count, other.ranges[position].upperBound <= start { position += 1 }
            var cut = position
            while cut < other.ranges.count, other.ranges[cut].lowerBound < range.upperBound {
                let hole = other.ranges[cut]
                if hole.lowerBound > start { result.append(start..<hole.lowerBound) }
                start = max(start, hole.upperBound)
                cut += 1
            }
            if start < range.upperBound { result.append(start..<range.upperBound) }
        }
        ranges = result
    }

    package func subtracting(_ other: IndexRanges) -> IndexRanges {
        var copy = self
        copy.subtract(other)
        return copy
    }

    package func intersecting(_ other: IndexRanges) -> IndexRanges {
        subtracting(subtracting(other))
    }

    /// The lower and the upper half, by number of indexes; the lower one is the larger when the number is odd.
    package func halves() -> (IndexRanges, IndexRanges) { split(at: (count + 1) / 2) }

    /// The first so many indexes, and the others.
    package func split(at count: Int) -> (IndexRanges, IndexRanges) {
        var lower = IndexRanges()
        var upper = IndexRanges()
        var left = max(0, count)
        for range in ranges {
            let take = min(left, range.count)
            let middle = range.lowerBound + UInt32(take)
            lower.insert(range.lowerBound..<middle)
            upper.insert(middle..<range.upperBound)
            left -= take
        }
        return (lower, upper)
    }

    private func rangePosition(of index: UInt32) -> Int? {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound <= index { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(index) ? low : nil
    }
}
