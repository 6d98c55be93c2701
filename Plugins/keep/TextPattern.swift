import Glibc
import StageKit

/// Something to find in a text: plain text byte by byte, anything else by the C library's POSIX extended regular
/// expressions.
@safe final class TextPattern: @unchecked Sendable {
    // A compiled expression is only read; regexec may run on several threads.
    private let expression: UnsafeMutablePointer<regex_t>?
    private let literal: [UInt8]

    init(_ pattern: String) throws {
        guard !pattern.isEmpty, !pattern.utf8.contains(0) else {
            throw TextPatternError(description: "found \(JSON.quote(pattern)), expected a regular expression")
        }
        literal = Array(pattern.utf8)
        let special = Array("\\^$.|?*+()[]{}".utf8)
        guard pattern.utf8.contains(where: { special.contains($0) }) else {
            unsafe expression = nil
            return
        }
        let compiled = UnsafeMutablePointer<regex_t>.allocate(capacity: 1)
        unsafe compiled.initialize(to: regex_t())
        let code = unsafe regcomp(compiled, pattern, REG_EXTENDED)
        guard code == 0 else {
            var message = [CChar](repeating: 0, count: 256)
            _ = unsafe regerror(code, compiled, &message, message.count)
            unsafe compiled.deallocate()
            let reason = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw TextPatternError(
                description: "found \(JSON.quote(pattern)), expected a POSIX extended regular expression: \(reason)")
        }
        unsafe expression = compiled
    }

    deinit {
        if let expression = unsafe expression {
            unsafe regfree(expression)
            unsafe expression.deallocate()
        }
    }

    /// Whether the pattern occurs in `text`. The expression sees bytes, NUL included.
    @unsafe func isFound(in text: UnsafeRawBufferPointer) -> Bool {
        guard let expression = unsafe expression else {
            return unsafe containsLiteral(text)
        }
        // regoff_t is 32 bits wide; a value is at most 256 MiB.
        var range = regmatch_t(rm_so: 0, rm_eo: regoff_t(clamping: text.count))
        return unsafe withEmptyFallback(text) { start in
            unsafe regexec(expression, start, 1, &range, REG_STARTEND) == 0
        }
    }

    private func containsLiteral(_ text: UnsafeRawBufferPointer) -> Bool {
        guard let start = text.baseAddress, text.count >= literal.count else { return false }
        var at = 0
        let last = text.count - literal.count
        while at <= last, let hit = unsafe memchr(start + at, CInt(literal[0]), last - at + 1) {
            at = unsafe UnsafeRawPointer(hit) - start
            let here = unsafe UnsafeRawBufferPointer(start: start + at, count: literal.count)
            if unsafe here.elementsEqual(literal) { return true }
            at += 1
        }
        return false
    }

    /// An empty value may have no address, but an expression may match it.
    private func withEmptyFallback(
        _ text: UnsafeRawBufferPointer, _ body: (UnsafePointer<CChar>) -> Bool
    ) -> Bool {
        guard let start = text.baseAddress else { return unsafe "".withCString { unsafe body($0) } }
        return unsafe body(start.assumingMemoryBound(to: CChar.self))
    }
}

struct TextPatternError: Error, CustomStringConvertible {
    let description: String
}
