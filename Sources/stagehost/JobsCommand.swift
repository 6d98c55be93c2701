import StageCommand
import StageConfig
import StageReport

/// `stagehost jobs`: every job below the state directory. One that cannot be read is listed as damaged, and is no
/// reason not to list the others.
enum JobsCommand {
    static func run(_ arguments: ParsedCommand) -> ExitCode {
        let state = JobFolder.stateDirectory(arguments)
        let jobs = JobFolder.names(in: state).map { Listed(name: $0, folder: state + "/" + $0) }
        if arguments.has("json") {
            Screen.show(.array(jobs.map(\.json)))
            return .complete
        }
        guard !jobs.isEmpty else {
            Console.error("no jobs in \(state)")
            return .complete
        }
        var table = TextTable([
            .init("job"), .init("state"), .number("read"), .number("written"), .number("failed"), .init("updated"),
            .init("pipeline"),
        ])
        for job in jobs {
            let numbers = [job.status?.read, job.status?.written, job.status?.failed]
            table.add(
                [job.name, job.state] + numbers.map { $0.map(HumanNumbers.count) ?? "-" } + [
                    job.updated ?? "-", job.pipeline ?? "-",
                ])
        }
        Screen.show(table.lines(width: Screen.width))
        return .complete
    }

    private struct Listed {
        var name: String
        var status: StoredStatus?
        var updated: String?
        var pipeline: String?

        init(name: String, folder: String) {
            self.name = name
            do throws(CommandFailure) {
                let job = StoredJob(name: name, folder: folder)
                pipeline = job.pipeline?.file
                let snapshot = try job.snapshot()
                if let live = try job.liveStatus() { status = live } else { status = job.status(from: snapshot) }
                updated = job.updated(snapshot).map { Timestamp.text(seconds: $0) }
            } catch {
                status = nil
            }
        }

        var state: String { status?.state ?? "damaged" }

        var json: JSONValue {
            func count(_ value: UInt64?) -> JSONValue { value.map(JSONValue.count) ?? .null }
            func text(_ value: String?) -> JSONValue { value.map(JSONValue.string) ?? .null }
            return .object([
                .init("job", .string(name)), .init("state", .string(state)), .init("read", count(status?.read)),
                .init("written", count(status?.written)), .init("failed", count(status?.failed)),
                .init("updated", text(updated)), .init("pipeline", text(pipeline)),
            ])
        }
    }
}
