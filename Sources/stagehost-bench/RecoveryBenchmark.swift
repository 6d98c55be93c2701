import CBench
import Glibc
import StageConfig

/// From the death of a worker to its batch being worked on again.
enum RecoveryBenchmark {
    static let benchmark = Benchmark(
        name: "recovery",
        abstract: "kill -9 of a busy worker to its batch being processed again, cold and with a standby",
        details: """
            A stage notes in a page that it shares with the bench when it begins and ends a batch, by the monotonic clock. While it
            is in the middle of one, the bench takes the time and kills the worker; the answer is the time at which another
            worker has begun that same batch, by its own note. Cold, with standby: 1, and both again with a plugin whose open takes
            time. Beside it, in the same run: posix_spawn and wait of /bin/true, and of the worker program loading the plugin.
            """,
        options: [
            .number("kills", 100, "deaths in each row"), .number("open", 50, "milliseconds that a slow open takes"),
        ],
        example: "stagehost-bench recovery --kills 30",
        run: run)

    private static func run(_ setting: Setting) throws(BenchError) -> [ResultTable] {
        let kills = try setting.values.number("kills")
        let open = try setting.values.number("open")
        var table = ResultTable(
            "death to next beginning of the same batch; a busy worker, batches of 10", subject: "what", Milliseconds.columns)
        let bare = try spawns(["/bin/true"], kills, setting)
        table.add("spawn and wait: /bin/true", Milliseconds.cells(bare, base: bare))
        let worker = [setting.programs.worker, "--describe", setting.programs.plugin]
        table.add("spawn and wait: worker, plugin loaded", Milliseconds.cells(try spawns(worker, kills, setting), base: bare))
        for (milliseconds, opening) in [(0, ""), (open, ", open takes \(open) ms")] {
            for standby in [0, 1] {
                let name = (standby == 0 ? "killed, cold" : "killed, with a standby") + opening
                Console.say(name)
                let times = try deaths(kills, standby: standby, openMilliseconds: milliseconds, setting)
                table.add(name, Milliseconds.cells(times, base: bare))
            }
        }
        return [table]
    }

    private static func spawns(_ words: [String], _ count: Int, _ setting: Setting) throws(BenchError) -> [Double] {
        var times: [Double] = []
        for _ in 0..<count {
            let usage = try Child.start(words, in: setting.scratch).wait()
            guard usage.status == 0 else { throw .failed("\(words[0]): found exit \(usage.status), expected 0") }
            times.append(usage.seconds * 1000)
        }
        return times
    }

    /// Kills the stage's worker `count` times in one job, and lets the job come to its end.
    private static func deaths(
        _ count: Int, standby: Int, openMilliseconds: Int, _ setting: Setting
    ) throws(BenchError) -> [Double] {
        // A batch takes 5 ms. Between two kills the stage makes progress, and a new standby has time to get ready.
        let pause = UInt64(40 + 2 * openMilliseconds) * 1_000_000
        let documents = try Documents(count * 10 * Int(pause / 5_000_000 + 8) * 2, in: setting.scratch)
        let page = try ClockPage(setting.scratch.file("clock.\(standby).\(openMilliseconds)"))
        let output = setting.scratch.file("passed.jsonl")
        let victim = Job.Stage.bench(
            "victim", setting,
            with: [
                ("page", .string(page.path)), ("sleep_us", .integer(5000)), ("open_us", .integer(Int64(openMilliseconds) * 1000)),
            ], standby: standby)
        var job = Job.lines("recovery", from: documents.path, to: output, through: [victim])
        job.batch = 10
        let host = try job.start(setting)
        var times: [Double] = []
        while times.count < count {
            cbench_pause(pause)
            // What is killed is in the middle of a batch, and the page says of which.
            let seen = page.count
            guard let mark = page.wait(while: host, for: { $0.count > seen ? $0.last.flatMap { $0.begun == 1 ? $0 : nil } : nil })
            else { throw .failed("recovery: the job ended after \(times.count) kills: \(job.words(setting))") }
            let from = page.count
            cbench_pause(1_000_000)
            let killed = cbench_now()
            _ = kill(mark.pid, SIGKILL)
            let again = page.wait(while: host) { page -> cbench_mark? in
                var number = from
                while number < page.count {
                    let other = page[number]
                    if other.pid != mark.pid, other.begun == 1 { return other }
                    number += 1
                }
                return nil
            }
            guard let again else { throw .failed("recovery: no worker came after kill \(times.count + 1): \(job.words(setting))") }
            // Ended before the signal came: nothing was interrupted, so that nothing can be said.
            guard again.batch == mark.batch, again.nanoseconds > killed else { continue }
            times.append(Double(again.nanoseconds - killed) / 1e6)
        }
        // The rest is of no interest; SIGTERM lets the host finish what is in hand.
        _ = kill(host.pid, SIGTERM)
        let usage = try host.wait()
        guard usage.status == 75 || usage.status == 0 else {
            throw .failed("recovery: found exit \(usage.status), expected 75; it said: \(job.words(setting))")
        }
        return times
    }
}
