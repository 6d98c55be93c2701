import Testing

@testable import StageLog

/// Seeded; more of them with STAGEHOST_STORM=n.
@Suite struct FuzzTests {
    /// Opens, verifies and repairs: whatever comes of it, it is an error or a log, not a crash.
    private func exercise(_ disk: SimulatedDisk, _ seed: UInt64) throws {
        _ = try? StageLog.verify(disk: disk, folder: logFolder)
        if let (log, _) = try? disk.openLog(segmentBytes: 4096) {
            for batch in log.pendingBatches { for place in log.pending(of: batch) { _ = try? log.records(of: place) } }
            if let place = log.lastCheckpoint(notAbove: .max) { _ = try? log.extra(of: place) }
            _ = log.totals
            _ = try? log.appendWhole(min(log.committedThrough &+ 1, StageLog.maximumBatch))
            try? log.seal()
        }
        _ = try? StageLog.repair(disk: disk, folder: logFolder)
        _ = try? disk.openLog(segmentBytes: 4096)
    }

    @Test func randomBytesAreRefused() throws {
        for seed in 0..<UInt64(200 * storm) {
            var random = SeededRandom(seed: seed)
            let disk = SimulatedDisk()
            for number in 1...UInt64.random(in: 1...3, using: &random) {
                let bytes = payload(seed, Int(number), bytes: Int.random(in: 0...2000, using: &random))
                disk.place(bytes, at: segmentPath(number))
            }
            let error = #expect(throws: LogError.self) { try disk.openLog() }
            #expect(error?.code == .damaged, "seed \(seed)")
            try exercise(disk, seed)
        }
    }

    /// Bytes with right checksums and senseless content get past the first line of defence.
    @Test func senselessEntriesWithRightChecksumsDoNoHarm() throws {
        for seed in 0..<UInt64(400 * storm) {
            var random = SeededRandom(seed: seed)
            let disk = SimulatedDisk()
            let number = UInt64.random(in: 1...2, using: &random)
            let mark = Mark(
                watermark: senseless(&random), firstSegment: senseless(&random),
                totals: Totals(batches: .max, inputs: .min, passed: .max))
            var bytes = NewSegment(identity: 0x0123_4567_89AB_CDEF, number: number, predecessor: 5, mark: mark).encoded
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                let sections = payload(seed, 3, bytes: Int.random(in: 0...100, using: &random))
                var header = EntryHeader(
                    entry: LogEntry(
                        LogEntry.Kind(rawValue: UInt8.random(in: 0...6, using: &random)), batch: senseless(&random),
                        flags: LogEntry.Flags(rawValue: UInt16.random(in: 0...1, using: &random)),
                        inputs: .max, passed: .max, outputs: .max))
                header.parts = UInt16.random(in: 0...1, using: &random)
                header.synced = UInt32(truncatingIfNeeded: senseless(&random))
                header.extraLength = UInt32(sections.count)
                header.extraChecksum = crc32c(sections, 0..<sections.count)
                if Int.random(in: 0...9, using: &random) == 0 { header.recordsLength = .max }
                bytes += header.encoded(segment: number, offset: UInt64(bytes.count)) + sections
                bytes += [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
            }
            disk.place(bytes, at: segmentPath(number))
            try exercise(disk, seed)
        }
    }

    private func senseless(_ random: inout SeededRandom) -> UInt64 {
        [0, 1, 1, 1, 2, 3, 192, UInt64.max, .max - 1, 1 << 63, UInt64.random(in: 0...UInt64.max, using: &random)]
            .randomElement(using: &random) ?? 0
    }
}
