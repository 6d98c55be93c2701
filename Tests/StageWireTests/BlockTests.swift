import StageModel
import StageWire
import Testing

@Suite struct BlockTests {
    private let block = Bytes.block([.init(5, 0, "a", "one"), .init(5, 0, "b", ""), .init(9, 3, "", "three")])

    @Test func `a block is summed up`() throws {
        let summary = try Bytes.summary(block).get()
        #expect(summary.blocks == 1)
        #expect(summary.records == 3)
        #expect(summary.inputs == 2)
        #expect(try Bytes.summary([]).get() == BlocksSummary())
    }

    @Test func `several blocks in any order`() throws {
        let summary = try Bytes.summary(Bytes.block([.init(1, 7, "k", "v")]) + block).get()
        #expect(summary.blocks == 2)
        #expect(summary.inputs == 3)
    }

    @Test func `one input in two blocks`() {
        #expect(Bytes.rule(Bytes.summary(block + Bytes.block([.init(9, 3, "x", "y")]))) == .duplicate)
    }

    @Test func `inputs that go backwards`() {
        let wrong = Bytes.block([.init(5, 2, "a", "1"), .init(5, 1, "b", "2")])
        #expect(Bytes.rule(Bytes.summary(wrong)) == .order)
    }

    @Test func `an input that was not asked for`() {
        #expect(Bytes.rule(Bytes.summary(block, allowed: IndexRanges([0, 1, 2]))) == .range)
        #expect(Bytes.rule(Bytes.summary(block, allowed: IndexRanges([0, 3]))) == nil)
    }

    /// Found by fuzzing, seed 396: it was taken for "no entry yet", and passed.
    @Test func `an input of all ones is no input`() {
        let wrong = Bytes.block([.init(5, .max, "a", "1")])
        #expect(Bytes.rule(Bytes.summary(wrong)) == .range)
        #expect(Bytes.rule(Bytes.summary(wrong, allowed: nil)) == .range)
    }

    @Test func `an input where there is none`() {
        #expect(Bytes.rule(Bytes.summary(block, allowed: nil)) == .range)
        #expect(Bytes.rule(Bytes.summary(Bytes.block([.init(5, 0, "a", "1")]), allowed: nil)) == nil)
    }

    @Test func `more records than allowed`() {
        #expect(Bytes.rule(Bytes.summary(block, limit: 2)) == .length)
    }

    @Test func `a magic, a reserved word and a count of zero`() {
        #expect(Bytes.rule(Bytes.summary(Bytes.bend(block, 0, to: 1))) == .magic)
        #expect(Bytes.rule(Bytes.summary(Bytes.bend(block, 20, to: 1))) == .reserved)
        #expect(Bytes.rule(Bytes.summary(Bytes.bend(block, 24, to: 1))) == .reserved)
        #expect(Bytes.rule(Bytes.summary(Bytes.bend(block, 4, to: 0))) == .length)
    }

    @Test func `a length that does not fit what it counts`() {
        #expect(Bytes.rule(Bytes.summary(Bytes.bend(block, 4, to: 4))) == .length)
        #expect(Bytes.rule(Bytes.summary(Bytes.bend(block, 8, to: UInt32(block.count + 8)))) == .length)
        #expect(Bytes.rule(Bytes.summary(Bytes.bend(block, 16, to: 4_000))) == .length)
        #expect(Bytes.rule(Bytes.summary(Bytes.bend(block, 16, to: .max))) == .length)
    }

    @Test func `blocks that do not fill the section`() {
        #expect(Bytes.rule(Bytes.summary(block + [0, 0, 0, 0, 0, 0, 0, 0])) == .truncated)
        #expect(Bytes.rule(Bytes.summary(Array(block.dropLast(8)))) == .length)
    }

    @Test func `an entry that points outside the bytes`() {
        // The second entry: offset, keySize, valueSize.
        let entry = 32 + 24
        #expect(Bytes.rule(Bytes.summary(Bytes.bend(block, entry + 12, to: .max))) == .range)
        #expect(Bytes.rule(Bytes.summary(Bytes.bend(block, entry + 16, to: 65_537))) == .range)
        #expect(Bytes.rule(Bytes.summary(Bytes.bend(block, entry + 16, to: 9))) == .range)
        #expect(Bytes.rule(Bytes.summary(Bytes.bend(block, entry + 20, to: 268_435_457))) == .range)
        #expect(Bytes.rule(Bytes.summary(Bytes.bend(block, entry + 20, to: 6))) == .range)
    }

    @Test func `a block with any one bit turned`() {
        for bit in 0..<block.count * 8 {
            var damaged = block
            damaged[bit / 8] ^= 1 << (bit % 8)
            #expect(Bytes.rule(Bytes.summary(damaged)) != nil, "bit \(bit)")
        }
    }
}
