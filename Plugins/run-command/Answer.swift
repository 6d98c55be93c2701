import StageKit

/// One line of the program: what became of the request `id`, or a sign of life.
struct Answer: Decodable {
    /// A record that the program emits.
    struct Emission: Decodable {
        var key: String?
        var value: JSONText?
        var base64: String?

        /// The bytes: of a string its characters, of any other JSON its text, or what `base64` stands for.
        func bytes() throws -> [UInt8] {
            switch (value, base64) {
            case (let value?, nil): return value.string.map { Array($0.utf8) } ?? value.bytes
            case (nil, let base64?):
                guard let bytes = Base64.decode(base64) else { throw RecordFailure.permanent("the command's answer: base64 is not Base64") }
                return bytes
            default: throw RecordFailure.permanent("the command's answer: expected value or base64 (one of them) in each record")
            }
        }
    }

    var id: UInt64?
    var key: String?
    var value: JSONText?
    var base64: String?
    var emit: [Emission]?
    var fail: String?
    var transient: Bool?
    var retry_after: Double?
    var costs: [String: Double]?
    var heartbeat: Bool?

    /// What is emitted. Throws the failure that the answer is, or that is made of an answer which says nothing or two things.
    func emissions() throws -> [Emission] {
        let said = [fail != nil, emit != nil, value != nil || base64 != nil].count { $0 }
        guard said == 1 else {
            throw RecordFailure.permanent(
                "the command's answer: found \(said == 0 ? "none" : "more than one") of value, emit and fail, expected one; "
                    + "\"emit\": [] drops the record")
        }
        if let fail {
            guard transient == true else { throw RecordFailure.permanent(fail) }
            let pause = retry_after.flatMap { $0.isFinite && $0 > 0 && $0 < 4_000_000 ? Duration.seconds($0) : nil }
            throw RecordFailure.transient(fail, retryAfter: pause)
        }
        return emit ?? [Emission(key: key, value: value, base64: base64)]
    }
}
