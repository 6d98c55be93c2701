// Numbers that decide, in one place.

extension Scheduler {
    /// Records in a row that may be found to kill workers, in two batches at least, before the plugin is blamed.
    static var verdictLimit: Int { 10 }
    /// So many in a row, and another batch is tried first: is it the data, or the plugin?
    static var verdictsBeforeControl: Int { 3 }
    /// Records in a row after which a plugin that works in order, and cannot be tried on another batch, is blamed.
    static var verdictLimitInOrder: Int { 20 }
    /// Deaths in a row, with nothing passing in between, after which suspects come before the rest of their batch.
    static var deathsBeforeSearch: Int { 5 }
    /// So many times `restart.max` deaths in a row at work end a stage of whose work nothing has reached its log in between, however far
    /// apart they are.
    static var fruitlessFactor: Int { 10 }
    /// How long a plugin may take to be loaded and opened without a heartbeat.
    static var openGraceNanoseconds: UInt64 { 60_000_000_000 }
    /// So many suspects are tried one by one; more are halved.
    static var aloneAtMost: Int { 2 }
    /// Deaths that a record must have been in hand at, alone at the last, to be blamed.
    static var deathsToBlame: UInt32 { 2 }
    /// The same where the kills came from outside.
    static var killsToBlame: UInt32 { 5 }
    /// Deaths of the host, early ones, that a record must have been in hand at to be tried with nothing else in hand; and,
    /// if it was alone in hand at the last one, to be blamed.
    static var hostDeathsToIsolate: UInt64 { 3 }
    static var hostDeathsToBlame: UInt64 { 5 }
    /// So many records or groups of records are tried apart, one after the other.
    static var groupsApart: Int { 64 }
    /// Batches that a stateful plugin may answer without the checkpoint that it was asked for.
    static var snapshotsMissedAtMost: Int { 16 }
    /// Failed records of a build on probation that say nothing against it.
    static var probationFailuresForgiven: Double { 2 }
    /// How long after one has taken over the next standby is started: the machine has first to wake the one that has just been given
    /// a batch, and to start a process holds the host up.
    static var standbyRefillNanoseconds: UInt64 { 2_000_000 }
    /// How long a worker may take to leave when asked to.
    static var closeGraceNanoseconds: UInt64 { 5_000_000_000 }
    /// Outputs read ahead from a log for the next stage.
    static var fetchAhead: UInt64 { 8 }
    /// What a batch of automatic size should take in the slowest stage; and how many records it has at least (a plugin that
    /// works on many of them at once needs many) and at most (what no longer fits into the caches is slower again).
    static var batchAimNanoseconds: Double { 10_000_000 }
    static var adaptedRecords: ClosedRange<UInt32> { 100...1000 }
    /// Batches that may be ahead of one that is waited for, where the order is not kept.
    static var passedByAtMost: UInt64 { 10_000 }
    /// Pause after a source said that it has nothing now; shorter if it only returned nothing.
    static var idleNanoseconds: UInt64 { 50_000_000 }
    static var emptyReadNanoseconds: UInt64 { 1_000_000 }
    static var readRetryNanoseconds: UInt64 { 200_000_000 }
}
