/// The file of a sink: grows at its end, and never has part of a batch in it for longer than a write takes.
package final class OutputFile {
    private let file: File

    /// Bytes that are ours; the file is never longer, but for a write that is under way.
    package private(set) var size: Int

    private var isSynced = false
    private var isFolderSynced = false

    /// Opens the file and cuts it to `position`; without one it is created, or emptied.
    package init(_ path: [UInt8], cutTo position: Int?) throws {
        try Paths.createFolder(of: path)
        let file = try File.writing(path)
        let name = String(decoding: path, as: UTF8.self)
        let (found, isRegular) = try file.status()
        guard isRegular else { throw StageFailure.fatal("\(name): is not a regular file; give the path of one") }
        guard file.lock() else {
            throw StageFailure.retry("\(name): another process is writing it; let that one finish")
        }
        let size = position ?? 0
        guard size >= 0, found >= size else {
            throw StageFailure.fatal(
                "\(name): has \(found) bytes, but \(size) were written and acknowledged; "
                    + "it was cut or replaced since: put it back, or start over")
        }
        if found > size { try file.truncate(to: size) }
        self.file = file
        self.size = size
    }

    /// Opens the file of a sink that has it as the option `path`: cut to its checkpoint; what the system says is told
    /// in the protocol's terms.
    package static func ofSink(_ path: String, _ host: Host) throws -> OutputFile {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw ConfigurationError("path", found: JSON.quote(path), expected: "the path of a file")
        }
        do {
            return try OutputFile(Array(path.utf8), cutTo: try host.checkpoint(as: Position.self)?.bytes)
        } catch let error as SystemError {
            if error.isOutOfSpace { throw StageFailure.retry("\(error)") }
            throw StageFailure.fatal("\(error)")
        }
    }

    /// Writes `bytes` at the end, all or none.
    package func append(_ bytes: [UInt8]) throws {
        guard !bytes.isEmpty else { return }
        isSynced = false
        do {
            try bytes.withStageBytes { unsafe try file.write($0, at: size) }
        } catch {
            try file.truncate(to: size)
            throw error
        }
        size += bytes.count
    }

    /// Makes durable what was written, and after the first time also that the file exists.
    package func sync() throws(SystemError) {
        guard !isSynced else { return }
        try file.syncData()
        if !isFolderSynced { try File.syncFolder(of: file.path) }
        isSynced = true
        isFolderSynced = true
    }
}

/// What the sinks that write one file have in common: the length of the file is where they stand.
extension OutputFile {
    /// The checkpoint: so much of the file is ours and acknowledged.
    package struct Position: Codable {
        package var bytes: Int
    }

    /// Writes at the end, all or none. What cannot be written is tried again: also what cannot be helped by waiting is worth a
    /// few tries, because nothing has been written.
    package func appendOrRetry(_ bytes: [UInt8]) throws {
        do {
            try append(bytes)
        } catch {
            throw StageFailure.retry("\(error)")
        }
    }

    /// Makes durable what was written, and says where the file ends.
    package func sync(into output: borrowing SinkOutput) throws {
        do {
            try sync()
        } catch {
            throw StageFailure.fatal("\(error); what was written since the last sync may be lost")
        }
        try acknowledge(output)
    }

    package func acknowledge(_ output: borrowing SinkOutput) throws {
        try output.checkpoint(try JSON.encode(Position(bytes: size)))
    }
}
