import Foundation
import Testing

/// Texts that are compared with files in `Golden/`; `REWRITE_GOLDEN=1 swift test` writes the files anew.
enum Golden {
    static func expect(_ text: String, _ name: String, file: String = #filePath) throws {
        let path = URL(fileURLWithPath: file).deletingLastPathComponent().appendingPathComponent("Golden/\(name)")
        if ProcessInfo.processInfo.environment["REWRITE_GOLDEN"] != nil {
            try Data(text.utf8).write(to: path)
            return
        }
        let golden = String(decoding: try Data(contentsOf: path), as: UTF8.self)
        #expect(text == golden, "\(name) has changed; if that is meant, run the tests with REWRITE_GOLDEN=1")
    }
}
