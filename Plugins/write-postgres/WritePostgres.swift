import Glibc
public import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(WritePostgres.self) }

/// Writes records as rows of a table of a PostgreSQL server, each batch in one transaction together with its number and its
/// failures: what is there already is recognised, and not written again.
struct WritePostgres: Sink {
    static let id = "write-postgres"
    static let version = "1.0.0"
    static let summary = "Writes records as rows of a PostgreSQL table, each exactly once."
    static let configurationSchema: String? = Settings.schema

    /// The checkpoint: the last batch that is committed.
    struct Position: Codable {
        var batch: UInt64
    }

    private let library: LibPQ
    private let options: ConnectionOptions
    private let settings: Settings
    private let host: Host
    private let progress: Progress
    private let writer: RowWriter
    private var history: BatchHistory
    /// Nil between the loss of one and the next try.
    private var connection: Connection?
    /// Failures of batches up to this one are not needed any more.
    private var forgettable: UInt64?

    init(configuration: Settings.Configuration, host: Host) throws {
        settings = try Settings(configuration)
        library = try LibPQ()
        options = try ConnectionOptions(configuration.connection, library)
        self.host = host
        let position = try host.checkpoint(as: Position.self)
        history = BatchHistory(checkpoint: position?.batch)
        (connection, writer, progress) = try Self.open(settings, options, library, host, checkpoint: position?.batch)
    }

    /// Connects and gets everything ready. A server that is away is waited for where it has been there before, and also where it says
    /// itself that it is not ready yet; else it is rather the configuration that is wrong.
    private static func open(
        _ settings: Settings, _ options: ConnectionOptions, _ library: LibPQ, _ host: Host, checkpoint: UInt64?
    ) throws -> (Connection, RowWriter, Progress) {
        var pauses = Pauses(until: settings.reconnect, host)
        while true {
            do {
                return try ready(Connection(library, options, settings.limits, host), settings, host, checkpoint)
            } catch let error as ServerError {
                let message = options.redacted("\(error)")
                guard error.mayPass else { throw StageFailure.fatal(message) }
                guard checkpoint != nil || error.isOfTheServer, pauses.rest() else { throw StageFailure.retry(message) }
                host.log(.warning, "the stage waits for the server: \(message)")
            }
        }
    }

    private static func ready(
        _ connection: Connection, _ settings: Settings, _ host: Host, _ checkpoint: UInt64?
    ) throws -> (Connection, RowWriter, Progress) {
        try Progress.createTables(in: settings.progressSchema, target: settings.create ? settings.target : nil, on: connection)
        let forms = try Catalogue.forms(of: settings.target, on: connection)
        try Catalogue.check(settings.target, on: connection)
        let run = unsafe getenv("STAGEHOST_RUN").map { unsafe String(cString: $0) } ?? ""
        let target = (settings.target.schema.map { $0 + "." } ?? "") + settings.target.table
        let identity = Progress.Identity(run: run, stage: host.stageName, target: target, shard: host.shardIndex)
        let progress = try Progress(identity, in: settings.progressSchema, checkpoint: checkpoint, on: connection)
        return (connection, RowWriter(settings.target, RowText(forms, maximumBytes: settings.maximumRowBytes)), progress)
    }

    mutating func write(_ batch: borrowing Batch, into output: borrowing SinkOutput) throws {
        let failed = try persistently(batch)
        for (index, message) in failed { try output.fail(index, .permanent(options.redacted(message))) }
        // Not the last batch in the database: the host has heard of no more than this one.
        try output.checkpoint(try JSON.encode(Position(batch: batch.sequence)))
    }

    /// Writes the batch, however often the connection is lost or the transaction is thrown back, until `reconnect` is over.
    private mutating func persistently(_ batch: borrowing Batch) throws -> [RowWriter.Failure] {
        var pauses = Pauses(until: settings.reconnect, host)
        while true {
            do {
                return try transaction(batch)
            } catch let error as ServerError {
                // What goes on with it after an error is not worth the doubt; a new connection takes milliseconds.
                if error.remedy == .reconnect || !recovers() { connection = nil }
                let message = options.redacted("\(error)")
                guard error.mayPass else { throw StageFailure.fatal(message) }
                host.log(.warning, "batch \(batch.sequence) is tried again: \(message)")
                guard pauses.rest() else { throw StageFailure.retry(message) }
            } catch {
                connection = nil
                throw error
            }
        }
    }

    /// Ends the transaction that has failed. False: the connection is of no use any more.
    private func recovers() -> Bool {
        (try? connection?.execute("ROLLBACK")) != nil
    }

    /// Writes what is new of the batch. The transaction has all of it or nothing, and its number: whether a COMMIT that was not
    /// answered has happened is seen at its next beginning.
    private mutating func transaction(_ batch: borrowing Batch) throws -> [RowWriter.Failure] {
        let connection = try self.connection ?? Connection(library, options, settings.limits, host)
        self.connection = connection
        let committed = try progress.begin(on: connection, known: history.acknowledged)
        let request = try history.compare(batch, with: committed) { try progress.failures(of: $0, on: connection) }
        // Committed by a worker that died before it could say so: what failed then fails again.
        var failed: [RowWriter.Failure] = request.failed.map { ($0.index, $0.message) }
        if request.new.isEmpty {
            try connection.execute("COMMIT")
        } else {
            let refused = try writer.write(request.new, of: batch, on: connection)
            try progress.commit(request, after: committed, failed: refused, forgetting: forgettable, on: connection)
            forgettable = nil
            failed += refused
        }
        history.didAnswer(request)
        return failed
    }

    /// Each commit is durable by itself.
    mutating func sync(into output: borrowing SinkOutput) throws {
        if let old = history.didSync() { forgettable = old }
        if let batch = history.acknowledged { try output.checkpoint(try JSON.encode(Position(batch: batch))) }
    }

    mutating func finish(into output: borrowing SinkOutput) throws {
        try sync(into: output)
    }

    mutating func close() {
        connection = nil
    }
}
