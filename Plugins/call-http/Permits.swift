import Synchronization

/// How many calls the worker may still begin, shared by the threads that work on batches; and the clients at rest.
///
/// A thread that gets no permit waits in its client, and is woken when one comes back.
final class Permits: Sendable {
    private struct State {
        var free: Int
        var resting: [HTTPClient] = []
        var waiting: [ObjectIdentifier: HTTPClient] = [:]
    }

    private let state: Mutex<State>
    private let options: HTTPClient.Options

    init(_ count: Int, options: HTTPClient.Options) {
        state = Mutex(State(free: count))
        self.options = options
    }

    /// Takes one permit; false when there is none: the client is woken when that changes.
    func take(for client: HTTPClient) -> Bool {
        state.withLock { state in
            guard state.free > 0 else {
                state.waiting[ObjectIdentifier(client)] = client
                return false
            }
            state.free -= 1
            return true
        }
    }

    func giveBack(_ count: Int = 1) {
        let waiting = state.withLock { state in
            state.free += count
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for client in waiting { client.wake() }
    }

    /// A client with connections from before, or a new one.
    func client() throws -> HTTPClient {
        if let client = state.withLock({ $0.resting.popLast() }) { return client }
        return try HTTPClient(options)
    }

    /// Keeps a client, which has nothing under way, for the next batch.
    func rest(_ client: HTTPClient) {
        state.withLock { $0.resting.append(client) }
    }
}
