import StageConfig
import StageReport

/// What is in `attempts.json`.
struct AttemptFile {
    static let maximumBytes = 64 << 20

    /// Records of one batch with the same past, side by side.
    struct Entry {
        var stage: String
        var digest: String
        var batch: UInt64
        var first: UInt32
        var last: UInt32
        var past: Past
    }

    /// Hosts that have died with a record in hand.
    struct Past: Equatable {
        var early: UInt32 = 0
        var late: UInt32 = 0
        var alone = false
        /// Seconds since 1970, of the last few deaths.
        var at: [Int64] = []
    }

    /// The number of the last host whose pages are counted in: it does not happen twice.
    var counted: UInt64
    var records: [Entry] = []

    init(counted: UInt64) { self.counted = counted }

    /// nil for what is no such file.
    init?(json: [UInt8]) {
        let object = LenientObject(JSONValue(ownText: json))
        guard case .integer(let number) = object.members["counted"] else { return nil }
        counted = UInt64(bitPattern: number)
        for value in object.list("records") {
            guard let entry = Entry(LenientObject(value)) else { return nil }
            records.append(entry)
        }
    }

    var json: [UInt8] {
        // Not a count: every bit of it tells hosts apart.
        let object = JSONValue.object([
            .init("counted", .integer(Int64(bitPattern: counted))), .init("records", .array(records.map(\.json))),
        ])
        return Array((object.json() + "\n").utf8)
    }
}

extension AttemptFile.Entry {
    fileprivate init?(_ object: LenientObject) {
        guard let stage = object.text("stage"), let digest = object.text("digest"), let batch = object.optionalCount("batch"),
            let first = object.optionalCount("first").flatMap(UInt32.init(exactly:)),
            let last = object.optionalCount("last").flatMap(UInt32.init(exactly:)), let past = AttemptFile.Past(object["past"])
        else { return nil }
        self.init(stage: stage, digest: digest, batch: batch, first: first, last: last, past: past)
    }

    fileprivate var json: JSONValue {
        .object([
            .init("batch", .count(batch)), .init("digest", .string(digest)), .init("first", .integer(Int64(first))),
            .init("last", .integer(Int64(last))), .init("past", past.json), .init("stage", .string(stage)),
        ])
    }
}

extension AttemptFile.Past {
    fileprivate init?(_ object: LenientObject) {
        guard let early = object.optionalCount("early").flatMap(UInt32.init(exactly:)),
            let late = object.optionalCount("late").flatMap(UInt32.init(exactly:)), let alone = object.optionalFlag("alone")
        else { return nil }
        self.init(
            early: early, late: late, alone: alone,
            at: object.list("at").compactMap { if case .integer(let seconds) = $0 { seconds } else { nil } })
    }

    fileprivate var json: JSONValue {
        .object([
            .init("alone", .boolean(alone)), .init("at", .array(at.map(JSONValue.integer))), .init("early", .integer(Int64(early))),
            .init("late", .integer(Int64(late))),
        ])
    }
}
