public import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(ReadLines.self) }

/// One record for each line of one file or several.
struct ReadLines: Source {
    static let id = "read-lines"
    static let version = "1.0.0"
    static let summary = "Reads text files line by line: one record a line, FILE:LINE or a JSON member the key."
    static let configurationSchema: String? = """
        {
          "type": "object",
          "additionalProperties": false,
          "required": ["path"],
          "properties": {
            "path": {
              "description": "File to read, or a pattern (**, *, ?, [a-z], {a,b}), or several. Relative to the pipeline file.",
              "anyOf": [{"type": "string", "minLength": 1},
                        {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}}]
            },
            "key": {
              "description": "JSON pointer into the line, such as /id: what stands there is the key. Default: FILE:LINE.",
              "type": "string"
            },
            "max_line_bytes": {
              "description": "Longer lines fail as records.",
              "type": "integer", "minimum": 1, "maximum": 268435456, "default": 16777216
            },
            "decompress": {
              "description": "Whether files named .gz and .zst are unpacked. Needs zlib1g, libzstd1.",
              "type": "boolean", "default": true
            }
          }
        }
        """

    /// Lines are counted beforehand, for a total, only when there is so little to read that it costs nothing.
    private static let countedBytes = 16 << 20

    struct Configuration: Decodable {
        var path: OneOrMore
        var key: JSONPointer?
        var max_line_bytes: Int?
        var decompress: Bool?
    }

    /// The checkpoint: this many bytes and lines of this file are done, and all files before it.
    struct Position: Codable {
        var file: String
        var offset: Int
        var line: Int
    }

    private let files: [[UInt8]]
    private let pointer: JSONPointer?
    private let unpacks: Bool
    private let reader: LineReader
    private var fileIndex = 0
    private var isOpen = false
    private var lastPosition: Position?
    private var line = 0
    /// File and number of the line that was read last; all but the number is the prefix.
    private var keyPrefix: [UInt8] = []
    private var prefixLength = 0

    /// Records of all files, and those delivered, when they were worth counting.
    private var total: Int?
    private var delivered = 0

    init(configuration: Configuration, host: Host) throws {
        let maximum = configuration.max_line_bytes ?? 16 << 20
        try ConfigurationError.check("max_line_bytes", maximum, in: 1...Int(STAGE_MAX_VALUE_BYTES))
        pointer = configuration.key
        unpacks = configuration.decompress ?? true
        reader = LineReader(maximumLineBytes: maximum, unpacks: unpacks)
        files = try InputFiles.find(configuration.path.values, key: "path", host)
        let position = try host.checkpoint(as: Position.self)
        if let position {
            guard let index = files.firstIndex(of: Array(position.file.utf8)), position.offset >= 0, position.line >= 0
            else {
                throw StageFailure.fatal(
                    "\(position.file): the checkpoint is in this file, which the paths no longer name; "
                        + "put it back, or start over")
            }
            fileIndex = index
            try openFile(at: position.offset, line: position.line)
        }
        try countRecords(position)
    }

    mutating func read(upTo limit: ReadLimit, into output: borrowing SourceOutput) throws -> ReadResult {
        var count = 0
        var bytes = 0
        var isAtEnd = false
        while count < limit.records, bytes < limit.bytes {
            do {
                if !isOpen { try openFile(at: 0, line: 0) }
                if let size = try deliverLine(output) {
                    bytes += size
                    count += 1
                    continue
                }
            } catch let error as SystemError {
                // What was emitted stands; the reader has not moved, and the next call meets the error again.
                if count > 0 { break }
                throw StageFailure.retry("\(error)")
            } catch let error as DamagedFile {
                // The lines before the damage are as good as any.
                if count > 0 { break }
                throw StageFailure.fatal("\(error)")
            }
            guard fileIndex + 1 < files.count else {
                isAtEnd = true
                break
            }
            // The end of this file is as good a position as the beginning of the next.
            if count > 0 { lastPosition = Position(file: fileName, offset: reader.offset, line: line) }
            fileIndex += 1
            isOpen = false
        }
        delivered += count
        if count > 0 {
            let position = isOpen ? Position(file: fileName, offset: reader.offset, line: line) : lastPosition
            if let position { try output.checkpoint(try JSON.encode(position)) }
        }
        if let total { output.progress(done: delivered, total: total) }
        return isAtEnd ? .end : .more
    }

    /// Emits the next line, or fails it as a record, and returns its size. Nil: the file has ended.
    private mutating func deliverLine(_ output: borrowing SourceOutput) throws -> Int? {
        guard let next = unsafe try reader.next() else { return nil }
        countUp()
        let size = unsafe next.bytes.count + keyPrefix.count
        guard unsafe !next.isTooLong else {
            let message =
                "\(fileName): line \(line) has \(unsafe next.length) bytes, "
                + "above max_line_bytes = \(reader.maximumLineBytes)"
            try unsafe output.fail(key: keyPrefix, value: next.bytes, message)
            return size
        }
        if let pointer {
            unsafe try deliver(next.bytes, keyedBy: pointer, output)
        } else {
            unsafe try keyPrefix.withUnsafeBytes { key in unsafe try output.emit(key: key, value: next.bytes) }
        }
        return size
    }

    /// Emits a line whose key stands in itself.
    private func deliver(
        _ bytes: UnsafeRawBufferPointer, keyedBy pointer: JSONPointer, _ output: borrowing SourceOutput
    ) throws {
        let place = "\(fileName): line \(line)"
        let slice: JSONSlice?
        do throws(JSONError) {
            slice = unsafe try JSON.find(pointer, in: bytes)
        } catch {
            unsafe try output.fail(key: keyPrefix, value: bytes, "\(place) is not JSON: \(error)")
            return
        }
        switch slice?.kind {
        case .string:
            try slice?.withStringBytes { key in
                if key.count > Int(STAGE_MAX_KEY_BYTES) {
                    unsafe try output.fail(
                        key: keyPrefix, value: bytes,
                        "\(place): the key at \(pointer) has \(key.count) bytes, above the limit of \(STAGE_MAX_KEY_BYTES)")
                } else {
                    unsafe try output.emit(key: key, value: bytes)
                }
            }
        case .number, .boolean:
            if let slice { unsafe try output.emit(key: slice.bytes, value: bytes) }
        case let kind:
            let found = kind?.rawValue ?? "nothing"
            unsafe try output.fail(
                key: keyPrefix, value: bytes,
                "\(place): found \(found) at \(pointer), expected a string or a number for the key")
        }
    }

    /// The next line, in the key, too: one digit changes, mostly.
    private mutating func countUp() {
        line += 1
        var place = keyPrefix.count - 1
        while place >= prefixLength {
            if keyPrefix[place] < UInt8(ascii: "9") {
                keyPrefix[place] += 1
                return
            }
            keyPrefix[place] = UInt8(ascii: "0")
            place -= 1
        }
        keyPrefix.insert(UInt8(ascii: "1"), at: prefixLength)
    }

    private mutating func openFile(at offset: Int, line: Int) throws {
        let path = files[fileIndex]
        if let problem = try reader.open(path, at: offset) {
            throw StageFailure.fatal("\(fileName): \(problem)")
        }
        self.line = line
        keyPrefix = path + [UInt8(ascii: ":")]
        prefixLength = keyPrefix.count
        keyPrefix += Array("\(line)".utf8)
        isOpen = true
    }

    private mutating func countRecords(_ position: Position?) throws {
        do {
            var bytes = 0
            for file in files {
                guard !unpacks || !ByteStream.isPacked(file) else { return }
                bytes += try File.reading(file).status().size
                guard bytes <= Self.countedBytes else { return }
            }
            var sum = 0
            for (index, file) in files.enumerated() {
                if position != nil, index == fileIndex { delivered = sum + line }
                sum += try LineReader.countLines(file)
            }
            total = sum
        } catch {
            throw StageFailure.fatal("\(error)")
        }
    }

    private var fileName: String { InputFiles.name(files[fileIndex]) }
}
