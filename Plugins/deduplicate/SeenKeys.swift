/// The keys that were there, in the order of their coming, as fingerprints; the oldest can be forgotten.
///
/// The state, all integers little-endian: the six bytes "DEDUP1", two zero bytes, the secret (16 bytes), the number of
/// fingerprints (8 bytes), then the fingerprints from the oldest to the newest (16 bytes each).
struct SeenKeys {
    /// What fits into a checkpoint of 64 MiB, rounded down.
    static let maximumCapacity = 4_000_000

    private static let magic = Array("DEDUP1\0\0".utf8)
    private static let headerBytes = 32

    private(set) var capacity: Int
    private var secret: (UInt64, UInt64)
    private var known: Set<Fingerprint> = []
    /// A ring once it is full: `oldest` is the place that the next one takes.
    private var order: [Fingerprint] = []
    private var oldest = 0

    init(capacity: Int, secret: (UInt64, UInt64)) {
        self.capacity = capacity
        self.secret = secret
    }

    var isFull: Bool { order.count >= capacity }
    var count: Int { order.count }

    /// `kind` keeps things apart that have the same bytes and are not the same.
    @unsafe func fingerprint(_ bytes: UnsafeRawBufferPointer, kind: UInt64) -> Fingerprint {
        unsafe SipHash.fingerprint(bytes, key: (secret.0 ^ kind, secret.1))
    }

    func contains(_ fingerprint: Fingerprint) -> Bool { known.contains(fingerprint) }

    /// Remembers a fingerprint that is not known; forgets the oldest one when full.
    mutating func insert(_ fingerprint: Fingerprint) {
        known.insert(fingerprint)
        guard isFull else { return order.append(fingerprint) }
        known.remove(order[oldest])
        order[oldest] = fingerprint
        oldest = (oldest + 1) % order.count
    }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.headerBytes + order.count * 16)
        bytes += Self.magic
        append(secret.0, to: &bytes)
        append(secret.1, to: &bytes)
        append(UInt64(order.count), to: &bytes)
        for fingerprint in order[oldest...] + order[..<oldest] {
            append(fingerprint.low, to: &bytes)
            append(fingerprint.high, to: &bytes)
        }
        return bytes
    }

    /// Takes up an earlier state. Fewer keys allowed now than then: the oldest are forgotten.
    mutating func restore(_ bytes: [UInt8]) throws(SeenKeysError) {
        guard bytes.count >= Self.headerBytes, Array(bytes[..<8]) == Self.magic else {
            throw SeenKeysError(description: "found \(bytes.count) bytes that do not begin with DEDUP1, expected keys of this plugin")
        }
        let count = word(bytes, at: 24)
        guard count <= UInt64(Self.maximumCapacity), bytes.count == Self.headerBytes + Int(count) * 16 else {
            throw SeenKeysError(description: "found \(bytes.count) bytes for \(count) keys, expected 32 and 16 for each key")
        }
        secret = (word(bytes, at: 8), word(bytes, at: 16))
        known = []
        order = []
        oldest = 0
        for index in max(0, Int(count) - capacity)..<Int(count) {
            let at = Self.headerBytes + index * 16
            let fingerprint = Fingerprint(low: word(bytes, at: at), high: word(bytes, at: at + 8))
            guard known.insert(fingerprint).inserted else {
                throw SeenKeysError(description: "key \(index) is there twice, expected each once")
            }
            order.append(fingerprint)
        }
    }

    private func append(_ word: UInt64, to bytes: inout [UInt8]) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
    }

    private func word(_ bytes: [UInt8], at offset: Int) -> UInt64 {
        (0..<8).reversed().reduce(0) { $0 << 8 | UInt64(bytes[offset + $1]) }
    }
}

/// A state that is not one.
struct SeenKeysError: Error, CustomStringConvertible {
    let description: String
}
