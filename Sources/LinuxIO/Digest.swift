import CLinux

/// SHA-256 of some bytes, in lower-case hexadecimal.
package func digest(of bytes: [UInt8]) -> String {
    var result = [UInt8](repeating: 0, count: 32)
    unsafe bytes.withUnsafeBytes { raw in
        unsafe result.withUnsafeMutableBufferPointer { unsafe clinux_sha256(raw.baseAddress, raw.count, $0.baseAddress) }
    }
    return result.map { byte in
        let digits = String(byte, radix: 16)
        return byte < 16 ? "0" + digits : digits
    }.joined()
}

/// Columns and rows of the terminal at a descriptor; nil when it is none.
package func terminalSize(_ descriptor: Int32) -> (columns: Int, rows: Int)? {
    var columns: Int32 = 0
    var rows: Int32 = 0
    guard unsafe clinux_terminal_size(descriptor, &columns, &rows) == 0, columns > 0 else { return nil }
    return (Int(columns), Int(rows))
}
