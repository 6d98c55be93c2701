import StageKit

/// The configuration, checked and ready for use.
struct Settings {
    static let schema = """
        {
          "type": "object",
          "additionalProperties": false,
          "required": ["table"],
          "properties": {
            "connection": {
              "description": "Connection string or URI of PostgreSQL; ${NAME} stands for a variable of the environment. What it does not say comes from PGHOST, PGUSER, PGPASSWORD and the like.",
              "type": "string", "minLength": 1
            },
            "table": {"description": "Table to write.", "type": "string", "minLength": 1, "maxLength": 63},
            "schema": {"description": "Schema of the table. Default: by the search path.", "type": "string", "minLength": 1, "maxLength": 63},
            "create": {"description": "Create the table if it is missing.", "type": "boolean", "default": true},
            "columns": {
              "description": "Column name to what goes into it: id, key, value, or a JSON pointer into the value. Default: id, key and value.",
              "type": "object", "minProperties": 1, "maxProperties": 500,
              "additionalProperties": {"type": "string"}
            },
            "upsert": {
              "description": "Column, or columns, by which a row meets an earlier one; they need a unique index.",
              "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
            },
            "on_conflict": {
              "description": "What a row does that meets an earlier one: fail, update it, or be ignored. Default: update with upsert, else fail.",
              "enum": ["fail", "update", "ignore"]
            },
            "progress_schema": {
              "description": "Schema of the plugin's own tables. Default: that of the table.",
              "type": "string", "minLength": 1, "maxLength": 63
            },
            "connect_timeout": {
              "description": "Seconds that a connection may take.", "type": "number", "exclusiveMinimum": 0, "maximum": 3600, "default": 10
            },
            "statement_timeout": {
              "description": "Seconds that one statement may take; 0: any time.", "type": "number", "minimum": 0, "maximum": 86400, "default": 300
            },
            "lock_timeout": {
              "description": "Seconds to wait for a lock; 0: any time.", "type": "number", "minimum": 0, "maximum": 86400, "default": 30
            },
            "reconnect": {
              "description": "Seconds for which a batch is tried again by the plugin itself, before the host has it tried again.",
              "type": "number", "minimum": 0, "maximum": 86400, "default": 60
            },
            "max_row_bytes": {
              "description": "A record whose row is larger, as text, fails.",
              "type": "integer", "minimum": 1, "maximum": 1000000000, "default": 268435456
            }
          }
        }
        """

    struct Configuration: Decodable {
        var connection: String?
        var table: String
        var schema: String?
        var create: Bool?
        var columns: [String: String]?
        var upsert: OneOrMore?
        var on_conflict: OnConflict?
        var progress_schema: String?
        var connect_timeout: Double?
        var statement_timeout: Double?
        var lock_timeout: Double?
        var reconnect: Double?
        var max_row_bytes: Int?
    }

    /// What a row does that meets an earlier one.
    enum OnConflict: String, ConfigurationChoice { case fail, update, ignore }

    let target: Target
    let create: Bool
    let progressSchema: String?
    let limits: Limits
    let reconnect: Duration
    let maximumRowBytes: Int

    init(_ configuration: Configuration) throws {
        target = try Target(configuration)
        create = configuration.create ?? true
        progressSchema = try configuration.progress_schema.map { try Self.name($0, ["progress_schema"]) } ?? target.schema
        limits = Limits(
            connectSeconds: try Self.seconds(configuration.connect_timeout ?? 10, "connect_timeout", 0.001...3600),
            statementSeconds: try Self.seconds(configuration.statement_timeout ?? 300, "statement_timeout", 0...86_400),
            lockSeconds: try Self.seconds(configuration.lock_timeout ?? 30, "lock_timeout", 0...86_400))
        reconnect = .seconds(try Self.seconds(configuration.reconnect ?? 60, "reconnect", 0...86_400))
        maximumRowBytes = configuration.max_row_bytes ?? 256 << 20
        try ConfigurationError.check("max_row_bytes", maximumRowBytes, in: 1...1_000_000_000)
    }

    private static func seconds(_ value: Double, _ key: String, _ range: ClosedRange<Double>) throws -> Double {
        guard range.contains(value) else {
            throw ConfigurationError(
                key, found: JSON.text(of: value), expected: "seconds from \(JSON.text(of: range.lowerBound)) to \(JSON.text(of: range.upperBound))")
        }
        return value
    }

    /// A name that PostgreSQL takes whole: it cuts longer ones.
    static func name(_ name: String, _ path: [String]) throws -> String {
        guard (1...63).contains(name.utf8.count), !name.utf8.contains(0) else {
            throw ConfigurationError(path: path, problem: "found \(JSON.quote(name)), expected a name of 1 to 63 bytes")
        }
        return name
    }
}
