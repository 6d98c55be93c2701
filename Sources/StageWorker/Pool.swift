import CWorker
import StageWire

/// The threads of a reentrant plugin: each takes one `process` request at a time.
@safe final class Pool: @unchecked Sendable {
    private let gate = Gate()
    private let slots: [Slot]
    private let flusher: Flusher
    private nonisolated(unsafe) let own: UnsafeMutableRawPointer?
    // Guarded by `gate`.
    private var idle: [Int]
    private var handed: [FrameHeader?]

    private final class Member {
        let pool: Pool
        let index: Int
        init(_ pool: Pool, _ index: Int) {
            self.pool = pool
            self.index = index
        }
    }

    init(_ slots: [Slot], _ own: UnsafeMutableRawPointer?, _ flusher: Flusher) {
        self.slots = slots
        unsafe self.own = unsafe own
        self.flusher = flusher
        idle = Array(slots.indices)
        handed = Array(repeating: nil, count: slots.count)
    }

    func start() throws(Departure) {
        for index in slots.indices {
            let error = unsafe cworker_start_thread(
                { pointer in
                    guard let pointer = unsafe pointer else { return }
                    let member = unsafe Unmanaged<Member>.fromOpaque(pointer).takeRetainedValue()
                    member.pool.run(member.index)
                }, unsafe Unmanaged.passRetained(Member(self, index)).toOpaque(), 1)
            guard error == 0 else { throw .system("thread \(index) of the stage", error) }
        }
    }

    /// Waits for a thread without work; the caller fills its slot's payload and hands it over.
    func waitForIdle() -> Int {
        gate.wait(until: { !idle.isEmpty }) { idle.removeLast() }
    }

    func hand(_ request: FrameHeader, to index: Int) {
        gate.change { handed[index] = request }
    }

    /// Waits until every thread is without work.
    func drain() {
        gate.wait(until: { idle.count == slots.count }) {}
    }

    private func run(_ index: Int) {
        cworker_set_slot_of_thread(Int32(index))
        while true {
            let request = gate.wait(until: { handed[index] != nil }) {
                defer { handed[index] = nil }
                return handed[index]
            }
            guard let request else { continue }
            do {
                unsafe try slots[index].process(request, own, flusher)
            } catch {
                depart(Departure(of: error))
            }
            gate.change { idle.append(index) }
        }
    }
}

extension Departure {
    /// Whatever went wrong while serving, as the end of the worker.
    init(of error: any Error) {
        self = error as? Departure ?? .confused("request from the host: \(error)")
    }
}
