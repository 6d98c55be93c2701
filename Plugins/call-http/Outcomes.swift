import StageKit

/// What an answer means for its record, and what of it becomes the value.
struct Outcomes {
    /// A sum that the answer adds to: what stands at `at`, times `times`.
    struct Cost {
        var name: String
        var at: JSONPointer
        var times: Double
    }

    /// What of the answer is wanted; nil: all of it.
    var part: JSONPointer?
    /// Where in the record's value it goes; nil: in place of the value.
    var place: JSONPointer?
    var costs: [Cost]
    /// Statuses that mean that the stage is misconfigured.
    var fatal: Set<Int>
    var maximumAnswerBytes: Int

    /// The new value. Throws a ``RecordFailure``, or a fatal ``StageFailure``.
    func value(of answer: HTTPAnswer, for record: borrowing Record) throws -> [UInt8] {
        switch answer.outcome {
        case .status(let status) where (200..<300).contains(status): return try placed(try wanted(answer.body), in: record)
        case .status(let status):
            let message = "the server answered \(status)\(Self.words(answer.body))"
            if fatal.contains(status) { throw StageFailure.fatal(message) }
            let retry = answer.retryAfterSeconds > 0 ? Duration.seconds(min(answer.retryAfterSeconds, 86_400)) : nil
            throw Self.isTransient(status) ? RecordFailure.transient(message, retryAfter: retry) : .permanent(message)
        case .timeout: throw RecordFailure.transient("no answer in time: \(answer.error)")
        case .connection: throw RecordFailure.transient(answer.error)
        case .tooLarge: throw RecordFailure.permanent("the answer is above max_answer_bytes = \(maximumAnswerBytes)")
        case .refused: throw RecordFailure.permanent(answer.error)
        }
    }

    /// Too early, too many, too long, or the server's own fault (but not: what it will never be able to do).
    private static func isTransient(_ status: Int) -> Bool {
        switch status {
        case 408, 425, 429: true
        case 501, 505: false
        default: status >= 500
        }
    }

    /// The beginning of an error's body, for the message; more than is shown, because a secret in it is taken out first.
    private static func words(_ body: [UInt8]) -> String {
        guard !body.isEmpty else { return "" }
        return ": " + String(decoding: body.prefix(4096), as: UTF8.self).split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    private func wanted(_ body: [UInt8]) throws -> [UInt8] {
        guard let part else { return body }
        return try Self.find(part, in: body) { slice in
            if let text = slice.string, place == nil { return Array(text.utf8) }
            return unsafe Array(slice.bytes)
        }
    }

    private static func find<Result>(_ pointer: JSONPointer, in body: [UInt8], _ use: (JSONSlice) throws -> Result) throws -> Result {
        do {
            return try JSON.withValue(at: pointer, in: body) { slice in
                guard let slice else {
                    throw RecordFailure.permanent("found nothing at \(pointer) of the answer\(words(body))")
                }
                return try use(slice)
            }
        } catch let error as JSONError {
            throw RecordFailure.permanent("the answer is not JSON: \(error)\(words(body))")
        }
    }

    private func placed(_ bytes: [UInt8], in record: borrowing Record) throws -> [UInt8] {
        guard let place else { return bytes }
        var text = bytes
        if !JSON.isValid(bytes) {
            guard String(validating: bytes, as: UTF8.self) != nil else {
                throw RecordFailure.permanent("the answer is neither JSON nor UTF-8, and cannot go to \(place) of the value")
            }
            text = []
            JSON.appendQuoted(bytes, to: &text)
        }
        do {
            return try JSON.replacing(place, in: record.bytes, with: text)
        } catch {
            throw RecordFailure.permanent("the value cannot take up the answer: \(error)")
        }
    }

    /// Adds what the answer says about its costs to the stage's sums. A number that is missing adds nothing.
    func count(_ answer: HTTPAnswer, _ add: (String, Double) -> Void) {
        guard case .status(let status) = answer.outcome, (200..<300).contains(status) else { return }
        for cost in costs {
            let number = try? JSON.withValue(at: cost.at, in: answer.body) { $0?.number }
            if let number = number ?? nil, (number * cost.times).isFinite { add(cost.name, number * cost.times) }
        }
    }
}
