import LinuxIO
import StageControl
import StageScheduler

// What people ask of a running job through its control socket.

extension Host {
    func carryOut(_ request: ControlRequest) {
        let client = request.client
        switch request.command {
        case .status:
            answer(client, true, "status", more: statusText())
        case .pause(let release):
            paused(true)
            tell(.pause(release: release, request: requestNumber(for: client)))
        case .resume:
            paused(false)
            tell(.unpause)
            answer(client, true, "going on")
        case .stop:
            isStoppedForGood = true
            tell(.drain(reason: "stopped for good"))
            answer(client, true, "stopping for good: what is in hand is finished")
        case .restart(let stage, let plugin):
            restart(stage, plugin, for: client)
        case .retry(let stage, let letters):
            forLetters(stage, for: client) { .retry(stage: $0, letters: letters, request: $1) }
        case .discard(let stage, let letters):
            forLetters(stage, for: client) { .discard(stage: $0, letters: letters, request: $1) }
        case .unknown(let name):
            answer(client, false, "there is no command \"\(name)\"")
        }
    }

    private func forLetters(_ name: String, for client: ControlClientID, _ event: (Int, UInt64) -> Event) {
        guard let index = stageNames.firstIndex(of: name) else { return refuse(name, client) }
        tell(event(index, requestNumber(for: client)))
    }

    private func refuse(_ stage: String, _ client: ControlClientID) {
        answer(client, .denial("there is no stage \"\(stage)\"; the stages are: \(stageNames.joined(separator: ", "))"))
    }

    private func restart(_ name: String, _ plugin: String?, for client: ControlClientID) {
        guard let index = stageNames.firstIndex(of: name) else { return refuse(name, client) }
        var build: Int?
        if let plugin {
            do throws(SystemError) {
                build = try keepBuild(plugin, of: index)
            } catch {
                return answer(client, .denial("the plugin cannot be taken: \(error)"))
            }
        }
        tell(.restart(stage: name, build: build, request: requestNumber(for: client)))
    }
}
