/// A failed operation on a disk: what was tried, on which path, and the error number of the system.
package struct DiskError: Error, Equatable {
    package var operation: String
    package var path: String
    package var errno: Int32

    package init(_ operation: String, _ path: String, _ errno: Int32) {
        self.operation = operation
        self.path = path
        self.errno = errno
    }
}

/// The file system as the log sees it: few operations, each with the durability of its POSIX model and no more.
///
/// What a name or a byte is worth after a power loss: bytes written are safe after `DiskFile.sync`, names created,
/// renamed or removed after `syncFolder`. `SimulatedDisk` gives exactly that; `FileDisk` at least that.
package protocol Disk: AnyObject {
    /// mkdir -p. The new names are synced.
    func createFolder(_ path: String) throws(DiskError)
    /// The names in a folder, in no order.
    func list(_ folder: String) throws(DiskError) -> [String]
    /// open(O_RDONLY) or open(O_RDWR).
    func open(_ path: String, writable: Bool) throws(DiskError) -> any DiskFile
    /// open(O_RDWR | O_CREAT | O_EXCL).
    func create(_ path: String) throws(DiskError) -> any DiskFile
    /// rename within one folder; replaces what has the name already.
    func rename(_ path: String, to newPath: String) throws(DiskError)
    func unlink(_ path: String) throws(DiskError)
    /// fsync of a folder.
    func syncFolder(_ path: String) throws(DiskError)
}

/// An open file of a `Disk`. Closed when it is let go of.
package protocol DiskFile: AnyObject {
    func size() throws(DiskError) -> UInt64
    /// Reads until the buffer is full or the file ends; returns how many bytes.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError) -> Int
    /// Writes the parts one after the other in one call of the system; may be short, but is never 0 for a non-empty
    /// request.
    func write(_ parts: [UnsafeRawBufferPointer], at offset: UInt64) throws(DiskError) -> Int
    func truncate(to size: UInt64) throws(DiskError)
    /// fdatasync.
    func sync() throws(DiskError)
}

extension DiskFile {
    /// `count` bytes from `offset`, fewer where the file ends.
    func bytes(at offset: UInt64, count: Int) throws(DiskError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: count)
        var failure: DiskError?
        let got = unsafe result.withUnsafeMutableBytes { buffer in
            do throws(DiskError) { return unsafe try read(at: offset, into: buffer) } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        result.removeLast(count - got)
        return result
    }

    /// Writes everything, however short the single writes are.
    func writeAll(_ parts: [UnsafeRawBufferPointer], at offset: UInt64) throws(DiskError) {
        var left = unsafe parts
        var place = offset
        unsafe left.removeAll { unsafe $0.isEmpty }
        while unsafe !left.isEmpty {
            var written = unsafe try write(left, at: place)
            place += UInt64(written)
            while written > 0, let first = unsafe left.first {
                if written >= first.count {
                    written -= first.count
                    unsafe left.removeFirst()
                } else {
                    unsafe left[0] = UnsafeRawBufferPointer(rebasing: first[written...])
                    written = 0
                }
            }
        }
    }

    func writeAll(_ bytes: [UInt8], at offset: UInt64) throws(DiskError) {
        var failure: DiskError?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(DiskError) { unsafe try writeAll([buffer], at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
