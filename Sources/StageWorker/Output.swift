import CStage
import CWorker
import StageModel
import StageWire
import Synchronization

/// Where the outcome of the calls on one thread goes: what `stage_output` is a face of.
///
/// Any thread of the plugin may use it while a call runs; `lock` guards everything below it. After the call it is closed:
/// a late use finds that out by the number in its face and is refused, and the memory behind the face stays.
@safe final class Output: @unchecked Sendable {
    let plugin: PluginTable
    let page: PageSlot
    let writer: FrameWriter

    /// Held while outcomes are taken out and sent, so that a result never overtakes a partial. Taken before `lock`.
    let sending = Lock()
    let lock = Lock()

    /// When the `process` call in hand began, in nanoseconds; 0 when there is none. Read by the flusher without a lock.
    let activeSince = Atomic<UInt64>(0)

    // Guarded by `lock`, which is why the dynamic checks of exclusive access, several for each record, are left out.
    @exclusivity(unchecked) private(set) var number: UInt64 = 0
    @exclusivity(unchecked) private(set) var isOpen = false
    @exclusivity(unchecked) var call = Call(.open, FrameHeader(.open))
    @exclusivity(unchecked) var parcel = Parcel()
    /// Where a plugin writes a value before it is a record, while `parcel` is in a room: no pointer of a plugin leads there.
    @exclusivity(unchecked) var aside = GrowingBytes()
    /// Entries of the last result: for so many there is room before the bytes of the next.
    @exclusivity(unchecked) private var usualEntries = 0
    /// Takes over what stays when a part of `parcel` leaves.
    @exclusivity(unchecked) var spare = Parcel()
    /// What is about to leave ahead of the result. Guarded by `sending`.
    @exclusivity(unchecked) var leaving = Parcel()
    /// One byte of `RecordState` for each record of the part of the batch that the request is about, at `place` of its index.
    let states = UnsafeMutablePointer<UInt8>.allocate(capacity: Int(WireLimits.maximumBatchRecords))
    /// The indexes of a request lie between two multiples of 65,536: `InputBatch` has seen to it.
    @inline(__always)
    static func place(_ index: UInt32) -> Int { Int(index % WireLimits.maximumBatchRecords) }
    @exclusivity(unchecked) var isInOrder = true
    @exclusivity(unchecked) var lastInput: UInt32 = 0
    /// Some entries belong to records that have failed.
    @exclusivity(unchecked) var hasDropped = false
    @exclusivity(unchecked) var emitted: UInt32 = 0
    @exclusivity(unchecked) var emittedBytes = 0
    /// Records that are done and have not left.
    @exclusivity(unchecked) var doneWaiting = 0
    /// RECORD_BY_RECORD: all of the plugin's indexes below this one are done.
    @exclusivity(unchecked) var doneBelow: UInt32 = 0
    @exclusivity(unchecked) var failures: [RecordFailure] = []
    @exclusivity(unchecked) var failureBytes = 0
    /// Records of this call have failed transiently.
    @exclusivity(unchecked) var someComeAgain = false
    @exclusivity(unchecked) var sourceFailures: [UnreadableRecord] = []
    @exclusivity(unchecked) var sourceFailureBytes = 0
    @exclusivity(unchecked) var metrics: [MetricItem] = []
    @exclusivity(unchecked) var checkpoint = GrowingBytes()
    @exclusivity(unchecked) var hasCheckpoint = false
    @exclusivity(unchecked) var explanation: String?
    @exclusivity(unchecked) var retryAfterMilliseconds: UInt32 = 0
    /// What earlier attempts have left, by index in the batch.
    @exclusivity(unchecked) var resumes: [UInt32: [UInt8]] = [:]
    @exclusivity(unchecked) var reservation: Reservation?
    @exclusivity(unchecked) var pulse = Pulse()
    @exclusivity(unchecked) var lastFlush: UInt64 = 0
    /// The slot in the page, which partial frames name.
    private let slot: Int
    var slotNumber: UInt32 { UInt32(slot) }
    /// Partial frames of this slot since the worker began. Under `sending`.
    @exclusivity(unchecked) var partialsSent: UInt32 = 0
    /// What a request that follows waits for: the last `process` was done, no record of it is to come again, and a sink
    /// that is synced has said where it stands. Only the thread that serves requests looks at it.
    @exclusivity(unchecked) private(set) var endedWell = false

    /// Room that a plugin writes a value into before it is a record.
    struct Reservation {
        var input: UInt32
        var identifier: UInt64
        var keySize: Int
        var size: Int
        /// Key and value are in `aside`, not behind the bytes of the parcel.
        var isAside: Bool
    }

    private static let faceCount: UInt64 = 256
    private let faces: UnsafeMutablePointer<cworker_face>

    init(plugin: PluginTable, page: PageSlot, slot: Int, writer: FrameWriter) {
        self.slot = slot
        self.plugin = plugin
        self.page = page
        self.writer = writer
        unsafe faces = .allocate(capacity: Int(Self.faceCount))
        for index in 0..<Int(Self.faceCount) {
            unsafe faces[index] = unsafe cworker_face(output: OutputFunctions.table, owner: nil, call: 0)
            unsafe faces[index].output.context = unsafe UnsafeMutableRawPointer(faces + index)
            unsafe faces[index].owner = unsafe Unmanaged.passUnretained(self).toOpaque()
        }
    }

    /// Begins a call; what is returned goes to the plugin.
    func begin(_ call: Call, resumes: [UInt32: [UInt8]] = [:]) -> UnsafePointer<stage_output> {
        _ = lock.take()
        unsafe number += 1
        unsafe self.call = call
        unsafe self.resumes = resumes
        unsafe states.update(repeating: 0, count: Int(call.end - call.first))
        unsafe parcel.removeAll()
        if let room = unsafe call.room, call.emits, !call.isReplay {
            unsafe parcel.borrow(room, entries: max(Int(call.count), usualEntries + usualEntries / 8))
        }
        unsafe aside.count = 0
        unsafe aside.trim(above: Parcel.keptBytes)
        unsafe isInOrder = true
        unsafe lastInput = 0
        unsafe hasDropped = false
        unsafe emitted = 0
        unsafe emittedBytes = 0
        unsafe doneWaiting = 0
        unsafe doneBelow = 0
        if unsafe !failures.isEmpty { unsafe failures.removeAll() }
        unsafe failureBytes = 0
        unsafe someComeAgain = false
        if unsafe !sourceFailures.isEmpty { unsafe sourceFailures.removeAll() }
        unsafe sourceFailureBytes = 0
        if unsafe !metrics.isEmpty { unsafe metrics.removeAll(keepingCapacity: true) }
        unsafe hasCheckpoint = false
        unsafe explanation = nil
        unsafe retryAfterMilliseconds = 0
        unsafe reservation = nil
        unsafe pulse.begin()
        unsafe lastFlush = cworker_now()
        let face = unsafe faces + Int(number % Self.faceCount)
        unsafe face.pointee.call = number
        unsafe isOpen = true
        unsafe page.enter(
            dispatch: call.request.dispatch, batch: call.request.batch, count: call.batchCount, part: call.first..<call.end,
            asked: call.indexes.map { unsafe UnsafeBufferPointer(start: $0, count: Int(call.count)) })
        lock.release()
        return unsafe UnsafeRawPointer(face).assumingMemoryBound(to: stage_output.self)
    }

    /// The caller holds `sending`; the call is over.
    func noteEnd(_ status: CallStatus) {
        unsafe endedWell =
            status == .ok && !someComeAgain
            && (plugin.kind != .sink || !plugin.functions.contains(.sync) || hasCheckpoint)
    }

    /// The caller holds `sending`, and the output is shut.
    func noteSent() {
        unsafe usualEntries = parcel.entryCount
        unsafe parcel.giveBackRoom()
        unsafe spare.giveBackRoom()
    }

    /// Ends a call without an answer: `open`, which is answered otherwise.
    func abandon() {
        _ = lock.take()
        unsafe isOpen = false
        page.leave()
        lock.release()
    }

    /// Closes the output for all faces. The caller holds neither lock, or has left a reservation open, which is dropped.
    func shut() {
        _ = lock.take()
        unsafe isOpen = false
        unsafe reservation = nil
        lock.release()
    }

    /// The face that a plugin's pointer is; nil for something else. Its memory is never freed.
    @inline(__always)
    static func face(_ pointer: UnsafePointer<stage_output>) -> UnsafeMutablePointer<cworker_face>? {
        unsafe pointer.pointee.context?.assumingMemoryBound(to: cworker_face.self)
    }

    /// Finds the output behind a face, takes its lock, and does `body`; `otherwise` when the face may not be used now.
    ///
    /// Outputs live as long as the worker: no reference is counted here, several times for each record.
    @inline(__always)
    static func using<Result>(
        _ pointer: UnsafePointer<stage_output>, otherwise: Result, keepsLock: (Result) -> Bool = { _ in false },
        _ body: (Output) -> Result
    ) -> Result {
        guard let face = unsafe face(pointer), let owner = unsafe face.pointee.owner else { return otherwise }
        return unsafe Unmanaged<Output>.fromOpaque(owner)._withUnsafeGuaranteedRef { output in
            guard output.lock.take() else { return otherwise }  // a reservation of this very thread is open
            guard unsafe output.isOpen, unsafe face.pointee.call == output.number else {
                output.lock.release()
                return otherwise
            }
            let result = body(output)
            if !keepsLock(result) { output.lock.release() }
            return result
        }
    }

    @inline(__always)
    func leave() { lock.release() }

    /// The index in the batch of the plugin's index `input`; nil when there is no such record.
    @inline(__always)
    func batchIndex(_ input: UInt32) -> UInt32? {
        guard unsafe input < call.count else { return nil }
        guard let indexes = unsafe call.indexes else { return input }
        return unsafe indexes[Int(input)]
    }
}
