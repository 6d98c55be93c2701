import StageKit

/// Turns records into the texts that PostgreSQL reads: one for each column.
struct RowText {
    /// How a column is written.
    enum Form {
        case text
        /// `bytea`: keys and values as they are, whatever bytes they have.
        case bytes
        /// `json` and `jsonb`: members of the value as JSON, strings in their quotes.
        case json

        /// By the name of the type in the catalogue.
        init(type: String) {
            switch type {
            case "bytea": self = .bytes
            case "json", "jsonb": self = .json
            default: self = .text
            }
        }
    }

    private let columns: [(column: Target.Column, form: Form)]
    private let maximumBytes: Int

    init(_ columns: [(column: Target.Column, form: Form)], maximumBytes: Int) {
        self.columns = columns
        self.maximumBytes = maximumBytes
    }

    /// Calls `use` with the text of each column in turn, or with nil for NULL. Throws a ``RecordFailure`` about a record that cannot be a
    /// row; `use` may have been called for some columns then.
    func write(_ record: borrowing Record, _ use: ([UInt8]?) -> Void) throws {
        var size = 0
        var text: [UInt8] = []
        for (column, form) in columns {
            text.removeAll(keepingCapacity: true)
            var isThere = true
            switch column.content {
            case .id: text += Array("\(Int64(bitPattern: record.id))".utf8)
            case .key: unsafe try append(record.keyBuffer, "the key", form, to: &text)
            case .value: unsafe try append(record.valueBuffer, "the value", form, to: &text)
            case .member(let pointer): isThere = try append(try record.json(pointer), form, column.name, to: &text)
            }
            size += text.count
            guard size <= maximumBytes else { throw tooLarge(size) }
            use(isThere ? text : nil)
        }
    }

    private func tooLarge(_ size: Int) -> RecordFailure {
        .permanent("the row has \(size) bytes or more, expected \(maximumBytes) at most (max_row_bytes)")
    }

    @unsafe private func append(_ bytes: UnsafeRawBufferPointer, _ what: String, _ form: Form, to text: inout [UInt8]) throws {
        guard form == .bytes else {
            guard bytes.count <= maximumBytes else { throw tooLarge(bytes.count) }
            if let offset = unsafe firstInvalidUTF8(in: bytes) {
                throw RecordFailure.permanent(
                    "\(what) is not UTF-8: byte \(offset) of \(bytes.count) cannot stand where it does; a column of type bytea takes any bytes")
            }
            if let offset = unsafe bytes.firstIndex(of: 0) {
                throw RecordFailure.permanent(
                    "\(what) has a NUL at byte \(offset), which no text of PostgreSQL can hold; a column of type bytea takes any bytes")
            }
            unsafe text.append(contentsOf: bytes)
            return
        }
        guard bytes.count <= maximumBytes / 2 else { throw tooLarge(2 * bytes.count) }
        text += [UInt8(ascii: "\\"), UInt8(ascii: "x")]
        text.reserveCapacity(2 * bytes.count + 2)
        for unsafe byte in unsafe bytes {
            text.append(Self.digits[Int(byte >> 4)])
            text.append(Self.digits[Int(byte & 15)])
        }
    }

    private static let digits = Array("0123456789abcdef".utf8)

    /// Appends a member of the value; false: NULL.
    private func append(_ slice: JSONSlice?, _ form: Form, _ column: String, to text: inout [UInt8]) throws -> Bool {
        guard let slice, !slice.isNull else { return false }
        guard slice.kind == .string, form != .json else {
            unsafe text.append(contentsOf: slice.bytes)
            return true
        }
        slice.appendString(to: &text)
        guard !text.contains(0) else {
            throw RecordFailure.permanent("the text for column \(JSON.quote(column)) has a NUL (\\u0000), which no text of PostgreSQL can hold")
        }
        return true
    }
}
