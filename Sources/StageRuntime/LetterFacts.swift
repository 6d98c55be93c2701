import StageConfig
import StageReport
import StageScheduler

/// What a letter says beside the record itself.
package struct LetterFacts: Sendable, Equatable {
    package var stage: Int
    package var batch: UInt64
    package var index: UInt32
    package var category: String
    package var signal: Int32?
    package var message: String
    package var attempts: UInt32
    /// Signal, address, frames and the tail of stderr; empty for ordinary failures.
    package var evidence: String
    /// Seconds since 1970.
    package var seconds: UInt32
    package var isUnreadable: Bool
    /// SHA-256 of the plugin that the record failed in; nil in letters of earlier versions.
    package var digest: String?
    /// The letter that was tried again and has become this one; nil: it is the record's first.
    package var ancestor: UInt64?

    init(commit: Commit, letter: DeadLetter, digest: String, seconds: UInt32) {
        stage = commit.stage
        batch = commit.batch
        index = letter.input
        category = letter.category
        signal = letter.signal
        message = letter.message
        attempts = letter.attempts
        evidence = letter.evidence
        self.seconds = seconds
        self.digest = digest
        isUnreadable = letter.unreadable != nil
    }

    var json: [UInt8] {
        var members: [JSONValue.Member] = [
            .init("stage", .integer(Int64(stage))), .init("batch", .count(batch)), .init("index", .integer(Int64(index))),
            .init("category", .string(category)), .init("message", .string(message)), .init("attempts", .integer(Int64(attempts))),
            .init("evidence", .string(evidence)), .init("seconds", .integer(Int64(seconds))),
            .init("isUnreadable", .boolean(isUnreadable)),
        ]
        if let signal { members.append(.init("signal", .integer(Int64(signal)))) }
        if let digest { members.append(.init("digest", .string(digest))) }
        if let ancestor { members.append(.init("ancestor", .count(ancestor))) }
        return Array(JSONValue.object(members).json().utf8)
    }

    package init?(json: [UInt8]) {
        let object = LenientObject(JSONValue(ownText: json))
        guard let stage = object.optionalCount("stage").flatMap(Int.init(exactly:)), let batch = object.optionalCount("batch"),
            let index = object.optionalCount("index").flatMap(UInt32.init(exactly:)), let category = object.text("category"),
            let message = object.text("message"), let attempts = object.optionalCount("attempts").flatMap(UInt32.init(exactly:)),
            let evidence = object.text("evidence"), let seconds = object.optionalCount("seconds").flatMap(UInt32.init(exactly:)),
            let isUnreadable = object.optionalFlag("isUnreadable")
        else { return nil }
        self.stage = stage
        self.batch = batch
        self.index = index
        self.category = category
        self.message = message
        self.attempts = attempts
        self.evidence = evidence
        self.seconds = seconds
        self.isUnreadable = isUnreadable
        signal = object.optionalCount("signal").flatMap(Int32.init(exactly:))
        digest = object.text("digest")
        ancestor = object.optionalCount("ancestor")
    }
}
