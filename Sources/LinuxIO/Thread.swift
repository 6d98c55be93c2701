import Glibc

/// A thread with one thing to do. Whoever does not join it lets it go.
package struct Thread: ~Copyable {
    private let number: pthread_t

    package static func start(_ body: @escaping @Sendable () -> Void) throws(SystemError) -> Thread {
        var number = pthread_t()
        let task = unsafe Unmanaged.passRetained(Task(body: body))
        let error = unsafe pthread_create(
            &number, nil,
            { context in
                if let context = unsafe context { unsafe Unmanaged<Task>.fromOpaque(context).takeRetainedValue().body() }
                return nil
            }, task.toOpaque())
        guard error == 0 else {
            unsafe task.release()
            throw SystemError("pthread_create", "", code: error)
        }
        return Thread(number: number)
    }

    /// Waits until it has ended.
    package consuming func join() {
        _ = pthread_join(number, nil)
        discard self
    }

    deinit { _ = pthread_detach(number) }

    /// Keeps what the thread does alive until it runs.
    private final class Task: Sendable {
        let body: @Sendable () -> Void
        init(body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
