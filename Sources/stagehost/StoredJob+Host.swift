import StageConfig
import StageControl

extension StoredJob {
    /// The status from the host itself, if one runs and answers in time.
    func hostStatus(timeoutSeconds: Double) -> JSONValue? {
        guard isRunning else { return nil }
        var status: JSONValue?
        do throws(ControlError) {
            try ControlClient.send(.status, folder: folder, timeoutSeconds: timeoutSeconds) { line in
                if case .success(let root) = ConfigParser.parse(SourceText(name: "reply", text: line)) { status = root.plain["status"] }
                return true
            }
        } catch {
            return nil
        }
        guard case .object = status else { return nil }
        return status
    }
}
