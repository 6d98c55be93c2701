import Testing

@testable import StageLog

@Suite struct EveryByteTests {
    /// A log with everything in it: parts, a batch done again, checkpoints, sealed segments, a retired one, an open
    /// one.
    private static func makeLog(retires: Bool) throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        let (log, _) = try disk.openLog(segmentBytes: 900)
        for batch in 1...9 as ClosedRange<UInt64> {
            if batch % 3 == 0 { try log.appendPartial(batch, 1) }
            try log.appendWhole(batch, bytes: 60, checkpoint: batch == 2)
            if batch % 2 == 0 { try log.sync() }
        }
        try log.appendWhole(8, bytes: 33)
        if retires { try log.retire(through: 4) }
        try log.appendPartial(10, 1)
        try log.sync()
        return disk
    }

    /// What each batch may turn out to be: in order of append, each prefix that a log can have had.
    private static func check(_ log: StageLog, against original: StageLog, _ context: Comment) {
        for batch in 1...11 as ClosedRange<UInt64> where batch > log.retiredThrough && log.contains(batch) {
            do {
                let found = try log.outcome(of: batch)
                let expected = try original.outcome(of: batch)
                let isFormer = batch == 8 && found == [payload(8, 0, bytes: 60)]
                #expect(found == expected || isFormer || batch <= original.retiredThrough, context)
            } catch { #expect((error as? LogError)?.code == .damaged, context) }
        }
        #expect(log.committedThrough <= original.committedThrough, context)
        #expect(log.totals.inputs <= original.totals.inputs || log.totals.batches < original.totals.batches, context)
    }

    private static func open(_ disk: SimulatedDisk, _ original: StageLog, _ context: String) throws {
        let context: Comment = "\(context)"
        // What is damaged in any way is seen by verify, and opening never believes it.
        let findings = try StageLog.verify(disk: disk, folder: logFolder)
        do {
            let (log, recovery) = try disk.openLog(segmentBytes: 900)
            check(log, against: original, context)
            if log.committedThrough < original.committedThrough { #expect(!recovery.reports.isEmpty, context) }
            try log.appendWhole(20)
            try log.seal()
        } catch let error as LogError {
            #expect([.damaged, .foreign].contains(error.code), context)
            #expect(findings.contains { $0.state == .damaged }, context)
            #expect(error.file.hasPrefix(logFolder), context)
        }
    }

    @Test(arguments: [false, true]) func everyFlippedByteIsFoundOrHarmless(_ retires: Bool) throws {
        let disk = try Self.makeLog(retires: retires)
        let original = try disk.copied().openLog(segmentBytes: 900).log
        #expect(disk.paths.count >= (retires ? 2 : 3))
        for path in disk.paths {
            for offset in 0..<(disk.bytes(path)?.count ?? 0) {
                for pattern in [0x01, 0x80, 0xff] as [UInt8] {
                    let copy = disk.copied()
                    copy.poke(path, at: offset) { $0 ^ pattern }
                    try Self.open(copy, original, "\(path) byte \(offset) xor \(pattern)")
                }
            }
        }
    }

    @Test(arguments: [false, true]) func everyTruncationIsFoundOrHarmless(_ retires: Bool) throws {
        let disk = try Self.makeLog(retires: retires)
        let original = try disk.copied().openLog(segmentBytes: 900).log
        let last = disk.paths.last
        for path in disk.paths {
            for length in 0..<(disk.bytes(path)?.count ?? 0) {
                let copy = disk.copied()
                copy.cut(path, to: length)
                let context = "\(path) cut to \(length)"
                if path == last && length >= 192 {
                    // A shorter open segment is an earlier state of the log, and as good as that was; unless what is
                    // missing is the mark that speaks for retired segments.
                    do {
                        let (log, _) = try copy.openLog(segmentBytes: 900)
                        Self.check(log, against: original, "\(context)")
                    } catch let error as LogError {
                        #expect(retires && error.found == "no segment 1", "\(context)")
                    }
                } else {
                    try Self.open(copy, original, context)
                    let isRefused = (try? copy.openLog(segmentBytes: 900)) == nil
                    #expect(isRefused || path != last, "\(context)")
                }
            }
        }
    }
}
