import Foundation
import LinuxIO
import StageModel
import StageScheduler
import StageWire
import Testing

@testable import StageRuntime

/// What is counted of the records that hosts died with.
@Suite struct AttemptLedgerTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/stage-ledger-" + UUID().uuidString
    private let stages = ["read", "work", "write"].map { AttemptLedger.Stage(name: $0, digest: "d-" + $0) }

    private func cleanly(_ body: () throws -> Void) throws {
        defer { try? removeTree(folder) }
        try createFolders(folder + "/pages")
        try body()
    }

    /// A page with one request in hand.
    private func page(
        _ stage: String, worker: Int = 1, batch: UInt64 = 7, states: [UInt8], since: UInt64 = 0, change: (inout [UInt8]) -> Void = { _ in }
    ) throws {
        var bytes = [UInt8](repeating: 0, count: PageLayout.size(slots: 1))
        func put(_ value: some FixedWidthInteger, at offset: Int) {
            for index in 0..<value.bitWidth / 8 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
        }
        let slot = PageLayout.slotOffset(0)
        put(PageLayout.magic, at: PageLayout.magicOffset)
        put(UInt32(1), at: PageLayout.slotCountOffset)
        put(UInt64(99), at: slot + PageLayout.slotDispatchOffset)
        put(batch, at: slot + PageLayout.slotBatchOffset)
        put(UInt32(states.count), at: slot + PageLayout.slotCountOfRecordsOffset)
        put(since == 0 ? monotonicNanoseconds() : since, at: slot + PageLayout.slotSinceOffset)
        bytes.replaceSubrange(slot + PageLayout.slotStatesOffset..<slot + PageLayout.slotStatesOffset + states.count, with: states)
        change(&bytes)
        try Data(bytes).write(to: URL(filePath: "\(folder)/pages/\(stage).\(worker).page"))
    }

    /// A host that lives, has the pages that `body` makes, and dies. Returns what the next one finds.
    @discardableResult private func hostDies(_ body: () throws -> Void) throws -> AttemptLedger {
        let mark = try HostMark(folder: folder)
        try body()
        mark.beat(monotonicNanoseconds())
        return try nextHost()
    }

    private func nextHost(_ stages: [AttemptLedger.Stage]? = nil) throws -> AttemptLedger {
        let ledger = try AttemptLedger(folder: folder, stages: stages ?? self.stages)
        try JobDirectory.clearPages(of: folder)
        return ledger
    }

    private func recovery() -> JobRecovery { JobRecovery(stages: stages.map { _ in RecoveredStage() }) }

    private func past(_ ledger: AttemptLedger) throws -> [UInt64: [UInt32: Interruption]] {
        var (ledger, recovery) = (ledger, recovery())
        try ledger.settle(&recovery)
        return recovery.stages[1].interruptions
    }

    @Test func whatIsBegunAndNotDoneIsCountedOverAnyNumberOfHosts() throws {
        try cleanly {
            for round in 1...6 {
                let ledger = try hostDies { try page("work", states: [2, 2, 1, 0]) }
                #expect(ledger.hostHasDied)
                let records = try #require(try past(ledger)[7])
                #expect(records.keys.sorted() == [2])
                #expect(records[2]?.early == UInt32(round))
                #expect(records[2]?.wasAlone == false, "the last record of the request was still to come")
            }
        }
    }

    @Test func aloneIsTheOnlyRecordOfTheOnlyRequest() throws {
        try cleanly {
            let one = try hostDies { try page("work", states: [2, 3, 1, 3]) }
            #expect(try past(one)[7]?[2]?.wasAlone == true)
            let two = try hostDies {
                try page("work", states: [2, 3, 1, 3])
                try page("write", worker: 2, batch: 6, states: [0])
            }
            #expect(try past(two)[7]?[2]?.wasAlone == false)
            #expect(two.found.map(\.worker) == [1, 2], "\(two.found)")
        }
    }

    @Test func withoutBreadcrumbsAllThatWasAskedForIsInHand() throws {
        try cleanly {
            let ledger = try hostDies { try page("work", states: [3, 0, 0, 3]) }
            #expect(try past(ledger)[7]?.keys.sorted() == [1, 2])
        }
    }

    @Test func aRecordThatWasInHandForLongCountsAsLate() throws {
        try cleanly {
            // As a machine that is up for a minute could not have it: then it is early.
            let since = monotonicNanoseconds()
            try #require(since > 2 * Interruption.earlyNanoseconds)
            let ledger = try hostDies { try page("work", states: [1], since: since - 2 * Interruption.earlyNanoseconds) }
            #expect(try past(ledger)[7]?[0]?.late == 1)
            let ahead = try hostDies { try page("work", states: [1], since: .max) }
            #expect(try past(ahead)[7]?[0]?.early == 1)
        }
    }

    @Test func oneDeathIsCountedOnce() throws {
        try cleanly {
            let mark = try HostMark(folder: folder)
            try page("work", states: [1])
            mark.beat(monotonicNanoseconds())
            // A host that is killed before it has cleared the pages.
            for _ in 0..<3 { _ = try AttemptLedger(folder: folder, stages: stages) }
            #expect(try past(nextHost())[7]?[0]?.early == 1)
            #expect(try past(nextHost())[7]?[0]?.early == 1)
        }
    }

    @Test func aHostThatEndsInOrderLeavesNothingToCount() throws {
        try cleanly {
            _ = try HostMark(folder: folder)
            try page("work", states: [1])
            try JobDirectory.clearPages(of: folder)
            let ledger = try nextHost()
            #expect(!ledger.hostHasDied)
            #expect(try past(ledger).isEmpty)
        }
    }

    @Test func pagesWithoutAHostOrOfAnotherBootAreNotCounted() throws {
        try cleanly {
            try page("work", states: [1])
            #expect(try past(nextHost()).isEmpty)
            _ = try HostMark(folder: folder)
            try page("work", states: [1])
            let path = folder + "/pages/host"
            var bytes = try readSmallFile(path)
            bytes[24] ^= 1
            try Data(bytes).write(to: URL(filePath: path))
            #expect(try past(nextHost()).isEmpty)
        }
    }

    @Test func aRecordWithAnOutcomeIsForgottenForGood() throws {
        try cleanly {
            try hostDies { try page("work", states: [1, 1]) }
            var ledger = try nextHost()
            var part = recovery()
            part.stages[1].partials[7] = RecoveredPartial(covered: IndexRanges([0]), passed: 1, failed: 0, outputs: [])
            try ledger.settle(&part)
            #expect(part.stages[1].interruptions[7]?.keys.sorted() == [1])
            #expect(try past(nextHost())[7]?.keys.sorted() == [1])
            var whole = recovery()
            whole.stages[1].committed = CommittedSet(through: 7)
            ledger = try nextHost()
            try ledger.settle(&whole)
            #expect(whole.stages[1].interruptions.isEmpty)
            #expect(try past(nextHost()).isEmpty)
        }
    }

    @Test func anotherBuildOfThePluginBeginsAnew() throws {
        try cleanly {
            try hostDies { try page("work", states: [1]) }
            var changed = stages
            changed[1].digest = "repaired"
            #expect(try past(nextHost(changed)).isEmpty)
        }
    }

    @Test func whatIsInPageAndFileIsHostile() throws {
        try cleanly {
            var chance = SystemRandomNumberGenerator()
            for _ in 0..<40 {
                try hostDies {
                    try page("work", states: [1]) { bytes in
                        for _ in 0..<64 {
                            let slot = PageLayout.slotOffset(0)
                            bytes[Int.random(in: slot..<slot + 64, using: &chance)] = UInt8.random(in: 0...255, using: &chance)
                        }
                        if Bool.random(using: &chance) { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &chance)) }
                    }
                    try page("nobody", states: [1])
                    try Data([1]).write(to: URL(filePath: folder + "/pages/work.x.page"))
                }
            }
            let path = folder + "/attempts.json"
            let whole = try readSmallFile(path)
            for text in [
                "", "{", "[]", "{\"counted\":-1,\"records\":[]}",
                #"{"counted":1,"records":[{"stage":"work","digest":"d-work","batch":1,"first":9,"last":3,"past":{"early":1,"late":0,"alone":true,"at":[]}}]}"#,
                #"{"counted":1,"records":[{"stage":"work","digest":"d-work","batch":1,"first":0,"last":4000000000,"past":{"early":1,"late":0,"alone":true,"at":[]}}]}"#,
            ] {
                try Data(text.utf8).write(to: URL(filePath: path))
                #expect(try past(nextHost()).isEmpty, "\(text)")
            }
            for _ in 0..<200 {
                var bytes = whole
                for _ in 0..<4 { bytes[Int.random(in: bytes.indices, using: &chance)] = UInt8.random(in: 0...255, using: &chance) }
                try Data(bytes).write(to: URL(filePath: path))
                _ = try past(nextHost())
            }
        }
    }
}
