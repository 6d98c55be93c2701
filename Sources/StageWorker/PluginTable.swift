import CStage
import CWorker
import Glibc
import StageModel

/// What a plugin says of itself, checked and copied, and the functions to call.
@safe struct PluginTable: Sendable {
    let kind: StageKind
    let flags: PluginFlags
    let functions: PluginFunctions
    let maximumWorkers: UInt32
    let identifier: String
    let version: String
    let description: String
    let schema: String?
    nonisolated(unsafe) let table: UnsafePointer<stage_plugin>

    /// Takes a plugin's table apart. `subject` names the library in messages.
    init(checking table: UnsafePointer<stage_plugin>, subject: String) throws(Refusal) {
        let size = unsafe table.pointee.struct_size
        guard unsafe Int(size) >= MemoryLayout<stage_plugin>.size else {
            throw Refusal(
                subject, found: "a table of \(size) bytes (struct_size)",
                expected: unsafe "at least \(MemoryLayout<stage_plugin>.size)",
                hint: "set struct_size to sizeof(stage_plugin) and build against this host's stage.h")
        }
        guard let kind = unsafe StageKind(rawValue: table.pointee.kind) else {
            throw Refusal(
                subject, found: unsafe "kind \(table.pointee.kind)", expected: "1 (source), 2 (transform) or 3 (sink)",
                hint: "set kind to one of STAGE_KIND_…")
        }
        let known: PluginFlags = [.reentrant, .recordByRecord, .stateful]
        let flags = unsafe PluginFlags(rawValue: table.pointee.flags)
        guard flags.isSubset(of: known) else {
            throw Refusal(
                subject, found: "flags 0x\(String(flags.rawValue, radix: 16))",
                expected: "flags within 0x\(String(known.rawValue, radix: 16))",
                hint: "set only flags that this host's stage.h names")
        }
        if let wrong = unsafe cworker_wrong_member(table) {
            let name = unsafe String(cString: wrong)
            throw name.hasPrefix("!")
                ? Refusal(
                    subject, found: "a \(kind.name) with the function `\(name.dropFirst())`", expected: "NULL there",
                    hint: "leave the functions of other kinds NULL")
                : Refusal(
                    subject, found: "NULL for `\(name)`", expected: "a value: a \(kind.name) needs it",
                    hint: "fill it in and build the plugin again")
        }
        self.kind = kind
        self.flags = flags
        unsafe self.table = unsafe table
        maximumWorkers = unsafe table.pointee.max_workers
        identifier = unsafe try Self.text(table.pointee.id, "id", 1...128, subject)
        version = unsafe try Self.text(table.pointee.version, "version", 1...64, subject)
        description = unsafe try Self.text(table.pointee.description, "description", 1...4_096, subject)
        schema = unsafe try table.pointee.config_schema.map { text throws(Refusal) in
            unsafe try Self.text(text, "config_schema", 1...1_048_576, subject)
        }
        if let schema {
            do {
                _ = try JSON(reading: Array(schema.utf8))
            } catch {
                throw Refusal(
                    "\(subject): config_schema", found: "\(error)", expected: "a JSON Schema, as JSON text",
                    hint: "correct the text, or set it to NULL")
            }
        }
        var functions = PluginFunctions()
        if unsafe table.pointee.read != nil { functions.insert(.read) }
        if unsafe table.pointee.process != nil { functions.insert(.process) }
        if unsafe table.pointee.sync != nil { functions.insert(.sync) }
        if unsafe table.pointee.finish != nil { functions.insert(.finish) }
        if unsafe table.pointee.close != nil { functions.insert(.close) }
        self.functions = functions
    }

    private static func text(
        _ pointer: UnsafePointer<CChar>, _ name: String, _ limits: ClosedRange<Int>, _ subject: String
    ) throws(Refusal) -> String {
        let length = unsafe strnlen(pointer, limits.upperBound + 1)
        guard limits.contains(length) else {
            throw Refusal(
                subject, found: "`\(name)` of \(length > limits.upperBound ? "more than \(limits.upperBound)" : "\(length)") bytes",
                expected: "\(limits.lowerBound) to \(limits.upperBound)", hint: "correct the text and build the plugin again")
        }
        return unsafe String(decoding: UnsafeRawBufferPointer(start: pointer, count: length), as: UTF8.self)
    }
}
