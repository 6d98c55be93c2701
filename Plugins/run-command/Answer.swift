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

/// Base64 of RFC 4648, section 4, with padding.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let padding = UInt8(ascii: "=")

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var word: UInt32 = 0
            for offset in 0..<3 { word = word << 8 | (offset < count ? UInt32(bytes[start + offset]) : 0) }
            for place in 0..<4 {
                text.append(place <= count ? alphabet[Int(word >> (18 - 6 * UInt32(place)) & 63)] : padding)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil for what is not Base64.
    static func decode(_ text: String) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count % 4 == 0 else { return nil }
        var unpadded = characters[...]
        while unpadded.last == padding { unpadded.removeLast() }
        guard characters.count - unpadded.count <= 2 else { return nil }
        var bytes: [UInt8] = []
        var word: UInt32 = 0
        var bits: UInt32 = 0
        for character in unpadded {
            guard let value = value(of: character) else { return nil }
            word = word << 6 | value
            bits += 6
            guard bits >= 8 else { continue }
            bits -= 8
            bytes.append(UInt8(truncatingIfNeeded: word >> bits))
            word &= (1 << bits) - 1
        }
        // What is left over must be nought: each text stands for one value, and each value has one text.
        return word == 0 ? bytes : nil
    }

    private static func value(of character: UInt8) -> UInt32? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
