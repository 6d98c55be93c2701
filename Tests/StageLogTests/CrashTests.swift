import Testing

@testable import StageLog

/// A small job on a log, step by step, that remembers what the log has promised. Dies with its disk.
private final class ScriptedJob {
    struct Part: Equatable {
        var entry: LogEntry
        var records: [UInt8]
        var extra: [UInt8]
    }

    static let segmentBytes: UInt64 = 1024

    /// Everything that was handed to append, by batch and in order; also what failed.
    var attempted: [UInt64: [Part]] = [:]
    /// Batches whose whole entry was appended, and of these those that a sync covered.
    var appended: Set<UInt64> = []
    var synced: Set<UInt64> = []
    /// The parts of a batch that a sync covered.
    var syncedParts: [UInt64: Int] = [:]
    var partsNow: [UInt64: Int] = [:]
    var retired: UInt64 = 0

    func run(on disk: SimulatedDisk) throws {
        let (log, _) = try disk.openLog(segmentBytes: Self.segmentBytes)
        for batch in 1...12 as ClosedRange<UInt64> {
            // Batches come out of order, every third one in parts.
            let number = batch % 4 == 1 && batch < 12 ? batch + 1 : batch % 4 == 2 ? batch - 1 : batch
            if number % 3 == 0 {
                try append(log, .partial, number, bytes: 30)
                try append(log, .partial, number, bytes: 60)
            }
            try append(log, .whole, number, bytes: 150)
            if batch % 2 == 0 { try sync(log) }
            if batch % 5 == 0 { try retire(log, through: batch - 2) }
        }
        try appendTogether(log, [(.whole, 15, 40), (.partial, 14, 30), (.whole, 16, 50), (.whole, 14, 20), (.whole, 17, 700), (.whole, 18, 10)])
        try log.seal()
        synced = appended
        try append(log, .whole, 13, bytes: 10)
        try retire(log, through: 13)
    }

    /// In one call: some in one write, some that must wait for the next.
    private func appendTogether(_ log: StageLog, _ steps: [(type: LogEntry.Kind, batch: UInt64, bytes: Int)]) throws {
        var parts: [Part] = []
        for step in steps {
            let part = part(step.type, step.batch, bytes: step.bytes)
            parts.append(part)
        }
        var done = 0
        try log.appendTogether(parts.map { ($0.entry, $0.records, $0.extra) }) { count in
            for step in steps[done..<done + count] { note(step.type, step.batch) }
            done += count
        }
    }

    private func append(_ log: StageLog, _ type: LogEntry.Kind, _ batch: UInt64, bytes: Int) throws {
        let part = part(type, batch, bytes: bytes)
        try log.append(part.entry, records: part.records, extra: part.extra)
        note(type, batch)
    }

    private func part(_ type: LogEntry.Kind, _ batch: UInt64, bytes: Int) -> Part {
        let part = Part(
            entry: LogEntry(
                type, batch: batch, flags: type == .whole ? .hasCheckpoint : [], inputs: 1, passed: 1, outputs: 1,
                time: 5),
            records: payload(batch, attempted[batch]?.count ?? 0, bytes: bytes), extra: Array("state \(batch)".utf8))
        attempted[batch, default: []].append(part)
        return part
    }

    private func note(_ type: LogEntry.Kind, _ batch: UInt64) {
        partsNow[batch, default: 0] += 1
        if type == .whole { appended.insert(batch) }
    }

    private func sync(_ log: StageLog) throws {
        try log.sync()
        synced = appended
        syncedParts = partsNow
    }

    private func retire(_ log: StageLog, through batch: UInt64) throws {
        retired = batch
        try log.retire(through: batch)
        if log.retiredThrough > 0 {
            // Retiring syncs, when it has something to remove.
            synced = log.isSynced ? appended : synced
        }
    }

    /// Opens what is left and compares it with what was promised; then goes on with the log.
    func check(_ disk: SimulatedDisk, _ context: String, keepsAll: Bool) throws {
        let (log, _) = try disk.openLog(segmentBytes: Self.segmentBytes)
        let context: Comment = "\(context)"
        for batch in keepsAll ? appended : synced { #expect(log.contains(batch), context) }
        #expect(log.retiredThrough <= retired, context)
        var expectedTotals = Totals()
        for batch in 1...18 as ClosedRange<UInt64> {
            let parts = attempted[batch] ?? []
            if log.contains(batch) {
                #expect(parts.last?.entry.type == .whole, context)
                for part in parts { expectedTotals.add(part.entry) }
            }
            let places = log.contains(batch) ? log.entries(of: batch) : log.pending(of: batch)
            if batch <= log.retiredThrough { continue }
            // In order, without a gap, whole when it says so, and nothing that was not written.
            #expect(places.count <= parts.count, context)
            if log.contains(batch) { #expect(places.count == parts.count, context) }
            #expect(places.count >= syncedParts[batch] ?? 0, context)
            for (place, part) in zip(places, parts) {
                #expect(place.entry == part.entry, context)
                #expect(try log.records(of: place) == part.records, context)
                #expect(try log.extra(of: place) == part.extra, context)
            }
        }
        #expect(log.totals == expectedTotals, context)
        if log.committedThrough > 0 {
            let place = try #require(log.lastCheckpoint(notAbove: log.committedThrough), context)
            #expect(place.entry.batch == log.committedThrough, context)
            #expect(try log.extra(of: place) == Array("state \(log.committedThrough)".utf8), context)
        }
        try goOn(log, disk, context)
    }

    private func goOn(_ log: StageLog, _ disk: SimulatedDisk, _ context: Comment) throws {
        let batch = max(log.committedThrough, log.beyond.last ?? 0) + 1
        let before = log.totals
        if log.pending(of: batch).isEmpty {
            try log.append(LogEntry(.whole, batch: batch, inputs: 9, passed: 9, outputs: 9), records: [1, 2, 3])
        } else {
            try log.append(LogEntry(.whole, batch: batch, inputs: 9, passed: 9, outputs: 9), records: [])
        }
        try log.sync()
        let again = try disk.afterPowerLoss(.allLost, seed: 1).openLog(segmentBytes: Self.segmentBytes)
        #expect(again.recovery.reports.isEmpty, context)
        #expect(again.log.contains(batch), context)
        #expect(again.log.totals == log.totals && again.log.totals != before, context)
    }
}

@Suite struct CrashTests {
    private func operationsOfTheJob() throws -> Int {
        let disk = SimulatedDisk()
        let job = ScriptedJob()
        try job.run(on: disk)
        #expect(disk.operations > 60)
        try job.check(disk.copied(), "undisturbed", keepsAll: true)
        return disk.operations
    }

    @Test(arguments: PowerLoss.allCases)
    func everyPowerLossLeavesWhatWasPromised(_ loss: PowerLoss) throws {
        for point in 0..<(try operationsOfTheJob()) {
            for round in 0..<UInt64(4 * storm) {
                let disk = SimulatedDisk()
                disk.faults[point] = .powerLoss
                let job = ScriptedJob()
                #expect(throws: LogError.self) { try job.run(on: disk) }
                let seed = UInt64(point) * 1000 + round
                let left = disk.afterPowerLoss(loss, seed: seed)
                try job.check(left, "\(loss) at operation \(point), seed \(seed)", keepsAll: loss == .nothingLost)
            }
        }
    }

    @Test func aPowerLossDuringRecoveryIsRecoveredFrom() throws {
        for point in 0..<(try operationsOfTheJob()) {
            let disk = SimulatedDisk()
            disk.faults[point] = .powerLoss
            let job = ScriptedJob()
            #expect(throws: LogError.self) { try job.run(on: disk) }
            for loss in PowerLoss.allCases {
                var second = 0
                while true {
                    let left = disk.afterPowerLoss(loss, seed: UInt64(point))
                    left.faults[second] = .powerLoss
                    if (try? left.openLog(segmentBytes: ScriptedJob.segmentBytes)) != nil { break }
                    for again in [PowerLoss.allLost, .sectorsAndNamesKept] {
                        try job.check(
                            left.afterPowerLoss(again, seed: UInt64(second)),
                            "\(loss) at \(point), then \(again) at \(second)", keepsAll: loss == .nothingLost)
                    }
                    second += 1
                }
            }
        }
    }

    /// Another process may look at any time: every state between two operations is one that it may see.
    @Test func everyStateBetweenTwoOperationsCanBeLookedAt() throws {
        for point in 0..<(try operationsOfTheJob()) {
            let disk = SimulatedDisk()
            disk.faults[point] = .powerLoss
            let job = ScriptedJob()
            #expect(throws: LogError.self) { try job.run(on: disk) }
            let seen = disk.afterPowerLoss(.nothingLost, seed: 0)
            do {
                let (log, _) = try seen.openLog(segmentBytes: ScriptedJob.segmentBytes, readOnly: true)
                for batch in job.appended { #expect(log.contains(batch), "operation \(point)") }
                #expect(seen.operations == 0)
                let findings = try StageLog.verify(disk: seen, folder: logFolder)
                #expect(!findings.contains { $0.state == .damaged }, "operation \(point): \(findings)")
            } catch let error as LogError {
                // Before the first segment has its name there is no log.
                #expect(
                    job.attempted.isEmpty && (error.code == .missing || error.code == .io),
                    "operation \(point): \(error)")
            }
        }
    }

    @Test(arguments: [SimulatedDisk.Fault.error(28), .error(5), .shortThenError(28), .short])
    func everyFailingOperationLeavesAUsableLog(_ fault: SimulatedDisk.Fault) throws {
        for point in 0..<(try operationsOfTheJob()) {
            let disk = SimulatedDisk()
            disk.faults[point] = fault
            let job = ScriptedJob()
            do { try job.run(on: disk) } catch let error as LogError {
                #expect([.full, .io, .failed].contains(error.code))
            }
            try job.check(disk.afterPowerLoss(.nothingLost, seed: 0), "\(fault) at \(point)", keepsAll: true)
            try job.check(disk.afterPowerLoss(.allLost, seed: 0), "\(fault) at \(point)", keepsAll: false)
        }
    }
}
