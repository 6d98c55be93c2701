import StageKit

/// A JSON value without parts, to compare with.
enum Scalar: Decodable {
    case null
    case boolean(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else {
            throw ConfigurationError(
                path: decoder.codingPath.map(\.stringValue),
                problem: "found an object or a list, expected a string, a number, true, false or null")
        }
    }

    func isSame(as slice: JSONSlice) -> Bool {
        switch self {
        case .null: slice.isNull
        case .boolean(let value): slice.boolean == value
        case .integer(let value): slice.integer.map { $0 == value } ?? (slice.number == Double(value))
        case .number(let value): slice.number == value
        case .string(let value):
            slice.kind == .string
                && slice.withStringBytes { bytes in unsafe bytes.elementsEqual(value.utf8) }
        }
    }
}
