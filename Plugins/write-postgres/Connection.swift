import Glibc
import StageKit

/// How long the plugin waits for the server.
struct Limits {
    var connectSeconds: Double
    /// 0: for ever.
    var statementSeconds: Double
    var lockSeconds: Double

    /// For an answer, or for a sign that what is sent is taken: longer than the server itself gives a statement.
    var silenceSeconds: Double? { statementSeconds > 0 ? statementSeconds + min(statementSeconds, 5) : nil }
    var silence: Duration? { silenceSeconds.map { .seconds($0) } }
}

/// One connection to a server. No call blocks for longer than a moment without a heartbeat.
@safe final class Connection {
    private let library: LibPQ
    private let host: Host
    private let limits: Limits
    private var handle: OpaquePointer?
    private var lastBeat = ContinuousClock.now

    init(_ library: LibPQ, _ options: ConnectionOptions, _ limits: Limits, _ host: Host) throws {
        self.library = library
        self.host = host
        self.limits = limits
        let (names, values) = options.texts(applicationName: "stagehost " + host.stageName)
        unsafe handle = names.withPointers { names in
            values.withPointers { values in unsafe library.connectStart(names, values, 0) }
        }
        guard unsafe handle != nil else { throw ServerError("out of memory", .tryAgain) }
        do {
            try connect()
            try execute(
                """
                SET client_min_messages = warning; SET standard_conforming_strings = on; \
                SET statement_timeout = \(Int(limits.statementSeconds * 1000)); \
                SET lock_timeout = \(Int(limits.lockSeconds * 1000)); \
                SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
                """)
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    func close() {
        if let open = unsafe handle { unsafe library.finish(open) }
        unsafe handle = nil
    }

    // MARK: - Statements

    typealias Row = [String?]

    /// Runs statements without parameters; returns the rows of all of them.
    @discardableResult
    func execute(_ sql: String) throws -> [Row] {
        guard unsafe library.sendQuery(handle, sql) == 1 else { throw lost() }
        return try results()
    }

    /// Runs one statement with parameters as text.
    @discardableResult
    func execute(_ sql: String, _ parameters: CTexts) throws -> [Row] {
        let sent = parameters.withPointers { pointers in
            unsafe library.sendQueryParams(handle, sql, Int32(parameters.count), nil, pointers, nil, nil, 0)
        }
        guard sent == 1 else { throw lost() }
        return try results()
    }

    /// Begins a `COPY … FROM STDIN`. Until `endCopy` has returned the connection takes nothing but rows.
    func beginCopy(_ sql: String) throws {
        guard unsafe library.sendQuery(handle, sql) == 1 else { throw lost() }
        guard try results(until: LibPQ.copyIn).isCopying else { throw ServerError("\(sql): the server takes no rows", .giveUp) }
    }

    /// Sends rows of a COPY once they are worth it, or at once; what is sent is taken out of `rows`.
    func put(_ rows: inout [UInt8], atOnce: Bool = false) throws {
        guard rows.count >= Self.chunkBytes || atOnce else { return }
        for start in stride(from: 0, to: rows.count, by: Self.chunkBytes) {
            let end = min(start + Self.chunkBytes, rows.count)
            let code = unsafe rows.withUnsafeBytes { bytes in
                unsafe library.putCopyData(handle, UnsafeRawBufferPointer(rebasing: bytes[start..<end]).baseAddress, Int32(end - start))
            }
            guard code == 1 else { throw lost() }
            // No more than a chunk is ever kept by libpq.
            try flush()
            beat()
        }
        rows.removeAll(keepingCapacity: rows.capacity < 4 * Self.chunkBytes)
    }

    /// Ends the COPY: throws what the server did not like about a row.
    func endCopy() throws {
        guard unsafe library.putCopyEnd(handle, nil) == 1 else { throw lost() }
        try results()
    }

    private static let chunkBytes = 1 << 18

    // MARK: - Answers

    @discardableResult
    private func results() throws -> [Row] {
        try results(until: nil).rows
    }

    /// Takes results until there are no more, or until one has the status `last`. Throws the first error when all are taken.
    private func results(until last: Int32?) throws -> (rows: [Row], isCopying: Bool) {
        try flush()
        var rows: [Row] = []
        var failure: ServerError?
        while true {
            try awaitResult()
            guard let result = unsafe library.getResult(handle) else { break }
            defer { unsafe library.clear(result) }
            let status = unsafe library.resultStatus(result)
            switch status {
            case LibPQ.tuples: unsafe rows += self.rows(of: result)
            case LibPQ.emptyQuery, LibPQ.commandIsDone: break
            case LibPQ.copyIn where last == status: return (rows, true)
            default: failure = unsafe failure ?? error(in: result)
            }
            // A broken connection would give the same again and again.
            if failure?.remedy == .reconnect, unsafe library.status(handle) == LibPQ.connectionIsBad { break }
        }
        if let failure { throw failure }
        return (rows, false)
    }

    @unsafe private func rows(of result: OpaquePointer) -> [Row] {
        let columns = unsafe library.columnCount(result)
        return unsafe (0..<library.rowCount(result)).map { row in
            (0..<columns).map { column in
                guard unsafe library.isNull(result, row, column) == 0 else { return nil }
                return unsafe library.value(result, row, column).map { unsafe String(cString: $0) }
            }
        }
    }

    @unsafe private func error(in result: OpaquePointer) -> ServerError {
        func field(_ field: LibPQ.Field) -> String? {
            unsafe library.resultField(result, field.rawValue).map { unsafe String(cString: $0) }
        }
        guard let state = field(.state) else { return lost() }
        var message = field(.message) ?? ""
        if let detail = field(.detail) { message += ": " + detail }
        // Names the column of a value that cannot be read.
        if let place = field(.context)?.split(separator: "\n").first(where: { $0.hasPrefix("COPY ") && $0.contains(", column ") }) {
            message += "; " + place
        }
        if let hint = field(.hint) { message += "; " + hint }
        let error = ServerError(state: state, message: message)
        guard unsafe library.status(handle) == LibPQ.connectionIsBad, error.remedy != .giveUp else { return error }
        return ServerError(error.description, .reconnect, isOfTheServer: true)
    }

    /// What libpq says about a connection that it has lost.
    private func lost() -> ServerError {
        let message = unsafe library.errorMessage(handle).map { unsafe String(cString: $0) } ?? ""
        let lines = message.split(separator: "\n").map { $0.drop { $0 == "\t" || $0 == " " } }
        return ServerError(lines.isEmpty ? "the connection is lost" : lines.prefix(2).joined(separator: " "), .reconnect)
    }

    // MARK: - Waiting

    private func connect() throws {
        _ = unsafe library.setVerbosity(handle, LibPQ.verbose)
        let end = ContinuousClock.now + .seconds(limits.connectSeconds)
        guard unsafe library.status(handle) != LibPQ.connectionIsBad else { throw unconnected() }
        var wanted = Int16(POLLOUT)
        while true {
            try wait(wanted, until: end, "the server did not answer within \(limits.connectSeconds) s")
            switch unsafe library.connectPoll(handle) {
            case LibPQ.pollDone:
                guard unsafe library.setNonblocking(handle, 1) == 0 else { throw lost() }
                return
            case LibPQ.pollFailed: throw unconnected()
            case LibPQ.pollReading: wanted = Int16(POLLIN)
            default: wanted = Int16(POLLOUT)
            }
        }
    }

    /// Why there is no connection. The SQLSTATE of a refusal stands in the verbose message only.
    private func unconnected() -> ServerError {
        let message = unsafe library.errorMessage(handle).map { unsafe String(cString: $0) } ?? ""
        let lines = message.split(separator: "\n").map { $0.drop { $0 == "\t" || $0 == " " } }
            .filter { !$0.hasPrefix("LOCATION: ") && !$0.hasPrefix("Is the server running") }
        let words = lines.joined(separator: "; ")
        for mark in ["FATAL:  ", "ERROR:  "] {
            for part in lines where part.contains(mark) {
                guard let tail = part.components(behind: mark), tail.count > 6, tail.dropFirst(5).first == ":" else { continue }
                let remedy = ServerError.remedy(for: String(tail.prefix(5)))
                return ServerError(words, remedy == .giveUp ? .giveUp : .reconnect, isOfTheServer: true)
            }
        }
        return ServerError(words.isEmpty ? "no connection" : words, .reconnect)
    }

    private func flush() throws {
        var end = limits.silence.map { ContinuousClock.now + $0 }
        while true {
            switch unsafe library.flush(handle) {
            case 0: return
            case 1: break
            // What the server said before it hung up is read with the result.
            default: return
            }
            let ready = try wait(Int16(POLLIN | POLLOUT), until: end, silent)
            if ready & Int16(POLLIN) != 0, unsafe library.consumeInput(handle) == 0 { return }
            if ready & Int16(POLLOUT) != 0 { end = limits.silence.map { ContinuousClock.now + $0 } }
        }
    }

    private func awaitResult() throws {
        let end = limits.silence.map { ContinuousClock.now + $0 }
        while unsafe library.isBusy(handle) != 0 {
            try wait(Int16(POLLIN), until: end, silent)
            // What was read before the end is a result, and so is the end.
            guard unsafe library.consumeInput(handle) == 1 else { return }
        }
    }

    /// A heartbeat, but not more than ten a second.
    private func beat() {
        let now = ContinuousClock.now
        guard now - lastBeat > .milliseconds(90) else { return }
        lastBeat = now
        host.heartbeat()
    }

    private var silent: String { "the server has not answered for \(limits.silenceSeconds ?? 0) s" }

    /// Waits for the socket, with a heartbeat now and then.
    @discardableResult
    private func wait(_ events: Int16, until end: ContinuousClock.Instant?, _ message: @autoclosure () -> String) throws -> Int16 {
        while true {
            var item = pollfd(fd: unsafe library.socket(handle), events: events, revents: 0)
            guard item.fd >= 0 else { return events }
            let ready = unsafe poll(&item, 1, 100)
            beat()
            if ready > 0 { return item.revents & Int16(POLLERR | POLLHUP) != 0 ? events : item.revents }
            if host.isCancelled { throw ServerError("cancelled", .reconnect) }
            if let end, ContinuousClock.now > end { throw ServerError(message(), .reconnect) }
        }
    }
}

extension Substring {
    /// What stands behind `mark`.
    fileprivate func components(behind mark: String) -> Substring? {
        indices.first { self[$0...].hasPrefix(mark) }.map { self[$0...].dropFirst(mark.count) }
    }
}
