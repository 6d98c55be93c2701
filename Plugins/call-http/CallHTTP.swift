public import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { unsafe exportStage(CallHTTP.self) }

/// Calls a web service for each record, many at a time, and makes its answer the value.
struct CallHTTP: ConcurrentBatchTransform {
    static let id = "call-http"
    static let version = "1.0.0"
    static let summary = "Calls an HTTP service for each record, many at a time; the answer becomes the value, or a member of it."
    static let configurationSchema: String? = Settings.schema

    private let settings: Settings
    private let permits: Permits
    private let host: Host

    init(configuration: Settings.Configuration, host: Host) throws {
        settings = try Settings(configuration)
        permits = Permits(settings.concurrency, options: settings.client)
        self.host = host
        // Says that libcurl is missing while the job starts, not at the first record.
        permits.rest(try permits.client())
    }

    func process(_ batch: borrowing Batch, into output: borrowing BatchOutput) throws {
        let client = try permits.client()
        var next = 0
        var underWay = 0
        // A client that is given up ends what it has under way.
        defer { if underWay > 0 { permits.giveBack(underWay) } else { permits.rest(client) } }
        while next < batch.count || underWay > 0 {
            while next < batch.count, permits.take(for: client) {
                do {
                    let request = try settings.request(for: batch[next])
                    try output.begin(next)
                    try client.start(request, tag: UInt64(next))
                    underWay += 1
                } catch let failure as RecordFailure {
                    permits.giveBack()
                    try output.fail(next, failure)
                } catch {
                    permits.giveBack()
                    throw error
                }
                next += 1
            }
            guard next < batch.count || underWay > 0 else { break }
            while let answer = try client.next(within: 250) {
                underWay -= 1
                permits.giveBack()
                try take(answer, batch, output)
                if next < batch.count || underWay == 0 { break }
            }
            // Each call has a time limit of its own: waiting for it is not hanging.
            host.heartbeat()
            if host.isCancelled { throw StageFailure.retry("cancelled") }
        }
    }

    private func take(_ answer: HTTPAnswer, _ batch: borrowing Batch, _ output: borrowing BatchOutput) throws {
        let index = Int(answer.tag)
        do {
            let value = try settings.outcomes.value(of: answer, for: batch[index])
            settings.outcomes.count(answer) { output[index].metric($0, add: $1) }
            try output[index].emit(keyOf: batch[index], value: value)
        } catch let failure as RecordFailure {
            return try output.fail(index, settings.redacted(failure))
        } catch StageFailure.fatal(let message) {
            throw StageFailure.fatal(settings.redacted(message))
        } catch let error as OutputError where error.code == STAGE_ERROR_TOO_LARGE {
            return try output.fail(index, .permanent("\(error)"))
        }
        try output[index].done()
    }
}
