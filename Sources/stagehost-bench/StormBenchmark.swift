import LinuxIO

/// A thousand hostile clients, for whatever host one likes.
enum StormBenchmark {
    static let benchmark = Benchmark(
        name: "storm",
        abstract: "hostile clients for the control socket of a job that runs",
        details: """
            Clients that send garbage, half a request, one without end or one that is hard to read, that trickle, never read,
            vanish, or ask for the status without a pause, until the host of the job has gone or the time is over. Each
            connects again as soon as it is closed.
            """,
        options: [
            Option(name: "job", value: "DIR", fallback: "", meaning: "the job directory, such as .stagehost/index"),
            .number("clients", 1_000, "clients at a time"), .number("each-ms", 100, "milliseconds between two turns of a client"),
            .number("seconds", 3_600, "how long, if the host does not end before"),
        ],
        example: "stagehost-bench storm --job .stagehost/index --seconds 10",
        run: run)

    private static let startMilliseconds: Int32 = 10_000

    private static func run(_ setting: Setting) throws(BenchError) -> [ResultTable] {
        guard let folder = setting.values.text("job") else { throw .usage("--job: found nothing, expected a job directory") }
        let count = try setting.values.number("clients")
        let pause = UInt64(try setting.values.number("each-ms")) * 1_000_000
        let clients = try onSystem { () throws(SystemError) in try HostileClients(count, folder: folder) }
        // A host that has just been started does not listen yet.
        var waited: Int32 = 0
        while !clients.round() {
            guard waited < startMilliseconds else { throw .failed("\(folder): found no host that listens, expected one") }
            rest(milliseconds: 5)
            waited += 5
        }
        let end = monotonicNanoseconds() + UInt64(try setting.values.number("seconds")) * 1_000_000_000
        var next = monotonicNanoseconds() + pause
        while monotonicNanoseconds() < end {
            let now = monotonicNanoseconds()
            if now < next { rest(milliseconds: Int32(clamping: (next - now) / 1_000_000 + 1)) }
            next = monotonicNanoseconds() + pause
            guard clients.round() else { break }
        }
        var table = ResultTable(
            "\(count) clients", subject: "what they do",
            [
                .init("connections", "connections", digits: 0), .init("turned_away", "queue full", digits: 0),
                .init("closed", "closed by host", digits: 0), .init("reply_bytes", "bytes heard", digits: 0),
            ])
        for deed in Deed.allCases {
            let tally = clients.tallies[deed] ?? .init()
            table.add(
                deed.rawValue,
                [Double(tally.connections), Double(tally.turnedAway), Double(tally.closed), Double(tally.replyBytes)])
        }
        return [table]
    }
}
