import Foundation
import StageModel
import StageWire
import Testing

/// Bends valid frames at random. What is accepted must hold every rule; what is not must be an error, not a crash.
@Suite struct FuzzTests {
    /// STAGEHOST_STORM=n makes n times as many rounds.
    private var rounds: Int { 2_000 * max(1, Int(ProcessInfo.processInfo.environment["STAGEHOST_STORM"] ?? "") ?? 1) }

    @Test func `no bent block crashes the reader or passes with a broken rule`() {
        for seed in 0..<UInt64(rounds) {
            var random = SeededGenerator(seed: seed)
            var block = Bytes.block(
                (0..<Int.random(in: 1...6, using: &random)).map { index in
                    Bytes.Record(
                        random.next(), UInt32(index), String(repeating: "k", count: Int.random(in: 0...9, using: &random)),
                        String(repeating: "v", count: Int.random(in: 0...40, using: &random)))
                })
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                // Checksums are made right again, so that the rules behind them are reached.
                let word = Int.random(in: 0..<block.count / 4, using: &random) * 4
                let extremes: [UInt32] = [0, 1, 2, 7, 8, 0xFF, 65_535, 65_536, 65_537, .max, .max - 7, 1 << 31]
                let value = Bool.random(using: &random) ? extremes.randomElement(using: &random) ?? 0 : UInt32.random(in: 0...(.max), using: &random)
                block = Bytes.bend(block, word, to: value)
            }
            if Bool.random(using: &random) { block.removeLast(Int.random(in: 0...min(8, block.count), using: &random)) }
            guard case .success(let summary) = Bytes.summary(block) else { continue }
            #expect(summary.records >= 1, "seed \(seed)")
            #expect(holdsItsRules(block), "seed \(seed)")
        }
    }

    /// The rules of the document once more, written down without the code under test.
    private func holdsItsRules(_ bytes: [UInt8]) -> Bool {
        func word(_ offset: Int) -> Int { (0..<4).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) } }
        var start = 0
        while start < bytes.count {
            guard bytes.count - start >= 32, word(start) == 0x3142_4853 else { return false }
            let (count, length, size) = (word(start + 4), word(start + 8), word(start + 16))
            guard count >= 1, length == (32 + 24 * count + size + 7) / 8 * 8, start + length <= bytes.count else { return false }
            guard word(start + 20) == 0, word(start + 24) == 0 else { return false }
            var previous = 0
            for index in 0..<count {
                let entry = start + 32 + 24 * index
                let (input, offset, key, value) = (word(entry + 8), word(entry + 12), word(entry + 16), word(entry + 20))
                guard input >= previous, input < 100, key <= 65_536, value <= 268_435_456, offset + key + value <= size
                else { return false }
                previous = input
            }
            start += length
        }
        return true
    }

    @Test func `no bent item crashes the reader`() {
        var writer = ItemWriter()
        writer.append(RecordFailure(input: 3, kind: .transient, message: "busy"))
        writer.append(UnreadableRecord(identifier: 9, key: [1], value: [2, 3], message: "no"))
        writer.append(IndexRanges([0, 1, 5]))
        writer.append(MetricItem(name: "tokens", amount: 1.5, input: 4))
        writer.append(ResumeItem(input: 5, bytes: [7, 8]))
        writer.append(OpenParameters())
        for seed in 0..<UInt64(rounds) {
            var random = SeededGenerator(seed: seed)
            var bytes = writer.bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            bytes.removeLast(Int.random(in: 0...16, using: &random))
            unsafe bytes.withUnsafeBytes { bytes in
                var reader = unsafe ItemReader(bytes)
                var total = 0
                while let next = try? reader.next() {
                    unsafe total += 8 + next.content.count
                    _ = try? next.failure()
                    _ = try? next.sourceFailure()
                    if let ranges = try? next.ranges() { #expect(ranges.count >= ranges.ranges.count, "seed \(seed)") }
                    _ = try? next.metric()
                    _ = try? next.resume()
                    _ = try? next.parameters()
                    _ = try? next.pluginTable()
                }
                #expect(total <= bytes.count, "seed \(seed)")
            }
        }
    }
}
