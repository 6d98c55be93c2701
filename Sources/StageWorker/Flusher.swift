import CWorker
import Glibc
import Synchronization

/// A thread that sends ahead what is done of slow batches, and the resume bytes that wait. (A record that is slow by itself
/// leaves as soon as it is done, without this thread.)
///
/// It looks every few milliseconds while there is work, and sleeps for good when there has been none for a while; a
/// batch only has to wake it then. On a stream of fast batches it costs them one load each.
@safe final class Flusher: @unchecked Sendable {
    /// Together below the 50 milliseconds that are promised.
    private static let tickMicroseconds: UInt32 = 15_000
    private static let age: UInt64 = 25_000_000
    /// After a lock was found taken.
    private static let shortTickMicroseconds: UInt32 = 1_000
    private static let idleTicks = 32

    private let outputs: [Output]
    private let isAsleep = Atomic<Bool>(false)
    private let gate = Gate()

    init(_ outputs: [Output]) { self.outputs = outputs }

    func start() throws(Departure) {
        let error = unsafe cworker_start_thread(
            { pointer in
                guard let pointer = unsafe pointer else { return }
                unsafe Unmanaged<Flusher>.fromOpaque(pointer).takeRetainedValue().run()
            }, unsafe Unmanaged.passRetained(self).toOpaque(), 0)
        guard error == 0 else { throw .system("thread for partial results", error) }
    }

    /// Called after a batch has been marked active. Both sides store, then load, in one total order: either the batch sees
    /// the sleeper or the sleeper sees the batch.
    @inline(__always)
    func wakeIfAsleep() {
        guard isAsleep.load(ordering: .sequentiallyConsistent) else { return }
        gate.change { isAsleep.store(false, ordering: .sequentiallyConsistent) }
    }

    private var hasWork: Bool {
        outputs.contains { $0.activeSince.load(ordering: .sequentiallyConsistent) != 0 }
    }

    private func run() {
        var idle = 0
        var tick = Self.tickMicroseconds
        while true {
            usleep(tick)
            tick = Self.tickMicroseconds
            let now = cworker_now()
            idle += 1
            for output in outputs {
                let since = output.activeSince.load(ordering: .relaxed)
                guard since != 0 else { continue }
                idle = 0
                if now > since, now - since >= Self.age, !output.flush(now: now, age: Self.age) {
                    tick = Self.shortTickMicroseconds
                }
            }
            if idle >= Self.idleTicks {
                isAsleep.store(true, ordering: .sequentiallyConsistent)
                gate.wait(until: { !isAsleep.load(ordering: .sequentiallyConsistent) || hasWork }) {
                    isAsleep.store(false, ordering: .sequentiallyConsistent)
                }
                idle = 0
            }
        }
    }
}

extension Output {
    /// Sends what is due; false when somebody else had the lock, so that it is worth asking again soon.
    fileprivate func flush(now: UInt64, age: UInt64) -> Bool {
        guard sending.takeIfFree() else { return true }  // the call is ending: all leaves
        defer { sending.release() }
        guard lock.takeIfFree() else { return false }
        guard unsafe isOpen, unsafe call.kind == .process else {
            lock.release()
            return true
        }
        guard unsafe now < lastFlush || now - lastFlush >= age else {
            lock.release()
            return true
        }
        sendWaitingResumes()
        guard unsafe doneWaiting > 0 else {
            lock.release()
            return true
        }
        sendDone(releasing: true)
        return true
    }
}
