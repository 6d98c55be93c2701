import Glibc

/// A file of gzip (RFC 1952), one member or several, through zlib's file functions, by their declarations in zlib.h.
@safe final class GzipFile {
    private typealias Handle = UnsafeMutableRawPointer
    private static let package = "zlib1g"
    /// Z_BUF_ERROR: the input ended in the middle.
    private static let endedTooEarly: CInt = -5

    private let library: DynamicLibrary
    private let readFunction: @convention(c) (UnsafeMutableRawPointer, UnsafeMutableRawPointer?, CUnsignedInt) -> CInt
    private let errorFunction: @convention(c) (UnsafeMutableRawPointer, UnsafeMutablePointer<CInt>) -> UnsafePointer<CChar>?
    private let closeFunction: @convention(c) (UnsafeMutableRawPointer) -> CInt
    private let handle: Handle

    init(_ file: borrowing File) throws {
        let library = try DynamicLibrary("libz.so.1", package: Self.package)
        self.library = library
        unsafe readFunction = try library.symbol("gzread", as: type(of: readFunction))
        unsafe errorFunction = try library.symbol("gzerror", as: type(of: errorFunction))
        unsafe closeFunction = try library.symbol("gzclose", as: type(of: closeFunction))
        let open = unsafe try library.symbol("gzdopen", as: (@convention(c) (CInt, UnsafePointer<CChar>) -> UnsafeMutableRawPointer?).self)
        try Self.checkMagic(of: file)
        // The library closes the descriptor that it is given.
        let own = fcntl(file.descriptor, F_DUPFD_CLOEXEC, 0)
        guard own >= 0 else { throw SystemError(file.path, "open it") }
        guard let handle = unsafe open(own, "rb") else {
            close(own)
            throw SystemError(file.path, "open it")
        }
        unsafe self.handle = handle
    }

    deinit { _ = unsafe closeFunction(handle) }

    /// zlib passes a file that is not gzip through as it is; here that is an error.
    private static func checkMagic(of file: borrowing File) throws {
        var magic: UInt16 = 0
        let count = unsafe try withUnsafeMutableBytes(of: &magic) { unsafe try file.read(into: $0, at: 0) }
        guard count == 0 || count == 2 && UInt16(littleEndian: magic) == 0x8B1F else {
            throw DamagedFile(
                description: "\(String(decoding: file.path, as: UTF8.self)): is named .gz and does not begin as gzip; unpack or rename it")
        }
    }

    @unsafe func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = unsafe readFunction(handle, buffer.baseAddress, CUnsignedInt(min(buffer.count, 1 << 30)))
        if count > 0 { return Int(count) }
        // At the end, too, one must ask whether it was one.
        var code: CInt = 0
        let words = unsafe errorFunction(handle, &code)
        guard count < 0 || code == Self.endedTooEarly else { return 0 }
        let reason = unsafe words.map { unsafe String(cString: $0) } ?? ""
        throw UnpackingError(reason: code == Self.endedTooEarly ? "it ends in the middle" : reason.isEmpty ? "damaged" : reason)
    }
}
