import StageConfig
import StageModel
import StageReport
import StageWire

/// An entry of the ledger: a message item with a JSON object, whose keys depend on the kind.
struct LedgerEntry: Equatable {
    enum Kind: String {
        /// `letters` of `stage` are tried again as `batch`; `last` is the source's last batch, if it had ended.
        case retry
        /// The retry of this `batch` never began: the source's log, which comes first, has lost its place.
        case withdrawn
        /// `letters` of `stage` are given up.
        case discard
        /// Letters up to `through` were looked at; `letters` of them tell of failures that no stage ever claimed.
        case unclaimed
        /// What the batches of `stage` up to `through` have cost: `amounts`. Their entries may be gone.
        case costs
    }

    var kind: Kind
    var stage: Int?
    var batch: UInt64?
    var last: UInt64?
    var through: UInt64?
    /// Pairs of first and last number.
    var letters: [[UInt64]]?
    var amounts: [String: Double]?

    init(_ kind: Kind) { self.kind = kind }

    var extra: [UInt8] {
        var members: [JSONValue.Member] = [.init("kind", .string(kind.rawValue))]
        if let stage { members.append(.init("stage", .integer(Int64(stage)))) }
        for (key, value) in [("batch", batch), ("last", last), ("through", through)] {
            if let value { members.append(.init(key, .count(value))) }
        }
        if let letters { members.append(.init("letters", .array(letters.map { .array($0.map(JSONValue.count)) }))) }
        if let amounts {
            let sorted = amounts.sorted { $0.key < $1.key }
            members.append(.init("amounts", .object(sorted.map { .init($0.key, .number($0.value)) })))
        }
        var items = ItemWriter()
        items.append(.message, Array(JSONValue.object(members).json().utf8))
        return items.bytes
    }

    init?(extra: [UInt8]) {
        let message: [UInt8]? = unsafe extra.withUnsafeBytes { raw in
            var reader = unsafe ItemReader(raw)
            while let item = try? reader.next() {
                if item.type == .message { return item.array }
            }
            return nil
        }
        let object = LenientObject(message.flatMap { JSONValue(ownText: $0) })
        guard let kind = object.text("kind").flatMap(Kind.init) else { return nil }
        self.kind = kind
        stage = object.optionalCount("stage").flatMap(Int.init(exactly:))
        batch = object.optionalCount("batch")
        last = object.optionalCount("last")
        through = object.optionalCount("through")
        if object.keys.contains("letters") {
            let pairs = object.list("letters").compactMap(Self.numbers)
            guard pairs.count == object.list("letters").count else { return nil }
            letters = pairs
        }
        if object.keys.contains("amounts") {
            amounts = Dictionary(object.amounts("amounts").map { ($0.name, $0.amount) }, uniquingKeysWith: { first, _ in first })
        }
    }

    private static func numbers(_ value: JSONValue) -> [UInt64]? {
        guard case .array(let elements) = value else { return nil }
        let numbers = elements.compactMap { if case .integer(let number) = $0 { UInt64(exactly: number) } else { nil } }
        return numbers.count == elements.count ? numbers : nil
    }
}
