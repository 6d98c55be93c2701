import StageKit
import StageSQLite

/// The key of a row: what the rows are read in the order of, and what the checkpoint says.
///
/// Text is in the order of its bytes, which is that of SQLite's collation BINARY in a database in UTF-8.
enum RowKey: Hashable, CustomStringConvertible {
    case integer(Int64)
    /// UTF-8.
    case text([UInt8])

    /// The key as text: the key of the record, unless another column has it.
    var bytes: [UInt8] {
        switch self {
        case .integer(let value): Array("\(value)".utf8)
        case .text(let bytes): bytes
        }
    }

    /// Whether `other` is of the same type and comes behind it.
    func isBefore(_ other: RowKey) -> Bool {
        switch (self, other) {
        case (.integer(let left), .integer(let right)): left < right
        case (.text(let left), .text(let right)): left.lexicographicallyPrecedes(right)
        default: false
        }
    }

    var kind: String {
        switch self {
        case .integer: "an integer"
        case .text: "text"
        }
    }

    /// As JSON, cut off where it is long.
    var description: String {
        switch self {
        case .integer(let value): "\(value)"
        case .text(let bytes): JSON.quote(String(decoding: bytes.prefix(80), as: UTF8.self)) + (bytes.count > 80 ? "…" : "")
        }
    }

    func bind(to statement: Statement, at place: Int32) throws {
        switch self {
        case .integer(let value): try statement.bind(value, at: place)
        case .text(let bytes): try bytes.withStageBytes { unsafe try statement.bindText($0, at: place) }
        }
    }
}

extension RowKey: Codable {
    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            self = .text(Array(text.utf8))
        } else {
            self = .integer(try container.decode(Int64.self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .integer(let value): try container.encode(value)
        case .text(let bytes): try container.encode(String(decoding: bytes, as: UTF8.self))
        }
    }
}
