/// Something that can be handed over as bytes without a copy: text, byte arrays, raw buffers.
public protocol Bytes {
    /// Calls `body` with the bytes, which are valid until it returns.
    @safe func withStageBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result
}

extension String: Bytes {
    @safe public func withStageBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        var text = self
        return try text.withUTF8 { unsafe try body(UnsafeRawBufferPointer($0)) }
    }
}

extension Substring: Bytes {
    @safe public func withStageBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        var text = self
        return try text.withUTF8 { unsafe try body(UnsafeRawBufferPointer($0)) }
    }
}

extension [UInt8]: Bytes {
    @safe public func withStageBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        unsafe try withUnsafeBytes { unsafe try body($0) }
    }
}

extension ArraySlice<UInt8>: Bytes {
    @safe public func withStageBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        unsafe try withUnsafeBytes { unsafe try body($0) }
    }
}

extension UnsafeRawBufferPointer: @unsafe Bytes {
    @safe public func withStageBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        unsafe try body(self)
    }
}

extension stage_bytes {
    /// The bytes as Swift sees them: borrowed, with the lifetime that the protocol gives them.
    var buffer: UnsafeRawBufferPointer {
        unsafe data == nil
            ? UnsafeRawBufferPointer(start: nil, count: 0) : UnsafeRawBufferPointer(start: data, count: size)
    }

    init(_ buffer: UnsafeRawBufferPointer) {
        unsafe self.init(data: buffer.baseAddress, size: buffer.count)
    }

    static var absent: stage_bytes { unsafe stage_bytes(data: nil, size: 0) }
}

/// Text of unknown bytes for people: invalid UTF-8 is shown as replacement characters.
func lossyText(_ buffer: UnsafeRawBufferPointer) -> String {
    unsafe String(decoding: buffer, as: UTF8.self)
}

/// The offset of the first byte that is not UTF-8, or nil when all of it is.
@unsafe public func firstInvalidUTF8(in buffer: UnsafeRawBufferPointer) -> Int? {
    do throws(UTF8.ValidationError) {
        let span = unsafe Span<UInt8>(_unsafeElements: buffer.bindMemory(to: UInt8.self))
        _ = try UTF8Span(validating: span)
        return nil
    } catch {
        return error.byteOffsets.lowerBound
    }
}
