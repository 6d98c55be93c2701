// The protocol's C types are part of what a plugin file sees, so that its one entry line needs no second import.
@_exported public import CStage

/// What every plugin says about itself, and how it is made.
///
/// Conform to one of ``Transform``, ``ConcurrentTransform``, ``BatchTransform``, ``ConcurrentBatchTransform``, ``Source``
/// or ``Sink``, and export the type with one line:
///
///     @c @implementation public func stage_plugin_v1() -> StageTable { exportStage(Shout.self) }
///
/// `public` matters: without it an optimized build hides the function, and the library has no entry.
public protocol Stage {
    /// The `with` object of the pipeline file. Keys that the type does not ask for are refused.
    associatedtype Configuration: Decodable = NoConfiguration

    /// The name of the plugin, as in `libstage-NAME.so`.
    static var id: String { get }

    /// The version of the plugin, as in "1.2.0".
    static var version: String { get }

    /// One sentence for people who list plugins.
    static var summary: String { get }

    /// JSON Schema of the configuration, as JSON text. Default: none, anything goes.
    static var configurationSchema: String? { get }

    /// How many workers of one stage may run at once; 0: any number. Default: any number of transforms, one source,
    /// one sink.
    static var maxWorkers: Int { get }
    /// Whether `finish` does anything. Default: true. A ``Stateful`` stage that says false can take dead letters that are
    /// tried again after the end of the input; one that sums up in its `finish` cannot.
    static var hasFinish: Bool { get }

    /// Gets ready. Whatever it throws refuses the stage for good, except `StageFailure.retry`, which tries again later.
    init(configuration: Configuration, host: Host) throws

    /// Called when the worker leaves in peace; not called when it is killed. Default: nothing.
    mutating func close()
}

extension Stage {
    public static var configurationSchema: String? { nil }
    public static var maxWorkers: Int { 0 }
    public static var hasFinish: Bool { true }
    public mutating func close() {}
}

/// The configuration of a plugin that takes none: an empty object, or no `with` at all.
public struct NoConfiguration: Decodable, Sendable {
    private enum CodingKeys: CodingKey {}

    public init(from decoder: any Decoder) throws {
        _ = try decoder.container(keyedBy: CodingKeys.self)
    }
}

/// A plugin that works on one record after another.
///
/// What it emits for a record is passed on; a record for which it emits nothing is filtered; a record for which it
/// throws has failed: see ``RecordFailure``. The host learns before each record that it begins and after each that it
/// is done, so that a death is blamed on the right record and costs no other.
public protocol Transform: Stage {
    mutating func process(_ record: borrowing Record, into output: borrowing Output) throws

    /// The input has ended: emits what has been kept. May be called again in a new worker. Default: nothing.
    mutating func finish(into output: borrowing Output) throws
}

extension Transform {
    public mutating func finish(into output: borrowing Output) throws {}
}

/// A ``Transform`` that may be given several batches at once, each on a thread of its own (`threads: n`): for stages
/// that wait for a network.
public protocol ConcurrentTransform: Stage, Sendable {
    func process(_ record: borrowing Record, into output: borrowing Output) throws
}

/// A plugin that works on a whole batch at a time: for calls that are cheaper by the dozen.
///
/// What `process` throws fails every record of the batch that has no outcome yet: `RecordFailure.transient` has the
/// batch tried again later, any other error is permanent.
public protocol BatchTransform: Stage {
    mutating func process(_ batch: borrowing Batch, into output: borrowing BatchOutput) throws

    /// The input has ended: emits what has been kept. May be called again in a new worker. Default: nothing.
    mutating func finish(into output: borrowing Output) throws
}

extension BatchTransform {
    public mutating func finish(into output: borrowing Output) throws {}
}

/// A ``BatchTransform`` that may be given several batches at once, each on a thread of its own (`threads: n`): for stages
/// that have many calls under way at a time.
public protocol ConcurrentBatchTransform: Stage, Sendable {
    func process(_ batch: borrowing Batch, into output: borrowing BatchOutput) throws
}

/// A plugin that brings records in.
///
/// The contract: the same position yields the same records. `init` finds the position to go on from in
/// `host.checkpoint`; each `read` sets the one after its last record with `output.checkpoint`.
public protocol Source: Stage {
    /// Emits up to `limit.records` records, about `limit.bytes` of keys and values in all.
    mutating func read(upTo limit: ReadLimit, into output: borrowing SourceOutput) throws -> ReadResult
}

extension Source {
    public static var maxWorkers: Int { 1 }
}

/// How much one `read` may bring.
public struct ReadLimit: Sendable {
    /// Records at most.
    public let records: Int

    /// Bytes of keys and values, about: a single larger record is fine.
    public let bytes: Int

    public init(records: Int, bytes: Int) {
        self.records = records
        self.bytes = bytes
    }
}

/// What a `read` says about the next one.
public enum ReadResult: Sendable {
    /// There may be more.
    case more

    /// No more records, now or ever; those just emitted count.
    case end

    /// Nothing now, ask again.
    case idle
}

/// A plugin that makes the effect of a batch outside, and says how far it has come.
///
/// What `write` throws is meant for the batch: `RecordFailure.transient` and `StageFailure.retry` have it tried again
/// later, other errors fail the records that have no outcome yet. Single records fail through `output.fail`.
public protocol Sink: Stage {
    mutating func write(_ batch: borrowing Batch, into output: borrowing SinkOutput) throws

    /// Makes durable whatever was written so far. Default: nothing.
    mutating func sync(into output: borrowing SinkOutput) throws

    /// The input has ended: the last words. May be called again in a new worker. Default: nothing.
    mutating func finish(into output: borrowing SinkOutput) throws
}

extension Sink {
    public static var maxWorkers: Int { 1 }
    public mutating func sync(into output: borrowing SinkOutput) throws {}
    public mutating func finish(into output: borrowing SinkOutput) throws {}
}
