public import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(WriteCSV.self) }

/// Writes each record as a row of one CSV file, and cuts the file back to the checkpoint when it opens: what was written but
/// never acknowledged is written again, at the same place.
struct WriteCSV: Sink {
    static let id = "write-csv"
    static let version = "1.0.0"
    static let summary = "Writes records as the rows of a CSV file (RFC 4180), each exactly once."
    static let configurationSchema: String? = """
        {
          "type": "object",
          "additionalProperties": false,
          "required": ["path", "columns"],
          "properties": {
            "path": {
              "description": "File to write. Relative to the pipeline file; its folder is created. A new run empties the file.",
              "type": "string", "minLength": 1
            },
            "columns": {
              "description": "The columns in their order: names of members of the value, or {name, json} with a JSON pointer, or {name, record}.",
              "type": "array", "minItems": 1,
              "items": {
                "anyOf": [{"type": "string"},
                          {"type": "object", "required": ["name"], "additionalProperties": false,
                           "properties": {"name": {"type": "string"}, "json": {"type": "string"},
                                          "record": {"enum": ["id", "key", "value"]}}}]
              }
            },
            "header": {"description": "Whether the first row names the columns.", "type": "boolean", "default": true},
            "delimiter": {"description": "Between fields: one character, such as ; or a tab.", "type": "string", "default": ","}
          }
        }
        """

    struct Configuration: Decodable {
        var path: String
        var columns: [CSVColumn]
        var header: Bool?
        var delimiter: String?
    }

    private let file: OutputFile
    private let format: CSVFormat
    private var rows: [UInt8] = []

    init(configuration: Configuration, host: Host) throws {
        format = try CSVFormat(configuration.columns, delimiter: configuration.delimiter ?? ",")
        file = try OutputFile.ofSink(configuration.path, host)
        if file.size == 0, configuration.header ?? true { try file.appendOrRetry(format.header) }
    }

    mutating func write(_ batch: borrowing Batch, into output: borrowing SinkOutput) throws {
        rows.removeAll(keepingCapacity: true)
        for index in 0..<batch.count {
            let start = rows.count
            do {
                try format.append(batch[index], to: &rows)
            } catch let failure as RecordFailure {
                rows.removeLast(rows.count - start)
                try output.fail(index, failure)
            }
        }
        try file.appendOrRetry(rows)
        try file.acknowledge(output)
    }

    mutating func sync(into output: borrowing SinkOutput) throws {
        try file.sync(into: output)
    }

    mutating func finish(into output: borrowing SinkOutput) throws {
        try file.sync(into: output)
    }
}
