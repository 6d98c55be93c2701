import Foundation
import Testing

@testable import StageScheduler

@Suite struct SimulationTests {
    static let environment = ProcessInfo.processInfo.environment

    /// `STAGEHOST_SEED=n` replays one seed; `STAGEHOST_STORM=n` sets how many there are.
    static func seeds(_ share: Double) -> [UInt64] {
        if let one = environment["STAGEHOST_SEED"].flatMap(UInt64.init) { return [one] }
        let storm = environment["STAGEHOST_STORM"].flatMap(Double.init) ?? 1600
        let start = environment["STAGEHOST_START"].flatMap(UInt64.init) ?? 1
        return (0..<UInt64(storm * share)).map { $0 + start }
    }

    static func storm(_ chaos: Chaos, share: Double, _ test: String = #function) {
        var failures = 0
        for seed in seeds(share) {
            let world = World(Plan(seed: seed, chaos: chaos))
            world.run()
            guard let verdict = world.verdict() else { continue }
            failures += 1
            Issue.record("seed \(seed) of \(test): \(verdict)\nagain: STAGEHOST_SEED=\(seed) swift test --filter '\(test)'")
            if failures >= 5 { return }
        }
    }

    @Test func `an undisturbed run keeps every promise`() { Self.storm([], share: 0.1) }
    @Test func `failing records are tried again or set aside, and nothing else`() { Self.storm(.failures, share: 0.08) }
    @Test func `poison is found and its neighbours live`() { Self.storm([.poison, .failures], share: 0.1) }
    @Test func `what hangs or takes all memory is found like poison, and what is only slow is not`() {
        Self.storm([.hangs, .memory], share: 0.08)
    }
    @Test func `workers may be killed at any moment`() { Self.storm([.kills], share: 0.08) }
    @Test func `the host may die at any moment`() { Self.storm([.hostDeaths], share: 0.1) }
    @Test func `the power may fail at any moment`() { Self.storm([.hostDeaths, .powerLoss], share: 0.08) }
    @Test func `operators and full disks only delay`() { Self.storm([.operators, .storage], share: 0.05) }
    @Test func `any build may take over at any moment, and what is worse than the one before goes again`() {
        Self.storm([.swaps], share: 0.1)
    }
    @Test func `a stage that gives up, and a limit that is reached, leave a job that can go on`() {
        Self.storm([.limits, .verdicts, .poison, .failures], share: 0.08)
    }
    @Test func `all of it at once`() { Self.storm(.everything, share: 0.15) }

    /// Found among hundreds of thousands; `docs/testing.md` says what they were.
    @Test func `worlds that went wrong once do so no more`() {
        let seeds: [(chaos: Chaos, seeds: [UInt64])] = [
            ([.poison, .failures], [44_686, 70_563]), ([.hangs, .memory], [12_990, 60_656, 73_805]),
            ([.swaps], [210_166, 252_201, 261_132]), (.everything, [744, 1_020, 4_534, 6_279, 24_000, 29_096, 300_079, 300_513, 700_559]),
        ]
        for (chaos, seeds) in seeds {
            for seed in seeds {
                let world = World(Plan(seed: seed, chaos: chaos))
                world.run()
                let verdict = world.verdict()
                #expect(verdict == nil, "seed \(seed)")
            }
        }
    }
}
