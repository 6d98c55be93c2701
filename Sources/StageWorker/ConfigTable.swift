import CStage
import Glibc

/// The configuration of a stage, flat: dotted keys to values. Built once; then only read, from any thread.
@safe final class ConfigTable: @unchecked Sendable {
    @safe private enum Value {
        case text(stage_bytes)
        case integer(Int64)
        case number(Double)
        case boolean(Bool)
        case container(UInt32)
    }

    private var values: [String: Value] = [:]

    init(_ text: [UInt8]) throws(Refusal) {
        let root: JSON
        do {
            root = try JSON(reading: text)
        } catch {
            throw Refusal("configuration", found: "\(error)", expected: "JSON", hint: "this is the host's mistake; report it")
        }
        guard case .object = root else {
            throw Refusal("configuration", found: "no object", expected: "a JSON object", hint: "write with: { … }")
        }
        add(root, "")
    }

    private func add(_ value: JSON, _ key: String) {
        func below(_ name: String) -> String { key.isEmpty ? name : "\(key).\(name)" }
        switch value {
        case .null: return
        case .boolean(let flag): insert(key, .boolean(flag))
        case .integer(let integer): insert(key, .integer(integer))
        case .number(let number): insert(key, .number(number))
        case .string(let bytes): unsafe insert(key, .text(bytes.withUnsafeBytes { unsafe stage_bytes(copying: $0) }))
        case .array(let elements):
            insert(key, .container(UInt32(elements.count)))
            for (index, element) in elements.enumerated() { add(element, below("\(index)")) }
        case .object(let members):
            insert(key, .container(UInt32(members.count)))
            for member in members { add(member.value, below(String(decoding: member.key, as: UTF8.self))) }
        }
    }

    /// A name given twice means its last value, as most readers of JSON have it.
    private func insert(_ key: String, _ value: Value) { values[key] = value }

    private func find(_ key: UnsafePointer<CChar>) -> Value? { unsafe values[String(cString: key)] }

    func string(_ key: UnsafePointer<CChar>, _ result: UnsafeMutablePointer<stage_bytes>) -> Int32 {
        guard let value = unsafe find(key) else { return Code.missing }
        guard case .text(let bytes) = value else { return Code.type }
        unsafe result.pointee = unsafe bytes
        return Code.ok
    }

    /// A number without a fraction is an integer, however it is written.
    func integer(_ key: UnsafePointer<CChar>, _ result: UnsafeMutablePointer<Int64>) -> Int32 {
        switch unsafe find(key) {
        case nil: return Code.missing
        case .integer(let integer): unsafe result.pointee = integer
        case .number(let number):
            guard let integer = Int64(exactly: number) else { return Code.type }
            unsafe result.pointee = integer
        default: return Code.type
        }
        return Code.ok
    }

    func number(_ key: UnsafePointer<CChar>, _ result: UnsafeMutablePointer<Double>) -> Int32 {
        switch unsafe find(key) {
        case nil: return Code.missing
        case .integer(let integer): unsafe result.pointee = Double(integer)
        case .number(let number): unsafe result.pointee = number
        default: return Code.type
        }
        return Code.ok
    }

    func boolean(_ key: UnsafePointer<CChar>, _ result: UnsafeMutablePointer<Int32>) -> Int32 {
        guard let value = unsafe find(key) else { return Code.missing }
        guard case .boolean(let flag) = value else { return Code.type }
        unsafe result.pointee = flag ? 1 : 0
        return Code.ok
    }

    func count(_ key: UnsafePointer<CChar>, _ result: UnsafeMutablePointer<UInt32>) -> Int32 {
        guard let value = unsafe find(key) else { return Code.missing }
        guard case .container(let count) = value else { return Code.type }
        unsafe result.pointee = count
        return Code.ok
    }
}
