import CWorker
import Glibc

/// A mutex that knows its owner: taking it twice on one thread is an answer, not a deadlock.
///
/// It may be held between two calls of a plugin (`reserve` and `commit`), which is why it is not a closure's.
@safe final class Lock: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<cworker_lock>

    /// Never freed: locks live as long as the worker.
    init() {
        unsafe lock = .allocate(capacity: 1)
        unsafe lock.initialize(to: cworker_lock())
    }

    /// False when this thread holds it already.
    @inline(__always)
    func take() -> Bool { unsafe cworker_lock_take(lock) != 0 }

    /// Whether this thread holds it.
    @inline(__always)
    var isMine: Bool { unsafe cworker_lock_is_mine(lock) != 0 }

    /// False when anybody holds it.
    @inline(__always)
    func takeIfFree() -> Bool { unsafe cworker_lock_try(lock) != 0 }

    @inline(__always)
    func release() { unsafe cworker_lock_release(lock) }
}

/// A place where threads wait for a condition that other threads make true.
@safe final class Gate: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    /// Never freed: gates live as long as the worker.
    init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(condition, nil)
    }

    /// Waits until `condition` holds, then does `body` under the lock.
    func wait<Result>(until holds: () -> Bool, _ body: () -> Result) -> Result {
        unsafe pthread_mutex_lock(mutex)
        while !holds() { unsafe pthread_cond_wait(condition, mutex) }
        let result = body()
        unsafe pthread_mutex_unlock(mutex)
        return result
    }

    /// Changes something that others wait for.
    func change(_ body: () -> Void) {
        unsafe pthread_mutex_lock(mutex)
        body()
        unsafe pthread_cond_broadcast(condition)
        unsafe pthread_mutex_unlock(mutex)
    }
}
