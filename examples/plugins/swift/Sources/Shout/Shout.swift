// A complete plugin in Swift: upper case, one record after another.
import StageKit

@c @implementation
public func stage_plugin_v1() -> StageTable { exportStage(Shout.self) }

struct Shout: Transform {
    static let id = "shout"
    static let version = "1.0.0"
    static let summary = "Turns ASCII letters to upper case."
    static let configurationSchema: String? = #"{"type":"object","properties":{"suffix":{"type":"string"}}}"#

    struct Configuration: Decodable {
        var suffix: String?
    }

    let suffix: String

    init(configuration: Configuration, host: Host) {
        suffix = configuration.suffix ?? ""
    }

    func process(_ record: borrowing Record, into output: borrowing Output) throws {
        guard record.size > 0 else { throw RecordFailure.permanent("there is nothing to shout") }
        let loud = record.bytes.map { (97...122).contains($0) ? $0 - 32 : $0 }
        try output.emit(keyOf: record, value: loud + suffix.utf8)
    }
}
