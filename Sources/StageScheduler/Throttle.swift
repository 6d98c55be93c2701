/// How fast records may be handed out, over all workers of a stage or of several that share a limit.
///
/// A token bucket: tokens come with time, a record costs one, and no more than the burst is saved up. What cannot be cut
/// goes as soon as there is one token, and leaves a debt that is paid before the next.
///
/// Answers that ask for a pause slow it: the rate is multiplied by `decrease`, but not below nine tenths of what has lately
/// passed, since so much is taken. All answers to what was handed out before the last such step count as one. Then it
/// recovers by so many records per second each second, up to the full rate. Where slowing down does not help, it is taken back, and not
/// tried again for a minute, then two, and so on, unless more than half is refused.
final class Throttle {
    /// What a refusal has changed.
    enum Change: Equatable {
        case none
        case slower
        /// It is as fast as it may be: refusals do not depend on it.
        case notSlowedAnyMore
    }

    private(set) var policy: RatePolicy
    /// Records per second that there may be now; nil: any number.
    private(set) var rate: Double?
    /// Answers that asked for a pause.
    private(set) var refusals: UInt64 = 0
    private var tokens: Double
    private var updated = Moment(nanoseconds: 0)
    private var slowedAt: Moment?
    private var slowedTo: Double = 1
    private var check: SlowingCheck?
    /// Slowing down has been found useless, and is not tried until then.
    private var unimpressed: Unimpressed?
    private var calmSeconds = Throttle.firstCalmSeconds
    private var handedOut = Meter()
    private var passed = Meter()

    /// Share of what passes that no answer slows it below.
    private static let keptShare = 0.9
    /// What is handed out is worth at least so many seconds, where there is so much: one event for each record costs more
    /// than it is good for.
    private static let quantumSeconds = 0.02
    private static let defaultBurstSeconds = 0.1
    private static let defaultIncrease = 0.05
    /// The default increase is twice as large after so many seconds without trouble, and so on.
    private static let accelerationSeconds = 5.0
    private static let rounding = 1e-6
    private static let firstCalmSeconds = 60.0
    private static let mostCalmSeconds = 3600.0

    /// What refusals are held against while they change nothing: whether most of what is asked for is refused.
    private struct Unimpressed {
        private static let enough = 40
        private static let spanNanoseconds: UInt64 = 2_000_000_000

        var until: Moment
        var since: Moment
        private var asked = 0
        private var refused = 0

        init(since: Moment, until: Moment) {
            self.since = since
            self.until = until
        }

        mutating func asked(_ records: Int) { asked += records }

        mutating func refused(_ records: Int, sentAt: Moment, at now: Moment) {
            guard sentAt > since else { return }
            refused += records
            // All that came before is known when this is.
            if sentAt.since(since) > Self.spanNanoseconds, !isMostRefused { self = Unimpressed(since: now, until: until) }
        }

        var isMostRefused: Bool { asked >= Self.enough && refused * 2 > asked }
    }

    init(_ policy: RatePolicy) {
        self.policy = policy
        rate = policy.recordsPerSecond
        tokens = 0
        tokens = capacity
    }

    var isConfigured: Bool { policy.recordsPerSecond != nil }
    var isSlowed: Bool { slowedAt != nil }

    /// Tokens that can be saved up: the burst, and less of it while it is slowed.
    private var capacity: Double {
        guard let rate else { return 1 }
        guard let full = policy.recordsPerSecond, let burst = policy.burst else {
            return max(1, rate * Self.defaultBurstSeconds)
        }
        return max(1, Double(burst) * min(1, rate / full))
    }

    /// Other numbers from now on; what was learned of the service stays, as far as they allow it.
    func change(_ new: RatePolicy, at now: Moment) {
        guard new != policy else { return }
        refill(now)
        policy = new
        guard isSlowed, let slowed = rate else {
            rate = new.recordsPerSecond
            tokens = min(tokens, capacity)
            return
        }
        rate = min(max(slowed, new.minimum), new.recordsPerSecond ?? .infinity)
    }

    private func refill(_ now: Moment) {
        let seconds = Double(now.since(updated)) / 1e9
        updated = max(updated, now)
        guard seconds > 0, let before = rate else { return }
        tokens = min(capacity, tokens + before * seconds)
        guard let slowedAt else { return }
        let increase =
            policy.increase
            ?? {
                let calm = 1 + Double(now.since(slowedAt)) / 1e9 / Self.accelerationSeconds
                return slowedTo * Self.defaultIncrease * calm * calm
            }()
        let after = before + increase * seconds
        if let full = policy.recordsPerSecond, after >= full {
            rate = full
            self.slowedAt = nil
            check = nil
        } else {
            rate = after
        }
    }

    private func quantum(_ wanted: Int, _ rate: Double, whole: Bool) -> Double {
        whole ? 1 : min(Double(wanted), max(1, min(rate * Self.quantumSeconds, capacity).rounded(.down)))
    }

    /// How many of `wanted` records may go now; 0: none before `due`. `whole`: all or none.
    func room(for wanted: Int, whole: Bool, at now: Moment) -> Int {
        refill(now)
        guard let rate else { return wanted }
        guard tokens + Self.rounding >= quantum(wanted, rate, whole: whole) else { return 0 }
        return whole ? wanted : min(wanted, Int(min(tokens + Self.rounding, 1e9)))
    }

    /// When there will be room for some of `wanted` records.
    func due(for wanted: Int, whole: Bool, at now: Moment) -> Moment {
        guard let rate, rate > 0 else { return now }
        let missing = max(0, quantum(wanted, rate, whole: whole) - tokens)
        return now.advanced(by: UInt64(min(missing / rate * 1e9, 1e17)) + 1_000)
    }

    func take(_ records: Int, at now: Moment) {
        if rate != nil { tokens -= Double(records) }
        guard policy.decrease < 1 else { return }
        handedOut.add(records, at: now)
        check?.asked(records)
        unimpressed?.asked(records)
    }

    /// Records that were handed out at `sentAt` and taken without a word.
    func passed(_ records: Int, sentAt: Moment, at now: Moment) -> Change {
        guard policy.decrease < 1, records > 0 else { return .none }
        passed.add(records, at: now)
        guard isAfterSlowing(sentAt) else { return .none }
        check?.passed(records)
        return decide(isRefused: false, at: now)
    }

    /// So many answers to what was handed out at `sentAt` ask for a pause.
    func refused(_ records: Int, sentAt: Moment, at now: Moment) -> Change {
        refusals += UInt64(records)
        guard policy.decrease < 1 else { return .none }
        guard !staysUnimpressed(by: records, sentAt: sentAt, at: now) else { return .none }
        guard slowedAt != nil else { return slow(at: now) }
        guard isAfterSlowing(sentAt) else { return .none }
        check?.refused(records)
        return decide(isRefused: true, at: now)
    }

    /// Answers to what was handed out earlier say nothing of the rate that there is now.
    private func isAfterSlowing(_ sentAt: Moment) -> Bool { slowedAt.map { sentAt > $0 } ?? false }

    private func decide(isRefused: Bool, at now: Moment) -> Change {
        refill(now)
        guard isSlowed, let rate else { return isRefused ? slow(at: now) : .none }
        switch check?.verdict(rate: rate, isRefused: isRefused, at: now) {
        case .undecided: return .none
        case .slow(let taken): return slow(at: now, taken: taken)
        case nil: return slow(at: now)
        case .useless:
            self.rate = policy.recordsPerSecond
            slowedAt = nil
            check = nil
            unimpressed = Unimpressed(since: now, until: now.advanced(by: UInt64(calmSeconds * 1e9)))
            calmSeconds = min(calmSeconds * 2, Self.mostCalmSeconds)
            return .notSlowedAnyMore
        }
    }

    /// Whether refusals are to change nothing, because they did not depend on the rate: for some time, and as long as not most of
    /// what is asked for is refused.
    private func staysUnimpressed(by records: Int, sentAt: Moment, at now: Moment) -> Bool {
        unimpressed?.refused(records, sentAt: sentAt, at: now)
        guard let state = unimpressed else { return false }
        if state.isMostRefused { calmSeconds = Self.firstCalmSeconds }
        if state.isMostRefused || now >= state.until { unimpressed = nil }
        return unimpressed != nil
    }

    /// `taken`: what the service has taken per second since the last time, where that is known better than from the last two seconds.
    private func slow(at now: Moment, taken: Double? = nil) -> Change {
        refill(now)
        let before = rate ?? handedOut.estimate(at: now)
        let lately = passed.perSecond(at: now) ?? 0
        let floor = max(policy.minimum, min(lately, taken ?? lately) * Self.keptShare)
        let after = min(max(before * policy.decrease, floor), rate ?? .infinity)
        check = check.map { SlowingCheck(at: now, before: before, after: after, following: $0) } ?? SlowingCheck(at: now, before: before, after: after)
        slowedAt = now
        slowedTo = after
        rate = after
        tokens = min(tokens, 0)
        return after < before ? .slower : .none
    }
}
