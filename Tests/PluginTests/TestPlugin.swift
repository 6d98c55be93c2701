import CStage
import Foundation
import Glibc

/// A built plugin, loaded from beside the test binary.
@safe struct TestPlugin {
    let table: stage_plugin

    struct Missing: Error, CustomStringConvertible {
        let description: String
    }

    init(_ name: String) throws {
        let folder = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") as NSString
        let path = folder.deletingLastPathComponent + "/libstage-\(name).so"
        guard let handle = unsafe dlopen(path, RTLD_NOW | RTLD_LOCAL), let entry = unsafe dlsym(handle, STAGE_ENTRY_SYMBOL)
        else {
            throw Missing(description: unsafe dlerror().map { unsafe String(cString: $0) } ?? path)
        }
        typealias Entry = @convention(c) () -> UnsafePointer<stage_plugin>
        unsafe table = unsafe unsafeBitCast(entry, to: Entry.self)().pointee
    }

    var id: String { unsafe String(cString: table.id) }
    var schema: String { unsafe table.config_schema.map { unsafe String(cString: $0) } ?? "" }

    /// Opens a stage; throws the refusal.
    func open(_ config: String, checkpoint: String? = nil, name: String = "stage", shard: UInt32 = 0) throws -> TestStage {
        unsafe try TestStage(
            table, config: config, checkpoint: checkpoint.map { Array($0.utf8) }, name: name, shard: shard)
    }

    /// Opens a stage whose checkpoint is not text.
    func open(_ config: String, checkpointBytes: [UInt8]) throws -> TestStage {
        unsafe try TestStage(table, config: config, checkpoint: checkpointBytes, name: "stage", shard: 0)
    }
}

/// What `open` answered when it was not STAGE_OK.
struct Refusal: Error, CustomStringConvertible {
    let status: Int
    let message: String
    var description: String { "\(status): \(message)" }
}

/// A record as the tests write it.
struct TestRecord: Hashable {
    var id: UInt64 = 0
    var key: [UInt8]
    var value: [UInt8]

    init(_ key: String, _ value: String, id: UInt64 = 0) {
        self.id = id
        self.key = Array(key.utf8)
        self.value = Array(value.utf8)
    }

    init(_ key: String, bytes: [UInt8]) {
        self.key = Array(key.utf8)
        value = bytes
    }
}
