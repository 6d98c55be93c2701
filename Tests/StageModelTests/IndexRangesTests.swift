import StageModel
import Testing

/// Index ranges against the set that they stand for.
@Suite struct IndexRangesTests {
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    private func isNormal(_ ranges: IndexRanges) -> Bool {
        ranges.ranges.allSatisfy { !$0.isEmpty }
            && zip(ranges.ranges, ranges.ranges.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound }
    }

    @Test(arguments: 0..<200)
    func `any sequence of operations leaves what the same operations leave of a set`(_ seed: Int) {
        var random = Generator(state: UInt64(seed))
        var ranges = IndexRanges()
        var model: Set<UInt32> = []
        func some(_ random: inout Generator) -> Range<UInt32> {
            let first = UInt32.random(in: 0..<60, using: &random)
            return first..<first + UInt32.random(in: 0..<12, using: &random)
        }
        for _ in 0..<60 {
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                let index = UInt32.random(in: 0..<70, using: &random)
                ranges.insert(index)
                model.insert(index)
            case 1:
                let range = some(&random)
                ranges.insert(range)
                model.formUnion(range)
            case 2:
                let index = UInt32.random(in: 0..<70, using: &random)
                ranges.remove(index)
                model.remove(index)
            case 3:
                let other = Array(some(&random)) + Array(some(&random))
                ranges.subtract(IndexRanges(other))
                model.subtract(other)
            default:
                let other = Array(some(&random)) + Array(some(&random))
                ranges.formUnion(IndexRanges(other))
                model.formUnion(other)
            }
            #expect(Array(ranges.indexes) == model.sorted())
            #expect(isNormal(ranges))
            #expect(ranges.count == model.count)
            #expect(ranges.isEmpty == model.isEmpty)
            #expect(ranges.first == model.min())
            #expect(ranges.last == model.max())
            let probe = UInt32.random(in: 0..<75, using: &random)
            #expect(ranges.contains(probe) == model.contains(probe))
            let part = Set(some(&random)).union(some(&random))
            #expect(ranges.isSuperset(of: IndexRanges(part)) == model.isSuperset(of: part))
            let (lower, upper) = ranges.halves()
            #expect(Array(lower.indexes) + Array(upper.indexes) == model.sorted())
            #expect(lower.count == (model.count + 1) / 2)
        }
    }

    @Test func `a count is one range, and nothing is none`() {
        #expect(IndexRanges(count: 5).ranges == [0..<5])
        #expect(IndexRanges(count: 0).isEmpty)
        #expect(IndexRanges(count: 5).subtracting(IndexRanges([2])).ranges == [0..<2, 3..<5])
    }

    @Test func `ranges from outside are taken only in order`() {
        #expect(IndexRanges(validating: [0..<2, 2..<3, 5..<6])?.ranges == [0..<3, 5..<6])
        #expect(IndexRanges(validating: [0..<2, 1..<3]) == nil)
        #expect(IndexRanges(validating: [4..<5, 1..<3]) == nil)
        #expect(IndexRanges(validating: [4..<4]) == nil)
        #expect(IndexRanges(validating: [])?.isEmpty == true)
    }
}
