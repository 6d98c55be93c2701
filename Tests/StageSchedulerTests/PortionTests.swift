import StageModel
import Testing

@testable import StageScheduler

/// A plugin is handed 65,536 records at most, however many a batch has.
@Suite struct PortionTests {
    private static let limit: UInt32 = 65_536

    private func ranges(of work: Work) -> [[Range<UInt32>]] { work.portions.map(\.ranges.ranges) }

    @Test(arguments: [
        (0, []), (1, [0..<1]), (limit - 1, [0..<limit - 1]), (limit, [0..<limit]),
        (limit + 1, [0..<limit, limit..<limit + 1]),
        (3 * limit, [0..<limit, limit..<2 * limit, 2 * limit..<3 * limit]),
    ] as [(UInt32, [Range<UInt32>])])
    func `a batch is handed out in portions of at most 65,536 records`(count: UInt32, expected: [Range<UInt32>]) {
        #expect(ranges(of: Work(batch: 1, input: [], inputCount: count)) == expected.map { [$0] })
    }

    @Test func `dead records do not part a portion, and a portion never spans two parts of a batch`() {
        let dead = IndexRanges([1, Self.limit])
        let work = Work(batch: 1, input: [], inputCount: Self.limit + 3, dead: dead)
        #expect(ranges(of: work) == [[0..<1, 2..<Self.limit], [Self.limit + 1..<Self.limit + 3]])
    }

    @Test func `what is taken back from a worker is cut again, around what stands in a search`() {
        let work = Work(batch: 1, input: [], inputCount: 2 * Self.limit)
        work.portions = [Portion(ranges: IndexRanges([5]), isSearch: true)]
        work.startOver()
        #expect(
            ranges(of: work) == [
                [0..<5], [5..<6], [6..<Self.limit], [Self.limit..<2 * Self.limit],
            ])
        #expect(work.portions.map(\.isSearch) == [false, true, false, false])
    }

    @Test func `a large batch goes through a transform and through a sink portion after portion`() throws {
        let bench = Bench()
        bench.start()
        let count = Int(Self.limit) + 10
        try bench.read(count)
        for stage in 1...2 {
            #expect(try bench.answer(stage, checkpoint: stage == 2 ? Checkpoint(position: 1) : nil).count == Int(Self.limit))
            #expect(!bench.commits.contains { $0.stage == stage && $0.isWhole })
            if stage == 2 {
                bench.wait(1000)
                #expect(!bench.has(2, .sync), "a sink was synced in the middle of a batch")
            }
            #expect(try bench.answer(stage, checkpoint: stage == 2 ? Checkpoint(position: 2) : nil).count == 10)
        }
        bench.wait(1000)
        try bench.answer(2, kind: .sync)
        let commit = try #require(bench.commits.last)
        #expect(commit.stage == 2 && commit.isWhole && commit.passed == UInt64(count))
        #expect((commit.checkpoint as? Checkpoint)?.position == 2)
    }
}
