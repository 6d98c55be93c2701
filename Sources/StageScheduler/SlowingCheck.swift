/// Whether slowing down helps: a service may refuse because it is asked too much, or for reasons of its own, whatever it is asked.
///
/// A service that is asked too much takes what it can and refuses the rest: asked for less than what it took, it refuses nothing. So
/// after a slowing down the first answers tell, before the rate has come back to what it was. If some are refused still, their
/// share says what the service takes at this rate. It is slowed again until it is asked for clearly less than that, and if it then
/// refuses some still, the rate is not the reason. Where more than a third is refused, that is never said.
///
/// Answers are those to what was handed out since the last slowing down. Refusals often come faster than results; so it is what has been
/// asked for that says whether there are many.
struct SlowingCheck {
    enum Verdict {
        /// Too few answers to tell.
        case undecided
        /// To be slowed again; `taken` records per second have been taken since the last time, where that is known.
        case slow(taken: Double?)
        /// It does not help.
        case useless
    }

    /// Fewer refusals, or a shorter time, say nothing.
    private static let leastRefusals = 3
    private static let leastNanoseconds: UInt64 = 250_000_000
    /// Below so many records a second there are too few answers to wait for: each refusal slows.
    private static let leastRate = 20.0
    /// Not slower any more is a rate that has come back to this share of what it was.
    private static let recoveredShare = 0.97
    /// What is asked for is clearly less than what was taken at this share of it.
    private static let clearlyLess = 0.9

    private let at: Moment
    private let before: Double
    private let after: Double
    private var asked = 0
    private var passed = 0
    private var refused = 0
    /// Records per second that were taken after the first of several slowings that left some refused.
    private var firstTaken: Double?

    /// After the first slowing down at `at`, from `before` to `after` records a second.
    init(at: Moment, before: Double, after: Double) {
        self.at = at
        self.before = before
        self.after = after
    }

    /// After another one; `previous` has seen what came of the one before.
    init(at: Moment, before: Double, after: Double, following previous: SlowingCheck) {
        self.init(at: at, before: before, after: after)
        firstTaken = previous.firstTaken
    }

    /// Records were handed out. What is handed out counts, not the rate: workers that are all busy may take less.
    mutating func asked(_ records: Int) { asked += records }
    mutating func passed(_ records: Int) { passed += records }
    mutating func refused(_ records: Int) { refused += records }

    /// `rate`: what it has come back to by now. `isRefused`: whether the last answer was a refusal.
    mutating func verdict(rate: Double, isRefused: Bool, at now: Moment) -> Verdict {
        guard after >= Self.leastRate, rate < before * Self.recoveredShare, after < before else {
            firstTaken = nil
            return isRefused ? .slow(taken: nil) : .undecided
        }
        let time = now.since(at)
        guard refused >= Self.leastRefusals, time >= Self.leastNanoseconds else { return .undecided }
        if refused * 2 > asked {
            firstTaken = nil
            return .slow(taken: nil)
        }
        // What has no answer yet may be taken or refused.
        guard passed >= refused * 2 else { return .undecided }
        let perSecond = Double(asked) / (Double(time) / 1e9)
        if let firstTaken, perSecond <= firstTaken * Self.clearlyLess { return .useless }
        let taken = perSecond * Double(passed) / Double(passed + refused)
        firstTaken = firstTaken ?? taken
        return .slow(taken: taken)
    }
}
