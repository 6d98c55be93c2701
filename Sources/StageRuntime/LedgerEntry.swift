import FoundationEssentials
import StageLog
import StageModel
import StageWire

/// An entry of the ledger: a message item with a JSON object, whose keys depend on the kind.
struct LedgerEntry: Codable, Equatable {
    enum Kind: String, Codable {
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
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        var items = ItemWriter()
        // Nothing in it can fail to be encoded: amounts are finite.
        items.append(.message, (try? encoder.encode(self)).map(Array.init) ?? [])
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
        guard let message, let entry = try? JSONDecoder().decode(LedgerEntry.self, from: Data(message)) else { return nil }
        self = entry
    }
}
