/// A file of Zstandard (RFC 8878), one frame or several, through libzstd's streaming functions, by their declarations in
/// zstd.h.
@safe final class ZstdFile {
    private static let package = "libzstd1"

    /// ZSTD_inBuffer and ZSTD_outBuffer: a pointer, a size, a position.
    private typealias Triple = UnsafeMutablePointer<UInt>

    private let library: DynamicLibrary
    private let freeFunction: @convention(c) (UnsafeMutableRawPointer) -> Int
    private let unpackFunction: @convention(c) (UnsafeMutableRawPointer, UnsafeMutablePointer<UInt>, UnsafeMutablePointer<UInt>) -> Int
    private let isErrorFunction: @convention(c) (Int) -> CUnsignedInt
    private let nameFunction: @convention(c) (Int) -> UnsafePointer<CChar>?
    private let stream: UnsafeMutableRawPointer

    private let file: File
    private var fileOffset = 0
    /// What has been read of the file; packed[start..<filled] has not been unpacked yet.
    private let packed: UnsafeMutableRawBufferPointer
    private var start = 0
    private var filled = 0
    /// In the middle of a frame.
    private var isInside = false

    init(_ file: consuming File) throws {
        let library = try DynamicLibrary("libzstd.so.1", package: Self.package)
        self.library = library
        unsafe freeFunction = try library.symbol("ZSTD_freeDStream", as: type(of: freeFunction))
        unsafe unpackFunction = try library.symbol("ZSTD_decompressStream", as: type(of: unpackFunction))
        isErrorFunction = try library.symbol("ZSTD_isError", as: type(of: isErrorFunction))
        unsafe nameFunction = try library.symbol("ZSTD_getErrorName", as: type(of: nameFunction))
        let create = unsafe try library.symbol("ZSTD_createDStream", as: (@convention(c) () -> UnsafeMutableRawPointer?).self)
        guard let stream = unsafe create() else { throw StageFailure.retry("no memory to unpack Zstandard") }
        unsafe self.stream = stream
        unsafe packed = .allocate(byteCount: 1 << 18, alignment: 16)
        file.adviseSequential()
        self.file = file
    }

    deinit {
        _ = unsafe freeFunction(stream)
        unsafe packed.deallocate()
    }

    @unsafe func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            if start == filled {
                start = 0
                filled = unsafe try file.read(into: packed, at: fileOffset)
                fileOffset += filled
            }
            // The library may hold back content that it has unpacked: it is asked also when no input is left.
            var input = unsafe [Self.address(packed.baseAddress), UInt(filled), UInt(start)]
            var output = unsafe [Self.address(buffer.baseAddress), UInt(buffer.count), 0]
            let code = unsafe unpackFunction(stream, &output, &input)
            guard isErrorFunction(code) == 0 else {
                let name = unsafe nameFunction(code).map { unsafe String(cString: $0) } ?? "damaged"
                throw UnpackingError(reason: name)
            }
            let isAtEnd = filled == 0
            if !isAtEnd || output[2] > 0 { isInside = code != 0 }
            start = Int(input[2])
            if output[2] > 0 { return Int(output[2]) }
            if isAtEnd {
                guard !isInside else { throw UnpackingError(reason: "it ends in the middle") }
                return 0
            }
        }
    }

    @unsafe private static func address(_ pointer: UnsafeMutableRawPointer?) -> UInt { UInt(bitPattern: pointer) }
}
