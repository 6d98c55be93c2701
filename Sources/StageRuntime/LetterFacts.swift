import FoundationEssentials
import StageScheduler

/// What a letter says beside the record itself.
package struct LetterFacts: Codable, Sendable, Equatable {
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
        guard let data = try? JSONEncoder().encode(self) else { return Array("{}".utf8) }
        return Array(data)
    }

    package init?(json: [UInt8]) {
        guard let facts = try? JSONDecoder().decode(LetterFacts.self, from: Data(json)) else { return nil }
        self = facts
    }
}
