import StageModel
import Testing

@testable import StageScheduler

/// Services of several kinds behind a throttle, in a time of their own.
@Suite struct ThrottleTests {
    /// What a service does with a record that arrives at a millisecond; true: it takes it.
    private typealias Service = (_ millisecond: Int) -> Bool

    private struct Served {
        var asked = 0
        var passed = 0
        var refused = 0
        var changes: [Throttle.Change] = []
    }

    /// A stage that always has records, and has so many in hand at most. Results take `latency` milliseconds, refusals 10.
    private func serve(
        _ throttle: Throttle, from start: Int = 0, milliseconds: Int, latency: Int = 200, inHand: Int = 100, _ service: Service
    ) -> Served {
        var served = Served()
        var answers: [Int: [(sent: Int, isRefused: Bool)]] = [:]
        var waiting = 0
        for millisecond in start..<start + milliseconds {
            let now = Moment(nanoseconds: UInt64(millisecond) * 1_000_000)
            for answer in answers.removeValue(forKey: millisecond) ?? [] {
                waiting -= 1
                let sentAt = Moment(nanoseconds: UInt64(answer.sent) * 1_000_000)
                let change = answer.isRefused ? throttle.refused(1, sentAt: sentAt, at: now) : throttle.passed(1, sentAt: sentAt, at: now)
                if answer.isRefused { served.refused += 1 } else { served.passed += 1 }
                if change != .none { served.changes.append(change) }
            }
            let free = inHand - waiting
            let room = free > 0 ? min(free, throttle.room(for: free, whole: false, at: now)) : 0
            if room > 0 { throttle.take(room, at: now) }
            for _ in 0..<room {
                let isRefused = !service(millisecond)
                answers[millisecond + (isRefused ? 10 : latency), default: []].append((millisecond, isRefused))
            }
            served.asked += room
            waiting += room
        }
        return served
    }

    /// Takes so many records a second, and a tenth of a second's worth at once.
    private func limited(to perSecond: @escaping (_ millisecond: Int) -> Double) -> Service {
        var tokens = 0.0
        var last = 0
        return { millisecond in
            let rate = perSecond(millisecond)
            tokens = min(max(1, rate / 10), tokens + Double(millisecond - last) * rate / 1000)
            last = millisecond
            guard tokens >= 1 else { return false }
            tokens -= 1
            return true
        }
    }

    /// Refuses such a share, whatever it is asked.
    private func moody(_ share: Double, seed: UInt64) -> Service {
        var random = SplitMix64(seed: seed)
        return { _ in random.unit() >= share }
    }

    @Test(arguments: [0.03, 0.1, 0.25], [nil, 400.0]) func `refusals that do not depend on the rate slow nothing for long`(
        _ share: Double, _ full: Double?
    ) throws {
        var asked = 0.0
        for seed in 1...20 as ClosedRange<UInt64> {
            var policy = RatePolicy()
            policy.recordsPerSecond = full
            let throttle = Throttle(policy)
            let served = serve(throttle, milliseconds: 60_000, moody(share, seed: seed))
            #expect(served.changes.contains(.notSlowedAnyMore), "seed \(seed)")
            asked += Double(served.asked) / 20
        }
        // 100 in hand, for 200 ms where it is taken, and 10 where it is refused.
        let most = min(full ?? .infinity, 100 / (0.2 * (1 - share) + 0.01 * share)) * 60
        #expect(asked > most * 0.85, "\(asked) of \(most)")
    }

    @Test(arguments: [50.0, 200, 400], [5, 50, 200, 1000]) func `a service that is asked too much is asked for what it takes`(
        _ takes: Double, _ latency: Int
    ) {
        let throttle = Throttle(RatePolicy())
        let service = limited { _ in takes }
        _ = serve(throttle, milliseconds: 20_000, latency: latency, inHand: Int(takes * 2), service)
        let served = serve(throttle, from: 20_000, milliseconds: 100_000, latency: latency, inHand: Int(takes * 2), service)
        #expect(Double(served.passed) > takes * 90, "\(served.passed)")
        #expect(served.refused * 100 < served.asked, "\(served.refused) of \(served.asked)")
        #expect(!served.changes.contains(.notSlowedAnyMore))
    }

    /// What looks like a service whose refusals do not depend on the rate, because it takes less and less, is found out.
    @Test(arguments: [0.1, 0.3, 0.5, 0.7, 0.9], [5, 50, 200]) func `a service that takes less from one moment on is believed`(
        _ left: Double, _ latency: Int
    ) {
        let throttle = Throttle(RatePolicy())
        let service = limited { $0 % 40_000 < 20_000 ? 300 : 300 * left }
        let served = serve(throttle, milliseconds: 200_000, latency: latency, inHand: 600, service)
        #expect(served.refused * 5 < served.asked, "\(served.refused) of \(served.asked)")
        #expect(Double(served.passed) > 150 * (1 + left) * 200 * 0.55, "\(served.passed)")
    }

    @Test func `refusals that change nothing do so again when most is refused`() {
        let throttle = Throttle(RatePolicy())
        #expect(serve(throttle, milliseconds: 10_000, moody(0.1, seed: 1)).changes.last == .notSlowedAnyMore)
        #expect(!throttle.isSlowed)
        let served = serve(throttle, from: 10_000, milliseconds: 1_000) { _ in false }
        #expect(served.changes.first == .slower)
        #expect(throttle.isSlowed)
        // 100 in hand, refused after 10 ms, would be 10,000.
        #expect(served.asked < 2_000, "\(served.asked)")
    }

    @Test func `a minute later a refusal counts again`() {
        let throttle = Throttle(RatePolicy())
        #expect(serve(throttle, milliseconds: 10_000, moody(0.1, seed: 1)).changes.last == .notSlowedAnyMore)
        let served = serve(throttle, from: 10_000, milliseconds: 100_000, limited { _ in 450 })
        #expect(served.changes.contains(.slower))
        #expect(!served.changes.contains(.notSlowedAnyMore))
    }
}
