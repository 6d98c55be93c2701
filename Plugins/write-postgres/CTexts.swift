/// A list of C strings in one piece of memory, some of them NULL: parameters of a statement, options of a connection.
struct CTexts {
    private var bytes: [UInt8] = []
    private var starts: [Int] = []

    /// Marks a NULL.
    private static let absent = -1

    var count: Int { starts.count }
    var size: Int { bytes.count }

    mutating func appendNull() { starts.append(Self.absent) }

    /// Appends a text. What comes behind a NUL byte in it is lost: the caller sees to it that there is none.
    mutating func append(_ text: some Sequence<UInt8>) {
        starts.append(bytes.count)
        bytes.append(contentsOf: text)
        bytes.append(0)
    }

    mutating func removeAll() {
        // A large row is not a reason to keep its memory.
        bytes.removeAll(keepingCapacity: bytes.capacity < 1 << 22)
        starts.removeAll(keepingCapacity: true)
    }

    /// Calls `body` with the addresses of the strings, which are valid until it returns, and a NULL behind them.
    @safe func withPointers<Result>(_ body: (UnsafePointer<UnsafePointer<CChar>?>?) throws -> Result) rethrows -> Result {
        unsafe try bytes.withUnsafeBytes { memory in
            let base = unsafe memory.baseAddress?.assumingMemoryBound(to: CChar.self)
            // Each start lies inside the memory, which ends with a 0: so each string has its end inside, too.
            var pointers: [UnsafePointer<CChar>?] = unsafe starts.map { start in
                unsafe start == Self.absent ? nil : base.map { unsafe $0 + start }
            }
            unsafe pointers.append(nil)
            return unsafe try pointers.withUnsafeBufferPointer { unsafe try body($0.baseAddress) }
        }
    }
}
