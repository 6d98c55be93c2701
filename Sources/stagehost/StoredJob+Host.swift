import StageConfig
import StageControl

extension StoredJob {
    /// The status from the host itself, if one runs and answers in time.
    func hostStatus(timeoutSeconds: Double) -> JSONValue? {
        guard isRunning else { return nil }
        var status: JSONValue?
        try? ControlClient.send(.status, folder: folder, timeoutSeconds: timeoutSeconds) { line in
            status = ControlReply(line)?.more.first { $0.key == "status" }?.value
            return false
        }
        guard case .object = status else { return nil }
        return status
    }
}
