public import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(SplitText.self) }

/// Cuts a text into pieces of a limited size: one record in, many out.
struct SplitText: Transform {
    static let id = "split-text"
    static let version = "1.0.0"
    static let summary = "Splits text into chunks at paragraphs, then sentences, then words, never inside a character."
    static let configurationSchema: String? = """
        {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "max_characters": {
              "description": "Unicode code points in a chunk, at most; only a single character that is longer goes beyond.",
              "type": "integer", "minimum": 1, "maximum": 100000000, "default": 1200
            },
            "overlap": {
              "description": "Code points of a chunk that the next one repeats, about; below max_characters.",
              "type": "integer", "minimum": 0, "maximum": 99999999, "default": 0
            }
          }
        }
        """

    struct Configuration: Decodable {
        var max_characters: Int?
        var overlap: Int?
    }

    private let splitter: Splitter

    init(configuration: Configuration, host: Host) throws {
        let maximum = configuration.max_characters ?? 1200
        try ConfigurationError.check("max_characters", maximum, in: 1...100_000_000)
        let overlap = configuration.overlap ?? 0
        try ConfigurationError.check("overlap", overlap, in: 0...(maximum - 1))
        splitter = Splitter(maximum: maximum, overlap: overlap)
    }

    func process(_ record: borrowing Record, into output: borrowing Output) throws {
        let text = try record.text()
        var key = record.keyBytes + [UInt8(ascii: "#")]
        let prefix = key.count
        var number = 0
        try splitter.split(text) { chunk in
            number += 1
            key.replaceSubrange(prefix..., with: "\(number)".utf8)
            guard key.count <= Int(STAGE_MAX_KEY_BYTES) else {
                throw RecordFailure.permanent("the key is too long to append #\(number) to it")
            }
            unsafe try output.emit(key: key, value: chunk)
        }
    }
}
