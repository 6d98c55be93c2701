import StageCommand

/// How a job lies there while no host runs it.
enum JobRest {
    /// Begun, and to go on.
    case unfinished
    /// It waits for `stagehost resume`.
    case paused
    /// Over for good.
    case stopped
    case complete
}

extension StoredJob {
    /// What the job's record says of what somebody wanted, and its logs of whether it is done. Damaged logs are not done.
    var rest: JobRest {
        if (try? snapshot())?.recovery.isComplete ?? false { return .complete }
        return record?.rest ?? .unfinished
    }
}

extension JobRecord {
    /// What somebody wanted of the job, whether a host was there to hear it or not.
    var rest: JobRest {
        switch wish {
        case .stop: .stopped
        case .pause: .paused
        case nil: endState == "stopped" ? .stopped : .unfinished
        }
    }
}

extension CommandFailure {
    static func stopped(_ job: String) -> CommandFailure {
        CommandFailure(
            "job \"\(job)\" was stopped for good",
            help: "`stagehost run PIPELINE --fresh` starts it over, `--job NAME` begins another one beside it", .cannotCreate)
    }

    static func paused(_ job: String) -> CommandFailure {
        CommandFailure(
            "job \"\(job)\" is paused", help: "`stagehost resume \(job)` goes on, `stagehost run PIPELINE --fresh` starts it over",
            .interrupted)
    }
}
