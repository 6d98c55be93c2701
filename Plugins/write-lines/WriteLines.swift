public import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(WriteLines.self) }

/// Writes each record as a line of one file, and cuts the file back to the checkpoint when it opens: what was written
/// but never acknowledged is written again, at the same place.
struct WriteLines: Sink {
    static let id = "write-lines"
    static let version = "1.0.0"
    static let summary = "Writes records as the lines of a file, as they are or as JSON, each exactly once."
    static let configurationSchema: String? = """
        {
          "type": "object",
          "additionalProperties": false,
          "required": ["path"],
          "properties": {
            "path": {
              "description": "File to write. Relative to the pipeline file; its folder is created. A new run empties the file.",
              "type": "string", "minLength": 1
            },
            "format": {
              "description": "raw: the value and a newline. json: an object with id, key and value.",
              "enum": ["raw", "json"], "default": "raw"
            }
          }
        }
        """

    enum Format: String, ConfigurationChoice {
        case raw, json
    }

    struct Configuration: Decodable {
        var path: String
        var format: Format?
    }

    private let file: OutputFile
    private let format: Format
    private var lines: [UInt8] = []

    init(configuration: Configuration, host: Host) throws {
        format = configuration.format ?? .raw
        file = try OutputFile.ofSink(configuration.path, host)
    }

    mutating func write(_ batch: borrowing Batch, into output: borrowing SinkOutput) throws {
        lines.removeAll(keepingCapacity: true)
        for index in 0..<batch.count {
            let record = batch[index]
            do {
                switch format {
                case .raw: unsafe try LineFormat.appendRaw(record.valueBuffer, to: &lines)
                case .json: try LineFormat.appendJSON(record, to: &lines)
                }
            } catch let failure as RecordFailure {
                try output.fail(index, failure)
            }
        }
        try file.appendOrRetry(lines)
        try file.acknowledge(output)
    }

    mutating func sync(into output: borrowing SinkOutput) throws {
        try file.sync(into: output)
    }

    mutating func finish(into output: borrowing SinkOutput) throws {
        try file.sync(into: output)
    }
}
