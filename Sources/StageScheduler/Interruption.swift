/// What is known of a record that was in hand when hosts of the job died: nobody survived to count, so the next host does.
package struct Interruption: Sendable, Equatable {
    /// Deaths of hosts before the record had been in hand for `earlyNanoseconds`, and those that came later.
    package var early: UInt32
    package var late: UInt32
    /// At the last of them no other record was in hand, in any stage.
    package var wasAlone: Bool
    /// For people: when it was.
    package var evidence: String

    package init(early: UInt32, late: UInt32, wasAlone: Bool, evidence: String = "") {
        self.early = early
        self.late = late
        self.wasAlone = wasAlone
        self.evidence = evidence
    }

    /// A record that takes the host along does so while it is worked on, mostly soon. One that has been at work for
    /// longer is slow, and whoever ends hosts now and then will meet it often: such a death weighs less.
    package static var earlyNanoseconds: UInt64 { 60_000_000_000 }
    /// So many late deaths weigh as much as an early one.
    static var lateForOne: UInt64 { 5 }

    package var count: UInt32 { early &+ late }
    private var weight: UInt64 { UInt64(early) * Self.lateForOne + UInt64(late) }

    /// From now on it is tried with nothing else in hand.
    package var isSuspect: Bool { weight >= Scheduler.hostDeathsToIsolate * Self.lateForOne }
    /// It is not tried any more.
    package var isVerdict: Bool { wasAlone && weight >= Scheduler.hostDeathsToBlame * Self.lateForOne }
}
