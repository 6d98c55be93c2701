import StageModel

@testable import StageScheduler

extension World {
    /// Prints what happened, shortly, for a seed that is looked into.
    func trace(_ event: Event, _ actions: [Action]) {
        print("\(now) \(short(event))")
        for action in actions { print("    \(short(action))") }
    }

    func traceStart() {
        guard isTraced else { return }
        for stage in plan.stages {
            print(
                stage.policy.name, stage.isStateful ? "stateful" : "", stage.showsState ? "shows" : "",
                stage.policy.durable ? "" : "not durable", stage.policy.kind == .sink ? "\(stage.sink)" : "",
                stage.deeds,
                stage.policy.workers, stage.policy.threads, stage.maximumWorkers,
                stage.flags.contains(.recordByRecord) ? "by record" : "", stage.finishes ? "finish" : "")
        }
    }

    private func short(_ event: Event) -> String {
        switch event {
        case .partial(let id, let dispatch, let outcome): "partial \(id.number) #\(dispatch) \(short(outcome))"
        case .result(let id, let dispatch, let status, let outcome, _, _, _):
            "result \(id.number) #\(dispatch) \(status) \(short(outcome))"
        case .fetched(let stage, let batch, _): "fetched \(stage):\(batch)"
        default: "\(event)"
        }
    }

    private func short(_ outcome: Outcome) -> String {
        "\(outcome.covered.ranges) passed \(outcome.passed) failed \(outcome.failures.map(\.input)) out \(outcome.output?.recordCount ?? 0) checkpoint \((outcome.checkpoint as? Checkpoint)?.position ?? -1)"
    }

    private func short(_ action: Action) -> String {
        switch action {
        case .send(let id, let dispatch, .process(let batch, _, let count, let ranges, _, let replay, _)):
            "send \(id.number) #\(dispatch) batch \(batch) of \(count): \(ranges.ranges)\(replay ? " replay" : "")"
        case .sendNext(let id, let dispatch, .process(let batch, _, let count, let ranges, _, let replay, _)):
            "send next \(id.number) #\(dispatch) batch \(batch) of \(count): \(ranges.ranges)\(replay ? " replay" : "")"
        case .send(let id, let dispatch, let request): "send \(id.number) #\(dispatch) \(request)"
        case .append(let commit):
            "append \(commit.stage):\(commit.batch) \(commit.isWhole ? "whole" : "part") \(commit.covered.ranges) letters \(commit.letters.map(\.input)) checkpoint \((commit.checkpoint as? Checkpoint)?.position ?? -1)"
        case .open(let id, let stage, let checkpoint):
            switch checkpoint {
            case .payload(let payload): "open \(id.number) of \(stage) at \((payload as? Checkpoint)?.position ?? -1)"
            default: "open \(id.number) of \(stage) at \(checkpoint)"
            }
        default: "\(action)"
        }
    }
}
