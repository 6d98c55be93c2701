public import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(ReadFiles.self) }

/// One record for each file that matches, in the order of the bytes of their paths.
struct ReadFiles: Source {
    static let id = "read-files"
    static let version = "1.0.0"
    static let summary = "Reads files by pattern, sorted: one record a file, its path the key."
    static let configurationSchema: String? = """
        {
          "type": "object",
          "additionalProperties": false,
          "required": ["glob"],
          "properties": {
            "glob": {
              "description": "Pattern of the files to read, or several: **, *, ?, [a-z], {a,b}. Relative to the pipeline file.",
              "anyOf": [{"type": "string", "minLength": 1},
                        {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}}]
            },
            "content": {
              "description": "Whether the value is the content of the file; otherwise it is the path.",
              "type": "boolean", "default": false
            },
            "max_bytes": {
              "description": "Larger files fail as records.",
              "type": "integer", "minimum": 1, "maximum": 268435456, "default": 268435456
            },
            "decompress": {
              "description": "Whether the content of files named .gz and .zst is unpacked. Needs zlib1g, libzstd1.",
              "type": "boolean", "default": false
            }
          }
        }
        """

    struct Configuration: Decodable {
        var glob: OneOrMore
        var content: Bool?
        var max_bytes: Int?
        var decompress: Bool?
    }

    private let paths: [[UInt8]]
    private let readsContent: Bool
    private let unpacks: Bool
    private let maximumBytes: Int
    private var next: Int

    init(configuration: Configuration, host: Host) throws {
        readsContent = configuration.content ?? false
        unpacks = configuration.decompress ?? false
        maximumBytes = configuration.max_bytes ?? Int(STAGE_MAX_VALUE_BYTES)
        try ConfigurationError.check("max_bytes", maximumBytes, in: 1...Int(STAGE_MAX_VALUE_BYTES))
        var found: Set<[UInt8]> = []
        for pattern in configuration.glob.values {
            do {
                found.formUnion(try Glob(pattern).files { host.log(.warning, "\($0)") })
            } catch {
                throw ConfigurationError(path: ["glob"], problem: "\(error)")
            }
        }
        guard !found.isEmpty else {
            let patterns = configuration.glob.values.map { JSON.quote($0) }.joined(separator: ", ")
            throw StageFailure.fatal("no input: no file matches \(patterns); patterns are relative to the pipeline file")
        }
        paths = found.sorted { $0.lexicographicallyPrecedes($1) }
        guard let position = try host.checkpoint(as: Position.self) else {
            next = 0
            return
        }
        let last = try position.bytes()
        // The first path behind the last one delivered, whether that one still exists or not.
        next = paths.partition { last.lexicographicallyPrecedes($0) }
    }

    mutating func read(upTo limit: ReadLimit, into output: borrowing SourceOutput) throws -> ReadResult {
        var count = 0
        var bytes = 0
        while next < paths.count, count < limit.records {
            let path = paths[next]
            if readsContent {
                guard let size = try deliver(path, room: count == 0 ? Int.max : limit.bytes - bytes, output) else { break }
                bytes += size
            } else {
                try output.emit(key: path, value: path)
                bytes += 2 * path.count
            }
            next += 1
            count += 1
            if bytes >= limit.bytes { break }
        }
        if count > 0 { try output.checkpoint(try JSON.encode(Position(paths[next - 1]))) }
        output.progress(done: next, total: paths.count)
        return next < paths.count ? .more : .end
    }

    /// Emits the file, or fails it as a record, and returns its size. Nil: it does not fit any more.
    private func deliver(_ path: [UInt8], room: Int, _ output: borrowing SourceOutput) throws -> Int? {
        do {
            if unpacks, ByteStream.isPacked(path) { return try deliverUnpacked(path, room: room, output) }
            let file = try File.reading(path)
            let (size, isRegular) = try file.status()
            guard isRegular else { throw ReadFilesError(description: "\(text(path)): is not a regular file any more") }
            guard size <= maximumBytes else {
                throw ReadFilesError(
                    description: "\(text(path)): has \(size) bytes, above max_bytes = \(maximumBytes)")
            }
            guard size <= room else { return nil }
            try path.withStageBytes { key in
                try unsafe output.emit(key: key, upTo: size) { place in
                    var done = 0
                    while done < size {
                        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: place[done...])
                        let count = unsafe try file.read(into: rest, at: done)
                        if count == 0 { break }
                        done += count
                    }
                    return done
                }
            }
            return size + path.count
        } catch let error as SystemError {
            try output.fail(key: path, value: path, "\(error)")
        } catch let error as ReadFilesError {
            try output.fail(key: path, value: path, error.description)
        } catch let error as DamagedFile {
            try output.fail(key: path, value: path, error.description)
        }
        return 2 * path.count
    }

    private func deliverUnpacked(_ path: [UInt8], room: Int, _ output: borrowing SourceOutput) throws -> Int? {
        guard let content = try ByteStream.contents(path, upTo: maximumBytes) else {
            throw ReadFilesError(description: "\(text(path)): unpacked, it is above max_bytes = \(maximumBytes)")
        }
        // It is unpacked again for the next batch.
        guard content.count <= room else { return nil }
        try output.emit(key: path, value: content)
        return content.count + path.count
    }

    private func text(_ path: [UInt8]) -> String { String(decoding: path, as: UTF8.self) }
}

private struct ReadFilesError: Error {
    let description: String
}
