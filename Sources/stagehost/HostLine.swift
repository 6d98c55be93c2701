import LinuxIO
import StageCommand
import StageControl
import StageReport
import StageRuntime

/// What a command has to say to the host of a job, or to the next one when none runs.
struct HostLine {
    let job: String
    let folder: String

    init(_ job: StoredJob) {
        self.job = job.name
        folder = job.folder
    }

    /// A host that begins has the lock before it listens, and one that ends listens no more before it lets go of it.
    private static let patience = (looks: 60, restMilliseconds: Int32(50))

    /// Gives a running host a command, and shows its replies as they come.
    ///
    /// - Parameter isWish: The command can be given again, or noted down: a host that goes away meanwhile is no failure.
    /// - Returns: The last reply; nil when nobody listens.
    func tell(_ command: ControlCommand, isWish: Bool) throws(CommandFailure) -> ControlReply? {
        var looksLeft = Self.patience.looks
        while true {
            var last: ControlReply?
            do throws(ControlError) {
                try ControlClient.send(command, folder: folder, timeoutSeconds: .infinity) { line in
                    guard let reply = ControlReply(line) else { return true }
                    last = reply
                    show(reply)
                    return true
                }
                if let last { return last }
            } catch {
                try refuse(error, isWish: isWish)
            }
            guard JobDirectory.isTaken(folder), looksLeft > 0 else { return nil }
            looksLeft -= 1
            rest(milliseconds: Self.patience.restMilliseconds)
        }
    }

    private func refuse(_ error: ControlError, isWish: Bool) throws(CommandFailure) {
        switch error {
        case .noHost: return
        case .cutOff where isWish: return
        case .refused:
            throw CommandFailure(
                "job \"\(job)\" cannot be commanded", found: "\(error)", help: "give the command as that user", .inputOutput)
        case .cutOff, .timeout:
            throw CommandFailure(
                "job \"\(job)\": \(error)", help: "`stagehost status \(job)` shows what became of it", .interrupted)
        case .system(let system):
            throw CommandFailure("the host of job \"\(job)\" cannot be reached: \(system)", .inputOutput)
        }
    }

    private func show(_ reply: ControlReply) {
        let message = PrintableText.line(reply.message)
        if reply.isOK { Screen.show(["\(job): \(message)"]) } else { Console.error("error: job \"\(job)\": \(message)") }
    }

    /// Writes down what is wanted, for the next host.
    func note(_ wish: JobRecord.Wish) throws(CommandFailure) {
        do throws(SystemError) {
            if let directory = try JobDirectory.take(folder) {
                var record = JobRecord(folder: folder) ?? JobRecord(job: job, created: Timestamp.now())
                record.wish = wish
                try record.write(to: folder)
                _ = consume directory
                return
            }
        } catch {
            throw CommandFailure("the wish cannot be written down: \(error)", .inputOutput)
        }
        throw CommandFailure(
            "job \"\(job)\" is taken, and nobody there listens", found: "a lock on \(folder)/\(JobLayout.lock)",
            help: "wait until that process is done with it, and give the command again", .interrupted)
    }
}
