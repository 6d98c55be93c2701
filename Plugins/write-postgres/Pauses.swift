import Glibc
import StageKit

/// The pauses between tries: from a tenth of a second to five seconds, for so long in all.
struct Pauses {
    private let end: ContinuousClock.Instant
    private let host: Host
    private var milliseconds = 100.0

    init(until limit: Duration, _ host: Host) {
        end = .now + limit
        self.host = host
    }

    /// Waits before the next try, with a heartbeat now and then. False: there is none, the time is over.
    mutating func rest() -> Bool {
        guard ContinuousClock.now < end else { return false }
        // Two that are in each other's way do not come again at the same time.
        let over = ContinuousClock.now + .milliseconds(milliseconds * Double.random(in: 0.75...1.25))
        milliseconds = min(2 * milliseconds, 5000)
        while ContinuousClock.now < over {
            if host.isCancelled { return false }
            _ = poll(nil, 0, 20)
            host.heartbeat()
        }
        return true
    }
}
