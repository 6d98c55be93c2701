import StageKit

/// The checkpoint: the last path delivered. A path that is not UTF-8 is written as hexadecimal digits.
struct Position: Codable {
    private var path: String?
    private var path_hex: String?

    init(_ bytes: [UInt8]) {
        let isText = bytes.withStageBytes { unsafe firstInvalidUTF8(in: $0) == nil }
        if isText {
            path = String(decoding: bytes, as: UTF8.self)
        } else {
            path_hex = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }
    }

    func bytes() throws -> [UInt8] {
        if let path { return Array(path.utf8) }
        let digits = Array((path_hex ?? "").utf8)
        let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16)
        }
        guard !digits.isEmpty, bytes.count * 2 == digits.count else {
            throw StageFailure.fatal("the checkpoint names no path; it was written by another plugin or version")
        }
        return bytes
    }
}

extension [[UInt8]] {
    /// The index of the first element for which `isBehind` holds, in a sorted list where it holds for all after it.
    func partition(where isBehind: ([UInt8]) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
