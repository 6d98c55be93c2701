/// What of a record goes into a column of a table.
package enum ColumnContent: Hashable, Sendable {
    case id, key, value
    case member(JSONPointer)

    /// Takes it from `columns.NAME` of a configuration: "id", "key", "value", or a JSON pointer into the value.
    package init(_ source: String, column: String) throws {
        switch source {
        case "id": self = .id
        case "key": self = .key
        case "value": self = .value
        default:
            guard source.hasPrefix("/"), let pointer = try? JSONPointer(source) else {
                throw ConfigurationError(
                    path: ["columns", column],
                    problem: "found \(JSON.quote(source)), expected id, key, value or a JSON pointer such as /title")
            }
            self = .member(pointer)
        }
    }
}
