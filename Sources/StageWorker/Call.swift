import CStage
import StageWire

/// What a call into the plugin is about, as far as its output needs to know. Plain numbers and pointers: it is looked at for
/// every record.
@safe struct Call {
    enum Kind { case open, read, process, sync, finish }

    var kind: Kind
    /// The request: its dispatch and batch go into every answer.
    var request: FrameHeader
    /// Records handed to the plugin, and their pointers, which are valid during the call.
    var count: UInt32 = 0
    var records: UnsafePointer<stage_record>?
    /// Their indexes in the batch; nil when they are the same.
    var indexes: UnsafePointer<UInt32>?
    /// Records of the whole batch.
    var batchCount: UInt32 = 0
    /// Where the part of the batch begins that the request is about: a multiple of 65,536.
    var first: UInt32 = 0
    /// Where it ends.
    var end: UInt32 { first + min(batchCount - first, WireLimits.maximumBatchRecords) }
    /// The most records that may be emitted.
    var limit = WireLimits.maximumBatchRecords

    /// Where in the shared memory the blocks of the result may be put, to be written to until it is sent.
    var room: UnsafeMutableRawBufferPointer?

    init(_ kind: Kind, _ request: FrameHeader) {
        self.kind = kind
        self.request = request
    }

    var isReplay: Bool { kind == .process && request.flags & FrameHeader.replay != 0 }
    var emits: Bool { kind == .read || kind == .process || kind == .finish }
}

/// What is known of a record of the batch in hand: bits of one byte.
enum RecordState {
    static let hasEntries: UInt8 = 1 << 0
    static let failed: UInt8 = 1 << 1
    static let transient: UInt8 = 1 << 2
    static let done: UInt8 = 1 << 3
    /// Its outcome has left the worker.
    static let gone: UInt8 = 1 << 4
}

/// Return codes of the functions of `stage_output` and `stage_host`.
enum Code {
    static let ok: Int32 = 0
    static var index: Int32 { Int32(STAGE_ERROR_INDEX) }
    static var tooLarge: Int32 { Int32(STAGE_ERROR_TOO_LARGE) }
    static var state: Int32 { Int32(STAGE_ERROR_STATE) }
    static var memory: Int32 { Int32(STAGE_ERROR_MEMORY) }
    static var missing: Int32 { Int32(STAGE_ERROR_MISSING) }
    static var type: Int32 { Int32(STAGE_ERROR_TYPE) }
}
